/* grpc: the server's side of one gRPC connection (gRPC over HTTP/2, PROTOCOL-HTTP2.md; RFC 9113),
 * without a socket and without a clock: bytes in, callbacks; answers, bytes out.
 *
 *     grpc_feed(g, received, now, &err)   false: send what grpc_pull still gives, then close
 *     grpc_pull(g, &out)                  after each feed, each answer, and when out has drained;
 *                                         then close if grpc_is_done(g)
 *     grpc_tick(g, now, &err)             at grpc_deadline(g)
 *
 * Framing, HPACK and flow control are nghttp2's. What a request must look like is checked here and
 * not by nghttp2, whose check refuses the raw socket paths that some clients send as :authority
 * (grpc-java): any :authority is accepted, and ignored. Only calls with one request message are
 * served, unary or with a stream of answers:
 *
 *     headers -> on_head -> [message] -> end -> on_request -> grpc_send ... grpc_finish -> on_gone
 *
 * Malformed HTTP/2 (pseudo-headers, upper case, connection fields, controls, a wrong
 * content-length) resets the stream; a method but POST is answered 405, a content type but
 * application/grpc[+proto] 415, a missing `te: trailers` 400; what gRPC has a status for is
 * answered with that: UNIMPLEMENTED (compression), RESOURCE_EXHAUSTED (a message over the limit),
 * INTERNAL (no message, or two), DEADLINE_EXCEEDED (the client's grpc-timeout, or a request that
 * does not come to its end).
 *
 * A peer that costs more than it should is cut: more frames, or more streams that end otherwise
 * than by our answer, than the buckets below hold (floods of PING, SETTINGS and PRIORITY; rapid
 * reset; resets that our side is made to send); more than GRPC_CONTROL_QUEUE_MAX frames that wait
 * because it does not read. A slow reader: a stream whose answers pile up over stream_out_bytes, or
 * do not move for stall_ms, is reset; a connection over conn_out_bytes is cut.
 *
 * Messages to be sent may hold keys: they lie in buffers that are wiped, and pass nghttp2 by.
 * Callbacks come from feed, pull and free only; they may answer and finish any call, but not feed,
 * pull, tick or free. One thread at a time. Errors: ERR_PEER (protocol), ERR_LIMIT. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum {
    GRPC_STREAMS_MAX = 100,            /* open at once */
    GRPC_HEAD_BYTES_MAX = 8 << 10,     /* names, values and 32 for each, as RFC 9113 6.5.2 counts */
    GRPC_HEAD_FIELDS_MAX = 64,         /* with the pseudo-headers */
    GRPC_BLOCK_BYTES_MAX = 16 << 10,   /* of HEADERS and CONTINUATION together, on the wire */
    GRPC_REQUEST_BYTES_MAX = 32 << 10, /* of one message */
    GRPC_STREAM_OUT_BYTES_MAX = 1 << 20,
    GRPC_CONN_OUT_BYTES_MAX = 4 << 20,
    GRPC_PULL_BYTES_HIGH = 64 << 10, /* grpc_pull adds no more beyond this */
    GRPC_CONTROL_QUEUE_MAX = 500,
    GRPC_FRAMES_BURST = 10000, /* frames of any kind, */
    GRPC_FRAMES_PER_S = 20000, /* a busy client sends several for each call */
    GRPC_ABORTS_BURST = 200,   /* streams that did not end by our answer */
    GRPC_ABORTS_PER_S = 20,
    GRPC_STATUS_TEXT_BYTES_MAX = 512,
    GRPC_REQUEST_WAIT_MS_MAX =
        10 * 1000, /* headers to the end of the request; preface to SETTINGS */
    GRPC_STALL_WAIT_MS_MAX = 30 * 1000,
};

enum grpc_status {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
};

struct grpc;
struct grpc_call; /* one stream; valid until its on_gone returns */

struct grpc_field {
    str name, value;
};
struct grpc_head { /* everything in it is valid during on_head only */
    str path;
    str authority;                   /* empty if absent; as sent, not checked */
    const struct grpc_field *fields; /* without pseudo-headers, in the order sent */
    size_t n;
    int64_t timeout_ms; /* grpc-timeout; -1: none */
};

struct grpc_ops {
    /* A request begins. May refuse by grpc_finish. */
    void (*on_head)(void *owner, struct grpc_call *c, const struct grpc_head *head);
    /* It is complete; not called for a call that was finished before. message: until return. */
    void (*on_request)(void *owner, struct grpc_call *c, str message);
    /* Once for each call that had on_head, and last: answered, cancelled, cut. */
    void (*on_gone)(void *owner, struct grpc_call *c);
};

struct grpc_limits { /* zero: the maximum above */
    size_t streams, request_bytes, stream_out_bytes, conn_out_bytes;
    int64_t request_ms, stall_ms;
};

/* ops are borrowed for the life of the session. A failure to allocate ends the process. */
struct grpc *grpc_new(const struct grpc_limits *limits, const struct grpc_ops *ops, void *owner,
                      int64_t now_ms);
/* on_gone for each open call. NULL is fine. */
void grpc_free(struct grpc *g);

/* False, then always: the connection is over. now_ms never goes back. */
MUST_USE bool grpc_feed(struct grpc *g, str in, int64_t now_ms, struct err *err);
/* Appends what is to be sent, until out holds GRPC_PULL_BYTES_HIGH or there is nothing. Give it a
 * buffer with wipe set and a max of at least GRPC_PULL_BYTES_HIGH + 32 KiB. */
void grpc_pull(struct grpc *g, struct buf *out);
/* True if the session is over and everything was pulled. */
bool grpc_is_done(const struct grpc *g);
/* Ends what has waited too long. False as with feed. */
MUST_USE bool grpc_tick(struct grpc *g, int64_t now_ms, struct err *err);
/* When grpc_tick has something to do; INT64_MAX: never. */
int64_t grpc_deadline(const struct grpc *g);
/* No new calls; the open ones go on. After the last, grpc_is_done. */
void grpc_shutdown(struct grpc *g);
size_t grpc_calls(const struct grpc *g);
/* Bytes of answers that have not been pulled. */
size_t grpc_out_bytes(const struct grpc *g);

void *grpc_call_data(const struct grpc_call *c);
void grpc_call_set_data(struct grpc_call *c, void *data);

/* Queues one message. Nothing happens to a call that is finished. False (ERR_LIMIT): the peer does
 * not read; the stream is reset and on_gone follows, not from within this call. */
MUST_USE bool grpc_send(struct grpc_call *c, str message, struct err *err);
/* Ends the call after what was queued. text may be empty, holds no secret, and is cut at
 * GRPC_STATUS_TEXT_BYTES_MAX. The second time for a call nothing happens. */
void grpc_finish(struct grpc_call *c, enum grpc_status status, str text);
/* The same, and what was queued and not yet pulled is dropped: the client would get it after it has
 * lost the right to it. If a message has gone out in part, the stream is reset instead, with
 * the code that clients read as this status. A status that was queued and not yet pulled is
 * replaced. */
void grpc_revoke(struct grpc_call *c, enum grpc_status status, str text);
