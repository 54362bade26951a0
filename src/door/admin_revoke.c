/* Closing on the control door: a task, or everything of an agent, an owner or a binding, with a
 * receipt of what was cut when. */
#include "door/admin_int.h"
#include "base/limits.h"
#include "call/close.h"
#include "store/read.h"

#include <stdlib.h>

/* ---- answers ---- */

static void send_receipt(struct later *l, const struct closing *c)
{
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    if (c->failed) {
        later_error(l, "system", S("closed in memory; the record could not be written"));
    } else {
        closing_write(c, &w);
        later_text(l, buf_str(&b));
    }
    buf_fini(&b);
    free(l);
}

static void on_answer_now(void *arg, const struct closing *c)
{
    send_receipt(arg, c);
}

/* "wait": answered when all steps have ended, which close.h bounds; else when it is durable. */
static void begin(struct request *r, struct close_order *o)
{
    str reason = json_get_str(r->params, S("reason"));
    o->reason = reason.n ? str_take(reason, CLOSE_REASON_BYTES_MAX) : S("closed by a person");
    o->by = who_is(r);
    o->arg = later_new(r, NULL);
    if (json_bool(json_get(r->params, S("wait"))))
        o->ended = on_answer_now;
    else
        o->durable = on_answer_now;
    gate_close(r->g, o, NULL);
}

/* ---- who may ---- */

static bool is(const struct request *r, str person)
{
    return r->peer->person && str_eq(r->peer->person->name, person);
}

static bool is_administrator(const struct request *r)
{
    return (r->peer->roles & ROLE_ADMINISTRATOR) != 0;
}

static bool may_close_task(struct request *r, str id, struct err *err)
{
    struct task *t = tasks_find(&r->g->tasks, id);
    if (!t)
        return err_notfound(err, "there is no task %.*s in memory; `ambit trace` reads older ones",
                            STR(str_take(id, 40)));
    if (!may_do(r, S("close_task"), t, NULL, err))
        return false;
    if (!task_state_is_open(t->state))
        return err_input(err, "task %s is %.*s already; `ambit task receipt %s` shows how it ended",
                         t->id.s, STR(task_state_name(t->state)), t->id.s);
    return true;
}

/* Who may suspend an agent may end what it does. */
static bool may_close_agent(struct request *r, str name, struct err *err)
{
    const struct agent *agent = agents_find(&r->g->agents, name);
    if (agent)
        return may_do(r, S("suspend"), NULL, agent, err);
    return err_notfound(err, "there is no agent \"%.*s\" in the configuration",
                        STR(str_take(name, 64)));
}

static bool may_close_owner(struct request *r, str name, struct err *err)
{
    if (is(r, name) || is_administrator(r))
        return true;
    return err_denied(err, "what is %.*s's is closed by that person or an administrator",
                      STR(str_take(name, 64)));
}

static bool may_close_binding(struct request *r, str name, struct err *err)
{
    if (!is_administrator(r))
        return err_denied(err, "all tasks that may use a binding are closed by an administrator");
    if (!conf_binding(r->g->conf, name))
        return err_notfound(err, "there is no binding \"%.*s\" in the configuration",
                            STR(str_take(name, 64)));
    return true;
}

/* ---- methods ---- */

static const struct {
    enum close_kind kind;
    bool (*may)(struct request *r, str name, struct err *err);
} KINDS[] = {
    {CLOSE_TASK, may_close_task},
    {CLOSE_AGENT, may_close_agent},
    {CLOSE_OWNER, may_close_owner},
    {CLOSE_BINDING, may_close_binding},
};

void on_revoke(struct request *r)
{
    struct err err;
    str kind, name;
    if (!param_str(r, S("kind"), &kind, &err) || !param_str(r, S("name"), &name, &err)) {
        answer_error(r, &err);
        return;
    }
    struct close_order o = {
        .kind = close_kind_parse(kind), .name = str_take(name, 256), .state = TASK_REVOKED};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (KINDS[i].kind != o.kind)
            continue;
        if (KINDS[i].may(r, o.name, &err))
            begin(r, &o);
        else
            answer_error(r, &err);
        return;
    }
    err_input(&err, "\"kind\" must be task, agent, owner or binding");
    answer_error(r, &err);
}

void on_task_close(struct request *r)
{
    struct err err;
    str task;
    if (!param_str(r, S("task"), &task, &err) || !may_close_task(r, task, &err)) {
        answer_error(r, &err);
        return;
    }
    bool completed = json_bool(json_get(r->params, S("completed")));
    struct close_order o = {
        .kind = CLOSE_TASK, .name = task, .state = completed ? TASK_COMPLETED : TASK_REVOKED};
    begin(r, &o);
}

/* One that is under way is written as it stands. */
static const struct closing *under_way(const struct gate *g, str id)
{
    for (struct list *it = g->closings.next; it != &g->closings; it = it->next) {
        const struct closing *c = LIST_ENTRY(it, const struct closing, node);
        if (str_eq(id_str(&c->id), id) || map_get(&c->by_id, id))
            return c;
    }
    return NULL;
}

void on_task_receipt(struct request *r)
{
    struct err err;
    struct store_receipt row;
    str id;
    if (!param_str(r, S("id"), &id, &err)) {
        answer_error(r, &err);
        return;
    }
    const struct closing *c = under_way(r->g, id);
    if (c) {
        struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
        struct jw w = jw(&b);
        closing_write(c, &w);
        answer_text(r, buf_str(&b));
        buf_fini(&b);
    } else if (store_read_receipt(store_view(r->g->store), r->a, id, &row, &err)) {
        answer_text(r, row.body);
    } else {
        answer_error(r, &err);
    }
}
