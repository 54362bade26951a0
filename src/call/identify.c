/* Who asks: a task token, or a connection whose peer the kernel has named, to a task. */
#include "call/gate.h"
#include "call/close.h"
#include "call/oauth.h"
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
    bool has_cert, has_jkt;
    uint8_t cert[HASH_LEN];
    struct key_id jkt;
    str jti, aud;  /* in text[], as all of these */
    str holder;    /* the identity that it was issued to, as an agent of ours */
    str proven;    /* ... and as another trust domain calls it; empty: it is ours */
    bool narrowed; /* to fewer operations than the task has */
    size_t narrow_n;
    str *narrow; /* sorted; its own memory, and text[] */
    char text[];
};

enum { KNOWN_TOKENS_MAX = 65536 };

static void known_free(struct known_token *k)
{
    if (k)
        free(k->narrow);
    free(k);
}

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
            known_free(map_del(&g->tokens, text));
    }
}

void gate_tokens_forget(struct gate *g)
{
    gate_tokens_sweep(g, INT64_MAX);
}

/* ---- reading a token for the first time ---- */

static bool read_cnf(const struct jwt *jwt, struct arena *a, struct known_token *k, struct err *err)
{
    str text = json_get_str(jwt->cnf, S("x5t#S256")), jkt = json_get_str(jwt->cnf, S("jkt")), cert;
    if (!jwt->cnf)
        return true;
    if (json_count(jwt->cnf) == 1 && jkt.n == KEY_ID_LEN) {
        k->has_jkt = true;
        memcpy(k->jkt.s, jkt.p, KEY_ID_LEN);
        return true;
    }
    if (json_count(jwt->cnf) != 1 || !base64url_decode(a, text, &cert) || cert.n != HASH_LEN)
        return err_input(err, "the token is bound in a way that is not known here");
    k->has_cert = true;
    memcpy(k->cert, cert.p, HASH_LEN);
    return true;
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

/* The claim "operations" stands only in tokens that were exchanged for less than their task has. */
static bool read_narrow(const struct jwt *jwt, struct known_token *k, struct err *err)
{
    const json *list = json_get(jwt->task, S("operations")), *op;
    if (!list)
        return true;
    if (json_type(list) != JSON_ARRAY || json_count(list) > TASK_OPERATIONS_MAX)
        return err_input(err, "the token's operations are not a list");
    k->narrowed = true;
    k->narrow = calloc(json_count(list) + 1, sizeof *k->narrow);
    if (!k->narrow)
        abort();
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &op);)
        k->narrow[k->narrow_n++] = json_str(op);
    qsort(k->narrow, k->narrow_n, sizeof *k->narrow, by_name);
    return true;
}

