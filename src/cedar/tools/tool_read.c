/* From tool definitions to trees of types, and from types to what becomes of them. */
#include "cedar/text/lex.h"
#include "cedar/text/names.h"
#include "cedar/tools/tool_parts.h"

struct reader {
    struct arena *a;
    struct err *err;
    size_t types; /* read so far: a list of types reads what stands beside it for each of them */
    unsigned depth;
};

static bool wrong(struct reader *r, const char *what, const json *v, const char *wanted)
{
    return err_input(r->err, "%s must be %s, not %s", what, wanted, json_type_name(json_type(v)));
}

static bool property_in(struct reader *r, str name)
{
    return err_in(r->err, "property `%.*s`", STR(str_take(name, 80)));
}

static bool read_type(struct reader *r, const json *v, struct tool_type *out);

static bool new_type(struct reader *r, const json *v, struct tool_type **out)
{
    *out = ARENA_NEW(r->a, struct tool_type);
    return read_type(r, v, *out);
}

/* ---- objects ---- */

/* A list of names, or false. */
static bool read_required(struct reader *r, const json *required, struct cedar_names *out)
{
    const json *v;
    if (!required || (json_type(required) == JSON_BOOL && !json_bool(required)))
        return true;
    if (json_type(required) != JSON_ARRAY)
        return wrong(r, "`required`", required, "an array");
    for (struct json_iter it = json_iter(required); json_next(&it, NULL, &v);) {
        if (json_type(v) != JSON_STRING)
            return wrong(r, "each of `required`", v, "a string");
        (void)!cedar_names_add(out, json_str(v)); /* some name it twice */
    }
    return true;
}

static bool read_properties(struct reader *r, const json *properties,
                            const struct cedar_names *required, struct tool_field **out,
                            size_t *count)
{
    const json *v;
    size_t n = 0;
    str name;
    struct tool_field *fields = ARENA_ARRAY(r->a, struct tool_field, json_count(properties) + 1);
    for (struct json_iter it = json_iter(properties); json_next(&it, &name, &v); n++) {
        fields[n] = (struct tool_field){.name = name, .required = cedar_names_has(required, name)};
        if (!new_type(r, v, &fields[n].type))
            return property_in(r, name);
    }
    *out = fields;
    *count = n;
    return true;
}

static bool read_fields(struct reader *r, const json *object, struct tool_field **out,
                        size_t *count)
{
    const json *properties = json_get(object, S("properties"));
    struct cedar_names required = {0};
    if (json_type(properties) == JSON_BOOL && !json_bool(properties))
        properties = NULL;
    if (properties && json_type(properties) != JSON_OBJECT)
        return wrong(r, "`properties`", properties, "an object");
    bool ok = read_required(r, json_get(object, S("required")), &required) &&
              read_properties(r, properties, &required, out, count);
    cedar_names_fini(&required);
    return ok;
}

static bool read_object(struct reader *r, const json *v, struct tool_type *out)
{
    const json *more = json_get(v, S("additionalProperties"));
    out->kind = TOOL_OBJECT;
    if (!read_fields(r, v, &out->fields, &out->count))
        return false;
    if (!more || json_type(more) == JSON_BOOL || json_type(more) == JSON_NULL)
        return true;
    out->kind = TOOL_MAP;
    return new_type(r, more, &out->elem) || err_in(r->err, "additionalProperties");
}

/* ---- arrays, choices ---- */

static bool read_kids(struct reader *r, const json *list, struct tool_type *out)
{
    const json *v;
    size_t n = 0;
    out->kids = ARENA_ARRAY(r->a, struct tool_type *, json_count(list) + 1);
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &v); n++)
        if (!new_type(r, v, &out->kids[n]))
            return false;
    out->count = n;
    return true;
}

static bool same_type(const struct tool_type *x, const struct tool_type *y)
{
    if (x->kind != y->kind || x->count != y->count || !str_eq(x->ref, y->ref) ||
        !x->elem != !y->elem || (x->elem && !same_type(x->elem, y->elem)))
        return false;
    for (size_t i = 0; i < x->count; i++)
        if ((x->ids && !str_eq(x->ids[i], y->ids[i])) ||
            (x->kids && !same_type(x->kids[i], y->kids[i])) ||
            (x->fields && (!str_eq(x->fields[i].name, y->fields[i].name) ||
                           x->fields[i].required != y->fields[i].required ||
                           !same_type(x->fields[i].type, y->fields[i].type))))
            return false;
    return true;
}

