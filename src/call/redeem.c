/* What an agent does with its identity alone: redeem a task that was delegated to it, ask for one.
 */
#include "call/request.h"
#include "base/clock.h"
#include "base/limits.h"

#include <stdlib.h>

/* ---- redeeming ---- */

static void add_change(struct gate *g, struct store_txn *txn, const struct task *t,
                       const struct asker *who, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    struct record_task_change r = {.time_ms = now_ms,
                                   .chain = gate_chain(g, &a, t, who->instance),
                                   .state = S("active"),
                                   .by = who->by.n ? who->by
                                                   : str_fmt(&a, "agent/%.*s", STR(who->agent))};
    store_leaf(txn, record_task_change(&g->scratch, &r), (str){0}, id_str(&t->id));
}

/* Whoever tried, in whose task's history. */
static void record_refused(struct gate *g, const struct task *t, const struct asker *who,
                           int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    struct id call = id_new('c');
    struct record_chain chain = gate_chain(g, &a, t, who->instance);
    chain.agent = who->agent;
    struct record_refusal r = {.time_ms = now_ms,
                               .call = id_str(&call),
                               .chain = chain,
                               .op = {S("ambit"), S("redeem_task"), S("execute")},
                               .reason = S("redeem")};
    struct store_txn *txn = store_txn_new(g->store);
    store_leaf(txn, record_refusal(&g->scratch, &r), id_str(&call), id_str(&t->id));
    gate_submit(g, txn, NULL, NULL);
    g->counts.denied++;
}

static bool may_redeem(const struct gate *g, const struct task *t, const struct asker *who,
                       int64_t now_ms, struct err *err)
{
    if (!str_eq(t->agent, who->agent))
        return err_denied(err, "agent %.*s has no task %s to redeem", STR(who->agent), t->id.s);
    if (t->state != TASK_GRANTED && task_state_is_open(t->state))
        return err_denied(err, "task %s was redeemed before: a grant is used once", t->id.s);
    if (t->state != TASK_GRANTED)
        return task_is_live(t, now_ms, err);
    if (now_ms >= t->until_ms)
        return err_denied(err, "task %s was not redeemed in time; ask for a new one", t->id.s);
    return agents_may_all(&g->agents, t, err) &&
           (!t->parent || task_is_live(t->parent, now_ms, err));
}

bool gate_redeem(struct gate *g, str id, const struct asker *who, struct task **out,
                 struct err *err)
{
    int64_t now_ms = clock_wall_ms();
    struct task *t = tasks_find(&g->tasks, id);
    if (!t)
        return err_denied(err, "agent %.*s has no task %.*s to redeem", STR(who->agent),
                          STR(str_take(id, 40)));
    if (!may_redeem(g, t, who, now_ms, err)) {
        record_refused(g, t, who, now_ms);
        return false;
    }
    struct store_txn *txn = store_txn_new(g->store);
    tasks_begin(&g->tasks, t, t->deadline_ms);
    store_task_begin(txn, id_str(&t->id), S("granted"), t->deadline_ms, now_ms);
    add_change(g, txn, t, who, now_ms);
    /* Order is that of submission: a call that follows is committed after this, or not at all. */
    gate_submit(g, txn, NULL, NULL);
    *out = t;
    return true;
}

/* ---- as operations ---- */

static const char REQUEST[] =
    "{\"name\":\"request_task\",\"title\":\"Ask for a task\",\"description\":\"Asks for a task of "
    "your own: what you want to do and with which operations. It is open at once if policy allows "
    "it, else your owner decides; ask again with the task's id to see how it "
    "stands.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"task\":{\"type\":\"string\",\"description\":\"id of a task that you asked for: how does it "
    "stand? Alone.\"},"
    "\"purpose\":{\"type\":\"string\",\"description\":\"what it is for, in a sentence\"},"
    "\"operations\":{\"type\":\"array\",\"minItems\":1,\"description\":\"operations as "
    "binding/tool, or {operation, args} with bounds\"},"
    "\"ceiling\":{\"type\":\"object\"},\"budgets\":{\"type\":\"object\"},"
    "\"delegation\":{\"type\":\"object\"},"
    "\"calls\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"calls at most\"},"
    "\"seconds\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"how long it lives\"}},"
    "\"additionalProperties\":false}}";

static const char REDEEM[] =
    "{\"name\":\"redeem_task\",\"title\":\"Take up a delegated task\",\"description\":\"Takes up a "
    "task that another agent delegated to you, once, before its time is "
    "over.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"task\":{\"type\":\"string\",\"description\":\"id of the task\"}},"
    "\"required\":[\"task\"],\"additionalProperties\":false}}";

str gate_request_definition(void)
{
    return str_z(REQUEST);
}

str gate_redeem_definition(void)
{
    return str_z(REDEEM);
}

