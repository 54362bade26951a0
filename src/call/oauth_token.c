/* The token endpoint: which task, for which resource, how long, and the signature. */
#include "call/oauth_int.h"
#include "call/request.h"
#include "base/clock.h"
#include "base/limits.h"

#include <stdlib.h>

/* ---- what a token may be for ---- */

/* One of the endpoints that this configuration has, by the name of any listener or the issuer's. */
static bool is_ours(const struct oauth_request *r, str resource)
{
    const struct conf *c = r->g->conf;
    for (size_t i = 0; i <= c->listeners_n; i++) {
        str base = i < c->listeners_n ? c->listeners[i].url : c->issuer, rest;
        if (!str_starts(resource, base) ||
            !str_starts(rest = str_skip(resource, base.n), S("/mcp")))
            continue;
        rest = str_skip(rest, 4);
        if (!rest.n)
            return true;
        const struct conf_binding *b = rest.p[0] == '/' ? conf_binding(c, str_skip(rest, 1)) : NULL;
        if (b && b->kind != BINDING_INTERNAL)
            return true;
    }
    return false;
}

bool oauth_resource(struct oauth_request *r, str *out)
{
    str resource = oauth_param(r, S("resource")), audience = oauth_param(r, S("audience"));
    if (resource.n && audience.n && !str_eq(resource, audience))
        return oauth_error(r, "invalid_target", "a token has one audience");
    if (!resource.n)
        resource = audience;
    if (!resource.n)
        resource = conf_resource(r->a, r->listener, (str){0});
    if (!is_ours(r, resource))
        return oauth_error(r, "invalid_target",
                           "there is no such resource here; "
                           "see /.well-known/oauth-protected-resource/mcp");
    *out = resource;
    return true;
}

bool oauth_may_hold(struct oauth_request *r, const struct task *t)
{
    struct err err;
    if (!t || !str_eq(t->agent, r->agent->name))
        return oauth_error(r, "invalid_grant", "agent %.*s has no such task", STR(r->agent->name));
    if (!agents_may_all(&r->g->agents, t, &err) ||
        !gate_check_revoked(r->g, t, (str){0}, r->m->proof.cert, r->now_ms, &err))
        return oauth_error(r, "access_denied", "%s", err.text);
    return task_is_live(t, r->now_ms, &err) || oauth_error(r, "invalid_grant", "%s", err.text);
}

/* ---- issuing ---- */

/* What is left to say when the keeper has signed. */
struct issuing {
    struct gate *g;
    uint32_t edge;
    uint64_t id;
    int64_t life_s;
    bool exchanged, dpop;
    struct dpop_nonce nonce;
    struct arena arena;
    str details; /* JSON */
    struct id task;
};

static void write_answer(struct jw *w, const struct issuing *i, str token)
{
    jw_obj(w);
    jw_kstr(w, S("access_token"), token);
    jw_kstr(w, S("token_type"), i->dpop ? S("DPoP") : S("Bearer"));
    jw_ki64(w, S("expires_in"), i->life_s);
    jw_key(w, S("authorization_details"));
    jw_raw(w, i->details);
    if (i->exchanged)
        jw_kstr(w, S("issued_token_type"), S("urn:ietf:params:oauth:token-type:access_token"));
    jw_end_obj(w);
}

static void on_signed(void *arg, str token, str why)
{
    struct issuing *i = arg;
    struct oauth_request r = {
        .g = i->g, .edge = i->edge, .id = i->id, .challenge = {.nonce = i->nonce}};
    const struct task *t = tasks_find(&i->g->tasks, id_str(&i->task));
    struct buf b = {0};
    struct jw w = jw(&b);
    struct err err;
    if (!token.n) {
        oauth_error(&r, "temporarily_unavailable", "%.*s", STR(why));
    } else if (!t || !task_is_live(t, clock_wall_ms(), &err)) {
        /* It ended while the keeper signed: nobody gets the token. */
        oauth_error(&r, "invalid_grant", "the task has ended");
    } else {
        write_answer(&w, i, token);
        oauth_reply(&r, 200, buf_str(&b));
        i->g->counts.tokens++;
    }
    buf_fini(&b);
    arena_fini(&i->arena);
    free(i);
}

