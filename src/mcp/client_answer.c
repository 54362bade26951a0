/* What comes back from an upstream, checked before anybody believes it. */
#include "base/limits.h"
#include "mcp/client_parts.h"
#include "mcp/text.h"

enum { SHOWN_BYTES_MAX = 120 };

/* ---- statuses ---- */

enum verdict mcp_status_verdict(int status)
{
    static const int UNRELATED[] = {407, 408, 421, 423, 425, 429, 451};
    if (status >= 200 && status < 300)
        return STATUS_GOOD;
    if (status == 401 || status == 403)
        return STATUS_DENIED;
    for (size_t i = 0; i < sizeof UNRELATED / sizeof UNRELATED[0]; i++)
        if (UNRELATED[i] == status)
            return STATUS_UNRELATED;
    return status >= 400 && status < 500 ? STATUS_REFUSED : STATUS_UNRELATED;
}

bool mcp_status_err(const struct mcp_answer *answer, struct err *err)
{
    if (mcp_status_verdict(answer->status) == STATUS_DENIED)
        return err_denied(err,
                          "the upstream did not accept the credential of its binding (HTTP %d)",
                          answer->status);
    return err_peer(err, "the upstream answered HTTP %d", answer->status);
}

/* ---- results ---- */

bool mcp_check_result_type(const json *result, struct err *err)
{
    const json *type = json_get(result, S("resultType"));
    if (!type || str_eq(json_str(type), S("complete")))
        return true;
    if (str_eq(json_str(type), S("input_required")))
        return err_peer(err,
                        "the upstream asks for further input (input_required), which Ambit does "
                        "not relay yet; call a tool that needs none");
    return err_peer(err, "the upstream gave a result of a type that is not known here");
}

static bool check_call_result(const json *result, struct err *err)
{
    const json *content = json_get(result, S("content")), *block;
    const json *failed = json_get(result, S("isError")), *meta = json_get(result, S("_meta"));
    if (json_type(content) != JSON_ARRAY)
        return err_peer(err, "the upstream's tool result has no content array");
    for (struct json_iter it = json_iter(content); json_next(&it, NULL, &block);)
        if (json_get_str(block, S("type")).n == 0)
            return err_peer(err, "the upstream's tool result has content without a type");
    if (failed && json_type(failed) != JSON_BOOL)
        return err_peer(err, "isError in the upstream's tool result is neither true nor false");
    if (meta && json_type(meta) != JSON_OBJECT)
        return err_peer(err, "_meta in the upstream's tool result is not an object");
    return true;
}

static bool check_list_result(const json *result, struct err *err)
{
    const json *cursor = json_get(result, S("nextCursor"));
    if (json_type(json_get(result, S("tools"))) != JSON_ARRAY)
        return err_peer(err, "the upstream's tools/list result has no tools array");
    /* Servers on some stacks write null for "none". */
    if (cursor && json_type(cursor) != JSON_STRING && json_type(cursor) != JSON_NULL)
        return err_peer(err, "nextCursor in the upstream's tools/list result is not a string");
    return json_str(cursor).n <= MCP_CURSOR_BYTES_MAX ||
           err_limit(err, "nextCursor of the upstream is over %d bytes", MCP_CURSOR_BYTES_MAX);
}

/* ---- messages ---- */

static bool take_result(const struct mcp_client *c, struct mcp_exchange *ex,
                        const struct rpc_message *m, struct mcp_event *ev, struct err *err)
{
    if (mcp_is_modern(c->revision) && !mcp_check_result_type(m->result, err))
        return false;
    if (!(ex->kind == MCP_EX_CALL ? check_call_result(m->result, err)
                                  : check_list_result(m->result, err)))
        return false;
    ex->done = true;
    ev->kind = MCP_EV_RESULT;
    ev->result = m->result;
    return true;
}

static void take_error(const struct mcp_client *c, struct mcp_exchange *ex,
                       const struct rpc_message *m, struct mcp_event *ev)
{
    bool stale = mcp_is_modern(c->revision) && m->code == MCP_HEADER_MISMATCH &&
                 ex->kind == MCP_EX_CALL && !ex->is_retry;
    ex->done = true;
    ev->kind = stale ? MCP_EV_RELIST : MCP_EV_ERROR;
    ev->code = m->code;
    ev->text = m->error_text;
    ev->data = m->error_data;
}

static void take_notification(struct arena *a, const struct mcp_exchange *ex,
                              const struct rpc_message *m, struct mcp_event *ev)
{
    str token = json_number(json_get(m->params, S("progressToken")));
    bool ours = ex->wants_progress && str_eq(token, str_fmt(a, "%llu", (unsigned long long)ex->id));
    bool progress = str_eq(m->method, S("notifications/progress"));
    ev->kind = progress && ours ? MCP_EV_PROGRESS : MCP_EV_NOTICE;
    ev->method = m->method;
    ev->params = m->params;
    ev->list_changed = str_eq(m->method, S("notifications/tools/list_changed"));
}

