/* The socket of the SPIFFE Workload API: core accepts, attests, names the identity, and hands the
 * connection to the workload role. What that role asks later is judged by the connection's number:
 * it gets certificates for the peer of a connection that it was given, while that peer is who it
 * was, and for nobody else. */
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "identity/spiffe_id.h"
#include "identity/trust.h"
#include "net/chan.h"
#include "role/core_attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ASKS_MAX = 8192, AUDIENCES_MAX = 16, BUNDLES_BYTES_MAX = 1000 << 10 };

struct workload_peer {
    struct core *core;
    int fd; /* until it is handed over */
    int64_t conn;
    struct attest *attest;
    str spiffe_id; /* in arena */
    struct arena arena;
};

/* One question of the workload role. It outlives its connection: then the answer is dropped. */
struct ask {
    struct core *core;
    uint64_t id;
    uint64_t life; /* of the role that asked */
    int64_t conn;
    enum workload_want want;
    int64_t not_after_s;
    str of; /* in arena */
    struct arena arena;
};

static str key_of(int64_t n, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%lld", (long long)n));
}

/* ---- connections ---- */

static void forget(struct workload_peer *p)
{
    char room[24];
    map_del(&p->core->workload_conns, key_of(p->conn, room));
    attest_free(p->attest);
    if (p->fd >= 0)
        close(p->fd);
    arena_fini(&p->arena);
    free(p);
}

static void hand_over(struct workload_peer *p)
{
    struct core *c = p->core;
    struct msg_workload_conn m = {.conn = p->conn, .spiffe_id = p->spiffe_id};
    if (!c->workload) {
        log_warn("the workload role is restarting; a connection is closed");
        forget(p);
        return;
    }
    role_send_fd(c->workload, MSG_WORKLOAD_CONN, 0, &m, p->fd);
    p->fd = -1;
}

static void on_known(void *owner, struct attest *a)
{
    struct workload_peer *p = owner;
    struct core *c = p->core;
    struct spiffe_id id;
    struct err err;
    char room[24];
    p->attest = a;
    map_put(&c->workload_conns, key_of(p->conn, room), p);
    if (!spiffe_agent_make(&p->arena, c->env->conf.trust_domain, a->agent->name, str_z(a->instance),
                           &id, &err)) {
        log_warn("an agent has no SPIFFE ID", LOG_STR("agent", a->agent->name), LOG_ERR(&err));
        forget(p);
        return;
    }
    p->spiffe_id = id.text;
    hand_over(p);
}

/* Nobody gets an answer too: that there is no identity for him. */
static void on_refused(void *owner, const char *why)
{
    struct workload_peer *p = owner;
    (void)why;
    if (p->core->workload) {
        struct msg_workload_conn m = {.conn = p->conn};
        role_send_fd(p->core->workload, MSG_WORKLOAD_CONN, 0, &m, p->fd);
        p->fd = -1;
    }
    forget(p);
}

static void on_over(void *owner, struct attest *a, const char *why)
{
    struct workload_peer *p = owner;
    struct msg_workload_end m = {.conn = p->conn};
    (void)a, (void)why;
    if (p->core->workload)
        role_send(p->core->workload, MSG_WORKLOAD_END, 0, &m);
    forget(p);
}

static const struct attest_ops OPS = {on_known, on_refused, on_over};

static void on_accept(void *owner, int fd, const struct addr *from)
{
    struct core *c = owner;
    struct workload_peer *p = calloc(1, sizeof *p);
    (void)from;
    if (!p)
        abort();
    *p = (struct workload_peer){.core = c, .fd = fd, .conn = (int64_t)++c->next_conn};
    attest_begin(c, fd, "workload", false, (str){0}, &OPS, p);
}

bool core_workload_listen(struct core *c, int fd, struct err *err)
{
    struct listen_opts o = {.on_fd = on_accept, .owner = c};
    return listener_adopt(c->env->loop, fd, &o, &c->workload_listener, err);
}

/* ---- bundles ---- */

static void put_foreign(struct core *c, struct buf *run)
{
    struct trust_state s;
    struct buf document = {0};
    for (size_t i = 0; i < trust_issuers(c->gate.trust); i++) {
        trust_state(c->gate.trust, i, clock_wall_ms(), &s);
        str domain = s.issuer->trust_domain;
        const struct bundle *b =
            domain.n ? trust_bundle(c->gate.trust, domain, clock_wall_ms()) : NULL;
        if (!b || str_eq(domain, c->env->conf.trust_domain))
            continue;
        buf_clear(&document);
        bundle_write(b, &document);
        if (buf_len(run) + buf_len(&document) + domain.n > BUNDLES_BYTES_MAX) {
            log_warn("a bundle is left out of the Workload API: all together are too large",
                     LOG_STR("trustDomain", domain));
            continue;
        }
        pack_str(run, domain);
        pack_str(run, buf_str(&document));
    }
    buf_fini(&document);
}

