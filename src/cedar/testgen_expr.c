/* Expressions and policies as text, by the type they are to have. */
#include "cedar/testgen.h"

static void any(struct testgen *g, struct buf *out, unsigned depth);

static void entity_of(struct testgen *g, struct buf *out, uint32_t etype, unsigned depth)
{
    testgen_expr(g, out, g->schema->etypes[etype].type, depth);
}

static const struct ctype *some_type(struct testgen *g)
{
    return g->types[testgen_below(g, g->type_count)];
}

static void literal(struct testgen *g, struct buf *out, const struct ctype *t)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_value v = testgen_value(g, &a, t);
    if (v.kind == CEDAR_SET && v.n == 0 && !testgen_chance(g, g->wild)) {
        struct cedar_value one = testgen_value(g, &a, t->elem);
        v = cedar_set_of(&one, 1);
        cedar_value_print(out, &v);
        return;
    }
    cedar_value_print(out, &v);
}

/* ---- attributes and tags ---- */

static void access_text(struct testgen *g, struct buf *out, str receiver,
                        const struct testgen_source *s, size_t n)
{
    buf_put(out, receiver);
    for (size_t i = 0; i < n; i++) {
        if (testgen_chance(g, 300))
            buf_printf(out, "[\"%.*s\"]", STR(s->names[i]));
        else
            buf_printf(out, ".%.*s", STR(s->names[i]));
    }
}

/* (receiver has a.b), for all that is optional on the way. */
static void test_text(struct testgen *g, struct buf *out, str receiver,
                      const struct testgen_source *s)
{
    bool first = true;
    if (testgen_chance(g, 500)) {
        buf_printf(out, "%.*s has ", STR(receiver));
        for (size_t i = 0; i < s->n; i++)
            buf_printf(out, i ? ".%.*s" : "%.*s", STR(s->names[i]));
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (!s->optional[i])
            continue;
        buf_put(out, first ? S("") : S(" && "));
        first = false;
        access_text(g, out, receiver, s, i);
        buf_printf(out, " has %.*s", STR(s->names[i]));
    }
}

static const struct testgen_source *find_source(struct testgen *g, const struct ctype *t)
{
    size_t from = testgen_below(g, g->source_count);
    if (testgen_chance(g, 300)) /* the context is small beside all entities */
        from = g->fixed_sources;
    for (size_t i = 0; i < g->source_count; i++) {
        const struct testgen_source *s = &g->sources[(from + i) % g->source_count];
        if (ctype_equal(s->type, t))
            return s;
    }
    return NULL;
}

static bool attribute(struct testgen *g, struct buf *out, const struct ctype *t, unsigned depth)
{
    struct buf receiver = {0};
    const struct testgen_source *s = find_source(g, t);
    bool guard = false;
    if (!s)
        return false;
    for (size_t i = 0; i < s->n; i++)
        guard = guard || s->optional[i];
    if (testgen_chance(g, g->wild))
        guard = false;
    if (s->etype == SCHEMA_NO_TYPE)
        buf_put(&receiver, S("context"));
    else
        entity_of(g, &receiver, s->etype, depth > 2 ? depth - 2 : 0);
    str r = buf_str(&receiver);
    bool chain = guard && ctype_is_boolean(t) && testgen_chance(g, 700);
    if (guard) {
        buf_put(out, chain ? S("(") : S("(if "));
        test_text(g, out, r, s);
        buf_put(out, chain ? S(" && ") : S(" then "));
    }
    access_text(g, out, r, s, s->n);
    if (guard && !chain) {
        buf_put(out, S(" else "));
        testgen_expr(g, out, t, depth ? depth - 1 : 0);
    }
    if (guard)
        buf_putc(out, ')');
    buf_fini(&receiver);
    return true;
}

static const struct schema_etype *tagged(struct testgen *g, const struct ctype *t)
{
    size_t from = testgen_below(g, g->schema->etype_count);
    for (size_t i = 0; i < g->schema->etype_count; i++) {
        const struct schema_etype *e = &g->schema->etypes[(from + i) % g->schema->etype_count];
        if (e->tags && (!t || ctype_equal(e->tags, t)))
            return e;
    }
    return NULL;
}

