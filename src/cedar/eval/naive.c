#include "cedar/eval/naive.h"

/* ---- entities ---- */

static bool is_member(const struct naive *n, const struct cedar_uid *x, const struct cedar_uid *y)
{
    if (cedar_uid_eq(x, y))
        return true;
    const struct cedar_entity *e = cedar_entities_find(n->entities, x);
    for (size_t i = 0; e && i < e->parent_count; i++)
        if (is_member(n, &e->parents[i], y))
            return true;
    return false;
}

static const struct cedar_value *field(const struct naive *n, const struct cedar_value *v, str name)
{
    if (v->kind == CEDAR_RECORD)
        return cedar_record_get(v, name);
    const struct cedar_entity *e = cedar_entities_find(n->entities, v->uid);
    return e ? cedar_record_get(&e->attrs, name) : NULL;
}

static bool has_fields(const struct cedar_value *v)
{
    return v->kind == CEDAR_RECORD || v->kind == CEDAR_ENTITY;
}

/* ---- operators, one function for each family; v are the operands ---- */

static bool eval_has(const struct naive *n, const struct cedar_expr *e, struct cedar_value v,
                     struct cedar_value *out)
{
    for (uint32_t i = 0; i < e->name_count; i++) {
        if (!has_fields(&v))
            return false;
        const struct cedar_value *found = field(n, &v, e->names[i]);
        if (!found) {
            *out = cedar_bool(false);
            return true;
        }
        v = *found;
    }
    *out = cedar_bool(true);
    return true;
}

static bool eval_in(const struct naive *n, const struct cedar_value *v, struct cedar_value *out)
{
    bool found = false;
    if (v[0].kind != CEDAR_ENTITY)
        return false;
    if (v[1].kind == CEDAR_ENTITY) {
        *out = cedar_bool(is_member(n, v[0].uid, v[1].uid));
        return true;
    }
    if (v[1].kind != CEDAR_SET)
        return false;
    for (uint32_t i = 0; i < v[1].n; i++)
        if (v[1].items[i].kind != CEDAR_ENTITY)
            return false;
    for (uint32_t i = 0; i < v[1].n; i++)
        found = found || is_member(n, v[0].uid, v[1].items[i].uid);
    *out = cedar_bool(found);
    return true;
}

static bool eval_tag(const struct naive *n, bool get, const struct cedar_value *v,
                     struct cedar_value *out)
{
    if (v[0].kind != CEDAR_ENTITY || v[1].kind != CEDAR_STRING)
        return false;
    const struct cedar_entity *e = cedar_entities_find(n->entities, v[0].uid);
    const struct cedar_value *found = e ? cedar_record_get(&e->tags, cedar_str(v[1])) : NULL;
    if (get && !found)
        return false;
    *out = get ? *found : cedar_bool(found != NULL);
    return true;
}

static bool eval_order(enum cedar_expr_kind kind, const struct cedar_value *v,
                       struct cedar_value *out)
{
    bool ordered =
        v[0].kind == CEDAR_LONG || v[0].kind == CEDAR_DATETIME || v[0].kind == CEDAR_DURATION;
    if (!ordered || v[0].kind != v[1].kind)
        return false;
    bool less = v[0].i < v[1].i, equal = v[0].i == v[1].i;
    *out = cedar_bool(kind == CEDAR_E_LT   ? less
                      : kind == CEDAR_E_LE ? less || equal
                      : kind == CEDAR_E_GT ? !less && !equal
                                           : !less);
    return true;
}

static bool is_i64(__int128 r)
{
    return r >= INT64_MIN && r <= INT64_MAX;
}

static bool eval_arithmetic(const struct cedar_expr *e, const struct cedar_value *v,
                            struct cedar_value *out)
{
    for (uint32_t i = 0; i < e->kid_count; i++)
        if (v[i].kind != CEDAR_LONG)
            return false;
    __int128 r = e->kind == CEDAR_E_NEG ? -(__int128)v[0].i : v[0].i;
    for (uint32_t i = 1; i < e->kid_count && is_i64(r); i++) {
        if (e->kind == CEDAR_E_PRODUCT)
            r = r * v[i].i;
        else
            r = e->minus[i] ? r - v[i].i : r + v[i].i;
    }
    *out = cedar_long((int64_t)r);
    return is_i64(r);
}

