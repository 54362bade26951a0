/* Levels (validate.h): how many references a policy follows to reach what it reads.
 *
 * Two walks over an expression whose types are known. `walk` looks for places where an entity is
 * read; `reach` counts the references that lead from the request to the entity read there. Where
 * such an entity is taken out of a record literal, reach follows the attribute that is taken. */
#include "cedar/check/check.h"

/* Attributes still to be taken from the record that reach is looking at, the next one first. */
struct path {
    str name;
    const struct path *rest;
};

static void walk(struct checker *c, const struct cedar_expr *e);
static uint32_t reach(struct checker *c, const struct cedar_expr *e, const struct path *path);

static bool looked_at(const struct checker *c, const struct cedar_expr *e)
{
    return check_note_of(c, e) != NULL;
}

/* An access to an entity goes on from it; one to a record (the only other kind) stays. */
static bool is_entity(const struct ctype *t)
{
    return t && t->kind != CTYPE_RECORD;
}

static const struct ctype *type_of(const struct checker *c, const struct cedar_expr *e)
{
    const struct check_note *note = check_note_of(c, e);
    return note ? note->type : NULL;
}

static void walk_kids(struct checker *c, const struct cedar_expr *e, uint32_t first)
{
    for (uint32_t i = first; i < e->kid_count; i++)
        if (looked_at(c, e->kids[i]))
            walk(c, e->kids[i]);
}

/* ---- reach ---- */

static uint32_t reach_literal(struct checker *c, const struct cedar_expr *e)
{
    const struct cedar_uid *uid = e->value.kind == CEDAR_ENTITY ? e->value.uid : NULL;
    if (uid && !cedar_uid_eq(uid, &c->env.action->uid))
        check_report(c, FIND_LEVEL_LITERAL, e->span,
                     "%.*s::\"%.*s\" is read here, and no request leads to it", STR(uid->type),
                     STR(str_take(uid->id, 80)));
    return 0;
}

static uint32_t reach_if(struct checker *c, const struct cedar_expr *e, const struct path *path)
{
    uint32_t most = 0;
    walk(c, e->kids[0]);
    for (uint32_t i = 1; i < 3; i++) {
        uint32_t n = looked_at(c, e->kids[i]) ? reach(c, e->kids[i], path) : 0;
        most = n > most ? n : most;
    }
    return most;
}

static uint32_t reach_attr(struct checker *c, const struct cedar_expr *e, const struct path *path)
{
    struct path taken = {e->name, path};
    if (is_entity(type_of(c, e->kids[0])))
        return reach(c, e->kids[0], path) + 1;
    return reach(c, e->kids[0], &taken);
}

static uint32_t reach_record(struct checker *c, const struct cedar_expr *e, const struct path *path)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->kid_count; i++)
        if (path && str_eq(e->names[i], path->name))
            n = reach(c, e->kids[i], path->rest);
        else
            walk(c, e->kids[i]);
    return n;
}

/* References from the request to the entity that e, or what path takes out of it, stands for. */
static uint32_t reach(struct checker *c, const struct cedar_expr *e, const struct path *path)
{
    if (!check_step(c, e->span))
        return 0;
    switch (e->kind) {
    case CEDAR_E_LITERAL:
        return reach_literal(c, e);
    case CEDAR_E_IF:
        return reach_if(c, e, path);
    case CEDAR_E_ATTR:
        return reach_attr(c, e, path);
    case CEDAR_E_GET_TAG:
        walk(c, e->kids[1]);
        return reach(c, e->kids[0], path) + 1;
    case CEDAR_E_RECORD:
        return reach_record(c, e, path);
    default: /* a variable: nothing else yields entities or records */
        return 0;
    }
}

/* ---- walk ---- */

/* An entity is read at `at`, `before` references away from the request. */
static void read_at(struct checker *c, struct cedar_span at, uint32_t before)
{
    if (before >= c->how.level)
        check_report(c, FIND_LEVEL_EXCEEDED, at,
                     "this reads what is %u reference%s away from the request, and the level is %u",
                     before + 1, before ? "s" : "", c->how.level);
}

static void walk_attr(struct checker *c, const struct cedar_expr *e)
{
    if (is_entity(type_of(c, e->kids[0])))
        read_at(c, e->span, reach(c, e->kids[0], NULL));
    else
        walk(c, e->kids[0]);
}

