/* Expressions, from the leaves up: what is known becomes a value, what fails an error, the rest
 * stays. A part is dropped only where its value does not matter and it cannot fail; whether it can
 * is told by its operator, and by what the type checker knew at that place. */
#include "cedar/partial/residue.h"

/* ---- making ---- */

struct cedar_expr *residue_node(struct evaluation *v, enum cedar_expr_kind kind,
                                struct cedar_expr **kids, size_t n, const struct cedar_expr *like,
                                struct cedar_span span)
{
    struct cedar_expr *e = ARENA_NEW(v->arena, struct cedar_expr);
    if (like)
        *e = *like;
    e->kind = kind;
    e->span = span;
    e->kids = kids;
    e->kid_count = (uint32_t)n;
    e->depth = 1;
    for (size_t i = 0; i < n; i++)
        if (kids[i]->depth >= e->depth)
            e->depth = kids[i]->depth + 1;
    v->nodes++;
    return e;
}

struct residue residue_literal(struct evaluation *v, struct cedar_value value,
                               struct cedar_span span)
{
    struct cedar_expr *e = residue_node(v, CEDAR_E_LITERAL, NULL, 0, NULL, span);
    e->value = value;
    return (struct residue){e, false};
}

struct residue residue_bool(struct evaluation *v, bool b, struct cedar_span span)
{
    return residue_literal(v, cedar_bool(b), span);
}

static struct residue failure(struct evaluation *v, struct cedar_span span)
{
    return (struct residue){residue_node(v, CEDAR_E_ERROR, NULL, 0, NULL, span), true};
}

/* e with other kids; e itself where they are the same. */
static const struct cedar_expr *rebuilt(struct evaluation *v, const struct cedar_expr *e,
                                        const struct residue *kids)
{
    bool same = true;
    for (uint32_t i = 0; i < e->kid_count; i++)
        same = same && kids[i].e == e->kids[i];
    if (same)
        return e;
    struct cedar_expr **own = ARENA_ARRAY(v->arena, struct cedar_expr *, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++)
        own[i] = (struct cedar_expr *)kids[i].e; /* never written through */
    return residue_node(v, e->kind, own, e->kid_count, e, e->span);
}

/* Operands are all values: what the evaluator makes of it. */
static struct residue computed(struct evaluation *v, const struct cedar_expr *e)
{
    static const struct cedar_request nobody;
    struct cedar_value value;
    struct err ignored;
    if (!cedar_expr_eval(e, &nobody, &v->nothing, v->arena, &value, &ignored))
        return failure(v, e->span);
    return residue_literal(v, value, e->span);
}

/* ---- operators that evaluate all operands ---- */

/* What may fail although its operands are fine and of the right types. */
static bool operator_may_fail(const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_CALL)
        return e->fn == CEDAR_FN_OFFSET || e->fn == CEDAR_FN_DURATION_SINCE ||
               e->fn == CEDAR_FN_TO_DATE;
    return e->kind == CEDAR_E_NEG;
}

struct operands {
    struct residue *kids;
    bool known, failed, may_fail; /* all known; one is an error; one may be */
};

static struct operands operands_of(struct evaluation *v, const struct cedar_expr *e)
{
    struct operands o = {ARENA_ARRAY(v->arena, struct residue, e->kid_count), true, false, false};
    for (uint32_t i = 0; i < e->kid_count; i++) {
        o.kids[i] = residue_of(v, e->kids[i]);
        o.known = o.known && residue_is_known(o.kids[i]);
        o.failed = o.failed || residue_is_error(o.kids[i]);
        o.may_fail = o.may_fail || o.kids[i].may_fail;
    }
    return o;
}

static struct residue strict(struct evaluation *v, const struct cedar_expr *e)
{
    struct operands o = operands_of(v, e);
    if (o.failed)
        return failure(v, e->span);
    const struct cedar_expr *made = rebuilt(v, e, o.kids);
    if (o.known)
        return computed(v, made);
    return (struct residue){made, o.may_fail || operator_may_fail(e)};
}

/* a + b + c is (a + b) + c: as much of it as is known from the left. What stays may overflow. */
static struct residue folded_left(struct evaluation *v, const struct cedar_expr *e)
{
    struct operands o = operands_of(v, e);
    if (o.failed)
        return failure(v, e->span);
    uint32_t known = 0;
    while (known < e->kid_count && residue_is_known(o.kids[known]))
        known++;
    if (known < 2)
        return (struct residue){rebuilt(v, e, o.kids), true};
    struct cedar_expr **kids = ARENA_ARRAY(v->arena, struct cedar_expr *, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++)
        kids[i] = (struct cedar_expr *)o.kids[i].e;
    struct residue r = computed(v, residue_node(v, e->kind, kids, known, e, e->span));
    if (known == e->kid_count || residue_is_error(r))
        return r;
    uint32_t from = known - 1;
    kids[from] = (struct cedar_expr *)r.e;
    struct cedar_expr *made =
        residue_node(v, e->kind, kids + from, e->kid_count - from, e, e->span);
    if (e->kind == CEDAR_E_SUM) {
        bool *minus = arena_dup(v->arena, e->minus + from, e->kid_count - from);
        minus[0] = false;
        made->minus = minus;
    }
    return (struct residue){made, true};
}