static bool tag(struct testgen *g, struct buf *out, const struct ctype *t, unsigned depth)
{
    struct buf receiver = {0}, key = {0};
    const struct schema_etype *e = tagged(g, t);
    if (!e)
        return false;
    entity_of(g, &receiver, e->index, depth > 2 ? depth - 2 : 0);
    testgen_expr(g, &key, &ctype_string, depth > 2 && testgen_chance(g, 300) ? 1 : 0);
    str r = buf_str(&receiver), k = buf_str(&key);
    if (testgen_chance(g, g->wild)) {
        buf_printf(out, "%.*s.getTag(%.*s)", STR(r), STR(k));
    } else {
        buf_printf(out, "(if %.*s.hasTag(%.*s) then %.*s.getTag(%.*s) else ", STR(r), STR(k),
                   STR(r), STR(k));
        testgen_expr(g, out, t, depth ? depth - 1 : 0);
        buf_putc(out, ')');
    }
    buf_fini(&receiver);
    buf_fini(&key);
    return true;
}

/* ---- operators by template: %b bool %l long %s string %d datetime %u duration %m decimal %i ip
 *      %e entity %E set of it %t some type %T set of the same %w tag owner ---- */

struct form {
    enum ctype_kind kind;
    enum ctype_ext ext;
    const char *text;
};

static const struct form forms[] = {
    {CTYPE_BOOL, 0, "(%b && %b)"},
    {CTYPE_BOOL, 0, "(%b || %b)"},
    {CTYPE_BOOL, 0, "(%b && %b && %b)"},
    {CTYPE_BOOL, 0, "(%b || %b || %b)"},
    {CTYPE_BOOL, 0, "(%b && %b)"},
    {CTYPE_BOOL, 0, "(%b || %b)"},
    {CTYPE_BOOL, 0, "!(%b)"},
    {CTYPE_BOOL, 0, "(%t == %t)"},
    {CTYPE_BOOL, 0, "(%t == %t)"},
    {CTYPE_BOOL, 0, "(%t != %t)"},
    {CTYPE_BOOL, 0, "(%l < %l)"},
    {CTYPE_BOOL, 0, "(%l <= %l)"},
    {CTYPE_BOOL, 0, "(%l > %l)"},
    {CTYPE_BOOL, 0, "(%d < %d)"},
    {CTYPE_BOOL, 0, "(%u >= %u)"},
    {CTYPE_BOOL, 0, "(%e in %e)"},
    {CTYPE_BOOL, 0, "(%e in %E)"},
    {CTYPE_BOOL, 0, "(%e in %e)"},
    {CTYPE_BOOL, 0, "(%e is %n)"},
    {CTYPE_BOOL, 0, "(%e is %n in %e)"},
    {CTYPE_BOOL, 0, "(%s like \"a*\")"},
    {CTYPE_BOOL, 0, "(%s like \"*a*b\")"},
    {CTYPE_BOOL, 0, "%T.contains(%t)"},
    {CTYPE_BOOL, 0, "%T.containsAll(%T)"},
    {CTYPE_BOOL, 0, "%T.containsAny(%T)"},
    {CTYPE_BOOL, 0, "%T.isEmpty()"},
    {CTYPE_BOOL, 0, "%w.hasTag(%s)"},
    {CTYPE_BOOL, 0, "%w.hasTag(%s)"},
    {CTYPE_BOOL, 0, "(%h)"},
    {CTYPE_BOOL, 0, "(%h)"},
    {CTYPE_BOOL, 0, "%m.lessThan(%m)"},
    {CTYPE_BOOL, 0, "%m.greaterThanOrEqual(%m)"},
    {CTYPE_BOOL, 0, "%i.isInRange(%i)"},
    {CTYPE_BOOL, 0, "%i.isIpv4()"},
    {CTYPE_LONG, 0, "(%l + %l)"},
    {CTYPE_LONG, 0, "(%l - %l)"},
    {CTYPE_LONG, 0, "(%l * %l)"},
    {CTYPE_LONG, 0, "(%l - %l + %l)"},
    {CTYPE_LONG, 0, "(-(%l))"},
    {CTYPE_LONG, 0, "%u.toHours()"},
    {CTYPE_LONG, 0, "{x: %l, y: %b}.x"},
    {CTYPE_BOOL, 0, "{x: %l, y: %b}[\"y\"]"},
    {CTYPE_BOOL, 0, "({x: %t, y: %b} has x)"},
    {CTYPE_EXT, CTYPE_DATETIME, "%d.offset(%u)"},
    {CTYPE_EXT, CTYPE_DATETIME, "%d.toDate()"},
    {CTYPE_EXT, CTYPE_DURATION, "%d.durationSince(%d)"},
    {CTYPE_EXT, CTYPE_DURATION, "%d.toTime()"},
};

