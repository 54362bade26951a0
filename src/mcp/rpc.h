/* rpc: one strict JSON-RPC 2.0 message in, one out, as MCP narrows it.
 *
 * Reading takes exactly one object: an array (a batch) is refused, `jsonrpc` must be "2.0", an id
 * is a string or an integer and never null, `params` and `result` are objects, and a message that
 * is two things at once (a method and a result, a result and an error) is refused. Other members of
 * the envelope are ignored: what goes on is written anew from what was parsed, so they reach
 * nobody.
 *
 * An id is kept as JSON text (`7`, `"a\n"`), so that it is echoed with its type and a number is
 * never rounded. Ids are never a key for pending work: two callers may both use 1. Pure;
 * thread-safe.
 *
 * Sources: JSON-RPC 2.0; MCP 2026-07-28 "Messages"; error codes MCP 2026-07-28 "Error Codes". */
#pragma once
#include "base/json.h"

enum rpc_kind {
    RPC_NOTHING = 0,
    RPC_REQUEST,
    RPC_NOTIFICATION,
    RPC_RESULT, /* a response that succeeded */
    RPC_ERROR,  /* a response that failed */
};

enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
    MCP_HEADER_MISMATCH = -32020,
    MCP_MISSING_CAPABILITY = -32021,
    MCP_UNSUPPORTED_VERSION = -32022,
};

enum {
    RPC_METHOD_BYTES_MAX = 128,
    RPC_ID_BYTES_MAX = 256, /* of the JSON text */
};

struct rpc_message {
    enum rpc_kind kind;
    str id;     /* JSON text; empty on a notification and on an error that names no request */
    str method; /* request, notification */
    const json *params; /* request, notification: an object, or NULL */
    const json *result; /* RPC_RESULT: an object */
    int64_t code;       /* RPC_ERROR */
    str error_text;
    const json *error_data; /* RPC_ERROR: any value, or NULL */
};

/* What to answer to a message that was refused: the code, and the id where it could still be read.
 */
struct rpc_fault {
    enum rpc_code code;
    str id;
};

/* The whole message lives in the arena. limits may be NULL: JSON_DEPTH_MAX, JSON_VALUES_MAX,
 * HTTP_ANSWER_BYTES_MAX. On false *fault is set (and *out is not). */
MUST_USE bool rpc_read(struct arena *a, str text, const struct json_limits *limits,
                       struct rpc_message *out, struct rpc_fault *fault, struct err *err);

/* The JSON text of an id or progress token: a string, or an integer of at most 18 digits. False
 * otherwise. */
MUST_USE bool rpc_id_text(struct arena *a, const json *v, str *out);

/* Writers. An error's message is cut to 1000 bytes and loses control characters and what is not
 * UTF-8. ids are JSON text as above; an empty id leaves the member out (errors only). */
void rpc_put_error(struct buf *out, str id, int64_t code, str message);
/* data is one JSON value as text; empty leaves it out. */
void rpc_put_error_data(struct buf *out, str id, int64_t code, str message, str data);
/* Between begin and end the caller writes the value of `result` or `params`: exactly one JSON
 * value. */
struct jw rpc_begin_result(struct buf *out, str id);
struct jw rpc_begin_request(struct buf *out, str id, str method);
struct jw rpc_begin_notification(struct buf *out, str method);
void rpc_end(struct jw *w);
