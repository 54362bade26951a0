/* References to types: which definition a name means, and common types written out. */
#include "cedar/schema/schema_resolve.h"

static const struct {
    str name;
    const struct ctype *type;
} builtins[] = {
    {{"Bool", 4}, &ctype_bool},
    {{"Long", 4}, &ctype_long},
    {{"String", 6}, &ctype_string},
    {{"decimal", 7}, &ctype_exts[CTYPE_DECIMAL]},
    {{"ipaddr", 6}, &ctype_exts[CTYPE_IPADDR]},
    {{"datetime", 8}, &ctype_exts[CTYPE_DATETIME]},
    {{"duration", 8}, &ctype_exts[CTYPE_DURATION]},
};

const struct ctype *schema_builtin(str name)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (str_eq(builtins[i].name, name))
            return builtins[i].type;
    return NULL;
}

str schema_full_name(struct arena *a, str space, str base)
{
    return space.n ? str_fmt(a, "%.*s::%.*s", STR(space), STR(base)) : base;
}

/* One of the three is set; none: there is no such definition. */
struct target {
    struct common_def *common;
    const struct schema_etype *etype;
    const struct ctype *builtin;
};

static bool find_exact(const struct resolver *r, str name, enum ref_want want, struct target *out)
{
    *out = (struct target){0};
    if (want != REF_ENTITY)
        out->common = map_get(&r->commons, name);
    if (want != REF_COMMON && !out->common)
        out->etype = schema_etype(r->s, name);
    return out->common || out->etype;
}

static bool find_builtin(str name, enum ref_want want, struct target *out)
{
    *out = (struct target){.builtin = want == REF_ENTITY ? NULL : schema_builtin(name)};
    return out->builtin;
}

static bool look_up(struct resolver *r, str space, const struct raw_name *name, enum ref_want want,
                    struct target *out)
{
    if (name->qualified) {
        str builtin = str_starts(name->text, S("__cedar::")) ? str_skip(name->text, 9) : (str){0};
        return builtin.n ? find_builtin(builtin, want, out) : find_exact(r, name->text, want, out);
    }
    if (space.n) {
        str full = schema_full_name(r->a, space, name->text);
        if (find_exact(r, full, want, out))
            return true;
    }
    /* Who defines a built-in type's name in the empty namespace, as whatever, takes it away. */
    return find_exact(r, name->text, want, out) ||
           (!schema_etype(r->s, name->text) && find_builtin(name->text, want, out));
}

static bool find(struct resolver *r, str space, struct raw_name *name, enum ref_want want,
                 struct target *out)
{
    if (!look_up(r, space, name, want, out))
        return false;
    name->is_entity = out->etype;
    name->full = out->common ? out->common->name : out->etype ? out->etype->name : name->text;
    return true;
}

/* ---- what is said when there is none ---- */

static str guess(const struct resolver *r, str name, enum ref_want want)
{
    struct name_guess g = {.wanted = name};
    for (size_t i = 0; want != REF_COMMON && i < r->s->etype_count; i++)
        name_guess_try(&g, r->s->etypes[i].name);
    for (const struct common_def *c = r->first_common; want != REF_ENTITY && c; c = c->next)
        name_guess_try(&g, c->name);
    for (size_t i = 0; want == REF_TYPE && i < sizeof builtins / sizeof *builtins; i++)
        name_guess_try(&g, builtins[i].name);
    return g.best;
}

static void report_unknown(struct resolver *r, const struct raw_name *name, enum ref_want want)
{
    static const char *const wanted[] = {"type", "entity type", "common type"};
    struct cedar_diag *one = finding_add(r->d, FIND_SCHEMA_UNKNOWN_TYPE, name->span,
                                         "there is no %s `%.*s`", wanted[want], STR(name->text));
    str best = one ? guess(r, name->text, want) : (str){0};
    if (best.n)
        one->help = str_fmt(r->a, "did you mean `%.*s`?", STR(best));
}

/* ---- types ---- */

static struct sized_type too_big(struct resolver *r, struct cedar_span span)
{
    finding_add(r->d, FIND_SCHEMA_LIMIT, span,
                "this type, written out, is over %d parts or nests more than %d deep",
                SCHEMA_TYPE_NODES_MAX, CEDAR_DEPTH_MAX);
    return (struct sized_type){0};
}

static struct sized_type checked(struct resolver *r, struct cedar_span span, struct sized_type t)
{
    bool fits = t.nodes <= SCHEMA_TYPE_NODES_MAX && t.depth <= CEDAR_DEPTH_MAX;
    return !t.type || fits ? t : too_big(r, span);
}

static struct sized_type common_type(struct resolver *r, struct common_def *c)
{
    if (c->state == DEF_BUSY) {
        finding_add(r->d, FIND_SCHEMA_CYCLE, c->ref->span,
                    "common type `%.*s` is defined by itself", STR(c->name));
        c->state = DEF_DONE;
    }
    if (c->state == DEF_NEW) {
        c->state = DEF_BUSY;
        struct sized_type t = schema_resolve_type(r, c->decl->space, c->decl->shape);
        bool in_cycle = c->state == DEF_DONE;
        c->state = DEF_DONE;
        if (!in_cycle)
            c->type = t;
    }
    return c->type;
}

