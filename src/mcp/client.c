/* The opening of an upstream session, and the messages we send. */
#include "mcp/client.h"

#include "mcp/client_parts.h"
#include "mcp/text.h"

#define META_VERSION      S("io.modelcontextprotocol/protocolVersion")
#define META_INFO         S("io.modelcontextprotocol/clientInfo")
#define META_CAPABILITIES S("io.modelcontextprotocol/clientCapabilities")
#define RESERVED_META     S("io.modelcontextprotocol/")

enum { SHOWN_BYTES_MAX = 120 };

/* ---- fields and bodies ---- */

static void add_field(struct mcp_out *out, str name, str value)
{
    if (out->field_count < MCP_OUT_FIELDS_MAX)
        out->fields[out->field_count++] = (struct mcp_field){name, value};
}

/* Sessions came with 2025-03-26, the version field with 2025-06-18. */
static void add_session_fields(const struct mcp_client *c, struct arena *a, struct mcp_out *out)
{
    if (c->revision >= MCP_2025_06_18)
        add_field(out, S("MCP-Protocol-Version"), mcp_revision_text(c->revision));
    if (c->session_n)
        add_field(out, S("Mcp-Session-Id"), str_dup(a, str_of(c->session, c->session_n)));
}

static void begin_out(struct mcp_out *out, bool wants_answer)
{
    *out = (struct mcp_out){.wants_answer = wants_answer};
    add_field(out, S("Accept"), S("application/json, text/event-stream"));
    add_field(out, S("Content-Type"), S("application/json"));
}

static void end_out(struct arena *a, struct mcp_out *out, struct buf *body)
{
    out->body = str_dup(a, buf_str(body));
    buf_fini(body);
}

static str id_text(struct arena *a, uint64_t id)
{
    return str_fmt(a, "%llu", (unsigned long long)id);
}

static void put_self(struct jw *w, const struct mcp_client *c)
{
    jw_obj(w);
    jw_kstr(w, S("name"), c->config.self_name);
    jw_kstr(w, S("version"), c->config.self_version);
    jw_end_obj(w);
}

static void put_no_capabilities(struct jw *w, str name)
{
    jw_key(w, name);
    jw_obj(w);
    jw_end_obj(w);
}

static void put_allowed_meta(struct jw *w, const struct mcp_client *c, const json *agent_meta)
{
    for (size_t i = 0; i < c->config.meta_allowed_count; i++) {
        str key = c->config.meta_allowed[i];
        const json *v = json_get(agent_meta, key);
        if (v && !str_starts(key, RESERVED_META) && !str_eq(key, S("progressToken")))
            jw_kvalue(w, key, v);
    }
}

/* `_meta` as its own member; left out where it would be empty. */
static void put_meta(struct jw *w, const struct mcp_client *c, bool modern, uint64_t progress_token,
                     const json *agent_meta)
{
    struct buf meta = {0};
    struct jw m = jw(&meta);
    jw_obj(&m);
    if (modern) {
        jw_kstr(&m, META_VERSION, mcp_revision_text(MCP_NEWEST_MODERN));
        jw_key(&m, META_INFO);
        put_self(&m, c);
        put_no_capabilities(&m, META_CAPABILITIES);
    }
    if (progress_token) {
        jw_key(&m, S("progressToken"));
        jw_u64(&m, progress_token);
    }
    put_allowed_meta(&m, c, agent_meta);
    jw_end_obj(&m);
    if (buf_len(&meta) > 2) {
        jw_key(w, S("_meta"));
        jw_raw(w, buf_str(&meta));
    }
    buf_fini(&meta);
}

static void add_request_fields(const struct mcp_client *c, struct arena *a, struct mcp_out *out,
                               bool modern, str method)
{
    if (!modern) {
        add_session_fields(c, a, out);
        return;
    }
    add_field(out, S("MCP-Protocol-Version"), mcp_revision_text(MCP_NEWEST_MODERN));
    add_field(out, S("Mcp-Method"), method);
}

