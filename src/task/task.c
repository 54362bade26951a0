#include "task/task.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/limits.h"

#include <stdlib.h>

static const char *const STATES[] = {"none",    "active",  "completed",
                                     "revoked", "expired", "cascaded"};
#define STATES_N (sizeof STATES / sizeof STATES[0])

str task_state_name(enum task_state s)
{
    return str_z(STATES[s < STATES_N ? s : TASK_NONE]);
}

enum task_state task_state_parse(str s)
{
    for (unsigned i = 1; i < STATES_N; i++)
        if (str_eq(s, str_z(STATES[i])))
            return (enum task_state)i;
    return TASK_NONE;
}

/* ---- opening ---- */

static int by_name(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

static struct task *task_alloc(void)
{
    struct task *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    return t;
}

static void set_operations(struct task *t, const str *ops, size_t n)
{
    t->operations = ARENA_ARRAY(&t->arena, str, n + 1);
    for (size_t i = 0; i < n; i++)
        t->operations[i] = str_dup(&t->arena, ops[i]);
    qsort(t->operations, n, sizeof *t->operations, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !str_eq(t->operations[kept - 1], t->operations[i]))
            t->operations[kept++] = t->operations[i];
    t->operations_n = kept;
}

static bool check_form(const struct task_wish *w, struct err *err)
{
    if (w->purpose.n == 0)
        return err_input(err, "a task needs a purpose: say in a sentence what it is for");
    if (w->purpose.n > TASK_PURPOSE_BYTES_MAX || !str_is_utf8(w->purpose))
        return err_input(err, "the purpose must be UTF-8 of at most %d bytes",
                         TASK_PURPOSE_BYTES_MAX);
    if (w->operations_n == 0)
        return err_input(err, "a task needs at least one operation, e.g. helpdesk/read_ticket");
    if (w->operations_n > TASK_OPERATIONS_MAX)
        return err_limit(err, "a task has at most %d operations", TASK_OPERATIONS_MAX);
    if (w->life_ms < 0 || w->life_ms > (int64_t)TASK_LIFE_MS_MAX)
        return err_input(err, "a task lives at most 7 days");
    if (w->calls < 0 || w->calls > TASK_CALLS_MAX)
        return err_input(err, "a task has at most %d calls", TASK_CALLS_MAX);
    for (size_t i = 0; i < w->operations_n; i++) {
        str binding, tool;
        if (!str_cut(w->operations[i], '/', &binding, &tool) || !conf_name_is_valid(binding) ||
            tool.n == 0 || tool.n > 128 || str_find_char(tool, '*', 0) >= 0 || !str_is_utf8(tool))
            return err_input(err, "\"%.*s\" is no operation: write binding/tool, one by one",
                             (int)(w->operations[i].n > 80 ? 80 : w->operations[i].n),
                             w->operations[i].p);
    }
    return true;
}

static bool needs_assessment(const struct conf *conf, str operation)
{
    str binding, tool;
    str_cut(operation, '/', &binding, &tool);
    const struct conf_binding *b = conf_binding(conf, binding);
    const struct conf_operation *op = b ? conf_operation(b, tool) : NULL;
    return !op || (op->effect != EFFECT_READ && b->kind != BINDING_INTERNAL);
}

static bool check_agent(const struct conf *conf, const struct task_wish *w, struct err *err)
{
    const struct conf_agent *agent = conf_agent(conf, w->agent);
    if (!agent)
        return err_notfound(err, "there is no agent \"%.*s\" in the configuration",
                            (int)(w->agent.n > 64 ? 64 : w->agent.n), w->agent.p);
    if (agent->suspended)
        return err_denied(err, "agent %.*s is suspended", STR(agent->name));
    if (!str_eq(agent->owner, w->owner))
        return err_denied(err, "agent %.*s is owned by %.*s; only its owner opens tasks for it",
                          STR(agent->name), STR(agent->owner));
    for (size_t i = 0; i < w->operations_n; i++) {
        str op = w->operations[i], binding, tool;
        str_cut(op, '/', &binding, &tool);
        if (!conf_binding(conf, binding))
            return err_notfound(err, "%.*s: there is no binding \"%.*s\"", STR(op), STR(binding));
        if (!conf_agent_covers(agent, op))
            return err_denied(err, "%.*s is outside the ambit of agent %.*s", STR(op),
                              STR(agent->name));
        if (!agent->assessed_ms && needs_assessment(conf, op))
            return err_denied(err,
                              "%.*s goes beyond reading, and agent %.*s has no assessment: set "
                              "\"assessed\" in the configuration after assessing it",
                              STR(op), STR(agent->name));
    }
    return true;
}

/* Every clause narrows or refuses; nothing here can widen. */
static bool check_narrows(const struct conf *conf, const struct task_wish *w, int64_t deadline_ms,
                          int64_t calls, int64_t now_ms, struct err *err)
{
    const struct task *p = w->parent;
    const struct conf_agent *from = conf_agent(conf, p->agent);
    bool may = false;
    if (!task_is_live(p, now_ms, err))
        return false;
    if (p->depth + 1 >= TASK_DEPTH_MAX)
        return err_denied(err, "delegation is at most %d levels deep", TASK_DEPTH_MAX);
    if (p->children >= TASK_CHILDREN_MAX)
        return err_denied(err, "task %s has delegated %d times already, which is the limit",
                          p->id.s, TASK_CHILDREN_MAX);
    for (size_t i = 0; from && i < from->delegates_n; i++)
        may = may || str_eq(from->delegates[i], w->agent);
    if (!may)
        return err_denied(err, "agent %.*s may not delegate to %.*s", STR(p->agent), STR(w->agent));
    for (size_t i = 0; i < w->operations_n; i++)
        if (!task_grants(p, w->operations[i]))
            return err_denied(err, "%.*s is not in the delegating task's own set",
                              STR(w->operations[i]));
    if (deadline_ms > p->deadline_ms)
        return err_denied(err, "a child task cannot outlive its parent");
    if (calls > p->calls_left)
        return err_denied(err,
                          "a child task cannot have more calls than its parent has left (%lld)",
                          (long long)p->calls_left);
    return true;
}

bool task_new(const struct conf *conf, const struct task_wish *w, int64_t now_ms, struct task **out,
              struct err *err)
{
    const struct task *p = w->parent;
    int64_t deadline = now_ms + (w->life_ms ? w->life_ms : TASK_LIFE_MS_DEFAULT);
    int64_t calls = w->calls ? w->calls : TASK_CALLS_DEFAULT;
    if (p && !w->life_ms && deadline > p->deadline_ms)
        deadline = p->deadline_ms;
    if (p && !w->calls && calls > p->calls_left)
        calls = p->calls_left;
    if (!check_form(w, err) || !check_agent(conf, w, err))
        return false;
    if (p && !check_narrows(conf, w, deadline, calls, now_ms, err))
        return false;
    struct task *t = task_alloc();
    t->id = id_new('t');
    t->parent = w->parent;
    t->depth = p ? p->depth + 1 : 0;
    t->state = TASK_ACTIVE;
    t->owner = str_dup(&t->arena, w->owner);
    t->agent = str_dup(&t->arena, w->agent);
    t->purpose = str_dup(&t->arena, w->purpose);
    t->opened_ms = now_ms;
    t->deadline_ms = deadline;
    t->calls_left = calls;
    set_operations(t, w->operations, w->operations_n);
    *out = t;
    return true;
}

void task_free(struct task *t)
{
    if (!t)
        return;
    arena_fini(&t->arena);
    free(t);
}

/* ---- judging ---- */

static bool judge_one(const struct task *t, int64_t now_ms, bool budget, struct err *err)
{
    if (t->state == TASK_ACTIVE && now_ms >= t->deadline_ms)
        return err_denied(err, "task %s ended at its deadline; ask its owner %.*s for a new one",
                          t->id.s, STR(t->owner));
    if (t->state != TASK_ACTIVE)
        return err_denied(err, "task %s is %.*s%s%.*s; ask its owner %.*s for a new one", t->id.s,
                          STR(task_state_name(t->state)), t->reason.n ? ": " : "", STR(t->reason),
                          STR(t->owner));
    if (budget && t->calls_left <= 0)
        return err_denied(err, "task %s has used all its calls; ask its owner %.*s for a new one",
                          t->id.s, STR(t->owner));
    return true;
}

static bool judge(const struct task *t, int64_t now_ms, bool budget, struct err *err)
{
    for (const struct task *at = t; at; at = at->parent)
        if (!judge_one(at, now_ms, budget, err))
            return false;
    return true;
}

bool task_judge(const struct task *t, int64_t now_ms, struct err *err)
{
    return judge(t, now_ms, true, err);
}

bool task_is_live(const struct task *t, int64_t now_ms, struct err *err)
{
    return judge(t, now_ms, false, err);
}

bool task_grants(const struct task *t, str operation)
{
    return t->operations_n && bsearch(&operation, t->operations, t->operations_n,
                                      sizeof *t->operations, by_name) != NULL;
}

void task_debit(struct task *t)
{
    for (; t; t = t->parent)
        t->calls_left--;
}

bool task_is_within(const struct task *t, const struct task *ancestor)
{
    for (; t; t = t->parent)
        if (t == ancestor)
            return true;
    return false;
}

/* ---- registry ---- */

void tasks_add(struct tasks *ts, struct task *t)
{
    map_put(&ts->by_id, id_str(&t->id), t);
    if (t->parent) {
        t->parent->children++;
        t->parent->live_children++;
    }
}

struct task *tasks_find(const struct tasks *ts, str id)
{
    return map_get(&ts->by_id, id);
}

struct task *tasks_only_of(const struct tasks *ts, str agent, int64_t now_ms, size_t *count)
{
    struct task *found = NULL;
    struct err err;
    str id;
    void *v;
    *count = 0;
    for (size_t i = 0; map_next(&ts->by_id, &i, &id, &v);) {
        struct task *t = v;
        if (str_eq(t->agent, agent) && task_is_live(t, now_ms, &err)) {
            found = t;
            ++*count;
        }
    }
    return *count == 1 ? found : NULL;
}

void tasks_sweep(struct tasks *ts, int64_t keep_from_ms)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&ts->by_id, &i, &id, &v);) {
        struct task *t = v;
        if (t->state == TASK_ACTIVE || t->closed_ms >= keep_from_ms || t->live_children ||
            t->uses)
            continue;
        if (t->parent)
            t->parent->live_children--;
        map_del(&ts->by_id, id);
        task_free(t);
    }
}

