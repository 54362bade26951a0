#include "net/conn_int.h"

#include "base/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- making ---- */

struct conn *conn_alloc(struct loop *l, int fd, struct tls_session *tls, const struct conn_opts *o,
                        const struct conn_ops *ops, void *owner)
{
    static const struct conn_opts defaults;
    static const struct conn_ops deaf;
    if (!o)
        o = &defaults;
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->loop = l;
    c->ops = ops ? ops : &deaf;
    c->owner = owner;
    c->tls = tls;
    c->fd = fd;
    c->lean = o->lean;
    c->in_mark = o->in_mark ? o->in_mark : CONN_IN_BYTES_HIGH;
    /* A read may begin one byte below the mark; TLS reserves whole records. */
    c->in.max = c->in_mark + 2 * CONN_IN_BYTES_HIGH;
    c->out.max = o->out_max ? o->out_max : CONN_OUT_BYTES_MAX;
    return c;
}

void conn_discard(struct conn *c)
{
    timer_stop(&c->timer);
    watch_close(c->watch);
    close(c->fd);
    tls_session_free(c->tls);
    free(c->peer_text);
    free(c);
}

static void on_timer(void *arg);

static void start_timer(struct conn *c, int64_t ms, const char *what)
{
    c->what = what;
    c->wait_ms = ms;
    timer_start(&c->timer, c->loop, ms, on_timer, c);
}

void conn_linger_timer(struct conn *c, int64_t ms)
{
    start_timer(c, ms, "end");
}

bool conn_begin(struct conn *c, bool connected, int64_t connect_ms, struct err *err)
{
    if (!watch_new(c->loop, c->fd, 0, conn_on_watch, c, &c->watch, err))
        return false;
    if (!connect_ms)
        connect_ms = CONNECT_WAIT_MS_MAX;
    if (!connected || c->tls)
        start_timer(c, connect_ms, connected ? "TLS handshake" : "connection");
    if (connected) {
        conn_established(c);
    } else {
        c->state = CONN_CONNECTING;
        conn_want(c);
    }
    return true;
}

bool conn_connect(struct loop *l, const struct addr *to, const struct conn_opts *opts,
                  const struct conn_ops *ops, void *owner, struct conn **out, struct err *err)
{
    struct tls_session *tls = NULL;
    if (opts && opts->tls && !tls_session_new(opts->tls, opts->tls_name, opts->tls_uri, &tls, err))
        return false;
    char text[ADDR_TEXT_SIZE];
    str name = addr_text(to, text);
    int fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        tls_session_free(tls);
        return err_system(err, "cannot make a socket to reach %.*s", STR(name));
    }
    int one = 1;
    if (!addr_is_unix(to))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int rc = connect(fd, (const struct sockaddr *)&to->ss, to->len);
    if (rc != 0 && errno != EINPROGRESS) {
        (void)err_system(err, "cannot connect to %.*s", STR(name));
        err->kind = ERR_PEER;
        tls_session_free(tls);
        close(fd);
        return false;
    }
    struct conn *c = conn_alloc(l, fd, tls, opts, ops, owner);
    c->peer = *to;
    if (!conn_begin(c, rc == 0, opts ? opts->connect_ms : 0, err)) {
        conn_discard(c);
        return false;
    }
    *out = c;
    return true;
}

bool conn_adopt(struct loop *l, int fd, struct tls *server_tls, const struct conn_opts *opts,
                const struct conn_ops *ops, void *owner, struct conn **out, struct err *err)
{
    struct tls_session *tls = NULL;
    if (server_tls && !tls_session_new(server_tls, S(""), S(""), &tls, err)) {
        close(fd);
        return false;
    }
    struct conn *c = conn_alloc(l, fd, tls, opts, ops, owner);
    c->peer.len = sizeof c->peer.ss;
    if (getpeername(fd, (struct sockaddr *)&c->peer.ss, &c->peer.len) != 0) {
        (void)err_system(err, "not a connected socket");
        conn_discard(c);
        return false;
    }
    int one = 1;
    if (!addr_is_unix(&c->peer))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!conn_begin(c, true, opts ? opts->connect_ms : 0, err)) {
        conn_discard(c);
        return false;
    }
    *out = c;
    return true;
}

