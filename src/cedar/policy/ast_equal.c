#include "cedar/policy/ast_equal.h"

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

/* ---- expressions ---- */

static bool patterns_equal(const struct cedar_pattern *x, const struct cedar_pattern *y)
{
    bool same = x->count == y->count;
    for (size_t i = 0; same && i < x->count; i++)
        same = str_eq(x->pieces[i], y->pieces[i]);
    return same;
}

static bool own_parts_equal(const struct cedar_expr *x, const struct cedar_expr *y)
{
    bool same = true;
    switch (x->kind) {
    case CEDAR_E_LITERAL:
        return x->value.kind == y->value.kind && cedar_value_eq(&x->value, &y->value);
    case CEDAR_E_VAR:
        return x->var == y->var;
    case CEDAR_E_SUM:
        for (uint32_t i = 0; same && i < x->kid_count; i++)
            same = x->minus[i] == y->minus[i];
        return same;
    case CEDAR_E_HAS:
    case CEDAR_E_RECORD:
        same = x->name_count == y->name_count;
        for (uint32_t i = 0; same && i < x->name_count; i++)
            same = str_eq(x->names[i], y->names[i]);
        return same;
    case CEDAR_E_LIKE:
        return patterns_equal(x->pattern, y->pattern);
    case CEDAR_E_IS:
    case CEDAR_E_ATTR:
        return str_eq(x->name, y->name);
    case CEDAR_E_CALL:
        return x->fn == y->fn;
    default:
        return true;
    }
}

static bool trees_equal(const struct cedar_expr *x, const struct cedar_expr *y)
{
    if (x->kind != y->kind || x->kid_count != y->kid_count || !own_parts_equal(x, y))
        return false;
    for (uint32_t i = 0; i < x->kid_count; i++) {
        if (!trees_equal(x->kids[i], y->kids[i]))
            return false;
    }
    return true;
}

bool ast_expr_equal(struct arena *a, const struct cedar_expr *x, const struct cedar_expr *y,
                    enum ast_how how)
{
    return how == AST_EXACT ? trees_equal(x, y) : trees_equal(normal(a, x), normal(a, y));
}

/* ---- policies ---- */

static enum cedar_scope_op op_of(const struct cedar_scope *s, enum ast_how how)
{
    bool one = s->op == CEDAR_SCOPE_IN_SET && s->uid_count == 1;
    return one && how == AST_MEANING ? CEDAR_SCOPE_IN : s->op;
}

static bool scopes_equal(const struct cedar_scope *x, const struct cedar_scope *y, enum ast_how how)
{
    bool same = op_of(x, how) == op_of(y, how) && x->slot == y->slot && str_eq(x->type, y->type) &&
                x->uid_count == y->uid_count;
    for (size_t i = 0; same && i < x->uid_count; i++)
        same = cedar_uid_eq(&x->uids[i].uid, &y->uids[i].uid);
    return same;
}

static bool annotations_equal(const struct cedar_policy *x, const struct cedar_policy *y)
{
    bool same = x->annotation_count == y->annotation_count;
    for (size_t i = 0; same && i < x->annotation_count; i++) {
        const struct cedar_annotation *m = &x->annotations[i], *n = &y->annotations[i];
        same =
            str_eq(m->name, n->name) && str_eq(m->value, n->value) && m->has_value == n->has_value;
    }
    return same;
}

bool ast_policy_equal(struct arena *a, const struct cedar_policy *x, const struct cedar_policy *y,
                      enum ast_how how)
{
    bool same = x->effect == y->effect && x->is_template == y->is_template &&
                annotations_equal(x, y) && x->condition_count == y->condition_count;
    for (enum cedar_var var = CEDAR_PRINCIPAL; same && var <= CEDAR_RESOURCE; var++)
        same = scopes_equal(&x->scope[var], &y->scope[var], how);
    for (size_t i = 0; same && i < x->condition_count; i++)
        same = x->conditions[i].unless == y->conditions[i].unless &&
               ast_expr_equal(a, x->conditions[i].body, y->conditions[i].body, how);
    return same;
}
