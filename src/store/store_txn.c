/* Building transactions: bytes are copied into one buffer, and everything else refers to it by
 * offset, because the buffer moves as it grows. */
#include "store/store_private.h"

#include <stdlib.h>

enum { TXN_KEPT_BYTES_MAX = 16 << 10 };

struct store_txn *txn_alloc(void)
{
    struct store_txn *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->bytes.max = STORE_TXN_BYTES_MAX;
    return t;
}

void txn_reset(struct store_txn *t)
{
    t->next = NULL;
    t->done = NULL;
    t->arg = NULL;
    t->over = t->has_guard_leaf = false;
    t->steps_n = t->params_n = t->leaves_n = 0;
    t->result = (struct store_result){0};
    if (t->bytes.cap > TXN_KEPT_BYTES_MAX)
        buf_fini(&t->bytes);
    else
        buf_clear(&t->bytes);
}

void txn_free(struct store_txn *t)
{
    buf_fini(&t->bytes);
    free(t);
}

/* Where the copy begins. */
static uint32_t copy(struct store_txn *t, str s)
{
    uint32_t at = (uint32_t)buf_len(&t->bytes);
    buf_put(&t->bytes, s);
    t->over = t->over || t->bytes.over;
    return at;
}

void store_step_params(struct store_txn *t, enum store_when when, unsigned stmt,
                       const struct store_param *params, size_t n)
{
    if (stmt == STORE_STMT_NONE || stmt >= STORE_LEAF_INSERT || n > STORE_STEP_PARAMS_MAX)
        abort(); /* only a bug in the caller's code can do that */
    if (t->steps_n == STORE_STEPS_MAX || t->params_n + n > STORE_PARAMS_MAX)
        t->over = true;
    if (t->over)
        return;
    t->steps[t->steps_n++] = (struct txn_step){
        .when = (uint8_t)when, .stmt = (uint8_t)stmt, .first = t->params_n, .n = (uint8_t)n};
    for (size_t i = 0; i < n; i++) {
        struct txn_param *p = &t->params[t->params_n++];
        p->kind = (uint8_t)params[i].kind;
        p->len = (uint32_t)params[i].bytes.n;
        p->value = params[i].number;
        if (p->kind == STORE_PARAM_STR || p->kind == STORE_PARAM_BLOB)
            p->value = copy(t, params[i].bytes);
    }
}

static struct txn_leaf leaf_of(struct store_txn *t, str body, str call, str task)
{
    if (body.n == 0 || body.n > STORE_LEAF_BYTES_MAX)
        t->over = true;
    struct txn_leaf l = {
        .body_n = (uint32_t)body.n, .call_n = (uint32_t)call.n, .task_n = (uint32_t)task.n};
    if (t->over)
        return l;
    l.body = copy(t, body);
    l.call = copy(t, call);
    l.task = copy(t, task);
    return l;
}

void store_leaf(struct store_txn *t, str body, str call, str task)
{
    if (t->leaves_n == STORE_LEAVES_MAX) {
        t->over = true;
        return;
    }
    t->leaves[t->leaves_n++] = leaf_of(t, body, call, task);
}

void store_leaf_on_guard(struct store_txn *t, str body, str call, str task)
{
    t->guard_leaf = leaf_of(t, body, call, task);
    t->has_guard_leaf = true;
}

/* ---- the typed steps ---- */

/* A row that says nothing of a budget has none. */
static int64_t bound(int64_t left)
{
    return left ? left : STORE_UNBOUNDED;
}

void store_task_insert(struct store_txn *t, const struct store_task *r)
{
    store_step(t, STORE_MUST, STORE_TASK_INSERT, STORE_STR(r->id), STORE_STR_OR_NULL(r->parent),
               STORE_STR(r->owner), STORE_STR(r->agent), STORE_STR(r->purpose),
               STORE_STR(r->grants), STORE_I64(r->opened_ms), STORE_STR(r->opened_by));
    store_step(t, STORE_MUST, STORE_TASK_STATE_INSERT, STORE_STR(r->id), STORE_I64(r->deadline_ms),
               STORE_I64(r->calls_left), STORE_I64(r->children),
               STORE_STR(r->state.n ? r->state : S("active")), STORE_I64(r->until_ms),
               STORE_I64(bound(r->left.bytes)), STORE_I64(bound(r->left.rows)),
               STORE_I64(bound(r->left.tokens)), STORE_I64(bound(r->left.money)));
}

void store_task_close(struct store_txn *t, str id, str state, int64_t closed_ms, str reason)
{
    store_step(t, STORE_MUST, STORE_TASK_CLOSE, STORE_STR(id), STORE_STR(state),
               STORE_I64(closed_ms), STORE_STR_OR_NULL(reason));
}

void store_task_debit(struct store_txn *t, str id, int64_t money, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_TASK_DEBIT, STORE_STR(id), STORE_I64(now_ms), STORE_I64(money));
}

void store_task_answer(struct store_txn *t, str id, int64_t bytes, int64_t rows, int64_t tokens)
{
    store_step(t, STORE_PLAIN, STORE_TASK_ANSWER, STORE_STR(id), STORE_I64(bytes), STORE_I64(rows),
               STORE_I64(tokens));
}

