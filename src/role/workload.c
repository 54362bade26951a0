/* workload: the process that serves the SPIFFE Workload API, over connections that core accepted
 * and attested. It holds the leaf keys of what is connected to it, and nothing else.
 *
 *     stream or call -> on_ask -> core: may it, now? (ASK) -> given: answer from what is kept,
 *                                                             or with what was just signed
 *                                                          -> refused: the call ends
 *
 * Core is asked for every answer and every push: attestation is its business. What is kept for an
 * identity is in workload_ident.h; what all identities get, in the bundles that core sends. Streams
 * are pushed to when a bundle changes and when a credential is at half its life. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "identity/jwt_svid.h"
#include "identity/workload_api.h"
#include "net/chan.h"
#include "net/conn.h"
#include "net/timer.h"
#include "role/role.h"
#include "role/workload_bundles.h"
#include "role/workload_ident.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OUT_MARK = 16 << 10,        /* no more is written to a connection that has so much to send */
    STREAM_OUT_MAX = 256 << 10, /* answers of one stream that its peer does not read */
    CONN_OUT_MAX = 512 << 10,   /* the same of a connection */
    SWEEP_MS = 1000,
    STALL_WAIT_MS = 30 * 1000,       /* a peer that does not read */
    NOBODY_WAIT_MS = 10 * 1000,      /* a peer without identity, to hear so */
    NOBODIES_MAX = 64,               /* of those at once */
    IDLE_CALLS_WAIT_MS = 600 * 1000, /* a connection without any call */
    PUSH_JITTER_MS = 500,            /* over which a change of bundles is spread */
    LATER_S = 30,                    /* until a rotation that failed is tried again */
};

struct wl_conn;

struct workload {
    struct role_env *env;
    struct chan *core;
    struct list conns;
    struct map by_number; /* conn number -> struct wl_conn */
    struct map idents;    /* SPIFFE ID -> struct ident */
    struct map asks;      /* request id -> struct wl_ask */
    size_t nobodies;
    uint64_t next_id;
    struct timer sweep;
    bool have_bundles, trim;
    struct workload_bundles bundles;
};

struct wl_conn {
    struct list node;
    struct workload *w;
    int64_t number;
    struct conn *conn;
    struct workload_conn *machine;
    struct ident *ident; /* NULL: nobody */
    struct timer tick;
    struct deferred pump;
    int64_t until_s[CRED_KINDS]; /* half of the life of what was given here; 0: nothing */
    size_t out_len;              /* at the last sweep */
    int64_t out_since_ms, busy_ms, born_ms;
    bool blocked; /* its peer does not read; the sweep tries again */
    bool over;
};

/* One question to core, for one answer. */
struct wl_ask {
    struct list node; /* in cred.waiting, once core has said yes and another is having it signed */
    struct workload *w;
    uint64_t id;
    struct wl_conn *conn;       /* NULL: gone */
    struct workload_call *call; /* NULL: gone */
    struct ident *ident;        /* a reference */
    enum workload_method method;
    enum workload_want want;
    struct arena arena;
    str audiences; /* run; of a JWT-SVID */
    struct workload_validated valid;
};

static str id_key(const uint64_t *id)
{
    return str_of((const char *)id, sizeof *id);
}

static int64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

static unsigned draw(unsigned below)
{
    uint32_t n;
    rand_salt(&n, sizeof n);
    return n % below;
}

/* ---- the connection's bytes ---- */

static void pump(void *owner);

static void pump_soon(struct wl_conn *c)
{
    loop_defer(c->w->env->loop, &c->pump, pump, c);
}

static void on_tick(void *owner)
{
    struct wl_conn *c = owner;
    struct err err;
    if (!workload_tick(c->machine, loop_now_ms(c->w->env->loop), &err)) {
        log_debug("connection ended", LOG_ERR(&err));
        conn_finish(c->conn);
    }
    pump_soon(c);
}

static void plan_tick(struct wl_conn *c)
{
    int64_t at = workload_deadline(c->machine), now = loop_now_ms(c->w->env->loop);
    if (at == INT64_MAX)
        timer_stop(&c->tick);
    else
        timer_start(&c->tick, c->w->env->loop, at > now ? at - now : 1, on_tick, c);
}

