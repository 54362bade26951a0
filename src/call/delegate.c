/* The gateway's own operation ambit/delegate: a task gives part of itself to another agent. The
 * child is opened inside the parent and redeemed by its agent with its own identity; nothing usable
 * passes through the parent. */
#include "call/gate_int.h"
#include "base/clock.h"

#include <stdlib.h>

static const char DEFINITION[] =
    "{\"name\":\"delegate\",\"title\":\"Delegate to another agent\",\"description\":\"Opens a "
    "child task "
    "for another agent with part of this task's operations. The child can do less than this task "
    "and "
    "never more, and ends with it at the "
    "latest.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"agent\":{\"type\":\"string\",\"description\":\"name of the agent\"},"
    "\"purpose\":{\"type\":\"string\",\"description\":\"what the child task is for\"},"
    "\"operations\":{\"type\":\"array\",\"minItems\":1,"
    "\"description\":\"operations as binding/tool, or {operation, args} with bounds, all of them "
    "this task's "
    "own\"},"
    "\"ceiling\":{\"type\":\"object\"},\"budgets\":{\"type\":\"object\"},"
    "\"delegation\":{\"type\":\"object\"},"
    "\"calls\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"calls the child may make\"},"
    "\"seconds\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"how long it lives\"}},"
    "\"required\":[\"agent\",\"purpose\",\"operations\"],\"additionalProperties\":false}}";

str gate_delegate_definition(void)
{
    return str_z(DEFINITION);
}

bool gate_delegate(struct gate *g, struct task *parent, const json *args, int64_t now_ms,
                   struct task **out, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    int64_t seconds = 0;
    struct task_wish wish = {.owner = parent->owner,
                             .opened_by = str_fmt(&a, "agent/%.*s", STR(parent->agent)),
                             .agent = json_get_str(args, S("agent")),
                             .purpose = json_get_str(args, S("purpose")),
                             .parent = parent,
                             .state = TASK_GRANTED,
                             .until_ms = now_ms + g->conf->redeem_wait_ms};
    if ((json_get(args, S("seconds")) && !json_i64(json_get(args, S("seconds")), &seconds)) ||
        seconds < 0 || seconds > 7 * 24 * 3600)
        return err_input(err, "seconds is a whole number, at most 7 days");
    wish.life_ms = seconds * 1000;
    return task_wish_read(&a, args, &wish, err) && agents_may(&g->agents, wish.agent, err) &&
           task_new(g->conf, &wish, now_ms, out, err);
}

static void write_result(struct buf *out, str text, const struct task *child, bool is_error)
{
    struct jw w = jw(out);
    char until[CLOCK_TEXT_SIZE];
    jw_obj(&w);
    jw_key(&w, S("content"));
    jw_arr(&w);
    jw_obj(&w);
    jw_kstr(&w, S("type"), S("text"));
    jw_kstr(&w, S("text"), text);
    jw_end_obj(&w);
    jw_end_arr(&w);
    if (child) {
        jw_key(&w, S("structuredContent"));
        jw_obj(&w);
        jw_kstr(&w, S("task"), id_str(&child->id));
        jw_kstr(&w, S("agent"), child->agent);
        jw_ki64(&w, S("calls"), child->calls_left);
        jw_kstr(&w, S("deadline"), clock_text(child->deadline_ms, until));
        jw_end_obj(&w);
    }
    jw_kbool(&w, S("isError"), is_error);
    jw_end_obj(&w);
}

static void answer(struct gate *g, struct live_call *c, str text, const struct task *child)
{
    struct buf result = {0};
    write_result(&result, text, child, child == NULL);
    struct msg_result m = {.call = id_str(&c->id), .result = buf_str(&result)};
    g->out.to_edge(g->out.ctx, c->edge, MSG_RESULT, c->request, &m);
    buf_fini(&result);
    live_settle(g, c, child ? OUTCOME_OK : OUTCOME_REFUSED, child ? "" : "delegation_refused");
}

struct delegating {
    struct gate *g;
    struct live_call *call;
    struct task *child;
};

/* Not one whose parent is only suspended. */
static bool is_orphan(const struct task *t)
{
    for (const struct task *p = t->parent; p; p = p->parent)
        if (!task_state_is_open(p->state))
            return true;
    return false;
}

static void on_child_stored(void *arg, const struct store_result *r)
{
    struct delegating *d = arg;
    ARENA_SCOPE struct arena a = {0};
    d->call->task->uses--;
    if (r->outcome == STORE_COMMITTED)
        tasks_add(&d->g->tasks, d->child);
    if (r->outcome == STORE_COMMITTED && is_orphan(d->child)) {
        /* Its parent was closed while it was being opened, and did not know of it. */
        gate_close_task(d->g, d->child, TASK_CASCADED, S("parent ended"), S("gateway"), NULL, NULL);
        answer(d->g, d->call, S("The child task is closed already: its parent has ended."), NULL);
    } else if (r->outcome == STORE_COMMITTED) {
        answer(d->g, d->call,
               str_fmt(&a,
                       "Child task %s is granted to agent %.*s, which takes it up with its own "
                       "identity: ambit connect --task %s",
                       d->child->id.s, STR(d->child->agent), d->child->id.s),
               d->child);
    } else {
        task_free(d->child);
        answer(d->g, d->call, S("The child task could not be opened: its parent has ended."), NULL);
    }
    free(d);
}

static void add_delegation(struct gate *g, struct store_txn *txn, const struct task *parent,
                           const struct task *child, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf grants = {0};
    struct record_commitment digest;
    task_grants_write(child, &grants);
    record_digest(buf_str(&grants), &digest);
    struct record_delegation r = {.time_ms = now_ms,
                                  .chain = gate_chain(g, &a, parent, (str){0}),
                                  .child = id_str(&child->id),
                                  .child_agent = child->agent,
                                  .grants = record_commitment_str(&digest),
                                  .deadline_ms = child->deadline_ms,
                                  .calls = child->calls_left};
    store_leaf(txn, record_delegation(&g->scratch, &r), (str){0}, id_str(&parent->id));
    buf_fini(&grants);
}

static void run_delegate(struct gate *g, struct live_call *c, const json *args)
{
    struct task *child;
    struct err err;
    int64_t now_ms = clock_wall_ms();
    if (!gate_delegate(g, c->task, args, now_ms, &child, &err)) {
        ARENA_SCOPE struct arena a = {0};
        answer(g, c, str_fmt(&a, "Refused: %s. No task was opened.", err.text), NULL);
        return;
    }
    struct delegating *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    *d = (struct delegating){g, c, child};
    c->task->uses++;
    struct store_txn *txn = store_txn_new(g->store);
    gate_add_task_open(g, txn, child, c->task->agent);
    add_delegation(g, txn, c->task, child, now_ms);
    gate_submit(g, txn, on_child_stored, d);
}

void gate_run_internal(struct gate *g, struct live_call *c, str args)
{
    ARENA_SCOPE struct arena a = {0};
    const json *v = NULL;
    struct err err;
    c->released = true;
    c->give_up_ms = INT64_MAX;
    if (str_eq(c->tool, S("delegate")) && json_read(&a, args, NULL, &v, &err))
        run_delegate(g, c, v);
    else
        answer(g, c, S("This operation is not known to the gateway."), NULL);
}
