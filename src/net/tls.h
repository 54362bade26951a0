/* tls: how to speak TLS, as a server or as a client (OpenSSL 3 underneath).
 *
 * TLS 1.3, and 1.2 with ECDHE and AEAD ciphers only; no renegotiation, no compression, no session
 * tickets or resumption; ALPN http/1.1 unless told otherwise. A client always verifies: chain and
 * name. All material comes as bytes, since roles read no files; private keys are copied into
 * OpenSSL, wipe yours. A struct tls is immutable and counted: connections hold it, so it may be
 * replaced on a listener at any time. Errors never hold key material. One thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct tls;

struct tls_server_opts {
    str cert_pem; /* own certificate first, then the chain */
    str key_pem;
    str client_ca_pem;         /* empty: no client certificate is asked for */
    bool client_cert_optional; /* otherwise one is required when there is a client CA */
    bool client_cert_any;      /* a certificate is asked for and not judged: the peer has proved
                                * that it holds its key, and nothing else */
    str alpn;                  /* comma-separated, preferred first; empty: "http/1.1" */
};
MUST_USE bool tls_server_new(const struct tls_server_opts *o, struct tls **out, struct err *err);

struct tls_client_opts {
    str ca_pem;            /* trust anchors, any number; required */
    str cert_pem, key_pem; /* own certificate for mTLS; both empty: none */
    str alpn;              /* as above */
};
MUST_USE bool tls_client_new(const struct tls_client_opts *o, struct tls **out, struct err *err);

struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); /* NULL is fine */

/* What a finished handshake proved. Borrowed from the connection. */
enum { TLS_URI_SANS_MAX = 8 };
struct tls_peer {
    bool has_cert; /* verified against the CAs given, unless any was taken; all empty otherwise */
    unsigned char sha256[32]; /* of the DER: the x5t#S256 of RFC 8705 */
    str subject_cn;
    str uri_sans[TLS_URI_SANS_MAX]; /* in order; a certificate with more is refused */
    size_t n_uri_sans;
    str leaf_der;
    str chain_der; /* all it sent, leaf first, one after another */
    str alpn;      /* negotiated; empty if none */
    str version;   /* "TLSv1.3" */
};