bool gate_is_taskless(const struct catalog_tool *tool)
{
    return tool->conf->kind == BINDING_INTERNAL &&
           (str_eq(tool->tool, S("request_task")) || str_eq(tool->tool, S("redeem_task")));
}

struct replying {
    struct gate *g;
    uint32_t edge;
    uint64_t request;
};

static const char *const KINDS[] = {"refused", "held", "granted"};

static void write_answer(struct jw *w, const struct task_answer *a)
{
    char text[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_key(w, S("content"));
    jw_arr(w);
    jw_obj(w);
    jw_kstr(w, S("type"), S("text"));
    jw_kstr(w, S("text"), a->text);
    jw_end_obj(w);
    jw_end_arr(w);
    jw_key(w, S("structuredContent"));
    jw_obj(w);
    jw_kstr(w, S("state"), str_z(KINDS[a->kind]));
    if (a->task) {
        jw_kstr(w, S("task"), id_str(&a->task->id));
        jw_ki64(w, S("calls"), a->task->calls_left);
        jw_kstr(w, S("deadline"), clock_text(a->task->deadline_ms, text));
    }
    if (a->hold) {
        jw_kstr(w, S("hold"), id_str(&a->hold->id));
        jw_kstr(w, S("expires"), clock_text(a->hold->expires_ms, text));
    }
    jw_key(w, S("policies"));
    jw_raw(w, a->policies.n ? a->policies : S("[]"));
    jw_end_obj(w);
    jw_kbool(w, S("isError"), a->kind == TASK_ANSWER_REFUSED);
    jw_end_obj(w);
}

static void on_answer(void *arg, const struct task_answer *a)
{
    struct replying *r = arg;
    struct buf b = {0};
    struct jw w = jw(&b);
    struct id call = id_new('c');
    write_answer(&w, a);
    struct msg_result m = {.call = id_str(&call), .result = buf_str(&b)};
    r->g->out.to_edge(r->g->out.ctx, r->edge, MSG_RESULT, r->request, &m);
    buf_fini(&b);
    free(r);
}

static void on_wrong(struct replying *r, str text)
{
    on_answer(r, &(struct task_answer){.text = text});
}

static void run_request(struct gate *g, const json *args, const struct asker *who,
                        struct replying *r)
{
    ARENA_SCOPE struct arena a = {0};
    struct task_wish w = {.purpose = json_get_str(args, S("purpose"))};
    int64_t seconds = 0;
    struct err err;
    if (json_get(args, S("task"))) {
        gate_task_poll(g, json_get_str(args, S("task")), who, on_answer, r);
        return;
    }
    if (json_get(args, S("seconds")) &&
        (!json_i64(json_get(args, S("seconds")), &seconds) || seconds > TASK_LIFE_MS_MAX / 1000))
        on_wrong(r, S("Refused: seconds is a whole number, at most 7 days."));
    else if (!task_wish_read(&a, args, &w, &err))
        on_wrong(r, str_fmt(&a, "Refused: %s.", err.text));
    else {
        w.life_ms = seconds * 1000;
        gate_task_request(g, &w, who, on_answer, r);
    }
}

static void run_redeem(struct gate *g, const json *args, const struct asker *who,
                       struct replying *r)
{
    ARENA_SCOPE struct arena a = {0};
    struct task_answer yes = {.kind = TASK_ANSWER_GRANTED};
    struct err err;
    if (!gate_redeem(g, json_get_str(args, S("task")), who, &yes.task, &err)) {
        on_wrong(r, str_fmt(&a, "Refused: %s.", err.text));
        return;
    }
    yes.text = str_fmt(&a, "Task %s is yours.", yes.task->id.s);
    on_answer(r, &yes);
}

void gate_call_taskless(struct gate *g, uint32_t edge, uint64_t request, const struct msg_call *m,
                        const struct catalog_tool *tool)
{
    ARENA_SCOPE struct arena a = {0};
    struct asker who;
    enum refusal_kind kind;
    struct err err;
    const json *args;
    if (!gate_identify_agent(g, edge, &m->proof, clock_wall_ms(), &who, &kind, &err)) {
        struct msg_refused no = {
            .kind = (uint8_t)kind, .text = str_z(err.text), .policies = S("[]")};
        g->out.to_edge(g->out.ctx, edge, MSG_REFUSED, request, &no);
        return;
    }
    struct replying *r = malloc(sizeof *r);
    if (!r)
        abort();
    *r = (struct replying){g, edge, request};
    if (!json_read(&a, m->args, NULL, &args, &err) ||
        !mcp_arguments_check(tool->def.input_schema, args, &err))
        on_wrong(r, str_fmt(&a, "Wrong arguments: %s.", err.text));
    else if (str_eq(tool->tool, S("redeem_task")))
        run_redeem(g, args, &who, r);
    else
        run_request(g, args, &who, r);
}
