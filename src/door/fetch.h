/* fetch: one document of somebody else by HTTP/1.1: key sets, trust bundles, discovery, an answer
 * of a token endpoint.
 *
 * The request is written from nothing and the connection serves it alone. No redirect is followed,
 * whatever its kind: where to go is configuration. TLS is verified (net/tls.h): a name under
 * authorities, or a SPIFFE ID under the roots of its trust domain. Anything but a complete answer
 * with status 200 is an error; the text of one says what the server said of itself in numbers only.
 * A body has at most FETCH_BYTES_MAX bytes, and everything together takes at most the time given.
 * Loop thread only. */
#pragma once
#include "net/conn.h"

enum { FETCH_BYTES_MAX = 1 << 20, FETCH_WAIT_MS_MAX = 15 * 1000 };

struct fetch; /* one exchange, until on_end or fetch_cancel */

struct fetch_ops {
    /* Once. err NULL: body is the document, until return. status: 0 without an answer. */
    void (*on_end)(void *owner, int status, str body, const struct err *err);
};
struct fetch_request {
    const struct addr *to;
    struct tls *tls; /* NULL: plain */
    str tls_name;    /* whom the certificate must name */
    str tls_uri;     /* ... or the SPIFFE ID it must have */
    str host;        /* for the Host field */
    str target;      /* path and query */
    str form;        /* empty: GET; else POST of application/x-www-form-urlencoded */
    bool any_status; /* other statuses are answers too (a token endpoint's 400) */
    int64_t wait_ms; /* 0: FETCH_WAIT_MS_MAX */
};
/* All of req is copied. False: nothing was sent, and on_end does not follow. */
MUST_USE bool fetch_start(struct loop *l, const struct fetch_request *req,
                          const struct fetch_ops *ops, void *owner, struct fetch **out,
                          struct err *err);
/* Ends it now, without on_end. */
void fetch_cancel(struct fetch *f);
