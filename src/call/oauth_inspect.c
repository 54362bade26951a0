/* Introspection (RFC 7662) and revocation (RFC 7009). What a token is worth is judged as a call
 * with it would be, at this instant: a token whose task or any ancestor has ended is not active. */
#include "call/oauth_int.h"

#include <stdlib.h>

/* ---- introspection ---- */

static void write_active(struct jw *w, const struct token_facts *t)
{
    static const char *const copied[] = {"iss", "sub", "aud", "client_id", "jti",
                                         "iat", "exp", "cnf", "act",       "authorization_details",
                                         "task"};
    jw_kbool(w, S("active"), true);
    jw_kstr(w, S("token_type"), t->dpop ? S("DPoP") : S("Bearer"));
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        const json *v = json_get(t->claims, str_z(copied[i]));
        if (v)
            jw_kvalue(w, str_z(copied[i]), v);
    }
}

/* The agent itself, and whoever the configuration lets ask about every token. Others learn nothing,
 * not even that the token exists. */
static bool may_ask(const struct oauth_request *r, const struct token_facts *t)
{
    return r->agent->introspects || str_eq(t->task->agent, r->agent->name);
}

void oauth_introspect(struct oauth_request *r)
{
    struct token_facts t;
    struct err err;
    struct buf b = {0};
    struct jw w = jw(&b);
    str token = oauth_param(r, S("token"));
    if (!oauth_client(r))
        return;
    if (!token.n) {
        oauth_error(r, "invalid_request", "token is missing");
        return;
    }
    jw_obj(&w);
    if (gate_token_read(r->g, r->a, token, r->now_ms, &t, &err) && may_ask(r, &t) &&
        agents_may_all(&r->g->agents, t.task, &err) &&
        gate_check_revoked(r->g, t.task, (str){0}, (str){0}, r->now_ms, &err) &&
        task_is_live(t.task, r->now_ms, &err))
        write_active(&w, &t);
    else
        jw_kbool(&w, S("active"), false);
    jw_end_obj(&w);
    oauth_reply(r, 200, buf_str(&b));
    buf_fini(&b);
}

/* ---- revocation ---- */

struct revoking {
    struct gate *g;
    uint32_t edge;
    uint64_t id;
};

static void on_revoked(void *arg, const struct store_result *res)
{
    struct revoking *v = arg;
    struct oauth_request r = {.g = v->g, .edge = v->edge, .id = v->id};
    if (res->outcome == STORE_COMMITTED)
        oauth_reply(&r, 200, S("{}"));
    else
        oauth_error(&r, "temporarily_unavailable", "revoked, and not yet recorded: ask again");
    free(v);
}

static bool remember(struct oauth_request *r, const struct token_facts *t)
{
    struct err err;
    struct revoking *v = malloc(sizeof *v);
    if (!v)
        abort();
    *v = (struct revoking){r->g, r->edge, r->id};
    if (oauth_revoked_add(r->g, t->jti, t->task->agent, t->exp_ms, r->now_ms, on_revoked, v, &err))
        return true;
    free(v);
    return oauth_error(r, "temporarily_unavailable", "%s", err.text);
}

/* A holder that is done may complete its task: every token of it is dead, everywhere, at once. */
static void complete(struct oauth_request *r, struct task *t)
{
    if (t->state == TASK_ACTIVE)
        gate_close_task(r->g, t, TASK_COMPLETED, S("completed by its agent"), r->agent->name, NULL,
                        NULL);
}

void oauth_revoke(struct oauth_request *r)
{
    struct token_facts t;
    struct err err;
    str token = oauth_param(r, S("token")), task = oauth_param(r, S("task"));
    if (!oauth_client(r))
        return;
    if (!token.n || (task.n && !str_eq(task, S("complete")))) {
        oauth_error(r, "invalid_request",
                    token.n ? "task must be \"complete\", or left out" : "token is missing");
        return;
    }
    /* A token that is not good any more, or never was, is revoked already (RFC 7009 section 2.2).
     */
    if (!gate_token_read(r->g, r->a, token, r->now_ms, &t, &err)) {
        oauth_reply(r, 200, S("{}"));
        return;
    }
    if (!str_eq(t.task->agent, r->agent->name)) {
        oauth_error(r, "invalid_request", "only its holder revokes a token; owners close the task");
        return;
    }
    if (!remember(r, &t))
        return;
    if (task.n)
        complete(r, t.task);
    gate_token_drop(r->g, token);
}
