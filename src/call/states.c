/* What people and time do to tasks and agents: closing, suspending, resuming. Memory first, so that
 * the next request is refused; then the store; then what is under way is cut. */
#include "call/gate.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

static void cut(struct gate *g, const struct task *t)
{
    g->out.to_all_edges(g->out.ctx, MSG_CUT, &(struct msg_cut){id_str(&t->id)});
    g->out.stop_children(g->out.ctx, id_str(&t->id));
}

/* ---- closing ---- */

static void end_one(struct gate *g, struct store_txn *txn, struct task *t, enum task_state state,
                    str reason, str by, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    tasks_set_state(&g->tasks, t, state, reason, now_ms);
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
    int64_t now_ms = clock_wall_ms();
    for (struct task *at = t; at; at = tasks_next_below(t, at)) {
        bool first = at == t;
        if (!task_state_is_open(at->state))
            continue;
        /* One transaction a task: a fan-out of any size stays within its limits, in order. */
        struct store_txn *txn = store_txn_new(g->store);
        end_one(g, txn, at, first ? state : TASK_CASCADED, first ? reason : S("parent ended"), by,
                now_ms);
        gate_submit(g, txn, first ? done : NULL, first ? arg : NULL);
        cancel_holds(g, at, now_ms);
        cut(g, at);
    }
}

/* ---- suspending ---- */

static void add_change(struct gate *g, struct store_txn *txn, const struct task *t, str reason,
                       str by, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    struct record_task_change r = {.time_ms = now_ms,
                                   .chain = gate_chain(g, &a, t, (str){0}),
                                   .state = task_state_name(t->state),
                                   .reason = reason,
                                   .by = by};
    store_leaf(txn, record_task_change(&g->scratch, &r), (str){0}, id_str(&t->id));
}

void gate_suspend_task(struct gate *g, struct task *t, str reason, str by, store_done_fn *done,
                       void *arg)
{
    int64_t now_ms = clock_wall_ms();
    struct store_txn *txn = store_txn_new(g->store);
    tasks_set_state(&g->tasks, t, TASK_SUSPENDED, reason, now_ms);
    store_task_suspend(txn, id_str(&t->id), reason);
    add_change(g, txn, t, reason, by, now_ms);
    gate_submit(g, txn, done, arg);
    for (struct task *at = t; at; at = tasks_next_below(t, at))
        cut(g, at);
}

void gate_resume_task(struct gate *g, struct task *t, str by, store_done_fn *done, void *arg)
{
    int64_t now_ms = clock_wall_ms();
    struct store_txn *txn = store_txn_new(g->store);
    tasks_set_state(&g->tasks, t, TASK_ACTIVE, (str){0}, now_ms);
    store_task_resume(txn, id_str(&t->id));
    add_change(g, txn, t, (str){0}, by, now_ms);
    gate_submit(g, txn, done, arg);
}

/* ---- agents ---- */

void gate_agents_changed(struct gate *g)
{
    struct err err;
    if (!g->agents.changed || !g->policy)
        return;
    g->agents.changed = false;
    if (!policy_agents_changed(g->policy, &g->agents, &err))
        log_error("what policies read of agents could not be brought up to date", LOG_ERR(&err));
}

void gate_set_agent(struct gate *g, struct agent *agent, bool suspended, str reason, str by,
                    store_done_fn *done, void *arg)
{
    int64_t now_ms = clock_wall_ms();
    struct list *it = NULL;
    struct task *t;
    str name = agent->conf->name, state = suspended ? S("suspended") : S("active");
    struct store_txn *txn = store_txn_new(g->store);
    agents_set(&g->agents, agent, suspended, by, reason, now_ms);
    gate_agents_changed(g);
    store_agent_put(txn, &(struct store_agent){name, state, by, reason, now_ms});
    struct record_agent_change r = {
        .time_ms = now_ms, .agent = name, .state = state, .by = by, .reason = reason};
    store_leaf(txn, record_agent_change(&g->scratch, &r), (str){0}, (str){0});
    gate_submit(g, txn, done, arg);
    while (suspended && (t = tasks_next_of(&g->tasks, name, &it)))
        for (struct task *at = t; at; at = tasks_next_below(t, at))
            cut(g, at);
}

void gate_seen(struct gate *g, str name, enum place_kind kind, str place, int64_t now_ms)
{
    struct agent *agent = agents_find(&g->agents, name);
    if (!agent || !place.n)
        return;
    bool tell = agents_seen(&g->agents, agent, kind, place, now_ms);
    gate_agents_changed(g);
    if (!tell)
        return;
    log_warn("one identity is used at two places at once", LOG_STR("agent", name),
             LOG_STR("places", place_kind_name(kind)));
    struct record_shared_use r = {.time_ms = now_ms,
                                  .agent = name,
                                  .owner = agent->conf->owner,
                                  .reason = place_kind_name(kind)};
    struct store_txn *txn = store_txn_new(g->store);
    store_leaf(txn, record_shared_use(&g->scratch, &r), (str){0}, (str){0});
    gate_submit(g, txn, NULL, NULL);
}
