#include "cedar/schema/type.h"
#include "cedar/schema/schema.h"

#include <stdlib.h>

const struct ctype ctype_never = {.kind = CTYPE_NEVER};
const struct ctype ctype_true = {.kind = CTYPE_TRUE};
const struct ctype ctype_false = {.kind = CTYPE_FALSE};
const struct ctype ctype_bool = {.kind = CTYPE_BOOL};
const struct ctype ctype_long = {.kind = CTYPE_LONG};
const struct ctype ctype_string = {.kind = CTYPE_STRING};
const struct ctype ctype_any_set = {.kind = CTYPE_SET};
const struct ctype ctype_any_record = {.kind = CTYPE_RECORD, .open = true};
const struct ctype ctype_any_entity = {.kind = CTYPE_ANY_ENTITY};
const struct ctype ctype_any_entity_set = {.kind = CTYPE_SET, .elem = &ctype_any_entity};
const struct ctype ctype_exts[CTYPE_EXT_COUNT] = {
    {.kind = CTYPE_EXT, .ext = CTYPE_DECIMAL},
    {.kind = CTYPE_EXT, .ext = CTYPE_IPADDR},
    {.kind = CTYPE_EXT, .ext = CTYPE_DATETIME},
    {.kind = CTYPE_EXT, .ext = CTYPE_DURATION},
};

const struct ctype *ctype_set(struct arena *a, const struct ctype *elem)
{
    struct ctype *t = ARENA_NEW(a, struct ctype);
    t->kind = CTYPE_SET;
    t->elem = elem;
    return t;
}

const struct ctype *ctype_entity(struct arena *a, uint32_t etype)
{
    struct ctype *t = ARENA_NEW(a, struct ctype);
    t->kind = CTYPE_ENTITY;
    t->n = 1;
    t->etypes = arena_dup(a, &etype, sizeof etype);
    return t;
}

static int attr_order(const void *x, const void *y)
{
    return str_cmp(((const struct ctype_attr *)x)->name, ((const struct ctype_attr *)y)->name);
}

const struct ctype *ctype_record(struct arena *a, struct ctype_attr *attrs, size_t n, bool open)
{
    struct ctype *t = ARENA_NEW(a, struct ctype);
    if (n > 1)
        qsort(attrs, n, sizeof *attrs, attr_order);
    t->kind = CTYPE_RECORD;
    t->open = open;
    t->n = (uint32_t)n;
    t->attrs = attrs;
    return t;
}

