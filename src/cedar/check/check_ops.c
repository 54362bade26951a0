/* Operators and literals made of parts. */
#include "cedar/check/check.h"

/* ---- == and != ---- */

/* && and || of nothing but literals are literals themselves in SDK 4.12. */
static bool is_fixed_bool(const struct cedar_expr *e, bool *out)
{
    if (e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_BOOL) {
        *out = e->value.b;
        return true;
    }
    bool is_and = e->kind == CEDAR_E_AND, one;
    if (!is_and && e->kind != CEDAR_E_OR)
        return false;
    *out = is_and;
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (!is_fixed_bool(e->kids[i], &one))
            return false;
        *out = is_and ? *out && one : *out || one;
    }
    return true;
}

static const struct cedar_value *literal_of(const struct checker *c, const struct cedar_expr *e,
                                            struct cedar_value *room)
{
    if (e->kind == CEDAR_E_LITERAL)
        return &e->value;
    bool fixed;
    if (is_fixed_bool(e, &fixed)) {
        *room = cedar_bool(fixed);
        return room;
    }
    const struct cedar_uid *uid = check_fixed_uid(c, e);
    if (!uid)
        return NULL;
    *room = cedar_entity_value(uid);
    return room;
}

/* Certain when no value has both types, or when both sides are literals. */
static const struct ctype *type_of_equality(const struct checker *c, const struct cedar_expr *e,
                                            struct answer x, struct answer y)
{
    struct cedar_value x_room, y_room;
    if (x.type && y.type && ctype_is_disjoint(x.type, y.type))
        return &ctype_false;
    const struct cedar_value *xv = literal_of(c, e->kids[0], &x_room);
    const struct cedar_value *yv = literal_of(c, e->kids[1], &y_room);
    return xv && yv ? ctype_of_bool(cedar_value_eq(xv, yv)) : &ctype_bool;
}

struct answer check_eq(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    struct answer x = check(c, prior, e->kids[0]);
    struct answer y = check(c, prior, e->kids[1]);
    struct answer result = answer_ok(type_of_equality(c, e, x, y));
    return answer_after(check_comparable(c, e, result, x.type, y.type), x.ok && y.ok);
}

struct answer check_ne(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    return answer_not(check_eq(c, prior, e));
}

/* ---- < <= > >= : Long, datetime or duration, the same on both sides ---- */

static bool is_ordered(const struct ctype *t)
{
    return t->kind == CTYPE_LONG ||
           (t->kind == CTYPE_EXT && (t->ext == CTYPE_DATETIME || t->ext == CTYPE_DURATION));
}

static void report_operand(struct checker *c, const struct cedar_expr *e, const struct ctype *got,
                           const struct ctype *want)
{
    str g = check_type_text(c, got);
    str w = want ? check_type_text(c, want) : S("Long, datetime or duration");
    struct cedar_diag *one = check_report(c, FIND_UNEXPECTED_TYPE, e->span,
                                          "expected %.*s here, and this is %.*s", STR(w), STR(g));
    if (got->kind == CTYPE_EXT && got->ext == CTYPE_DECIMAL)
        check_help(c, one, "compare decimals with .lessThan(..) and its kin");
}

static bool are_ordered(struct checker *c, const struct cedar_expr *e, const struct ctype *x,
                        const struct ctype *y)
{
    if (x->kind == CTYPE_NEVER || y->kind == CTYPE_NEVER) {
        bool x_never = x->kind == CTYPE_NEVER;
        const struct ctype *other = x_never ? y : x;
        if (other->kind != CTYPE_NEVER && !is_ordered(other))
            report_operand(c, e->kids[x_never], other, NULL);
        return is_ordered(other);
    }
    if (is_ordered(x) && ctype_equal(x, y))
        return true;
    if (is_ordered(x) && y->kind != CTYPE_LONG)
        report_operand(c, e->kids[1], y, x);
    else if (is_ordered(y))
        report_operand(c, e->kids[0], x, y);
    else
        report_operand(c, e->kids[0], x, NULL), report_operand(c, e->kids[1], y, NULL);
    return false;
}

struct answer check_less(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    struct answer x = check(c, prior, e->kids[0]);
    struct answer y = check(c, prior, e->kids[1]);
    bool typed = x.type && y.type && are_ordered(c, e, x.type, y.type);
    return answer_after(answer_ok(&ctype_bool), typed && x.ok && y.ok);
}

/* ---- arithmetic ---- */

struct answer check_arithmetic(struct checker *c, const struct caps *prior,
                               const struct cedar_expr *e)
{
    bool ok = true;
    for (uint32_t i = 0; i < e->kid_count; i++)
        ok = check_as(c, prior, e->kids[i], &expect_long).ok && ok;
    return answer_after(answer_ok(&ctype_long), ok);
}

/* ---- in ---- */

/* Every entity that e names for certain is an action in *uids, or e is not of that form. */
static bool is_fixed_set(const struct checker *c, const struct cedar_expr *e)
{
    if (e->kind != CEDAR_E_SET)
        return check_fixed_uid(c, e);
    for (uint32_t i = 0; i < e->kid_count; i++)
        if (!check_fixed_uid(c, e->kids[i]))
            return false;
    return true;
}

static bool action_is_in(const struct checker *c, const struct schema_action *x,
                         const struct cedar_expr *e)
{
    size_t n = e->kind == CEDAR_E_SET ? e->kid_count : 1;
    for (size_t i = 0; i < n; i++) {
        const struct cedar_expr *one = e->kind == CEDAR_E_SET ? e->kids[i] : e;
        const struct schema_action *y = schema_action(c->s, check_fixed_uid(c, one));
        if (y && schema_action_is_in(x, y))
            return true;
    }
    return false;
}