static bool contains(const struct cedar_value *set, const struct cedar_value *one)
{
    for (uint32_t i = 0; i < set->n; i++)
        if (cedar_value_eq(&set->items[i], one))
            return true;
    return false;
}

static bool eval_contains(enum cedar_expr_kind kind, const struct cedar_value *v,
                          struct cedar_value *out)
{
    if (v[0].kind != CEDAR_SET)
        return false;
    if (kind == CEDAR_E_CONTAINS) {
        *out = cedar_bool(contains(&v[0], &v[1]));
        return true;
    }
    if (v[1].kind != CEDAR_SET)
        return false;
    uint32_t found = 0;
    for (uint32_t i = 0; i < v[1].n; i++)
        found += contains(&v[0], &v[1].items[i]);
    *out = cedar_bool(kind == CEDAR_E_CONTAINS_ALL ? found == v[1].n : found > 0);
    return true;
}

/* Pieces from at on match s, where any bytes may stand before each but the first. */
static bool match(const struct cedar_pattern *p, size_t at, str s)
{
    str piece = p->pieces[at];
    if (at + 1 == p->count)
        return at == 0 ? str_eq(s, piece) : str_ends(s, piece);
    for (size_t from = 0; from <= s.n; from++) {
        str rest = str_skip(s, from);
        if (str_starts(rest, piece) && match(p, at + 1, str_skip(rest, piece.n)))
            return true;
        if (at == 0)
            return false;
    }
    return false;
}

/* ---- expressions that do not evaluate all of their kids ---- */

static bool eval_bool(const struct naive *n, const struct cedar_expr *e, bool *out)
{
    struct cedar_value v;
    if (!naive_eval(n, e, &v) || v.kind != CEDAR_BOOL)
        return false;
    *out = v.b;
    return true;
}

static bool eval_chain(const struct naive *n, const struct cedar_expr *e, struct cedar_value *out)
{
    bool stop = e->kind == CEDAR_E_OR, b = !stop;
    for (uint32_t i = 0; i < e->kid_count && b != stop; i++)
        if (!eval_bool(n, e->kids[i], &b))
            return false;
    *out = cedar_bool(b);
    return true;
}

static bool eval_is(const struct naive *n, const struct cedar_expr *e, struct cedar_value *out)
{
    struct cedar_value v[2];
    if (!naive_eval(n, e->kids[0], &v[0]) || v[0].kind != CEDAR_ENTITY)
        return false;
    *out = cedar_bool(str_eq(v[0].uid->type, e->name));
    if (e->kid_count == 1 || !out->b)
        return true;
    return naive_eval(n, e->kids[1], &v[1]) && eval_in(n, v, out);
}

/* ---- the walk ---- */

static struct cedar_value variable(const struct naive *n, enum cedar_var var)
{
    const struct cedar_uid *uids[] = {&n->req->principal, &n->req->action, &n->req->resource};
    if (var != CEDAR_CONTEXT)
        return cedar_entity_value(uids[var]);
    return n->req->context ? *n->req->context : cedar_empty_record;
}

static bool eval_record(const struct naive *n, const struct cedar_expr *e,
                        const struct cedar_value *v, struct cedar_value *out)
{
    struct cedar_field *fields = ARENA_ARRAY(n->arena, struct cedar_field, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++)
        fields[i] = (struct cedar_field){e->names[i], v[i]};
    return cedar_record_of(fields, e->kid_count, out);
}

static bool eval_attr(const struct naive *n, const struct cedar_expr *e,
                      const struct cedar_value *v, struct cedar_value *out)
{
    const struct cedar_value *found = has_fields(v) ? field(n, v, e->name) : NULL;
    if (found)
        *out = *found;
    return found;
}

