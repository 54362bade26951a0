/* x-mcp-header: finding the annotations in a schema, and the values in arguments.
 *
 * An annotation counts only on a property that is reached from the root through `properties` alone.
 * Found in any other schema it makes the definition invalid, so every keyword that may hold schemas
 * is walked; keywords that hold plain data (default, const, enum, examples) are not, since the same
 * name is only data there. */
#include "mcp/tool_parts.h"

enum holds { ONE_SCHEMA, SCHEMAS_BY_NAME, PLAIN_DATA };

/* Unknown keywords are taken to hold a schema, or an array of schemas, whichever their value looks
 * like. */
static enum holds keyword_holds(str k)
{
    static const struct {
        str name;
        enum holds holds;
    } ROWS[] = {
        {{"patternProperties", 17}, SCHEMAS_BY_NAME},
        {{"dependentSchemas", 16}, SCHEMAS_BY_NAME},
        {{"$defs", 5}, SCHEMAS_BY_NAME},
        {{"definitions", 11}, SCHEMAS_BY_NAME},
        {{"default", 7}, PLAIN_DATA},
        {{"const", 5}, PLAIN_DATA},
        {{"enum", 4}, PLAIN_DATA},
        {{"examples", 8}, PLAIN_DATA},
        {{"example", 7}, PLAIN_DATA},
        {{"required", 8}, PLAIN_DATA},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (str_eq(ROWS[i].name, k))
            return ROWS[i].holds;
    return ONE_SCHEMA;
}

struct walk {
    struct arena *a;
    struct mcp_param found[MCP_HEADER_PARAMS_MAX];
    size_t count;
    str path[MCP_SCHEMA_DEPTH_MAX];
    struct err *err;
};

static bool is_token(str s)
{
    static const char MARKS[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && !(c && strchr(MARKS, c)))
            return false;
    }
    return s.n > 0;
}

static bool param_type(str type, struct mcp_param *p)
{
    if (str_eq(type, S("string")))
        p->type = MCP_PARAM_STRING;
    else if (str_eq(type, S("integer")))
        p->type = MCP_PARAM_INTEGER;
    else if (str_eq(type, S("boolean")))
        p->type = MCP_PARAM_BOOLEAN;
    else
        return false;
    return true;
}

static bool note_param(struct walk *w, const json *schema, const json *annotation, size_t depth)
{
    struct mcp_param p = {.path_count = depth};
    str name = json_str(annotation);
    if (!is_token(name) || name.n > 64)
        return err_peer(w->err, "x-mcp-header must be a field name of 1 to 64 characters");
    if (!param_type(json_get_str(schema, S("type")), &p))
        return err_peer(w->err,
                        "x-mcp-header \"%.*s\" is on a property that is not of type "
                        "string, integer or boolean",
                        STR(name));
    p.field = str_fmt(w->a, "Mcp-Param-%.*s", STR(name));
    p.path = arena_dup(w->a, w->path, depth * sizeof w->path[0]);
    for (size_t i = 0; i < w->count; i++)
        if (str_eq_nocase(w->found[i].field, p.field))
            return err_peer(w->err, "x-mcp-header \"%.*s\" is there twice", STR(name));
    if (w->count == MCP_HEADER_PARAMS_MAX)
        return err_limit(w->err, "more than %d x-mcp-header annotations", MCP_HEADER_PARAMS_MAX);
    w->found[w->count++] = p;
    return true;
}

static bool walk_schema(struct walk *w, const json *schema, size_t depth, bool reachable);

static bool walk_each(struct walk *w, const json *container, size_t depth)
{
    const json *v;
    for (struct json_iter it = json_iter(container); json_next(&it, NULL, &v);)
        if (!walk_schema(w, v, depth, false))
            return false;
    return true;
}

static bool walk_properties(struct walk *w, const json *properties, size_t depth, bool reachable)
{
    str name;
    const json *v;
    for (struct json_iter it = json_iter(properties); json_next(&it, &name, &v);) {
        w->path[depth] = name;
        if (!walk_schema(w, v, depth + 1, reachable))
            return false;
    }
    return true;
}

static bool walk_keyword(struct walk *w, str key, const json *v, size_t depth, bool reachable)
{
    if (str_eq(key, S("properties")))
        return walk_properties(w, v, depth, reachable);
    switch (keyword_holds(key)) {
    case PLAIN_DATA:
        return true;
    case SCHEMAS_BY_NAME:
        return walk_each(w, v, depth + 1);
    case ONE_SCHEMA:
        break;
    }
    return json_type(v) == JSON_ARRAY ? walk_each(w, v, depth + 1)
                                      : walk_schema(w, v, depth + 1, false);
}

/* depth counts schemas from the root; while reachable it is the length of the path too. */
static bool walk_schema(struct walk *w, const json *schema, size_t depth, bool reachable)
{
    if (json_type(schema) != JSON_OBJECT)
        return true;
    if (depth >= MCP_SCHEMA_DEPTH_MAX)
        return err_limit(w->err, "the schema is nested deeper than %d levels",
                         MCP_SCHEMA_DEPTH_MAX);
    const json *annotation = json_get(schema, S("x-mcp-header"));
    if (annotation && (!reachable || depth == 0))
        return err_peer(w->err,
                        "x-mcp-header where no argument can be read: it may stand only on a "
                        "property reached through \"properties\"");
    if (annotation && !note_param(w, schema, annotation, depth))
        return false;
    str key;
    const json *v;
    for (struct json_iter it = json_iter(schema); json_next(&it, &key, &v);)
        if (!walk_keyword(w, key, v, depth, reachable))
            return false;
    return true;
}

bool mcp_read_params(struct arena *a, const json *schema, const struct mcp_param **params,
                     size_t *count, struct err *err)
{
    struct walk w = {.a = a, .err = err};
    if (!walk_schema(&w, schema, 0, true))
        return false;
    *params = arena_dup(a, w.found, w.count * sizeof w.found[0]);
    *count = w.count;
    return true;
}

/* Beyond these a JavaScript peer cannot compare exactly. */
enum { SAFE_INTEGER_BITS = 53 };

/* The decimal text of a whole number, also where it is written 42.0. */
static bool whole_number(str literal, str *text)
{
    const int64_t safe = ((int64_t)1 << SAFE_INTEGER_BITS) - 1;
    int64_t n;
    str zeros;
    str_cut(literal, '.', text, &zeros);
    for (size_t i = 0; i < zeros.n; i++)
        if (zeros.p[i] != '0')
            return false;
    return str_to_i64(*text, &n) && n >= -safe && n <= safe;
}

bool mcp_param_value(const struct mcp_param *p, const json *arguments, str *text, bool *bad)
{
    const json *v = arguments;
    str digits;
    *text = (str){0};
    *bad = false;
    for (size_t i = 0; i < p->path_count && v; i++)
        v = json_get(v, p->path[i]);
    if (!v || json_type(v) == JSON_NULL)
        return false;
    if (p->type == MCP_PARAM_STRING && json_type(v) == JSON_STRING)
        *text = json_str(v);
    else if (p->type == MCP_PARAM_BOOLEAN && json_type(v) == JSON_BOOL)
        *text = json_bool(v) ? S("true") : S("false");
    else if (p->type == MCP_PARAM_INTEGER && whole_number(json_number(v), &digits))
        *text = digits;
    else
        *bad = true;
    return true;
}
