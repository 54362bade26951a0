#include "cedar/policy/ast_equal.h"

#include "cedar/policy/same.h"

/* ---- one form for what means the same ---- */

static struct cedar_expr *normal(struct arena *a, const struct cedar_expr *e);

static struct cedar_expr *one_has(struct arena *a, struct cedar_expr *on, str *name)
{
    struct cedar_expr *e = ARENA_NEW(a, struct cedar_expr);
    *e = (struct cedar_expr){.kind = CEDAR_E_HAS, .kid_count = 1, .name_count = 1};
    e->kids = arena_dup(a, &on, sizeof on);
    e->names = name;
    return e;
}

static struct cedar_expr *attr(struct arena *a, struct cedar_expr *on, str name)
{
    struct cedar_expr *e = ARENA_NEW(a, struct cedar_expr);
    *e = (struct cedar_expr){.kind = CEDAR_E_ATTR, .kid_count = 1, .name = name};
    e->kids = arena_dup(a, &on, sizeof on);
    return e;
}

static struct cedar_expr *spelled_out(struct arena *a, const struct cedar_expr *e)
{
    struct cedar_expr *made = ARENA_NEW(a, struct cedar_expr), *on = normal(a, e->kids[0]);
    *made = (struct cedar_expr){.kind = CEDAR_E_AND, .kid_count = e->name_count};
    made->kids = ARENA_ARRAY(a, struct cedar_expr *, e->name_count);
    for (uint32_t i = 0; i < e->name_count; i++) {
        made->kids[i] = one_has(a, on, &e->names[i]);
        on = attr(a, on, e->names[i]);
    }
    return made;
}

static bool is_chain(enum cedar_expr_kind kind)
{
    return kind == CEDAR_E_AND || kind == CEDAR_E_OR || kind == CEDAR_E_SUM ||
           kind == CEDAR_E_PRODUCT;
}

/* Takes the place of a first operand that is the same kind of chain. */
static void flatten(struct arena *a, struct cedar_expr *e)
{
    const struct cedar_expr *first = e->kids[0];
    uint32_t count = first->kid_count + e->kid_count - 1;
    struct cedar_expr **kids = ARENA_ARRAY(a, struct cedar_expr *, count);
    bool *minus = ARENA_ARRAY(a, bool, count);
    for (uint32_t i = 0; i < count; i++) {
        bool inner = i < first->kid_count;
        const struct cedar_expr *from = inner ? first : e;
        uint32_t at = inner ? i : i - first->kid_count + 1;
        kids[i] = from->kids[at];
        minus[i] = e->kind == CEDAR_E_SUM && from->minus[at];
    }
    e->kids = kids;
    e->kid_count = count;
    if (e->kind == CEDAR_E_SUM)
        e->minus = minus;
}

static struct cedar_expr *normal(struct arena *a, const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_HAS && e->name_count > 1)
        return spelled_out(a, e);
    struct cedar_expr *made = arena_dup(a, e, sizeof *e);
    made->kids = ARENA_ARRAY(a, struct cedar_expr *, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++)
        made->kids[i] = normal(a, e->kids[i]);
    if (is_chain(e->kind) && made->kids[0]->kind == e->kind)
        flatten(a, made);
    return made;
}

/* ---- comparing ---- */

bool ast_expr_equal(struct arena *a, const struct cedar_expr *x, const struct cedar_expr *y,
                    enum ast_how how)
{
    return how == AST_EXACT ? cedar_expr_same(x, y) : cedar_expr_same(normal(a, x), normal(a, y));
}

static struct cedar_policy anonymous(struct arena *a, const struct cedar_policy *p,
                                     enum ast_how how)
{
    struct cedar_policy made = *p;
    struct cedar_scope *action = &made.scope[CEDAR_ACTION];
    made.id = (str){0};
    if (how == AST_EXACT)
        return made;
    if (action->op == CEDAR_SCOPE_IN_SET && action->uid_count == 1)
        action->op = CEDAR_SCOPE_IN;
    made.conditions = arena_dup(a, p->conditions, p->condition_count * sizeof *p->conditions);
    for (size_t i = 0; i < p->condition_count; i++)
        made.conditions[i].body = normal(a, p->conditions[i].body);
    return made;
}

bool ast_policy_equal(struct arena *a, const struct cedar_policy *x, const struct cedar_policy *y,
                      enum ast_how how)
{
    struct cedar_policy p = anonymous(a, x, how), q = anonymous(a, y, how);
    return cedar_policy_same(&p, &q);
}
