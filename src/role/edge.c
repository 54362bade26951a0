/* The edge role: listeners, agents' connections, upstreams. It decides nothing, signs nothing and
 * reads no file; this file wires the MCP door (door/mcp_door.h) to the loop and to core and keeper.
 */
#include "role/role.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "door/mcp_door.h"
#include "http/url.h"
#include "net/chan.h"
#include "role/edge_trust.h"

#include <stdlib.h>
#include <unistd.h>

enum { EDGE_LISTENERS_MAX = 16, DRAIN_STEP_MS = 20 };

struct edge {
    struct role_env *env;
    struct mcp_door *door;
    struct upstream *upstreams;
    struct edge_trust *trust;
    struct chan *core, *keeper;
    struct listener *listeners[EDGE_LISTENERS_MAX];
    uint32_t listener_index[EDGE_LISTENERS_MAX];
    size_t listeners_n;
    struct timer drain;
    int64_t drain_from_ms;
    struct map metrics; /* id -> struct http_request */
    uint64_t next_id;
};

/* ---- peers ---- */

static bool send_to(void *ctx, enum role to, enum message_type type, uint64_t id, const void *msg)
{
    struct edge *e = ctx;
    struct chan *chan = to == ROLE_CORE ? e->core : e->keeper;
    if (chan)
        role_send(chan, type, id, msg);
    return chan != NULL;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct edge *e = state;
    (void)index;
    if (peer == ROLE_CORE) {
        e->core = chan;
        edge_trust_core(e->trust, chan);
    } else if (peer == ROLE_KEEPER) {
        e->keeper = chan;
        chan_wipe_after_use(chan); /* credentials arrive here */
    }
}

static void forget_metrics(struct edge *e)
{
    str id;
    void *v;
    static const struct http_answer gone = {.status = 503};
    for (size_t i = 0; map_next(&e->metrics, &i, &id, &v);) {
        struct http_request *r = v;
        map_del(&e->metrics, id);
        http_respond(r, &gone);
    }
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct edge *e = state;
    (void)index;
    if (peer == ROLE_CORE && e->core == chan) {
        e->core = NULL;
        edge_trust_core(e->trust, NULL);
        forget_metrics(e);
    } else if (peer == ROLE_KEEPER && e->keeper == chan) {
        e->keeper = NULL;
    } else {
        return;
    }
    mcp_door_peer_lost(e->door, peer);
}

/* ---- metrics and health, on loopback ---- */

static void write_metrics(struct edge *e, str of_core, struct buf *out)
{
    const struct mcp_door_counts *n = mcp_door_counts(e->door);
    buf_put(out, of_core);
    buf_printf(
        out,
        "# HELP ambit_edge_requests_total Requests of agents.\n"
        "# TYPE ambit_edge_requests_total counter\nambit_edge_requests_total %llu\n"
        "# HELP ambit_edge_streams_total Answers given as event streams.\n"
        "# TYPE ambit_edge_streams_total counter\nambit_edge_streams_total %llu\n"
        "# HELP ambit_edge_upstream_errors_total Calls that failed at the upstream.\n"
        "# TYPE ambit_edge_upstream_errors_total counter\nambit_edge_upstream_errors_total %llu\n"
        "# HELP ambit_edge_exchanges Requests under way.\n"
        "# TYPE ambit_edge_exchanges gauge\nambit_edge_exchanges %zu\n",
        (unsigned long long)n->requests, (unsigned long long)n->streams,
        (unsigned long long)n->upstream_errors, mcp_door_busy(e->door));
}

static void on_metrics_request(struct http_request *r)
{
    struct edge *e = http_client_owner(r->client);
    bool get = str_eq(r->head.method, S("GET"));
    uint64_t id = ++e->next_id;
    if (get && str_eq(r->head.parts.path, S("/metrics")) && e->core) {
        map_put(&e->metrics, str_of((const char *)&id, sizeof id), r);
        role_send(e->core, MSG_METRICS, id, &(struct msg_empty){0});
        return;
    }
    struct http_answer a = {
        .status = 404, .content_type = S("text/plain"), .body = S("see /metrics and /healthz\n")};
    if (get && str_eq(r->head.parts.path, S("/healthz"))) {
        bool well = e->core && e->keeper && !e->env->draining;
        a.status = well ? 200 : 503;
        a.body = well               ? S("ok\n")
                 : e->env->draining ? S("draining\n")
                                    : S("a role is restarting\n");
    } else if (get && str_eq(r->head.parts.path, S("/metrics"))) {
        a.status = 503;
        a.body = S("core is restarting\n");
    }
    http_respond(r, &a);
}

static void on_metrics_gone(struct http_request *r)
{
    struct edge *e = http_client_owner(r->client);
    str id;
    void *v;
    for (size_t i = 0; map_next(&e->metrics, &i, &id, &v);)
        if (v == r)
            map_del(&e->metrics, id);
}

