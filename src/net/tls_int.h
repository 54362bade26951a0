/* tls_int: one TLS connection as a pure machine: cipher bytes in and out through two buffers, no
 * socket. Private to src/net. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "net/tls.h"
#include "os/fdpass.h"
#include <openssl/ssl.h>

enum { TLS_ALPN_BYTES_MAX = 64 };

struct tls {
    unsigned refs;
    SSL_CTX *ctx;
    BIO_METHOD *bio;
    bool server;
    unsigned char alpn[TLS_ALPN_BYTES_MAX]; /* wire form: each name with its length before it */
    size_t alpn_n;
};

struct tls_session {
    struct tls *tls;
    SSL *ssl;
    struct buf in;  /* received, not yet decrypted */
    struct buf out; /* to be sent */
    str want_uri;
    bool eof; /* the peer said so within TLS */
    struct tls_peer peer;
    struct arena mem; /* of peer, want_uri */
};

/* name: host name or numeric address the certificate must be for; uri: URI SAN it must have; a
 * client needs one of the two. Servers pass neither. */
MUST_USE bool tls_session_new(struct tls *t, str name, str uri, struct tls_session **out,
                              struct err *err);
void tls_session_free(struct tls_session *s);
/* OK: done, s->peer is set. AGAIN: needs bytes. s->out may have grown in every case, also with an
 * error (the alert). */
enum io tls_session_handshake(struct tls_session *s, struct err *err);
/* Decrypts all that is there onto the end of plain. AGAIN: needs bytes; EOF: the peer closed. */
enum io tls_session_read(struct tls_session *s, struct buf *plain, struct err *err);
MUST_USE bool tls_session_write(struct tls_session *s, str plain, struct err *err);
void tls_session_shutdown(struct tls_session *s); /* queues close_notify */
