/* What people do to tasks and agents that are: suspend, resume, look back. Who may is a policy. */
#include "door/admin_int.h"
#include "base/clock.h"
#include "base/limits.h"
#include "ledger/trace.h"

#include <stdlib.h>

static bool ask(struct request *r, const struct policy_person *who, str action,
                const struct task *t, const struct agent *agent, struct verdict *v, struct err *err)
{
    return policy_person_may(r->g->policy, who, action, t, agent, r->now_ms, r->a, v, err);
}

bool may_do(struct request *r, str action, const struct task *t, const struct agent *agent,
            struct err *err)
{
    struct verdict v = {0};
    str uid = str_fmt(r->a, "uid:%lld", (long long)r->peer->uid);
    struct policy_person who = {who_is(r), r->peer->roles, asker_method(r)};
    if (!ask(r, &who, action, t, agent, &v, err))
        return false;
    /* The roles that the uid brings are not the person's. */
    bool more = r->peer->person && (r->peer->roles & ~r->peer->person->roles);
    struct policy_person as_uid = {uid, r->peer->roles & ~(more ? r->peer->person->roles : 0),
                                   S("uid")};
    if (v.decision != DECISION_ALLOW && more && !ask(r, &as_uid, action, t, agent, &v, err))
        return false;
    if (v.decision == DECISION_ALLOW)
        return true;
    str owner = t ? t->owner : agent->conf->owner;
    struct buf ids = {0};
    for (size_t i = 0; i < v.policies_n; i++)
        buf_printf(&ids, "%s%.*s", i ? ", " : "", STR(v.policies[i]));
    err_denied(err, "%.*s may not %.*s %.*s, which is %.*s's: %.*s", STR(who_is(r)),
               STR(str_eq(action, S("close_task")) ? S("close task") : action),
               STR(t ? id_str(&t->id) : agent->conf->name), STR(owner),
               STR(buf_len(&ids) ? buf_str(&ids) : S("no policy permits it")));
    buf_fini(&ids);
    return false;
}

/* ---- changing ---- */

static void on_changed(void *arg, const struct store_result *res)
{
    struct later *l = arg;
    if (res->outcome == STORE_COMMITTED)
        later_text(l, S("{\"ok\":true}"));
    else
        later_error(l, res->outcome == STORE_GUARDED ? "denied" : "system",
                    res->outcome == STORE_GUARDED
                        ? S("the task ended meanwhile")
                        : S("it is so in memory; the record could not be written"));
    free(l);
}

static str reason_of(struct request *r)
{
    return str_take(json_get_str(r->params, S("reason")), 200);
}

void on_task_suspend(struct request *r)
{
    struct err err;
    struct task *t = named_task(r, &err);
    bool ok = t && may_do(r, S("suspend"), t, NULL, &err);
    if (ok && t->state != TASK_ACTIVE)
        ok = err_input(&err, "task %s is %.*s, so it cannot be suspended", t->id.s,
                       STR(task_state_name(t->state)));
    if (ok)
        gate_suspend_task(r->g, t, reason_of(r), who_is(r), on_changed, later_new(r, NULL));
    else
        answer_error(r, &err);
}

void on_task_resume(struct request *r)
{
    struct err err;
    struct task *t = named_task(r, &err);
    bool ok = t && may_do(r, S("resume"), t, NULL, &err);
    if (ok && t->state != TASK_SUSPENDED)
        ok = err_input(&err, "task %s is %.*s: there is nothing to resume", t->id.s,
                       STR(task_state_name(t->state)));
    if (ok)
        gate_resume_task(r->g, t, who_is(r), on_changed, later_new(r, NULL));
    else
        answer_error(r, &err);
}

static struct agent *named_agent(struct request *r, struct err *err)
{
    str name;
    if (!param_str(r, S("agent"), &name, err))
        return NULL;
    struct agent *agent = agents_find(&r->g->agents, name);
    if (!agent)
        err_notfound(err, "there is no agent \"%.*s\" in the configuration",
                     STR(str_take(name, 64)));
    return agent;
}

static void set_agent(struct request *r, bool suspend)
{
    struct err err;
    struct agent *agent = named_agent(r, &err);
    bool ok = agent && may_do(r, suspend ? S("suspend") : S("resume"), NULL, agent, &err);
    if (ok && agent->suspended == suspend)
        ok = err_input(&err, "agent %.*s is %s already", STR(agent->conf->name),
                       suspend ? "suspended" : "not suspended by anybody here");
    if (ok && !suspend && agent->conf->suspended)
        ok = err_denied(&err, "agent %.*s is suspended in the configuration; change it there",
                        STR(agent->conf->name));
    if (ok)
        gate_set_agent(r->g, agent, suspend, reason_of(r), who_is(r), on_changed,
                       later_new(r, NULL));
    else
        answer_error(r, &err);
}

