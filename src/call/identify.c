/* Who asks: a task token, or a connection whose peer the kernel has named, to a task. */
#include "call/gate.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "call/request.h"

#include <stdio.h>
#include <stdlib.h>

/* A token that was verified: its text is the key, so the next request costs a look-up, not a
 * signature check. The task's state is never cached. */
struct known_token {
    struct id task;
    int64_t exp_ms;
    bool has_cert;
    uint8_t cert[HASH_LEN];
};

enum { KNOWN_TOKENS_MAX = 65536 };

static str conn_key(int64_t conn, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%lld", (long long)conn));
}

void gate_attest(struct gate *g, const struct attested *who)
{
    char room[24];
    struct attested *copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    *copy = *who;
    free(map_put(&g->conns, conn_key(who->conn, room), copy));
    gate_seen(g, who->agent->name, PLACE_PROCESS, str_z(who->instance), clock_wall_ms());
}

void gate_conn_closed(struct gate *g, int64_t conn)
{
    char room[24];
    struct attested *who = map_del(&g->conns, conn_key(conn, room));
    struct agent *agent = who ? agents_find(&g->agents, who->agent->name) : NULL;
    if (agent)
        agents_left(&g->agents, agent, str_z(who->instance), clock_wall_ms());
    gate_agents_changed(g);
    free(who);
}

void gate_conn_dropped(struct gate *g, uint32_t edge, int64_t conn)
{
    char room[24];
    const struct attested *who = map_get(&g->conns, conn_key(conn, room));
    if (who && who->edge == edge)
        gate_conn_closed(g, conn);
}

void gate_tokens_sweep(struct gate *g, int64_t now_ms)
{
    str text;
    void *v;
    for (size_t i = 0; map_next(&g->tokens, &i, &text, &v);) {
        struct known_token *k = v;
        if (now_ms >= k->exp_ms)
            free(map_del(&g->tokens, text));
    }
}

void gate_tokens_forget(struct gate *g)
{
    str text;
    void *v;
    for (size_t i = 0; map_next(&g->tokens, &i, &text, &v);)
        free(map_del(&g->tokens, text));
}

static bool read_cnf(const struct jwt *jwt, struct arena *a, struct known_token *k, struct err *err)
{
    str text = json_get_str(jwt->cnf, S("x5t#S256")), cert;
    if (!jwt->cnf)
        return true;
    if (json_count(jwt->cnf) != 1 || !base64url_decode(a, text, &cert) || cert.n != HASH_LEN)
        return err_input(err, "the token is bound in a way that is not known here");
    k->has_cert = true;
    memcpy(k->cert, cert.p, HASH_LEN);
    return true;
}

static struct known_token *verify_token(struct gate *g, str token, int64_t now_ms, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct jwt jwt;
    struct jwt_want want = {.typ = S("at+jwt"),
                            .iss = str_fmt(&a, "https://%.*s", STR(g->conf->trust_domain)),
                            .aud = str_fmt(&a, "https://%.*s/mcp", STR(g->conf->trust_domain)),
                            .now_s = now_ms / 1000,
                            .life_s_max = TASK_TOKEN_MS_MAX / 1000};
    if (!jwt_verify(&a, token, &g->token_keys, &want, &jwt, err))
        return NULL;
    str task = json_get_str(jwt.task, S("id"));
    struct known_token k = {.exp_ms = jwt.exp_s * 1000};
    if (!id_is_valid(task, 't')) {
        err_input(err, "the token names no task");
        return NULL;
    }
    memcpy(k.task.s, task.p, ID_LEN);
    if (!read_cnf(&jwt, &a, &k, err))
        return NULL;
    if (map_count(&g->tokens) >= KNOWN_TOKENS_MAX)
        gate_tokens_sweep(g, now_ms);
    struct known_token *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = k;
    free(map_put(&g->tokens, token, kept));
    return kept;
}

static struct task *by_token(struct gate *g, const struct proof *p, int64_t now_ms, struct err *err)
{
    struct known_token *k = map_get(&g->tokens, p->token);
    if (!k)
        k = verify_token(g, p->token, now_ms, err);
    if (!k)
        return NULL;
    if (now_ms >= k->exp_ms) {
        err_denied(err, "the token has expired; get a new one with `ambit task token`");
        return NULL;
    }
    if (p->listener >= g->conf->listeners_n) {
        err_denied(err, "no such listener");
        return NULL;
    }
    if (k->has_cert && !str_eq_secret(str_of((const char *)k->cert, HASH_LEN), p->cert)) {
        err_denied(err, "the token is bound to another client certificate");
        return NULL;
    }
    struct task *t = tasks_find(&g->tasks, id_str(&k->task));
    if (!t) {
        err_denied(err, "the token's task is not known any more; ask its owner for a new one");
        return NULL;
    }
    const struct conf_agent *agent = conf_agent(g->conf, t->agent);
    bool may_bear = agent && agent->bearer && g->conf->listeners[p->listener].bearer;
    if (!k->has_cert && !may_bear) {
        err_denied(err, "bearer tokens of agent %.*s are not accepted here", STR(t->agent));
        return NULL;
    }
    return t;
}