static void pump(void *owner)
{
    struct wl_conn *c = owner;
    struct buf out = {.max = GRPC_PULL_BYTES_HIGH + (64 << 10), .wipe = true};
    if (conn_is_closing(c->conn))
        return;
    if (conn_out_len(c->conn) < OUT_MARK) {
        workload_pull(c->machine, &out);
        conn_write_secret(c->conn, buf_str(&out));
        c->blocked = buf_len(&out) >= GRPC_PULL_BYTES_HIGH;
    } else {
        c->blocked = true;
    }
    if (workload_is_done(c->machine))
        conn_finish(c->conn);
    buf_wipe(&out);
    plan_tick(c);
}

static void on_data(struct conn *conn)
{
    struct wl_conn *c = conn_owner(conn);
    struct err err;
    str in = conn_in(conn);
    c->busy_ms = loop_now_ms(c->w->env->loop);
    bool ok = workload_feed(c->machine, in, c->busy_ms, &err);
    conn_consume(conn, in.n);
    pump(c);
    if (!ok && !conn_is_closing(conn)) {
        log_debug("connection ended", LOG_ERR(&err));
        conn_finish(conn);
    }
}

static void ask_forget_conn(struct workload *w, const struct wl_conn *c)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&w->asks, &i, &key, &v);)
        if (((struct wl_ask *)v)->conn == c)
            ((struct wl_ask *)v)->conn = NULL;
}

static void on_close(struct conn *conn, const struct err *err)
{
    struct wl_conn *c = conn_owner(conn);
    struct workload *w = c->w;
    struct msg_workload_end m = {.conn = c->number};
    (void)err;
    if (w->core && !c->over && c->ident)
        role_send(w->core, MSG_WORKLOAD_CLOSED, 0, &m);
    timer_stop(&c->tick);
    deferred_cancel(&c->pump);
    workload_free(c->machine); /* on_gone for every call */
    ask_forget_conn(w, c);
    if (c->ident)
        map_del(&w->by_number, id_key((const uint64_t *)&c->number));
    else
        w->nobodies--;
    ident_unref(&w->idents, c->ident);
    list_remove(&c->node);
    free(c);
}

static const struct conn_ops CONN_OPS = {.on_data = on_data, .on_close = on_close};

/* ---- answers ---- */

static enum cred_kind kind_of(const struct wl_ask *k)
{
    return k->method == WORKLOAD_FETCH_WIT_SVID ? CRED_WIT : CRED_X509;
}

static struct cred *cred_of(const struct wl_ask *k)
{
    return &k->ident->creds[kind_of(k)];
}

static void ask_free(struct wl_ask *k)
{
    if (k->call)
        workload_call_set_data(k->call, NULL);
    map_del(&k->w->asks, id_key(&k->id));
    list_remove(&k->node);
    ident_unref(&k->w->idents, k->ident);
    arena_fini(&k->arena);
    free(k);
}

static void give(struct wl_ask *k, const union workload_answer *answer)
{
    struct err err;
    if (!workload_answer(k->call, answer, &err))
        log_debug("no answer", LOG_ERR(&err));
    pump_soon(k->conn);
    k->w->trim = true;
}

static void give_cred(struct wl_ask *k)
{
    const struct workload *w = k->w;
    const struct cred *c = cred_of(k);
    k->conn->until_s[kind_of(k)] = c->fresh_until_s;
    if (k->method == WORKLOAD_FETCH_WIT_SVID) {
        struct workload_wit_svid s = {
            .spiffe_id = k->ident->spiffe_id, .svid = buf_str(&c->svid), .key = buf_str(&c->key)};
        give(k, &(union workload_answer){.wit = {{&s, 1}}});
        return;
    }
    struct workload_x509_svid s = {.spiffe_id = k->ident->spiffe_id,
                                   .chain = buf_str(&c->svid),
                                   .key = buf_str(&c->key),
                                   .bundle = w->bundles.own_x509};
    give(k, &(union workload_answer){
                .x509 = {.svids = {&s, 1}, .federated = w->bundles.foreign_x509}});
}

static void give_token(struct wl_ask *k, str token)
{
    struct workload_jwt_svid s = {.spiffe_id = k->ident->spiffe_id, .svid = token};
    give(k, &(union workload_answer){.jwt = {{&s, 1}}});
}

