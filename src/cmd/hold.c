/* `ambit hold`: what waits for a person, exactly what would be sent, and the decision on it. */
#include "cmd/cli.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "door/admin.h"
#include "people/passkey.h"

static const struct opt LIST_OPTS[] = {
    {"all", 0, OPT_FLAG, NULL, "those that are decided or over, too"}, {0}};
static const struct opt DECIDE_OPTS[] = {
    {"yes", 0, OPT_FLAG, NULL, "do not ask; for what has been looked at before"}, {0}};

static int hold_list(struct cli *c)
{
    static const char *const heads[] = {"HOLD",  "STATE", "OPERATION", "EFFECT",
                                        "AGENT", "OWNER", "EXPIRES",   "PURPOSE"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 8};
    struct buf params = {0};
    const json *result, *h;
    buf_put(&params, args_has(&c->args, "all") ? S("{\"all\":true}") : S("{}"));
    if (!cli_call(c, S("hold.list"), &params, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(json_get(result, S("holds"))); json_next(&it, NULL, &h);) {
        table_add(&t, json_get_str(h, S("hold")));
        table_add(&t, json_get_str(h, S("state")));
        table_add(&t, str_fmt(&c->arena, "%.*s/%.*s", STR(json_get_str(h, S("binding"))),
                              STR(json_get_str(h, S("tool")))));
        table_add(&t, json_get_str(h, S("effect")));
        table_add(&t, json_get_str(h, S("agent")));
        table_add(&t, json_get_str(h, S("owner")));
        table_add(&t, json_get_str(h, S("expires")));
        table_add(&t, json_get_str(h, S("purpose")));
    }
    table_print(&t);
    return 0;
}

/* ---- one hold ---- */

static bool fetch(struct cli *c, const json **hold)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    jw_obj(&w);
    jw_kstr(&w, S("hold"), c->args.pos[0]);
    jw_end_obj(&w);
    return cli_call(c, S("hold.show"), &params, hold);
}

static void put_row(struct buf *out, const char *name, str value)
{
    if (!value.n)
        return;
    buf_printf(out, "%-10s ", name);
    put_safe(out, value);
    buf_putc(out, '\n');
}

static bool put_hold(struct cli *c, const json *h, struct buf *out)
{
    const json *args, *id;
    struct buf ids = {0};
    str text = json_get_str(h, S("arguments"));
    if (!json_read(&c->arena, text.n ? text : S("{}"), NULL, &args, &c->err))
        return err_in(&c->err, "the arguments of the call");
    for (struct json_iter it = json_iter(json_get(h, S("policies"))); json_next(&it, NULL, &id);)
        buf_printf(&ids, "%s%.*s", buf_len(&ids) ? ", " : "", STR(json_str(id)));
    put_row(out, "hold", json_get_str(h, S("hold")));
    put_row(out, "state", json_get_str(h, S("state")));
    put_row(out, "operation",
            str_fmt(&c->arena, "%.*s/%.*s", STR(json_get_str(h, S("binding"))),
                    STR(json_get_str(h, S("tool")))));
    put_row(out, "effect", json_get_str(h, S("effect")));
    put_row(out, "agent", json_get_str(h, S("agent")));
    put_row(out, "owner", json_get_str(h, S("owner")));
    put_row(out, "purpose", json_get_str(h, S("purpose")));
    put_row(out, "task", json_get_str(h, S("task")));
    put_row(out, "call", json_get_str(h, S("call")));
    put_row(out, "held by", buf_str(&ids));
    put_row(out, "asked", json_get_str(h, S("created")));
    put_row(out, "expires", json_get_str(h, S("expires")));
    put_row(out, "decided by", json_get_str(h, S("approver")));
    put_row(out, "digest", json_get_str(h, S("digest")));
    buf_put(out, S("arguments  "));
    put_pretty(out, args, 11);
    buf_putc(out, '\n');
    buf_fini(&ids);
    return true;
}

static int hold_show(struct cli *c)
{
    struct buf out = {0};
    const json *h;
    if (!fetch(c, &h))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(h);
        return 0;
    }
    if (!put_hold(c, h, &out))
        return cli_failed(c);
    print_buf(stdout, &out);
    return 0;
}

/* ---- deciding ---- */

/* What is signed is the digest of what was shown, computed here: the gateway's word is not taken.
 */
static bool check_digest(struct cli *c, const json *h, struct hash *out)
{
    char hex[HASH_HEX_SIZE];
    *out = call_digest(json_get_str(h, S("task")), json_get_str(h, S("binding")),
                       json_get_str(h, S("tool")), json_get_str(h, S("arguments")));
    if (str_eq(hash_hex(out, hex), json_get_str(h, S("digest"))))
        return true;
    return err_denied(&c->err, "the digest of what the gateway shows is not the one it wants "
                               "decided; nothing was decided, and somebody should look at this "
                               "gateway");
}