void core_workload_bundles(struct core *c)
{
    struct buf run = {0};
    if (!c->workload || !buf_len(&c->bundle.jwks))
        return;
    pack_str(&run, c->env->conf.trust_domain);
    pack_str(&run, buf_str(&c->bundle.jwks));
    put_foreign(c, &run);
    if (!str_eq(buf_str(&run), buf_str(&c->workload_bundles))) {
        struct msg_workload_bundles m = {.bundles = buf_str(&run)};
        buf_clear(&c->workload_bundles);
        buf_put(&c->workload_bundles, buf_str(&run));
        role_send(c->workload, MSG_WORKLOAD_BUNDLES, 0, &m);
    }
    buf_fini(&run);
}

/* Suspended, revoked: an identity that is not to be had for now. */
static bool may_have(const struct workload_peer *p, struct err *err)
{
    const struct gate *g = &p->core->gate;
    return agents_may(&g->agents, p->attest->agent->name, err) &&
           revoked_check_id(&g->revoked, p->spiffe_id, clock_wall_ms(), err);
}

void core_workload_recheck(struct core *c)
{
    str key;
    void *v;
    struct err err;
    for (size_t i = 0; map_next(&c->workload_conns, &i, &key, &v);) {
        struct workload_peer *p = v;
        if (!may_have(p, &err))
            on_over(p, p->attest, err.text);
    }
}

void core_workload_tick(struct core *c)
{
    core_workload_recheck(c);
    core_workload_bundles(c);
}

/* ---- questions ---- */

static void ask_free(struct ask *k)
{
    k->core->workload_asks--;
    arena_fini(&k->arena);
    free(k);
}

static bool is_asker_there(const struct ask *k)
{
    return k->core->workload && k->core->workload_life == k->life;
}

static void refuse(struct ask *k, enum workload_refusal kind, str text)
{
    struct msg_workload_refused m = {.kind = (uint8_t)kind, .text = text};
    if (is_asker_there(k))
        role_send(k->core->workload, MSG_WORKLOAD_REFUSED, k->id, &m);
    ask_free(k);
}

static void give(struct ask *k, str svid, int64_t not_after_s)
{
    struct msg_workload_given m = {.svid = svid, .not_after_s = not_after_s};
    if (is_asker_there(k))
        role_send(k->core->workload, MSG_WORKLOAD_GIVEN, k->id, &m);
    ask_free(k);
}

static void on_chain(void *arg, str chain, int64_t not_after_s, str why)
{
    if (chain.n)
        give(arg, chain, not_after_s);
    else
        refuse(arg, WORKLOAD_REFUSED_LATER, why);
}

static void on_token(void *arg, str token, str why)
{
    struct ask *k = arg;
    if (token.n)
        give(k, token, k->not_after_s);
    else
        refuse(k, WORKLOAD_REFUSED_LATER, why);
}

/* One audience is a string, as most readers expect; several are a list. */
static bool write_audiences(struct jw *w, str run)
{
    str one, all[AUDIENCES_MAX];
    size_t n = 0;
    bool bad = false;
    while (unpack_str(&run, &one, &bad)) {
        if (n == AUDIENCES_MAX || !one.n || !str_is_utf8(one))
            return false;
        all[n++] = one;
    }
    if (bad || n == 0)
        return false;
    jw_key(w, S("aud"));
    if (n == 1) {
        jw_str(w, all[0]);
        return true;
    }
    jw_arr(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, all[i]);
    jw_end_arr(w);
    return true;
}

static void begin_claims(struct ask *k, struct jw *w, str sub, int64_t life_s)
{
    int64_t now_s = clock_wall_ms() / 1000;
    k->not_after_s = now_s + life_s;
    jw_obj(w);
    jw_kstr(w, S("sub"), sub);
    jw_ki64(w, S("iat"), now_s);
    jw_ki64(w, S("exp"), k->not_after_s);
}

static void sign_jwt(struct ask *k, str spiffe_id)
{
    struct buf claims = {0};
    struct jw w = jw(&claims);
    begin_claims(k, &w, spiffe_id, k->core->env->conf.lives.jwt_s);
    bool ok = write_audiences(&w, k->of);
    jw_end_obj(&w);
    if (ok)
        core_sign_jwt(k->core, SIGN_JWT_SVID, buf_str(&claims), on_token, k);
    else
        refuse(k, WORKLOAD_REFUSED_INPUT, S("an audience is wrong"));
    buf_fini(&claims);
}

