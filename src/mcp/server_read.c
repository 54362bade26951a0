/* The body of a POST: which era it belongs to, whether fields and body agree, and what it asks for.
 */
#include "base/limits.h"
#include "mcp/server_parts.h"

#define META_VERSION      S("io.modelcontextprotocol/protocolVersion")
#define META_INFO         S("io.modelcontextprotocol/clientInfo")
#define META_CAPABILITIES S("io.modelcontextprotocol/clientCapabilities")
#define META_LOG_LEVEL    S("io.modelcontextprotocol/logLevel")

/* ---- methods ---- */

static bool read_call(struct reading *r);
static bool read_list(struct reading *r);
static bool read_initialize(struct reading *r);
static bool read_cancelled(struct reading *r);

enum { LEGACY = 1, MODERN = 2, BOTH = 3 };

static const struct method {
    str name;
    enum mcp_what what;
    unsigned eras;
    bool is_notification;
    bool is_named; /* Mcp-Name mirrors params.name */
    bool (*read)(struct reading *r);
} METHODS[] = {
    {{"tools/call", 10}, MCP_TOOLS_CALL, BOTH, false, true, read_call},
    {{"tools/list", 10}, MCP_TOOLS_LIST, BOTH, false, false, read_list},
    {{"server/discover", 15}, MCP_DISCOVER, MODERN, false, false, NULL},
    {{"initialize", 10}, MCP_INITIALIZE, LEGACY, false, false, read_initialize},
    {{"ping", 4}, MCP_PING, LEGACY, false, false, NULL},
    {{"notifications/initialized", 25}, MCP_INITIALIZED, LEGACY, true, false, NULL},
    {{"notifications/cancelled", 23}, MCP_CANCELLED, LEGACY, true, false, read_cancelled},
};

static const struct method *find_method(const struct reading *r, bool is_notification)
{
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
        if (str_eq(METHODS[i].name, r->req.method) &&
            (METHODS[i].eras & (r->req.modern ? MODERN : LEGACY)) &&
            METHODS[i].is_notification == is_notification)
            return &METHODS[i];
    return NULL;
}

/* ---- parameters ---- */

static bool read_call(struct reading *r)
{
    const json *name = json_get(r->req.params, S("name"));
    const json *state = json_get(r->req.params, S("requestState"));
    r->req.name = json_str(name);
    r->req.arguments = json_get(r->req.params, S("arguments"));
    r->req.input_responses = json_get(r->req.params, S("inputResponses"));
    r->req.request_state = json_str(state);
    if (r->req.name.n == 0 || r->req.name.n > READ_NAME_BYTES_MAX)
        return reading_no_rpc(r, RPC_INVALID_PARAMS, S("params.name must be the name of a tool"));
    if (r->req.arguments && json_type(r->req.arguments) != JSON_OBJECT)
        return reading_no_rpc(r, RPC_INVALID_PARAMS, S("params.arguments must be an object"));
    if (r->req.input_responses && json_type(r->req.input_responses) != JSON_OBJECT)
        return reading_no_rpc(r, RPC_INVALID_PARAMS, S("params.inputResponses must be an object"));
    if (state && (json_type(state) != JSON_STRING || r->req.request_state.n > READ_STATE_BYTES_MAX))
        return reading_no_rpc(r, RPC_INVALID_PARAMS, S("params.requestState must be a string"));
    return true;
}

static bool read_list(struct reading *r)
{
    const json *cursor = json_get(r->req.params, S("cursor"));
    r->req.has_cursor = cursor != NULL;
    r->req.cursor = json_str(cursor);
    if (cursor && (json_type(cursor) != JSON_STRING || r->req.cursor.n > READ_CURSOR_BYTES_MAX))
        return reading_no_rpc(r, RPC_INVALID_PARAMS, S("params.cursor is not one of ours"));
    return true;
}

static const json *object_or_null(const json *v)
{
    return json_type(v) == JSON_OBJECT ? v : NULL;
}

static bool read_initialize(struct reading *r)
{
    const json *version = json_get(r->req.params, S("protocolVersion"));
    r->req.asked_version = json_str(version);
    r->req.client_info = object_or_null(json_get(r->req.params, S("clientInfo")));
    r->req.client_capabilities = object_or_null(json_get(r->req.params, S("capabilities")));
    r->req.revision = mcp_answer_initialize(r->req.asked_version);
    if (json_type(version) != JSON_STRING)
        return reading_no_rpc(r, RPC_INVALID_PARAMS, S("params.protocolVersion must be a string"));
    return true;
}

static bool read_cancelled(struct reading *r)
{
    return rpc_id_text(r->a, json_get(r->req.params, S("requestId")), &r->req.cancels) ||
           reading_no(r, 400, RPC_INVALID_PARAMS, S("params.requestId must be a request id"));
}

static bool read_progress_token(struct reading *r)
{
    const json *token = json_get(r->req.meta, S("progressToken"));
    if (!token)
        return true;
    if (json_type(token) == JSON_NUMBER && json_number(token).n <= 32) {
        r->req.progress_token = json_number(token);
        return true;
    }
    return (json_type(token) == JSON_STRING && rpc_id_text(r->a, token, &r->req.progress_token)) ||
           reading_no_rpc(r, RPC_INVALID_PARAMS,
                          S("_meta.progressToken must be a number or a short string"));
}