static void on_metrics_answer(struct edge *e, uint64_t id, str text)
{
    struct http_request *r = map_del(&e->metrics, str_of((const char *)&id, sizeof id));
    struct buf out = {.max = 4 << 20};
    if (!r)
        return;
    write_metrics(e, text, &out);
    struct http_answer a = {
        .status = 200, .content_type = S("text/plain; version=0.0.4"), .body = buf_str(&out)};
    http_respond(r, &a);
    buf_fini(&out);
}

/* ---- messages ---- */

static void adopt_attested(struct edge *e, const struct msg_conn *m, int fd)
{
    static const struct conn_ops none;
    struct conn *conn;
    struct err err;
    if (conn_adopt(e->env->loop, fd, NULL, NULL, &none, NULL, &conn, &err))
        mcp_door_serve_attested(e->door, conn, m->conn);
    else
        log_warn("attested connection not taken", LOG_ERR(&err));
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    struct edge *e = state;
    struct err err;
    bool ok = true;
    (void)index;
    if (type == MSG_CONN && peer == ROLE_CORE && fd >= 0) {
        struct msg_conn m;
        ok = message_unpack(MSG_CONN, payload, &m, &err);
        if (ok)
            adopt_attested(e, &m, fd);
        else
            close(fd);
    } else if (type == MSG_METRICS_ANSWER && peer == ROLE_CORE) {
        struct msg_text m;
        ok = message_unpack(MSG_METRICS_ANSWER, payload, &m, &err);
        if (ok)
            on_metrics_answer(e, id, m.text);
    } else if ((type == MSG_TRUST || type == MSG_SVID) && peer == ROLE_CORE) {
        ok = edge_trust_message(e->trust, type, payload, &err);
    } else {
        ok = mcp_door_message(e->door, peer, type, id, payload, &err);
    }
    if (!ok)
        role_kill_peer(chan, &err);
}

/* ---- listeners ---- */

static void on_door_conn(void *owner, struct conn *conn)
{
    struct edge *e = ((void **)owner)[0];
    uint32_t index = (uint32_t)(uintptr_t)((void **)owner)[1];
    mcp_door_serve(e->door, conn, index);
}

static const struct http_server_ops METRICS_OPS = {.on_request = on_metrics_request,
                                                   .on_gone = on_metrics_gone};

static void on_metrics_conn(void *owner, struct conn *conn)
{
    struct http_server_opts o = {
        .body_bytes_max = 1024, .ops = &METRICS_OPS, .owner = ((void **)owner)[0]};
    http_serve(&o, conn, 0);
}

/* The run of (listener index, cert, key, client CA) that the supervisor read; false: no TLS. */
static bool tls_files(struct edge *e, uint32_t index, struct tls_server_opts *out)
{
    str run = e->env->setup.tls, number, cert, key, ca;
    bool bad = false;
    uint64_t n;
    while (unpack_str(&run, &number, &bad) && unpack_str(&run, &cert, &bad) &&
           unpack_str(&run, &key, &bad) && unpack_str(&run, &ca, &bad))
        if (str_to_u64(number, &n) && n == index) {
            *out = (struct tls_server_opts){.cert_pem = cert,
                                            .key_pem = key,
                                            .client_ca_pem = ca,
                                            .client_cert_any = e->env->conf.listeners[index].svid};
            return true;
        }
    return false;
}

static bool tls_of(struct edge *e, uint32_t index, struct tls **out, struct err *err)
{
    struct tls_server_opts o;
    *out = NULL;
    return !tls_files(e, index, &o) || tls_server_new(&o, out, err);
}

/* One that cannot be served before core has spoken. */
static void listen_later(struct edge *e, const struct role_listener *l, void **owner)
{
    struct listen_opts o = {
        .conns_max = e->env->conf.connections_max, .on_conn = on_door_conn, .owner = owner};
    struct tls_server_opts files = {0};
    (void)tls_files(e, l->index, &files);
    edge_trust_listen(e->trust, l->index, l->fd, &o, files.cert_pem, files.key_pem);
}

static bool listen_on(struct edge *e, const struct role_listener *l, struct err *err)
{
    void **owner = ARENA_ARRAY(&e->env->arena, void *, 2);
    struct tls *tls = NULL;
    owner[0] = e;
    owner[1] = (void *)(uintptr_t)l->index;
    if (e->listeners_n == EDGE_LISTENERS_MAX)
        return err_limit(err, "at most %d listeners", EDGE_LISTENERS_MAX);
    if (l->kind == LISTENER_DOOR && edge_trust_wants(&e->env->conf.listeners[l->index])) {
        listen_later(e, l, owner);
        return true;
    }
    if (l->kind == LISTENER_DOOR && !tls_of(e, l->index, &tls, err))
        return err_in(err, "listener %u", l->index);
    struct listen_opts o = {.conns_max = e->env->conf.connections_max,
                            .tls = tls,
                            .on_conn = l->kind == LISTENER_DOOR ? on_door_conn : on_metrics_conn,
                            .owner = owner};
    bool ok = listener_adopt(e->env->loop, l->fd, &o, &e->listeners[e->listeners_n], err);
    tls_unref(tls);
    e->listeners_n += ok;
    return ok;
}

