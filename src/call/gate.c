/* What the files of the gate share: chains and policies for records, vouchers, and the closing of a
 * task. */
#include "call/gate.h"
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
    (void)g;
    str *parents = ARENA_ARRAY(a, str, t->depth + 1);
    size_t n = 0;
    for (const struct task *p = t->parent; p; p = p->parent)
        parents[n++] = id_str(&p->id);
    return (struct record_chain){.task = id_str(&t->id),
                                 .parents = parents,
                                 .parents_n = n,
                                 .owner = t->owner,
                                 .agent = t->agent,
                                 .instance = instance};
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

static bool has_secret(const struct conf_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (values[i].secret.n)
            return true;
    return false;
}

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
    bool needs = stdio ? has_secret(b->env, b->env_n) : has_secret(b->headers, b->headers_n);
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
    if (!has_secret(b->headers, b->headers_n) && !has_secret(b->env, b->env_n))
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
    struct record_commitment digest;
    task_grants_write(t, &grants);
    record_digest(buf_str(&grants), &digest);
    if (t->parent)
        store_task_child(txn, id_str(&t->parent->id), t->opened_ms, TASK_CHILDREN_MAX);
    struct store_task row = {.id = id_str(&t->id),
                             .parent = t->parent ? id_str(&t->parent->id) : (str){0},
                             .owner = t->owner,
                             .agent = t->agent,
                             .purpose = t->purpose,
                             .grants = buf_str(&grants),
                             .opened_ms = t->opened_ms,
                             .deadline_ms = t->deadline_ms,
                             .calls_left = t->calls_left};
    store_task_insert(txn, &row);
    struct record_task_open r = {.time_ms = t->opened_ms,
                                 .chain = gate_chain(g, &a, t, (str){0}),
                                 .grants = record_commitment_str(&digest),
                                 .deadline_ms = t->deadline_ms,
                                 .calls = t->calls_left,
                                 .opened_by = opened_by};
    store_leaf(txn, record_task_open(&g->scratch, &r), (str){0}, id_str(&t->id));
    buf_fini(&grants);
}

struct task **gate_descendants(struct gate *g, struct arena *a, struct task *t, size_t *n)
{
    struct task **list = ARENA_ARRAY(a, struct task *, map_count(&g->tasks.by_id) + 1);
    str id;
    void *v;
    *n = 0;
    list[(*n)++] = t;
    for (size_t i = 0; map_next(&g->tasks.by_id, &i, &id, &v);)
        if (v != t && task_is_within(v, t))
            list[(*n)++] = v;
    return list;
}

static void end_one(struct gate *g, struct store_txn *txn, struct task *t, enum task_state state,
                    str reason, str by, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    t->state = state;
    t->closed_ms = now_ms;
    t->reason = str_dup(&t->arena, reason);
    store_task_close(txn, id_str(&t->id), task_state_name(state), now_ms, reason);
    store_hold_cancel_task(txn, id_str(&t->id), now_ms);
    struct record_task_close r = {.time_ms = now_ms,
                                  .chain = gate_chain(g, &a, t, (str){0}),
                                  .state = task_state_name(state),
                                  .reason = reason,
                                  .closed_by = by,
                                  .calls_left = t->calls_left > 0 ? t->calls_left : 0};
    store_leaf(txn, record_task_close(&g->scratch, &r), (str){0}, id_str(&t->id));
}

static void cancel_holds(struct gate *g, const struct task *t, int64_t now_ms)
{
    for (struct list *it = g->holds.all.next; it != &g->holds.all; it = it->next) {
        struct hold *h = LIST_ENTRY(it, struct hold, node);
        bool live = h->state == HOLD_PENDING || h->state == HOLD_APPROVED;
        if (live && str_eq(id_str(&h->task), id_str(&t->id))) {
            h->state = HOLD_CANCELLED;
            h->decided_ms = now_ms;
        }
    }
}

void gate_close_task(struct gate *g, struct task *t, enum task_state state, str reason, str by,
                     store_done_fn *done, void *arg)
{
    ARENA_SCOPE struct arena a = {0};
    int64_t now_ms = clock_wall_ms();
    size_t n;
    struct task **all = gate_descendants(g, &a, t, &n);
    for (size_t i = 0; i < n; i++) {
        if (all[i]->state != TASK_ACTIVE)
            continue;
        /* One transaction a task: a fan-out of any size stays within its limits, in order. */
        struct store_txn *txn = store_txn_new(g->store);
        bool first = i == 0;
        end_one(g, txn, all[i], first ? state : TASK_CASCADED, first ? reason : S("parent ended"),
                by, now_ms);
        gate_submit(g, txn, first ? done : NULL, first ? arg : NULL);
        cancel_holds(g, all[i], now_ms);
        g->out.to_all_edges(g->out.ctx, MSG_CUT, &(struct msg_cut){id_str(&all[i]->id)});
        g->out.stop_children(g->out.ctx, id_str(&all[i]->id));
    }
}
