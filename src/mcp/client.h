/* client: MCP towards one upstream: a pure machine for the opening, and builders and checkers for
 * what follows.
 *
 * The caller owns connections, time and credentials. It sends what `struct mcp_out` says by HTTP
 * POST, adding only what HTTP itself needs and the credential, and gives back what came:
 *
 *     mcp_client_init(&c, &config);
 *     step = mcp_client_open(&c, &arena, &out);
 *     while (step == MCP_SEND || step == MCP_READ_ON)   // send out, or only read on
 *         step = mcp_client_opened(&c, &arena, &answer, &out, &err);
 *     // MCP_READY: c.revision, c.has_tools ... are known.  MCP_FAILED: err says why
 *
 *     mcp_client_call(&c, &arena, &call, &ex, &out, &err);   // then send out
 *     mcp_client_answer(&c, &arena, &ex, &answer, &ev, &err);
 *     // once for a JSON body, or for the data of each SSE event until ex.done
 *
 * Era detection (AUTO): server/discover first. A good answer, or a recognised modern error, means
 * modern. Another JSON-RPC error or another 4xx means initialize. 401, 403, 408, 425, 429, 5xx,
 * redirects and silence are evidence of nothing: opening fails and may be tried again. Over stdio,
 * silence is evidence: call mcp_client_silent.
 *
 * No field and no _meta key of the agent's request crosses; every message is built from nothing. We
 * declare no client capability, so an upstream has nothing to ask us: what it asks all the same is
 * answered with an error. Exchanges are matched by struct mcp_exchange (one per connection or
 * stream), the id is only checked.
 *
 * Text in `struct mcp_out` is in the arena given. Pure; a client belongs to one thread.
 *
 * Sources: MCP 2026-07-28 "Versioning", "Streamable HTTP", "stdio"; 2025-11-25 "Lifecycle",
 * "Transports". */
#pragma once
#include "base/json.h"
#include "base/limits.h"
#include "mcp/field.h"
#include "mcp/revision.h"
#include "mcp/rpc.h"
#include "mcp/tool.h"

enum {
    MCP_SESSION_BYTES_MAX = 512,
    MCP_CURSOR_BYTES_MAX = 4096,
    MCP_LIST_PAGES_MAX = 64,
    MCP_OUT_FIELDS_MAX = 8 + MCP_HEADER_PARAMS_MAX,
    MCP_INSTRUCTIONS_BYTES_MAX = 16 << 10,
};

enum mcp_era {
    MCP_ERA_AUTO = 0,
    MCP_ERA_MODERN, /* by configuration, or remembered; a remembered legacy verdict must expire */
    MCP_ERA_LEGACY,
};

struct mcp_client_config {
    enum mcp_era era;
    bool stdio; /* the wire is a stdio child: no HTTP fields matter, silence means legacy */
    str self_name, self_version; /* our clientInfo */
    const str *meta_allowed; /* keys of the agent's _meta that cross; none by default; reserved ones
                                never do */
    size_t meta_allowed_count;
};

enum mcp_client_state {
    MCP_CLIENT_NEW = 0,
    MCP_CLIENT_PROBING,      /* server/discover sent */
    MCP_CLIENT_INITIALIZING, /* initialize sent */
    MCP_CLIENT_CONFIRMING,   /* notifications/initialized sent */
    MCP_CLIENT_READY,
    MCP_CLIENT_FAILED,
};

struct mcp_client {
    struct mcp_client_config config; /* borrows its strings */
    enum mcp_client_state state;
    enum mcp_era era;                    /* the verdict so far; AUTO until there is one */
    enum mcp_revision revision;          /* from READY on */
    bool has_tools;                      /* the upstream declared the capability */
    bool lists_change;                   /* and that its list changes */
    uint64_t last_id;                    /* of the last request */
    char session[MCP_SESSION_BYTES_MAX]; /* legacy; not a secret of ours, still never logged */
    size_t session_n;
    str instructions;        /* in the arena of the answer that brought it: pin or copy at once */
    const json *server_info; /* a claim; same arena; NULL if it gave none */
};

enum mcp_step {
    MCP_FAILED = 0,
    MCP_SEND,    /* send out */
    MCP_READ_ON, /* that was not the answer yet (a notification before it on the stream) */
    MCP_READY,
};

/* One message to POST. */
struct mcp_out {
    str body; /* JSON text, no line breaks */
    struct mcp_field fields[MCP_OUT_FIELDS_MAX];
    size_t field_count;
    bool wants_answer; /* false for a notification: 202 and no body is the good answer */
};

/* What came back. For SSE: status and session as in the head, body = the data of one event. */
struct mcp_answer {
    int status; /* stdio: 200 */
    str content_type;
    str session; /* value of Mcp-Session-Id, empty if none */
    str body;    /* one JSON-RPC message, or empty */
};