/* ---- opening ---- */

void mcp_client_init(struct mcp_client *c, const struct mcp_client_config *config)
{
    *c = (struct mcp_client){.config = *config, .era = config->era};
}

static enum mcp_step fail(struct mcp_client *c)
{
    c->state = MCP_CLIENT_FAILED;
    return MCP_FAILED;
}

static enum mcp_step send_discover(struct mcp_client *c, struct arena *a, struct mcp_out *out)
{
    struct buf body = {0};
    begin_out(out, true);
    add_request_fields(c, a, out, true, S("server/discover"));
    struct jw w = rpc_begin_request(&body, id_text(a, ++c->last_id), S("server/discover"));
    jw_obj(&w);
    put_meta(&w, c, true, 0, NULL);
    jw_end_obj(&w);
    rpc_end(&w);
    end_out(a, out, &body);
    c->state = MCP_CLIENT_PROBING;
    return MCP_SEND;
}

static enum mcp_step send_initialize(struct mcp_client *c, struct arena *a, struct mcp_out *out)
{
    struct buf body = {0};
    begin_out(out, true);
    struct jw w = rpc_begin_request(&body, id_text(a, ++c->last_id), S("initialize"));
    jw_obj(&w);
    jw_kstr(&w, S("protocolVersion"), mcp_revision_text(MCP_NEWEST_LEGACY));
    put_no_capabilities(&w, S("capabilities"));
    jw_key(&w, S("clientInfo"));
    put_self(&w, c);
    jw_end_obj(&w);
    rpc_end(&w);
    end_out(a, out, &body);
    c->era = MCP_ERA_LEGACY;
    c->state = MCP_CLIENT_INITIALIZING;
    return MCP_SEND;
}

static enum mcp_step send_initialized(struct mcp_client *c, struct arena *a, struct mcp_out *out)
{
    struct buf body = {0};
    begin_out(out, false);
    add_session_fields(c, a, out);
    struct jw w = rpc_begin_notification(&body, S("notifications/initialized"));
    jw_obj(&w);
    jw_end_obj(&w);
    rpc_end(&w);
    end_out(a, out, &body);
    c->state = MCP_CLIENT_CONFIRMING;
    return MCP_SEND;
}

enum mcp_step mcp_client_open(struct mcp_client *c, struct arena *a, struct mcp_out *out)
{
    c->session_n = 0;
    c->revision = MCP_NO_REVISION;
    c->has_tools = c->lists_change = false;
    return c->era == MCP_ERA_LEGACY ? send_initialize(c, a, out) : send_discover(c, a, out);
}

/* Not modern after all; what we do about it depends on whether we may. */
static enum mcp_step fall_back(struct mcp_client *c, struct arena *a, struct mcp_out *out,
                               struct err *err)
{
    if (c->era == MCP_ERA_AUTO)
        return send_initialize(c, a, out);
    err_peer(err, "the upstream does not speak MCP %.*s, to which its binding is fixed",
             STR(mcp_revision_text(MCP_NEWEST_MODERN)));
    return fail(c);
}

static void read_capabilities(struct mcp_client *c, const json *result)
{
    const json *tools = json_get(json_get(result, S("capabilities")), S("tools"));
    c->has_tools = json_type(tools) == JSON_OBJECT;
    c->lists_change = json_bool(json_get(tools, S("listChanged")));
    c->instructions =
        mcp_text_take(json_get_str(result, S("instructions")), MCP_INSTRUCTIONS_BYTES_MAX);
}

struct spoken {
    bool is_list, modern, legacy;
};

static struct spoken read_versions(const json *list)
{
    struct spoken s = {.is_list = json_type(list) == JSON_ARRAY && json_count(list) > 0};
    const json *v;
    for (struct json_iter it = json_iter(list); s.is_list && json_next(&it, NULL, &v);) {
        enum mcp_revision r = mcp_revision_of(json_str(v));
        s.modern |= r == MCP_NEWEST_MODERN;
        s.legacy |= r != MCP_NO_REVISION && !mcp_is_modern(r);
        s.is_list = json_type(v) == JSON_STRING;
    }
    return s;
}

