#include "call/catalog.h"
#include "base/limits.h"

#include <stdlib.h>

enum effect catalog_effect(const struct catalog_tool *t)
{
    return t->label ? t->label->effect : EFFECT_ADMIN;
}

bool catalog_is_high_impact(const struct catalog_tool *t)
{
    return t->label ? t->label->high_impact : true;
}

static void tool_free(struct catalog_tool *t)
{
    arena_fini(&t->arena);
    arena_fini(&t->changed_arena);
    free(t);
}

/* Reads a definition into an arena of its own, so that it outlives the message it came in. */
static bool own_definition(struct arena *a, str canonical, struct mcp_tool *out, struct err *err)
{
    const json *root;
    struct json_limits limits = {.bytes_max = MCP_DEFINITION_BYTES_MAX + 1024};
    return json_read(a, canonical, &limits, &root, err) && mcp_tool_read(a, root, out, err);
}

static bool add_tool(struct catalog *c, const struct conf *conf, str binding,
                     const struct mcp_tool *seen, struct catalog_tool **out, struct err *err)
{
    struct catalog_tool *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->conf = conf_binding(conf, binding);
    if (!own_definition(&t->arena, seen->canonical, &t->def, err)) {
        tool_free(t);
        return false;
    }
    t->binding = str_dup(&t->arena, binding);
    t->tool = t->def.name;
    t->operation = str_fmt(&t->arena, "%.*s/%.*s", STR(binding), STR(t->tool));
    t->exposed = mcp_exposed_name(&t->arena, binding, t->tool);
    t->label = conf_operation(t->conf, t->tool);
    t->digest = sha256(t->def.canonical);
    t->state = PIN_CURRENT;
    if (map_get(&c->by_exposed, t->exposed)) {
        err_input(err, "another tool is already called \"%.*s\"", STR(t->exposed));
        tool_free(t);
        return false;
    }
    map_put(&c->by_operation, t->operation, t);
    map_put(&c->by_exposed, t->exposed, t);
    *out = t;
    return true;
}

static enum catalog_news note_change(struct catalog_tool *t, const struct mcp_tool *seen,
                                     const struct hash *digest)
{
    bool same_as_before = t->state == PIN_CHANGED && hash_eq(&t->changed, digest);
    if (same_as_before)
        return CATALOG_DIFFERS_STILL;
    arena_reset(&t->changed_arena);
    t->changed = *digest;
    t->changed_text = str_dup(&t->changed_arena, seen->canonical);
    t->state = PIN_CHANGED;
    return CATALOG_DIFFERS;
}

enum catalog_news catalog_put(struct catalog *c, const struct conf *conf, str binding,
                              const json *definition, bool pinned, struct catalog_tool **out,
                              struct err *err)
{
    ARENA_SCOPE struct arena scratch = {0};
    struct mcp_tool seen;
    if (!conf_binding(conf, binding)) {
        err_notfound(err, "no binding \"%.*s\"", STR(binding));
        return CATALOG_BAD;
    }
    if (!mcp_tool_read(&scratch, definition, &seen, err))
        return CATALOG_BAD;
    str operation = str_fmt(&scratch, "%.*s/%.*s", STR(binding), STR(seen.name));
    struct catalog_tool *t = map_get(&c->by_operation, operation);
    if (!t)
        return add_tool(c, conf, binding, &seen, out, err) ? CATALOG_NEW : CATALOG_BAD;
    *out = t;
    struct hash digest = sha256(seen.canonical);
    if (hash_eq(&digest, &t->digest)) {
        t->state = pinned ? t->state : PIN_CURRENT;
        return CATALOG_SAME;
    }
    return note_change(t, &seen, &digest);
}

bool catalog_accept(struct catalog *c, struct catalog_tool *t, struct err *err)
{
    (void)c;
    struct arena fresh = {0};
    struct mcp_tool def;
    if (t->state != PIN_CHANGED)
        return err_input(err, "%.*s has no changed definition to accept", STR(t->operation));
    if (!own_definition(&fresh, t->changed_text, &def, err)) {
        arena_fini(&fresh);
        return false;
    }
    /* Names are unchanged by definition; they move to the new arena with the rest. */
    struct arena old = t->arena;
    t->def = def;
    t->binding = str_dup(&fresh, t->binding);
    t->tool = def.name;
    t->operation = str_dup(&fresh, t->operation);
    t->exposed = str_dup(&fresh, t->exposed);
    t->arena = fresh;
    arena_fini(&old);
    t->digest = t->changed;
    t->state = PIN_CURRENT;
    arena_reset(&t->changed_arena);
    t->changed_text = (str){0};
    return true;
}

struct catalog_tool *catalog_operation(const struct catalog *c, str operation)
{
    return map_get(&c->by_operation, operation);
}

struct catalog_tool *catalog_find(const struct catalog *c, struct arena *a, str endpoint, str name)
{
    if (endpoint.n == 0)
        return map_get(&c->by_exposed, name);
    return map_get(&c->by_operation, str_fmt(a, "%.*s/%.*s", STR(endpoint), STR(name)));
}

static int by_operation(const void *x, const void *y)
{
    return str_cmp((*(struct catalog_tool *const *)x)->operation,
                   (*(struct catalog_tool *const *)y)->operation);
}

struct catalog_tool **catalog_sorted(const struct catalog *c, struct arena *a, size_t *n)
{
    struct catalog_tool **list =
        ARENA_ARRAY(a, struct catalog_tool *, map_count(&c->by_operation) + 1);
    str key;
    void *v;
    *n = 0;
    for (size_t i = 0; map_next(&c->by_operation, &i, &key, &v);)
        list[(*n)++] = v;
    qsort(list, *n, sizeof *list, by_operation);
    return list;
}

void catalog_fini(struct catalog *c)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&c->by_operation, &i, &key, &v);)
        tool_free(v);
    map_fini(&c->by_operation);
    map_fini(&c->by_exposed);
}