const struct ctype_attr *ctype_attr(const struct ctype *record, str name)
{
    size_t lo = 0, hi = record->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(record->attrs[mid].name, name);
        if (c == 0)
            return &record->attrs[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

bool ctype_has_etype(const struct ctype *t, uint32_t etype)
{
    uint32_t low = 0, high = t->kind == CTYPE_ENTITY ? t->n : 0;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (t->etypes[mid] == etype)
            return true;
        if (t->etypes[mid] < etype)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static bool same_union(const struct ctype *x, const struct ctype *y)
{
    return x->n == y->n && memcmp(x->etypes, y->etypes, x->n * sizeof *x->etypes) == 0;
}

bool ctype_equal(const struct ctype *x, const struct ctype *y)
{
    if (x == y)
        return true;
    if (x->kind != y->kind)
        return false;
    switch (x->kind) {
    case CTYPE_SET:
        return x->elem && y->elem ? ctype_equal(x->elem, y->elem) : x->elem == y->elem;
    case CTYPE_RECORD:
        if (x->n != y->n || x->open != y->open)
            return false;
        for (uint32_t i = 0; i < x->n; i++)
            if (!str_eq(x->attrs[i].name, y->attrs[i].name) ||
                x->attrs[i].required != y->attrs[i].required ||
                !ctype_equal(x->attrs[i].type, y->attrs[i].type))
                return false;
        return true;
    case CTYPE_ENTITY:
        return same_union(x, y);
    case CTYPE_EXT:
        return x->ext == y->ext;
    default:
        return true;
    }
}

size_t ctype_size(const struct ctype *t, size_t max)
{
    size_t n = 1;
    if (t->kind == CTYPE_ENTITY)
        n = t->n;
    if (t->kind == CTYPE_SET && t->elem)
        n += ctype_size(t->elem, max);
    for (uint32_t i = 0; t->kind == CTYPE_RECORD && i < t->n && n < max; i++)
        n += ctype_size(t->attrs[i].type, max - n);
    return n < max ? n : max;
}

/* ---- subtyping ---- */

static bool attr_is_subtype(const struct ctype_attr *x, const struct ctype_attr *y,
                            enum ctype_mode mode)
{
    bool marks = mode == CTYPE_STRICT ? x->required == y->required : x->required || !y->required;
    return marks && ctype_is_subtype(x->type, y->type, mode);
}

/* Every attribute of y is in x with a subtype; both are in the order of their names. */
static bool attrs_are_subtypes(const struct ctype *x, const struct ctype *y, enum ctype_mode mode)
{
    for (uint32_t i = 0, j = 0; i < y->n; i++, j++) {
        while (j < x->n && str_cmp(x->attrs[j].name, y->attrs[i].name) < 0)
            j++;
        if (j == x->n || !str_eq(x->attrs[j].name, y->attrs[i].name) ||
            !attr_is_subtype(&x->attrs[j], &y->attrs[i], mode))
            return false;
    }
    return true;
}

static bool record_is_subtype(const struct ctype *x, const struct ctype *y, enum ctype_mode mode)
{
    if (x->open && !y->open)
        return false;
    bool width = y->open && mode == CTYPE_PERMISSIVE;
    return (width || x->n == y->n) && attrs_are_subtypes(x, y, mode);
}

static bool entity_is_subtype(const struct ctype *x, const struct ctype *y, enum ctype_mode mode)
{
    if (mode == CTYPE_STRICT)
        return same_union(x, y);
    for (uint32_t i = 0; i < x->n; i++)
        if (!ctype_has_etype(y, x->etypes[i]))
            return false;
    return true;
}

bool ctype_is_subtype(const struct ctype *x, const struct ctype *y, enum ctype_mode mode)
{
    if (x == y || x->kind == CTYPE_NEVER)
        return true;
    if (x->kind != y->kind) {
        if (y->kind == CTYPE_BOOL)
            return x->kind == CTYPE_TRUE || x->kind == CTYPE_FALSE;
        return y->kind == CTYPE_ANY_ENTITY && x->kind == CTYPE_ENTITY && mode == CTYPE_PERMISSIVE;
    }
    switch (x->kind) {
    case CTYPE_SET:
        return !y->elem || (x->elem && ctype_is_subtype(x->elem, y->elem, mode));
    case CTYPE_RECORD:
        return record_is_subtype(x, y, mode);
    case CTYPE_ENTITY:
        return entity_is_subtype(x, y, mode);
    case CTYPE_EXT:
        return x->ext == y->ext;
    default:
        return true;
    }
}

bool ctype_is_disjoint(const struct ctype *x, const struct ctype *y)
{
    if (x->kind != CTYPE_ENTITY || y->kind != CTYPE_ENTITY)
        return false;
    for (uint32_t i = 0; i < x->n; i++)
        if (ctype_has_etype(y, x->etypes[i]))
            return false;
    return true;
}

/* ---- least upper bounds ---- */

static const struct ctype *no_lub(enum ctype_clash *why, enum ctype_clash reason)
{
    *why = reason;
    return NULL;
}

/* One attribute of both records. False when they clash. */
static bool attr_lub(struct arena *a, const struct ctype_attr *x, const struct ctype_attr *y,
                     enum ctype_mode mode, struct ctype_attr *out, enum ctype_clash *why)
{
    const struct ctype *t = ctype_lub(a, x->type, y->type, mode, why);
    if (!t)
        return false;
    if (mode == CTYPE_STRICT && x->required != y->required) {
        *why = CLASH_REQUIRED;
        return false;
    }
    *out = (struct ctype_attr){x->name, t, x->required && y->required};
    return true;
}

static bool same_names(const struct ctype *x, const struct ctype *y)
{
    if (x->n != y->n)
        return false;
    for (uint32_t i = 0; i < x->n; i++)
        if (!str_eq(x->attrs[i].name, y->attrs[i].name))
            return false;
    return true;
}

/* Strict: same names or nothing. Permissive: what both have and agree on; dropping any opens it. */
static const struct ctype *record_lub(struct arena *a, const struct ctype *x, const struct ctype *y,
                                      enum ctype_mode mode, enum ctype_clash *why)
{
    if (mode == CTYPE_STRICT && !same_names(x, y))
        return no_lub(why, CLASH_WIDTH);
    struct ctype_attr *attrs = ARENA_ARRAY(a, struct ctype_attr, x->n);
    size_t n = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        const struct ctype_attr *ya = ctype_attr(y, x->attrs[i].name);
        if (ya && attr_lub(a, &x->attrs[i], ya, mode, &attrs[n], why))
            n++;
        else if (mode == CTYPE_STRICT)
            return NULL;
    }
    bool open = x->open || y->open || n != x->n || n != y->n;
    *why = CLASH_NONE;
    return ctype_record(a, attrs, n, open);
}

static const struct ctype *entity_lub(struct arena *a, const struct ctype *x, const struct ctype *y,
                                      enum ctype_mode mode, enum ctype_clash *why)
{
    if (mode == CTYPE_STRICT)
        return no_lub(why, CLASH_ENTITY);
    uint32_t *all = ARENA_ARRAY(a, uint32_t, (size_t)x->n + y->n);
    uint32_t n = 0, i = 0, j = 0;
    while (i < x->n || j < y->n) {
        bool from_x = j == y->n || (i < x->n && x->etypes[i] <= y->etypes[j]);
        uint32_t e = from_x ? x->etypes[i++] : y->etypes[j++];
        if (n == 0 || all[n - 1] != e)
            all[n++] = e;
    }
    struct ctype *t = ARENA_NEW(a, struct ctype);
    t->kind = CTYPE_ENTITY;
    t->n = n;
    t->etypes = all;
    return t;
}

static bool is_entity(const struct ctype *t)
{
    return t->kind == CTYPE_ENTITY || t->kind == CTYPE_ANY_ENTITY;
}

const struct ctype *ctype_lub(struct arena *a, const struct ctype *x, const struct ctype *y,
                              enum ctype_mode mode, enum ctype_clash *why)
{
    *why = CLASH_NONE;
    if (ctype_is_subtype(x, y, mode))
        return y;
    if (ctype_is_subtype(y, x, mode))
        return x;
    if (ctype_is_boolean(x) && ctype_is_boolean(y))
        return &ctype_bool;
    if (x->kind == CTYPE_SET && y->kind == CTYPE_SET) {
        const struct ctype *elem = ctype_lub(a, x->elem, y->elem, mode, why);
        return elem ? ctype_set(a, elem) : NULL;
    }
    if (x->kind == CTYPE_RECORD && y->kind == CTYPE_RECORD)
        return record_lub(a, x, y, mode, why);
    if (x->kind == CTYPE_ENTITY && y->kind == CTYPE_ENTITY)
        return entity_lub(a, x, y, mode, why);
    if (is_entity(x) && is_entity(y))
        return no_lub(why, CLASH_ENTITY);
    if ((is_entity(x) && y->kind == CTYPE_RECORD) || (x->kind == CTYPE_RECORD && is_entity(y)))
        return no_lub(why, CLASH_ENTITY_RECORD);
    return no_lub(why, CLASH_KIND);
}

/* ---- printing ---- */

enum { PRINT_DEPTH_MAX = 4, PRINT_ATTRS_MAX = 8, PRINT_UNION_MAX = 8 };

str ctype_ext_name(enum ctype_ext e)
{
    static const char *const names[CTYPE_EXT_COUNT] = {"decimal", "ipaddr", "datetime", "duration"};
    return str_z(names[e]);
}

static const char *simple_name(enum ctype_kind k)
{
    static const char *const names[] = {[CTYPE_NONE] = "nothing",
                                        [CTYPE_NEVER] = "nothing",
                                        [CTYPE_TRUE] = "Bool (always true)",
                                        [CTYPE_LONG] = "Long",
                                        [CTYPE_FALSE] = "Bool (always false)",
                                        [CTYPE_BOOL] = "Bool",
                                        [CTYPE_STRING] = "String",
                                        [CTYPE_ANY_ENTITY] = "an entity"};
    return names[k];
}

static void print_at(struct buf *out, const struct schema *s, const struct ctype *t,
                     unsigned depth);

static void print_record(struct buf *out, const struct schema *s, const struct ctype *t,
                         unsigned depth)
{
    if (t->open && t->n == 0) {
        buf_put(out, S("a record"));
        return;
    }
    buf_putc(out, '{');
    for (uint32_t i = 0; i < t->n && i < PRINT_ATTRS_MAX; i++) {
        buf_printf(out, "%s%.*s%s: ", i ? ", " : "", STR(t->attrs[i].name),
                   t->attrs[i].required ? "" : "?");
        print_at(out, s, t->attrs[i].type, depth);
    }
    buf_put(out, t->n > PRINT_ATTRS_MAX || t->open ? S(", ...}") : S("}"));
}

static void print_union(struct buf *out, const struct schema *s, const struct ctype *t)
{
    for (uint32_t i = 0; i < t->n && i < PRINT_UNION_MAX; i++) {
        if (i)
            buf_put(out, S(" or "));
        buf_put(out, schema_etype_name(s, t->etypes[i]));
    }
    if (t->n > PRINT_UNION_MAX)
        buf_put(out, S(" or ..."));
}

static void print_at(struct buf *out, const struct schema *s, const struct ctype *t, unsigned depth)
{
    if (depth == 0) {
        buf_put(out, S("..."));
    } else if (t->kind == CTYPE_SET && !t->elem) {
        buf_put(out, S("a set"));
    } else if (t->kind == CTYPE_SET) {
        buf_put(out, S("Set<"));
        print_at(out, s, t->elem, depth - 1);
        buf_putc(out, '>');
    } else if (t->kind == CTYPE_RECORD) {
        print_record(out, s, t, depth - 1);
    } else if (t->kind == CTYPE_ENTITY) {
        print_union(out, s, t);
    } else if (t->kind == CTYPE_EXT) {
        buf_put(out, ctype_ext_name(t->ext));
    } else {
        buf_put(out, str_z(simple_name(t->kind)));
    }
}

void ctype_print(struct buf *out, const struct schema *s, const struct ctype *t)
{
    print_at(out, s, t, PRINT_DEPTH_MAX);
}