/* ---- leaves ---- */

static struct residue literal(struct evaluation *v, const struct cedar_expr *e)
{
    return (struct residue){e, false};
}

static struct residue variable(struct evaluation *v, const struct cedar_expr *e)
{
    return (struct residue){v->vars[e->var] ? v->vars[e->var] : e, false};
}

static struct residue error(struct evaluation *v, const struct cedar_expr *e)
{
    return (struct residue){e, true};
}

/* ---- booleans ---- */

static unsigned kind_of(const struct evaluation *v, const struct cedar_expr *e)
{
    const struct typing_fact *fact = typing_of(v->typing, e);
    return fact ? fact->kind : CTYPE_NONE;
}

static struct residue chain(struct evaluation *v, const struct cedar_expr *e)
{
    struct chain c = {.v = v, .kind = e->kind, .span = e->span};
    for (uint32_t i = 0; i < e->kid_count && !c.ended; i++)
        chain_add(&c, residue_of(v, e->kids[i]), kind_of(v, e->kids[i]));
    return chain_end(&c);
}

struct residue residue_not(struct evaluation *v, struct residue x)
{
    if (residue_is_error(x))
        return x;
    if (residue_is_known(x))
        return residue_bool(v, !x.e->value.b, x.e->span);
    if (x.e->kind == CEDAR_E_NOT)
        return (struct residue){x.e->kids[0], x.may_fail};
    struct cedar_expr **kid = ARENA_NEW(v->arena, struct cedar_expr *);
    *kid = (struct cedar_expr *)x.e;
    return (struct residue){residue_node(v, CEDAR_E_NOT, kid, 1, NULL, x.e->span), x.may_fail};
}

static struct residue not(struct evaluation * v, const struct cedar_expr *e)
{
    return residue_not(v, residue_of(v, e->kids[0]));
}

static bool is_bool(struct residue x, bool b)
{
    return residue_is_known(x) && x.e->value.kind == CEDAR_BOOL && x.e->value.b == b;
}

static struct residue two(struct evaluation *v, enum cedar_expr_kind kind, struct residue x,
                          struct residue y, struct cedar_span span)
{
    struct chain c = {.v = v, .kind = kind, .span = span};
    chain_add(&c, x, CTYPE_BOOL);
    chain_add(&c, y, CTYPE_BOOL);
    return chain_end(&c);
}

static bool same_values(struct residue x, struct residue y)
{
    return residue_is_known(x) && residue_is_known(y) && cedar_value_eq(&x.e->value, &y.e->value);
}

/* The test is open. A branch that the checker did not look at is never reached: the test is certain
 * unless it fails. */
static struct residue branches(struct evaluation *v, const struct cedar_expr *e,
                               struct residue test)
{
    const struct typing_fact *then = typing_of(v->typing, e->kids[1]);
    const struct typing_fact *other = typing_of(v->typing, e->kids[2]);
    const struct typing_fact *live = then ? then : other;
    bool boolean =
        live && (live->kind == CTYPE_BOOL || live->kind == CTYPE_TRUE || live->kind == CTYPE_FALSE);
    struct residue x = then ? residue_of(v, e->kids[1]) : failure(v, e->span);
    struct residue y = other ? residue_of(v, e->kids[2]) : failure(v, e->span);
    if (boolean && !other)
        return two(v, CEDAR_E_AND, test, x, e->span);
    if (boolean && !then)
        return two(v, CEDAR_E_OR, test, y, e->span);
    if (residue_is_error(x) && residue_is_error(y))
        return x;
    if (same_values(x, y) && !test.may_fail)
        return x;
    if (is_bool(x, true) && is_bool(y, false))
        return test;
    if (is_bool(x, false) && is_bool(y, true))
        return residue_not(v, test);
    struct residue kids[3] = {test, x, y};
    bool may_fail = test.may_fail || (then && x.may_fail) || (other && y.may_fail);
    return (struct residue){rebuilt(v, e, kids), may_fail};
}

static struct residue choice(struct evaluation *v, const struct cedar_expr *e)
{
    struct residue test = residue_of(v, e->kids[0]);
    if (residue_is_error(test))
        return test;
    if (residue_is_known(test))
        return residue_of(v, e->kids[test.e->value.b ? 1 : 2]);
    return branches(v, e, test);
}