void on_agent_suspend(struct request *r)
{
    set_agent(r, true);
}

void on_agent_resume(struct request *r)
{
    set_agent(r, false);
}

/* ---- looking ---- */

static void write_time(struct jw *w, str name, int64_t ms)
{
    char text[CLOCK_TEXT_SIZE];
    if (ms)
        jw_kstr(w, name, clock_text(ms, text));
}

static size_t open_tasks(const struct gate *g, const struct agent *agent)
{
    size_t n = 0;
    for (struct list *it = NULL; tasks_next_of(&g->tasks, agent->conf->name, &it);)
        n++;
    return n;
}

static void write_places(struct jw *w, const struct request *r, const struct agent *agent)
{
    jw_key(w, S("places"));
    jw_arr(w);
    for (size_t i = 0; i < AGENT_PLACES_MAX; i++) {
        const struct agent_place *p = &agent->places[i];
        bool lately = p->conns || r->now_ms - p->seen_ms < r->g->agents.window_ms;
        if (p->kind == PLACE_NONE || !lately)
            continue;
        jw_obj(w);
        jw_kstr(w, S("kind"), place_kind_name(p->kind));
        jw_kstr(w, S("place"), str_z(p->text));
        write_time(w, S("seen"), p->seen_ms);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

static void write_agent(struct jw *w, const struct request *r, const struct agent *agent, bool all)
{
    const struct conf_agent *c = agent->conf;
    jw_obj(w);
    jw_kstr(w, S("agent"), c->name);
    jw_kstr(w, S("owner"), c->owner);
    jw_kstr(w, S("state"), agent_is_active(agent) ? S("active") : S("suspended"));
    jw_kstr(w, S("tier"), c->tier);
    jw_kstr(w, S("model"), c->model);
    jw_kstr(w, S("modelVersion"), c->model_version);
    jw_kbool(w, S("assessed"), agent->assessed);
    if (c->assessed_ms)
        write_time(w, S("assessedUntil"), c->assessed_ms + c->assessed_for_ms);
    jw_kbool(w, S("shared"), agent->shared);
    jw_ki64(w, S("tasks"), (int64_t)open_tasks(r->g, agent));
    if (all) {
        jw_kstr(w, S("purpose"), c->purpose);
        write_time(w, S("changed"), agent->changed_ms);
        jw_kstr(w, S("by"), agent->by);
        jw_kstr(w, S("reason"), agent->reason);
        write_time(w, S("seen"), agent->seen_ms);
        if (agent->shared_ms) {
            write_time(w, S("sharedSeen"), agent->shared_ms);
            jw_kstr(w, S("sharedAs"), place_kind_name(agent->shared_as));
        }
        write_places(w, r, agent);
    }
    jw_end_obj(w);
}

void on_agent_list(struct request *r)
{
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_key(&w, S("agents"));
    jw_arr(&w);
    for (size_t i = 0; i < r->g->agents.n; i++)
        write_agent(&w, r, &r->g->agents.list[i], false);
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

void on_agent_show(struct request *r)
{
    struct err err;
    const struct agent *agent = named_agent(r, &err);
    if (!agent) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    write_agent(&w, r, agent, true);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

/* ---- looking back: what was done to a task, from the record ---- */

static bool is_of_task(str type)
{
    static const char *const types[] = {"task_open", "task_change", "task_close", "delegation",
                                        "hold_open", "approval",    "denial",     "refusal"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_eq(type, str_z(types[i])))
            return true;
    return false;
}

static void write_step(struct jw *w, const json *leaf)
{
    static const char *const members[] = {"time",   "type",  "state",       "by",   "approver",
                                          "reason", "child", "child_agent", "hold", "tool"};
    jw_obj(w);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const json *v = json_get(leaf, str_z(members[i]));
        if (v)
            jw_kvalue(w, str_z(members[i]), v);
    }
    jw_end_obj(w);
}

void on_task_history(struct request *r)
{
    struct err err;
    struct trace tr;
    str id;
    if (!param_str(r, S("task"), &id, &err) ||
        !trace_task(store_view(r->g->store), r->a, id, false, &tr, &err)) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("task"), id);
    jw_key(&w, S("history"));
    jw_arr(&w);
    for (size_t i = 0; i < tr.n; i++)
        if (is_of_task(json_get_str(tr.entries[i].leaf, S("type"))))
            write_step(&w, tr.entries[i].leaf);
    jw_end_arr(&w);
    jw_kbool(&w, S("cut"), tr.cut);
    jw_end_obj(&w);
    if (b.over) {
        err_limit(&err, "the history is too long for one answer");
        answer_error(r, &err);
    } else {
        answer_text(r, buf_str(&b));
    }
    buf_fini(&b);
}