static str keep(char **at, str s)
{
    str kept = str_of(*at, s.n);
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

/* All strings of the token in one piece of memory. */
static struct known_token *known_copy(const struct known_token *k)
{
    size_t n = k->jti.n + k->aud.n + k->holder.n + k->proven.n;
    for (size_t i = 0; i < k->narrow_n; i++)
        n += k->narrow[i].n;
    struct known_token *c = malloc(sizeof *c + n);
    if (!c)
        abort();
    *c = *k;
    char *at = c->text;
    c->jti = keep(&at, k->jti);
    c->aud = keep(&at, k->aud);
    c->holder = keep(&at, k->holder);
    c->proven = keep(&at, k->proven);
    for (size_t i = 0; i < k->narrow_n; i++)
        c->narrow[i] = keep(&at, k->narrow[i]);
    return c;
}

static bool read_token(struct gate *g, struct arena *a, str token, int64_t now_ms, struct jwt *jwt,
                       struct known_token *k, struct err *err)
{
    struct jwt_want want = {.typ = S("at+jwt"),
                            .iss = g->conf->issuer,
                            .aud_any = true, /* known_serves() looks at it, at every request */
                            .now_s = now_ms / 1000,
                            .life_s_max = TASK_TOKEN_MS_MAX / 1000};
    if (!jwt_verify(a, token, &g->token_keys, &want, jwt, err))
        return false;
    str task = json_get_str(jwt->task, S("id"));
    *k = (struct known_token){.exp_ms = jwt->exp_s * 1000,
                              .jti = jwt->jti,
                              .aud = jwt->aud,
                              .holder = jwt->client_id,
                              .proven = json_get_str(jwt->task, S("holder"))};
    if (!id_is_valid(task, 't'))
        return err_input(err, "the token names no task");
    memcpy(k->task.s, task.p, ID_LEN);
    if (!jwt->jti.n || oauth_is_revoked(g->oauth, jwt->jti))
        return err_denied(err, "the token was revoked; get a new one");
    return read_cnf(jwt, a, k, err) && read_narrow(jwt, k, err);
}

static struct known_token *verify_token(struct gate *g, str token, int64_t now_ms, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct jwt jwt;
    struct known_token k;
    if (!read_token(g, &a, token, now_ms, &jwt, &k, err))
        return NULL;
    if (map_count(&g->tokens) >= KNOWN_TOKENS_MAX)
        gate_tokens_sweep(g, now_ms);
    if (map_count(&g->tokens) >= KNOWN_TOKENS_MAX)
        gate_tokens_forget(g);
    struct known_token *kept = known_copy(&k);
    known_free(map_put(&g->tokens, token, kept));
    return kept;
}

/* The identity that got the token is not revoked: an instance of ours, or one of another trust
 * domain, which the name of the agent says nothing about. */
static bool holder_stands(const struct gate *g, const struct known_token *k, int64_t now_ms,
                          struct err *err)
{
    if (revoked_is_empty(&g->revoked))
        return true;
    return (!str_starts(k->holder, S("spiffe://")) ||
            revoked_check_id(&g->revoked, k->holder, now_ms, err)) &&
           (!k->proven.n || revoked_check_id(&g->revoked, k->proven, now_ms, err));
}

void gate_tokens_cut_revoked(struct gate *g, str by, int64_t now_ms)
{
    struct map tasks = {0};
    struct err err;
    str text;
    void *v;
    for (size_t i = 0; map_next(&g->tokens, &i, &text, &v);) {
        struct known_token *k = v;
        if (!holder_stands(g, k, now_ms, &err))
            map_put(&tasks, id_str(&k->task), k);
    }
    for (size_t i = 0; map_next(&tasks, &i, &text, &v);)
        gate_cut_agent(g, text, S("the identity of one of its agents was revoked"), by);
    map_fini(&tasks);
}

bool gate_token_read(struct gate *g, struct arena *a, str token, int64_t now_ms,
                     struct token_facts *out, struct err *err)
{
    struct jwt jwt;
    struct known_token k;
    if (!read_token(g, a, token, now_ms, &jwt, &k, err))
        return false;
    if (!holder_stands(g, &k, now_ms, err)) {
        free(k.narrow);
        return false;
    }
    *out = (struct token_facts){.task = tasks_find(&g->tasks, id_str(&k.task)),
                                .claims = jwt.claims,
                                .jti = jwt.jti,
                                .aud = jwt.aud,
                                .exp_ms = k.exp_ms,
                                .dpop = k.has_jkt,
                                .narrowed = k.narrowed,
                                .operations = arena_dup(a, k.narrow, k.narrow_n * sizeof(str)),
                                .operations_n = k.narrow_n};
    free(k.narrow);
    return out->task || err_denied(err, "the token's task is not known any more");
}

void gate_token_drop(struct gate *g, str token)
{
    known_free(map_del(&g->tokens, token));
}

/* ---- is it for here, and from its holder? ---- */

/* Where this request came in: by the name of its listener, or by the issuer's. */
static size_t addresses(const struct gate *g, const struct conf_listener *l, str endpoint,
                        struct arena *a, str out[2])
{
    struct conf_listener as_issuer = {.url = g->conf->issuer};
    out[0] = conf_resource(a, l, endpoint);
    if (str_eq(l->url, g->conf->issuer))
        return 1;
    out[1] = conf_resource(a, &as_issuer, endpoint);
    return 2;
}

/* base + "/mcp" + ("/" + endpoint), without making a string of it: this runs for every request. */
static bool is_resource(str aud, str base, str endpoint)
{
    if (!str_starts(aud, base))
        return false;
    str rest = str_skip(aud, base.n);
    if (!str_starts(rest, S("/mcp")))
        return false;
    rest = str_skip(rest, 4);
    return endpoint.n
               ? rest.n == endpoint.n + 1 && rest.p[0] == '/' && str_eq(str_skip(rest, 1), endpoint)
               : rest.n == 0;
}

static bool refuse_token(struct challenge *c, const char *code)
{
    c->error = str_z(code);
    return false;
}

static bool check_dpop(struct gate *g, const struct known_token *k, const struct proof *p,
                       int64_t now_ms, struct challenge *c, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    str at[2];
    struct dpop_proof proof;
    size_t n = addresses(g, &g->conf->listeners[p->listener], p->endpoint, &a, at);
    struct dpop_want want = {
        .htm = p->htm, .htu = at, .htu_n = n, .token = p->token, .now_s = now_ms / 1000};
    c->dpop = true;
    if (p->kind != PROOF_DPOP) {
        err_denied(err, "the token is bound to a key: send it as DPoP, with a proof");
        return refuse_token(c, "invalid_token");
    }
    if (!dpop_check(&a, p->dpop, &want, &proof, err))
        return refuse_token(c, "invalid_dpop_proof");
    if (!str_eq(key_id_str(&proof.jkt), key_id_str(&k->jkt))) {
        err_denied(err, "the token is bound to another key");
        return refuse_token(c, "invalid_token");
    }
    if (!oauth_take_proof(g->oauth, &proof, now_ms / 1000, c, err))
        return false;
    return true;
}

static bool check_bearer(struct gate *g, const struct known_token *k, const struct task *t,
                         const struct proof *p, struct err *err)
{
    const struct conf_agent *agent = conf_agent(g->conf, t->agent);
    bool may_bear = agent && agent->bearer && g->conf->listeners[p->listener].bearer;
    return k->has_cert || k->has_jkt || may_bear ||
           err_denied(err, "bearer tokens of agent %.*s are not accepted here", STR(t->agent));
}

static bool known_serves(struct gate *g, const struct known_token *k, const struct proof *p,
                         int64_t now_ms, struct challenge *c, struct err *err)
{
    c->error = S("invalid_token");
    if (now_ms >= k->exp_ms)
        return err_denied(err, "the token has expired; get a new one with `ambit task token`");
    if (p->listener >= g->conf->listeners_n)
        return err_denied(err, "no such listener");
    if (!is_resource(k->aud, g->conf->listeners[p->listener].url, p->endpoint) &&
        !is_resource(k->aud, g->conf->issuer, p->endpoint))
        return err_denied(err, "the token is for another resource than this endpoint");
    if (k->has_cert && (p->kind != PROOF_TOKEN ||
                        !str_eq_secret(str_of((const char *)k->cert, HASH_LEN), p->cert)))
        return err_denied(err, "the token is bound to another client certificate");
    if (k->has_jkt)
        return check_dpop(g, k, p, now_ms, c, err);
    return p->kind == PROOF_TOKEN || err_denied(err, "the token is not bound to a key: not DPoP");
}

/* Where the token's holder is, as its edge says: enough to be told of one identity at two places.
 */
static void note_places(struct gate *g, const struct task *t, const struct proof *p, int64_t now_ms)
{
    ARENA_SCOPE struct arena a = {0};
    gate_seen(g, t->agent, PLACE_ADDRESS, p->peer, now_ms);
    if (p->cert.n)
        gate_seen(g, t->agent, PLACE_CERTIFICATE, base64url_dup(&a, p->cert), now_ms);
}

static struct task *by_token(struct gate *g, const struct proof *p, int64_t now_ms,
                             struct caller *out, struct err *err)
{
    struct known_token *k = map_get(&g->tokens, p->token);
    out->challenge.error = S("invalid_token");
    out->challenge.dpop = p->kind == PROOF_DPOP;
    if (!k)
        k = verify_token(g, p->token, now_ms, err);
    if (!k || !known_serves(g, k, p, now_ms, &out->challenge, err))
        return NULL;
    struct task *t = tasks_find(&g->tasks, id_str(&k->task));
    out->challenge.error = S("invalid_token");
    if (!t)
        err_denied(err, "the token's task is not known any more; ask its owner for a new one");
    else if (!check_bearer(g, k, t, p, err) || !holder_stands(g, k, now_ms, err))
        t = NULL;
    if (t)
        note_places(g, t, p, now_ms);
    out->narrowed = k->narrowed;
    out->operations = k->narrow;
    out->operations_n = k->narrow_n;
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
    if (p->kind == PROOF_TOKEN || p->kind == PROOF_DPOP)
        c.task = by_token(g, p, now_ms, &c, err);
    else if (p->kind == PROOF_CONN)
        c.task = by_conn(g, edge, p, now_ms, &c.attested, err);
    else
        err_denied(err, "no task token; get one at the token endpoint or with `ambit task token`");
    if (!c.task) {
        g->counts.unauthenticated++;
        out->challenge = c.challenge;
        return false;
    }
    c.challenge = (struct challenge){0};
    c.instance = c.attested ? str_z(c.attested->instance) : (str){0};
    *kind = REFUSAL_SESSION;
    if (!in_session(g, p, &c, now_ms, err))
        return false;
    *out = c;
    *kind = REFUSAL_DENIED;
    return (!g->agents.suspended || agents_may_all(&g->agents, c.task, err)) &&
           gate_check_revoked(g, c.task, c.instance, p->cert, now_ms, err) &&
           task_is_live(c.task, now_ms, err);
}

bool caller_may_use(const struct caller *c, str operation)
{
    return !c->narrowed || (c->operations_n && bsearch(&operation, c->operations, c->operations_n,
                                                       sizeof *c->operations, by_name));
}

void gate_answer_unidentified(struct gate *g, uint32_t edge, uint64_t request,
                              enum refusal_kind kind, const struct caller *c, const struct err *err)
{
    struct msg_refused no = {.kind = (uint8_t)kind,
                             .text = str_z(err->text),
                             .policies = S("[]"),
                             .auth_error = c->challenge.error,
                             .dpop_nonce = str_z(c->challenge.nonce.s)};
    g->out.to_edge(g->out.ctx, edge, MSG_REFUSED, request, &no);
}