/* ---- attributes and tags ---- */

/* The attribute of a value: found, or not there (NULL and known), or unknown. */
static const struct cedar_value *attribute(const struct evaluation *v, const struct cedar_value *of,
                                           str name, bool *known)
{
    const struct cedar_value *attrs = of;
    if (of->kind == CEDAR_ENTITY)
        attrs = known_attrs(v->entities, of->uid);
    *known = attrs != NULL;
    return attrs ? cedar_record_get(attrs, name) : NULL;
}

/* Whether it exists for certain, and an entity of its type must have that attribute. */
static bool is_required(const struct evaluation *v, const struct cedar_uid *uid, str name)
{
    const struct schema_etype *t = schema_etype(v->schema, uid->type);
    const struct ctype_attr *attr = t ? ctype_attr(t->shape, name) : NULL;
    return attr && attr->required && known_exists(v->entities, uid);
}

static struct residue has(struct evaluation *v, const struct cedar_expr *e)
{
    struct residue kid = residue_of(v, e->kids[0]);
    if (residue_is_error(kid))
        return kid;
    if (!residue_is_known(kid))
        return (struct residue){rebuilt(v, e, &kid), kid.may_fail};
    struct cedar_value at = kid.e->value;
    for (uint32_t i = 0; i < e->name_count; i++) {
        bool known;
        const struct cedar_value *found = attribute(v, &at, e->names[i], &known);
        if (!known && i + 1 == e->name_count && is_required(v, at.uid, e->names[i]))
            return residue_bool(v, true, e->span);
        if (!known) {
            struct residue from = i == 0 ? kid : residue_literal(v, at, e->span);
            struct cedar_expr *rest = (struct cedar_expr *)rebuilt(v, e, &from);
            if (i > 0) {
                rest->names = e->names + i;
                rest->name_count = e->name_count - i;
            }
            return (struct residue){rest, false};
        }
        if (!found)
            return residue_bool(v, false, e->span);
        at = *found;
    }
    return residue_bool(v, true, e->span);
}

/* {a: x, b: y}.a is x if y cannot fail. */
static const struct cedar_expr *field_of(struct residue record, str name)
{
    for (uint32_t i = 0; record.e->kind == CEDAR_E_RECORD && i < record.e->kid_count; i++)
        if (!record.may_fail && str_eq(record.e->names[i], name))
            return record.e->kids[i];
    return NULL;
}

static struct residue attr(struct evaluation *v, const struct cedar_expr *e)
{
    const struct typing_fact *fact = typing_of(v->typing, e);
    struct residue kid = residue_of(v, e->kids[0]);
    bool safe = fact && fact->guarded, known;
    if (residue_is_error(kid))
        return kid;
    if (!residue_is_known(kid)) {
        const struct cedar_expr *field = field_of(kid, e->name);
        if (field)
            return (struct residue){field, false};
        return (struct residue){rebuilt(v, e, &kid), kid.may_fail || !safe};
    }
    const struct cedar_value *of = &kid.e->value;
    const struct cedar_value *found = attribute(v, of, e->name, &known);
    if (found)
        return residue_literal(v, *found, e->span);
    if (known)
        return failure(v, e->span);
    safe = safe || is_required(v, of->uid, e->name);
    return (struct residue){rebuilt(v, e, &kid), !safe};
}

/* Strictly valid policies read a tag behind a test for it only, so reading cannot fail. */
static struct residue tag(struct evaluation *v, const struct cedar_expr *e)
{
    struct operands o = operands_of(v, e);
    if (o.failed)
        return failure(v, e->span);
    const struct cedar_value *tags =
        residue_is_known(o.kids[0]) ? known_tags(v->entities, o.kids[0].e->value.uid) : NULL;
    if (!o.known || !tags)
        return (struct residue){rebuilt(v, e, o.kids), o.may_fail};
    const struct cedar_value *found = cedar_record_get(tags, cedar_str(o.kids[1].e->value));
    if (e->kind == CEDAR_E_HAS_TAG)
        return residue_bool(v, found, e->span);
    return found ? residue_literal(v, *found, e->span) : failure(v, e->span);
}

/* ---- in, is ---- */

static enum tri in_any(const struct evaluation *v, const struct cedar_uid *x,
                       const struct cedar_value *set)
{
    bool open = false;
    for (uint32_t i = 0; i < set->n; i++) {
        enum tri one = known_in(v->entities, x, set->items[i].uid);
        if (one == TRI_YES)
            return TRI_YES;
        open = open || one == TRI_UNKNOWN;
    }
    return open ? TRI_UNKNOWN : TRI_NO;
}