void store_task_suspend(struct store_txn *t, str id, str reason)
{
    store_step(t, STORE_MUST, STORE_TASK_SUSPEND, STORE_STR(id), STORE_STR_OR_NULL(reason));
}

void store_task_resume(struct store_txn *t, str id)
{
    store_step(t, STORE_MUST, STORE_TASK_RESUME, STORE_STR(id));
}

void store_task_begin(struct store_txn *t, str id, str state, int64_t deadline_ms, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_TASK_BEGIN, STORE_STR(id), STORE_STR(state),
               STORE_I64(deadline_ms), STORE_I64(now_ms));
}

void store_agent_put(struct store_txn *t, const struct store_agent *r)
{
    store_step(t, STORE_MUST, STORE_AGENT_PUT, STORE_STR(r->name), STORE_STR(r->state),
               STORE_STR(r->by), STORE_STR_OR_NULL(r->reason), STORE_I64(r->at_ms));
}

void store_task_child(struct store_txn *t, str parent, int64_t now_ms, int64_t children_max)
{
    store_step(t, STORE_MUST, STORE_TASK_CHILD, STORE_STR(parent), STORE_I64(now_ms),
               STORE_I64(children_max));
}

void store_hold_insert(struct store_txn *t, const struct store_hold *r)
{
    store_step(t, STORE_MUST, STORE_HOLD_INSERT, STORE_STR(r->id), STORE_STR(r->task),
               STORE_STR(r->call), STORE_STR(r->binding), STORE_STR(r->tool), STORE_STR(r->digest),
               STORE_STR(r->args), STORE_STR(r->effect), STORE_I64(r->created_ms),
               STORE_I64(r->expires_ms), STORE_STR(r->policies));
}

void store_hold_decide(struct store_txn *t, str id, str state, str approver, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_HOLD_DECIDE, STORE_STR(id), STORE_STR(state),
               STORE_STR(approver), STORE_I64(now_ms));
}

void store_hold_count(struct store_txn *t, str id, str approvers, str before, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_HOLD_COUNT, STORE_STR(id), STORE_STR(approvers),
               STORE_STR(before), STORE_I64(now_ms));
}

void store_hold_consume(struct store_txn *t, str id, str task, str digest, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_HOLD_CONSUME, STORE_STR(id), STORE_STR(task), STORE_STR(digest),
               STORE_I64(now_ms));
}

void store_hold_expire(struct store_txn *t, str id, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_HOLD_EXPIRE, STORE_STR(id), STORE_I64(now_ms));
}

void store_hold_cancel(struct store_txn *t, str id, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_HOLD_CANCEL, STORE_STR(id), STORE_I64(now_ms));
}

void store_hold_cancel_task(struct store_txn *t, str task, int64_t now_ms)
{
    store_step(t, STORE_PLAIN, STORE_HOLD_CANCEL_TASK, STORE_STR(task), STORE_I64(now_ms));
}

void store_pin_put(struct store_txn *t, const struct store_pin *r)
{
    store_step(t, STORE_MUST, STORE_PIN_PUT, STORE_STR(r->binding), STORE_STR(r->tool),
               STORE_STR(r->digest), STORE_STR(r->definition), STORE_STR(r->state),
               STORE_I64(r->seen_ms));
}

void store_pin_delete(struct store_txn *t, str binding, str tool)
{
    store_step(t, STORE_MUST, STORE_PIN_DELETE, STORE_STR(binding), STORE_STR(tool));
}

void store_operator_insert(struct store_txn *t, const struct store_operator *r)
{
    store_step(t, STORE_MUST, STORE_OPERATOR_INSERT, STORE_STR(r->name), STORE_STR(r->public_key),
               STORE_I64(r->added_ms), STORE_STR(r->added_by));
}

void store_operator_delete(struct store_txn *t, str name)
{
    store_step(t, STORE_MUST, STORE_OPERATOR_DELETE, STORE_STR(name));
}

void store_open_call_insert(struct store_txn *t, const struct store_open_call *r)
{
    store_step(t, STORE_MUST, STORE_OPEN_CALL_INSERT, STORE_STR(r->id), STORE_STR(r->task),
               STORE_I64(r->high));
}

void store_open_call_delete(struct store_txn *t, str id)
{
    store_step(t, STORE_MUST, STORE_OPEN_CALL_DELETE, STORE_STR(id));
}

void store_payload_insert(struct store_txn *t, enum store_when when, const struct store_payload *r)
{
    store_step(t, when, STORE_PAYLOAD_INSERT, STORE_STR(r->call), STORE_BLOB(r->salt),
               STORE_STR(r->args));
}

void store_payload_delete(struct store_txn *t, str call)
{
    store_step(t, STORE_MUST, STORE_PAYLOAD_DELETE, STORE_STR(call));
}

void store_checkpoint_insert(struct store_txn *t, const struct store_checkpoint *r)
{
    store_step(t, STORE_MUST, STORE_CHECKPOINT_INSERT, STORE_I64(r->size), STORE_BLOB(r->root),
               STORE_BLOB(r->note), STORE_I64(r->at_ms));
}

void store_meta_put(struct store_txn *t, str name, str value)
{
    if (str_starts(name, S("store.")))
        abort();
    store_step(t, STORE_MUST, STORE_META_PUT, STORE_STR(name), STORE_STR(value));
}
