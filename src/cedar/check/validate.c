#include "cedar/check/validate.h"
#include "cedar/check/check.h"

#include <stdlib.h>

/* ---- names: known at all, wherever they stand, dead code included ---- */

/* Guessing is dear: only for what will be shown. */
static void report_unknown_type(struct checker *c, str type, struct cedar_span span)
{
    struct cedar_diag *one = check_report(c, FIND_UNKNOWN_ENTITY_TYPE, span,
                                          "the schema has no entity type `%.*s`", STR(type));
    struct name_guess g = {.wanted = type};
    for (size_t i = 0; one && i < c->s->etype_count; i++)
        name_guess_try(&g, c->s->etypes[i].name);
    if (g.best.n)
        check_help(c, one, "did you mean `%.*s`?", STR(g.best));
}

static void report_unknown_action(struct checker *c, const struct cedar_uid *uid,
                                  struct cedar_span span)
{
    struct cedar_diag *one =
        check_report(c, FIND_UNKNOWN_ACTION, span, "the schema has no action %.*s::\"%.*s\"",
                     STR(uid->type), STR(str_take(uid->id, 80)));
    const struct schema_action *best = NULL;
    struct name_guess g = {.wanted = uid->id};
    for (size_t i = 0; one && i < c->s->action_count; i++) {
        const struct schema_action *x = &c->s->actions[i];
        name_guess_try(&g, x->uid.id);
        if (g.best.p == x->uid.id.p)
            best = x;
    }
    if (best)
        check_help(c, one, "did you mean %.*s::\"%.*s\"?", STR(best->uid.type), STR(best->uid.id));
}

static void check_type_name(struct checker *c, str type, struct cedar_span span)
{
    if (!schema_is_action_type(type) && !schema_etype(c->s, type))
        report_unknown_type(c, type, span);
}

static void check_uid_name(struct checker *c, const struct cedar_uid *uid, struct cedar_span span)
{
    const struct schema_etype *e = schema_etype(c->s, uid->type);
    if (schema_is_action_type(uid->type)) {
        if (!schema_action(c->s, uid))
            report_unknown_action(c, uid, span);
    } else if (!e) {
        report_unknown_type(c, uid->type, span);
    } else if (e->is_enum && !map_get(&e->ids, uid->id)) {
        check_report(c, FIND_UNKNOWN_ENUM_ID, span, "`%.*s` has no entity \"%.*s\"", STR(e->name),
                     STR(str_take(uid->id, 80)));
    }
}

static void check_expr_names(struct checker *c, const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_ENTITY)
        check_uid_name(c, e->value.uid, e->span);
    if (e->kind == CEDAR_E_IS)
        check_type_name(c, e->name, e->span);
    for (uint32_t i = 0; i < e->kid_count; i++)
        check_expr_names(c, e->kids[i]);
}

void check_names(struct checker *c)
{
    for (int v = CEDAR_PRINCIPAL; v <= CEDAR_RESOURCE; v++) {
        const struct cedar_scope *scope = &c->policy->scope[v];
        if (scope->op == CEDAR_SCOPE_IS || scope->op == CEDAR_SCOPE_IS_IN)
            check_type_name(c, scope->type, scope->type_span);
        for (size_t i = 0; i < scope->uid_count; i++)
            check_uid_name(c, &scope->uids[i].uid, scope->uids[i].span);
    }
    for (size_t i = 0; i < c->policy->condition_count; i++)
        check_expr_names(c, c->policy->conditions[i].body);
}

/* ---- the scope, decided per environment without the checker ---- */

/* Always false, sometimes, or always true for principals (resources) of this type. */
const struct ctype *check_scope_type(const struct schema *s, const struct cedar_scope *scope,
                                     uint32_t type)
{
    const struct schema_etype *is = NULL, *uid = NULL;
    bool wants_is = scope->op == CEDAR_SCOPE_IS || scope->op == CEDAR_SCOPE_IS_IN;
    if (wants_is)
        is = schema_etype(s, scope->type);
    if (wants_is && (!is || is->index != type))
        return &ctype_false;
    if (scope->op == CEDAR_SCOPE_ANY || scope->op == CEDAR_SCOPE_IS)
        return &ctype_true;
    if (scope->slot != CEDAR_SLOT_NONE || scope->uid_count == 0)
        return &ctype_bool;
    uid = schema_etype(s, scope->uids[0].uid.type);
    if (!uid)
        return &ctype_false;
    bool possible = scope->op == CEDAR_SCOPE_EQ ? uid->index == type
                                                : schema_etype_can_be_in(s, type, uid->index);
    return possible ? &ctype_bool : &ctype_false;
}

