/* Reading an upstream's tools, when core asks for it, and remembering how to call them. */
#include "door/mcp_int.h"
#include "base/hex.h"
#include "base/limits.h"

#include <stdlib.h>

struct discovery {
    struct job job;
    struct arena arena;
    struct mcp_listing listing;
    struct mcp_exchange ex;
    struct post *post;
};

static struct discovery *of(struct job *j)
{
    return (struct discovery *)(void *)((char *)j - offsetof(struct discovery, job));
}

static void finish(struct discovery *y, str definitions, str error)
{
    struct mcp_door *d = y->job.door;
    struct msg_catalog m = {.binding = y->job.up->conf->name,
                            .definitions = definitions,
                            .error = str_take(error, 400)};
    (void)d->o.send(d->o.ctx, ROLE_CORE, MSG_CATALOG, 0, &m);
    job_fini(&y->job);
    arena_fini(&y->arena);
    free(y);
}

static void remember(struct mcp_door *d, str binding, const json *definition)
{
    ARENA_SCOPE struct arena scratch = {0};
    struct known_tool *k = calloc(1, sizeof *k);
    struct mcp_tool seen;
    struct err err;
    const json *own;
    if (!k)
        abort();
    if (!mcp_tool_read(&scratch, definition, &seen, &err) ||
        !json_read(&k->arena, seen.canonical, NULL, &own, &err) ||
        !mcp_tool_read(&k->arena, own, &k->tool, &err)) {
        arena_fini(&k->arena);
        free(k);
        return; /* core drops it too, and says why */
    }
    str key = str_fmt(&scratch, "%.*s/%.*s", STR(binding), STR(seen.name));
    struct known_tool *former = map_put(&d->tools, key, k);
    if (former) {
        arena_fini(&former->arena);
        free(former);
    }
}

const struct mcp_tool *known_tool(struct mcp_door *d, struct arena *a, str binding, str tool)
{
    struct known_tool *k = map_get(&d->tools, str_fmt(a, "%.*s/%.*s", STR(binding), STR(tool)));
    if (k)
        return &k->tool;
    /* Not read yet by this edge: it can be called by name, only mirrored fields are unknown. */
    struct mcp_tool *bare = ARENA_NEW(a, struct mcp_tool);
    bare->name = str_dup(a, tool);
    return bare;
}

static void all_read(struct discovery *y)
{
    struct buf out = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&out);
    jw_arr(&w);
    for (size_t i = 0; i < y->listing.count; i++) {
        jw_value(&w, y->listing.definitions[i]);
        remember(y->job.door, y->job.up->conf->name, y->listing.definitions[i]);
    }
    jw_end_arr(&w);
    finish(y, out.over ? (str){0} : buf_str(&out),
           out.over ? S("its tools are too many to list") : (str){0});
    buf_fini(&out);
}

static void ask_page(struct discovery *y);

static bool on_message(void *owner, const struct mcp_answer *answer)
{
    struct discovery *y = owner;
    struct mcp_event ev = {0};
    struct err err = {0};
    if (!mcp_client_answer(&y->job.session->client, &y->arena, &y->ex, answer, &ev, &err)) {
        finish(y, (str){0}, str_z(err.text));
        return false;
    }
    switch (ev.kind) {
    case MCP_EV_PROGRESS:
    case MCP_EV_NOTICE:
    case MCP_EV_REPLY:
        return true;
    case MCP_EV_RESULT:
        if (!mcp_listing_add(&y->listing, ev.result, &err))
            finish(y, (str){0}, str_z(err.text));
        else if (y->listing.more)
            ask_page(y);
        else
            all_read(y);
        return false;
    case MCP_EV_ERROR:
        finish(y, (str){0}, ev.text);
        return false;
    case MCP_EV_LOST:
    case MCP_EV_RELIST:
        session_lost(y->job.session);
        finish(y, (str){0}, S("its session was lost; it is asked again soon"));
        return false;
    }
    return true;
}

static void on_end(void *owner, const struct err *err, bool sent)
{
    struct discovery *y = owner;
    (void)sent;
    finish(y, (str){0}, err ? str_z(err->text) : S("its answer is missing"));
}

static void ask_page(struct discovery *y)
{
    static const struct post_ops ops = {on_message, on_end};
    struct mcp_out out = {0};
    struct err err = {0};
    mcp_client_list(&y->job.session->client, &y->arena, y->listing.cursor, &y->ex, &out);
    y->post = job_post(&y->job, &out, &ops, y, &err);
    if (!y->post)
        finish(y, (str){0}, str_z(err.text));
}

static void on_session(struct job *j, const struct err *err)
{
    struct discovery *y = of(j);
    if (err)
        finish(y, (str){0}, str_z(err->text));
    else
        ask_page(y);
}

static void on_secret(struct job *j, const struct err *err)
{
    if (err)
        finish(of(j), (str){0}, str_z(err->text));
    else
        session_want(j);
}

void discover(struct mcp_door *d, const struct msg_discover *m)
{
    const struct conf_binding *b = conf_binding(d->o.conf, m->binding);
    if (!b || b->kind == BINDING_INTERNAL)
        return;
    struct discovery *y = calloc(1, sizeof *y);
    if (!y)
        abort();
    bool stdio = b->kind == BINDING_STDIO;
    y->job = (struct job){.door = d,
                          .up = &d->o.upstreams[b - d->o.conf->bindings],
                          .principal = S("discover"),
                          .wait_ms = CORE_WAIT_MS_MAX,
                          .on_session = on_session,
                          .on_secret = on_secret,
                          .secrets = {.wipe = true, .max = 64 << 10}};
    if (stdio) {
        y->job.voucher = base64url_dup(&y->arena, m->voucher);
        y->job.run_voucher = base64url_dup(&y->arena, m->run_voucher);
    }
    job_release(&y->job, stdio ? (str){0} : m->voucher);
}