static enum mcp_step no_common_version(struct mcp_client *c, struct err *err)
{
    err_peer(err, "the upstream speaks MCP, but none of the revisions that are spoken here");
    return fail(c);
}

static enum mcp_step take_discovery(struct mcp_client *c, struct arena *a, const json *result,
                                    struct mcp_out *out, struct err *err)
{
    struct spoken s = read_versions(json_get(result, S("supportedVersions")));
    if (!s.is_list || json_type(json_get(result, S("capabilities"))) != JSON_OBJECT)
        return fall_back(c, a, out, err);
    if (!s.modern)
        return s.legacy ? fall_back(c, a, out, err) : no_common_version(c, err);
    if (!mcp_check_result_type(result, err))
        return fail(c);
    read_capabilities(c, result);
    c->server_info =
        json_get(json_get(result, S("_meta")), S("io.modelcontextprotocol/serverInfo"));
    c->revision = MCP_NEWEST_MODERN;
    c->era = MCP_ERA_MODERN;
    c->state = MCP_CLIENT_READY;
    return MCP_READY;
}

/* Only errors that no legacy server makes are evidence of a modern one. */
static enum mcp_step take_probe_error(struct mcp_client *c, struct arena *a,
                                      const struct rpc_message *m, struct mcp_out *out,
                                      struct err *err)
{
    if (m->code == MCP_UNSUPPORTED_VERSION) {
        struct spoken s = read_versions(json_get(m->error_data, S("supported")));
        if (!s.is_list || (s.legacy && !s.modern))
            return fall_back(c, a, out, err);
        return no_common_version(c, err);
    }
    if (m->code == MCP_HEADER_MISMATCH || m->code == MCP_MISSING_CAPABILITY) {
        err_peer(err, "the upstream refused server/discover: %.*s (%lld)",
                 STR(mcp_text_take(m->error_text, SHOWN_BYTES_MAX)), (long long)m->code);
        return fail(c);
    }
    return fall_back(c, a, out, err);
}

static bool is_ours(const struct mcp_client *c, struct arena *a, const struct rpc_message *m)
{
    return str_eq(m->id, id_text(a, c->last_id));
}

static enum mcp_step probed(struct mcp_client *c, struct arena *a, const struct mcp_answer *answer,
                            struct mcp_out *out, struct err *err)
{
    enum verdict v = mcp_status_verdict(answer->status);
    struct rpc_message m;
    struct rpc_fault fault;
    if (v == STATUS_DENIED || v == STATUS_UNRELATED) {
        mcp_status_err(answer, err);
        return fail(c);
    }
    if (!rpc_read(a, answer->body, NULL, &m, &fault, err)) {
        if (v == STATUS_REFUSED)
            return fall_back(c, a, out, err);
        err_peer(err, "the upstream answered server/discover with something that is not MCP");
        return fail(c);
    }
    if (m.kind == RPC_ERROR && (m.id.n == 0 || is_ours(c, a, &m)))
        return take_probe_error(c, a, &m, out, err);
    if (v == STATUS_REFUSED)
        return fall_back(c, a, out, err);
    if (m.kind == RPC_NOTIFICATION || m.kind == RPC_REQUEST)
        return MCP_READ_ON;
    if (is_ours(c, a, &m))
        return take_discovery(c, a, m.result, out, err);
    err_peer(err, "the upstream answered server/discover under another id");
    return fail(c);
}

static bool take_session(struct mcp_client *c, str session, struct err *err)
{
    if (session.n > MCP_SESSION_BYTES_MAX || (session.n && !str_is_visible_ascii(session)))
        return err_peer(err, "the upstream gave a session id that is not valid");
    if (session.n)
        memcpy(c->session, session.p, session.n);
    c->session_n = session.n;
    return true;
}