void tasks_fini(struct tasks *ts)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&ts->by_id, &i, &id, &v);)
        task_free(v);
    map_fini(&ts->by_id);
}

/* ---- stored form ---- */

void task_grants_write(const struct task *t, struct buf *out)
{
    struct jw w = jw(out);
    jw_obj(&w);
    jw_key(&w, S("operations"));
    jw_arr(&w);
    for (size_t i = 0; i < t->operations_n; i++)
        jw_str(&w, t->operations[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
}

bool task_restore(const struct task_row *row, struct task *parent, struct task **out,
                  struct err *err)
{
    ARENA_SCOPE struct arena scratch = {0};
    const json *grants, *op;
    if (!id_is_valid(row->id, 't'))
        return err_input(err, "stored task has no valid id");
    if (!json_read(&scratch, row->grants, NULL, &grants, err))
        return err_in(err, "task %.*s", STR(row->id));
    const json *list = json_get(grants, S("operations"));
    str *ops = ARENA_ARRAY(&scratch, str, json_count(list) + 1);
    size_t n = 0;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &op);)
        ops[n++] = json_str(op);
    struct task *t = task_alloc();
    memcpy(t->id.s, row->id.p, ID_LEN);
    t->parent = parent;
    t->depth = parent ? parent->depth + 1 : 0;
    t->state = TASK_ACTIVE;
    t->owner = str_dup(&t->arena, row->owner);
    t->agent = str_dup(&t->arena, row->agent);
    t->purpose = str_dup(&t->arena, row->purpose);
    t->opened_ms = row->opened_ms;
    t->deadline_ms = row->deadline_ms;
    t->calls_left = row->calls_left;
    set_operations(t, ops, n);
    *out = t;
    return true;
}