static void give_known(struct wl_ask *k)
{
    const struct workload *w = k->w;
    switch (k->method) {
    case WORKLOAD_FETCH_X509_BUNDLES:
        give(k, &(union workload_answer){.x509_bundles = {.bundles = w->bundles.x509}});
        return;
    case WORKLOAD_FETCH_JWT_BUNDLES:
        give(k, &(union workload_answer){.jwt_bundles = {w->bundles.jwt}});
        return;
    case WORKLOAD_FETCH_WIT_BUNDLES:
        give(k, &(union workload_answer){.wit_bundles = {w->bundles.wit}});
        return;
    case WORKLOAD_VALIDATE_JWT_SVID:
        give(k, &(union workload_answer){.validated = k->valid});
        return;
    default: { /* kept long enough: the answer of core was quick */
        str token = ident_token(k->ident, k->audiences, now_s());
        if (token.n)
            give_token(k, token);
        else
            workload_refuse(k->call, GRPC_UNAVAILABLE, S("try again"));
    }
    }
}

static void refuse(struct wl_ask *k, enum workload_refusal kind, str text)
{
    static const enum grpc_status status[] = {
        [WORKLOAD_REFUSED_NONE] = GRPC_UNAVAILABLE,
        [WORKLOAD_REFUSED_DENIED] = GRPC_PERMISSION_DENIED,
        [WORKLOAD_REFUSED_INPUT] = GRPC_INVALID_ARGUMENT,
        [WORKLOAD_REFUSED_LATER] = GRPC_UNAVAILABLE,
    };
    if (k->call) {
        bool known = (size_t)kind < sizeof status / sizeof status[0];
        workload_refuse(k->call, known ? status[kind] : GRPC_UNAVAILABLE, text);
        pump_soon(k->conn);
    }
    ask_free(k);
}

/* ---- questions ---- */

static void send_ask(struct wl_ask *k, enum workload_want want, str of)
{
    struct msg_workload_ask m = {.conn = k->conn->number, .want = (uint8_t)want, .of = of};
    k->want = want;
    role_send(k->w->core, MSG_WORKLOAD_ASK, k->id, &m);
}

static void ask_cred(struct wl_ask *k)
{
    struct cred *c = cred_of(k);
    struct buf of = {0};
    struct err err;
    if (cred_is_fresh(c, now_s()) || c->coming) {
        send_ask(k, WANT_CHECK, (str){0});
        return;
    }
    if (cred_begin(c, kind_of(k), &of, &err)) {
        send_ask(k, kind_of(k) == CRED_WIT ? WANT_WIT : WANT_X509, buf_str(&of));
    } else {
        log_error("no key could be made", LOG_ERR(&err));
        refuse(k, WORKLOAD_REFUSED_LATER, S("no key could be made"));
    }
    buf_fini(&of);
}

static void ask_jwt(struct wl_ask *k, const struct workload_jwt_ask *ask)
{
    struct buf run = {0};
    if (ask->spiffe_id.n && !str_eq(ask->spiffe_id, k->ident->spiffe_id)) {
        refuse(k, WORKLOAD_REFUSED_DENIED, S("that is not an identity of this process"));
        return;
    }
    for (size_t i = 0; i < ask->audience.n; i++)
        pack_str(&run, ask->audience.at[i]);
    k->audiences = str_dup(&k->arena, buf_str(&run));
    buf_fini(&run);
    if (ident_token(k->ident, k->audiences, now_s()).n)
        send_ask(k, WANT_CHECK, (str){0});
    else
        send_ask(k, WANT_JWT, k->audiences);
}

static void ask_valid(struct wl_ask *k, const struct workload_validate_ask *ask)
{
    struct jwt_svid svid;
    struct err err;
    struct buf claims = {.max = WORKLOAD_CLAIMS_BYTES_MAX};
    if (!jwt_svid_verify_shared(&k->arena, str_dup(&k->arena, ask->svid), &k->w->bundles.set,
                                ask->audience, now_s(), &svid, &err) ||
        !proto_put_struct(&claims, svid.claims, &err)) {
        refuse(k, WORKLOAD_REFUSED_INPUT, str_z(err.text));
    } else {
        k->valid.spiffe_id = str_dup(&k->arena, svid.id.text);
        k->valid.claims = str_dup(&k->arena, buf_str(&claims));
        send_ask(k, WANT_VALID, k->valid.spiffe_id);
    }
    buf_fini(&claims);
}