static void has(struct testgen *g, struct buf *out, unsigned depth)
{
    const struct testgen_source *s = &g->sources[testgen_below(g, g->source_count)];
    size_t n = 1 + testgen_below(g, s->n);
    if (s->etype == SCHEMA_NO_TYPE)
        buf_put(out, S("context"));
    else
        entity_of(g, out, s->etype, depth);
    buf_put(out, S(" has "));
    for (size_t i = 0; i < n; i++)
        buf_printf(out, i ? ".%.*s" : "%.*s", STR(s->names[i]));
}

static void set_of(struct testgen *g, struct buf *out, const struct ctype *elem, unsigned depth)
{
    struct ctype set = {.kind = CTYPE_SET, .elem = elem};
    if (testgen_chance(g, 400)) {
        testgen_expr(g, out, &set, depth);
        return;
    }
    buf_putc(out, '[');
    unsigned n = 1 + testgen_below(g, 3);
    for (unsigned i = 0; i < n; i++) {
        buf_put(out, i ? S(", ") : S(""));
        testgen_expr(g, out, elem, depth);
    }
    buf_putc(out, ']');
}

static uint32_t some_etype(struct testgen *g)
{
    size_t i;
    do
        i = testgen_below(g, g->schema->etype_count);
    while (g->schema->etypes[i].is_action);
    return (uint32_t)i;
}

static void operand(struct testgen *g, struct buf *out, char what, const struct ctype *some,
                    unsigned depth)
{
    uint32_t etype = some_etype(g), other = some_etype(g);
    if (what != 'n' && testgen_chance(g, g->wild)) {
        any(g, out, depth);
        return;
    }
    switch (what) {
    case 'b':
        testgen_expr(g, out, &ctype_bool, depth);
        break;
    case 'l':
        testgen_expr(g, out, &ctype_long, depth);
        break;
    case 's':
        testgen_expr(g, out, &ctype_string, depth);
        break;
    case 'd':
        testgen_expr(g, out, &ctype_exts[CTYPE_DATETIME], depth);
        break;
    case 'u':
        testgen_expr(g, out, &ctype_exts[CTYPE_DURATION], depth);
        break;
    case 'm':
        testgen_expr(g, out, &ctype_exts[CTYPE_DECIMAL], depth);
        break;
    case 'i':
        testgen_expr(g, out, &ctype_exts[CTYPE_IPADDR], depth);
        break;
    case 'e':
        if (testgen_chance(g, 600))
            buf_put(out, testgen_chance(g, 500) ? S("principal") : S("resource"));
        else
            entity_of(g, out, etype, depth);
        break;
    case 'E':
        set_of(g, out, g->schema->etypes[etype].type, depth);
        break;
    case 'n':
        buf_put(out, g->schema->etypes[testgen_chance(g, 300) ? g->principal : other].name);
        break;
    case 't':
        testgen_expr(g, out, some, depth);
        break;
    case 'T':
        set_of(g, out, some, depth);
        break;
    case 'w':
        entity_of(g, out, tagged(g, NULL) ? tagged(g, NULL)->index : etype, depth);
        break;
    default:
        has(g, out, depth);
    }
}

static bool operation(struct testgen *g, struct buf *out, const struct ctype *t, unsigned depth)
{
    enum { N = sizeof forms / sizeof *forms };
    size_t from = testgen_below(g, N);
    const struct ctype *some = some_type(g);
    enum ctype_kind kind = ctype_is_boolean(t) ? CTYPE_BOOL : t->kind;
    if (testgen_chance(g, 80)) {
        buf_put(out, S("(if "));
        testgen_expr(g, out, &ctype_bool, depth - 1);
        buf_put(out, S(" then "));
        testgen_expr(g, out, t, depth - 1);
        buf_put(out, S(" else "));
        testgen_expr(g, out, t, depth - 1);
        buf_putc(out, ')');
        return true;
    }
    for (size_t i = 0; i < N; i++) {
        const struct form *f = &forms[(from + i) % N];
        if (f->kind != kind || (kind == CTYPE_EXT && f->ext != t->ext))
            continue;
        for (const char *p = f->text; *p; p++) {
            if (*p == '%')
                operand(g, out, *++p, some, depth - 1);
            else
                buf_putc(out, *p);
        }
        return true;
    }
    return false;
}

