/* Policies: typed once per environment, evaluated with what is known, and decided. */
#include "cedar/partial/residue.h"

const char *const partial_class_names[PARTIAL_CLASSES] = {"residual", "true", "false", "error"};

struct planned {
    const struct cedar_policy *policy;
    struct typing typing; /* zero for a template */
};

struct partial_plan {
    const struct schema *schema;
    struct cedar_uid action;
    str types[3]; /* by enum cedar_var; of principal and resource */
    struct planned *policies;
    size_t count;
};

/* ---- plans ---- */

static bool plan_policy(const struct schema *s, const struct cedar_policies *text,
                        const struct partial_request *env, struct planned *one, struct arena *a,
                        struct err *err)
{
    ARENA_SCOPE struct arena scratch = {0};
    struct cedar_diags d;
    if (one->policy->is_template)
        return true;
    cedar_diags_init(&d, &scratch, text->name, text->text);
    if (typing_make(s, one->policy, schema_action(s, &env->action),
                    schema_etype(s, env->principal.type)->index,
                    schema_etype(s, env->resource.type)->index, a, &one->typing, &d))
        return true;
    str id = str_take(one->policy->id, 80);
    for (size_t i = 0; i < d.count; i++)
        if (d.items[i].severity == CEDAR_ERROR)
            return err_input(err, "policy `%.*s` is not valid: %.*s", STR(id),
                             STR(d.items[i].text));
    return err_input(err, "policy `%.*s` is not valid", STR(id));
}

bool partial_plan_make(const struct schema *s, const struct cedar_policies *const *texts,
                       size_t text_count, const struct cedar_uid *action, str principal_type,
                       str resource_type, struct arena *a, const struct partial_plan **out,
                       struct err *err)
{
    struct partial_plan *plan = ARENA_NEW(a, struct partial_plan);
    struct partial_request env = {
        .principal = {principal_type}, .resource = {resource_type}, .action = *action};
    if (!known_request_check(s, &env, err))
        return false;
    *plan = (struct partial_plan){.schema = s, .action = *action};
    plan->types[CEDAR_PRINCIPAL] = principal_type;
    plan->types[CEDAR_RESOURCE] = resource_type;
    for (size_t i = 0; i < text_count; i++)
        plan->count += texts[i]->count;
    plan->policies = ARENA_ARRAY(a, struct planned, plan->count);
    struct planned *at = plan->policies;
    for (size_t i = 0; i < text_count; i++) {
        for (size_t j = 0; j < texts[i]->count; j++, at++) {
            at->policy = &texts[i]->items[j];
            if (!plan_policy(s, texts[i], &env, at, a, err))
                return false;
        }
    }
    *out = plan;
    return true;
}

/* ---- one policy ---- */

static struct residue scope_uid(struct evaluation *v, const struct cedar_uid_at *at)
{
    return residue_literal(v, cedar_entity_value(&at->uid), at->span);
}

/* `principal == X`, of a principal whose id is unknown. */
static struct residue scope_eq(struct evaluation *v, const struct cedar_expr *var,
                               const struct cedar_uid_at *at)
{
    struct cedar_expr **kids = ARENA_ARRAY(v->arena, struct cedar_expr *, 2);
    kids[0] = (struct cedar_expr *)var;
    kids[1] = (struct cedar_expr *)scope_uid(v, at).e;
    return (struct residue){residue_node(v, CEDAR_E_EQ, kids, 2, NULL, at->span), false};
}

/* Principal or resource. Its type is known, and fits whatever the scope says of types. */
static struct residue scope_of(struct evaluation *v, enum cedar_var side,
                               const struct cedar_scope *s)
{
    const struct cedar_expr *known = v->vars[side];
    if (s->op == CEDAR_SCOPE_ANY || s->op == CEDAR_SCOPE_IS)
        return residue_bool(v, true, s->span);
    if (s->op == CEDAR_SCOPE_EQ && known)
        return residue_bool(v, cedar_uid_eq(known->value.uid, &s->uids[0].uid), s->span);
    struct residue x = {known, false};
    if (!known) {
        struct cedar_expr *var = residue_node(v, CEDAR_E_VAR, NULL, 0, NULL, s->span);
        var->var = side;
        x.e = var;
    }
    if (s->op == CEDAR_SCOPE_EQ)
        return scope_eq(v, x.e, &s->uids[0]);
    return residue_in(v, x, scope_uid(v, &s->uids[0]), s->uids[0].span);
}

/* The static type of a condition: of an `unless`, of its negation. */
static unsigned condition_kind(const struct evaluation *v, const struct cedar_condition *one)
{
    const struct typing_fact *fact = typing_of(v->typing, one->body);
    unsigned kind = fact ? fact->kind : CTYPE_NONE;
    if (!one->unless)
        return kind;
    return kind == CTYPE_TRUE ? CTYPE_FALSE : kind == CTYPE_FALSE ? CTYPE_TRUE : kind;
}

