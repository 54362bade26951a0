#include "cedar/policy/same.h"

static bool same_names(const struct cedar_expr *a, const struct cedar_expr *b)
{
    for (uint32_t i = 0; i < a->name_count; i++) {
        if (!str_eq(a->names[i], b->names[i]))
            return false;
    }
    return true;
}

static bool same_pattern(const struct cedar_pattern *a, const struct cedar_pattern *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!str_eq(a->pieces[i], b->pieces[i]))
            return false;
    }
    return true;
}

/* What the node itself says, without its kids. */
static bool same_node(const struct cedar_expr *a, const struct cedar_expr *b)
{
    if (a->kind != b->kind || a->kid_count != b->kid_count || a->name_count != b->name_count)
        return false;
    switch (a->kind) {
    case CEDAR_E_LITERAL:
        return cedar_value_eq(&a->value, &b->value);
    case CEDAR_E_VAR:
        return a->var == b->var;
    case CEDAR_E_SUM:
        return memcmp(a->minus, b->minus, a->kid_count * sizeof *a->minus) == 0;
    case CEDAR_E_HAS:
    case CEDAR_E_RECORD:
        return same_names(a, b);
    case CEDAR_E_LIKE:
        return same_pattern(a->pattern, b->pattern);
    case CEDAR_E_IS:
    case CEDAR_E_ATTR:
        return str_eq(a->name, b->name);
    case CEDAR_E_CALL:
        return a->fn == b->fn;
    default:
        return true;
    }
}

bool cedar_expr_same(const struct cedar_expr *a, const struct cedar_expr *b)
{
    if (!same_node(a, b))
        return false;
    for (uint32_t i = 0; i < a->kid_count; i++) {
        if (!cedar_expr_same(a->kids[i], b->kids[i]))
            return false;
    }
    return true;
}

static bool same_scope(const struct cedar_scope *a, const struct cedar_scope *b)
{
    if (a->op != b->op || a->slot != b->slot || a->uid_count != b->uid_count ||
        !str_eq(a->type, b->type))
        return false;
    for (size_t i = 0; i < a->uid_count; i++) {
        if (!cedar_uid_eq(&a->uids[i].uid, &b->uids[i].uid))
            return false;
    }
    return true;
}

static bool same_annotation(const struct cedar_annotation *a, const struct cedar_annotation *b)
{
    return a->has_value == b->has_value && str_eq(a->name, b->name) && str_eq(a->value, b->value);
}

bool cedar_policy_same(const struct cedar_policy *a, const struct cedar_policy *b)
{
    if (!str_eq(a->id, b->id) || a->effect != b->effect || a->is_template != b->is_template ||
        a->annotation_count != b->annotation_count || a->condition_count != b->condition_count)
        return false;
    for (size_t i = 0; i < a->annotation_count; i++) {
        if (!same_annotation(&a->annotations[i], &b->annotations[i]))
            return false;
    }
    for (unsigned v = CEDAR_PRINCIPAL; v <= CEDAR_RESOURCE; v++) {
        if (!same_scope(&a->scope[v], &b->scope[v]))
            return false;
    }
    for (size_t i = 0; i < a->condition_count; i++) {
        if (a->conditions[i].unless != b->conditions[i].unless ||
            !cedar_expr_same(a->conditions[i].body, b->conditions[i].body))
            return false;
    }
    return true;
}

bool cedar_policies_same(const struct cedar_policies *a, const struct cedar_policies *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++) {
        if (!cedar_policy_same(&a->items[i], &b->items[i]))
            return false;
    }
    return a->count == b->count;
}
