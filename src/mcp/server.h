/* server: MCP as agents see us. One HTTP request in; what it asks for, or the finished refusal,
 * out.
 *
 * Use, for each HTTP request on an MCP endpoint:
 *
 *     if (!mcp_server_read(&arena, &rules, &http, &req, &no))
 *         answer no.status with no.body;
 *     if (mcp_needs_session(&req)) {
 *         r = revision of the live session req.session of this very principal and listener,
 *             or MCP_NO_REVISION;
 *         if (!mcp_server_in_session(&arena, &req, r, &no))
 *             answer no;
 *     }
 *     switch (req.what) ...
 *     case MCP_TOOLS_CALL: find the tool by req.name, then
 *         if (!mcp_server_check_params(&arena, &req, &http, &tool, &no))
 *             answer no;
 *
 * The era is chosen per request: `_meta` naming a protocol version makes it modern, whatever else
 * it carries; an `initialize` without it, or a session id without it, is legacy. Names, versions
 * and capabilities that the client claims are claims, and never an identity.
 *
 * Everything is in the arena or borrowed from the http request, which must live as long. Refusal
 * bodies echo the id where one was read. Pure; thread-safe.
 *
 * Sources: MCP 2026-07-28 "Streamable HTTP", "Versioning", "Discovery", "Caching", "Progress";
 * 2025-11-25 and 2025-06-18 "Transports" and "Lifecycle". */
#pragma once
#include "base/json.h"
#include "mcp/field.h"
#include "mcp/revision.h"
#include "mcp/rpc.h"
#include "mcp/tool.h"

enum mcp_what {
    MCP_UNKNOWN = 0, /* a legacy method we do not have: mcp_server_in_session refuses it */
    MCP_DISCOVER,    /* modern: answer mcp_put_discover */
    MCP_INITIALIZE,  /* legacy: mint a session id, answer mcp_put_initialize */
    MCP_INITIALIZED, /* legacy notification: 202 */
    MCP_PING,        /* legacy: answer mcp_put_empty */
    MCP_TOOLS_LIST,  /* answer mcp_put_tools */
    MCP_TOOLS_CALL,  /* answer mcp_put_call_result, mcp_put_refused_result or rpc_put_error */
    MCP_CANCELLED,   /* legacy notification, req.cancels holds the id: 202 */
    MCP_OTHER_NOTIFICATION, /* 202, nothing done */
    MCP_CLIENT_RESPONSE,    /* legacy answer to something we asked; we ask nothing: 202 */
    MCP_OPEN_STREAM, /* legacy GET with a session: an SSE stream, or mcp_refuse_http_method */
    MCP_END_SESSION, /* legacy DELETE with a session: end it, 204 */
};

/* What the listener allows. Comparison of hosts and origins ignores case. */
struct mcp_server_rules {
    const str *origins; /* allowed Origin values; none: any Origin at all is refused */
    size_t origin_count;
    const str *hosts; /* allowed Host values with port; none: Host is not looked at */
    size_t host_count;
    size_t body_bytes_max; /* 0: HTTP_BODY_BYTES_MAX */
};

/* The request as the HTTP layer parsed it: all fields, in any order, repeated ones repeated. */
struct mcp_http {
    str method; /* "POST" */
    const struct mcp_field *fields;
    size_t field_count;
    str body;
};

struct mcp_request {
    enum mcp_what what;
    enum mcp_revision revision; /* legacy: fixed by mcp_server_in_session, except for initialize */
    bool modern;
    bool accepts_json, accepts_sse;
    str id; /* JSON text; empty if it is no request */
    str method;
    const json *params; /* NULL if none */
    const json *meta;   /* params._meta, NULL if none */
    str session;        /* legacy: Mcp-Session-Id, empty if none. A modern request's is ignored */

    str name;              /* tools/call */
    const json *arguments; /* tools/call: an object, or NULL */
    str cursor;            /* tools/list; has_cursor tells "" from none */
    bool has_cursor;
    str progress_token; /* JSON text; empty if none was given */
    str cancels;        /* MCP_CANCELLED: JSON text of the id */
    str asked_version;  /* initialize */

