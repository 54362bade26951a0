/* What we answer agents: results per era, refusals that a model can read, progress. */
#include <math.h>
#include <stdlib.h>

#include "mcp/server.h"
#include "mcp/text.h"

#define META_SERVER_INFO S("io.modelcontextprotocol/serverInfo")
#define META_REFUSAL     S("dev.ambit/refusal")

enum { PROGRESS_TEXT_BYTES_MAX = 500, REFUSAL_TEXT_BYTES_MAX = 4000, NUMBER_BYTES_MAX = 64 };

static void put_self(struct jw *w, const struct mcp_self *self)
{
    jw_obj(w);
    jw_kstr(w, S("name"), self->name);
    if (self->title.n)
        jw_kstr(w, S("title"), self->title);
    jw_kstr(w, S("version"), self->version);
    jw_end_obj(w);
}

/* The first members of every modern result. */
static void put_modern_head(struct jw *w)
{
    jw_kstr(w, S("resultType"), S("complete"));
}

static void put_meta_self(struct jw *w, const struct mcp_self *self)
{
    jw_key(w, META_SERVER_INFO);
    put_self(w, self);
}

static void put_modern_meta(struct jw *w, const struct mcp_self *self)
{
    jw_key(w, S("_meta"));
    jw_obj(w);
    put_meta_self(w, self);
    jw_end_obj(w);
}

/* Private, because what a list shows depends on who asks. */
static void put_cache(struct jw *w, int64_t ttl_ms)
{
    jw_ki64(w, S("ttlMs"), ttl_ms > 0 ? ttl_ms : 0);
    jw_kstr(w, S("cacheScope"), S("private"));
}

static void put_capabilities(struct jw *w)
{
    jw_key(w, S("capabilities"));
    jw_obj(w);
    jw_key(w, S("tools"));
    jw_obj(w);
    jw_end_obj(w);
    jw_end_obj(w);
}

void mcp_put_discover(struct buf *out, str id, const struct mcp_self *self, int64_t ttl_ms)
{
    struct jw w = rpc_begin_result(out, id);
    jw_obj(&w);
    put_modern_head(&w);
    /* Modern ones only: a client picks from these for requests without a handshake. */
    jw_key(&w, S("supportedVersions"));
    jw_arr(&w);
    for (int v = MCP_REVISION_COUNT - 1; v > MCP_NO_REVISION; v--)
        if (mcp_is_served((enum mcp_revision)v) && mcp_is_modern((enum mcp_revision)v))
            jw_str(&w, mcp_revision_text((enum mcp_revision)v));
    jw_end_arr(&w);
    put_capabilities(&w);
    if (self->instructions.n)
        jw_kstr(&w, S("instructions"), self->instructions);
    put_cache(&w, ttl_ms);
    put_modern_meta(&w, self);
    jw_end_obj(&w);
    rpc_end(&w);
}

void mcp_put_initialize(struct buf *out, str id, enum mcp_revision r, const struct mcp_self *self)
{
    struct jw w = rpc_begin_result(out, id);
    jw_obj(&w);
    jw_kstr(&w, S("protocolVersion"), mcp_revision_text(r));
    put_capabilities(&w);
    jw_key(&w, S("serverInfo"));
    put_self(&w, self);
    if (self->instructions.n)
        jw_kstr(&w, S("instructions"), self->instructions);
    jw_end_obj(&w);
    rpc_end(&w);
}

void mcp_put_empty(struct buf *out, const struct mcp_request *req, const struct mcp_self *self)
{
    struct jw w = rpc_begin_result(out, req->id);
    jw_obj(&w);
    if (req->modern) {
        put_modern_head(&w);
        put_modern_meta(&w, self);
    }
    jw_end_obj(&w);
    rpc_end(&w);
}

/* ---- tools/list ---- */

static bool is_object_schema(const json *schema)
{
    return str_eq(json_get_str(schema, S("type")), S("object"));
}

static void put_definition(struct jw *w, const struct mcp_listed *tool, bool modern)
{
    str name;
    const json *v;
    jw_obj(w);
    jw_kstr(w, S("name"), tool->name);
    for (struct json_iter it = json_iter(tool->definition); json_next(&it, &name, &v);) {
        if (str_eq(name, S("name")))
            continue;
        if (!modern && str_eq(name, S("outputSchema")) && !is_object_schema(v))
            continue;
        jw_kvalue(w, name, v);
    }
    jw_end_obj(w);
}