/* ---- states ---- */

void conn_want(struct conn *c)
{
    unsigned ev = 0;
    switch (c->state) {
    case CONN_CONNECTING:
        ev = WATCH_WRITE;
        break;
    case CONN_HANDSHAKE:
    case CONN_LINGERING:
        ev = WATCH_READ;
        break;
    case CONN_OPEN:
        if (!c->paused && !c->eof && buf_len(&c->in) < c->in_mark)
            ev = WATCH_READ;
        break;
    case CONN_DEAD:
    case CONN_OPENING:
    case CONN_FINISHING:
        break;
    }
    /* Queued bytes wait for the flush, not for the watch: only a flush that got stuck asks for it.
     */
    if (c->state != CONN_DEAD && c->state != CONN_CONNECTING && c->state != CONN_LINGERING &&
        conn_out_len(c) && !list_is_linked(&c->flush.node))
        ev |= WATCH_WRITE;
    watch_set(c->watch, ev);
}

void conn_established(struct conn *c)
{
    if (!c->tls) {
        conn_opening(c);
        return;
    }
    c->state = CONN_HANDSHAKE;
    c->what = "TLS handshake";
    conn_flush_soon(c); /* a client speaks first: the flush starts the handshake */
    conn_want(c);
}

void conn_opening(struct conn *c)
{
    timer_stop(&c->timer);
    c->what = NULL;
    c->state = CONN_OPENING;
    conn_want(c);
    conn_tell_soon(c);
}

static void on_soon(void *arg)
{
    struct conn *c = arg;
    if (c->state != CONN_DEAD) {
        conn_tell(c);
        return;
    }
    if (c->ops->on_close)
        c->ops->on_close(c, c->err);
    if (c->listener)
        listener_conn_gone(c->listener);
    timer_stop(&c->timer);
    deferred_cancel(&c->soon);
    deferred_cancel(&c->flush);
    tls_session_free(c->tls);
    buf_wipe(&c->in);
    buf_wipe(&c->out);
    free(c->err);
    free(c->peer_text);
    free(c);
}

void conn_tell_soon(struct conn *c)
{
    loop_defer(c->loop, &c->soon, on_soon, c);
}

void conn_tell(struct conn *c)
{
    if (c->state == CONN_OPENING) {
        c->state = CONN_OPEN;
        conn_want(c);
        if (c->ops->on_open)
            c->ops->on_open(c);
    }
    if (c->state == CONN_OPEN && !c->paused && c->announce) {
        c->announce = false;
        if (buf_len(&c->in) && c->ops->on_data)
            c->ops->on_data(c);
    }
    if (c->state == CONN_OPEN && !c->paused && c->eof && !c->eof_told) {
        c->eof_told = true;
        if (c->ops->on_eof)
            c->ops->on_eof(c);
        else
            conn_finish(c);
    }
    if (c->state == CONN_OPEN)
        conn_want(c);
}

void conn_end(struct conn *c, const struct err *why)
{
    if (c->state == CONN_DEAD)
        return;
    c->state = CONN_DEAD;
    if (why) {
        c->err = malloc(sizeof *c->err);
        if (!c->err)
            abort();
        *c->err = *why;
    }
    timer_stop(&c->timer);
    watch_close(c->watch);
    close(c->fd);
    deferred_cancel(&c->flush);
    conn_tell_soon(c);
}

/* ---- ends ---- */

void conn_abort(struct conn *c)
{
    conn_end(c, NULL);
}

void conn_fail(struct conn *c, const struct err *why)
{
    conn_end(c, why);
}

void conn_finish(struct conn *c)
{
    if (c->state == CONN_DEAD || c->state == CONN_FINISHING || c->state == CONN_LINGERING)
        return;
    if (c->state != CONN_OPEN && c->state != CONN_OPENING) {
        conn_end(c, NULL);
        return;
    }
    c->state = CONN_FINISHING;
    start_timer(c, DRAIN_WAIT_MS_MAX, "room for the last bytes");
    conn_flush_soon(c);
    conn_want(c);
}