    const json *client_info;         /* a claim; NULL if none */
    const json *client_capabilities; /* a claim; modern and initialize: an object */
    str log_level;                   /* modern; empty: no notifications/message */
    const json *input_responses;     /* modern retry (MRTR); NULL if none */
    str request_state;
};

/* An HTTP answer that is ready. body is a JSON-RPC error (application/json) or empty. */
struct mcp_refusal {
    int status;
    str body;
    str allow; /* value for an Allow field with 405; empty otherwise */
};

MUST_USE bool mcp_server_read(struct arena *a, const struct mcp_server_rules *rules,
                              const struct mcp_http *http, struct mcp_request *out,
                              struct mcp_refusal *no);
/* True for every legacy message but initialize. */
bool mcp_needs_session(const struct mcp_request *req);
/* Fixes req->revision. session_revision is that of the live session with that id that belongs to
 * the caller; MCP_NO_REVISION where there is none (ended, foreign, never was: the answer does not
 * tell). */
MUST_USE bool mcp_server_in_session(struct arena *a, struct mcp_request *req,
                                    enum mcp_revision session_revision, struct mcp_refusal *no);
/* Modern tools/call: Mcp-Param-* against the arguments, by the tool's annotations. Always true for
 * legacy. */
MUST_USE bool mcp_server_check_params(struct arena *a, const struct mcp_request *req,
                                      const struct mcp_http *http, const struct mcp_tool *tool,
                                      struct mcp_refusal *no);

/* Refusals for what the caller finds out itself; the right status for the era is chosen (an unknown
 * tool is 200 with -32602, an unknown method 404 when modern, and so on). */
void mcp_refuse(struct arena *a, const struct mcp_request *req, enum rpc_code code, str message,
                struct mcp_refusal *no);
void mcp_refuse_http_method(struct mcp_refusal *no);

/* ---- answers: one JSON-RPC message is appended to out ---- */

/* Who we say we are. */
struct mcp_self {
    str name, title, version; /* title may be empty */
    str instructions;         /* our own text, or empty */
};

/* ttl_ms: how long a client may keep the answer; such answers are always cacheScope private, since
 * lists are filtered for the principal. Legacy has neither and leaves them out. */
void mcp_put_discover(struct buf *out, str id, const struct mcp_self *self, int64_t ttl_ms);
void mcp_put_initialize(struct buf *out, str id, enum mcp_revision r, const struct mcp_self *self);
void mcp_put_empty(struct buf *out, const struct mcp_request *req, const struct mcp_self *self);

struct mcp_listed {
    str name; /* the exposed name, written in place of the definition's */
    const json *definition;
};
/* In the order given (keep it stable). next_cursor empty: last page. For legacy clients an
 * outputSchema that is not of type object is left out, since they refuse the whole list for it. */
void mcp_put_tools(struct buf *out, const struct mcp_request *req, const struct mcp_self *self,
                   const struct mcp_listed *tools, size_t count, str next_cursor, int64_t ttl_ms);
/* An upstream's tools/call result with every member kept, in order. resultType is set to complete
 * for modern and taken out for legacy clients; for these a structuredContent that is no object is
 * left out too. */
void mcp_put_call_result(struct buf *out, const struct mcp_request *req, const json *result);

/* Our own refusal of a call, as a result that the model reads: isError, one text, and _meta
 * "dev.ambit/refusal". */
struct mcp_refused {
    str text;     /* what was refused, by what, what to do next */
    str decision; /* "deny", "hold", "error" */
    str reason;   /* a short stable word, e.g. "policy", "arguments", "upstream" */
    str call;     /* the call's id in the ledger; empty if none */
    const str *policies;
    size_t policy_count;
};
void mcp_put_refused_result(struct buf *out, const struct mcp_request *req,
                            const struct mcp_self *self, const struct mcp_refused *why);

/* notifications/progress for the agent, made from an upstream's params with the agent's own token.
 * Zero value: nothing sent yet. */
struct mcp_progress {
    str token;  /* req.progress_token; empty: nothing is ever sent */
    bool begun; /* last is set */
    bool ended; /* set it when the response goes out */
    double last;
};
/* False and nothing written where it must not be sent: no token, ended, no number, or not more than
 * the last one. The message is cut to 500 bytes and loses control characters. */
bool mcp_put_progress(struct buf *out, struct mcp_progress *p, const json *upstream_params);
