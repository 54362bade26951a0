/* After a start: tasks, holds and pins as they were committed; what had ended meanwhile, ends. */
#include "call/close.h"
#include "call/lease.h"
#include "call/oauth.h"
#include "call/request.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "store/read.h"

#include <stdlib.h>

struct restoring {
    struct gate *g;
    struct err *err;
    bool ok;
};

/* Its parent has ended, and so has it, by ancestry; the gateway ended before it could say so. */
static void close_orphan(struct gate *g, const struct store_task *row)
{
    int64_t now_ms = clock_wall_ms();
    struct store_txn *t = store_txn_new(g->store);
    struct record_task_close r = {.time_ms = now_ms,
                                  .chain = {.task = row->id,
                                            .parents = &row->parent,
                                            .parents_n = 1,
                                            .owner = row->owner,
                                            .agent = row->agent},
                                  .state = task_state_name(TASK_CASCADED),
                                  .reason = S("parent ended"),
                                  .closed_by = S("gateway"),
                                  .calls_left = row->calls_left};
    store_task_close(t, row->id, r.state, now_ms, r.reason);
    store_hold_cancel_task(t, row->id, now_ms);
    store_leaf(t, record_task_close(&g->scratch, &r), (str){0}, row->id);
    gate_submit(g, t, NULL, NULL);
    map_put(&g->orphans, row->id, g); /* its programs and leases: closings_restore */
}

static bool each_task(void *arg, const struct store_task *row)
{
    struct restoring *r = arg;
    struct task *parent = row->parent.n ? tasks_find(&r->g->tasks, row->parent) : NULL;
    struct task *t;
    if (row->parent.n && !parent) {
        close_orphan(r->g, row);
        return true;
    }
    struct task_row in = {.id = row->id,
                          .owner = row->owner,
                          .agent = row->agent,
                          .purpose = row->purpose,
                          .opened_by = row->opened_by,
                          .grants = row->grants,
                          .state = row->state,
                          .reason = row->reason,
                          .opened_ms = row->opened_ms,
                          .deadline_ms = row->deadline_ms,
                          .until_ms = row->until_ms,
                          .calls_left = row->calls_left,
                          .left = {.bytes = row->left.bytes,
                                   .rows = row->left.rows,
                                   .tokens = row->left.tokens,
                                   .money = row->left.money}};
    r->ok = task_restore(&in, parent, &t, r->err);
    if (!r->ok)
        return false;
    tasks_add(&r->g->tasks, t);
    return true;
}

static bool set_children(void *arg, const struct store_task *row)
{
    struct restoring *r = arg;
    struct task *t = tasks_find(&r->g->tasks, row->id);
    if (t)
        t->children = (unsigned)row->children;
    return true;
}

static bool each_agent(void *arg, const struct store_agent *row)
{
    struct restoring *r = arg;
    struct agent *g = agents_find(&r->g->agents, row->name);
    if (g)
        agents_set(&r->g->agents, g, !str_eq(row->state, S("active")), row->by, row->reason,
                   row->at_ms);
    return true;
}

/* Why the configuration no longer carries a task: its owner or agent is gone, or what the agent may
 * be granted has become less. Empty: it does. */
static str why_over(const struct gate *g, const struct task *t)
{
    const struct conf_person *owner = conf_person(g->conf, t->owner);
    const struct conf_agent *agent = conf_agent(g->conf, t->agent);
    if (!owner || !(owner->roles & ROLE_OWNER))
        return S("its owner is no owner any more");
    if (!agent)
        return S("its agent is gone");
    if (!str_eq(agent->owner, t->owner))
        return S("its agent has another owner");
    for (size_t i = 0; i < t->operations_n; i++)
        if (!conf_agent_covers(agent, t->operations[i]))
            return S("outside the agent's ambit");
    return (str){0};
}

static void end_uncarried(struct gate *g)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&g->tasks.by_id, &i, &id, &v);) {
        str why = why_over(g, v);
        if (why.n && task_state_is_open(((struct task *)v)->state))
            gate_close_task(g, v, TASK_REVOKED, why, S("configuration"), NULL, NULL);
    }
}

static void read_approvers(struct hold *h, str text)
{
    const json *list, *name;
    struct err err;
    if (!json_read(&h->arena, text, NULL, &list, &err))
        return;
    for (struct json_iter it = json_iter(list);
         h->approvers_n < HOLD_APPROVERS_MAX && json_next(&it, NULL, &name);)
        h->approvers[h->approvers_n++] = json_str(name);
}