/* prefixItems is a tuple only when nothing may follow; else an array of one type, or of anything.
 */
static bool read_array(struct reader *r, const json *v, struct tool_type *out)
{
    const json *prefix = json_get(v, S("prefixItems")), *items = json_get(v, S("items"));
    bool closed = json_type(items) == JSON_BOOL && !json_bool(items);
    out->kind = TOOL_ARRAY;
    out->elem = ARENA_NEW(r->a, struct tool_type); /* of anything */
    if (json_type(prefix) == JSON_ARRAY) {
        if (!read_kids(r, prefix, out))
            return false;
        out->kind = closed ? TOOL_TUPLE : TOOL_ARRAY;
    }
    if (json_type(items) == JSON_OBJECT && !read_type(r, items, out->elem))
        return err_in(r->err, "items");
    if (items && json_type(items) != JSON_OBJECT && json_type(items) != JSON_BOOL &&
        json_type(items) != JSON_NULL)
        return wrong(r, "`items`", items, "an object");
    for (size_t i = 0; out->kind == TOOL_ARRAY && i < out->count; i++)
        if (!same_type(out->kids[i], out->elem))
            *out->elem = (struct tool_type){0};
    if (out->kind == TOOL_TUPLE)
        out->elem = NULL;
    else
        out->count = 0;
    return true;
}

static bool read_enum(struct reader *r, const json *list, struct tool_type *out)
{
    const json *v;
    out->kind = TOOL_ENUM;
    if (json_type(list) != JSON_ARRAY)
        return wrong(r, "`enum`", list, "an array");
    out->ids = ARENA_ARRAY(r->a, str, json_count(list) + 1);
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &v);) {
        if (json_type(v) != JSON_STRING)
            return wrong(r, "each of the `enum` of a string", v, "a string");
        out->ids[out->count++] = json_str(v);
    }
    return out->count || err_input(r->err, "`enum` is empty");
}

static bool read_string(struct reader *r, const json *v, struct tool_type *out)
{
    static const struct {
        str format;
        enum tool_kind kind;
    } formats[] = {{{"date", 4}, TOOL_DATETIME},     {{"date-time", 9}, TOOL_DATETIME},
                   {{"duration", 8}, TOOL_DURATION}, {{"ipv4", 4}, TOOL_IP},
                   {{"ipv6", 4}, TOOL_IP},           {{"decimal", 7}, TOOL_DECIMAL}};
    const json *ids = json_get(v, S("enum")), *format = json_get(v, S("format"));
    if (ids)
        return read_enum(r, ids, out);
    if (format && json_type(format) != JSON_STRING)
        return wrong(r, "`format`", format, "a string");
    out->kind = TOOL_STRING;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (str_eq(formats[i].format, json_str(format)))
            out->kind = formats[i].kind;
    return true;
}

/* ---- one type ---- */

static const struct {
    str name;
    enum tool_kind kind;
} names[] = {{{"boolean", 7}, TOOL_BOOL},  {{"integer", 7}, TOOL_INTEGER},
             {{"number", 6}, TOOL_NUMBER}, {{"float", 5}, TOOL_FLOAT},
             {{"null", 4}, TOOL_NULL},     {{"string", 6}, TOOL_STRING},
             {{"array", 5}, TOOL_ARRAY},   {{"object", 6}, TOOL_OBJECT}};

/* name: of a type; v: the schema it stands in. */
static bool read_named(struct reader *r, str name, const json *v, bool plain_string,
                       struct tool_type *out)
{
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !str_eq(name, names[i].name))
        i++;
    if (i == sizeof names / sizeof *names)
        return err_input(r->err, "`%.*s` is no type of JSON Schema", STR(str_take(name, 40)));
    out->kind = names[i].kind;
    switch (out->kind) {
    case TOOL_STRING:
        return plain_string || read_string(r, v, out);
    case TOOL_ARRAY:
        return read_array(r, v, out);
    case TOOL_OBJECT:
        return read_object(r, v, out);
    default:
        return true;
    }
}

