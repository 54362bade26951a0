/* Claims of a task token. */
#include "base/hex.h"
#include "base/limits.h"
#include "task/task.h"

str task_agent_id(struct arena *a, const struct conf *conf, str agent)
{
    return str_fmt(a, "spiffe://%.*s/agent/%.*s", STR(conf->trust_domain), STR(agent));
}

/* act: outermost is the holder, nested are the delegators (RFC 8693 section 4.1). */
static void write_act(struct jw *w, struct arena *a, const struct conf *conf, const struct task *t)
{
    unsigned open = 0;
    for (; t; t = t->parent, open++) {
        jw_key(w, S("act"));
        jw_obj(w);
        jw_kstr(w, S("sub"), task_agent_id(a, conf, t->agent));
    }
    while (open--)
        jw_end_obj(w);
}

/* A token is a copy of what core judges by; one with very many bounds names only the operations,
 * and says so. */
enum { BOUNDS_IN_TOKEN_BYTES_MAX = 3000 };

static bool bounds_fit(const struct task *t)
{
    struct buf b = {.max = BOUNDS_IN_TOKEN_BYTES_MAX};
    struct jw w = jw(&b);
    grant_set_write(&w, t->grants);
    bool fits = !b.over;
    buf_fini(&b);
    return fits;
}

static void write_bounds(struct jw *w, const struct task *t)
{
    jw_key(w, S("constraints"));
    jw_obj(w);
    for (size_t i = 0; i < t->grants->n; i++) {
        const struct task_grant *g = &t->grants->grants[i];
        if (!g->args_n)
            continue;
        jw_key(w, g->operation);
        jw_obj(w);
        for (size_t k = 0; k < g->args_n; k++) {
            jw_key(w, g->args[k].arg);
            constraint_write(w, &g->args[k]);
        }
        jw_end_obj(w);
    }
    jw_end_obj(w);
}

void task_authorization_details(struct jw *w, const struct task *t)
{
    bool bounded = false;
    for (size_t i = 0; i < t->grants->n; i++)
        bounded = bounded || t->grants->grants[i].args_n;
    jw_obj(w);
    jw_kstr(w, S("type"), S("tool_call"));
    jw_key(w, S("actions"));
    jw_arr(w);
    for (size_t i = 0; i < t->operations_n; i++)
        jw_str(w, t->operations[i]);
    jw_end_arr(w);
    if (bounded && bounds_fit(t))
        write_bounds(w, t);
    else if (bounded)
        jw_kstr(w, S("constraints"), S("at the issuer"));
    jw_kstr(w, S("confidentiality"), confidentiality_name(t->ceiling.level));
    jw_key(w, S("delegation"));
    jw_obj(w);
    jw_ki64(w, S("max_depth"), t->levels);
    jw_ki64(w, S("max_children"), t->children_max);
    jw_end_obj(w);
    jw_end_obj(w);
}

void task_token_claims(const struct task *t, const struct conf *conf, str endpoint, str cert,
                       bool high, int64_t now_ms, struct buf *out)
{
    ARENA_SCOPE struct arena a = {0};
    int64_t exp_ms = now_ms + (high ? 60 * 1000 : TASK_TOKEN_MS_MAX);
    if (exp_ms > t->deadline_ms)
        exp_ms = t->deadline_ms;
    struct id jti = id_new('j');
    struct jw w = jw(out);
    jw_obj(&w);
    jw_kstr(&w, S("aud"),
            conf_resource(&a, &(struct conf_listener){.url = conf->issuer}, endpoint));
    jw_kstr(&w, S("sub"), t->owner);
    jw_kstr(&w, S("client_id"), task_agent_id(&a, conf, t->agent));
    jw_ki64(&w, S("iat"), now_ms / 1000);
    jw_ki64(&w, S("exp"), exp_ms / 1000);
    jw_kstr(&w, S("jti"), id_str(&jti));
    write_act(&w, &a, conf, t);
    jw_key(&w, S("authorization_details"));
    jw_arr(&w);
    task_authorization_details(&w, t);
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