/* What was granted, in the words of the request (RFC 9396 section 7). */
static str details_of(struct arena *a, const struct oauth_wanted *want)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    size_t n = want->narrowed ? want->operations_n : want->task->operations_n;
    const str *ops = want->narrowed ? want->operations : want->task->operations;
    jw_arr(&w);
    jw_obj(&w);
    jw_kstr(&w, S("type"), S("ambit_task"));
    jw_kstr(&w, S("task"), id_str(&want->task->id));
    jw_end_obj(&w);
    jw_obj(&w);
    jw_kstr(&w, S("type"), S("tool_call"));
    jw_key(&w, S("actions"));
    jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        jw_str(&w, ops[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
    jw_end_arr(&w);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* 60 s where the token opens something that cannot be undone; never longer than what it stands on.
 */
static int64_t expiry(const struct oauth_request *r, const struct oauth_wanted *w)
{
    int64_t life = oauth_is_high(r->g, w) ? TASK_TOKEN_HIGH_MS_MAX : TASK_TOKEN_MS_MAX;
    int64_t at = least(r->now_ms + life, w->expires_ms);
    for (const struct task *t = w->task; t; t = t->parent)
        at = least(at, t->deadline_ms);
    return r->who.expires_ms ? least(at, r->who.expires_ms) : at;
}

void oauth_issue(struct oauth_request *r, const struct oauth_wanted *w)
{
    int64_t expires_ms = expiry(r, w), life_s = expires_ms / 1000 - r->now_ms / 1000;
    if (life_s < 1) {
        oauth_error(r, "invalid_grant", "the task, or the proof of identity, is about to end");
        return;
    }
    struct issuing *i = calloc(1, sizeof *i);
    if (!i)
        abort();
    *i = (struct issuing){.g = r->g,
                          .edge = r->edge,
                          .id = r->id,
                          .life_s = life_s,
                          .exchanged = w->exchanged,
                          .dpop = r->has_jkt,
                          .nonce = r->challenge.nonce,
                          .task = w->task->id};
    i->details = details_of(&i->arena, w);
    struct buf claims = {.max = JWS_BYTES_MAX};
    oauth_claims(r, w, expires_ms, &claims);
    r->g->out.sign_jwt(r->g->out.ctx, SIGN_TASK_TOKEN, buf_str(&claims), on_signed, i);
    buf_fini(&claims);
}

/* ---- client_credentials (RFC 6749 section 4.4) ---- */

/* The only one that was delegated and not taken up yet. */
static struct task *only_granted(const struct oauth_request *r)
{
    struct task *t, *found = NULL;
    size_t n = 0;
    for (struct list *it = NULL; (t = tasks_next_of(&r->g->tasks, r->agent->name, &it));)
        if (t->state == TASK_GRANTED) {
            found = t;
            n++;
        }
    return n == 1 ? found : NULL;
}

static struct task *pick_task(struct oauth_request *r, const struct oauth_details *d)
{
    size_t n;
    if (d->task.n)
        return tasks_find(&r->g->tasks, d->task);
    struct task *t = tasks_only_of(&r->g->tasks, r->agent->name, r->now_ms, &n);
    if (!t && !n)
        t = only_granted(r);
    if (!t)
        oauth_error(r, "invalid_grant",
                    n ? "agent %.*s has several tasks: name one with the parameter task"
                      : "agent %.*s has no open task: its owner opens one",
                    STR(r->agent->name));
    return t;
}

/* What another task has delegated is taken up by its agent, with its own identity, once. */
static bool redeem(struct oauth_request *r, struct task *t)
{
    struct asker who = {.agent = r->agent->name, .instance = r->who.instance};
    struct err err;
    return !t || t->state != TASK_GRANTED || gate_redeem(r->g, id_str(&t->id), &who, &t, &err) ||
           oauth_error(r, "invalid_grant", "%s", err.text);
}

static void client_credentials(struct oauth_request *r)
{
    struct oauth_details d;
    struct oauth_wanted w = {.expires_ms = INT64_MAX};
    if (!oauth_details(r, &d) || !oauth_resource(r, &w.resource))
        return;
    if (d.wish) {
        oauth_wish(r, &d, &w);
        return;
    }
    w.task = pick_task(r, &d);
    if ((!w.task && !d.task.n) || !redeem(r, w.task))
        return; /* answered */
    if (oauth_may_hold(r, w.task) && oauth_narrow(r, &d, &w))
        oauth_issue(r, &w);
}

static const struct {
    const char *name;
    void (*fn)(struct oauth_request *r);
    bool proves_itself; /* its client is judged there */
} GRANTS[] = {
    {"client_credentials", client_credentials, false},
    {"urn:ietf:params:oauth:grant-type:token-exchange", oauth_exchange, false},
    {"urn:openid:params:grant-type:ciba", oauth_poll, false},
    {"authorization_code", oauth_code, true},
};

void oauth_token(struct oauth_request *r)
{
    str type = oauth_param(r, S("grant_type"));
    if (!type.n) {
        oauth_error(r, "invalid_request", "grant_type is missing");
        return;
    }
    for (size_t i = 0; i < sizeof GRANTS / sizeof GRANTS[0]; i++)
        if (str_eq(type, str_z(GRANTS[i].name))) {
            if (GRANTS[i].proves_itself || (oauth_client(r) && oauth_binding(r)))
                GRANTS[i].fn(r);
            return;
        }
    oauth_error(r, "unsupported_grant_type",
                "see grant_types_supported in "
                "/.well-known/oauth-authorization-server");
}
