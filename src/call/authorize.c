#include "call/authorize.h"
#include "base/clock.h"

#include <stdlib.h>

/* ---- the task ---- */

/* A member that is not known might be a bound, so it is refused. */
static bool members_known(const json *v, struct err *err)
{
    static const char *const known[] = {"purpose", "deadline",   "operations", "ceiling",
                                        "budgets", "delegation", "calls"};
    str name;
    const json *member;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &member);) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            found |= str_eq(name, str_z(known[i]));
        if (!found)
            return err_input(err, "ambit_task: \"%.*s\" is not known", STR(str_take(name, 40)));
    }
    return true;
}

static bool operations_exist(struct gate *g, const struct task *t, struct err *err)
{
    for (size_t i = 0; i < t->operations_n; i++) {
        str binding, tool;
        str_cut(t->operations[i], '/', &binding, &tool);
        const struct conf_binding *b = conf_binding(g->conf, binding);
        if (!catalog_operation(&g->catalog, t->operations[i]) && !(b && conf_operation(b, tool)))
            return err_notfound(err, "%.*s: the binding has no such tool", STR(t->operations[i]));
    }
    return true;
}

bool authorize_task(struct gate *g, const struct authorization *z, int64_t now_ms,
                    struct task **out, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const json *v;
    struct task *t;
    struct task_wish wish = {.owner = z->agent->owner, .agent = z->agent->name};
    wish.opened_by = str_fmt(&a, "consent:%s", z->id.s);
    if (!json_read(&a, z->task, NULL, &v, err) || !members_known(v, err))
        return false;
    str life = json_get_str(v, S("deadline"));
    wish.purpose = json_get_str(v, S("purpose"));
    if (json_get(v, S("deadline")) && !clock_parse_duration(life, &wish.life_ms))
        return err_input(err, "ambit_task: \"deadline\" must be a duration such as \"30m\"");
    if (!wish.purpose.n)
        return err_input(err, "ambit_task: \"purpose\" must say what the task is for");
    if (!task_wish_read(&a, v, &wish, err) || !agents_may(&g->agents, wish.agent, err) ||
        !task_new(g->conf, &wish, now_ms, &t, err))
        return false;
    if (!operations_exist(g, t, err)) {
        task_free(t);
        return false;
    }
    *out = t;
    return true;
}

/* ---- consenting ---- */

bool authorize_is_read_only(const struct gate *g, const struct task *t)
{
    for (size_t i = 0; i < t->operations_n; i++) {
        str binding, tool;
        str_cut(t->operations[i], '/', &binding, &tool);
        const struct conf_binding *b = conf_binding(g->conf, binding);
        const struct conf_operation *op = b ? conf_operation(b, tool) : NULL;
        if (!op || op->effect != EFFECT_READ)
            return false;
    }
    return true;
}

/* oidc-hwk: by a login provider that says the person used a hardware key (RFC 8176). */
static str consent_method(const struct person_session *session, bool by_passkey)
{
    if (by_passkey)
        return S("passkey");
    if (!session || session->method != SIGN_IN_OIDC)
        return S("uid");
    return session_has_amr(session, S("hwk")) ? S("oidc-hwk") : S("oidc");
}

bool authorize_may_consent(struct gate *g, const struct conf_person *who,
                           const struct person_session *session, bool by_passkey,
                           const struct task *t, int64_t now_ms, struct arena *a,
                           struct verdict *out, struct err *err)
{
    struct policy_person person = {who->name, who->roles, consent_method(session, by_passkey)};
    struct buf ids = {0};
    if (!policy_consent(g->policy, g->conf, &person, t, now_ms, a, out, err))
        return false;
    if (out->decision == DECISION_ALLOW)
        return true;
    for (size_t i = 0; i < out->policies_n; i++)
        buf_printf(&ids, "%s%.*s", i ? ", " : "", STR(out->policies[i]));
    err_denied(err, "%.*s may not consent to this: %.*s. %.*s", STR(who->name),
               STR(out->policies_n ? buf_str(&ids) : S("no policy permits it")), STR(out->advice));
    buf_fini(&ids);
    return false;
}

/* ---- redeeming ---- */

struct redeeming {
    struct gate *g;
    struct task *task;
    struct id authorization;
    authorize_done_fn *done;
    void *arg;
};

static void close_replayed(struct gate *g, struct authorization *z)
{
    struct task *t = tasks_find(&g->tasks, id_str(&z->opened));
    z->poisoned = true;
    if (t && task_state_is_open(t->state))
        gate_close_task(g, t, TASK_REVOKED, S("its code was used twice"), S("policy"), NULL, NULL);
}

static void on_opened(void *arg, const struct store_result *res)
{
    struct redeeming *r = arg;
    struct authorization *z = map_get(&r->g->authorizations.by_id, id_str(&r->authorization));
    struct err err;
    if (res->outcome != STORE_COMMITTED) {
        err_system(&err, "the task could not be recorded, so it is not open");
        task_free(r->task);
        r->done(r->arg, NULL, (str){0}, &err);
    } else {
        tasks_add(&r->g->tasks, r->task);
        if (z && z->poisoned) {
            close_replayed(r->g, z);
            err_denied(&err, "the code was used twice meanwhile");
            r->done(r->arg, NULL, (str){0}, &err);
        } else {
            r->done(r->arg, r->task, z ? z->resource : (str){0}, NULL);
        }
    }
    free(r);
}

void authorize_redeem(struct gate *g, const struct code_use *use, int64_t now_ms,
                      authorize_done_fn *done, void *arg)
{
    struct authorization *z;
    struct task *t;
    struct err err;
    bool replayed;
    if (!authorization_use(&g->authorizations, use, now_ms, &z, &replayed, &err)) {
        if (replayed)
            close_replayed(g, z);
        done(arg, NULL, (str){0}, &err);
        return;
    }
    if (!authorize_task(g, z, now_ms, &t, &err)) {
        done(arg, NULL, (str){0}, &err);
        return;
    }
    struct redeeming *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    *r = (struct redeeming){g, t, z->id, done, arg};
    z->opened = t->id;
    struct store_txn *txn = store_txn_new(g->store);
    gate_add_task_open(g, txn, t, t->opened_by);
    gate_submit(g, txn, on_opened, r);
}