bool conn_is_closing(const struct conn *c)
{
    return c->state == CONN_DEAD || c->state == CONN_FINISHING || c->state == CONN_LINGERING;
}

/* ---- time ---- */

static void on_timer(void *arg)
{
    struct conn *c = arg;
    if (c->state == CONN_LINGERING) {
        conn_end(c, NULL);
        return;
    }
    struct err err;
    if (c->wait_ms % 1000 == 0)
        (void)err_peer(&err, "no %s within %lld s", c->what, (long long)(c->wait_ms / 1000));
    else
        (void)err_peer(&err, "no %s within %lld ms", c->what, (long long)c->wait_ms);
    c->what = NULL;
    if (c->state == CONN_OPEN && c->ops->on_deadline)
        c->ops->on_deadline(c, &err);
    else
        conn_end(c, &err);
}

void conn_deadline(struct conn *c, int64_t ms, const char *what)
{
    if (c->state != CONN_OPEN && c->state != CONN_OPENING)
        return;
    if (ms)
        start_timer(c, ms, what);
    else
        timer_stop(&c->timer);
}

int64_t conn_deadline_left_ms(const struct conn *c)
{
    if (!timer_is_armed(&c->timer))
        return -1;
    int64_t left = c->timer.due_ms - loop_now_ms(c->loop);
    return left > 0 ? left : 0;
}

/* ---- in and out ---- */

str conn_in(const struct conn *c)
{
    return buf_str(&c->in);
}

void conn_consume(struct conn *c, size_t n)
{
    bool was_above = buf_len(&c->in) >= c->in_mark;
    buf_consume(&c->in, n);
    if (was_above && c->state == CONN_OPEN)
        conn_want(c);
}

void conn_pause(struct conn *c)
{
    c->paused = true;
    if (c->state == CONN_OPEN)
        conn_want(c);
}

void conn_resume(struct conn *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    if (c->state != CONN_OPEN)
        return;
    c->announce = true;
    conn_want(c);
    conn_tell_soon(c);
}

bool conn_is_eof(const struct conn *c)
{
    return c->eof;
}

void conn_write_secret(struct conn *c, str bytes)
{
    c->out.wipe = true;
    conn_write(c, bytes);
}

void conn_write(struct conn *c, str bytes)
{
    if (conn_is_closing(c) || bytes.n == 0)
        return;
    buf_put(&c->out, bytes);
    if (c->out.over) {
        struct err err;
        (void)err_limit(&err, "the peer does not read: %zu bytes wait for it", buf_len(&c->out));
        conn_end(c, &err);
        return;
    }
    c->bytes_out += bytes.n;
    if (conn_is_full(c))
        c->full = true;
    conn_flush_soon(c);
}

size_t conn_out_len(const struct conn *c)
{
    return buf_len(&c->out) + (c->tls ? buf_len(&c->tls->out) : 0);
}

bool conn_is_full(const struct conn *c)
{
    return conn_out_len(c) >= CONN_OUT_BYTES_HIGH;
}

/* ---- who ---- */

void *conn_owner(const struct conn *c)
{
    return c->owner;
}

struct loop *conn_loop(const struct conn *c)
{
    return c->loop;
}

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner)
{
    c->ops = ops;
    c->owner = owner;
    if (c->state == CONN_OPEN && (buf_len(&c->in) || (c->eof && !c->eof_told))) {
        c->announce = true;
        conn_tell_soon(c);
    }
}

str conn_peer_text(struct conn *c)
{
    if (!c->peer_text) {
        c->peer_text = malloc(ADDR_TEXT_SIZE);
        if (!c->peer_text)
            abort();
        addr_text(&c->peer, c->peer_text);
    }
    return str_z(c->peer_text);
}

const struct addr *conn_peer_addr(const struct conn *c)
{
    return &c->peer;
}

const struct tls_peer *conn_tls_peer(const struct conn *c)
{
    return c->tls && c->tls->peer.version.n ? &c->tls->peer : NULL;
}

int conn_fd(const struct conn *c)
{
    return c->fd;
}

uint64_t conn_bytes_in(const struct conn *c)
{
    return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
    return c->bytes_out;
}