/* "type": ["string", "null"] */
static bool read_type_list(struct reader *r, const json *list, const json *v, struct tool_type *out)
{
    const json *one;
    out->kind = TOOL_UNION;
    out->kids = ARENA_ARRAY(r->a, struct tool_type *, json_count(list) + 1);
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &one); out->count++) {
        struct tool_type *kid = out->kids[out->count] = ARENA_NEW(r->a, struct tool_type);
        if (!(json_type(one) == JSON_STRING ? read_named(r, json_str(one), v, true, kid)
                                            : read_type(r, one, kid)))
            return false;
    }
    return true;
}

static bool read_ref(struct reader *r, const json *ref, struct tool_type *out)
{
    out->kind = TOOL_REF;
    if (!str_starts(json_str(ref), S("#/$defs/")))
        return err_input(r->err, "`$ref` must begin with #/$defs/");
    out->ref = str_skip(json_str(ref), 8);
    return true;
}

static bool read_schema(struct reader *r, const json *v, struct tool_type *out)
{
    if (json_type(v) != JSON_OBJECT)
        return wrong(r, "its schema", v, "an object");
    const json *type = json_get(v, S("type")), *any = json_get(v, S("anyOf"));
    const json *ref = json_get(v, S("$ref"));
    any = any ? any : json_get(v, S("oneOf"));
    if (json_type(type) == JSON_STRING)
        return read_named(r, json_str(type), v, false, out);
    if (json_type(type) == JSON_ARRAY)
        return read_type_list(r, type, v, out);
    if (type && json_type(type) != JSON_BOOL && json_type(type) != JSON_NULL)
        return wrong(r, "`type`", type, "a string");
    if (type)
        return true;
    if (any && json_type(any) != JSON_ARRAY)
        return wrong(r, "`anyOf`", any, "an array");
    out->kind = any ? TOOL_UNION : TOOL_UNKNOWN;
    if (any)
        return read_kids(r, any, out);
    return !ref || read_ref(r, ref, out);
}

static bool read_type(struct reader *r, const json *v, struct tool_type *out)
{
    if (r->depth >= CEDAR_DEPTH_MAX)
        return err_limit(r->err, "types nest deeper than %d levels", CEDAR_DEPTH_MAX);
    if (++r->types > TOOL_TYPE_STEPS_MAX)
        return err_limit(r->err, "over %d types", TOOL_TYPE_STEPS_MAX);
    r->depth++;
    bool ok = read_schema(r, v, out);
    r->depth--;
    return ok;
}

/* ---- definitions and references ---- */

struct scope {
    struct tool_def *defs;
    const struct scope *up;
    struct map by_name; /* of the defs */
};

static struct scope scope_open(struct tool_def *defs, const struct scope *up)
{
    struct scope s = {.defs = defs, .up = up};
    for (struct tool_def *d = defs; d; d = d->next)
        (void)map_put(&s.by_name, d->name, d);
    return s;
}

static void scope_close(struct scope *s)
{
    map_fini(&s->by_name);
}

static bool read_defs(struct reader *r, const json *v, str space, struct tool_def **out)
{
    const json *one;
    str name;
    if (v && json_type(v) != JSON_OBJECT)
        return wrong(r, "`$defs`", v, "an object");
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one);) {
        struct tool_def *d = ARENA_NEW(r->a, struct tool_def);
        *d = (struct tool_def){.next = *out, .name = name, .space = space};
        if (!new_type(r, one, &d->type))
            return err_in(r->err, "$defs `%.*s`", STR(str_take(name, 80)));
        *out = d;
    }
    return true;
}

static bool resolve(struct reader *r, struct tool_type *t, const struct scope *scope)
{
    if (t->kind == TOOL_REF) {
        for (const struct scope *s = scope; s && !t->def; s = s->up)
            t->def = map_get(&s->by_name, t->ref);
        return t->def ||
               err_input(r->err, "there is no definition `%.*s`", STR(str_take(t->ref, 80)));
    }
    for (size_t i = 0; i < t->count; i++) {
        if (t->kids && !resolve(r, t->kids[i], scope))
            return false;
        if (t->fields && !resolve(r, t->fields[i].type, scope))
            return property_in(r, t->fields[i].name);
    }
    return !t->elem || resolve(r, t->elem, scope);
}

