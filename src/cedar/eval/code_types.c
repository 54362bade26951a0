/* What the schema tells of a policy's expressions, as far as that is cheap: the types of variables,
 * by the scope, and from there those of attributes. */
#include "cedar/eval/code.h"

static void add_type(struct guess *g, const struct ctype *t)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->types[i] == t)
            return;
    }
    if (g->count < TYPES_SEEN)
        g->types[g->count++] = t;
}

/* ---- the scope ---- */

/* The type that the scope names, if it does. */
static const struct schema_etype *type_named(const struct schema *s,
                                             const struct cedar_scope *scope)
{
    if (scope->op == CEDAR_SCOPE_EQ && scope->uid_count)
        return schema_etype(s, scope->uids[0].uid.type);
    if (scope->op == CEDAR_SCOPE_IS || scope->op == CEDAR_SCOPE_IS_IN)
        return schema_etype(s, scope->type);
    return NULL;
}

static void add_side(struct code *c, const struct cedar_policy *p, enum cedar_var var,
                     struct schema_set types)
{
    const struct schema_etype *named = type_named(c->schema, &p->scope[var]);
    for (size_t i = 0; i < types.count; i++) {
        const struct schema_etype *t = &c->schema->etypes[types.items[i]];
        if (!named || named == t)
            add_type(&c->vars[var], t->type);
    }
}

static void add_action(struct code *c, const struct cedar_policy *p,
                       const struct schema_action *action)
{
    if (action->principals.count == 0 || action->resources.count == 0)
        return;
    add_side(c, p, CEDAR_PRINCIPAL, action->principals);
    add_side(c, p, CEDAR_RESOURCE, action->resources);
    add_type(&c->vars[CEDAR_ACTION], action->etype->type);
    add_type(&c->vars[CEDAR_CONTEXT], action->context);
}

/* An action named in the scope, and where it is a group its members; NULL: all actions. */
static void add_actions(struct code *c, const struct cedar_policy *p, bool group,
                        const struct schema_action *named)
{
    if (named && !(group && named->has_members)) {
        add_action(c, p, named);
        return;
    }
    for (size_t i = 0; i < c->schema->action_count; i++) {
        if (c->vars[CEDAR_CONTEXT].count == TYPES_SEEN)
            return;
        if (!named || schema_action_is_in(&c->schema->actions[i], named))
            add_action(c, p, &c->schema->actions[i]);
    }
}

void code_types_begin(struct code *c, const struct cedar_policy *p)
{
    const struct cedar_scope *scope = &p->scope[CEDAR_ACTION];
    memset(c->vars, 0, sizeof c->vars);
    if (!c->schema)
        return;
    if (scope->op == CEDAR_SCOPE_ANY)
        add_actions(c, p, false, NULL);
    for (size_t i = 0; i < scope->uid_count; i++) {
        const struct schema_action *named = schema_action(c->schema, &scope->uids[i].uid);
        if (named)
            add_actions(c, p, scope->op != CEDAR_SCOPE_EQ, named);
    }
}

/* ---- attributes ---- */

static const struct ctype *record_of(const struct code *c, const struct ctype *t)
{
    if (t->kind == CTYPE_ENTITY && t->n == 1)
        t = c->schema->etypes[t->etypes[0]].shape;
    return t && t->kind == CTYPE_RECORD ? t : NULL;
}

/* Among low to high, depending on which of the optional ones before it there are. */
static void widen(struct hint *hint, const struct ctype *record, const struct ctype_attr *attr)
{
    size_t high = (size_t)(attr - record->attrs), low = high;
    if (high > UINT8_MAX)
        return;
    for (size_t i = 0; i < high; i++)
        low -= !record->attrs[i].required;
    bool first = hint->low > hint->high;
    if (first || low < hint->low)
        hint->low = (uint8_t)low;
    if (first || high > hint->high)
        hint->high = (uint8_t)high;
}

/* A type without the attribute is left out: the policy asks for the type, or for the attribute. */
struct hint code_types_step(const struct code *c, struct guess *g, str name)
{
    struct guess next = {.count = 0};
    struct hint hint = NO_HINT;
    for (size_t i = 0; i < g->count; i++) {
        const struct ctype *record = record_of(c, g->types[i]);
        const struct ctype_attr *attr = record ? ctype_attr(record, name) : NULL;
        if (!attr)
            continue;
        add_type(&next, attr->type);
        widen(&hint, record, attr);
    }
    *g = next;
    return hint;
}

/* ---- kinds ---- */

static enum cedar_kind kind_of(const struct ctype *t)
{
    static const uint8_t kinds[] = {
        [CTYPE_TRUE] = CEDAR_BOOL,         [CTYPE_FALSE] = CEDAR_BOOL,
        [CTYPE_BOOL] = CEDAR_BOOL,         [CTYPE_LONG] = CEDAR_LONG,
        [CTYPE_STRING] = CEDAR_STRING,     [CTYPE_SET] = CEDAR_SET,
        [CTYPE_RECORD] = CEDAR_RECORD,     [CTYPE_ENTITY] = CEDAR_ENTITY,
        [CTYPE_ANY_ENTITY] = CEDAR_ENTITY, [CTYPE_EXT] = CEDAR_NONE,
    };
    static const uint8_t exts[CTYPE_EXT_COUNT] = {
        [CTYPE_DECIMAL] = CEDAR_DECIMAL,
        [CTYPE_IPADDR] = CEDAR_IPADDR,
        [CTYPE_DATETIME] = CEDAR_DATETIME,
        [CTYPE_DURATION] = CEDAR_DURATION,
    };
    return (enum cedar_kind)(t->kind == CTYPE_EXT ? exts[t->ext] : kinds[t->kind]);
}

enum cedar_kind code_types_kind(const struct guess *g)
{
    enum cedar_kind kind = g->count ? kind_of(g->types[0]) : CEDAR_NONE;
    for (size_t i = 1; i < g->count; i++) {
        if (kind_of(g->types[i]) != kind)
            return CEDAR_NONE;
    }
    return kind;
}

/* CEDAR_DEPTH_MAX bounds the depth. */
bool code_types_guess(const struct code *c, const struct cedar_expr *e, struct guess *out)
{
    if (e->kind == CEDAR_E_VAR) {
        *out = c->vars[e->var];
        return true;
    }
    if (e->kind != CEDAR_E_ATTR || !code_types_guess(c, e->kids[0], out))
        return false;
    code_types_step(c, out, e->name);
    return true;
}

enum cedar_kind code_types_of(const struct code *c, const struct cedar_expr *e)
{
    struct guess g;
    switch (e->kind) {
    case CEDAR_E_LITERAL:
        return (enum cedar_kind)e->value.kind;
    case CEDAR_E_VAR:
    case CEDAR_E_ATTR:
        return code_types_guess(c, e, &g) ? code_types_kind(&g) : CEDAR_NONE;
    case CEDAR_E_SUM:
    case CEDAR_E_PRODUCT:
    case CEDAR_E_NEG:
        return c->schema ? CEDAR_LONG : CEDAR_NONE;
    default:
        return CEDAR_NONE;
    }
}