static struct sized_type name_type(struct resolver *r, str space, struct raw_name *name,
                                   enum ref_want want)
{
    struct target t;
    if (!find(r, space, name, want, &t)) {
        report_unknown(r, name, want);
        return (struct sized_type){0};
    }
    if (t.common)
        return common_type(r, t.common);
    return (struct sized_type){t.etype ? t.etype->type : t.builtin, 1, 1};
}

/* JSON's own names, which no definition hides. */
static struct sized_type builtin_type(struct resolver *r, const struct raw_type *raw)
{
    str name = str_eq(raw->name.text, S("Boolean")) ? S("Bool") : raw->name.text;
    const struct ctype *t = schema_builtin(name);
    if (t && (t->kind == CTYPE_EXT) == (raw->kind == RAW_EXTENSION))
        return (struct sized_type){t, 1, 1};
    finding_add(r->d, FIND_SCHEMA_UNKNOWN_TYPE, raw->name.span, "there is no extension type `%.*s`",
                STR(str_take(name, 80)));
    return (struct sized_type){0};
}

static struct sized_type set_type(struct resolver *r, str space, struct raw_type *raw)
{
    struct sized_type e = schema_resolve_type(r, space, raw->elem);
    if (!e.type)
        return e;
    return (struct sized_type){ctype_set(r->a, e.type), e.nodes + 1, e.depth + 1};
}

static bool duplicate_attribute(struct resolver *r, const struct ctype *t,
                                const struct raw_type *raw)
{
    for (uint32_t i = 1; i < t->n; i++) {
        if (!str_eq(t->attrs[i - 1].name, t->attrs[i].name))
            continue;
        struct cedar_span span = raw->span;
        for (const struct raw_attr *at = raw->attrs; at; at = at->next)
            if (str_eq(at->name, t->attrs[i].name))
                span = at->span;
        finding_add(r->d, FIND_SCHEMA_DUPLICATE, span, "attribute `%.*s` is declared twice",
                    STR(str_take(t->attrs[i].name, 80)));
        return true;
    }
    return false;
}

static struct sized_type record_type(struct resolver *r, str space, struct raw_type *raw)
{
    struct ctype_attr *attrs = ARENA_ARRAY(r->a, struct ctype_attr, raw->attr_count);
    struct sized_type sum = {NULL, 1, 0};
    size_t n = 0;
    bool ok = true;
    for (struct raw_attr *at = raw->attrs; at; at = at->next) {
        struct sized_type one = schema_resolve_type(r, space, at->type);
        ok = ok && one.type;
        attrs[n++] = (struct ctype_attr){at->name, one.type, !at->optional};
        sum.nodes += one.nodes; /* each at most the limit, and checked below before it can wrap */
        sum.depth = one.depth > sum.depth ? one.depth : sum.depth;
        if (sum.nodes > SCHEMA_TYPE_NODES_MAX)
            return too_big(r, raw->span);
    }
    const struct ctype *t = ctype_record(r->a, attrs, n, false);
    if (duplicate_attribute(r, t, raw) || !ok)
        return (struct sized_type){0};
    return (struct sized_type){t, sum.nodes, sum.depth + 1};
}

static struct sized_type resolve_inside(struct resolver *r, str space, struct raw_type *raw)
{
    switch (raw->kind) {
    case RAW_SET:
        return set_type(r, space, raw);
    case RAW_RECORD:
        return record_type(r, space, raw);
    case RAW_ENTITY_NAME:
        return name_type(r, space, &raw->name, REF_ENTITY);
    case RAW_COMMON_NAME:
        return name_type(r, space, &raw->name, REF_COMMON);
    case RAW_BUILTIN:
    case RAW_EXTENSION:
        return builtin_type(r, raw);
    default:
        return name_type(r, space, &raw->name, REF_TYPE);
    }
}

struct sized_type schema_resolve_type(struct resolver *r, str space, struct raw_type *raw)
{
    if (r->depth >= SCHEMA_REF_DEPTH_MAX)
        return too_big(r, raw->span);
    r->depth++;
    struct sized_type t = resolve_inside(r, space, raw);
    r->depth--;
    return checked(r, raw->span, t);
}

const struct schema_etype *schema_resolve_entity(struct resolver *r, str space,
                                                 struct raw_name *name)
{
    struct target t;
    if (!find(r, space, name, REF_ENTITY, &t)) {
        report_unknown(r, name, REF_ENTITY);
        return NULL;
    }
    if (t.etype->is_action) {
        finding_add(r->d, FIND_SCHEMA_UNKNOWN_TYPE, name->span,
                    "`%.*s` is a type of actions and cannot stand here", STR(t.etype->name));
        return NULL;
    }
    return t.etype;
}