/* How the actions are marked that are the one named or, for `in`, members of it. */
static void mark_admitted(const struct schema *s, const bool *named, bool members, bool *admitted)
{
    for (size_t i = 0; i < s->action_count; i++) {
        const struct schema_action *x = &s->actions[i];
        admitted[i] = named[i];
        for (size_t k = 0; members && !admitted[i] && k < x->ancestors.count; k++)
            admitted[i] = named[x->ancestors.items[k]];
    }
}

/* By action: whether the scope admits it. In kept. What check_scope_action says of each, but for
 * all at once, however long the scope's list is. */
static const bool *admitted_actions(struct checker *c)
{
    const struct schema *s = c->s;
    const struct cedar_scope *scope = &c->policy->scope[CEDAR_ACTION];
    bool *named = ARENA_ARRAY(&c->kept, bool, s->action_count + 1);
    bool *admitted = ARENA_ARRAY(&c->kept, bool, s->action_count + 1);
    if (scope->op == CEDAR_SCOPE_ANY) {
        memset(admitted, true, s->action_count);
        return admitted;
    }
    for (size_t i = 0; i < scope->uid_count; i++) {
        const struct schema_action *y = schema_action(s, &scope->uids[i].uid);
        if (!y)
            return admitted; /* one unknown action in a list, and nothing is said of the others */
        named[y->index] = true;
    }
    mark_admitted(s, named, scope->op != CEDAR_SCOPE_EQ, admitted);
    return admitted;
}

bool check_scope_action(const struct schema *s, const struct cedar_scope *scope,
                        const struct schema_action *x)
{
    if (scope->op == CEDAR_SCOPE_ANY)
        return true;
    bool found = false;
    for (size_t i = 0; i < scope->uid_count; i++) {
        const struct schema_action *y = schema_action(s, &scope->uids[i].uid);
        if (!y)
            return false; /* one unknown action in a list, and nothing is said of the others */
        found = found || (scope->op == CEDAR_SCOPE_EQ ? x == y : schema_action_is_in(x, y));
    }
    return found;
}

/* ---- one environment ---- */

/* The type of scope and conditions together. Each condition is joined with all that follow it, so
 * one without a type leaves the whole open, whatever comes behind it. */
static struct answer check_conditions(struct checker *c, struct answer all)
{
    bool open = false;
    for (size_t i = 0; i < c->policy->condition_count && !answer_is_false(all); i++) {
        const struct cedar_condition *one = &c->policy->conditions[i];
        struct answer x = check_as(c, all.caps, one->body, &expect_bool);
        open = open || (!x.type && !one->unless); /* a negation has a type, come what may */
        all = answer_and(c, all, one->unless ? answer_not(x) : x);
    }
    return open && answer_is_false(all) ? answer_fail(&ctype_bool) : all;
}

static void enter_env(struct checker *c, const struct schema_action *x, uint32_t principal,
                      uint32_t resource)
{
    c->env = (struct request_env){.action = x,
                                  .types = {[CEDAR_PRINCIPAL] = c->s->etypes[principal].type,
                                            [CEDAR_ACTION] = x->etype->type,
                                            [CEDAR_RESOURCE] = c->s->etypes[resource].type,
                                            [CEDAR_CONTEXT] = x->context}};
    c->env_number++;
}

static void check_env(struct checker *c, const struct schema_action *x, uint32_t principal,
                      uint32_t resource, const struct ctype *scope, struct check_tally *t)
{
    enter_env(c, x, principal, resource);
    t->applicable = true;
    struct answer a = check_conditions(c, answer_ok(scope));
    t->possible = t->possible || !answer_is_false(a);
    if (c->on_env && a.ok)
        c->on_env(c, a);
    arena_reset(&c->scratch);
}