/* The receiver of link i of `x has a.b.c`, counted back to x. types: of x, x.a .. */
static uint32_t reach_link(struct checker *c, const struct cedar_expr *e,
                           const struct ctype *const *types, uint32_t i)
{
    ARENA_SCOPE struct arena a = {0};
    const struct path *path = NULL;
    uint32_t hops = 0;
    for (uint32_t k = i; k-- > 0;) {
        c->steps++;
        if (is_entity(types[k])) {
            hops++;
            continue;
        }
        struct path *taken = ARENA_NEW(&a, struct path);
        *taken = (struct path){e->names[k], path};
        path = taken;
    }
    return reach(c, e->kids[0], path) + hops;
}

static void walk_has(struct checker *c, const struct cedar_expr *e)
{
    ARENA_SCOPE struct arena a = {0};
    const struct ctype **types = ARENA_ARRAY(&a, const struct ctype *, e->name_count);
    types[0] = type_of(c, e->kids[0]);
    if (!is_entity(types[0]))
        walk(c, e->kids[0]);
    for (uint32_t i = 0; i < e->name_count && !c->gave_up; i++) {
        if (is_entity(types[i]))
            read_at(c, e->span, reach_link(c, e, types, i));
        const struct ctype_attr *next = check_find_attr(c, types[i], e->names[i]);
        if (!next)
            return; /* certainly false: what follows is dead */
        if (i + 1 < e->name_count)
            types[i + 1] = next->type;
    }
}

/* What kid 0 is, has by tag, or is in, is read; kid 1 is a value like any other. */
static void walk_pair(struct checker *c, const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_IS)
        walk(c, e->kids[0]);
    if (e->kid_count < 2 || !looked_at(c, e->kids[1]))
        return;
    read_at(c, e->span, reach(c, e->kids[0], NULL));
    walk(c, e->kids[1]);
}

static void walk(struct checker *c, const struct cedar_expr *e)
{
    if (!check_step(c, e->span))
        return;
    switch (e->kind) {
    case CEDAR_E_ATTR:
        walk_attr(c, e);
        break;
    case CEDAR_E_HAS:
        walk_has(c, e);
        break;
    case CEDAR_E_IN:
    case CEDAR_E_IS:
    case CEDAR_E_HAS_TAG:
    case CEDAR_E_GET_TAG:
        walk_pair(c, e);
        break;
    default:
        walk_kids(c, e, 0);
    }
}

void level_check_env(struct checker *c, struct answer all)
{
    for (size_t i = 0; i < c->policy->condition_count; i++)
        if (looked_at(c, c->policy->conditions[i].body))
            walk(c, c->policy->conditions[i].body);
}

/* ---- the scope ---- */

static bool reads(const struct cedar_scope *scope)
{
    return scope->op == CEDAR_SCOPE_IN || scope->op == CEDAR_SCOPE_IN_SET ||
           scope->op == CEDAR_SCOPE_IS_IN;
}

/* `is T in e` asks what the entity is in only where it is a T. */
static bool reads_type(const struct checker *c, const struct cedar_scope *scope, uint32_t type)
{
    const struct schema_etype *is =
        scope->op == CEDAR_SCOPE_IS_IN ? schema_etype(c->s, scope->type) : NULL;
    return reads(scope) && (scope->op != CEDAR_SCOPE_IS_IN || (is && is->index == type));
}

/* Principal, then action, then resource; a part that is certainly false ends it. */
static void scope_env(struct checker *c, const struct schema_action *x, uint32_t p, uint32_t r)
{
    const struct cedar_scope *scope = c->policy->scope;
    if (reads_type(c, &scope[CEDAR_PRINCIPAL], p))
        read_at(c, scope[CEDAR_PRINCIPAL].span, 0);
    if (check_scope_type(c->s, &scope[CEDAR_PRINCIPAL], p)->kind == CTYPE_FALSE)
        return;
    if (reads(&scope[CEDAR_ACTION]))
        read_at(c, scope[CEDAR_ACTION].span, 0);
    if (!check_scope_action(c->s, &scope[CEDAR_ACTION], x))
        return;
    if (reads_type(c, &scope[CEDAR_RESOURCE], r))
        read_at(c, scope[CEDAR_RESOURCE].span, 0);
}

/* In every environment, whether the scope admits it or not: being asked is reading. */
void level_check_scope(struct checker *c)
{
    const struct cedar_scope *scope = c->policy->scope;
    if (c->how.level > 0 || !(reads(&scope[CEDAR_PRINCIPAL]) || reads(&scope[CEDAR_ACTION]) ||
                              reads(&scope[CEDAR_RESOURCE])))
        return;
    for (size_t i = 0; i < c->s->action_count; i++) {
        const struct schema_action *x = &c->s->actions[i];
        for (size_t j = 0; j < x->principals.count; j++)
            for (size_t k = 0; k < x->resources.count; k++)
                if (check_step(c, c->policy->span))
                    scope_env(c, x, x->principals.items[j], x->resources.items[k]);
    }
}
