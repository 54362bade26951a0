#include "base/limits.h"
#include "net/conn_int.h"
#include "net/loop_int.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    LINGER_MS = 1000,
    LINGER_BYTES_MAX = 1 << 20,   /* read and dropped from a peer that goes on sending */
    CIPHER_BYTES_HIGH = 64 << 10, /* of one round of encryption */
    FLUSH_ROUNDS_MAX = 16,        /* then others get their turn */
    KEEP_BYTES = 4 << 10,         /* larger buffers are given back when empty */
};

static void give_back(const struct conn *c, struct buf *b)
{
    if (buf_len(b) == 0 && (c->lean || b->cap > KEEP_BYTES))
        buf_fini(b);
}

static bool would_block(int e)
{
    return e == EAGAIN || e == EWOULDBLOCK || e == EINTR;
}

/* ---- out ---- */

/* Sends the front of b: OK if all of it went. */
static enum io send_front(struct conn *c, struct buf *b)
{
    while (buf_len(b)) {
        str s = buf_str(b);
        ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && would_block(errno))
            return IO_AGAIN;
        if (n < 0) {
            struct err err;
            (void)err_system(&err, "the connection broke while sending");
            err.kind = ERR_PEER;
            conn_end(c, &err);
            return IO_ERROR;
        }
        buf_consume(b, (size_t)n);
        if ((size_t)n < s.n)
            return IO_AGAIN;
    }
    give_back(c, b);
    return IO_OK;
}

static enum io send_tls(struct conn *c)
{
    for (unsigned i = 0; i < FLUSH_ROUNDS_MAX; i++) {
        enum io r = send_front(c, &c->tls->out);
        if (r != IO_OK || buf_len(&c->out) == 0)
            return r;
        str part = str_take(buf_str(&c->out), CIPHER_BYTES_HIGH);
        struct err err;
        if (!tls_session_write(c->tls, part, &err)) {
            conn_end(c, &err);
            return IO_ERROR;
        }
        buf_consume(&c->out, part.n);
        if (buf_len(&c->out) == 0)
            give_back(c, &c->out);
    }
    return IO_AGAIN;
}

/* All was sent: says the end, and waits for the peer's, so that a reset does not overtake the last
 * bytes. */
static void linger(struct conn *c)
{
    if (c->tls) {
        tls_session_shutdown(c->tls);
        if (send_front(c, &c->tls->out) == IO_ERROR)
            return;
    }
    if (c->eof) {
        conn_end(c, NULL);
        return;
    }
    c->state = CONN_LINGERING;
    (void)shutdown(c->fd, SHUT_WR);
    conn_linger_timer(c, LINGER_MS);
    conn_want(c);
}

static void handshake(struct conn *c)
{
    struct err err;
    enum io r = tls_session_handshake(c->tls, &err);
    /* The alert of a failed handshake is for the peer's operator: sent as far as it goes. */
    if (send_front(c, &c->tls->out) == IO_ERROR)
        return;
    if (r == IO_ERROR)
        conn_end(c, &err);
    else if (r == IO_OK)
        conn_opening(c);
    else
        conn_want(c);
}

static void flush(struct conn *c)
{
    if (c->state == CONN_HANDSHAKE) {
        handshake(c);
        return;
    }
    enum io r = c->tls ? send_tls(c) : send_front(c, &c->out);
    if (r == IO_ERROR)
        return;
    if (c->full && conn_out_len(c) < CONN_OUT_BYTES_LOW) {
        c->full = false;
        if (c->state == CONN_OPEN && c->ops->on_drain)
            c->ops->on_drain(c);
    }
    if (c->state == CONN_FINISHING && conn_out_len(c) == 0)
        linger(c);
    else if (c->state != CONN_DEAD)
        conn_want(c);
}

void conn_on_flush(void *arg)
{
    struct conn *c = arg;
    if (c->state != CONN_DEAD && c->state != CONN_CONNECTING)
        flush(c);
}

void conn_flush_soon(struct conn *c)
{
    loop_defer_flush(c->loop, &c->flush, conn_on_flush, c);
}

/* ---- in ---- */

static void on_connected(struct conn *c)
{
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0)
        e = errno;
    if (e == 0) {
        conn_established(c);
        return;
    }
    struct err err;
    errno = e;
    (void)err_system(&err, "cannot connect to %.*s", STR(conn_peer_text(c)));
    err.kind = ERR_PEER;
    conn_end(c, &err);
}

