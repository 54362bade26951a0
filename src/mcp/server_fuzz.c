/* Fields, one a line, an empty line, a body: either a refusal that is itself a valid message, or a
 * request whose answers are valid messages under the same id. */
#include "mcp/server.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_MAX = 32 };

static void must_read(struct arena *a, str text, str id)
{
    struct rpc_message m;
    struct rpc_fault f;
    struct err err;
    if (!rpc_read(a, text, NULL, &m, &f, &err) || (id.n && !str_eq(m.id, id)))
        abort();
}

static void answer(struct arena *a, const struct mcp_request *req)
{
    const struct mcp_self self = {S("s"), (str){0}, S("1"), (str){0}};
    const struct mcp_refused why = {.text = req->name, .decision = S("deny"), .reason = S("r")};
    struct mcp_progress p = {.token = req->progress_token};
    struct buf b = {0};
    mcp_put_refused_result(&b, req, &self, &why);
    must_read(a, buf_str(&b), req->id);
    buf_clear(&b);
    if (req->arguments) {
        mcp_put_call_result(&b, req, req->arguments);
        must_read(a, buf_str(&b), req->id);
        buf_clear(&b);
    }
    if (mcp_put_progress(&b, &p, req->arguments))
        must_read(a, buf_str(&b), (str){0});
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    str text = str_of((const char *)data, size), line, rest;
    struct mcp_field f[FIELDS_MAX];
    struct mcp_http http = {.fields = f};
    str_cut(text, '\n', &http.method, &rest);
    for (text = rest; text.n && http.field_count < FIELDS_MAX; text = rest) {
        str_cut(text, '\n', &line, &rest);
        if (line.n == 0)
            break;
        str_cut(line, ':', &f[http.field_count].name, &f[http.field_count].value);
        http.field_count++;
    }
    http.body = rest;
    const struct mcp_server_rules rules = {0};
    struct mcp_request req;
    struct mcp_refusal no = {0};
    if (!mcp_server_read(&a, &rules, &http, &req, &no) ||
        !mcp_server_in_session(&a, &req, MCP_2025_11_25, &no)) {
        if (no.status < 200 || no.status > 499)
            abort();
        if (no.body.n)
            must_read(&a, no.body, (str){0});
        return 0;
    }
    if (req.what == MCP_TOOLS_CALL && req.id.n)
        answer(&a, &req);
    return 0;
}