static bool each_hold(void *arg, const struct store_hold *row)
{
    struct restoring *r = arg;
    struct task *t = tasks_find(&r->g->tasks, row->task);
    str digest;
    struct hold *h = hold_new();
    if (!t || !id_is_valid(row->id, 'h') || !id_is_valid(row->call, 'c') ||
        !hex_decode(&h->arena, row->digest, &digest) || digest.n != HASH_LEN) {
        arena_fini(&h->arena);
        free(h);
        return true; /* of a task that has ended */
    }
    memcpy(h->id.s, row->id.p, ID_LEN);
    memcpy(h->call.s, row->call.p, ID_LEN);
    memcpy(h->digest.b, digest.p, HASH_LEN);
    h->task = t->id;
    h->owner = str_dup(&h->arena, t->owner);
    h->agent = str_dup(&h->arena, t->agent);
    h->purpose = str_dup(&h->arena, t->purpose);
    h->opened_by = str_dup(&h->arena, t->opened_by);
    h->binding = str_dup(&h->arena, row->binding);
    h->tool = str_dup(&h->arena, row->tool);
    h->effect = str_dup(&h->arena, row->effect);
    h->args = str_dup(&h->arena, row->args);
    h->policies = str_dup(&h->arena, row->policies);
    h->approver = str_dup(&h->arena, row->approver);
    h->state = hold_state_parse(row->state);
    read_approvers(h, row->approvers);
    h->created_ms = row->created_ms;
    h->expires_ms = row->expires_ms;
    h->decided_ms = row->decided_ms;
    holds_add(&r->g->holds, h);
    return true;
}

static bool each_pin(void *arg, const struct store_pin *row)
{
    struct restoring *r = arg;
    ARENA_SCOPE struct arena a = {0};
    const json *def;
    struct catalog_tool *t;
    struct err err;
    if (!json_read(&a, row->definition, NULL, &def, &err) ||
        catalog_put(&r->g->catalog, r->g->conf, row->binding, def, true, &t, &err) == CATALOG_BAD)
        log_warn("pin left out", LOG_STR("binding", row->binding), LOG_STR("tool", row->tool),
                 LOG_ERR(&err));
    return true;
}

static bool put_internal(struct gate *g, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const str texts[] = {gate_delegate_definition(), gate_request_definition(),
                         gate_redeem_definition()};
    const json *def;
    struct catalog_tool *t;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!json_read(&a, texts[i], NULL, &def, err) ||
            catalog_put(&g->catalog, g->conf, S("ambit"), def, true, &t, err) == CATALOG_BAD)
            return false;
    return true;
}

bool gate_restore(struct gate *g, struct err *err)
{
    struct restoring r = {.g = g, .err = err, .ok = true};
    struct store_view *v = store_view(g->store);
    g->oauth = oauth_new();
    if (!task_templates_check(g->conf, err) || !oauth_revoked_restore(g, err))
        return false;
    agents_init(&g->agents, g->conf, clock_wall_ms());
    if (!store_read_agents(v, each_agent, &r, err))
        return false;
    if (!store_read_tasks_open(v, each_task, &r, err) || !r.ok)
        return false;
    if (!store_read_tasks_open(v, set_children, &r, err))
        return false;
    if (!store_read_holds_live(v, each_hold, &r, err) || !store_read_pins(v, each_pin, &r, err) ||
        !put_internal(g, err) || !leases_restore(g, err) || !closings_restore(g, err))
        return false;
    if (!gate_restore_revoked(g, err))
        return false;
    end_uncarried(g);
    g->agents.changed = true;
    gate_agents_changed(g);
    return true;
}

static void free_values(struct map *m)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(m, &i, &key, &v);)
        free(v);
    map_fini(m);
}

void gate_fini(struct gate *g)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&g->live, &i, &key, &v);) {
        struct live_call *c = v;
        arena_fini(&c->arena);
        free(c);
    }
    map_fini(&g->live);
    closings_fini(g);
    leases_fini(g);
    map_fini(&g->orphans);
    free_values(&g->sessions);
    free_values(&g->conns);
    gate_tokens_forget(g);
    map_fini(&g->tokens);
    oauth_free(g->oauth);
    holds_fini(&g->holds);
    catalog_fini(&g->catalog);
    tasks_fini(&g->tasks);
    agents_fini(&g->agents);
    policy_free(g->policy);
    revoked_fini(&g->revoked);
    keyset_fini(&g->token_keys);
    buf_fini(&g->token_jwks);
    buf_fini(&g->txn_jwks);
    trust_free(g->trust);
    people_fini(&g->people);
    authorizations_fini(&g->authorizations);
    secret_free(g->keeper_key);
    secret_free(g->runner_key);
    buf_fini(&g->scratch);
}