static void on_ask(void *owner, struct workload_call *call, enum workload_method m,
                   const union workload_ask *ask)
{
    struct wl_conn *c = owner;
    if (!c->w->core) { /* a push, while core is restarting; `who` answers requests */
        workload_refuse(call, GRPC_UNAVAILABLE, S("the gateway is restarting, try again"));
        return;
    }
    struct wl_ask *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    *k = (struct wl_ask){.w = c->w, .id = ++c->w->next_id, .conn = c, .call = call, .method = m};
    k->ident = ident_ref(&c->w->idents, c->ident->spiffe_id);
    map_put(&c->w->asks, id_key(&k->id), k);
    workload_call_set_data(call, k);
    if (m == WORKLOAD_FETCH_X509_SVID || m == WORKLOAD_FETCH_WIT_SVID)
        ask_cred(k);
    else if (m == WORKLOAD_FETCH_JWT_SVID)
        ask_jwt(k, &ask->jwt);
    else if (m == WORKLOAD_VALIDATE_JWT_SVID)
        ask_valid(k, &ask->validate);
    else
        send_ask(k, WANT_CHECK, (str){0});
}

static void on_gone(void *owner, struct workload_call *call)
{
    struct wl_ask *k = workload_call_data(call);
    (void)owner;
    if (!k)
        return;
    k->call = NULL;
    if (list_is_linked(&k->node)) /* nothing comes any more that would free it */
        ask_free(k);
}

static enum workload_peer who(void *owner)
{
    const struct wl_conn *c = owner;
    if (!c->ident || c->over)
        return WORKLOAD_NOBODY;
    return c->w->have_bundles && c->w->core ? WORKLOAD_KNOWN : WORKLOAD_NOT_READY;
}

static const struct workload_ops OPS = {who, on_ask, on_gone};

/* ---- what core says ---- */

/* Those that waited for this credential: it is there, or not. */
static void serve_waiting(struct cred *c, enum workload_refusal why, str text)
{
    while (!list_is_empty(&c->waiting)) {
        struct wl_ask *k = LIST_ENTRY(c->waiting.next, struct wl_ask, node);
        list_remove(&k->node);
        if (why) {
            refuse(k, why, text);
            continue;
        }
        if (k->call)
            give_cred(k);
        ask_free(k);
    }
}

static void on_signed(struct wl_ask *k, const struct msg_workload_given *m)
{
    struct cred *c = cred_of(k);
    struct err err;
    if (!cred_finish(c, kind_of(k), m->svid, m->not_after_s, now_s(), draw(100), &err)) {
        log_error("an SVID could not be taken", LOG_ERR(&err));
        serve_waiting(c, WORKLOAD_REFUSED_LATER, S("no key could be made"));
        refuse(k, WORKLOAD_REFUSED_LATER, S("no key could be made"));
        return;
    }
    serve_waiting(c, WORKLOAD_REFUSED_NONE, (str){0});
    if (k->call)
        give_cred(k);
    ask_free(k);
}

static void on_given(struct workload *w, uint64_t id, const struct msg_workload_given *m)
{
    struct wl_ask *k = map_get(&w->asks, id_key(&id));
    if (!k)
        return;
    struct cred *c = cred_of(k);
    bool is_cred = k->method == WORKLOAD_FETCH_X509_SVID || k->method == WORKLOAD_FETCH_WIT_SVID;
    if (k->want == WANT_X509 || k->want == WANT_WIT) {
        on_signed(k, m);
        return;
    }
    if (k->want == WANT_JWT)
        ident_keep_token(k->ident, k->audiences, m->svid, m->not_after_s, now_s());
    if (k->call && is_cred && !cred_is_fresh(c, now_s()) && c->coming) {
        list_append(&c->waiting, &k->node);
        return;
    }
    if (k->call && is_cred && cred_is_alive(c, now_s()))
        give_cred(k);
    else if (k->call && is_cred)
        workload_refuse(k->call, GRPC_UNAVAILABLE, S("try again"));
    else if (k->call && k->want == WANT_JWT)
        give_token(k, m->svid);
    else if (k->call)
        give_known(k);
    if (k->call)
        pump_soon(k->conn);
    ask_free(k);
}