/* One read per readiness: a fast peer does not starve the others. */
static enum io receive(struct conn *c, str *out)
{
    ssize_t n = recv(c->fd, c->loop->scratch, LOOP_SCRATCH_BYTES, MSG_DONTWAIT);
    if (n > 0) {
        *out = str_of(c->loop->scratch, (size_t)n);
        return IO_OK;
    }
    if (n == 0)
        return IO_EOF;
    if (would_block(errno))
        return IO_AGAIN;
    struct err err;
    (void)err_system(&err, "the connection broke");
    err.kind = ERR_PEER;
    if (c->state == CONN_LINGERING)
        conn_end(c, NULL);
    else
        conn_end(c, &err);
    return IO_ERROR;
}

static void decrypt(struct conn *c, str cipher, bool socket_eof)
{
    struct err err;
    buf_put(&c->tls->in, cipher);
    enum io r = tls_session_read(c->tls, &c->in, &err);
    give_back(c, &c->tls->in);
    if (buf_len(&c->tls->out))
        conn_flush_soon(c);
    if (r == IO_AGAIN && socket_eof) {
        /* RFC 8446 section 6.1: without its close_notify the data may have been cut by a stranger.
         */
        (void)err_peer(&err, "the peer broke off without ending TLS");
        r = IO_ERROR;
    }
    if (r == IO_ERROR)
        conn_end(c, &err);
    else if (r == IO_EOF)
        c->eof = true;
}

static void read_open(struct conn *c)
{
    str got = {0};
    enum io r = receive(c, &got);
    if (r == IO_AGAIN || r == IO_ERROR)
        return;
    size_t before = buf_len(&c->in);
    if (c->tls) {
        decrypt(c, got, r == IO_EOF);
    } else if (r == IO_EOF) {
        c->eof = true;
    } else {
        buf_put(&c->in, got);
    }
    if (c->state == CONN_DEAD)
        return;
    c->bytes_in += buf_len(&c->in) - before;
    c->announce |= buf_len(&c->in) > before;
    conn_tell(c);
    if (c->state != CONN_DEAD)
        give_back(c, &c->in);
}

static void read_handshake(struct conn *c)
{
    str got = {0};
    enum io r = receive(c, &got);
    if (r == IO_AGAIN || r == IO_ERROR)
        return;
    if (r == IO_EOF) {
        struct err err;
        (void)err_peer(&err, "the peer went away during the TLS handshake");
        conn_end(c, &err);
        return;
    }
    buf_put(&c->tls->in, got);
    handshake(c);
    if (c->state != CONN_OPENING || buf_len(&c->tls->in) == 0)
        return;
    /* The first request came along with the end of the handshake. */
    decrypt(c, S(""), false);
    c->bytes_in += buf_len(&c->in);
    c->announce = buf_len(&c->in) != 0;
}

static void read_lingering(struct conn *c)
{
    str got = {0};
    enum io r = receive(c, &got);
    c->lingered += got.n;
    if (r == IO_EOF || c->lingered > LINGER_BYTES_MAX)
        conn_end(c, NULL);
}

/* A pending error of a connection that is not being read. */
static void check_broken(struct conn *c)
{
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0 || e == 0)
        return;
    struct err err;
    errno = e;
    (void)err_system(&err, "the connection broke");
    err.kind = ERR_PEER;
    conn_end(c, &err);
}

void conn_on_watch(void *arg, unsigned events)
{
    struct conn *c = arg;
    if (c->state == CONN_CONNECTING) {
        on_connected(c);
        return;
    }
    if ((events & WATCH_WRITE) && c->state != CONN_DEAD && c->state != CONN_LINGERING) {
        if (conn_out_len(c) || c->state == CONN_FINISHING)
            flush(c);
    }
    if (!(events & WATCH_READ))
        return;
    switch (c->state) {
    case CONN_HANDSHAKE:
        read_handshake(c);
        break;
    case CONN_OPEN:
        if (!c->paused && !c->eof && buf_len(&c->in) < c->in_mark)
            read_open(c);
        else
            check_broken(c);
        break;
    case CONN_LINGERING:
        read_lingering(c);
        break;
    case CONN_OPENING:
    case CONN_FINISHING:
        check_broken(c);
        break;
    case CONN_CONNECTING:
    case CONN_DEAD:
        break;
    }
}
