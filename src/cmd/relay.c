#include "cmd/relay.h"
#include "base/limits.h"
#include "http/http1.h"
#include "mcp/field.h"
#include "mcp/lines.h"

#define META_VERSION S("io.modelcontextprotocol/protocolVersion")

/* ---- from the client ---- */

static str mirrored_name(const struct rpc_message *m)
{
    static const struct {
        const char *method, *member;
    } named[] = {{"tools/call", "name"}, {"prompts/get", "name"}, {"resources/read", "uri"}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (str_eq(m->method, str_z(named[i].method)))
            return json_get_str(m->params, str_z(named[i].member));
    return (str){0};
}

bool relay_read(struct arena *a, str line, struct relay_message *out, struct rpc_fault *fault,
                struct err *err)
{
    struct relay_message m = {.line = str_dup(a, line)};
    if (!rpc_read(a, m.line, NULL, &m.rpc, fault, err))
        return false;
    m.version = json_get_str(json_get(m.rpc.params, S("_meta")), META_VERSION);
    m.modern = m.version.n > 0;
    m.name = mirrored_name(&m.rpc);
    if (str_eq(m.rpc.method, S("notifications/cancelled")) &&
        !rpc_id_text(a, json_get(m.rpc.params, S("requestId")), &m.cancels))
        m.cancels = (str){0};
    *out = m;
    return true;
}

bool relay_is_initialize(const struct relay_message *m)
{
    return m->rpc.kind == RPC_REQUEST && str_eq(m->rpc.method, S("initialize"));
}

/* ---- to the gateway ---- */

static bool put_head(struct http_head *head, struct buf *out, struct err *err)
{
    head->host = S("ambit");
    head->keep_alive = false;
    return http1_write_request(out, head, err);
}

bool relay_put_request(struct arena *a, const struct relay_target *to,
                       const struct relay_message *m, struct buf *out, struct err *err)
{
    struct http_head head = {
        .method = S("POST"), .target = to->path, .framing = HTTP_BODY_LENGTH, .length = m->line.n};
    struct fields *f = &head.fields;
    fields_add(a, f, S("Content-Type"), S("application/json"));
    fields_add(a, f, S("Accept"), S("application/json, text/event-stream"));
    if (to->task.n)
        fields_add(a, f, S("Ambit-Task"), to->task);
    if (m->modern) {
        fields_add(a, f, S("MCP-Protocol-Version"), mcp_value_encode(a, m->version));
        if (m->rpc.method.n)
            fields_add(a, f, S("Mcp-Method"), mcp_value_encode(a, m->rpc.method));
        if (m->name.n)
            fields_add(a, f, S("Mcp-Name"), mcp_value_encode(a, m->name));
    } else if (to->session.n && !relay_is_initialize(m)) {
        fields_add(a, f, S("Mcp-Session-Id"), to->session);
        if (to->version.n)
            fields_add(a, f, S("MCP-Protocol-Version"), to->version);
    }
    if (!put_head(&head, out, err))
        return false;
    buf_put(out, m->line);
    return !out->over || err_limit(err, "the message is too long");
}

bool relay_put_delete(struct arena *a, const struct relay_target *to, struct buf *out,
                      struct err *err)
{
    struct http_head head = {.method = S("DELETE"), .target = to->path};
    fields_add(a, &head.fields, S("Mcp-Session-Id"), to->session);
    if (to->version.n)
        fields_add(a, &head.fields, S("MCP-Protocol-Version"), to->version);
    if (to->task.n)
        fields_add(a, &head.fields, S("Ambit-Task"), to->task);
    return put_head(&head, out, err);
}

/* ---- to the client ---- */

/* One line without the line breaks that JSON allows between its tokens. */
static bool put_line(struct arena *a, str text, struct buf *out)
{
    const json *v;
    struct err err;
    if (!memchr(text.p, '\n', text.n) && !memchr(text.p, '\r', text.n))
        return mcp_line_put(out, text, &err);
    if (!json_read(a, text, NULL, &v, &err))
        return false;
    json_write(out, v);
    buf_putc(out, '\n');
    return true;
}

static void put_adopted(const struct rpc_message *m, str id, struct buf *out)
{
    struct buf data = {0};
    if (m->error_data)
        json_write(&data, m->error_data);
    rpc_put_error_data(out, id, m->code, m->error_text, buf_str(&data));
    buf_putc(out, '\n');
    buf_fini(&data);
}

enum relay_answer relay_put_line(str text, str id, bool adopt, struct buf *out)
{
    ARENA_SCOPE struct arena a = {0};
    struct rpc_message m;
    struct rpc_fault fault;
    struct err err;
    if (!rpc_read(&a, text, NULL, &m, &fault, &err)) {
        /* An error may say "id": null, which rpc_read refuses in all else. */
        const json *v;
        if (!adopt || !id.n || !json_read(&a, text, NULL, &v, &err))
            return RELAY_BAD;
        const json *e = json_get(v, S("error"));
        m = (struct rpc_message){.kind = RPC_ERROR,
                                 .error_text = json_get_str(e, S("message")),
                                 .error_data = json_get(e, S("data"))};
        if (json_type(json_get(v, S("id"))) != JSON_NULL ||
            !json_i64(json_get(e, S("code")), &m.code))
            return RELAY_BAD;
    }
    if (m.kind == RPC_ERROR && !m.id.n && adopt && id.n) {
        put_adopted(&m, id, out);
        return RELAY_ANSWER;
    }
    bool is_answer = m.kind == RPC_RESULT || m.kind == RPC_ERROR;
    if (is_answer && !str_eq(m.id, id))
        return RELAY_BAD;
    if (!put_line(&a, text, out))
        return RELAY_BAD;
    return is_answer ? RELAY_ANSWER : RELAY_OTHER;
}

str relay_revision(struct arena *a, str text)
{
    const json *v;
    struct err err;
    if (!json_read(a, text, NULL, &v, &err))
        return (str){0};
    return json_get_str(json_get(v, S("result")), S("protocolVersion"));
}