static struct residue in_node(struct evaluation *v, struct residue x, struct residue y,
                              struct cedar_span span)
{
    struct cedar_expr **kids = ARENA_ARRAY(v->arena, struct cedar_expr *, 2);
    kids[0] = (struct cedar_expr *)x.e;
    kids[1] = (struct cedar_expr *)y.e;
    return (struct residue){residue_node(v, CEDAR_E_IN, kids, 2, NULL, span),
                            x.may_fail || y.may_fail};
}

struct residue residue_in(struct evaluation *v, struct residue x, struct residue y,
                          struct cedar_span span)
{
    if (residue_is_error(x) || residue_is_error(y))
        return failure(v, span);
    if (residue_is_known(y) && y.e->value.kind == CEDAR_SET && y.e->value.n == 0 && !x.may_fail)
        return residue_bool(v, false, span);
    if (!residue_is_known(x) || !residue_is_known(y))
        return in_node(v, x, y, span);
    const struct cedar_uid *uid = x.e->value.uid;
    enum tri in = y.e->value.kind == CEDAR_SET ? in_any(v, uid, &y.e->value)
                                               : known_in(v->entities, uid, y.e->value.uid);
    return in == TRI_UNKNOWN ? in_node(v, x, y, span) : residue_bool(v, in == TRI_YES, span);
}

static struct residue in(struct evaluation *v, const struct cedar_expr *e)
{
    struct operands o = operands_of(v, e);
    return residue_in(v, o.kids[0], o.kids[1], e->span);
}

/* In strict mode an entity's type is known: the checker looked at the right side of `is T in e`
 * only if it is T. */
static struct residue is(struct evaluation *v, const struct cedar_expr *e)
{
    struct residue x = residue_of(v, e->kids[0]);
    if (residue_is_error(x))
        return x;
    if (residue_is_known(x) && !str_eq(x.e->value.uid->type, e->name))
        return residue_bool(v, false, e->span);
    if (e->kid_count == 2 && typing_of(v->typing, e->kids[1]))
        return residue_in(v, x, residue_of(v, e->kids[1]), e->span);
    if (residue_is_known(x))
        return residue_bool(v, e->kid_count == 1, e->span);
    if (e->kid_count == 2 && !x.may_fail)
        return residue_bool(v, false, e->span);
    struct residue kids[2] = {x, {e->kid_count == 2 ? e->kids[1] : NULL, false}};
    return (struct residue){rebuilt(v, e, kids), x.may_fail};
}

/* ---- the walk ---- */

typedef struct residue residue_fn(struct evaluation *v, const struct cedar_expr *e);

static residue_fn *const handlers[] = {
    [CEDAR_E_LITERAL] = literal,
    [CEDAR_E_VAR] = variable,
    [CEDAR_E_IF] = choice,
    [CEDAR_E_AND] = chain,
    [CEDAR_E_OR] = chain,
    [CEDAR_E_NOT] = not,
    [CEDAR_E_NEG] = strict,
    [CEDAR_E_EQ] = strict,
    [CEDAR_E_NE] = strict,
    [CEDAR_E_LT] = strict,
    [CEDAR_E_LE] = strict,
    [CEDAR_E_GT] = strict,
    [CEDAR_E_GE] = strict,
    [CEDAR_E_IN] = in,
    [CEDAR_E_SUM] = folded_left,
    [CEDAR_E_PRODUCT] = folded_left,
    [CEDAR_E_HAS] = has,
    [CEDAR_E_LIKE] = strict,
    [CEDAR_E_IS] = is,
    [CEDAR_E_ATTR] = attr,
    [CEDAR_E_CONTAINS] = strict,
    [CEDAR_E_CONTAINS_ALL] = strict,
    [CEDAR_E_CONTAINS_ANY] = strict,
    [CEDAR_E_IS_EMPTY] = strict,
    [CEDAR_E_HAS_TAG] = tag,
    [CEDAR_E_GET_TAG] = tag,
    [CEDAR_E_SET] = strict,
    [CEDAR_E_RECORD] = strict,
    [CEDAR_E_CALL] = strict,
    [CEDAR_E_ERROR] = error,
};

struct residue residue_of(struct evaluation *v, const struct cedar_expr *e)
{
    const struct typing_fact *fact = typing_of(v->typing, e);
    if (!fact || v->nodes > PARTIAL_NODES_MAX)
        return (struct residue){e, true};
    struct residue r = handlers[e->kind](v, e);
    bool certain = fact->kind == CTYPE_TRUE || fact->kind == CTYPE_FALSE;
    if (certain && !r.may_fail && !residue_is_known(r))
        return residue_bool(v, fact->kind == CTYPE_TRUE, e->span);
    return r;
}
