/* Identities that a person has revoked (identity/revoked.h): memory first, so that the next request
 * is refused; then the store and the record; then what is under way is cut. */
#include "call/close.h"
#include "base/clock.h"
#include "identity/revoked.h"
#include "store/read.h"

static str agent_id(struct arena *a, const struct gate *g, str agent, str instance)
{
    str id = str_fmt(a, "spiffe://%.*s/agent/%.*s", STR(g->conf->trust_domain), STR(agent));
    return instance.n ? str_fmt(a, "%.*s/%.*s", STR(id), STR(instance)) : id;
}

bool gate_check_revoked(const struct gate *g, const struct task *t, str instance, str cert,
                        int64_t now_ms, struct err *err)
{
    char hex[HASH_HEX_SIZE];
    struct hash h;
    if (revoked_is_empty(&g->revoked))
        return true;
    ARENA_SCOPE struct arena a = {0};
    if (cert.n == HASH_LEN) {
        memcpy(h.b, cert.p, HASH_LEN);
        if (!revoked_check(&g->revoked, REVOKED_CERTIFICATE, hash_hex(&h, hex), now_ms, err))
            return false;
    }
    for (; t; t = t->parent, instance = (str){0})
        if (!revoked_check_id(&g->revoked, agent_id(&a, g, t->agent, instance), now_ms, err))
            return false;
    return true;
}

static void cut_revoked(struct gate *g, str by, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    for (size_t i = 0; i < g->conf->agents_n; i++) {
        str name = g->conf->agents[i].name;
        if (!revoked_check_id(&g->revoked, agent_id(&a, g, name, (str){0}), now_ms, &err))
            gate_cut_agent(g, name, S("its identity was revoked"), by);
    }
}

static void add_record(struct gate *g, struct store_txn *txn, const struct revoked_entry *e,
                       str state, str by, int64_t now_ms)
{
    struct record_identity_change r = {.time_ms = now_ms,
                                       .kind = revoked_kind_name(e->kind),
                                       .name = e->name,
                                       .state = state,
                                       .by = by};
    store_leaf(txn, record_identity_change(&g->scratch, &r), (str){0}, (str){0});
}

bool gate_revoke_identity(struct gate *g, const struct revoked_entry *e, store_done_fn *done,
                          void *arg, struct err *err)
{
    struct store_txn *txn;
    revoked_sweep(&g->revoked, e->at_ms);
    if (!revoked_put(&g->revoked, e, err))
        return false;
    txn = store_txn_new(g->store);
    store_revoked_sweep(txn, e->at_ms);
    store_revoked_put(txn, &(struct store_revoked){revoked_kind_name(e->kind), e->name, e->at_ms,
                                                   e->until_ms, e->by, e->reason});
    add_record(g, txn, e, S("revoked"), e->by, e->at_ms);
    gate_submit(g, txn, done, arg);
    if (e->kind == REVOKED_ID) {
        cut_revoked(g, e->by, e->at_ms);
        gate_tokens_cut_revoked(g, e->by, e->at_ms);
    }
    return true;
}

bool gate_lift_identity(struct gate *g, enum revoked_kind kind, str name, str by,
                        store_done_fn *done, void *arg, struct err *err)
{
    struct revoked_entry e = {.kind = kind, .name = name};
    if (!revoked_lift(&g->revoked, kind, name))
        return err_notfound(err, "%.*s %.*s is not revoked; `ambit identity show` lists what is",
                            STR(revoked_kind_name(kind)), STR(str_take(name, 100)));
    struct store_txn *txn = store_txn_new(g->store);
    store_revoked_delete(txn, revoked_kind_name(kind), name);
    add_record(g, txn, &e, S("lifted"), by, clock_wall_ms());
    gate_submit(g, txn, done, arg);
    return true;
}

/* ---- start ---- */

struct restoring_revoked {
    struct gate *g;
    struct err *err;
    bool ok;
};

static bool each_revoked(void *arg, const struct store_revoked *row)
{
    struct restoring_revoked *r = arg;
    struct revoked_entry e = {.kind = revoked_kind_parse(row->kind),
                              .name = row->name,
                              .at_ms = row->at_ms,
                              .until_ms = row->until_ms,
                              .by = row->by,
                              .reason = row->reason};
    if (!row->until_ms || row->until_ms > clock_wall_ms())
        r->ok = revoked_put(&r->g->revoked, &e, r->err);
    return r->ok;
}

bool gate_restore_revoked(struct gate *g, struct err *err)
{
    struct restoring_revoked r = {g, err, true};
    if (!store_read_revoked(store_view(g->store), each_revoked, &r, err) || !r.ok)
        return err_in(err, "revoked identities");
    if (g->trust)
        trust_set_revoked(g->trust, &g->revoked);
    return true;
}