static struct residue policy_residue(struct evaluation *v, const struct cedar_policy *p)
{
    struct chain c = {.v = v, .kind = CEDAR_E_AND, .span = p->span};
    if (v->typing->never)
        return residue_bool(v, false, p->span);
    chain_add(&c, scope_of(v, CEDAR_PRINCIPAL, &p->scope[CEDAR_PRINCIPAL]), CTYPE_BOOL);
    chain_add(&c, scope_of(v, CEDAR_RESOURCE, &p->scope[CEDAR_RESOURCE]), CTYPE_BOOL);
    for (size_t i = 0; i < p->condition_count && !c.ended; i++) {
        struct residue x = residue_of(v, p->conditions[i].body);
        if (p->conditions[i].unless)
            x = residue_not(v, x);
        chain_add(&c, x, condition_kind(v, &p->conditions[i]));
    }
    return chain_end(&c);
}

static enum partial_class class_of(struct residue r)
{
    if (residue_is_known(r))
        return r.e->value.b ? PARTIAL_TRUE : PARTIAL_FALSE;
    return residue_is_error(r) ? PARTIAL_ERROR : PARTIAL_RESIDUAL;
}

static bool evaluate_policy(struct evaluation *v, const struct planned *planned,
                            struct partial_policy *out, struct err *err)
{
    str id = str_take(planned->policy->id, 80);
    v->typing = &planned->typing;
    struct residue r = planned->policy->is_template ? residue_bool(v, false, planned->policy->span)
                                                    : policy_residue(v, planned->policy);
    *out = (struct partial_policy){planned->policy, class_of(r), reify(v, r.e)};
    if (v->nodes > PARTIAL_NODES_MAX)
        return err_limit(err, "policy `%.*s`: the residuals take over %d expressions", STR(id),
                         PARTIAL_NODES_MAX);
    if (out->residual->depth > CEDAR_DEPTH_MAX)
        return err_limit(err, "policy `%.*s`: the residual is nested over %d levels deep", STR(id),
                         CEDAR_DEPTH_MAX);
    return true;
}

/* ---- all policies ---- */

static void know_side(struct evaluation *v, enum cedar_var side, const struct partial_uid *uid)
{
    if (!uid->has_id)
        return;
    v->uids[side] = (struct cedar_uid){uid->type, uid->id};
    v->vars[side] =
        residue_literal(v, cedar_entity_value(&v->uids[side]), (struct cedar_span){0}).e;
}

/* v must not move afterwards, and lives as long as the answer. */
static bool begin(struct evaluation *v, const struct partial_plan *plan,
                  const struct partial_request *req, const struct partial_entities *entities,
                  struct arena *a, struct err *err)
{
    const struct cedar_span nowhere = {0};
    *v = (struct evaluation){.arena = a, .schema = plan->schema, .req = req, .entities = entities};
    if (!entities->sealed)
        return err_input(err, "the entities are not sealed");
    if (!known_request_check(plan->schema, req, err))
        return false;
    if (!cedar_uid_eq(&req->action, &plan->action) ||
        !str_eq(req->principal.type, plan->types[CEDAR_PRINCIPAL]) ||
        !str_eq(req->resource.type, plan->types[CEDAR_RESOURCE]))
        return err_input(err, "the request is of another environment than its plan");
    cedar_entities_init(&v->nothing, a, NULL, 0);
    if (!cedar_entities_seal(&v->nothing, err))
        return false;
    know_side(v, CEDAR_PRINCIPAL, &req->principal);
    know_side(v, CEDAR_RESOURCE, &req->resource);
    v->uids[CEDAR_ACTION] = req->action;
    v->vars[CEDAR_ACTION] =
        residue_literal(v, cedar_entity_value(&v->uids[CEDAR_ACTION]), nowhere).e;
    if (req->context)
        v->vars[CEDAR_CONTEXT] = residue_literal(v, *req->context, nowhere).e;
    return true;
}

static void count_classes(struct partial_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct partial_policy *p = &answer->policies[i];
        if (!p->policy->is_template)
            answer->classes[p->policy->effect][p->class]++;
    }
}

