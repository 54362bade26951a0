/* conn: a byte stream to one peer, over TCP, a Unix socket or any connected stream socket, with or
 * without TLS: one interface.
 *
 * Life: made (connect, accept or adopt) -> open (on_open; TLS handshake done) -> closed (on_close,
 * exactly once, always last). Callbacks come from the loop only, never from inside a conn_ call, so
 * an owner may call anything from anywhere; after conn_abort only on_close follows. The conn's
 * memory goes after on_close returns, the owner's is his affair.
 *
 * In: bytes gather in the in-buffer; on_data says that there are more; the owner consumes what it
 * has used. Above the in-mark reading stops until it consumes (back-pressure). Out: conn_write
 * copies; everything written in one iteration leaves in one write(2). An owner that relays stops
 * its source when conn_is_full() and goes on at on_drain. Beyond out_max the connection is closed:
 * such a peer does not read. Every wait has a deadline: connect and TLS handshake by
 * CONNECT_WAIT_MS_MAX, the rest by conn_deadline(); what conn_finish() still has to send by
 * DRAIN_WAIT_MS_MAX. */
#pragma once
#include "net/addr.h"
#include "net/loop.h"
#include "net/tls.h"

struct conn;
struct listener;

struct conn_ops { /* any may be NULL */
    void (*on_open)(struct conn *c);
    /* New bytes in conn_in(). What is left there is seen again with the next bytes, not before. */
    void (*on_data)(struct conn *c);
    /* The out-buffer was full and is now below CONN_OUT_BYTES_LOW. */
    void (*on_drain)(struct conn *c);
    /* The peer will send no more; writing is still possible. NULL: as if conn_finish() were called.
     */
    void (*on_eof)(struct conn *c);
    /* The deadline passed; err is what it would be closed with. NULL: it is closed. */
    void (*on_deadline)(struct conn *c, const struct err *err);
    /* err NULL: an end that was asked for (conn_finish or conn_abort). */
    void (*on_close)(struct conn *c, const struct err *err);
};

struct conn_opts {      /* zero = the defaults; may be NULL */
    struct tls *tls;    /* client side; a reference is taken */
    str tls_name;       /* name (or numeric address) that the certificate must be for */
    str tls_uri;        /* instead of a name: the URI SAN it must have (a SPIFFE ID) */
    int64_t connect_ms; /* connect and handshake together; 0: CONNECT_WAIT_MS_MAX */
    size_t in_mark;     /* 0: CONN_IN_BYTES_HIGH */
    size_t out_max;     /* 0: CONN_OUT_BYTES_MAX */
    bool lean;          /* buffers are given back whenever they are empty: for many idle ones */
};
enum { CONN_OUT_BYTES_MAX = 32 << 20 };

/* Begins to connect. Only what fails at once is returned as an error; the rest comes by on_close.
 */
MUST_USE bool conn_connect(struct loop *l, const struct addr *to, const struct conn_opts *opts,
                           const struct conn_ops *ops, void *owner, struct conn **out,
                           struct err *err);
/* Makes a connection of a connected stream socket; the descriptor belongs to it from here on, even
 * on failure. server_tls: TLS server handshake first (NULL: plain). */
MUST_USE bool conn_adopt(struct loop *l, int fd, struct tls *server_tls,
                         const struct conn_opts *opts, const struct conn_ops *ops, void *owner,
                         struct conn **out, struct err *err);

void *conn_owner(const struct conn *c);
struct loop *conn_loop(const struct conn *c);
/* Hands the connection to another owner (an idle upstream connection, a protocol upgrade). */
void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner);

/* ---- in ---- */
str conn_in(const struct conn
                *c); /* what was received and not consumed; until the next conn_ call or return */
void conn_consume(struct conn *c, size_t n);
void conn_pause(struct conn *c);  /* no on_data, on_eof until resumed */
void conn_resume(struct conn *c); /* bytes that wait are announced again by on_data */
bool conn_is_eof(const struct conn *c);

/* ---- out ---- */
void conn_write(struct conn *c, str bytes); /* ignored once closing */
/* The same for bytes that hold a secret: the memory they pass through is wiped once they have left.
 */
void conn_write_secret(struct conn *c, str bytes);
size_t conn_out_len(const struct conn *c);
bool conn_is_full(const struct conn *c); /* out_len >= CONN_OUT_BYTES_HIGH */

/* ---- ends ---- */
/* Sends what is queued, says the end to the peer, waits a little for its end, closes. Nothing is
 * read any more. */
void conn_finish(struct conn *c);
/* Closes now; what is queued is dropped. */
void conn_abort(struct conn *c);
/* As abort, with the reason that on_close is to get. */
void conn_fail(struct conn *c, const struct err *why);
bool conn_is_closing(
    const struct conn *c); /* finish, abort or fail was called, or the peer is gone */

/* ---- time ---- */
/* One deadline a connection, replaced by each call: "no <what> within <ms>". what: a literal. ms 0:
 * none. */
void conn_deadline(struct conn *c, int64_t ms, const char *what);
int64_t conn_deadline_left_ms(const struct conn *c); /* -1 = none */

/* ---- who ---- */
str conn_peer_text(struct conn *c); /* "127.0.0.1:50000", "unix:" */
const struct addr *conn_peer_addr(const struct conn *c);
const struct tls_peer *conn_tls_peer(const struct conn *c); /* NULL without TLS or before on_open */
int conn_fd(const struct conn *c);                          /* for attestation only */
uint64_t conn_bytes_in(const struct conn *c);               /* of the application, not of TLS */
uint64_t conn_bytes_out(const struct conn *c);              /* accepted by conn_write */

/* ---- listeners ---- */
struct listen_opts {
    size_t
        conns_max; /* concurrent; at the cap, strangers wait in the kernel's queue. 0: CONNS_MAX */
    struct tls *tls; /* NULL: plain; a reference is taken */
    size_t in_mark, out_max;
    mode_t unix_mode; /* of a Unix socket's file; 0: 0600 */
    /* One of the two. on_conn: calls conn_set_owner(), else the connection is dropped; on_open
     * follows. on_fd: takes the descriptor itself (close-on-exec, non-blocking); it is not counted
     * against conns_max. */
    void (*on_conn)(void *owner, struct conn *c);
    void (*on_fd)(void *owner, int fd, const struct addr *from);
    void *owner;
};
/* Makes a bound, listening, non-blocking, close-on-exec socket (the supervisor does, and hands it
 * down). A Unix path that nobody listens on any more is replaced. */
MUST_USE bool listen_socket(const struct addr *at, mode_t unix_mode, int *out_fd, struct err *err);
/* Accepts on a listening socket; the descriptor belongs to the listener from here on, even on
 * failure. */
MUST_USE bool listener_adopt(struct loop *l, int fd, const struct listen_opts *o,
                             struct listener **out, struct err *err);
/* The two together. */
MUST_USE bool listener_new(struct loop *l, const struct addr *at, const struct listen_opts *o,
                           struct listener **out, struct err *err);
void listener_set_tls(struct listener *s, struct tls *tls); /* for connections from now on */
struct addr
listener_addr(const struct listener *s); /* as bound: tells the port chosen for port 0 */
size_t listener_conns(const struct listener *s);
/* Stops accepting. Its connections live on; the memory goes with the last. NULL is fine. */
void listener_close(struct listener *s);
