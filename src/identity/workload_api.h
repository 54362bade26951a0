/* workload_api: the SPIFFE Workload API for one connection, as a machine without socket or clock.
 *
 * Source: SPIFFE Workload API (sections 4 to 7) and Workload Endpoint (sections 3 to 6). It stands
 * on grpc.h, whose feed, pull, tick and ends it passes on; what it adds is the order in which a
 * request is judged:
 *
 *     workload.spiffe.io is not "true", exactly and once    -> InvalidArgument
 *     not a method of SpiffeWorkloadAPI, or WIT not enabled -> Unimplemented
 *     not ready                                             -> Unavailable
 *     nobody known at the other end                         -> PermissionDenied
 *     message malformed, a mandatory field empty            -> InvalidArgument
 *     else on_ask; without an answer in answer_ms           -> Unavailable
 *
 * Who is at the other end is asked of the owner at every request and again before every push, never
 * remembered. An answer is the full state each time: a stream is answered at once, stays open, and
 * is asked for again (on_ask) after workload_rotate. Rotations that come while one is due or
 * unanswered become one push. An answer without any SVID or bundle ends the call with
 * PermissionDenied, which takes back what was given.
 *
 * Answers hold private keys: they go from the owner's structs to buffers that are wiped, and are
 * not kept. Callbacks come from feed, pull, tick, rotate, end and free. One thread at a time. */
#pragma once
#include "identity/grpc.h"
#include "identity/workload_msg.h"

enum { WORKLOAD_ANSWER_WAIT_MS = 10 * 1000, WORKLOAD_CLAIMS_BYTES_MAX = 16 << 10 };

enum workload_peer {
    WORKLOAD_NOBODY = 0, /* PermissionDenied */
    WORKLOAD_NOT_READY,  /* starting, or overloaded: Unavailable */
    WORKLOAD_KNOWN,
};

struct workload_conn;
struct workload_call; /* valid until its on_gone returns */

struct workload_ops {
    /* The peer as it is now. */
    enum workload_peer (*who)(void *owner);
    /* Answer by workload_answer or workload_refuse, now or later. `ask` is valid until return;
     * whoever answers later keeps what he needs, and for a stream all of it: a push asks again
     * with ask NULL. */
    void (*on_ask)(void *owner, struct workload_call *c, enum workload_method m,
                   const union workload_ask *ask);
    /* Once for each call that had on_ask, and last. */
    void (*on_gone)(void *owner, struct workload_call *c);
};

struct workload_opts { /* zero: as it says */
    bool wit;          /* serve the WIT-SVID profile; false: Unimplemented */
    int64_t answer_ms; /* 0: WORKLOAD_ANSWER_WAIT_MS */
    struct grpc_limits grpc;
};

/* ops are borrowed for the life of the connection. */
struct workload_conn *workload_new(const struct workload_opts *opts, const struct workload_ops *ops,
                                   void *owner, int64_t now_ms);
void workload_free(struct workload_conn *w); /* on_gone for each call; NULL is fine */

/* As grpc_feed, grpc_pull, grpc_is_done, grpc_tick, grpc_deadline. */
MUST_USE bool workload_feed(struct workload_conn *w, str in, int64_t now_ms, struct err *err);
void workload_pull(struct workload_conn *w, struct buf *out);
bool workload_is_done(const struct workload_conn *w);
MUST_USE bool workload_tick(struct workload_conn *w, int64_t now_ms, struct err *err);
int64_t workload_deadline(const struct workload_conn *w);
size_t workload_streams(const struct workload_conn *w);

/* What these methods answer has changed: streams of them are asked again at now_ms + jitter_ms, by
 * a tick. methods: bits 1 << enum workload_method. The caller draws the jitter, one per
 * connection. */
void workload_rotate(struct workload_conn *w, unsigned methods, int64_t now_ms, int64_t jitter_ms);
/* The peer's identity is over (its process died, it was removed): every call ends with
 * PermissionDenied at once, answers that were not pulled are dropped, and the connection goes away
 * (GOAWAY; workload_is_done once that was pulled), so nobody who inherited it is served, and a
 * client that keeps its connections, as every gRPC library does, comes back on one that is attested
 * anew. */
void workload_end(struct workload_conn *w);

void *workload_call_data(const struct workload_call *c);
void workload_call_set_data(struct workload_call *c, void *data);
/* What the ask is answered with, see workload_msg.h. A unary call is over then. Ignored when the
 * call is over. False: the answer is not one (ERR_INPUT: a mandatory field is empty, hints are not
 * unique; the call has ended with Internal), is empty (ERR_NOTFOUND: it has ended with
 * PermissionDenied), or the peer does not read (ERR_LIMIT). */
MUST_USE bool workload_answer(struct workload_call *c, const union workload_answer *answer,
                              struct err *err);
/* Ends the call. For a token that is not valid: GRPC_INVALID_ARGUMENT. text goes to the peer. */
void workload_refuse(struct workload_call *c, enum grpc_status status, str text);
