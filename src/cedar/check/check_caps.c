/* Facts about existence, and numbers for expressions so that a fact and its use can be matched.
 *
 * An expression's number stands for its form after sugar is taken away (a > b is !(a <= b), chains
 * are pairs), so equal meaning by form gives equal numbers. Forms are written as bytes and
 * interned; numbers of sub-expressions stand for them, which keeps each form short. */
#include "cedar/check/check.h"

#include <stdlib.h>

/* ---- sets of facts ---- */

static struct caps *new_caps(struct checker *c, size_t n)
{
    c->steps += n;
    return arena_alloc(&c->scratch, sizeof(struct caps) + n * sizeof(uint32_t));
}

const struct caps *caps_one(struct checker *c, uint32_t id)
{
    struct caps *x = new_caps(c, 1);
    x->count = 1;
    x->ids[0] = id;
    return x;
}

bool caps_has(const struct caps *x, uint32_t id)
{
    struct schema_set s = x ? (struct schema_set){x->ids, x->count} : (struct schema_set){0};
    return schema_set_has(s, id);
}

const struct caps *caps_union(struct checker *c, const struct caps *x, const struct caps *y)
{
    if (!x || x == y)
        return y;
    if (!y)
        return x;
    struct caps *all = new_caps(c, (size_t)x->count + y->count);
    uint32_t i = 0, j = 0;
    while (i < x->count || j < y->count) {
        bool from_x = j == y->count || (i < x->count && x->ids[i] <= y->ids[j]);
        uint32_t id = from_x ? x->ids[i++] : y->ids[j++];
        if (all->count == 0 || all->ids[all->count - 1] != id)
            all->ids[all->count++] = id;
    }
    return all;
}

const struct caps *caps_both(struct checker *c, const struct caps *x, const struct caps *y)
{
    if (!x || !y)
        return NULL;
    struct caps *both = new_caps(c, x->count);
    for (uint32_t i = 0; i < x->count; i++)
        if (caps_has(y, x->ids[i]))
            both->ids[both->count++] = x->ids[i];
    return both->count ? both : NULL;
}

/* ---- forms ---- */

/* Kinds of forms that are no kind of expression. */
enum { FORM_ATTR_CAP = 100, FORM_TAG_CAP, FORM_MINUS };

static void form_begin(struct buf *f, unsigned kind)
{
    *f = (struct buf){.max = CEDAR_TEXT_BYTES_MAX * 2u};
    buf_putc(f, (char)kind);
}

static void form_number(struct buf *f, uint32_t n)
{
    buf_put(f, str_of((const char *)&n, sizeof n));
}

static void form_text(struct buf *f, str s)
{
    form_number(f, (uint32_t)s.n);
    buf_put(f, s);
}

static uint32_t form_end(struct checker *c, struct buf *f)
{
    str key = buf_str(f);
    c->steps += key.n / 8;
    uintptr_t n = (uintptr_t)map_get(&c->shapes, key);
    if (n == 0) {
        n = ++c->next_number;
        (void)map_put(&c->shapes, key, (void *)n); /* NOLINT: a number, never followed */
    }
    buf_fini(f);
    return (uint32_t)n;
}

static uint32_t pair(struct checker *c, unsigned kind, uint32_t x, uint32_t y)
{
    struct buf f;
    form_begin(&f, kind);
    form_number(&f, x);
    form_number(&f, y);
    return form_end(c, &f);
}

static uint32_t single(struct checker *c, unsigned kind, uint32_t x, str text)
{
    struct buf f;
    form_begin(&f, kind);
    form_number(&f, x);
    form_text(&f, text);
    return form_end(c, &f);
}

uint32_t attr_number(struct checker *c, uint32_t receiver, str name)
{
    return single(c, CEDAR_E_ATTR, receiver, name);
}

uint32_t attr_cap(struct checker *c, uint32_t receiver, str name)
{
    return single(c, FORM_ATTR_CAP, receiver, name);
}

uint32_t tag_cap(struct checker *c, uint32_t receiver, uint32_t tag)
{
    return pair(c, FORM_TAG_CAP, receiver, tag);
}

/* ---- expressions ---- */

static uint32_t literal(struct checker *c, const struct cedar_expr *e)
{
    struct buf f;
    form_begin(&f, CEDAR_E_LITERAL);
    cedar_value_print(&f, &e->value);
    return form_end(c, &f);
}

static uint32_t var(struct checker *c, const struct cedar_expr *e)
{
    return pair(c, CEDAR_E_VAR, (uint32_t)e->var, 0);
}

static uint32_t chain(struct checker *c, const struct cedar_expr *e)
{
    uint32_t n = expr_number(c, e->kids[0]);
    for (uint32_t i = 1; i < e->kid_count; i++) {
        bool minus = e->kind == CEDAR_E_SUM && e->minus[i];
        n = pair(c, minus ? FORM_MINUS : e->kind, n, expr_number(c, e->kids[i]));
    }
    return n;
}

static uint32_t negated(struct checker *c, const struct cedar_expr *e)
{
    static const uint8_t positive[] = {
        [CEDAR_E_NE] = CEDAR_E_EQ, [CEDAR_E_GT] = CEDAR_E_LE, [CEDAR_E_GE] = CEDAR_E_LT};
    uint32_t x = expr_number(c, e->kids[0]), y = expr_number(c, e->kids[1]);
    struct buf f;
    form_begin(&f, CEDAR_E_NOT);
    form_number(&f, 0); /* as plain() does */
    form_number(&f, pair(c, positive[e->kind], x, y));
    return form_end(c, &f);
}