static bool composite(struct testgen *g, struct buf *out, const struct ctype *t, unsigned depth)
{
    if (t->kind == CTYPE_SET) {
        buf_putc(out, '[');
        unsigned n = 1 + testgen_below(g, 2);
        for (unsigned i = 0; i < n; i++) {
            buf_put(out, i ? S(", ") : S(""));
            testgen_expr(g, out, t->elem, depth - 1);
        }
        buf_putc(out, ']');
        return true;
    }
    if (t->kind != CTYPE_RECORD)
        return false;
    buf_putc(out, '{');
    for (uint32_t i = 0; i < t->n; i++) {
        buf_printf(out, "%s%.*s: ", i ? ", " : "", STR(t->attrs[i].name));
        testgen_expr(g, out, t->attrs[i].type, depth - 1);
    }
    buf_putc(out, '}');
    return true;
}

static bool variable(struct testgen *g, struct buf *out, const struct ctype *t)
{
    if (t->kind != CTYPE_ENTITY)
        return false;
    bool p = ctype_has_etype(t, g->principal), r = ctype_has_etype(t, g->resource);
    if (p && (!r || testgen_chance(g, 500)))
        buf_put(out, S("principal"));
    else if (r)
        buf_put(out, S("resource"));
    return p || r;
}

static void any(struct testgen *g, struct buf *out, unsigned depth)
{
    testgen_expr(g, out, some_type(g), depth);
}

void testgen_expr(struct testgen *g, struct buf *out, const struct ctype *t, unsigned depth)
{
    unsigned kind = testgen_below(g, 100);
    if (testgen_chance(g, 600) && variable(g, out, t))
        return;
    if (depth > 0) {
        if (kind < 50 && operation(g, out, t, depth))
            return;
        if (kind < 60 && composite(g, out, t, depth))
            return;
        if (kind < 70 && tag(g, out, t, depth))
            return;
        if (kind < 95 && attribute(g, out, t, depth))
            return;
    } else if (kind < 40 && attribute(g, out, t, 0)) {
        return;
    }
    literal(g, out, t);
}

/* ---- policies ---- */

static void scope(struct testgen *g, struct buf *out, str var, uint32_t etype)
{
    const struct schema_etype *e = &g->schema->etypes[etype];
    struct cedar_uid self = testgen_uid(g, etype), above = self;
    if (e->ancestors.count && testgen_chance(g, 700))
        above = testgen_uid(g, e->ancestors.items[testgen_below(g, e->ancestors.count)]);
    buf_put(out, var);
    switch (testgen_below(g, 10)) {
    case 0:
        buf_put(out, S(" == "));
        cedar_uid_print(out, &self);
        break;
    case 1:
    case 2:
        buf_put(out, S(" in "));
        cedar_uid_print(out, &above);
        break;
    case 3:
        buf_printf(out, " is %.*s in ", STR(e->name));
        cedar_uid_print(out, &above);
        break;
    case 4:
        break;
    default:
        buf_printf(out, " is %.*s", STR(e->name));
    }
}

void testgen_policy(struct testgen *g, struct buf *out, unsigned depth)
{
    buf_put(out, testgen_chance(g, 600) ? S("permit (") : S("forbid ("));
    scope(g, out, S("principal"), g->principal);
    buf_put(out, S(", action"));
    if (testgen_chance(g, 800)) {
        const struct schema_action *x = g->action;
        buf_put(out, testgen_chance(g, 500) ? S(" == ") : S(" in "));
        cedar_uid_print(out, &x->uid);
    }
    buf_put(out, S(", "));
    scope(g, out, S("resource"), g->resource);
    buf_put(out, S(")"));
    for (unsigned n = testgen_below(g, 3); n > 0; n--) {
        buf_put(out, testgen_chance(g, 750) ? S("\nwhen { ") : S("\nunless { "));
        testgen_expr(g, out, &ctype_bool, depth);
        buf_put(out, S(" }"));
    }
    buf_put(out, S(";\n"));
}
