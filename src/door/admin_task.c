/* Tasks on the control door: opened by owners, listed, and their tokens. */
#include "door/admin_int.h"
#include "call/request.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"

#include <stdlib.h>

static void write_strs(struct jw *w, str name, const str *list, size_t n)
{
    jw_key(w, name);
    jw_arr(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, list[i]);
    jw_end_arr(w);
}

static void write_members(struct jw *w, const struct task *t, int64_t now_ms)
{
    char opened[CLOCK_TEXT_SIZE], deadline[CLOCK_TEXT_SIZE], closed[CLOCK_TEXT_SIZE];
    struct err err;
    jw_kstr(w, S("task"), id_str(&t->id));
    if (t->parent)
        jw_kstr(w, S("parent"), id_str(&t->parent->id));
    jw_kstr(w, S("owner"), t->owner);
    jw_kstr(w, S("agent"), t->agent);
    jw_kstr(w, S("purpose"), t->purpose);
    jw_kstr(w, S("state"), task_state_name(t->state));
    jw_kbool(w, S("live"), task_is_live(t, now_ms, &err));
    write_strs(w, S("operations"), t->operations, t->operations_n);
    jw_ki64(w, S("callsLeft"), t->calls_left);
    if (t->opened_by.n && !str_eq(t->opened_by, t->owner))
        jw_kstr(w, S("openedBy"), t->opened_by);
    jw_kstr(w, S("opened"), clock_text(t->opened_ms, opened));
    jw_kstr(w, S("deadline"), clock_text(t->deadline_ms, deadline));
    if (t->closed_ms)
        jw_kstr(w, S("closed"), clock_text(t->closed_ms, closed));
    if (t->reason.n)
        jw_kstr(w, S("reason"), t->reason);
}

void write_task(struct jw *w, const struct task *t, int64_t now_ms)
{
    jw_obj(w);
    write_members(w, t, now_ms);
    jw_end_obj(w);
}

static void on_opened(void *arg, const struct store_result *res)
{
    struct later *l = arg;
    struct task *t = l->arg;
    if (res->outcome != STORE_COMMITTED) {
        later_error(l, "system", S("the task could not be recorded, so it is not open"));
        task_free(t);
    } else {
        struct buf b = {0};
        struct jw w = jw(&b);
        tasks_add(&l->ad->g->tasks, t);
        l->ad->out.task_opened(l->ad->out.ctx);
        write_task(&w, t, t->opened_ms);
        later_text(l, buf_str(&b));
        buf_fini(&b);
    }
    free(l);
}

/* Of a template only purpose, life and calls may be said anew, and the latter two only less. */
static bool read_template_wish(struct request *r, struct task_wish *wish, struct err *err)
{
    str name = json_get_str(r->params, S("template")),
        life = json_get_str(r->params, S("deadline"));
    const struct conf_template *t = conf_template(r->g->conf, name);
    const struct conf_agent *agent = t ? conf_agent(r->g->conf, t->agent) : NULL;
    if (!agent)
        return err_notfound(err, "there is no template \"%.*s\" in the configuration",
                            STR(str_take(name, 64)));
    bool may = t->users_n == 0 && str_eq(who_is(r), agent->owner);
    for (size_t i = 0; i < t->users_n; i++)
        may = may || str_eq(t->users[i], who_is(r));
    if (!may)
        return err_denied(err, "%.*s may not use template %.*s", STR(who_is(r)), STR(name));
    if (json_get(r->params, S("operations")) || json_get(r->params, S("budgets")) ||
        json_get(r->params, S("ceiling")) || json_get(r->params, S("delegation")))
        return err_input(err, "a template says itself what its tasks may do");
    wish->owner = agent->owner;
    wish->purpose = json_get_str(r->params, S("purpose"));
    if (life.n && !clock_parse_duration(life, &wish->life_ms))
        return err_input(err, "\"deadline\" must be a duration such as \"30m\" or \"8h\"");
    if (json_get(r->params, S("calls")) && !json_i64(json_get(r->params, S("calls")), &wish->calls))
        return err_input(err, "\"calls\" must be a whole number");
    return task_template_wish(r->a, t, wish, err);
}

