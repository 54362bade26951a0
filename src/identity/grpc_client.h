/* grpc_client: the client's side of one gRPC connection (gRPC over HTTP/2, PROTOCOL-HTTP2.md), for
 * a few calls with one small request and a stream of answers each, as the SPIFFE Workload API has
 * them. Without a socket and without a clock:
 *
 *     grpc_client_call(c, ...)              as many as wanted, then and later
 *     grpc_client_pull(c, &out)             after each call, ping and feed: what is to be sent
 *     grpc_client_feed(c, received, &err)   false: the connection is over, close it
 *
 * Framing, HPACK, flow control and the rules of HTTP messages are nghttp2's. Refused beyond them:
 * an answer that is not 200 or not application/grpc, a compressed message, one over
 * GRPC_CLIENT_MESSAGE_BYTES_MAX, heads over GRPC_CLIENT_HEAD_BYTES_MAX: that call ends with
 * GRPC_INTERNAL. Pushed streams are refused. A status that the server gives in an answer's head
 * alone (Trailers-Only) counts as in trailers; one that is missing is GRPC_UNAVAILABLE, as clients
 * read a connection that broke.
 *
 * Callbacks come from feed only, and may call but not feed, pull or free. What a server says of a
 * status is text of somebody else: printable ASCII here, at most GRPC_STATUS_TEXT_BYTES_MAX.
 * Messages may hold keys: buffers are wiped. One thread at a time. */
#pragma once
#include "identity/grpc.h"

enum {
    GRPC_CLIENT_CALLS_MAX = 8,
    GRPC_CLIENT_REQUEST_BYTES_MAX = 4 << 10,
    GRPC_CLIENT_MESSAGE_BYTES_MAX = 1 << 20,
    GRPC_CLIENT_HEAD_BYTES_MAX = 16 << 10,
};

struct grpc_client;

struct grpc_client_ops {
    /* One answer of the call that was given this tag. message: until return. */
    void (*on_message)(void *owner, unsigned tag, str message);
    /* Once for each call, last. text: until return. */
    void (*on_end)(void *owner, unsigned tag, enum grpc_status status, str text);
    /* The answer to grpc_client_ping; may be NULL. */
    void (*on_pong)(void *owner);
};

/* ops are borrowed for the life of it. */
struct grpc_client *grpc_client_new(const struct grpc_client_ops *ops, void *owner);
void grpc_client_free(struct grpc_client *c); /* without callbacks; NULL is fine */

/* path: "/Service/Method"; metadata: in lower case. request is copied. ERR_LIMIT: too many calls,
 * or a request that is too long. */
MUST_USE bool grpc_client_call(struct grpc_client *c, unsigned tag, str path,
                               const struct grpc_field *metadata, size_t n, str request,
                               struct err *err);
void grpc_client_ping(struct grpc_client *c);
MUST_USE bool grpc_client_feed(struct grpc_client *c, str in, struct err *err);
void grpc_client_pull(struct grpc_client *c, struct buf *out);
