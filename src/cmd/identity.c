/* `ambit identity`: the built-in issuer's keys, what is revoked, and how fresh the keys of issuers
 * elsewhere are. */
#include "cmd/cli.h"

static const struct opt REVOKE_OPTS[] = {
    {"reason", 0, OPT_VALUE, "TEXT", "why; shown beside it, not in the ledger"},
    {"for", 0, OPT_VALUE, "LIFE", "only for this time, e.g. 24h: long enough for what lives short"},
    {"lift", 0, OPT_FLAG, NULL, "the other way round: it is not revoked any more"},
    {0}};

static void put_member(struct buf *out, const json *o, const char *name, const char *before)
{
    str s = json_get_str(o, str_z(name));
    if (!s.n)
        return;
    buf_put(out, str_z(before));
    put_safe(out, s);
}

static void put_key(struct buf *out, const json *key)
{
    buf_put(out, S("key"));
    put_member(out, key, "use", "  ");
    put_member(out, key, "kid", "  ");
    buf_putc(out, '\n');
}

static void put_revoked(struct buf *out, const json *e)
{
    buf_put(out, S("revoked"));
    put_member(out, e, "kind", "  ");
    put_member(out, e, "name", " ");
    put_member(out, e, "at", "  since ");
    put_member(out, e, "until", " until ");
    put_member(out, e, "by", " by ");
    put_member(out, e, "reason", ": ");
    buf_putc(out, '\n');
}

static int identity_show(struct cli *c)
{
    const json *result, *v;
    struct buf out = {0};
    int64_t sequence = 0;
    if (!cli_call(c, S("identity.show"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    (void)!json_i64(json_get(result, S("sequence")), &sequence);
    put_member(&out, result, "trustDomain", "trust domain ");
    buf_printf(&out, ", bundle %lld\n", (long long)sequence);
    for (struct json_iter it = json_iter(json_get(result, S("keys"))); json_next(&it, NULL, &v);)
        put_key(&out, v);
    for (struct json_iter it = json_iter(json_get(result, S("revoked"))); json_next(&it, NULL, &v);)
        put_revoked(&out, v);
    print_buf(stdout, &out);
    return 0;
}

static int call_kind(struct cli *c, str method, struct buf *params, const char *done)
{
    const json *result;
    if (!cli_call(c, method, params, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    struct buf out = {0};
    buf_put(&out, str_z(done));
    put_member(&out, result, "new", ": the new key is ");
    put_member(&out, result, "old", ", the old one ");
    buf_putc(&out, '\n');
    print_buf(stdout, &out);
    return 0;
}

static int identity_rotate(struct cli *c)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    jw_obj(&w);
    jw_kstr(&w, S("kind"), c->args.pos[0]);
    jw_end_obj(&w);
    return call_kind(c, S("identity.rotate"), &params, "made");
}

static int identity_revoke(struct cli *c)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    bool lift = args_has(&c->args, "lift");
    static const char *const members[] = {"reason", "for"};
    jw_obj(&w);
    jw_kstr(&w, S("kind"), c->args.pos[0]);
    if (c->args.pos_n > 1)
        jw_kstr(&w, S("name"), c->args.pos[1]);
    for (size_t i = 0; i < 2; i++)
        if (args_get(&c->args, members[i]).n)
            jw_kstr(&w, str_z(members[i]), args_get(&c->args, members[i]));
    jw_end_obj(&w);
    return call_kind(c, lift ? S("identity.lift") : S("identity.revoke"), &params,
                     lift ? "lifted" : "revoked");
}

static str seconds_text(struct cli *c, const json *v)
{
    int64_t s;
    if (!json_i64(v, &s))
        return S("never");
    return s < 120    ? str_fmt(&c->arena, "%llds", (long long)s)
           : s < 7200 ? str_fmt(&c->arena, "%lldm", (long long)s / 60)
                      : str_fmt(&c->arena, "%lldh", (long long)s / 3600);
}

static str count_text(struct cli *c, const json *issuer)
{
    int64_t certificates, keys;
    if (!json_i64(json_get(issuer, S("certificates")), &certificates))
        certificates = 0;
    if (!json_i64(json_get(issuer, S("keys")), &keys))
        keys = 0;
    return str_fmt(&c->arena, "%lld", (long long)(certificates + keys));
}

static int issuers(struct cli *c)
{
    static const char *const heads[] = {"ISSUER", "KIND", "ID", "STATE", "AGE", "KEYS", "PROBLEM"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 7};
    const json *result, *v;
    if (!cli_call(c, S("identity.issuers"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(json_get(result, S("issuers")));
         json_next(&it, NULL, &v);) {
        table_add(&t, json_get_str(v, S("issuer")));
        table_add(&t, json_get_str(v, S("kind")));
        table_add(&t, json_get_str(v, S("id")));
        table_add(&t, json_get_str(v, S("state")));
        table_add(&t, seconds_text(c, json_get(v, S("ageSeconds"))));
        table_add(&t, count_text(c, v));
        table_add(&t, json_get_str(v, S("problem")));
    }
    table_print(&t);
    return 0;
}

static const struct verb VERBS[] = {
    {"show", NEEDS_GATEWAY, 0, 0, "", "The issuer's public keys, and what is revoked.",
     "ambit identity show", NULL, identity_show},
    {"rotate", NEEDS_GATEWAY, 1, 1, "KIND",
     "Make the next key now: root, signer, jwt, wit, task or txn. The old ones end in their time.",
     "ambit identity rotate jwt", NULL, identity_rotate},
    {"revoke", NEEDS_GATEWAY, 1, 2, "KIND [NAME]",
     "Declare dead: an id (and all below it), a certificate (SHA-256), a serial, a key of an "
     "issuer; or the issuer's own root, signer, jwt, wit, task or txn keys, at once.",
     "ambit identity revoke id spiffe://example.org/agent/desk --for 2h", REVOKE_OPTS,
     identity_revoke},
    {"issuers", NEEDS_GATEWAY, 0, 0, "",
     "The issuers elsewhere whose proofs count: how fresh their keys are, and what went wrong.",
     "ambit identity issuers", NULL, issuers},
};

int cmd_identity(int argc, char **argv)
{
    return verbs_run("identity", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}