static bool any_can_be_in(struct checker *c, const struct ctype *x, const struct ctype *y)
{
    for (uint32_t i = 0; i < x->n; i++, c->steps += y->n)
        for (uint32_t j = 0; j < y->n; j++)
            if (schema_etype_can_be_in(c->s, x->etypes[i], y->etypes[j]))
                return true;
    return false;
}

static struct answer in_of(struct checker *c, const struct caps *prior,
                           const struct cedar_expr *left, const struct cedar_expr *right)
{
    struct answer x = check_as(c, prior, left, &expect_entity);
    struct answer y = check_as(c, prior, right, &expect_entity_or_set);
    if (!x.ok || !y.ok)
        return answer_fail(&ctype_bool);
    const struct cedar_uid *uid = check_fixed_uid(c, left);
    const struct schema_action *action = uid ? schema_action(c->s, uid) : NULL;
    if (action && is_fixed_set(c, right)) /* the action hierarchy is all in the schema */
        return answer_ok(ctype_of_bool(action_is_in(c, action, right)));
    const struct ctype *of = y.type->kind == CTYPE_SET ? y.type->elem : y.type;
    bool known = x.type->kind == CTYPE_ENTITY && of && of->kind == CTYPE_ENTITY;
    return answer_ok(known && !any_can_be_in(c, x.type, of) ? &ctype_false : &ctype_bool);
}

struct answer check_in(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    return in_of(c, prior, e->kids[0], e->kids[1]);
}

/* ---- is, like ---- */

static struct answer type_test(struct checker *c, const struct caps *prior,
                               const struct cedar_expr *e)
{
    struct answer x = check_as(c, prior, e->kids[0], &expect_entity);
    x.caps = NULL;
    if (!x.type || x.type->kind == CTYPE_NEVER)
        return answer_fail(&ctype_bool);
    const struct schema_etype *t = schema_etype(c->s, e->name);
    if (x.type->kind == CTYPE_ANY_ENTITY)
        x.type = &ctype_bool;
    else if (!t || !ctype_has_etype(x.type, t->index))
        x.type = &ctype_false;
    else
        x.type = x.type->n == 1 ? &ctype_true : &ctype_bool;
    return x;
}

struct answer check_is(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    struct answer test = type_test(c, prior, e);
    if (e->kid_count == 1 || answer_is_false(test))
        return test;
    return answer_and(c, test, in_of(c, prior, e->kids[0], e->kids[1]));
}

struct answer check_like(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    return answer_after(answer_ok(&ctype_bool), check_as(c, prior, e->kids[0], &expect_string).ok);
}

/* ---- sets and records ---- */

struct answer check_contains(struct checker *c, const struct caps *prior,
                             const struct cedar_expr *e)
{
    struct answer set = check_as(c, prior, e->kids[0], &expect_set);
    struct answer one = check(c, prior, e->kids[1]);
    const struct ctype *elem = set.type && set.type->kind == CTYPE_SET ? set.type->elem : NULL;
    struct answer result = check_comparable(c, e, answer_ok(&ctype_bool), elem, one.type);
    return answer_after(result, set.ok && one.ok);
}

struct answer check_contains_many(struct checker *c, const struct caps *prior,
                                  const struct cedar_expr *e)
{
    struct answer x = check_as(c, prior, e->kids[0], &expect_set);
    struct answer y = check_as(c, prior, e->kids[1], &expect_set);
    struct answer result = check_comparable(c, e, answer_ok(&ctype_bool), x.type, y.type);
    return answer_after(result, x.ok && y.ok);
}

struct answer check_is_empty(struct checker *c, const struct caps *prior,
                             const struct cedar_expr *e)
{
    return answer_after(answer_ok(&ctype_bool), check_as(c, prior, e->kids[0], &expect_set).ok);
}

static struct answer *check_kids(struct checker *c, const struct caps *prior,
                                 const struct cedar_expr *e, bool *ok)
{
    struct answer *parts = ARENA_ARRAY(&c->scratch, struct answer, e->kid_count);
    *ok = true;
    for (uint32_t i = 0; i < e->kid_count; i++) {
        parts[i] = check(c, prior, e->kids[i]);
        *ok = *ok && parts[i].ok;
    }
    return parts;
}

struct answer check_set(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    bool ok;
    struct answer *parts = check_kids(c, prior, e, &ok);
    if (e->kid_count == 0 && c->mode == CTYPE_STRICT) {
        check_report(c, FIND_EMPTY_SET, e->span, "an empty set literal has no type");
        return answer_fail(NULL);
    }
    const struct ctype *elem = check_lub(c, e, parts, e->kid_count);
    if (!elem)
        return answer_fail(NULL);
    return answer_after(answer_ok(ctype_set(&c->scratch, elem)), ok);
}

struct answer check_record(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    bool ok;
    struct answer *parts = check_kids(c, prior, e, &ok);
    struct ctype_attr *attrs = ARENA_ARRAY(&c->scratch, struct ctype_attr, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (!parts[i].type)
            return answer_fail(NULL);
        attrs[i] = (struct ctype_attr){e->names[i], parts[i].type, true};
    }
    return answer_after(answer_ok(ctype_record(&c->scratch, attrs, e->kid_count, false)), ok);
}