static bool read_wish(struct request *r, struct task_wish *wish, struct err *err)
{
    str life = json_get_str(r->params, S("deadline"));
    *wish = (struct task_wish){.owner = who_is(r), .opened_by = who_is(r)};
    if (json_get(r->params, S("template")))
        return read_template_wish(r, wish, err);
    if (!param_str(r, S("agent"), &wish->agent, err) ||
        !param_str(r, S("purpose"), &wish->purpose, err))
        return false;
    if (life.n && !clock_parse_duration(life, &wish->life_ms))
        return err_input(err, "\"deadline\" must be a duration such as \"30m\" or \"8h\"");
    return task_wish_read(r->a, r->params, wish, err);
}

/* An operation of a binding whose tools are known must be one of them; a typing error is not
 * granted. */
static bool operations_exist(struct request *r, const struct task *t, struct err *err)
{
    for (size_t i = 0; i < t->operations_n; i++) {
        str binding, tool;
        str_cut(t->operations[i], '/', &binding, &tool);
        const struct conf_binding *b = conf_binding(r->g->conf, binding);
        bool known =
            catalog_operation(&r->g->catalog, t->operations[i]) || (b && conf_operation(b, tool));
        if (!known)
            return err_notfound(err, "%.*s: the binding has no such tool; `ambit tools` lists them",
                                STR(t->operations[i]));
    }
    return true;
}

void on_task_open(struct request *r)
{
    struct task_wish wish;
    struct task *t = NULL;
    struct err err;
    if (!read_wish(r, &wish, &err) || !agents_may(&r->g->agents, wish.agent, &err) ||
        !task_new(r->g->conf, &wish, r->now_ms, &t, &err) || !operations_exist(r, t, &err)) {
        task_free(t);
        answer_error(r, &err);
        return;
    }
    struct store_txn *txn = store_txn_new(r->g->store);
    gate_add_task_open(r->g, txn, t, who_is(r));
    gate_submit(r->g, txn, on_opened, later_new(r, t));
}

static int by_id(const void *x, const void *y)
{
    return strcmp((*(struct task *const *)x)->id.s, (*(struct task *const *)y)->id.s);
}

