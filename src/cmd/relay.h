/* relay: what `ambit connect` says to the gateway and to its client, as pure functions: one message
 * of a stdio client to one HTTP request, one HTTP answer to one line.
 *
 * The client's message goes on as it came (the gateway parses it for itself); the fields that HTTP
 * adds are derived from it. Sources: MCP 2026-07-28 and 2025-11-25 "Streamable HTTP", "stdio". */
#pragma once
#include "mcp/rpc.h"

struct relay_message {
    struct rpc_message rpc;
    str line;    /* as it came */
    bool modern; /* params._meta names a protocol version: no session, described by fields */
    str version; /* that version */
    str name;    /* params.name or params.uri, where a field mirrors it */
    str cancels; /* notifications/cancelled: id of the request, as JSON text */
};

/* Everything lives in the arena. False: `fault` and err say what to answer. */
MUST_USE bool relay_read(struct arena *a, str line, struct relay_message *out,
                         struct rpc_fault *fault, struct err *err);
bool relay_is_initialize(const struct relay_message *m);

/* Where requests go, and the legacy session once there is one. */
struct relay_target {
    str path; /* "/mcp" or "/mcp/BINDING" */
    str task; /* empty: the agent's only one */
    str session, version;
};
/* The whole HTTP request. */
MUST_USE bool relay_put_request(struct arena *a, const struct relay_target *to,
                                const struct relay_message *m, struct buf *out, struct err *err);
/* DELETE of the session. */
MUST_USE bool relay_put_delete(struct arena *a, const struct relay_target *to, struct buf *out,
                               struct err *err);

enum relay_answer {
    RELAY_BAD = 0, /* not a message that may be passed on */
    RELAY_OTHER,   /* a notification or a request of the server */
    RELAY_ANSWER,  /* the answer to the request with that id */
};
/* Appends a message of the gateway as one line. An error that names no request is given the
 * request's id, if `adopt` (the body of an HTTP answer is about that request). */
enum relay_answer relay_put_line(str text, str id, bool adopt, struct buf *out);
/* The revision in the answer to initialize; empty if it is none. Lives in the arena. */
str relay_revision(struct arena *a, str text);