static bool take_handshake(struct mcp_client *c, const struct mcp_answer *answer,
                           const json *result, struct err *err)
{
    str version = json_get_str(result, S("protocolVersion"));
    enum mcp_revision r = mcp_revision_of(version);
    if (r == MCP_NO_REVISION || mcp_is_modern(r))
        return err_peer(err,
                        "the upstream answered initialize with protocol version \"%.*s\", which is "
                        "not spoken here",
                        STR(mcp_text_take(version, 20)));
    if (!take_session(c, answer->session, err))
        return false;
    read_capabilities(c, result);
    c->server_info = json_get(result, S("serverInfo"));
    c->revision = r;
    return true;
}

static enum mcp_step initialized(struct mcp_client *c, struct arena *a,
                                 const struct mcp_answer *answer, struct mcp_out *out,
                                 struct err *err)
{
    struct rpc_message m;
    struct rpc_fault fault;
    if (mcp_status_verdict(answer->status) != STATUS_GOOD) {
        mcp_status_err(answer, err);
        return fail(c);
    }
    if (!rpc_read(a, answer->body, NULL, &m, &fault, err)) {
        err_peer(err, "the upstream answered initialize with something that is not MCP");
        return fail(c);
    }
    if (m.kind == RPC_NOTIFICATION || m.kind == RPC_REQUEST)
        return MCP_READ_ON;
    if (m.kind == RPC_ERROR) {
        err_peer(err, "the upstream refused initialize: %.*s (%lld)",
                 STR(mcp_text_take(m.error_text, SHOWN_BYTES_MAX)), (long long)m.code);
        return fail(c);
    }
    if (!is_ours(c, a, &m)) {
        err_peer(err, "the upstream answered initialize under another id");
        return fail(c);
    }
    if (!take_handshake(c, answer, m.result, err))
        return fail(c);
    return send_initialized(c, a, out);
}

static enum mcp_step confirmed(struct mcp_client *c, const struct mcp_answer *answer,
                               struct err *err)
{
    if (mcp_status_verdict(answer->status) != STATUS_GOOD) {
        mcp_status_err(answer, err);
        return fail(c);
    }
    c->state = MCP_CLIENT_READY;
    return MCP_READY;
}

enum mcp_step mcp_client_opened(struct mcp_client *c, struct arena *a,
                                const struct mcp_answer *answer, struct mcp_out *out,
                                struct err *err)
{
    *out = (struct mcp_out){0};
    switch (c->state) {
    case MCP_CLIENT_PROBING:
        return probed(c, a, answer, out, err);
    case MCP_CLIENT_INITIALIZING:
        return initialized(c, a, answer, out, err);
    case MCP_CLIENT_CONFIRMING:
        return confirmed(c, answer, err);
    case MCP_CLIENT_READY:
        return MCP_READY;
    case MCP_CLIENT_NEW:
    case MCP_CLIENT_FAILED:
        break;
    }
    err_peer(err, "an answer came where nothing was asked");
    return fail(c);
}

enum mcp_step mcp_client_silent(struct mcp_client *c, struct arena *a, struct mcp_out *out,
                                struct err *err)
{
    if (c->state == MCP_CLIENT_PROBING && c->config.stdio)
        return fall_back(c, a, out, err);
    err_peer(err, "the upstream did not answer in time");
    return fail(c);
}

/* ---- requests ---- */

static struct jw begin_request(struct mcp_client *c, struct arena *a, struct mcp_exchange *ex,
                               str method, struct mcp_out *out, struct buf *body)
{
    ex->id = ++c->last_id;
    begin_out(out, true);
    add_request_fields(c, a, out, mcp_is_modern(c->revision), method);
    struct jw w = rpc_begin_request(body, id_text(a, ex->id), method);
    jw_obj(&w);
    return w;
}

