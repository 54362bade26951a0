/* conn_int: what conn.c, conn_io.c and listener.c share. Private to src/net. */
#pragma once
#include "base/buf.h"
#include "net/conn.h"
#include "net/timer.h"
#include "net/tls_int.h"

/*  CONNECTING -> HANDSHAKE -> OPENING -> OPEN -> FINISHING -> LINGERING -> DEAD
 *       (TCP)       (TLS)     (on_open    |      (sends what   (said the     (descriptor closed,
 *                              to come)   |       is queued)    end; waits)   on_close to come)
 * Any state may go to DEAD. In FINISHING and after it the owner hears only on_close. */
enum conn_state {
    CONN_DEAD = 0,
    CONN_CONNECTING,
    CONN_HANDSHAKE,
    CONN_OPENING,
    CONN_OPEN,
    CONN_FINISHING,
    CONN_LINGERING,
};

struct conn {
    struct loop *loop;
    const struct conn_ops *ops;
    void *owner;
    struct listener *listener; /* that counts it; or NULL */
    struct watch *watch;
    struct tls_session *tls; /* or NULL */
    int fd;
    enum conn_state state;
    bool paused;
    bool eof; /* the peer will send no more */
    bool eof_told;
    bool announce; /* there is something in `in` (or an end) to be told of by on_soon */
    bool full;     /* out went over the high mark; on_drain is owed */
    bool lean;     /* keeps no empty buffer */
    size_t in_mark;
    size_t lingered; /* bytes read and dropped while lingering */
    uint64_t bytes_in, bytes_out;
    struct buf in, out;
    struct deferred soon, flush;
    struct timer timer;
    const char *what; /* that the deadline waits for */
    int64_t wait_ms;
    struct err *err; /* that it ends with; NULL: none */
    struct addr peer;
    char *peer_text; /* made when first asked for */
};

/* In conn.c. Takes fd and session. */
struct conn *conn_alloc(struct loop *l, int fd, struct tls_session *tls, const struct conn_opts *o,
                        const struct conn_ops *ops, void *owner);
/* Watches fd and enters the first state: CONNECTING, or HANDSHAKE or OPENING. */
MUST_USE bool conn_begin(struct conn *c, bool connected, int64_t connect_ms, struct err *err);
/* -> DEAD; why NULL: an end that was asked for. */
void conn_end(struct conn *c, const struct err *why);
/* Undoes conn_alloc before anyone has heard of it. */
void conn_discard(struct conn *c);
void conn_established(struct conn *c); /* TCP connected */
void conn_opening(struct conn *c);     /* handshake done, or none wanted */
void conn_tell_soon(struct conn *c);   /* on_open, on_data, on_eof from the loop */
void conn_tell(struct conn *c);        /* the same, now */
void conn_linger_timer(struct conn *c, int64_t ms);
void conn_want(struct conn *c); /* sets the watch to what the state needs */

/* In conn_io.c. */
void conn_on_watch(void *arg, unsigned events);
void conn_on_flush(void *arg);
void conn_flush_soon(struct conn *c);

/* In listener.c. */
void listener_conn_gone(struct listener *s);