static bool resolve_defs(struct reader *r, const struct scope *scope)
{
    for (struct tool_def *d = scope->defs; d; d = d->next)
        if (!resolve(r, d->type, scope))
            return err_in(r->err, "$defs `%.*s`", STR(str_take(d->name, 80)));
    return true;
}

static bool resolve_params(struct reader *r, struct tool_params *p, const struct scope *scope)
{
    if (!resolve_defs(r, scope))
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (!resolve(r, p->fields[i].type, scope))
            return property_in(r, p->fields[i].name);
    return true;
}

static bool read_params(struct reader *r, const json *v, str space, const struct scope *up,
                        struct tool_params *out)
{
    const json *inner = json_get(v, S("json"));
    v = inner ? inner : v;
    if (json_type(v) != JSON_OBJECT)
        return wrong(r, "the schema", v, "an object");
    if (!read_defs(r, json_get(v, S("$defs")), space, &out->defs) ||
        !read_fields(r, v, &out->fields, &out->count))
        return false;
    struct scope scope = scope_open(out->defs, up);
    bool ok = resolve_params(r, out, &scope);
    scope_close(&scope);
    return ok;
}

/* ---- tools ---- */

static bool read_schemas(struct reader *r, const json *v, const json *input,
                         const struct tool_parts *p, const struct scope *own, struct tool *t)
{
    const json *output = json_get(v, S("outputSchema"));
    if (!resolve_defs(r, own))
        return false;
    if (!read_params(r, input, tool_types_space(r->a, p, t, S("Input")), own, &t->input))
        return err_in(r->err, "inputSchema");
    return !output ||
           read_params(r, output, tool_types_space(r->a, p, t, S("Output")), own, &t->output) ||
           err_in(r->err, "outputSchema");
}

static bool read_tool(struct reader *r, const json *v, const struct tool_parts *p,
                      const struct scope *server, struct tool *t)
{
    const json *input = json_get(v, S("parameters"));
    input = input ? input : json_get(v, S("inputSchema"));
    if (json_type(json_get(v, S("name"))) != JSON_STRING)
        return err_input(r->err, "a tool without a name");
    t->name = json_get_str(v, S("name"));
    t->action = p->profile->sep
                    ? str_fmt(r->a, "%.*s%s%.*s", STR(p->server), p->profile->sep, STR(t->name))
                    : t->name;
    t->annotations = json_get(v, S("annotations"));
    if (!input)
        return err_input(r->err, "no inputSchema");
    if (!read_defs(r, json_get(v, S("$defs")), tool_types_space(r->a, p, t, S("")), &t->defs))
        return false;
    struct scope own = scope_open(t->defs, server);
    bool ok = read_schemas(r, v, input, p, &own, t);
    scope_close(&own);
    return ok;
}

static bool read_tools(struct reader *r, const json *tools, const json *array, struct tool_parts *p,
                       const struct scope *server)
{
    struct json_iter it = json_iter(array);
    const json *v = tools; /* one tool alone */
    size_t n = array ? json_count(array) : 1;
    if (!resolve_defs(r, server))
        return false;
    p->tools = ARENA_ARRAY(r->a, struct tool, n + 1);
    for (; p->count < n && (!array || json_next(&it, NULL, &v)); p->count++) {
        struct tool *t = &p->tools[p->count];
        if (!read_tool(r, v, p, server, t))
            return err_in(r->err, "tool `%.*s`", STR(str_take(t->name, 80)));
        if (map_put(&p->by_name, t->name, t))
            return err_input(r->err, "there are two tools `%.*s`", STR(str_take(t->name, 80)));
    }
    return true;
}

/* Whichever of the shapes it is, the array, and definitions beside it. */
static const json *tool_array(const json *v, const json **defs)
{
    const json *result = json_get(v, S("result"));
    v = result ? result : v;
    *defs = json_get(v, S("$defs"));
    return json_type(v) == JSON_ARRAY ? v : json_get(v, S("tools"));
}