/* ---- tokens ---- */

str task_agent_id(struct arena *a, const struct conf *conf, str agent)
{
    return str_fmt(a, "spiffe://%.*s/agent/%.*s", STR(conf->trust_domain), STR(agent));
}

/* act: outermost is the holder, nested are the delegators (RFC 8693 section 4.1). */
static void write_act(struct jw *w, struct arena *a, const struct conf *conf, const struct task *t)
{
    jw_key(w, S("act"));
    jw_obj(w);
    jw_kstr(w, S("sub"), task_agent_id(a, conf, t->agent));
    if (t->parent)
        write_act(w, a, conf, t->parent); /* at most TASK_DEPTH_MAX levels */
    jw_end_obj(w);
}

void task_token_claims(const struct task *t, const struct conf *conf, str cert, bool high,
                       int64_t now_ms, struct buf *out)
{
    ARENA_SCOPE struct arena a = {0};
    int64_t exp_ms = now_ms + (high ? 60 * 1000 : TASK_TOKEN_MS_MAX);
    if (exp_ms > t->deadline_ms)
        exp_ms = t->deadline_ms;
    struct id jti = id_new('j');
    struct jw w = jw(out);
    jw_obj(&w);
    jw_kstr(&w, S("aud"), str_fmt(&a, "%.*s/mcp", STR(conf->issuer)));
    jw_kstr(&w, S("sub"), t->owner);
    jw_kstr(&w, S("client_id"), task_agent_id(&a, conf, t->agent));
    jw_ki64(&w, S("iat"), now_ms / 1000);
    jw_ki64(&w, S("exp"), exp_ms / 1000);
    jw_kstr(&w, S("jti"), id_str(&jti));
    write_act(&w, &a, conf, t);
    jw_key(&w, S("authorization_details"));
    jw_arr(&w);
    jw_obj(&w);
    jw_kstr(&w, S("type"), S("tool_call"));
    jw_key(&w, S("actions"));
    jw_arr(&w);
    for (size_t i = 0; i < t->operations_n; i++)
        jw_str(&w, t->operations[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_key(&w, S("task"));
    jw_obj(&w);
    jw_kstr(&w, S("id"), id_str(&t->id));
    if (t->parent)
        jw_kstr(&w, S("parent"), id_str(&t->parent->id));
    jw_end_obj(&w);
    if (cert.n) {
        jw_key(&w, S("cnf"));
        jw_obj(&w);
        jw_kstr(&w, S("x5t#S256"), base64url_dup(&a, cert));
        jw_end_obj(&w);
    }
    jw_end_obj(&w);
}
