/* What people do to tasks and agents: suspending and resuming. Memory first, so that the next
 * request is refused; then the store; then what is under way is cut (close.h). */
#include "call/close.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

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
    gate_cut_agent(g, id_str(&t->id), reason, by);
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
    str name = agent->conf->name, state = suspended ? S("suspended") : S("active");
    struct store_txn *txn = store_txn_new(g->store);
    agents_set(&g->agents, agent, suspended, by, reason, now_ms);
    gate_agents_changed(g);
    store_agent_put(txn, &(struct store_agent){name, state, by, reason, now_ms});
    struct record_agent_change r = {
        .time_ms = now_ms, .agent = name, .state = state, .by = by, .reason = reason};
    store_leaf(txn, record_agent_change(&g->scratch, &r), (str){0}, (str){0});
    gate_submit(g, txn, done, arg);
    if (suspended)
        gate_cut_agent(g, name, reason, by);
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