static bool sign(struct cli *c, str hold, const struct hash *digest, bool approve, str *out)
{
    struct buf message = {0};
    uint8_t sig[SIG_LEN];
    admin_decision_message(hold, digest, approve, &message);
    bool ok = key_sign(c->control.key, buf_str(&message), sig, &c->err);
    if (ok)
        *out = base64url_dup(&c->arena, str_of((const char *)sig, sizeof sig));
    buf_fini(&message);
    return ok;
}

static int decide(struct cli *c, bool approve)
{
    struct buf shown = {0}, params = {0};
    struct jw w = jw(&params);
    struct hash digest;
    const json *h, *result;
    str signature = {0};
    if (!fetch(c, &h))
        return EXIT_FAILED;
    str id = json_get_str(h, S("hold")), state = json_get_str(h, S("state"));
    bool ok = put_hold(c, h, &shown);
    print_buf(approve && !c->json ? stdout : stderr, &shown);
    if (ok && !str_eq(state, S("pending")))
        ok = err_input(&c->err, "hold %.*s is %.*s already", STR(id), STR(state));
    ok = ok && (str_eq(id, c->args.pos[0]) || err_peer(&c->err, "the gateway showed another hold"));
    ok = ok && check_digest(c, h, &digest);
    ok = ok && (!approve || cli_confirm(c, "Send exactly this?"));
    ok = ok && (!c->control.operator_name.n || sign(c, id, &digest, approve, &signature));
    if (!ok)
        return cli_failed(c);
    jw_obj(&w);
    jw_kstr(&w, S("hold"), id);
    if (signature.n)
        jw_kstr(&w, S("signature"), signature);
    jw_end_obj(&w);
    if (!cli_call(c, approve ? S("hold.approve") : S("hold.deny"), &params, &result))
        return EXIT_FAILED;
    if (c->json)
        cli_print_json(result);
    else
        printf("%.*s is %.*s by %.*s\n", STR(id), STR(json_get_str(result, S("state"))),
               STR(json_get_str(result, S("by"))));
    return 0;
}

static int hold_approve(struct cli *c)
{
    return decide(c, true);
}

static int hold_deny(struct cli *c)
{
    return decide(c, false);
}

/* ---- what a passkey signed ---- */

static bool get_bytes(struct cli *c, const json *e, str name, str *out)
{
    return base64url_decode(&c->arena, json_get_str(e, name), out) ||
           err_peer(&c->err, "the gateway's answer has no %.*s", STR(name));
}

static bool check_evidence(struct cli *c, const json *of, const json *e)
{
    struct evidence ev = {.statement = json_get_str(e, S("statement"))};
    struct relying_party rp = {json_get_str(of, S("rpId")), json_get_str(of, S("origin"))};
    return get_bytes(c, e, S("publicKey"), &ev.cose) &&
           get_bytes(c, e, S("authenticatorData"), &ev.assertion.authn_data) &&
           get_bytes(c, e, S("clientData"), &ev.assertion.client_data) &&
           get_bytes(c, e, S("signature"), &ev.assertion.signature) &&
           evidence_check(&rp, &ev, &c->err);
}

static int hold_evidence(struct cli *c)
{
    struct buf params = {0}, out = {0};
    struct jw w = jw(&params);
    const json *of, *e;
    jw_obj(&w);
    jw_kstr(&w, S("id"), c->args.pos[0]);
    jw_end_obj(&w);
    if (!cli_call(c, S("evidence"), &params, &of))
        return EXIT_FAILED;
    if (c->json)
        cli_print_json(of);
    if (json_count(json_get(of, S("evidence"))) == 0) {
        err_notfound(&c->err, "no passkey signed a decision on %.*s", STR(c->args.pos[0]));
        return cli_failed(c);
    }
    for (struct json_iter it = json_iter(json_get(of, S("evidence"))); json_next(&it, NULL, &e);) {
        if (!check_evidence(c, of, e)) {
            buf_fini(&out);
            return cli_failed(c);
        }
        put_members(&out, e);
        buf_put(&out, S("the signature is good: this passkey signed exactly this statement\n"));
    }
    if (!c->json)
        print_buf(stdout, &out);
    else
        buf_fini(&out);
    return 0;
}

static const struct verb VERBS[] = {
    {"list", NEEDS_GATEWAY, 0, 0, "[--all]", "Calls that wait for a person.", "ambit hold list",
     LIST_OPTS, hold_list},
    {"show", NEEDS_GATEWAY, 1, 1, "HOLD", "Exactly what would be sent, and why it waits.",
     "ambit hold show h01J...", NULL, hold_show},
    {"approve", NEEDS_GATEWAY, 1, 1, "HOLD [--yes]",
     "Let exactly this call go, once. Shows it and asks first.",
     "ambit hold approve h01J... --as ann", DECIDE_OPTS, hold_approve},
    {"deny", NEEDS_GATEWAY, 1, 1, "HOLD", "Refuse it.", "ambit hold deny h01J...", NULL, hold_deny},
    {"evidence", NEEDS_GATEWAY, 1, 1, "HOLD", "What a passkey signed to decide it, checked here.",
     "ambit hold evidence h06F2Z1C1QG4ABCDEFGHJKMNPQR", NULL, hold_evidence},
};

int cmd_hold(int argc, char **argv)
{
    return verbs_run("hold", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