static void check_action(struct checker *c, const struct schema_action *x, struct check_tally *t)
{
    const struct cedar_scope *scope = c->policy->scope;
    for (size_t i = 0; i < x->principals.count && !c->gave_up; i++) {
        uint32_t p = x->principals.items[i];
        const struct ctype *ps = check_scope_type(c->s, &scope[CEDAR_PRINCIPAL], p);
        for (size_t j = 0; ps->kind != CTYPE_FALSE && j < x->resources.count && !c->gave_up; j++) {
            uint32_t r = x->resources.items[j];
            const struct ctype *rs = check_scope_type(c->s, &scope[CEDAR_RESOURCE], r);
            c->steps++;
            if (rs->kind != CTYPE_FALSE)
                check_env(c, x, p, r, ps->kind == CTYPE_TRUE ? rs : ps, t);
        }
    }
}

/* ---- a scope with errors: an expression like any other ---- */

static bool is_known_uid(const struct checker *c, const struct cedar_uid *uid)
{
    const struct schema_etype *e = schema_etype(c->s, uid->type);
    return e && (!e->is_action || schema_action(c->s, uid));
}

/* Whether typing the scope would fail somewhere: then the environments it names cannot be told
 * without doing so, and the conditions are still looked at in all that it does not rule out. That a
 * list is empty, or has actions of two types, is an error in strict mode only. */
static bool scope_has_errors(const struct checker *c)
{
    for (int v = CEDAR_PRINCIPAL; v <= CEDAR_RESOURCE; v++) {
        const struct cedar_scope *scope = &c->policy->scope[v];
        if (scope->op == CEDAR_SCOPE_IN_SET && scope->uid_count == 0)
            return c->mode == CTYPE_STRICT;
        for (size_t i = 0; i < scope->uid_count; i++)
            if (!is_known_uid(c, &scope->uids[i].uid) ||
                (c->mode == CTYPE_STRICT &&
                 !str_eq(scope->uids[i].uid.type, scope->uids[0].uid.type)))
                return true;
    }
    return false;
}

static struct cedar_expr *scope_expr(struct checker *c, enum cedar_expr_kind kind,
                                     struct cedar_span span, uint32_t kids)
{
    struct cedar_expr *e = ARENA_NEW(&c->kept, struct cedar_expr);
    *e = (struct cedar_expr){.kind = kind, .span = span, .kid_count = kids};
    e->kids = ARENA_ARRAY(&c->kept, struct cedar_expr *, kids);
    return e;
}

/* What the scope compares with: an entity, or a set of them. */
static struct cedar_expr *scope_target(struct checker *c, const struct cedar_scope *scope)
{
    struct cedar_expr *set = scope_expr(c, CEDAR_E_SET, scope->span, (uint32_t)scope->uid_count);
    for (size_t i = 0; i < scope->uid_count; i++) {
        set->kids[i] = scope_expr(c, CEDAR_E_LITERAL, scope->uids[i].span, 0);
        set->kids[i]->value = cedar_entity_value(&scope->uids[i].uid);
    }
    return scope->op == CEDAR_SCOPE_IN_SET ? set : set->kids[0];
}

static const struct cedar_expr *scope_test(struct checker *c, enum cedar_var side)
{
    const struct cedar_scope *scope = &c->policy->scope[side];
    if (c->scope_tests[side])
        return c->scope_tests[side];
    struct cedar_expr *test =
        scope_expr(c, scope->op == CEDAR_SCOPE_EQ ? CEDAR_E_EQ : CEDAR_E_IN, scope->span, 2);
    test->kids[0] = scope_expr(c, CEDAR_E_VAR, scope->span, 0);
    test->kids[0]->var = side;
    test->kids[1] = scope_target(c, scope);
    c->scope_tests[side] = test;
    return test;
}

static struct answer check_side(struct checker *c, enum cedar_var side, uint32_t type)
{
    const struct cedar_scope *scope = &c->policy->scope[side];
    if (scope->op == CEDAR_SCOPE_ANY)
        return answer_ok(&ctype_true);
    if (scope->op == CEDAR_SCOPE_IS || scope->slot != CEDAR_SLOT_NONE)
        return answer_ok(check_scope_type(c->s, scope, type));
    const struct schema_etype *is = schema_etype(c->s, scope->type);
    if (scope->op == CEDAR_SCOPE_IS_IN && (!is || is->index != type))
        return answer_ok(&ctype_false);
    return check_as(c, NULL, scope_test(c, side), &expect_bool);
}

