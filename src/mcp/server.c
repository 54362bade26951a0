#include "mcp/server.h"

#include "base/limits.h"
#include "mcp/server_parts.h"
#include "mcp/text.h"

/* ---- refusing ---- */

static bool refuse(struct arena *a, struct mcp_refusal *no, int status, str id, enum rpc_code code,
                   str message, str data)
{
    struct buf b = {0};
    rpc_put_error_data(&b, id, code, message, data);
    *no = (struct mcp_refusal){.status = status, .body = str_dup(a, buf_str(&b))};
    buf_fini(&b);
    return false;
}

bool reading_no(struct reading *r, int status, enum rpc_code code, str message)
{
    return refuse(r->a, r->no, status, r->req.id, code, message, (str){0});
}

bool reading_mismatch(struct reading *r, str message)
{
    return reading_no(r, 400, MCP_HEADER_MISMATCH, message);
}

/* Named in full because a client that is told corrects itself. */
bool reading_unsupported(struct reading *r, str requested)
{
    struct buf data = {0};
    struct jw w = jw(&data);
    jw_obj(&w);
    jw_key(&w, S("supported"));
    jw_arr(&w);
    for (int v = MCP_REVISION_COUNT - 1; v > MCP_NO_REVISION; v--)
        if (mcp_is_served((enum mcp_revision)v))
            jw_str(&w, mcp_revision_text((enum mcp_revision)v));
    jw_end_arr(&w);
    jw_key(&w, S("requested"));
    mcp_put_text(&w, requested, 64, false);
    jw_end_obj(&w);
    refuse(r->a, r->no, 400, r->req.id, MCP_UNSUPPORTED_VERSION,
           S("Unsupported protocol version: use one of data.supported"), buf_str(&data));
    buf_fini(&data);
    return false;
}

void mcp_refuse_http_method(struct mcp_refusal *out)
{
    *out = (struct mcp_refusal){.status = 405, .allow = S("POST")};
}

/* HTTP status of a JSON-RPC error. Modern clients read the status too (404 tells an unknown method
 * from an unknown endpoint); for legacy ones an answered request is 200. */
static int status_of(bool modern, bool is_request, enum rpc_code code)
{
    static const struct {
        enum rpc_code code;
        int modern, legacy;
    } ROWS[] = {
        {RPC_PARSE_ERROR, 400, 400},        {RPC_INVALID_REQUEST, 400, 400},
        {RPC_METHOD_NOT_FOUND, 404, 200},   {MCP_HEADER_MISMATCH, 400, 400},
        {MCP_MISSING_CAPABILITY, 400, 200}, {MCP_UNSUPPORTED_VERSION, 400, 400},
    };
    if (!is_request)
        return 400;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].code == code)
            return modern ? ROWS[i].modern : ROWS[i].legacy;
    return 200;
}

void mcp_refuse(struct arena *a, const struct mcp_request *req, enum rpc_code code, str message,
                struct mcp_refusal *out)
{
    refuse(a, out, status_of(req->modern, req->id.n > 0, code), req->id, code, message, (str){0});
}

bool reading_no_rpc(struct reading *r, enum rpc_code code, str message)
{
    mcp_refuse(r->a, &r->req, code, message, r->no);
    return false;
}

/* ---- before the body ---- */

enum mcp_found reading_field(const struct reading *r, str name, str *value)
{
    return mcp_field_find(r->http->fields, r->http->field_count, name, value);
}

static bool is_listed(const str *list, size_t count, str s)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(list[i], s))
            return true;
    return false;
}

/* DNS rebinding: a page in a browser must not reach us by a name of its own. */
static bool check_origin(struct reading *r, const struct mcp_server_rules *rules)
{
    str v = {0};
    enum mcp_found f = reading_field(r, S("Origin"), &v);
    if (f != MCP_FIELD_ABSENT &&
        (f == MCP_FIELD_TWICE || !is_listed(rules->origins, rules->origin_count, v)))
        return reading_no(r, 403, RPC_INVALID_REQUEST, S("Origin not allowed"));
    if (rules->host_count && (reading_field(r, S("Host"), &v) != MCP_FIELD_ONE ||
                              !is_listed(rules->hosts, rules->host_count, v)))
        return reading_no(r, 403, RPC_INVALID_REQUEST, S("Host not allowed"));
    return true;
}