static void end_request(struct jw *w, struct arena *a, struct mcp_out *out, struct buf *body)
{
    jw_end_obj(w);
    rpc_end(w);
    end_out(a, out, body);
}

void mcp_client_list(struct mcp_client *c, struct arena *a, str cursor, struct mcp_exchange *ex,
                     struct mcp_out *out)
{
    struct buf body = {0};
    *ex = (struct mcp_exchange){.kind = MCP_EX_LIST};
    struct jw w = begin_request(c, a, ex, S("tools/list"), out, &body);
    if (cursor.n)
        jw_kstr(&w, S("cursor"), cursor);
    put_meta(&w, c, mcp_is_modern(c->revision), 0, NULL);
    end_request(&w, a, out, &body);
}

static bool add_params(struct arena *a, const struct mcp_call *call, struct mcp_out *out,
                       struct err *err)
{
    for (size_t i = 0; i < call->tool->param_count; i++) {
        const struct mcp_param *p = &call->tool->params[i];
        str value;
        bool bad;
        if (!mcp_param_value(p, call->arguments, &value, &bad))
            continue;
        if (bad)
            return err_input(err, "the argument behind %.*s is not of its declared type",
                             STR(p->field));
        add_field(out, p->field, mcp_value_encode(a, value));
    }
    return true;
}

bool mcp_client_call(struct mcp_client *c, struct arena *a, const struct mcp_call *call,
                     struct mcp_exchange *ex, struct mcp_out *out, struct err *err)
{
    struct buf body = {0};
    bool modern = mcp_is_modern(c->revision);
    *ex = (struct mcp_exchange){
        .kind = MCP_EX_CALL, .wants_progress = call->wants_progress, .is_retry = call->is_retry};
    struct jw w = begin_request(c, a, ex, S("tools/call"), out, &body);
    jw_kstr(&w, S("name"), call->tool->name);
    jw_key(&w, S("arguments"));
    if (call->arguments)
        jw_value(&w, call->arguments);
    else
        jw_raw(&w, S("{}"));
    put_meta(&w, c, modern, call->wants_progress ? ex->id : 0, call->agent_meta);
    end_request(&w, a, out, &body);
    if (!modern)
        return true;
    add_field(out, S("Mcp-Name"), mcp_value_encode(a, call->tool->name));
    return add_params(a, call, out, err);
}

bool mcp_client_cancel(struct mcp_client *c, struct arena *a, const struct mcp_exchange *ex,
                       str reason, struct mcp_out *out)
{
    bool modern = mcp_is_modern(c->revision);
    struct buf body = {0};
    if ((modern && !c->config.stdio) || ex->done)
        return false;
    begin_out(out, false);
    add_request_fields(c, a, out, modern, S("notifications/cancelled"));
    struct jw w = rpc_begin_notification(&body, S("notifications/cancelled"));
    jw_obj(&w);
    jw_key(&w, S("requestId"));
    jw_u64(&w, ex->id);
    if (reason.n)
        jw_kstr(&w, S("reason"), reason);
    end_request(&w, a, out, &body);
    return true;
}

void mcp_client_session_fields(const struct mcp_client *c, struct arena *a, struct mcp_out *out)
{
    *out = (struct mcp_out){0};
    add_field(out, S("Accept"), S("text/event-stream"));
    add_session_fields(c, a, out);
}

void mcp_client_reply(const struct mcp_client *c, struct arena *a, const struct rpc_message *asked,
                      struct mcp_out *out)
{
    struct buf body = {0};
    begin_out(out, false);
    add_session_fields(c, a, out);
    if (str_eq(asked->method, S("ping"))) {
        struct jw w = rpc_begin_result(&body, asked->id);
        jw_obj(&w);
        jw_end_obj(&w);
        rpc_end(&w);
    } else {
        rpc_put_error(&body, asked->id, RPC_METHOD_NOT_FOUND, S("Method not found"));
    }
    end_out(a, out, &body);
}
