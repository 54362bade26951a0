/* Types in the human schema syntax, and the entity types that have to be declared for them. */
#include "cedar/text/lex.h"
#include "cedar/tools/tool_parts.h"

static const str builtins[] = {{"Bool", 4},   {"Long", 4},     {"String", 6},  {"decimal", 7},
                               {"ipaddr", 6}, {"datetime", 8}, {"duration", 8}};

/* ---- names ---- */

static str join(struct arena *a, str space, str name)
{
    return space.n ? str_fmt(a, "%.*s::%.*s", STR(space), STR(name)) : name;
}

str tool_full_name(struct arena *a, const struct tool_parts *p, str space, str name)
{
    str full = join(a, space, name);
    if (!p->options->flatten_namespaces || p->space.n + 2 >= full.n)
        return full;
    struct buf flat = {0};
    str rest = str_skip(full, p->space.n + 2);
    for (size_t i = 0; i < rest.n; i++) {
        bool colons = rest.p[i] == ':' && i + 1 < rest.n && rest.p[i + 1] == ':';
        buf_putc(&flat, colons ? '_' : rest.p[i]);
        i += colons;
    }
    str out = join(a, p->space, buf_str(&flat));
    buf_fini(&flat);
    return out;
}

str tool_types_space(struct arena *a, const struct tool_parts *p, const struct tool *t, str part)
{
    str space = join(a, p->space, t->name);
    return part.n ? join(a, space, part) : space;
}

bool tool_declare(struct tool_writer *w, str full)
{
    if (!cedar_is_type_name(full))
        return err_input(w->err, "`%.*s` would have to be the name of a type, and is none",
                         STR(str_take(full, 200)));
    if (map_put(&w->declared, full, w))
        return err_input(w->err, "two types would be called `%.*s`", STR(str_take(full, 200)));
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        w->clash = w->clash || str_eq(builtins[i], cedar_name_base(full));
    return true;
}

/* Where the declarations of a namespace are collected. */
static struct buf *text_of(struct tool_writer *w, str space)
{
    if (str_eq(space, w->parts->space))
        return w->out;
    struct tool_space *s = map_get(&w->spaces_by_name, space);
    if (s)
        return &s->text;
    s = ARENA_NEW(w->a, struct tool_space);
    *s = (struct tool_space){.name = space, .text.max = TOOL_SCHEMA_BYTES_MAX};
    (void)map_put(&w->spaces_by_name, space, s);
    if (w->last_space)
        w->last_space->next = s;
    else
        w->spaces = s;
    w->last_space = s;
    return &s->text;
}

/* ---- types ---- */

static bool put_declared(struct tool_writer *w, struct buf *out, const struct tool_type *t,
                         str space, str name);

static bool put_opaque(struct tool_writer *w, struct buf *out, const struct tool_type *t)
{
    static const char *const types[TOOL_KINDS] = {[TOOL_UNKNOWN] = "Unknown",
                                                  [TOOL_NUMBER] = "Number",
                                                  [TOOL_FLOAT] = "Float",
                                                  [TOOL_NULL] = "Null"};
    str full = join(w->a, w->parts->space, str_z(types[t->kind]));
    buf_put(out, full);
    if (map_get(&w->declared, full))
        return true;
    buf_printf(w->out, "  entity %s;\n", types[t->kind]);
    return tool_declare(w, full);
}

/* Records proj0.., typeChoice0.. */
static bool put_numbered(struct tool_writer *w, struct buf *out, const struct tool_type *t,
                         str space, str name)
{
    bool tuple = t->as == AS_TUPLE;
    str inner = join(w->a, space, name);
    buf_put(out, S("{ "));
    for (size_t i = 0; i < t->count; i++) {
        buf_printf(out, tuple ? "%sproj%zu: " : "%stypeChoice%zu?: ", i ? ", " : "", i);
        str kid = str_fmt(w->a, tuple ? "Proj%zu" : "TypeChoice%zu", i);
        if (!tool_put_type(w, out, t->kids[i], inner, kid))
            return false;
    }
    buf_put(out, S(" }"));
    return true;
}

static bool put_inside(struct tool_writer *w, struct buf *out, const struct tool_type *t, str space,
                       str name)
{
    static const char *const plain[AS_REF + 1] = {
        [AS_BOOL] = "Bool",       [AS_LONG] = "Long",         [AS_STRING] = "String",
        [AS_DECIMAL] = "decimal", [AS_DATETIME] = "datetime", [AS_DURATION] = "duration",
        [AS_IP] = "ipaddr",       [AS_PRESENT] = "Bool"};
    if (plain[t->as]) {
        buf_printf(out, "%.*s%s", STR(w->prefix), plain[t->as]);
        return true;
    }
    switch (t->as) {
    case AS_HIDDEN:
        return err_input(w->err, "`%.*s` is of a type that contains itself or has no form",
                         STR(str_take(name, 80)));
    case AS_OPAQUE:
        return put_opaque(w, out, t);
    case AS_SET:
        buf_put(out, S("Set<"));
        if (!tool_put_type(w, out, t->elem, space, name))
            return false;
        buf_putc(out, '>');
        return true;
    case AS_TUPLE:
    case AS_UNION:
        return put_numbered(w, out, t, space, name);
    case AS_REF:
        if (!w->parts->profile->named_records)
            return tool_put_type(w, out, t->def->type, space, name);
        buf_put(out, tool_full_name(w->a, w->parts, t->def->space, t->def->name));
        return true;
    case AS_RECORD:
        if (!w->parts->profile->named_records)
            return tool_put_record(w, out, t->fields, t->count, space);
        return put_declared(w, out, t, space, name);
    default:
        return put_declared(w, out, t, space, name);
    }
}