void on_task_list(struct request *r)
{
    size_t n = 0;
    struct task **list = ARENA_ARRAY(r->a, struct task *, map_count(&r->g->tasks.by_id) + 1);
    str id;
    void *v;
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    for (size_t i = 0; map_next(&r->g->tasks.by_id, &i, &id, &v);)
        list[n++] = v;
    qsort(list, n, sizeof *list, by_id);
    jw_obj(&w);
    jw_key(&w, S("tasks"));
    jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        write_task(&w, list[i], r->now_ms);
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

struct task *named_task(struct request *r, struct err *err)
{
    str id;
    if (!param_str(r, S("task"), &id, err))
        return NULL;
    struct task *t = tasks_find(&r->g->tasks, id);
    if (!t)
        err_notfound(err, "there is no task %.*s in memory; `ambit trace` reads older ones",
                     STR(str_take(id, 40)));
    return t;
}

static void write_holds(struct jw *w, const struct request *r, const struct task *t)
{
    jw_key(w, S("holds"));
    jw_arr(w);
    for (struct list *it = r->g->holds.all.next; it != &r->g->holds.all; it = it->next) {
        const struct hold *h = LIST_ENTRY(it, struct hold, node);
        if (str_eq(id_str(&h->task), id_str(&t->id)) && hold_state_at(h, r->now_ms) == HOLD_PENDING)
            jw_str(w, id_str(&h->id));
    }
    jw_end_arr(w);
}

/* Everything that is known of it: the task, its bounds and budgets as they are, its place in the
 * chain, what waits. */
static void write_all(struct jw *w, struct request *r, const struct task *t)
{
    jw_obj(w);
    write_members(w, t, r->now_ms);
    jw_key(w, S("grants"));
    jw_obj(w);
    task_wish_write(w, t);
    jw_end_obj(w);
    jw_ki64(w, S("depth"), t->depth);
    jw_key(w, S("children"));
    jw_arr(w);
    for (const struct task *c = t->first_child; c; c = c->younger)
        jw_str(w, id_str(&c->id));
    jw_end_arr(w);
    jw_ki64(w, S("callsUnderWay"), t->uses);
    write_holds(w, r, t);
    jw_end_obj(w);
}

void on_task_show(struct request *r)
{
    struct err err;
    struct task *t = named_task(r, &err);
    if (!t) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {0};
    struct jw w = jw(&b);
    write_all(&w, r, t);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

/* ---- tokens ---- */

static void on_signed(void *arg, str token, str why)
{
    struct later *l = arg;
    if (!token.n) {
        later_error(l, "unavailable", why);
    } else {
        struct buf b = {0};
        struct jw w = jw(&b);
        jw_obj(&w);
        jw_kstr(&w, S("token"), token);
        jw_end_obj(&w);
        later_text(l, buf_str(&b));
        buf_fini(&b);
    }
    free(l);
}

static bool has_high(const struct gate *g, const struct task *t)
{
    for (size_t i = 0; i < t->operations_n; i++) {
        const struct catalog_tool *tool = catalog_operation(&g->catalog, t->operations[i]);
        if (!tool || catalog_is_high_impact(tool))
            return true;
    }
    return false;
}

/* A delegated task whose agent has nothing but tokens is taken up by its owner, who hands it one.
 */
static bool take_up(struct request *r, struct task *t, struct err *err)
{
    const struct conf_agent *agent = conf_agent(r->g->conf, t->agent);
    bool own = r->peer->person && str_eq(r->peer->person->name, t->owner);
    if (t->state != TASK_GRANTED || !own || !agent || !agent->bearer)
        return true;
    return gate_redeem(r->g, id_str(&t->id), &(struct asker){.agent = t->agent, .by = t->owner}, &t,
                       err);
}

void on_task_token(struct request *r)
{
    struct err err;
    struct task *t = named_task(r, &err);
    str cert_hex = json_get_str(r->params, S("cert")), cert = {0};
    bool ok = t && take_up(r, t, &err) && task_is_live(t, r->now_ms, &err);
    if (ok && !(r->peer->person && str_eq(r->peer->person->name, t->owner)))
        ok = err_denied(&err, "task %s is %.*s's; only its owner gets its tokens", t->id.s,
                        STR(t->owner));
    if (ok && cert_hex.n && (!hex_decode(r->a, cert_hex, &cert) || cert.n != HASH_LEN))
        ok = err_input(&err,
                       "\"cert\" must be the SHA-256 of the client certificate in hexadecimal");
    str endpoint = json_get_str(r->params, S("endpoint"));
    if (ok && endpoint.n && !conf_binding(r->g->conf, endpoint))
        ok = err_notfound(&err, "there is no server \"%.*s\"", STR(str_take(endpoint, 64)));
    const struct conf_agent *agent = ok ? conf_agent(r->g->conf, t->agent) : NULL;
    if (ok && !cert.n && !(agent && agent->bearer))
        ok = err_denied(&err,
                        "agent %.*s may not use bearer tokens: bind it to a certificate, use "
                        "`ambit connect`, or set "
                        "\"bearer\": true for it",
                        STR(t->agent));
    if (!ok) {
        answer_error(r, &err);
        return;
    }
    struct buf claims = {0};
    task_token_claims(t, r->g->conf, endpoint, cert, has_high(r->g, t), r->now_ms, &claims);
    r->g->out.sign_jwt(r->g->out.ctx, SIGN_TASK_TOKEN, buf_str(&claims), on_signed,
                       later_new(r, NULL));
    buf_fini(&claims);
}
