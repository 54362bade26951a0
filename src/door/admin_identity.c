/* identity.*: the built-in issuer's keys, and identities that are revoked. For administrators; each
 * change is recorded. */
#include "door/admin_int.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "identity/ca.h"

#include <stdlib.h>

/* ---- show ---- */

static void write_revoked(struct jw *w, const struct revoked_entry *e)
{
    char text[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_kstr(w, S("kind"), revoked_kind_name(e->kind));
    jw_kstr(w, S("name"), e->name);
    jw_kstr(w, S("at"), clock_text(e->at_ms, text));
    if (e->until_ms)
        jw_kstr(w, S("until"), clock_text(e->until_ms, text));
    jw_kstr(w, S("by"), e->by);
    if (e->reason.n)
        jw_kstr(w, S("reason"), e->reason);
    jw_end_obj(w);
}

enum { SHOWN_MAX = 1000 };

void on_identity_show(struct request *r)
{
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    const struct revoked_entry *e;
    size_t n = 0;
    jw_obj(&w);
    jw_kstr(&w, S("trustDomain"), r->g->conf->trust_domain);
    r->ad->out.show_issuer(r->ad->out.ctx, &w);
    jw_key(&w, S("revoked"));
    jw_arr(&w);
    for (size_t i = 0; n < SHOWN_MAX && (e = revoked_next(&r->g->revoked, &i)); n++)
        write_revoked(&w, e);
    jw_end_arr(&w);
    jw_ki64(&w, S("revokedCount"), (int64_t)map_count(&r->g->revoked.entries));
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

/* ---- the issuer's keys ---- */

static const char *const KEY_KINDS[CA_KINDS] = {
    [CA_ROOT] = "root", [CA_SIGNER] = "signer", [CA_TOKEN] = "jwt",
    [CA_WIT] = "wit",   [CA_TASK] = "task",     [CA_TXN] = "txn"};

static bool is_key_kind(str s, enum ca_kind *out)
{
    for (int i = 0; i < CA_KINDS; i++)
        if (str_eq(s, str_z(KEY_KINDS[i]))) {
            *out = (enum ca_kind)i;
            return true;
        }
    return false;
}

struct rotation {
    struct later *later;
    enum ca_kind kind;
    bool revoke;
    char by[72];
};

static void on_rotated(void *arg, const struct msg_rotated *m, str why)
{
    struct rotation *rot = arg;
    struct gate *g = rot->later->ad->g;
    if (!m) {
        later_error(rot->later, "unavailable", why);
    } else {
        struct record_identity_change rec = {.time_ms = clock_wall_ms(),
                                             .kind = str_z(KEY_KINDS[rot->kind]),
                                             .name = m->new_kid,
                                             .before = m->old_kid,
                                             .state = rot->revoke ? S("revoked") : S("rotated"),
                                             .by = str_z(rot->by)};
        struct store_txn *txn = store_txn_new(g->store);
        store_leaf(txn, record_identity_change(&g->scratch, &rec), (str){0}, (str){0});
        gate_submit(g, txn, NULL, NULL);
        struct buf b = {0};
        struct jw w = jw(&b);
        jw_obj(&w);
        jw_kstr(&w, S("old"), m->old_kid);
        jw_kstr(&w, S("new"), m->new_kid);
        jw_ki64(&w, S("sequence"), m->sequence);
        jw_end_obj(&w);
        later_text(rot->later, buf_str(&b));
        buf_fini(&b);
    }
    free(rot->later);
    free(rot);
}

static void rotate(struct request *r, enum ca_kind kind, bool revoke)
{
    struct rotation *rot = calloc(1, sizeof *rot);
    if (!rot)
        abort();
    str by = str_take(who_is(r), sizeof rot->by - 1);
    *rot = (struct rotation){.later = later_new(r, NULL), .kind = kind, .revoke = revoke};
    memcpy(rot->by, by.p, by.n);
    log_warn(revoke ? "the issuer's keys are revoked" : "a new key of the issuer is made",
             LOG_STR("kind", str_z(KEY_KINDS[kind])), LOG_STR("by", by));
    r->ad->out.rotate(r->ad->out.ctx, (uint8_t)kind, revoke, on_rotated, rot);
}

void on_identity_rotate(struct request *r)
{
    struct err err;
    enum ca_kind kind;
    str name;
    if (!param_str(r, S("kind"), &name, &err) ||
        (!is_key_kind(name, &kind) &&
         !err_input(&err, "\"kind\" is root, signer, jwt, wit, task or txn")))
        answer_error(r, &err);
    else
        rotate(r, kind, false);
}

/* ---- identities ---- */

static void on_stored(void *arg, const struct store_result *res)
{
    struct later *l = arg;
    if (res->outcome == STORE_COMMITTED)
        later_text(l, S("{\"ok\":true}"));
    else
        later_error(l, "system", S("it holds until a restart, but was not stored"));
    free(l);
}

static bool entry_of(struct request *r, str kind, struct revoked_entry *out, struct err *err)
{
    str name, life = json_get_str(r->params, S("for"));
    int64_t life_ms = 0;
    *out = (struct revoked_entry){.kind = revoked_kind_parse(kind),
                                  .at_ms = r->now_ms,
                                  .by = who_is(r),
                                  .reason = json_get_str(r->params, S("reason"))};
    if (!out->kind)
        return err_input(err, "\"kind\" is id, certificate, serial or key, or one of the issuer's "
                              "own keys: root, signer, jwt, wit, task, txn");
    if (life.n && (!clock_parse_duration(life, &life_ms) || life_ms <= 0))
        return err_input(err, "\"for\" is a duration such as \"24h\"");
    out->until_ms = life_ms ? r->now_ms + life_ms : 0;
    if (!param_str(r, S("name"), &name, err) ||
        !revoked_name(r->a, out->kind, name, &out->name, err))
        return false;
    return out->reason.n <= REVOKED_REASON_BYTES_MAX ||
           err_input(err, "a reason has at most %d bytes", REVOKED_REASON_BYTES_MAX);
}

void on_identity_revoke(struct request *r)
{
    struct err err;
    struct revoked_entry e;
    enum ca_kind key;
    str kind;
    if (!param_str(r, S("kind"), &kind, &err)) {
        answer_error(r, &err);
        return;
    }
    if (is_key_kind(kind, &key)) {
        rotate(r, key, true);
        return;
    }
    struct later *l = later_new(r, NULL);
    if (!entry_of(r, kind, &e, &err) || !gate_revoke_identity(r->g, &e, on_stored, l, &err)) {
        answer_error(r, &err);
        free(l);
        return;
    }
    log_warn("an identity is revoked", LOG_STR("kind", kind), LOG_STR("name", e.name),
             LOG_STR("by", e.by));
    r->ad->out.identities_revoked(r->ad->out.ctx);
}

void on_identity_lift(struct request *r)
{
    struct err err;
    struct revoked_entry e;
    str kind;
    struct later *l = later_new(r, NULL);
    if (!param_str(r, S("kind"), &kind, &err) || !entry_of(r, kind, &e, &err) ||
        !gate_lift_identity(r->g, e.kind, e.name, e.by, on_stored, l, &err)) {
        answer_error(r, &err);
        free(l);
    }
}