static struct task *by_conn(struct gate *g, uint32_t edge, const struct proof *p, int64_t now_ms,
                            const struct attested **out_who, struct err *err)
{
    char room[24];
    const struct attested *who = map_get(&g->conns, conn_key(p->conn, room));
    if (!who || who->edge != edge) {
        err_denied(err, "the connection is not attested");
        return NULL;
    }
    *out_who = who;
    struct asker asker = {who->agent->name, str_z(who->instance)};
    if (p->task.n) {
        struct task *t = tasks_find(&g->tasks, p->task);
        if (t && t->state == TASK_GRANTED)
            return gate_redeem(g, p->task, &asker, &t, err) ? t : NULL;
        if (t && str_eq(t->agent, who->agent->name))
            return t;
        err_denied(err, "agent %.*s has no task %.*s; `ambit task list` shows what it has",
                   STR(who->agent->name), STR(p->task));
        return NULL;
    }
    size_t n;
    struct task *t = tasks_only_of(&g->tasks, who->agent->name, now_ms, &n);
    if (!t)
        err_denied(err,
                   n ? "agent %.*s has several tasks: say which one with --task"
                     : "agent %.*s has no open task; its owner opens one with `ambit task open`",
                   STR(who->agent->name));
    return t;
}

static bool in_session(struct gate *g, const struct proof *p, const struct caller *who,
                       int64_t now_ms, struct err *err)
{
    if (!p->session.n)
        return true;
    struct session *s = map_get(&g->sessions, p->session);
    bool own = s && s->listener == p->listener && str_eq(str_z(s->instance), who->instance);
    /* One that was opened without a task takes the first that its process uses. */
    if (own && !s->task.s[0] && who->task && who->instance.n)
        s->task = who->task->id;
    own = own && str_eq(id_str(&s->task), who->task ? id_str(&who->task->id) : S(""));
    if (!own)
        return err_notfound(err, "no such session");
    s->used_ms = now_ms;
    return true;
}

bool gate_identify_agent(struct gate *g, uint32_t edge, const struct proof *p, int64_t now_ms,
                         struct asker *out, enum refusal_kind *kind, struct err *err)
{
    char room[24];
    const struct attested *who = map_get(&g->conns, conn_key(p->conn, room));
    *kind = REFUSAL_UNAUTHENTICATED;
    if (p->kind != PROOF_CONN || !who || who->edge != edge) {
        g->counts.unauthenticated++;
        return err_denied(err,
                          "only an agent on an attested connection may do this without a task: "
                          "start it with `ambit connect`");
    }
    struct session *s = p->session.n ? map_get(&g->sessions, p->session) : NULL;
    *kind = REFUSAL_SESSION;
    if (p->session.n && !(s && str_eq(str_z(s->instance), str_z(who->instance))))
        return err_notfound(err, "no such session");
    if (s)
        s->used_ms = now_ms;
    *kind = REFUSAL_DENIED;
    if (!agents_may(&g->agents, who->agent->name, err))
        return false;
    *out = (struct asker){who->agent->name, str_z(who->instance)};
    return true;
}

bool gate_identify(struct gate *g, uint32_t edge, const struct proof *p, int64_t now_ms,
                   struct caller *out, enum refusal_kind *kind, struct err *err)
{
    struct caller c = {0};
    *kind = REFUSAL_UNAUTHENTICATED;
    if (p->kind == PROOF_TOKEN)
        c.task = by_token(g, p, now_ms, err);
    else if (p->kind == PROOF_CONN)
        c.task = by_conn(g, edge, p, now_ms, &c.attested, err);
    else
        err_denied(err, "no task token; get one with `ambit task token`");
    if (!c.task) {
        g->counts.unauthenticated++;
        return false;
    }
    c.instance = c.attested ? str_z(c.attested->instance) : (str){0};
    *kind = REFUSAL_SESSION;
    if (!in_session(g, p, &c, now_ms, err))
        return false;
    *out = c;
    *kind = REFUSAL_DENIED;
    return (!g->agents.suspended || agents_may_all(&g->agents, c.task, err)) &&
           task_is_live(c.task, now_ms, err);
}