static void conclude(struct partial_answer *answer, struct arena *a)
{
    const size_t *permits = answer->classes[CEDAR_PERMIT];
    const size_t *forbids = answer->classes[CEDAR_FORBID];
    bool denied =
        forbids[PARTIAL_TRUE] > 0 || (permits[PARTIAL_TRUE] == 0 && permits[PARTIAL_RESIDUAL] == 0);
    bool allowed = !denied && permits[PARTIAL_TRUE] > 0 && forbids[PARTIAL_RESIDUAL] == 0;
    answer->decided = denied || allowed;
    answer->decision = allowed ? CEDAR_ALLOW : CEDAR_DENY;
    if (!answer->decided)
        return;
    enum cedar_effect effect = allowed ? CEDAR_PERMIT : CEDAR_FORBID;
    uint32_t *reasons = ARENA_ARRAY(a, uint32_t, answer->classes[effect][PARTIAL_TRUE]);
    for (uint32_t i = 0; i < answer->count; i++) {
        const struct partial_policy *p = &answer->policies[i];
        if (p->policy->effect == effect && p->class == PARTIAL_TRUE)
            reasons[answer->reason_count++] = i;
    }
    answer->reasons = reasons;
}

bool partial_evaluate(const struct partial_plan *plan, const struct partial_request *req,
                      const struct partial_entities *entities, struct arena *a,
                      const struct partial_answer **out, struct err *err)
{
    struct evaluation *v = ARENA_NEW(a, struct evaluation);
    struct partial_answer *answer = ARENA_NEW(a, struct partial_answer);
    if (!begin(v, plan, req, entities, a, err))
        return false;
    struct partial_policy *policies = ARENA_ARRAY(a, struct partial_policy, plan->count);
    for (size_t i = 0; i < plan->count; i++)
        if (!evaluate_policy(v, &plan->policies[i], &policies[i], err))
            return false;
    *answer = (struct partial_answer){.policies = policies,
                                      .count = plan->count,
                                      .schema = plan->schema,
                                      .request = req,
                                      .entities = entities};
    count_classes(answer);
    conclude(answer, a);
    *out = answer;
    return true;
}

bool partial_authorize(const struct schema *s, const struct cedar_policies *const *texts,
                       size_t text_count, const struct partial_request *req,
                       const struct partial_entities *entities, struct arena *a,
                       const struct partial_answer **out, struct err *err)
{
    const struct partial_plan *plan;
    return partial_plan_make(s, texts, text_count, &req->action, req->principal.type,
                             req->resource.type, a, &plan, err) &&
           partial_evaluate(plan, req, entities, a, out, err);
}

bool partial_refine(const struct partial_plan *plan, const struct partial_answer *before,
                    const struct partial_request *req, struct arena *a,
                    const struct partial_answer **out, struct err *err)
{
    struct evaluation *v = ARENA_NEW(a, struct evaluation);
    struct partial_answer *answer = ARENA_NEW(a, struct partial_answer);
    if (!begin(v, plan, req, before->entities, a, err))
        return false;
    struct partial_policy *policies =
        arena_dup(a, before->policies, before->count * sizeof *policies);
    for (size_t i = 0; i < plan->count; i++)
        if (before->policies[i].class == PARTIAL_RESIDUAL &&
            !evaluate_policy(v, &plan->policies[i], &policies[i], err))
            return false;
    *answer = *before;
    answer->policies = policies;
    answer->request = req;
    memset(answer->classes, 0, sizeof answer->classes);
    count_classes(answer);
    conclude(answer, a);
    *out = answer;
    return true;
}

/* ---- from residuals to a response ---- */

struct cedar_policies partial_residuals(const struct partial_answer *answer, struct arena *a)
{
    struct cedar_policies ps = {.items = ARENA_ARRAY(a, struct cedar_policy, answer->count),
                                .count = answer->count};
    for (size_t i = 0; i < answer->count; i++) {
        const struct partial_policy *from = &answer->policies[i];
        struct cedar_policy *p = &ps.items[i];
        *p = *from->policy;
        if (p->is_template)
            continue;
        p->template_id = (str){0};
        for (int side = CEDAR_PRINCIPAL; side <= CEDAR_RESOURCE; side++)
            p->scope[side] = (struct cedar_scope){.span = p->scope[side].span};
        p->conditions = ARENA_NEW(a, struct cedar_condition);
        p->conditions->body = (struct cedar_expr *)from->residual;
        p->conditions->span = p->span;
        p->condition_count = 1;
    }
    return ps;
}

bool partial_reauthorize(const struct partial_answer *answer, const struct cedar_request *req,
                         const struct cedar_entities *entities, struct arena *a,
                         struct cedar_response *out, struct err *err)
{
    if (!known_agrees(answer, req, entities, err))
        return false;
    struct cedar_policies residuals = partial_residuals(answer, a);
    const struct cedar_policies *texts[] = {&residuals};
    struct cedar_set *set = cedar_compile(texts, 1, entities->seed, err);
    if (!set)
        return false;
    bool ok = cedar_authorize(set, req, entities, a, out, err);
    cedar_set_free(set);
    return ok;
}