/* ---- modern: the envelope in _meta and the fields that mirror the body ---- */

static bool is_implementation(const json *v)
{
    return json_type(v) == JSON_OBJECT && json_type(json_get(v, S("name"))) == JSON_STRING &&
           json_type(json_get(v, S("version"))) == JSON_STRING;
}

static bool envelope_error(struct reading *r, str message)
{
    return reading_no(r, 400, RPC_INVALID_PARAMS, message);
}

static bool read_envelope(struct reading *r)
{
    const json *info = json_get(r->req.meta, META_INFO);
    const json *capabilities = json_get(r->req.meta, META_CAPABILITIES);
    const json *level = json_get(r->req.meta, META_LOG_LEVEL);
    if (json_type(capabilities) != JSON_OBJECT)
        return envelope_error(r, S("_meta must hold the object "
                                   "io.modelcontextprotocol/clientCapabilities"));
    if (info && !is_implementation(info))
        return envelope_error(r,
                              S("_meta io.modelcontextprotocol/clientInfo must be an object with "
                                "the strings name and version"));
    if (level && json_type(level) != JSON_STRING)
        return envelope_error(r, S("_meta io.modelcontextprotocol/logLevel must be a string"));
    r->req.client_info = info;
    r->req.client_capabilities = capabilities;
    r->req.log_level = json_str(level);
    return true;
}

/* A field that must be there once and carry exactly this. */
static bool check_mirror(struct reading *r, str name, str body_value, bool may_be_encoded,
                         str missing, str differs)
{
    str v = {0}, plain;
    if (reading_field(r, name, &v) != MCP_FIELD_ONE)
        return reading_mismatch(r, missing);
    if (!may_be_encoded)
        return str_eq(v, body_value) || reading_mismatch(r, differs);
    return (mcp_value_decode(r->a, v, &plain) && str_eq(plain, body_value)) ||
           reading_mismatch(r, differs);
}

static bool check_version(struct reading *r, str claimed)
{
    if (r->version_found != MCP_FIELD_ONE)
        return reading_mismatch(r,
                                S("Header mismatch: MCP-Protocol-Version is missing or repeated"));
    if (!str_eq(r->version, claimed))
        return reading_mismatch(r, S("Header mismatch: MCP-Protocol-Version differs from _meta"));
    r->req.revision = mcp_revision_of(claimed);
    return mcp_is_modern(r->req.revision) || reading_unsupported(r, claimed);
}

static bool check_method(struct reading *r)
{
    return check_mirror(r, S("Mcp-Method"), r->req.method, false,
                        S("Header mismatch: Mcp-Method is missing or repeated"),
                        S("Header mismatch: Mcp-Method differs from the body's method"));
}

static bool check_name(struct reading *r)
{
    str name = json_get_str(r->req.params, S("name"));
    return name.n == 0 ||
           check_mirror(r, S("Mcp-Name"), name, true,
                        S("Header mismatch: Mcp-Name is missing or repeated"),
                        S("Header mismatch: Mcp-Name differs from the body's params.name"));
}

static bool read_modern_request(struct reading *r)
{
    const json *version = json_get(r->req.meta, META_VERSION);
    if (json_type(version) != JSON_STRING)
        return envelope_error(r, S("params._meta must hold the string "
                                   "io.modelcontextprotocol/protocolVersion"));
    if (!check_version(r, json_str(version)) || !read_envelope(r) || !check_method(r))
        return false;
    const struct method *m = find_method(r, false);
    if (!m)
        return reading_no_rpc(r, RPC_METHOD_NOT_FOUND,
                              S("Method not found (this request speaks MCP 2026-07-28)"));
    r->req.what = m->what;
    if (m->is_named && !check_name(r))
        return false;
    if (!r->req.accepts_json && !r->req.accepts_sse)
        return reading_no(r, 406, RPC_INVALID_REQUEST,
                          S("Accept must admit application/json and text/event-stream"));
    return read_progress_token(r) && (!m->read || m->read(r));
}

/* No notification of a client means anything to a modern server over HTTP; they are taken and
 * forgotten. */
static bool read_modern_notification(struct reading *r)
{
    const json *version = json_get(r->req.meta, META_VERSION);
    str v = {0};
    if (version && json_type(version) != JSON_STRING)
        return envelope_error(r,
                              S("_meta io.modelcontextprotocol/protocolVersion must be a string"));
    if (!check_version(r, version ? json_str(version) : r->version))
        return false;
    if (reading_field(r, S("Mcp-Method"), &v) != MCP_FIELD_ABSENT && !check_method(r))
        return false;
    r->req.what = MCP_OTHER_NOTIFICATION;
    return true;
}

/* ---- legacy ---- */