static void sign_wit(struct ask *k, str spiffe_id)
{
    const json *jwk;
    struct err err;
    struct buf claims = {0};
    if (!json_read(&k->arena, k->of, NULL, &jwk, &err)) {
        refuse(k, WORKLOAD_REFUSED_INPUT, S("the key is wrong"));
        return;
    }
    struct id id = id_new('w');
    struct jw w = jw(&claims);
    begin_claims(k, &w, spiffe_id, k->core->env->conf.lives.x509_s);
    jw_kstr(&w, S("jti"), id_str(&id));
    jw_key(&w, S("cnf"));
    jw_obj(&w);
    jw_kvalue(&w, S("jwk"), jwk);
    jw_end_obj(&w);
    jw_end_obj(&w);
    core_sign_jwt(k->core, SIGN_WIT_SVID, buf_str(&claims), on_token, k);
    buf_fini(&claims);
}

/* A token that is good otherwise, of an identity of whatever trust domain. */
static void validate(struct ask *k)
{
    struct err err;
    if (revoked_check_id(&k->core->gate.revoked, k->of, clock_wall_ms(), &err))
        give(k, (str){0}, 0);
    else
        refuse(k, WORKLOAD_REFUSED_INPUT, str_z(err.text));
}

static void answer(struct ask *k, const struct workload_peer *p)
{
    switch (k->want) {
    case WANT_X509:
        core_sign_x509(k->core, p->spiffe_id, k->of, k->core->env->conf.lives.x509_s, on_chain, k);
        return;
    case WANT_JWT:
        sign_jwt(k, p->spiffe_id);
        return;
    case WANT_WIT:
        sign_wit(k, p->spiffe_id);
        return;
    case WANT_VALID:
        validate(k);
        return;
    default:
        give(k, (str){0}, 0);
    }
}

static void on_checked(void *arg, bool still)
{
    struct ask *k = arg;
    struct err err;
    char room[24];
    const struct workload_peer *p = map_get(&k->core->workload_conns, key_of(k->conn, room));
    if (!still || !p)
        refuse(k, WORKLOAD_REFUSED_DENIED, S("this process is no agent any more"));
    else if (!may_have(p, &err))
        refuse(k, WORKLOAD_REFUSED_DENIED, str_z(err.text));
    else
        answer(k, p);
}

static void on_ask(struct core *c, uint64_t id, const struct msg_workload_ask *m)
{
    char room[24];
    struct workload_peer *p = map_get(&c->workload_conns, key_of(m->conn, room));
    struct ask *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    *k = (struct ask){.core = c,
                      .id = id,
                      .life = c->workload_life,
                      .conn = m->conn,
                      .want = (enum workload_want)m->want};
    k->of = str_dup(&k->arena, m->of);
    if (++c->workload_asks > ASKS_MAX)
        refuse(k, WORKLOAD_REFUSED_LATER, S("too much is asked at once; try again"));
    else if (!p)
        refuse(k, WORKLOAD_REFUSED_DENIED, S("the identity of this connection is over"));
    else
        attest_recheck(p->attest, on_checked, k);
}

bool core_on_workload(struct core *c, uint16_t type, uint64_t id, str payload, struct err *err)
{
    union {
        struct msg_workload_ask ask;
        struct msg_workload_end closed;
    } m;
    char room[24];
    if (!message_unpack((enum message_type)type, payload, &m, err))
        return false;
    if (type == MSG_WORKLOAD_CLOSED) {
        struct workload_peer *p = map_get(&c->workload_conns, key_of(m.closed.conn, room));
        if (p)
            forget(p);
        return true;
    }
    if (m.ask.want == WANT_NONE || m.ask.want >= WANT_COUNT)
        return err_peer(err, "a question of no known kind");
    on_ask(c, id, &m.ask);
    return true;
}

/* The next one may come before the end of the last is heard: it has none of its connections. */
void core_workload_peer(struct core *c, struct chan *chan)
{
    core_workload_lost(c);
    c->workload = chan;
    c->workload_life++;
    buf_clear(&c->workload_bundles);
    core_workload_bundles(c);
}

void core_workload_lost(struct core *c)
{
    str key;
    void *v;
    c->workload = NULL;
    for (size_t i = 0; map_next(&c->workload_conns, &i, &key, &v);)
        forget(v);
}