/* All kids are evaluated, left to right; the first that fails ends it. */
static bool eval_strict(const struct naive *n, const struct cedar_expr *e, struct cedar_value *v,
                        struct cedar_value *out)
{
    struct err ignored;
    switch (e->kind) {
    case CEDAR_E_NOT:
        *out = cedar_bool(v[0].kind == CEDAR_BOOL && !v[0].b);
        return v[0].kind == CEDAR_BOOL;
    case CEDAR_E_EQ:
    case CEDAR_E_NE:
        *out = cedar_bool(cedar_value_eq(&v[0], &v[1]) == (e->kind == CEDAR_E_EQ));
        return true;
    case CEDAR_E_LT:
    case CEDAR_E_LE:
    case CEDAR_E_GT:
    case CEDAR_E_GE:
        return eval_order(e->kind, v, out);
    case CEDAR_E_NEG:
    case CEDAR_E_SUM:
    case CEDAR_E_PRODUCT:
        return eval_arithmetic(e, v, out);
    case CEDAR_E_IN:
        return eval_in(n, v, out);
    case CEDAR_E_HAS:
        return eval_has(n, e, v[0], out);
    case CEDAR_E_ATTR:
        return eval_attr(n, e, v, out);
    case CEDAR_E_LIKE:
        *out = cedar_bool(v[0].kind == CEDAR_STRING && match(e->pattern, 0, cedar_str(v[0])));
        return v[0].kind == CEDAR_STRING;
    case CEDAR_E_CONTAINS:
    case CEDAR_E_CONTAINS_ALL:
    case CEDAR_E_CONTAINS_ANY:
        return eval_contains(e->kind, v, out);
    case CEDAR_E_IS_EMPTY:
        *out = cedar_bool(v[0].n == 0);
        return v[0].kind == CEDAR_SET;
    case CEDAR_E_HAS_TAG:
    case CEDAR_E_GET_TAG:
        return eval_tag(n, e->kind == CEDAR_E_GET_TAG, v, out);
    case CEDAR_E_SET:
        *out = cedar_set_of(v, e->kid_count);
        return true;
    case CEDAR_E_RECORD:
        return eval_record(n, e, v, out);
    case CEDAR_E_CALL:
        return cedar_fn_call(n->arena, e->fn, v, e->kid_count, out, &ignored);
    default:
        return false;
    }
}

bool naive_eval(const struct naive *n, const struct cedar_expr *e, struct cedar_value *out)
{
    bool b;
    switch (e->kind) {
    case CEDAR_E_LITERAL:
        *out = e->value;
        return true;
    case CEDAR_E_VAR:
        *out = variable(n, e->var);
        return true;
    case CEDAR_E_IF:
        return eval_bool(n, e->kids[0], &b) && naive_eval(n, e->kids[b ? 1 : 2], out);
    case CEDAR_E_AND:
    case CEDAR_E_OR:
        return eval_chain(n, e, out);
    case CEDAR_E_IS:
        return eval_is(n, e, out);
    default:
        break;
    }
    struct cedar_value *v = ARENA_ARRAY(n->arena, struct cedar_value, e->kid_count + 1);
    for (uint32_t i = 0; i < e->kid_count; i++)
        if (!naive_eval(n, e->kids[i], &v[i]))
            return false;
    return eval_strict(n, e, v, out);
}

/* ---- policies ---- */

static bool scope_holds(const struct naive *n, const struct cedar_scope *s,
                        const struct cedar_uid *uid)
{
    bool in = s->op == CEDAR_SCOPE_ANY || s->op == CEDAR_SCOPE_IS;
    if ((s->op == CEDAR_SCOPE_IS || s->op == CEDAR_SCOPE_IS_IN) && !str_eq(s->type, uid->type))
        return false;
    for (size_t i = 0; i < s->uid_count; i++)
        in = in || (s->op == CEDAR_SCOPE_EQ ? cedar_uid_eq(uid, &s->uids[i].uid)
                                            : is_member(n, uid, &s->uids[i].uid));
    return in;
}

enum naive_outcome naive_policy(const struct naive *n, const struct cedar_policy *p)
{
    bool b;
    if (!scope_holds(n, &p->scope[CEDAR_PRINCIPAL], &n->req->principal) ||
        !scope_holds(n, &p->scope[CEDAR_ACTION], &n->req->action) ||
        !scope_holds(n, &p->scope[CEDAR_RESOURCE], &n->req->resource))
        return NAIVE_FALSE;
    for (size_t i = 0; i < p->condition_count; i++) {
        if (!eval_bool(n, p->conditions[i].body, &b))
            return NAIVE_FAILED;
        if (b == p->conditions[i].unless)
            return NAIVE_FALSE;
    }
    return NAIVE_TRUE;
}