void mcp_client_init(struct mcp_client *c, const struct mcp_client_config *config);
/* First message of the opening; also starts over after MCP_LOST (era kept, session forgotten).
 * Always MCP_SEND. */
enum mcp_step mcp_client_open(struct mcp_client *c, struct arena *a, struct mcp_out *out);
/* err is set where it returns MCP_FAILED: ERR_DENIED for 401/403, ERR_PEER for the rest. The answer
 * to the last message (a notification) is its bare status; where the wire has none, say 202. */
enum mcp_step mcp_client_opened(struct mcp_client *c, struct arena *a,
                                const struct mcp_answer *answer, struct mcp_out *out,
                                struct err *err);
/* stdio only: nothing came for the probe within the wait. */
enum mcp_step mcp_client_silent(struct mcp_client *c, struct arena *a, struct mcp_out *out,
                                struct err *err);

enum mcp_exchange_kind {
    MCP_EX_LIST = 1,
    MCP_EX_CALL,
};

/* One request under way. Kept by the caller beside the connection that carries it; plain data. */
struct mcp_exchange {
    enum mcp_exchange_kind kind;
    uint64_t id;         /* the JSON-RPC id that we gave it */
    bool wants_progress; /* progress token = id */
    bool is_retry;       /* no second retry */
    bool done;           /* response seen: anything after it is a protocol error */
};

/* tools/list; cursor empty for the first page. State must be READY. */
void mcp_client_list(struct mcp_client *c, struct arena *a, str cursor, struct mcp_exchange *ex,
                     struct mcp_out *out);

struct mcp_call {
    const struct mcp_tool *tool; /* as pinned: its upstream name and its mirrored parameters */
    const json *arguments;       /* what was decided on; NULL = {} */
    const json *agent_meta;      /* the agent's _meta; only allow-listed keys cross; may be NULL */
    bool wants_progress;
    bool is_retry;
};
/* tools/call. False (ERR_INPUT): an argument cannot be mirrored into its field. State must be
 * READY. */
MUST_USE bool mcp_client_call(struct mcp_client *c, struct arena *a, const struct mcp_call *call,
                              struct mcp_exchange *ex, struct mcp_out *out, struct err *err);
/* notifications/cancelled for an exchange, for legacy HTTP and for stdio (on modern HTTP closing
 * the stream is the cancel: returns false, nothing to send). */
bool mcp_client_cancel(struct mcp_client *c, struct arena *a, const struct mcp_exchange *ex,
                       str reason, struct mcp_out *out);
/* Fields for GET or DELETE on a legacy session. */
void mcp_client_session_fields(const struct mcp_client *c, struct arena *a, struct mcp_out *out);

enum mcp_event_kind {
    MCP_EV_RESULT = 1, /* ev.result is checked for its kind; the exchange is done */
    MCP_EV_ERROR,      /* the upstream's JSON-RPC error: code, text, data; done */
    MCP_EV_PROGRESS,   /* ev.params, its token was ours */
    MCP_EV_NOTICE, /* another notification; ev.list_changed says if tools must be listed again */
    MCP_EV_REPLY,  /* it asked something: POST ev.reply (its answer is 202), read on */
    MCP_EV_LOST,   /* the session is gone: mcp_client_open again, then repeat the call once with
                      is_retry */
    MCP_EV_RELIST, /* it says our mirrored fields are wrong: list again, then repeat once with
                      is_retry */
};

struct mcp_event {
    enum mcp_event_kind kind;
    const json *result;
    int64_t code;
    str text;
    const json *data;
    const json *params;
    str method;
    bool list_changed;
    struct mcp_out reply;
};

/* False: ERR_DENIED for 401/403 (never to be shown to the agent as such), ERR_PEER for anything
 * else that is no valid answer: a bad status, another id, a result without content, an unknown
 * resultType, input_required. */
MUST_USE bool mcp_client_answer(struct mcp_client *c, struct arena *a, struct mcp_exchange *ex,
                                const struct mcp_answer *answer, struct mcp_event *ev,
                                struct err *err);

/* The pages of one tools/list, put together. Zero value with the arena that all pages live in. */
struct mcp_listing {
    const json *definitions[MCP_TOOLS_MAX];
    size_t count, pages,
        repeated; /* repeated: definitions left out because their name was there before */
    str cursor;   /* for the next page */
    bool more;    /* another page is to be asked for */
};
/* Takes a checked tools/list result. False: too many tools or pages, a name twice, or a cursor that
 * does not move. */
MUST_USE bool mcp_listing_add(struct mcp_listing *l, const json *result, struct err *err);
