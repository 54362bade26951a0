/* What the files of the gate share: chains and policies for records, vouchers, and the opening of a
 * task. */
#include "call/gate.h"
#include "call/lease.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/voucher.h"
#include "store/read.h"

void gate_submit(struct gate *g, struct store_txn *t, store_done_fn *done, void *arg)
{
    struct err err;
    if (!store_submit(g->store, t, done, arg, &err)) {
        /* Only a transaction over its limits gets here; every limit on what goes in is lower. */
        log_error("a record could not be queued", LOG_ERR(&err));
        if (done)
            done(arg, &(struct store_result){.outcome = STORE_FAILED, .err = &err});
    }
}

struct record_chain gate_chain(struct gate *g, struct arena *a, const struct task *t, str instance)
{
    str *parents = ARENA_ARRAY(a, str, t->depth + 1);
    str *delegators = ARENA_ARRAY(a, str, t->depth + 1);
    size_t n = 0;
    for (const struct task *p = t->parent; p; p = p->parent) {
        delegators[n] = p->agent;
        parents[n++] = id_str(&p->id);
    }
    return (struct record_chain){.task = id_str(&t->id),
                                 .parents = parents,
                                 .parents_n = n,
                                 .owner = t->owner,
                                 .agent = t->agent,
                                 .instance = instance,
                                 .delegators = delegators,
                                 .gateway = g->conf->gateway};
}

struct record_policy gate_policy(struct gate *g, const struct verdict *v)
{
    return (struct record_policy){.version = g->policy_version,
                                  .digest = policy_digest(g->policy),
                                  .ids = v->policies,
                                  .ids_n = v->policies_n};
}

str gate_hold_digest(struct gate *g, struct arena *a, const struct hold *h)
{
    struct store_payload payload;
    struct record_commitment seen;
    struct err err;
    if (!store_read_payload(store_view(g->store), a, id_str(&h->call), &payload, &err))
        return (str){0};
    record_commit_with(payload.salt, hash_str(&h->digest), &seen);
    return str_dup(a, record_commitment_str(&seen));
}

/* ---- vouchers ---- */

void gate_vouchers(struct gate *g, const struct conf_binding *b, const struct id *call, str task,
                   str tool, str args, int64_t now_ms, struct vouchers *out)
{
    struct err err;
    bool stdio = b->kind == BINDING_STDIO;
    struct voucher v = {.call = id_str(call),
                        .binding = b->name,
                        .secret = S("*"), /* all that the binding names */
                        .request = call_digest(task, b->name, tool, args),
                        .expires_ms = now_ms + (stdio ? VOUCHER_LIFE_MS : VOUCHER_EDGE_LIFE_MS)};
    *out = (struct vouchers){0};
    v.kind = stdio ? VOUCHER_SECRET_RUNNER : VOUCHER_SECRET_EDGE;
    bool needs = binding_needs_secret(b);
    if (needs && voucher_mint(g->keeper_key, &v, out->keeper, &err))
        out->keeper_n = VOUCHER_LEN;
    v.kind = VOUCHER_STDIO_CALL;
    v.secret = (str){0};
    if (stdio && tool.n && voucher_mint(g->runner_key, &v, out->runner, &err))
        out->runner_n = VOUCHER_LEN;
}

static bool uses(const struct task *t, str binding)
{
    for (size_t i = 0; i < t->operations_n; i++) {
        str name, tool;
        if (str_cut(t->operations[i], '/', &name, &tool) && str_eq(name, binding))
            return true;
    }
    return false;
}

bool gate_may_discover(const struct gate *g, const struct conf_binding *b, int64_t now_ms)
{
    str id;
    void *v;
    struct err err;
    if (!binding_needs_secret(b))
        return true;
    for (size_t i = 0; map_next(&g->tasks.by_id, &i, &id, &v);)
        if (uses(v, b->name) && task_is_live(v, now_ms, &err))
            return true;
    return false;
}

/* ---- tasks ---- */

void gate_add_task_open(struct gate *g, struct store_txn *txn, const struct task *t, str opened_by)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf grants = {0};
    struct record_commitment digest, purpose;
    uint8_t salt[RECORD_SALT_BYTES];
    task_grants_write(t, &grants);
    record_digest(buf_str(&grants), &digest);
    if (t->parent)
        store_task_child(txn, id_str(&t->parent->id), t->opened_ms, t->parent->children_max);
    struct store_task row = {.id = id_str(&t->id),
                             .parent = t->parent ? id_str(&t->parent->id) : (str){0},
                             .owner = t->owner,
                             .agent = t->agent,
                             .purpose = t->purpose,
                             .opened_by = t->opened_by,
                             .grants = buf_str(&grants),
                             .state = task_state_name(t->state),
                             .opened_ms = t->opened_ms,
                             .deadline_ms = t->deadline_ms,
                             .until_ms = t->until_ms,
                             .calls_left = t->calls_left,
                             .left = {.bytes = t->left.bytes,
                                      .rows = t->left.rows,
                                      .tokens = t->left.tokens,
                                      .money = t->left.money}};
    store_task_insert(txn, &row);
    record_commit(t->purpose, salt, &purpose);
    store_payload_insert(txn, STORE_MUST,
                         &(struct store_payload){
                             id_str(&t->id), str_of((const char *)salt, sizeof salt), t->purpose});
    struct record_task_open r = {.time_ms = t->opened_ms,
                                 .chain = gate_chain(g, &a, t, (str){0}),
                                 .grants = record_commitment_str(&digest),
                                 .deadline_ms = t->deadline_ms,
                                 .calls = t->calls_left,
                                 .opened_by = opened_by,
                                 .state =
                                     t->state == TASK_ACTIVE ? (str){0} : task_state_name(t->state),
                                 .purpose = record_commitment_str(&purpose)};
    store_leaf(txn, record_task_open(&g->scratch, &r), (str){0}, id_str(&t->id));
    buf_fini(&grants);
}