bool tool_put_type(struct tool_writer *w, struct buf *out, const struct tool_type *t, str space,
                   str name)
{
    if (w->depth >= CEDAR_DEPTH_MAX || ++w->steps > TOOL_TYPE_STEPS_MAX || out->over)
        return err_limit(w->err, "the types of `%.*s` are too deep or too many",
                         STR(str_take(name, 80)));
    if (str_find_char(name, ':', 0) >= 0 && t->as >= AS_ENUM && t->as != AS_REF)
        return err_input(w->err, "`%.*s` would have to be the name of a type, and is none",
                         STR(str_take(name, 80))); /* nor may it reach into another namespace */
    w->depth++;
    bool ok = put_inside(w, out, t, space, name);
    w->depth--;
    return ok;
}

bool tool_put_record(struct tool_writer *w, struct buf *out, const struct tool_field *f, size_t n,
                     str space)
{
    bool first = true;
    buf_putc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (f[i].type->as == AS_HIDDEN)
            continue;
        buf_put(out, first ? S(" ") : S(", "));
        first = false;
        if (cedar_is_ident(f[i].name) && !cedar_is_reserved(f[i].name))
            buf_put(out, f[i].name);
        else
            cedar_quote(out, f[i].name);
        buf_put(out, f[i].required && !f[i].type->nullable ? S(": ") : S("?: "));
        if (!tool_put_type(w, out, f[i].type, space, f[i].name))
            return false;
    }
    buf_put(out, first ? S("}") : S(" }"));
    return true;
}

/* ---- declarations ---- */

static void put_ids(struct buf *out, const struct tool_type *t)
{
    buf_put(out, S(" enum ["));
    for (size_t i = 0; i < t->count; i++) {
        buf_put(out, i ? S(", ") : S(""));
        cedar_quote(out, t->ids[i]);
    }
    buf_putc(out, ']');
}

static bool put_entity(struct tool_writer *w, struct buf *out, const struct tool_type *t, str space,
                       str name)
{
    str inner = join(w->a, space, name);
    if (t->count) {
        buf_put(out, S(" = "));
        if (!tool_put_record(w, out, t->fields, t->count, inner))
            return false;
    }
    if (!t->elem)
        return true;
    buf_put(out, S(" tags "));
    return tool_put_type(w, out, t->elem, inner, str_fmt(w->a, "%.*sTag", STR(name)));
}

static bool put_body(struct tool_writer *w, struct buf *out, const struct tool_type *t, str space,
                     str name, str base)
{
    bool record = t->as == AS_RECORD;
    buf_printf(out, record ? "  type %.*s = " : "  entity %.*s", STR(base));
    if (t->as == AS_ENUM)
        put_ids(out, t);
    else if (record) {
        if (!tool_put_record(w, out, t->fields, t->count, join(w->a, space, name)))
            return false;
    } else if (!put_entity(w, out, t, space, name)) {
        return false;
    }
    buf_put(out, S(";\n"));
    return true;
}

/* The name, after the declaration went to its namespace. */
static bool put_declared(struct tool_writer *w, struct buf *out, const struct tool_type *t,
                         str space, str name)
{
    str full = tool_full_name(w->a, w->parts, space, name);
    struct buf body = {.max = TOOL_SCHEMA_BYTES_MAX};
    buf_put(out, full);
    bool ok = tool_declare(w, full) && put_body(w, &body, t, space, name, cedar_name_base(full));
    w->bytes += buf_len(&body);
    ok = ok && ((!body.over && w->bytes <= TOOL_SCHEMA_BYTES_MAX) ||
                err_limit(w->err, "`%.*s` is too long", STR(str_take(name, 80))));
    if (ok)
        buf_put(text_of(w, cedar_name_space(full)), buf_str(&body));
    buf_fini(&body);
    return ok;
}

bool tool_put_common(struct tool_writer *w, str full, str text)
{
    if (!tool_declare(w, full))
        return false;
    buf_printf(text_of(w, cedar_name_space(full)), "  type %.*s = %.*s;\n",
               STR(cedar_name_base(full)), STR(text));
    return true;
}