static bool check_legacy_fields(struct reading *r)
{
    if (r->no_accept || !r->req.accepts_json || !r->req.accepts_sse)
        return reading_no(r, 406, RPC_INVALID_REQUEST,
                          S("Accept must list application/json and text/event-stream"));
    /* The session decides the revision; clients differ in what they repeat, but it must be one that
     * exists. */
    if (r->req.what != MCP_INITIALIZE &&
        (r->version_found == MCP_FIELD_TWICE ||
         (r->version_found == MCP_FIELD_ONE && mcp_revision_of(r->version) == MCP_NO_REVISION)))
        return reading_no(r, 400, RPC_INVALID_REQUEST, S("MCP-Protocol-Version is not supported"));
    return true;
}

static bool read_legacy(struct reading *r, enum rpc_kind kind)
{
    bool is_notification = kind == RPC_NOTIFICATION,
         is_call = is_notification || kind == RPC_REQUEST;
    const struct method *m = is_call ? find_method(r, is_notification) : NULL;
    r->req.what = m ? m->what : is_notification ? MCP_OTHER_NOTIFICATION : MCP_CLIENT_RESPONSE;
    if (!check_legacy_fields(r))
        return false;
    if (!m && kind == RPC_REQUEST)
        r->req.what = MCP_UNKNOWN;
    return read_progress_token(r) && (!m || !m->read || m->read(r));
}

/* ---- the era ---- */

/* A claim is the version key in _meta, whatever its value: a malformed claim is an error, never a
 * way back to the looser rules. Only a bare or legacy-naming `initialize` stays the handshake that
 * it is. */
static bool is_modern_message(const struct reading *r, enum rpc_kind kind)
{
    const json *claim = json_get(r->req.meta, META_VERSION);
    bool field_is_modern = mcp_is_modern(mcp_revision_of(r->version));
    if (kind == RPC_REQUEST && str_eq(r->req.method, S("initialize")))
        return mcp_is_modern(mcp_revision_of(json_str(claim)));
    if (claim)
        return true;
    return field_is_modern && r->req.session.n == 0;
}

bool reading_message(struct reading *r)
{
    const struct json_limits limits = {
        .bytes_max = r->http->body.n, .depth_max = JSON_DEPTH_MAX, .values_max = JSON_VALUES_MAX};
    struct rpc_message m;
    struct rpc_fault fault;
    struct err err = {0};
    if (!rpc_read(r->a, r->http->body, &limits, &m, &fault, &err)) {
        r->req.id = fault.id;
        return reading_no(r, 400, fault.code, str_z(err.text));
    }
    bool is_response = m.kind == RPC_RESULT || m.kind == RPC_ERROR;
    /* A response's id is ours, not a request's to be answered. */
    r->req.id = m.kind == RPC_REQUEST ? m.id : (str){0};
    r->req.method = m.method;
    r->req.params = m.params;
    r->req.meta = json_get(m.params, S("_meta"));
    if (r->req.meta && json_type(r->req.meta) != JSON_OBJECT)
        return envelope_error(r, S("params._meta must be an object"));
    str session = {0};
    if (reading_field(r, S("Mcp-Session-Id"), &session) != MCP_FIELD_ABSENT)
        r->req.session = session;
    r->req.modern = is_modern_message(r, m.kind);
    if (!r->req.modern)
        return reading_session(r) && read_legacy(r, m.kind);
    r->req.session = (str){0};
    if (is_response)
        return reading_no(r, 400, RPC_INVALID_REQUEST, S("A client may not send responses"));
    return m.kind == RPC_REQUEST ? read_modern_request(r) : read_modern_notification(r);
}

/* ---- Mcp-Param-* ---- */

static bool same_number(str x, str y)
{
    str head, zeros;
    int64_t i, j;
    if (str_cut(x, '.', &head, &zeros) && zeros.n == 0)
        return false;
    for (size_t k = 0; k < zeros.n; k++)
        if (zeros.p[k] != '0')
            return false;
    return str_to_i64(head, &i) && str_to_i64(y, &j) && i == j;
}

static bool check_param(struct reading *r, const struct mcp_param *p)
{
    str value, sent = {0}, plain;
    bool bad;
    if (!mcp_param_value(p, r->req.arguments, &value, &bad))
        return true;
    if (bad)
        return reading_no_rpc(
            r, RPC_INVALID_PARAMS,
            S("An argument that is mirrored in a header is not of its declared type"));
    if (reading_field(r, p->field, &sent) == MCP_FIELD_ONE &&
        mcp_value_decode(r->a, sent, &plain) &&
        (p->type == MCP_PARAM_INTEGER ? same_number(plain, value) : str_eq(plain, value)))
        return true;
    return reading_mismatch(
        r, str_fmt(r->a, "Header mismatch: %.*s is missing, repeated, or differs from its argument",
                   STR(p->field)));
}

bool mcp_server_check_params(struct arena *a, const struct mcp_request *req,
                             const struct mcp_http *http, const struct mcp_tool *tool,
                             struct mcp_refusal *no)
{
    struct reading r = {.a = a, .http = http, .req = *req, .no = no};
    if (!req->modern)
        return true;
    for (size_t i = 0; i < tool->param_count; i++)
        if (!check_param(&r, &tool->params[i]))
            return false;
    return true;
}