bool tool_parts_read(struct arena *a, const json *tools, struct tool_parts *p, struct err *err)
{
    struct reader r = {.a = a, .err = err};
    const json *defs, *array = tool_array(tools, &defs);
    bool single = !array && json_get(tools, S("name"));
    if (!single && json_type(array) != JSON_ARRAY)
        return err_input(err, "no tools: expected an array of tool definitions");
    if (json_count(array) > TOOLS_MAX)
        return err_limit(err, "over %d tools", TOOLS_MAX);
    if (!single && !read_defs(&r, defs, p->space, &p->defs))
        return false;
    struct scope server = scope_open(p->defs, NULL);
    bool ok = read_tools(&r, tools, array, p, &server);
    scope_close(&server);
    return ok;
}

/* ---- what becomes of them ---- */

enum { STATE_NEW = 0, STATE_BUSY, STATE_DONE };

struct settler {
    const struct tool_parts *parts;
    unsigned depth;
    struct err *err;
};

static bool settle(struct settler *s, struct tool_type *t);

/* Of "X or null": X. */
static void drop_null(struct tool_type *t)
{
    while (t->kind == TOOL_UNION && t->count == 2) {
        size_t null = t->kids[0]->kind == TOOL_NULL ? 0 : 1;
        if (t->kids[null]->kind != TOOL_NULL)
            return;
        *t = *t->kids[1 - null];
        t->nullable = true;
    }
}

static enum tool_as first_guess(const struct tool_parts *p, const struct tool_type *t)
{
    enum tool_as as = p->profile->as[t->kind];
    if (p->options->numbers_as_decimal && (t->kind == TOOL_NUMBER || t->kind == TOOL_FLOAT))
        as = AS_DECIMAL;
    if (p->options->objects_as_records && t->kind == TOOL_OBJECT && as == AS_ENTITY)
        as = AS_RECORD;
    /* An object of which nothing is known has no form. */
    return as == AS_RECORD && t->count == 0 && !p->profile->named_records ? AS_HIDDEN : as;
}

static bool settle_inside(struct settler *s, struct tool_type *t)
{
    for (size_t i = 0; i < t->count; i++)
        if ((t->kids && !settle(s, t->kids[i])) || (t->fields && !settle(s, t->fields[i].type)))
            return false;
    if (t->elem && !settle(s, t->elem))
        return false;
    if (t->as == AS_SET && t->elem->as == AS_HIDDEN)
        t->as = AS_HIDDEN;
    if (t->as != AS_REF)
        return true;
    struct tool_type *target = t->def->type;
    if (target->state == STATE_BUSY && target->as != AS_ENTITY) {
        t->as = AS_HIDDEN; /* the type contains itself */
        return true;
    }
    if (!settle(s, target))
        return false;
    if (target->as == AS_HIDDEN || target->as == AS_PRESENT)
        t->as = target->as;
    return true;
}

static bool settle(struct settler *s, struct tool_type *t)
{
    if (t->state != STATE_NEW)
        return true;
    if (s->depth >= 2 * CEDAR_DEPTH_MAX)
        return err_limit(s->err, "types refer to each other over %d deep", 2 * CEDAR_DEPTH_MAX);
    if (s->parts->profile->nullable)
        drop_null(t);
    t->as = first_guess(s->parts, t);
    t->state = STATE_BUSY;
    s->depth++;
    bool ok = settle_inside(s, t);
    s->depth--;
    t->state = STATE_DONE;
    return ok;
}

static bool settle_defs(struct settler *s, struct tool_def *d)
{
    for (; d; d = d->next)
        if (!settle(s, d->type))
            return false;
    return true;
}

static bool settle_params(struct settler *s, struct tool_params *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (!settle(s, p->fields[i].type))
            return property_in(&(struct reader){.err = s->err}, p->fields[i].name);
    return settle_defs(s, p->defs);
}

bool tool_settle(const struct tool_parts *p, struct err *err)
{
    struct settler s = {.parts = p, .err = err};
    if (!settle_defs(&s, p->defs))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        struct tool *t = &p->tools[i];
        if (!settle_defs(&s, t->defs) || !settle_params(&s, &t->input) ||
            !settle_params(&s, &t->output))
            return err_in(err, "tool `%.*s`", STR(str_take(t->name, 80)));
    }
    return true;
}
