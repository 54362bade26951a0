/* Compiling whole sets, and deciding requests by them. */
#include <stdlib.h>

#include "cedar/eval/index.h"

/* ---- compiling ---- */

static struct scope compile_scope(struct cedar_set *set, enum cedar_var var,
                                  const struct cedar_scope *from)
{
    struct scope s = {.op = (uint8_t)from->op, .uid_count = (uint32_t)from->uid_count};
    uint32_t *uids = ARENA_ARRAY(&set->arena, uint32_t, from->uid_count);
    for (size_t i = 0; i < from->uid_count; i++)
        uids[i] = intern_add(&set->arena, &set->uids, from->uids[i].uid);
    s.uids = uids;
    if (from->type.n)
        s.type = intern_add(&set->arena, &set->types, (struct cedar_uid){.type = from->type});
    if (from->op == CEDAR_SCOPE_IN || from->op == CEDAR_SCOPE_IN_SET ||
        from->op == CEDAR_SCOPE_IS_IN)
        set->names_ancestors[var] = true;
    return s;
}

static void compile_policy(struct cedar_set *set, const struct cedar_policies *text,
                           const struct cedar_policy *p, struct compiled *out)
{
    *out = (struct compiled){.policy = p, .text = text};
    if (p->is_template)
        return;
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        out->scope[var] = compile_scope(set, var, &p->scope[var]);
    out->code_from = set->code.count;
    code_conditions(&set->code, p);
    out->code_to = set->code.count;
}

struct cedar_set *cedar_compile(const struct cedar_policies *const *texts, size_t text_count,
                                uint64_t seed, struct err *err)
{
    size_t count = 0, n = 0;
    for (size_t t = 0; t < text_count; t++)
        count += texts[t]->count;
    if (count > CEDAR_POLICIES_MAX) {
        err_limit(err, "more than %d policies", CEDAR_POLICIES_MAX);
        return NULL;
    }
    struct cedar_set *set = calloc(1, sizeof *set);
    if (!set)
        abort();
    set->code.arena = &set->arena;
    set->uids.seed = set->types.seed = seed;
    set->count = count;
    set->policies = ARENA_ARRAY(&set->arena, struct compiled, count);
    for (size_t t = 0; t < text_count; t++) {
        for (size_t i = 0; i < texts[t]->count; i++)
            compile_policy(set, texts[t], &texts[t]->items[i], &set->policies[n++]);
    }
    index_build(set);
    return set;
}

void cedar_set_free(struct cedar_set *set)
{
    if (!set)
        return;
    arena_fini(&set->arena);
    free(set);
}

size_t cedar_set_count(const struct cedar_set *set)
{
    return set->count;
}

const struct cedar_policy *cedar_set_policy(const struct cedar_set *set, size_t i)
{
    return set->policies[i].policy;
}

const struct cedar_policies *cedar_set_text(const struct cedar_set *set, size_t i)
{
    return set->policies[i].text;
}

/* ---- the request in numbers ---- */

static uint32_t number_of(const struct cedar_set *set, const struct cedar_uid *uid, uint64_t hash,
                          bool same_seed)
{
    return intern_find(&set->uids, same_seed ? hash : hash_uid(set->uids.seed, uid), uid);
}

static void learn_side(const struct cedar_set *set, const struct machine *m, enum cedar_var var,
                       const struct cedar_uid *uid, struct side_facts *out)
{
    const struct cedar_entity *e = m->known[var];
    bool same_seed = m->entities->seed == set->uids.seed;
    *out = (struct side_facts){0};
    out->self = e ? number_of(set, uid, e->hash, same_seed)
                  : intern_find(&set->uids, hash_uid(set->uids.seed, uid), uid);
    if (set->types.count) {
        struct cedar_uid type = {.type = uid->type};
        out->type = intern_find(&set->types, hash_uid(set->types.seed, &type), &type);
    }
    size_t most = set->names_ancestors[var] ? 1 + (e ? e->ancestor_count : 0) : 0;
    if (most == 0)
        return;
    uint32_t *in = ARENA_ARRAY(m->scratch, uint32_t, most);
    if (out->self)
        in[out->in_count++] = out->self;
    for (size_t i = 0; i + 1 < most; i++) {
        uint32_t n = number_of(set, e->ancestors[i].uid, e->ancestors[i].hash, same_seed);
        if (n)
            in[out->in_count++] = n;
    }
    out->in = in;
}