void mcp_put_tools(struct buf *out, const struct mcp_request *req, const struct mcp_self *self,
                   const struct mcp_listed *tools, size_t count, str next_cursor, int64_t ttl_ms)
{
    struct jw w = rpc_begin_result(out, req->id);
    jw_obj(&w);
    if (req->modern)
        put_modern_head(&w);
    jw_key(&w, S("tools"));
    jw_arr(&w);
    for (size_t i = 0; i < count; i++)
        put_definition(&w, &tools[i], req->modern);
    jw_end_arr(&w);
    if (next_cursor.n)
        jw_kstr(&w, S("nextCursor"), next_cursor);
    if (req->modern) {
        put_cache(&w, ttl_ms);
        put_modern_meta(&w, self);
    }
    jw_end_obj(&w);
    rpc_end(&w);
}

/* ---- tools/call ---- */

void mcp_put_call_result(struct buf *out, const struct mcp_request *req, const json *result)
{
    struct jw w = rpc_begin_result(out, req->id);
    str name;
    const json *v;
    jw_obj(&w);
    if (req->modern)
        put_modern_head(&w);
    for (struct json_iter it = json_iter(result); json_next(&it, &name, &v);) {
        if (str_eq(name, S("resultType")))
            continue;
        /* Before 2026-07-28 it had to be an object; clients of that time refuse the whole result.
         */
        if (!req->modern && str_eq(name, S("structuredContent")) && json_type(v) != JSON_OBJECT)
            continue;
        jw_kvalue(&w, name, v);
    }
    jw_end_obj(&w);
    rpc_end(&w);
}

static void put_refusal_meta(struct jw *w, const struct mcp_refused *why)
{
    jw_key(w, META_REFUSAL);
    jw_obj(w);
    jw_kstr(w, S("decision"), why->decision);
    jw_kstr(w, S("reason"), why->reason);
    if (why->call.n)
        jw_kstr(w, S("call"), why->call);
    if (why->policy_count) {
        jw_key(w, S("policies"));
        jw_arr(w);
        for (size_t i = 0; i < why->policy_count; i++)
            jw_str(w, why->policies[i]);
        jw_end_arr(w);
    }
    jw_end_obj(w);
}

void mcp_put_refused_result(struct buf *out, const struct mcp_request *req,
                            const struct mcp_self *self, const struct mcp_refused *why)
{
    struct jw w = rpc_begin_result(out, req->id);
    jw_obj(&w);
    if (req->modern)
        put_modern_head(&w);
    jw_key(&w, S("content"));
    jw_arr(&w);
    jw_obj(&w);
    jw_kstr(&w, S("type"), S("text"));
    jw_key(&w, S("text"));
    mcp_put_text(&w, why->text, REFUSAL_TEXT_BYTES_MAX, true);
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_kbool(&w, S("isError"), true);
    jw_key(&w, S("_meta"));
    jw_obj(&w);
    if (req->modern)
        put_meta_self(&w, self);
    put_refusal_meta(&w, why);
    jw_end_obj(&w);
    jw_end_obj(&w);
    rpc_end(&w);
}

/* ---- progress ---- */

static bool to_double(str literal, double *out)
{
    char z[NUMBER_BYTES_MAX];
    if (literal.n == 0 || literal.n >= sizeof z)
        return false;
    memcpy(z, literal.p, literal.n);
    z[literal.n] = 0;
    *out = strtod(z, NULL);
    return isfinite(*out);
}

bool mcp_put_progress(struct buf *out, struct mcp_progress *p, const json *upstream_params)
{
    const json *progress = json_get(upstream_params, S("progress"));
    const json *total = json_get(upstream_params, S("total"));
    const json *message = json_get(upstream_params, S("message"));
    double now, ignored;
    if (p->token.n == 0 || p->ended || !to_double(json_number(progress), &now) ||
        (p->begun && !(now > p->last)))
        return false;
    p->begun = true;
    p->last = now;
    struct jw w = rpc_begin_notification(out, S("notifications/progress"));
    jw_obj(&w);
    jw_key(&w, S("progressToken"));
    jw_raw(&w, p->token);
    jw_kvalue(&w, S("progress"), progress);
    if (to_double(json_number(total), &ignored))
        jw_kvalue(&w, S("total"), total);
    if (json_type(message) == JSON_STRING) {
        jw_key(&w, S("message"));
        mcp_put_text(&w, json_str(message), PROGRESS_TEXT_BYTES_MAX, false);
    }
    jw_end_obj(&w);
    rpc_end(&w);
    return true;
}