bool reading_session(struct reading *r)
{
    str v = {0};
    enum mcp_found f = reading_field(r, S("Mcp-Session-Id"), &v);
    if (f == MCP_FIELD_ABSENT)
        return true;
    if (f == MCP_FIELD_TWICE || v.n == 0 || v.n > READ_SESSION_BYTES_MAX ||
        !str_is_visible_ascii(v))
        return reading_no(r, 400, RPC_INVALID_REQUEST, S("Mcp-Session-Id is not valid"));
    r->req.session = v;
    return true;
}

/* GET and DELETE belong to legacy sessions only. */
static bool read_session_method(struct reading *r)
{
    bool get = str_eq(r->http->method, S("GET")), del = str_eq(r->http->method, S("DELETE"));
    if ((!get && !del) || mcp_is_modern(mcp_revision_of(r->version))) {
        mcp_refuse_http_method(r->no);
        return false;
    }
    if (!reading_session(r))
        return false;
    if (r->req.session.n == 0 || (get && !r->req.accepts_sse)) {
        mcp_refuse_http_method(r->no);
        return false;
    }
    r->req.what = get ? MCP_OPEN_STREAM : MCP_END_SESSION;
    return true;
}

static void read_accept(struct reading *r)
{
    str one = {0};
    bool any = false;
    for (size_t i = 0; i < r->http->field_count; i++) {
        if (!str_eq_nocase(r->http->fields[i].name, S("Accept")))
            continue;
        any = true;
        one = r->http->fields[i].value;
        r->req.accepts_json |= mcp_accepts(one, S("application"), S("json"));
        r->req.accepts_sse |= mcp_accepts(one, S("text"), S("event-stream"));
    }
    /* HTTP takes no Accept for "anything"; legacy MCP does not, and is asked again once the era is
     * known. */
    if (!any)
        r->req.accepts_json = r->req.accepts_sse = r->no_accept = true;
}

static bool check_body_form(struct reading *r, const struct mcp_server_rules *rules)
{
    str v = {0};
    size_t max = rules->body_bytes_max ? rules->body_bytes_max : HTTP_BODY_BYTES_MAX;
    if (reading_field(r, S("Content-Type"), &v) != MCP_FIELD_ONE ||
        !mcp_is_media_type(v, S("application/json")))
        return reading_no(r, 415, RPC_INVALID_REQUEST, S("Content-Type must be application/json"));
    if (r->http->body.n > max)
        return reading_no(r, 413, RPC_INVALID_REQUEST, S("The message is too large"));
    return true;
}

bool mcp_server_read(struct arena *a, const struct mcp_server_rules *rules,
                     const struct mcp_http *http, struct mcp_request *out, struct mcp_refusal *no)
{
    struct reading r = {.a = a, .http = http, .no = no};
    r.version_found = reading_field(&r, S("MCP-Protocol-Version"), &r.version);
    read_accept(&r);
    if (!check_origin(&r, rules))
        return false;
    if (!str_eq(http->method, S("POST"))) {
        if (!read_session_method(&r))
            return false;
    } else if (!check_body_form(&r, rules) || !reading_message(&r)) {
        return false;
    }
    *out = r.req;
    return true;
}

/* ---- sessions ---- */

bool mcp_needs_session(const struct mcp_request *req)
{
    return !req->modern && req->what != MCP_INITIALIZE;
}

bool mcp_server_in_session(struct arena *a, struct mcp_request *req,
                           enum mcp_revision session_revision, struct mcp_refusal *no)
{
    if (!mcp_needs_session(req))
        return true;
    if (req->session.n == 0)
        return refuse(a, no, 400, req->id, RPC_INVALID_REQUEST,
                      S("Mcp-Session-Id is missing: send initialize first"), (str){0});
    if (session_revision == MCP_NO_REVISION || mcp_is_modern(session_revision))
        return refuse(a, no, 404, req->id, RPC_INVALID_REQUEST,
                      S("No such session: send initialize again"), (str){0});
    req->revision = session_revision;
    if (req->what != MCP_UNKNOWN)
        return true;
    mcp_refuse(a, req, RPC_METHOD_NOT_FOUND, S("Method not found"), no);
    return false;
}