/* One environment: what follows a certain false is dead. */
static void check_scoped_env(struct checker *c, const struct schema_action *x, uint32_t principal,
                             uint32_t resource, struct check_tally *t)
{
    enter_env(c, x, principal, resource);
    struct answer a = check_side(c, CEDAR_PRINCIPAL, principal);
    if (!answer_is_false(a))
        a = answer_and(c, a, check_side(c, CEDAR_ACTION, x->etype->index));
    if (!answer_is_false(a))
        a = answer_and(c, a, check_side(c, CEDAR_RESOURCE, resource));
    a = check_conditions(c, a);
    t->possible = t->possible || !answer_is_false(a);
    arena_reset(&c->scratch);
}

static void check_scope_and_conditions(struct checker *c, struct check_tally *t)
{
    const struct cedar_scope *scope = c->policy->scope;
    const bool *admitted = admitted_actions(c);
    for (size_t k = 0; k < c->s->action_count && !c->gave_up; k++) {
        const struct schema_action *x = &c->s->actions[k];
        for (size_t i = 0; i < x->principals.count && !c->gave_up; i++) {
            uint32_t p = x->principals.items[i];
            bool fits = check_scope_type(c->s, &scope[CEDAR_PRINCIPAL], p)->kind != CTYPE_FALSE;
            for (size_t j = 0; j < x->resources.count && !c->gave_up; j++) {
                uint32_t r = x->resources.items[j];
                bool takes = check_scope_type(c->s, &scope[CEDAR_RESOURCE], r)->kind != CTYPE_FALSE;
                t->applicable = t->applicable || (admitted[k] && fits && takes);
                check_scoped_env(c, x, p, r, t);
            }
        }
    }
}

bool check_one_env(struct checker *c, const struct schema_action *x, uint32_t principal,
                   uint32_t resource)
{
    const struct cedar_scope *scope = c->policy->scope;
    struct check_tally t = {0};
    if (scope_has_errors(c)) {
        check_scoped_env(c, x, principal, resource, &t);
        return false;
    }
    const struct ctype *p = check_scope_type(c->s, &scope[CEDAR_PRINCIPAL], principal);
    const struct ctype *r = check_scope_type(c->s, &scope[CEDAR_RESOURCE], resource);
    if (p->kind == CTYPE_FALSE || r->kind == CTYPE_FALSE ||
        !check_scope_action(c->s, &scope[CEDAR_ACTION], x))
        return false;
    check_env(c, x, principal, resource, p->kind == CTYPE_TRUE ? r : p, &t);
    return true;
}

static int by_index(const void *a, const void *b)
{
    const struct schema_action *x = *(const struct schema_action *const *)a;
    const struct schema_action *y = *(const struct schema_action *const *)b;
    return (x->index > y->index) - (x->index < y->index);
}

/* `action in`: where no group is named, the actions are those named. Sets with a policy for each
 * action would otherwise look at all actions for each policy. */
static void check_listed_actions(struct checker *c, const struct cedar_scope *scope,
                                 struct check_tally *t)
{
    const struct schema *s = c->s;
    const struct schema_action **named =
        ARENA_ARRAY(&c->kept, const struct schema_action *, scope->uid_count);
    size_t n = scope->uid_count;
    bool groups = false;
    for (size_t i = 0; i < n; i++) {
        named[i] = schema_action(s, &scope->uids[i].uid);
        if (!named[i])
            return; /* one unknown action in a list, and nothing is said of the others */
        groups = groups || named[i]->has_members;
    }
    const bool *admitted = groups ? admitted_actions(c) : NULL;
    for (size_t i = 0; groups && i < s->action_count && !c->gave_up; i++)
        if (admitted[i])
            check_action(c, &s->actions[i], t);
    if (groups || n == 0)
        return;
    qsort(named, n, sizeof *named, by_index);
    for (size_t i = 0; i < n && !c->gave_up; i++)
        if (i == 0 || named[i] != named[i - 1])
            check_action(c, named[i], t);
}