static uint32_t has(struct checker *c, const struct cedar_expr *e)
{
    uint32_t x = expr_number(c, e->kids[0]);
    uint32_t all = single(c, CEDAR_E_HAS, x, e->names[0]);
    for (uint32_t i = 1; i < e->name_count; i++) {
        x = attr_number(c, x, e->names[i - 1]);
        all = pair(c, CEDAR_E_AND, all, single(c, CEDAR_E_HAS, x, e->names[i]));
    }
    return all;
}

static uint32_t is(struct checker *c, const struct cedar_expr *e)
{
    uint32_t x = expr_number(c, e->kids[0]);
    uint32_t test = single(c, CEDAR_E_IS, x, e->name);
    if (e->kid_count == 1)
        return test;
    return pair(c, CEDAR_E_AND, test, pair(c, CEDAR_E_IN, x, expr_number(c, e->kids[1])));
}

static uint32_t attr(struct checker *c, const struct cedar_expr *e)
{
    return attr_number(c, expr_number(c, e->kids[0]), e->name);
}

static uint32_t like(struct checker *c, const struct cedar_expr *e)
{
    struct buf f;
    form_begin(&f, CEDAR_E_LIKE);
    form_number(&f, expr_number(c, e->kids[0]));
    for (size_t i = 0; i < e->pattern->count; i++)
        form_text(&f, e->pattern->pieces[i]);
    return form_end(c, &f);
}

struct named {
    str name;
    uint32_t number;
};

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct named *)x)->name, ((const struct named *)y)->name);
}

static uint32_t record(struct checker *c, const struct cedar_expr *e)
{
    struct named *all = ARENA_ARRAY(&c->scratch, struct named, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++)
        all[i] = (struct named){e->names[i], expr_number(c, e->kids[i])};
    if (e->kid_count > 1)
        qsort(all, e->kid_count, sizeof *all, by_name);
    struct buf f;
    form_begin(&f, CEDAR_E_RECORD);
    for (uint32_t i = 0; i < e->kid_count; i++) {
        form_text(&f, all[i].name);
        form_number(&f, all[i].number);
    }
    return form_end(c, &f);
}

/* Kinds that are their kids and nothing else (a call also has its function). */
static uint32_t plain(struct checker *c, const struct cedar_expr *e)
{
    uint32_t *kids = ARENA_ARRAY(&c->scratch, uint32_t, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++)
        kids[i] = expr_number(c, e->kids[i]);
    struct buf f;
    form_begin(&f, e->kind);
    form_number(&f, e->kind == CEDAR_E_CALL ? (uint32_t)e->fn : 0);
    for (uint32_t i = 0; i < e->kid_count; i++)
        form_number(&f, kids[i]);
    return form_end(c, &f);
}

uint32_t expr_number(struct checker *c, const struct cedar_expr *e)
{
    static uint32_t (*const number[])(struct checker *,
                                      const struct cedar_expr *) = {[CEDAR_E_LITERAL] = literal,
                                                                    [CEDAR_E_VAR] = var,
                                                                    [CEDAR_E_IF] = plain,
                                                                    [CEDAR_E_AND] = chain,
                                                                    [CEDAR_E_OR] = chain,
                                                                    [CEDAR_E_NOT] = plain,
                                                                    [CEDAR_E_NEG] = plain,
                                                                    [CEDAR_E_EQ] = chain,
                                                                    [CEDAR_E_NE] = negated,
                                                                    [CEDAR_E_LT] = chain,
                                                                    [CEDAR_E_LE] = chain,
                                                                    [CEDAR_E_GT] = negated,
                                                                    [CEDAR_E_GE] = negated,
                                                                    [CEDAR_E_IN] = chain,
                                                                    [CEDAR_E_SUM] = chain,
                                                                    [CEDAR_E_PRODUCT] = chain,
                                                                    [CEDAR_E_HAS] = has,
                                                                    [CEDAR_E_LIKE] = like,
                                                                    [CEDAR_E_IS] = is,
                                                                    [CEDAR_E_ATTR] = attr,
                                                                    [CEDAR_E_CONTAINS] = plain,
                                                                    [CEDAR_E_CONTAINS_ALL] = plain,
                                                                    [CEDAR_E_CONTAINS_ANY] = plain,
                                                                    [CEDAR_E_IS_EMPTY] = plain,
                                                                    [CEDAR_E_HAS_TAG] = plain,
                                                                    [CEDAR_E_GET_TAG] = plain,
                                                                    [CEDAR_E_SET] = plain,
                                                                    [CEDAR_E_RECORD] = record,
                                                                    [CEDAR_E_CALL] = plain,
                                                                    [CEDAR_E_ERROR] = plain};
    uintptr_t known = (uintptr_t)by_address_get(&c->numbers, e);
    if (known == 0) {
        known = number[e->kind](c, e);
        by_address_put(&c->kept, &c->numbers, e, (void *)known); /* NOLINT: never followed */
    }
    return (uint32_t)known;
}