/* A rotation that fails for now is no reason to end a stream whose SVID is still good. */
static bool goes_on(struct wl_ask *k, enum workload_refusal why)
{
    struct cred *c = cred_of(k);
    if (why != WORKLOAD_REFUSED_LATER || !cred_is_alive(c, now_s()))
        return false;
    c->fresh_until_s = now_s() + LATER_S;
    serve_waiting(c, WORKLOAD_REFUSED_NONE, (str){0});
    if (k->call)
        give_cred(k);
    ask_free(k);
    return true;
}

static void on_refused(struct workload *w, uint64_t id, const struct msg_workload_refused *m)
{
    struct wl_ask *k = map_get(&w->asks, id_key(&id));
    enum workload_refusal why = (enum workload_refusal)m->kind;
    if (!k)
        return;
    if (k->want == WANT_X509 || k->want == WANT_WIT) {
        cred_cancel(cred_of(k));
        if (goes_on(k, why))
            return;
        serve_waiting(cred_of(k), why, m->text);
    }
    refuse(k, why, m->text);
}

static void adopt(struct workload *w, const struct msg_workload_conn *m, int fd)
{
    struct wl_conn *c = calloc(1, sizeof *c);
    struct err err;
    if (!c)
        abort();
    const struct workload_opts o = {
        .wit = w->env->conf.wit,
        .grpc = {.stream_out_bytes = STREAM_OUT_MAX, .conn_out_bytes = CONN_OUT_MAX}};
    static const struct conn_opts lean = {.lean = true};
    int64_t now = loop_now_ms(w->env->loop);
    *c = (struct wl_conn){.w = w, .number = m->conn, .busy_ms = now, .born_ms = now};
    if (!conn_adopt(w->env->loop, fd, NULL, &lean, &CONN_OPS, c, &c->conn, &err)) {
        log_warn("connection not taken", LOG_ERR(&err));
        free(c);
        return;
    }
    c->machine = workload_new(&o, &OPS, c, now);
    list_append(&w->conns, &c->node);
    if (m->spiffe_id.n) {
        c->ident = ident_ref(&w->idents, m->spiffe_id);
        map_put(&w->by_number, id_key((const uint64_t *)&c->number), c);
    } else if (++w->nobodies > NOBODIES_MAX) {
        conn_abort(c->conn);
    }
}

static void on_end(struct workload *w, const struct msg_workload_end *m)
{
    struct wl_conn *c = map_get(&w->by_number, id_key((const uint64_t *)&m->conn));
    if (!c || c->over)
        return;
    c->over = true;
    workload_end(c->machine);
    pump(c);
    /* It hears so, and has no reason to stay. */
    c->busy_ms = loop_now_ms(w->env->loop) - IDLE_CALLS_WAIT_MS + NOBODY_WAIT_MS;
}

/* ---- bundles ---- */

static bool on_bundles(struct workload *w, const struct msg_workload_bundles *m, struct err *err)
{
    bool ok = workload_bundles_read(&w->bundles, m->bundles, err);
    w->have_bundles |= ok;
    LIST_EACH(&w->conns, it)
    {
        struct wl_conn *c = LIST_ENTRY(it, struct wl_conn, node);
        if (ok && c->ident)
            workload_rotate(c->machine, ~0u, loop_now_ms(w->env->loop), draw(PUSH_JITTER_MS));
        pump_soon(c);
    }
    return ok;
}

/* ---- time ---- */

/* False: it is closed. */
static bool is_worth_keeping(struct wl_conn *c, int64_t now)
{
    size_t out = conn_out_len(c->conn);
    if (out == 0 || out < c->out_len)
        c->out_since_ms = now;
    c->out_len = out;
    if (workload_streams(c->machine))
        c->busy_ms = now;
    if (out && now - c->out_since_ms > STALL_WAIT_MS)
        return false;
    if (!c->ident)
        return now - c->born_ms < NOBODY_WAIT_MS;
    return now - c->busy_ms < IDLE_CALLS_WAIT_MS;
}

