/* What an upstream may send, one answer a line after a byte for its status: the machine never
 * claims to be ready without a revision, and what it wants sent is always a valid message. */
#include "mcp/client.h"
#include "mcp/lines.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_read(struct arena *a, const struct mcp_out *out)
{
    struct rpc_message m;
    struct rpc_fault f;
    struct err err;
    if (!rpc_read(a, out->body, NULL, &m, &f, &err))
        abort();
    if (out->field_count > MCP_OUT_FIELDS_MAX)
        abort();
}

static int status_of(char c)
{
    static const int STATUSES[] = {200, 200, 200, 202, 400, 401, 404, 405, 429, 500, 307};
    return STATUSES[(unsigned char)c % (sizeof STATUSES / sizeof STATUSES[0])];
}

static void take_page(struct arena *a, const struct mcp_event *ev, struct mcp_listing *l,
                      struct mcp_tool *tool)
{
    struct err err;
    size_t before = l->count;
    if (!mcp_listing_add(l, ev->result, &err))
        return;
    for (size_t i = before; i < l->count; i++) {
        struct mcp_tool t;
        if (mcp_tool_read(a, l->definitions[i], &t, &err))
            *tool = t;
    }
}

struct run {
    struct mcp_client c;
    struct mcp_exchange ex;
    struct mcp_tool tool;
    bool asked, has_listed;
};

static void ask(struct run *r, struct arena *a, struct mcp_out *out)
{
    struct err err;
    struct mcp_call call = {.tool = &r->tool, .wants_progress = true, .is_retry = r->has_listed};
    r->asked = true;
    if (!r->tool.name.n)
        mcp_client_list(&r->c, a, S("x"), &r->ex, out);
    else if (!mcp_client_call(&r->c, a, &call, &r->ex, out, &err))
        abort(); /* no arguments: nothing can be wrong with them */
    must_read(a, out);
}

/* False: the upstream is given up. */
static bool step(struct run *r, struct arena *a, const struct mcp_answer *answer,
                 struct mcp_listing *l)
{
    struct mcp_out out;
    struct mcp_event ev;
    struct err err = {0};
    if (r->c.state != MCP_CLIENT_READY) {
        enum mcp_step s = mcp_client_opened(&r->c, a, answer, &out, &err);
        if (s == MCP_SEND)
            must_read(a, &out);
        if (s == MCP_READY && r->c.revision == MCP_NO_REVISION)
            abort();
        return s != MCP_FAILED;
    }
    if (!r->asked)
        ask(r, a, &out);
    if (!mcp_client_answer(&r->c, a, &r->ex, answer, &ev, &err)) {
        if (err.kind == ERR_NONE)
            abort();
        r->asked = false;
        return err.kind != ERR_DENIED;
    }
    if (ev.kind == MCP_EV_REPLY)
        must_read(a, &ev.reply);
    if (ev.kind == MCP_EV_RESULT && r->ex.kind == MCP_EX_LIST)
        take_page(a, &ev, l, &r->tool);
    if (ev.kind == MCP_EV_LOST) {
        (void)mcp_client_open(&r->c, a, &out);
        must_read(a, &out);
    }
    if (r->ex.done)
        r->asked = false;
    r->has_listed = ev.kind == MCP_EV_LOST || ev.kind == MCP_EV_RELIST;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    static struct mcp_listing l;
    const struct mcp_client_config config = {.self_name = S("s"), .self_version = S("1")};
    struct mcp_lines lines = {0};
    struct run r = {0};
    struct mcp_out out;
    struct err err;
    str line;
    l = (struct mcp_listing){0};
    mcp_client_init(&r.c, &config);
    (void)mcp_client_open(&r.c, &a, &out);
    must_read(&a, &out);
    bool on = mcp_lines_feed(&lines, str_of((const char *)data, size), &err);
    while (on && mcp_lines_next(&lines, &line)) {
        struct mcp_answer answer = {.status = status_of(line.p[0]),
                                    .session = str_take(line, 4),
                                    .body = str_skip(line, 1)};
        on = step(&r, &a, &answer, &l);
    }
    mcp_lines_fini(&lines);
    return 0;
}
