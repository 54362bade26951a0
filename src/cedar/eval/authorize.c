/* Deciding requests by a compiled set. */
#include "cedar/eval/index.h"

enum { FEW = 16 };

struct deciding {
    struct selection selection; /* first: visit is given it */
    struct machine machine;
    uint32_t *satisfied[2]; /* by effect */
    size_t satisfied_count[2], satisfied_cap[2];
    struct cedar_policy_error *errors;
    size_t error_count, error_cap;
    size_t evaluated;
    enum cedar_mode mode;
    bool over; /* what is left cannot change the decision */
};

/* ---- scopes ---- */

static bool type_is(const struct deciding *d, uint32_t name, const struct subject *s)
{
    return same_bytes(d->machine.code->names[name], s->uid->type);
}

static inline bool side_fits(struct deciding *d, const struct compiled *c, int side,
                             enum cedar_var var)
{
    const struct key *keys = d->machine.code->keys;
    const struct subject *s = &d->machine.subjects[var];
    uint8_t wants = c->wants[side];
    if (!wants)
        return true;
    if (wants & WANTS_SAME)
        return c->hashes[side] == s->hash && cedar_uid_eq(keys[c->keys[side]].uid, s->uid);
    return (!(wants & WANTS_TYPE) || type_is(d, c->types[side], s)) &&
           (!(wants & WANTS_IN) ||
            subject_in(subject_known(&d->machine, var), c->hashes[side], &keys[c->keys[side]]));
}

/* ---- policies ---- */

static void note_satisfied(struct deciding *d, const struct compiled *c)
{
    uint8_t e = c->effect;
    PUSH(d->machine.scratch, d->satisfied[e], d->satisfied_count[e], d->satisfied_cap[e],
         c->number);
}

static void note_error(struct deciding *d, const struct compiled *c, const struct err *err)
{
    struct arena *a = d->machine.scratch;
    struct cedar_policy_error e = {c->number, str_dup(a, str_z(err->text))};
    PUSH(a, d->errors, d->error_count, d->error_cap, e);
}

/* When only the decision is wanted. Under DECISION_CLOSED a permit may still fail. */
static bool is_needless(const struct deciding *d, const struct compiled *c)
{
    return d->over || (d->mode == CEDAR_DECISION && c->effect == CEDAR_PERMIT &&
                       d->satisfied_count[CEDAR_PERMIT] > 0);
}

static void decide_policies(struct selection *selection, const uint32_t *places, uint32_t first,
                            size_t n)
{
    struct deciding *d = (struct deciding *)selection;
    const struct cedar_set *set = selection->set;
    UNINITIALIZED struct err err;
    for (size_t i = 0; i < n; i++) {
        if (places)
            first = places[i];
        const struct compiled *c = compiled_at(set, first);
        first += compiled_units(c);
        if (!side_fits(d, c, OF_PRINCIPAL, CEDAR_PRINCIPAL) ||
            !side_fits(d, c, OF_RESOURCE, CEDAR_RESOURCE) ||
            (c->in_many && index_came_before(selection, c->number)))
            continue;
        if (d->mode && is_needless(d, c))
            continue;
        d->evaluated++;
        enum outcome outcome = machine_run(&d->machine, c->code, c->code_count, &err);
        if (outcome == RUN_TRUE)
            note_satisfied(d, c);
        else if (outcome == RUN_FAILED)
            note_error(d, c, &err);
        if (d->mode == CEDAR_FULL)
            continue;
        d->over = (outcome == RUN_TRUE && c->effect == CEDAR_FORBID) ||
                  (outcome == RUN_FAILED && d->mode == CEDAR_DECISION_CLOSED);
        if (d->over)
            return;
    }
}

static bool number_less(const void *base, size_t i, size_t j)
{
    const uint32_t *numbers = base;
    return numbers[i] < numbers[j];
}

static void number_swap(void *base, size_t i, size_t j)
{
    uint32_t *numbers = base, t = numbers[i];
    numbers[i] = numbers[j];
    numbers[j] = t;
}

static bool error_less(const void *base, size_t i, size_t j)
{
    const struct cedar_policy_error *errors = base;
    return errors[i].policy < errors[j].policy;
}

static void error_swap(void *base, size_t i, size_t j)
{
    struct cedar_policy_error *errors = base, t = errors[i];
    errors[i] = errors[j];
    errors[j] = t;
}

static void conclude(struct deciding *d, struct cedar_response *out)
{
    bool forbidden = d->satisfied_count[CEDAR_FORBID] > 0;
    bool failed = d->mode == CEDAR_DECISION_CLOSED && d->error_count > 0;
    enum cedar_effect effect = forbidden ? CEDAR_FORBID : CEDAR_PERMIT;
    size_t reasons = d->satisfied_count[effect];
    if (reasons > 1)
        cedar_heap_sort(d->satisfied[effect], reasons, number_less, number_swap);
    if (d->error_count > 1)
        cedar_heap_sort(d->errors, d->error_count, error_less, error_swap);
    *out = (struct cedar_response){
        .decision = !forbidden && !failed && reasons > 0 ? CEDAR_ALLOW : CEDAR_DENY,
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
    return cedar_authorize_as(CEDAR_FULL, set, req, entities, scratch, out, err);
}

bool cedar_authorize_as(enum cedar_mode mode, const struct cedar_set *set,
                        const struct cedar_request *req, const struct cedar_entities *entities,
                        struct arena *scratch, struct cedar_response *out, struct err *err)
{
    UNINITIALIZED struct cedar_value small[STACK_SMALL];
    UNINITIALIZED struct deciding d;
    if (!check_request(req, entities, err))
        return false;
    machine_init(&d.machine, &set->code, req, entities, scratch, small);
    d.selection = (struct selection){.set = set, .machine = &d.machine, .visit = decide_policies};
    for (int effect = 0; effect < 2; effect++) {
        d.satisfied[effect] = ARENA_ARRAY(scratch, uint32_t, FEW);
        d.satisfied_count[effect] = 0;
        d.satisfied_cap[effect] = FEW;
    }
    d.errors = NULL;
    d.error_count = d.error_cap = d.evaluated = 0;
    d.mode = mode;
    d.over = false;
    index_select(&d.selection);
    conclude(&d, out);
    return true;
}

bool cedar_expr_eval(const struct cedar_expr *e, const struct cedar_request *req,
                     const struct cedar_entities *entities, struct arena *scratch,
                     struct cedar_value *out, struct err *err)
{
    struct code code = {.keep = scratch, .grow = scratch, .seed = entities->seed};
    struct cedar_value small[STACK_SMALL];
    struct machine m;
    if (!check_request(req, entities, err))
        return false;
    code_expr(&code, e);
    machine_init(&m, &code, req, entities, scratch, small);
    if (machine_run(&m, code.instrs, code.count, err) != RUN_TRUE)
        return false;
    *out = m.stack[0];
    return true;
}