static bool take_message(const struct mcp_client *c, struct arena *a, struct mcp_exchange *ex,
                         const struct rpc_message *m, struct mcp_event *ev, struct err *err)
{
    bool is_response = m->kind == RPC_RESULT || m->kind == RPC_ERROR;
    if (is_response && !str_eq(m->id, str_fmt(a, "%llu", (unsigned long long)ex->id)) &&
        !(m->kind == RPC_ERROR && m->id.n == 0))
        return err_peer(err, "the upstream answered under another id");
    switch (m->kind) {
    case RPC_RESULT:
        return take_result(c, ex, m, ev, err);
    case RPC_ERROR:
        take_error(c, ex, m, ev);
        return true;
    case RPC_NOTIFICATION:
        take_notification(a, ex, m, ev);
        return true;
    case RPC_REQUEST:
        if (mcp_is_modern(c->revision))
            return err_peer(err, "the upstream sent a request, which MCP 2026-07-28 forbids");
        ev->kind = MCP_EV_REPLY;
        ev->method = m->method;
        mcp_client_reply(c, a, m, &ev->reply);
        return true;
    case RPC_NOTHING:
        break;
    }
    return err_peer(err, "the upstream sent a message of no kind");
}

/* A status of 4xx: the session is gone, or an error object says what is wrong. */
static bool take_refusal(const struct mcp_client *c, struct arena *a, struct mcp_exchange *ex,
                         const struct mcp_answer *answer, struct mcp_event *ev, struct err *err)
{
    struct rpc_message m = {0};
    struct rpc_fault fault;
    bool is_error = rpc_read(a, answer->body, NULL, &m, &fault, err) && m.kind == RPC_ERROR;
    /* The specification says 404; servers built on a well-known example say 400 with -32000. */
    bool lost = c->session_n && (answer->status == 404 || (answer->status == 400 && is_error &&
                                                           (m.code == -32000 || m.code == -32001)));
    if (lost && !ex->is_retry) {
        ex->done = true;
        ev->kind = MCP_EV_LOST;
        return true;
    }
    if (lost)
        return err_peer(err, "the upstream lost its session twice in a row");
    return is_error ? take_message(c, a, ex, &m, ev, err) : mcp_status_err(answer, err);
}

bool mcp_client_answer(struct mcp_client *c, struct arena *a, struct mcp_exchange *ex,
                       const struct mcp_answer *answer, struct mcp_event *ev, struct err *err)
{
    struct mcp_event e = {0};
    struct rpc_message m;
    struct rpc_fault fault;
    if (ex->done)
        return err_peer(err, "the upstream went on after its response");
    switch (mcp_status_verdict(answer->status)) {
    case STATUS_DENIED:
    case STATUS_UNRELATED:
        return mcp_status_err(answer, err);
    case STATUS_REFUSED:
        if (!take_refusal(c, a, ex, answer, &e, err))
            return false;
        break;
    case STATUS_GOOD:
        if (answer->body.n == 0)
            return err_peer(err, "the upstream answered a request with HTTP %d and nothing",
                            answer->status);
        if (!rpc_read(a, answer->body, NULL, &m, &fault, err)) {
            err->kind = ERR_PEER;
            return err_in(err, "the upstream's answer is not a valid message");
        }
        if (!take_message(c, a, ex, &m, &e, err))
            return false;
    }
    *ev = e;
    return true;
}

/* ---- lists ---- */

static bool is_listed(const struct mcp_listing *l, str name)
{
    for (size_t i = 0; i < l->count; i++)
        if (str_eq(json_get_str(l->definitions[i], S("name")), name))
            return true;
    return false;
}

bool mcp_listing_add(struct mcp_listing *l, const json *result, struct err *err)
{
    const json *def;
    str next = json_get_str(result, S("nextCursor"));
    for (struct json_iter it = json_iter(json_get(result, S("tools")));
         json_next(&it, NULL, &def);) {
        if (l->count == MCP_TOOLS_MAX)
            return err_limit(err, "the upstream lists more than %d tools", MCP_TOOLS_MAX);
        if (is_listed(l, json_get_str(def, S("name"))))
            l->repeated++;
        else
            l->definitions[l->count++] = def;
    }
    if (++l->pages > MCP_LIST_PAGES_MAX || (next.n && l->pages == MCP_LIST_PAGES_MAX))
        return err_limit(err, "the upstream lists its tools on more than %d pages",
                         MCP_LIST_PAGES_MAX);
    if (next.n && str_eq(next, l->cursor))
        return err_peer(err, "the upstream's list of tools goes in a circle");
    l->cursor = next;
    l->more = next.n > 0;
    return true;
}