/* ---- upstreams ---- */

static str run_value(str run, str wanted)
{
    str name, value;
    bool bad = false;
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &value, &bad))
        if (str_eq(name, wanted))
            return value;
    return (str){0};
}

/* The run of (binding, CA, certificate, key); the entry named "" holds the system's CAs. */
static bool upstream_tls(struct edge *e, const struct url *url, struct upstream *u, struct err *err)
{
    str run = e->env->setup.upstream_tls, name, ca, cert, key;
    struct tls_client_opts o = {0};
    str system_ca = {0};
    bool bad = false;
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &ca, &bad) &&
           unpack_str(&run, &cert, &bad) && unpack_str(&run, &key, &bad)) {
        if (!name.n)
            system_ca = ca;
        if (str_eq(name, u->conf->name))
            o = (struct tls_client_opts){.ca_pem = ca, .cert_pem = cert, .key_pem = key};
    }
    if (!o.ca_pem.n)
        o.ca_pem = system_ca;
    u->tls_name = url->host.name;
    return tls_client_new(&o, &u->tls, err);
}

static bool upstream_http(struct edge *e, struct upstream *u, struct err *err)
{
    struct url url;
    if (!url_parse(&e->env->arena, u->conf->url, &url, err) ||
        !addr_parse(run_value(e->env->setup.addresses, u->conf->name), &u->addr, err))
        return err_in(err, "binding %.*s", STR(u->conf->name));
    u->host = url_host_field(&e->env->arena, &url);
    u->target = url.target;
    return !url.secure || upstream_tls(e, &url, u, err);
}

static bool upstream_stdio(struct edge *e, struct upstream *u, struct err *err)
{
    u->host = S("runner");
    return addr_unix(e->env->setup.runner_socket, &u->addr, err);
}

static bool make_upstreams(struct edge *e, struct err *err)
{
    const struct conf *c = &e->env->conf;
    e->upstreams = ARENA_ARRAY(&e->env->arena, struct upstream, c->bindings_n + 1);
    for (size_t i = 0; i < c->bindings_n; i++) {
        struct upstream *u = &e->upstreams[i];
        upstream_init(u, e->env->loop, &c->bindings[i]);
        u->answer_bytes_max = c->answer_bytes_max;
        if (c->bindings[i].kind == BINDING_HTTP && !upstream_http(e, u, err))
            return false;
        if (c->bindings[i].kind == BINDING_STDIO && !upstream_stdio(e, u, err))
            return false;
    }
    return true;
}

/* ---- life ---- */

static void *start(struct role_env *env, struct err *err)
{
    struct edge *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->env = env;
    e->trust = edge_trust_new(env);
    if (!make_upstreams(e, err)) {
        free(e);
        return NULL;
    }
    struct mcp_door_opts o = {.loop = env->loop,
                              .conf = &env->conf,
                              .upstreams = e->upstreams,
                              .send = send_to,
                              .ctx = e};
    e->door = mcp_door_new(&o);
    for (size_t i = 0; i < env->listeners_n; i++) {
        enum listener_kind k = env->listeners[i].kind;
        if ((k == LISTENER_DOOR || k == LISTENER_METRICS) && !listen_on(e, &env->listeners[i], err))
            return NULL;
    }
    return e;
}

static void drain_step(void *owner)
{
    struct edge *e = owner;
    int64_t waited = loop_now_ms(e->env->loop) - e->drain_from_ms;
    if (mcp_door_busy(e->door) == 0 || waited > DRAIN_WAIT_MS_MAX) {
        role_drained(e->env);
        return;
    }
    timer_start(&e->drain, e->env->loop, DRAIN_STEP_MS, drain_step, e);
}

static void on_drain(void *state)
{
    struct edge *e = state;
    for (size_t i = 0; i < e->listeners_n; i++)
        listener_close(e->listeners[i]);
    e->listeners_n = 0;
    edge_trust_drain(e->trust);
    mcp_door_drain(e->door);
    e->drain_from_ms = loop_now_ms(e->env->loop);
    drain_step(e);
}

int role_edge(void)
{
    static const struct role_ops ops = {.self = ROLE_EDGE,
                                        .start = start,
                                        .on_peer = on_peer,
                                        .on_peer_lost = on_peer_lost,
                                        .on_message = on_message,
                                        .on_drain = on_drain};
    return role_main(&ops);
}