static void rotate_due(struct wl_conn *c, int64_t now)
{
    static const unsigned METHODS[CRED_KINDS] = {
        [CRED_X509] = 1u << WORKLOAD_FETCH_X509_SVID, [CRED_WIT] = 1u << WORKLOAD_FETCH_WIT_SVID};
    for (int k = 0; k < CRED_KINDS; k++)
        if (c->until_s[k] && now_s() >= c->until_s[k]) {
            c->until_s[k] = 0;
            workload_rotate(c->machine, METHODS[k], now, 0);
            pump_soon(c);
        }
}

static void sweep(void *owner)
{
    struct workload *w = owner;
    int64_t now = loop_now_ms(w->env->loop);
    LIST_EACH(&w->conns, it)
    {
        struct wl_conn *c = LIST_ENTRY(it, struct wl_conn, node);
        if (conn_is_closing(c->conn))
            continue;
        if (is_worth_keeping(c, now))
            rotate_due(c, now);
        else
            conn_abort(c->conn);
        if (c->blocked)
            pump_soon(c);
    }
    if (w->trim) /* what a burst of answers has left in pieces */
        malloc_trim(0);
    w->trim = false;
    timer_start(&w->sweep, w->env->loop, SWEEP_MS, sweep, w);
}

/* ---- life ---- */

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    struct workload *w = state;
    struct err err = {0};
    union {
        struct msg_workload_conn conn;
        struct msg_workload_end end;
        struct msg_workload_bundles bundles;
        struct msg_workload_given given;
        struct msg_workload_refused refused;
    } m;
    (void)peer, (void)index;
    bool ok = message_unpack((enum message_type)type, payload, &m, &err);
    if (ok && type == MSG_WORKLOAD_CONN) {
        adopt(w, &m.conn, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (ok && type == MSG_WORKLOAD_END)
        on_end(w, &m.end);
    else if (ok && type == MSG_WORKLOAD_BUNDLES)
        ok = on_bundles(w, &m.bundles, &err);
    else if (ok && type == MSG_WORKLOAD_GIVEN)
        on_given(w, id, &m.given);
    else if (ok && type == MSG_WORKLOAD_REFUSED)
        on_refused(w, id, &m.refused);
    if (!ok)
        role_kill_peer(chan, &err);
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct workload *w = state;
    (void)index;
    if (peer == ROLE_CORE)
        w->core = chan;
}

/* The next core knows none of these connections. */
static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct workload *w = state;
    str key;
    void *v;
    (void)peer, (void)index;
    if (w->core != chan)
        return;
    w->core = NULL;
    w->have_bundles = false;
    for (size_t i = 0; map_next(&w->asks, &i, &key, &v); i = 0) {
        struct wl_ask *k = v;
        if (k->want == WANT_X509 || k->want == WANT_WIT)
            cred_cancel(cred_of(k));
        refuse(k, WORKLOAD_REFUSED_LATER, S("the gateway is restarting, try again"));
    }
    LIST_EACH(&w->conns, it)
    {
        struct wl_conn *c = LIST_ENTRY(it, struct wl_conn, node);
        c->over = true;
        pump(c);
        conn_finish(c->conn);
    }
}

static void on_drain(void *state)
{
    struct workload *w = state;
    timer_stop(&w->sweep);
    LIST_EACH(&w->conns, it)
    {
        conn_abort(LIST_ENTRY(it, struct wl_conn, node)->conn);
    }
    role_drained(w->env);
}

static void *start(struct role_env *env, struct err *err)
{
    struct workload *w = calloc(1, sizeof *w);
    (void)err;
    if (!w)
        abort();
    w->env = env;
    list_init(&w->conns);
    timer_start(&w->sweep, env->loop, SWEEP_MS, sweep, w);
    return w;
}

int role_workload(void)
{
    static const struct role_ops ops = {.self = ROLE_WORKLOAD,
                                        .start = start,
                                        .on_peer = on_peer,
                                        .on_peer_lost = on_peer_lost,
                                        .on_message = on_message,
                                        .on_drain = on_drain};
    return role_main(&ops);
}