/* ---- deciding ---- */

struct deciding {
    const struct cedar_set *set;
    struct side_facts facts[3];
    struct machine machine;
    uint32_t *satisfied[2]; /* by effect */
    size_t satisfied_count[2], satisfied_cap[2];
    struct cedar_policy_error *errors;
    size_t error_count, error_cap;
    size_t evaluated;
};

static void decide_policy(void *ctx, uint32_t number)
{
    struct deciding *d = ctx;
    const struct compiled *c = &d->set->policies[number];
    struct err err;
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (!scope_matches(&c->scope[var], &d->facts[var]))
            return;
    }
    d->evaluated++;
    enum outcome outcome = machine_run(&d->machine, c->code_from, c->code_to, &err);
    struct arena *a = d->machine.scratch;
    if (outcome == RUN_FAILED) {
        struct cedar_policy_error e = {number, str_dup(a, str_z(err.text))};
        PUSH(a, d->errors, d->error_count, d->error_cap, e);
    } else if (outcome == RUN_TRUE) {
        enum cedar_effect effect = c->policy->effect;
        PUSH(a, d->satisfied[effect], d->satisfied_count[effect], d->satisfied_cap[effect], number);
    }
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int error_order(const void *a, const void *b)
{
    const struct cedar_policy_error *x = a, *y = b;
    return (x->policy > y->policy) - (x->policy < y->policy);
}

static void conclude(struct deciding *d, struct cedar_response *out)
{
    bool forbidden = d->satisfied_count[CEDAR_FORBID] > 0;
    enum cedar_effect effect = forbidden ? CEDAR_FORBID : CEDAR_PERMIT;
    size_t reasons = d->satisfied_count[effect];
    if (reasons > 1)
        qsort(d->satisfied[effect], reasons, sizeof **d->satisfied, number_order);
    if (d->error_count > 1)
        qsort(d->errors, d->error_count, sizeof *d->errors, error_order);
    *out = (struct cedar_response){
        .decision = !forbidden && reasons > 0 ? CEDAR_ALLOW : CEDAR_DENY,
        .reasons = d->satisfied[effect],
        .reason_count = reasons,
        .errors = d->errors,
        .error_count = d->error_count,
        .evaluated = d->evaluated,
    };
}

static bool check_request(const struct cedar_request *req, const struct cedar_entities *entities,
                          struct err *err)
{
    for (const struct cedar_entities *s = entities; s; s = s->base) {
        if (!s->sealed)
            return err_input(err, "the entity store is not sealed");
    }
    if (req->context && req->context->kind != CEDAR_RECORD)
        return err_input(err, "the context is no record but %s",
                         cedar_kind_name(req->context->kind));
    return true;
}

bool cedar_authorize(const struct cedar_set *set, const struct cedar_request *req,
                     const struct cedar_entities *entities, struct arena *scratch,
                     struct cedar_response *out, struct err *err)
{
    if (!check_request(req, entities, err))
        return false;
    struct deciding d = {.set = set};
    machine_init(&d.machine, &set->code, req, entities, scratch);
    learn_side(set, &d.machine, CEDAR_PRINCIPAL, &req->principal, &d.facts[CEDAR_PRINCIPAL]);
    learn_side(set, &d.machine, CEDAR_ACTION, &req->action, &d.facts[CEDAR_ACTION]);
    learn_side(set, &d.machine, CEDAR_RESOURCE, &req->resource, &d.facts[CEDAR_RESOURCE]);
    index_select(set, d.facts, decide_policy, &d);
    conclude(&d, out);
    return true;
}

bool cedar_expr_eval(const struct cedar_expr *e, const struct cedar_request *req,
                     const struct cedar_entities *entities, struct arena *scratch,
                     struct cedar_value *out, struct err *err)
{
    struct code code = {.arena = scratch};
    struct machine m;
    if (!check_request(req, entities, err))
        return false;
    code_expr(&code, e);
    machine_init(&m, &code, req, entities, scratch);
    if (machine_run(&m, 0, code.count, err) != RUN_TRUE)
        return false;
    *out = m.stack[0];
    return true;
}