struct check_tally check_envs(struct checker *c)
{
    struct check_tally t = {0};
    const struct cedar_scope *scope = &c->policy->scope[CEDAR_ACTION];
    if (scope_has_errors(c)) {
        check_scope_and_conditions(c, &t);
        return t;
    }
    if (scope->op == CEDAR_SCOPE_EQ) {
        const struct schema_action *x = schema_action(c->s, &scope->uids[0].uid);
        if (x)
            check_action(c, x, &t);
        return t;
    }
    if (scope->op != CEDAR_SCOPE_ANY) {
        check_listed_actions(c, scope, &t);
        return t;
    }
    for (size_t i = 0; i < c->s->action_count && !c->gave_up; i++)
        check_action(c, &c->s->actions[i], &t);
    return t;
}

/* ---- help when nothing applies ---- */

/* Whether `in` in place of `==` on this side would let some principal (resource) type through. */
static bool in_would_fit(const struct checker *c, enum cedar_var side, const bool *admitted)
{
    struct cedar_scope scope = c->policy->scope[side];
    bool fits = false;
    if (scope.op != CEDAR_SCOPE_EQ || scope.slot != CEDAR_SLOT_NONE)
        return false;
    scope.op = CEDAR_SCOPE_IN;
    for (size_t i = 0; i < c->s->action_count; i++) {
        const struct schema_action *x = &c->s->actions[i];
        struct schema_set types = side == CEDAR_PRINCIPAL ? x->principals : x->resources;
        if (!admitted[i])
            continue;
        for (size_t j = 0; j < types.count; j++) {
            if (check_scope_type(c->s, &c->policy->scope[side], types.items[j])->kind !=
                CTYPE_FALSE)
                return false;
            fits = fits || check_scope_type(c->s, &scope, types.items[j])->kind != CTYPE_FALSE;
        }
    }
    return fits;
}

static void report_not_applicable(struct checker *c)
{
    struct cedar_diag *one =
        check_report(c, FIND_NO_APPLICABLE_ACTION, c->policy->span,
                     "no action in the schema applies to such a principal and resource");
    if (!one)
        return;
    const bool *admitted = admitted_actions(c);
    bool principal = in_would_fit(c, CEDAR_PRINCIPAL, admitted);
    bool resource = in_would_fit(c, CEDAR_RESOURCE, admitted);
    if (principal || resource)
        check_help(c, one, "write `in` in place of `==` for the %s",
                   principal && resource ? "principal and the resource"
                   : principal           ? "principal"
                                         : "resource");
    else
        check_help(c, one, "compare the policy's scope with `appliesTo` of its actions");
}

/* ---- policies ---- */

void checker_init(struct checker *c, const struct schema *s, const struct cedar_policy *p,
                  const struct validate_options *how, struct cedar_diags *d)
{
    *c = (struct checker){.s = s, .d = d, .policy = p, .first_diag = d->count};
    if (how)
        c->how = *how;
    c->mode = c->how.mode == VALIDATE_STRICT ? CTYPE_STRICT : CTYPE_PERMISSIVE;
}

void checker_fini(struct checker *c)
{
    arena_fini(&c->scratch);
    arena_fini(&c->kept);
    map_fini(&c->shapes);
}

bool validate_policy(const struct schema *s, const struct cedar_policy *p,
                     const struct validate_options *how, struct cedar_diags *d)
{
    struct checker c;
    checker_init(&c, s, p, how, d);
    if (c.how.has_level)
        c.on_env = level_check_env;
    check_names(&c);
    struct check_tally t = check_envs(&c);
    if (c.how.has_level)
        level_check_scope(&c);
    if (!t.applicable)
        report_not_applicable(&c);
    if (!t.possible)
        check_report(&c, FIND_IMPOSSIBLE_POLICY, p->span, "this policy can never apply");
    check_texts(&c);
    checker_fini(&c);
    return c.errors == 0;
}

bool validate_policies(const struct schema *s, const struct cedar_policies *ps,
                       const struct validate_options *how, struct cedar_diags *d)
{
    bool ok = true;
    for (size_t i = 0; i < ps->count; i++)
        ok = validate_policy(s, &ps->items[i], how, d) && ok;
    return ok;
}
