#include "cedar/check/check.h"

const struct expectation expect_bool = {{&ctype_bool}, "a Bool"};
const struct expectation expect_long = {{&ctype_long}, "a Long"};
const struct expectation expect_string = {{&ctype_string}, "a String"};
const struct expectation expect_set = {{&ctype_any_set}, "a set"};
const struct expectation expect_entity = {{&ctype_any_entity}, "an entity"};
const struct expectation expect_entity_or_set = {{&ctype_any_entity, &ctype_any_entity_set},
                                                 "an entity or a set of entities"};
const struct expectation expect_entity_or_record = {{&ctype_any_entity, &ctype_any_record},
                                                    "an entity or a record"};

/* ---- operands ---- */

struct answer answer_as(struct checker *c, struct answer x, struct cedar_span span,
                        const struct expectation *want)
{
    if (!x.type)
        return answer_fail(NULL);
    /* Permissive on purpose: "a record" means one of any width. */
    for (int i = 0; i < 2 && want->types[i]; i++)
        if (ctype_is_subtype(x.type, want->types[i], CTYPE_PERMISSIVE))
            return x;
    str got = check_type_text(c, x.type);
    check_report(c, FIND_UNEXPECTED_TYPE, span, "expected %s here, and this is %.*s", want->text,
                 STR(got));
    return answer_fail(NULL);
}

struct answer check_as(struct checker *c, const struct caps *prior, const struct cedar_expr *e,
                       const struct expectation *want)
{
    return answer_as(c, check(c, prior, e), e->span, want);
}

const struct cedar_uid *check_fixed_uid(const struct checker *c, const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_ENTITY)
        return e->value.uid;
    return e->kind == CEDAR_E_VAR && e->var == CEDAR_ACTION ? &c->env.action->uid : NULL;
}

/* ---- two types that must meet ---- */

static const char *clash_help(enum ctype_clash why)
{
    static const char *const help[] = {
        [CLASH_KIND] = "both must be of one type",
        [CLASH_ENTITY] = "both must be of the same entity type",
        [CLASH_ENTITY_RECORD] = "an entity and a record never compare: compare its attributes",
        [CLASH_WIDTH] = "both records must have the same attributes",
        [CLASH_REQUIRED] = "an attribute is required in one record and optional in the other"};
    return help[why];
}

static void report_clash(struct checker *c, const struct cedar_expr *e, const struct ctype *x,
                         const struct ctype *y, enum ctype_clash why)
{
    str xt = check_type_text(c, x), yt = check_type_text(c, y);
    struct cedar_diag *one = check_report(c, FIND_INCOMPATIBLE_TYPES, e->span,
                                          "%.*s and %.*s are not compatible", STR(xt), STR(yt));
    check_help(c, one, "%s", clash_help(why));
}

bool check_pay(struct checker *c, struct cedar_span span, const struct ctype *x,
               const struct ctype *y)
{
    enum { NODES_A_STEP = 4, NODES_MAX = NODES_A_STEP * VALIDATE_STEPS_MAX };
    if (x == y)
        return true;
    c->steps += (ctype_size(x, NODES_MAX) + ctype_size(y, NODES_MAX)) / NODES_A_STEP;
    return check_step(c, span);
}

struct answer check_comparable(struct checker *c, const struct cedar_expr *e, struct answer result,
                               const struct ctype *x, const struct ctype *y)
{
    enum ctype_clash why;
    if (c->mode != CTYPE_STRICT || result.type->kind != CTYPE_BOOL || !x || !y)
        return result;
    if (!check_pay(c, e->span, x, y))
        return answer_fail(result.type);
    if (ctype_lub(&c->scratch, x, y, c->mode, &why))
        return result;
    report_clash(c, e, x, y, why);
    return answer_fail(result.type);
}

const struct ctype *check_lub(struct checker *c, const struct cedar_expr *e,
                              const struct answer *parts, size_t n)
{
    const struct ctype *lub = &ctype_never;
    for (size_t i = 0; i < n; i++)
        if (!parts[i].type)
            return NULL;
    for (size_t i = 0; i < n; i++) {
        enum ctype_clash why;
        if (!check_pay(c, e->span, lub, parts[i].type))
            return NULL;
        const struct ctype *next = ctype_lub(&c->scratch, lub, parts[i].type, c->mode, &why);
        if (!next) {
            report_clash(c, e, lub, parts[i].type, why);
            return NULL;
        }
        lub = next;
    }
    return lub;
}

/* ---- booleans ---- */

static bool is_true(struct answer x)
{
    return x.type && x.type->kind == CTYPE_TRUE;
}

struct answer answer_not(struct answer x)
{
    x.caps = NULL;
    if (is_true(x))
        x.type = &ctype_false;
    else
        x.type = answer_is_false(x) ? &ctype_true : &ctype_bool;
    return x;
}

/* What b tells replaces what a tells when a is always true: SDK 4.12 forgets the latter. */
struct answer answer_and(struct checker *c, struct answer a, struct answer b)
{
    struct answer both = {.ok = a.ok && b.ok};
    if (!a.type || !b.type)
        return answer_fail(&ctype_bool);
    if (answer_is_false(b)) {
        both.type = &ctype_false;
        return both;
    }
    both.type = is_true(b) ? a.type : is_true(a) ? b.type : &ctype_bool;
    if (both.ok)
        both.caps = is_true(a) && !is_true(b) ? b.caps : caps_union(c, a.caps, b.caps);
    return both;
}

static struct answer answer_or(struct checker *c, struct answer a, struct answer b)
{
    struct answer both = {.type = &ctype_bool, .ok = a.ok && b.ok};
    if (!a.type || !b.type)
        return answer_fail(&ctype_bool);
    if (is_true(b) || answer_is_false(a)) {
        both.type = b.type;
        both.caps = b.caps;
    } else if (answer_is_false(b)) {
        both.type = a.type;
        both.caps = a.caps;
    } else {
        both.caps = caps_both(c, a.caps, b.caps);
    }
    if (!both.ok)
        both.caps = NULL;
    return both;
}

/* A chain is pairs from the left; what follows a certain false is dead and not looked at. */
static struct answer check_and(struct checker *c, const struct caps *prior,
                               const struct cedar_expr *e)
{
    struct answer all = check_as(c, prior, e->kids[0], &expect_bool);
    for (uint32_t i = 1; i < e->kid_count; i++) {
        if (answer_is_false(all)) {
            all.caps = NULL;
            return all;
        }
        const struct caps *known = caps_union(c, prior, all.caps);
        all = answer_and(c, all, check_as(c, known, e->kids[i], &expect_bool));
    }
    return all;
}

static struct answer check_or(struct checker *c, const struct caps *prior,
                              const struct cedar_expr *e)
{
    struct answer any = check_as(c, prior, e->kids[0], &expect_bool);
    for (uint32_t i = 1; i < e->kid_count && !is_true(any); i++)
        any = answer_or(c, any, check_as(c, prior, e->kids[i], &expect_bool));
    return any;
}

static struct answer check_not(struct checker *c, const struct caps *prior,
                               const struct cedar_expr *e)
{
    return answer_not(check_as(c, prior, e->kids[0], &expect_bool));
}

/* A branch that is certain: only the other one is looked at. */
static struct answer check_if(struct checker *c, const struct caps *prior,
                              const struct cedar_expr *e)
{
    struct answer test = check_as(c, prior, e->kids[0], &expect_bool);
    if (answer_is_false(test))
        return answer_after(check(c, prior, e->kids[2]), test.ok);
    struct answer parts[2];
    parts[0] = check(c, caps_union(c, prior, test.caps), e->kids[1]);
    if (parts[0].ok)
        parts[0].caps = caps_union(c, parts[0].caps, test.caps);
    if (is_true(test))
        return answer_after(parts[0], test.ok);
    parts[1] = check(c, prior, e->kids[2]);
    const struct ctype *lub = check_lub(c, e, parts, 2);
    if (!lub || !test.ok || !parts[0].ok || !parts[1].ok)
        return answer_fail(lub);
    return (struct answer){lub, caps_both(c, parts[0].caps, parts[1].caps), true};
}

/* ---- leaves ---- */

static struct answer check_entity(struct checker *c, const struct cedar_uid *uid)
{
    const struct schema_etype *e = schema_etype(c->s, uid->type);
    if (!e || (e->is_action && !schema_action(c->s, uid)))
        return answer_fail(NULL); /* reported with the names, once for all environments */
    return answer_ok(e->type);
}

static struct answer check_literal(struct checker *c, const struct caps *prior,
                                   const struct cedar_expr *e)
{
    switch ((enum cedar_kind)e->value.kind) {
    case CEDAR_BOOL:
        return answer_ok(ctype_of_bool(e->value.b));
    case CEDAR_LONG:
        return answer_ok(&ctype_long);
    case CEDAR_STRING:
        return answer_ok(&ctype_string);
    case CEDAR_ENTITY:
        return check_entity(c, e->value.uid);
    default:
        return answer_fail(NULL); /* the parser makes no other literals */
    }
}

static struct answer check_var(struct checker *c, const struct caps *prior,
                               const struct cedar_expr *e)
{
    return answer_ok(c->env.types[e->var]);
}

/* What has no value has every type. */
static struct answer check_error(struct checker *c, const struct caps *prior,
                                 const struct cedar_expr *e)
{
    return answer_ok(&ctype_never);
}

/* ---- the walk ---- */

static check_fn *const handlers[] = {
    [CEDAR_E_LITERAL] = check_literal,
    [CEDAR_E_VAR] = check_var,
    [CEDAR_E_IF] = check_if,
    [CEDAR_E_AND] = check_and,
    [CEDAR_E_OR] = check_or,
    [CEDAR_E_NOT] = check_not,
    [CEDAR_E_NEG] = check_arithmetic,
    [CEDAR_E_EQ] = check_eq,
    [CEDAR_E_NE] = check_ne,
    [CEDAR_E_LT] = check_less,
    [CEDAR_E_LE] = check_less,
    [CEDAR_E_GT] = check_less,
    [CEDAR_E_GE] = check_less,
    [CEDAR_E_IN] = check_in,
    [CEDAR_E_SUM] = check_arithmetic,
    [CEDAR_E_PRODUCT] = check_arithmetic,
    [CEDAR_E_HAS] = check_has,
    [CEDAR_E_LIKE] = check_like,
    [CEDAR_E_IS] = check_is,
    [CEDAR_E_ATTR] = check_attr,
    [CEDAR_E_CONTAINS] = check_contains,
    [CEDAR_E_CONTAINS_ALL] = check_contains_many,
    [CEDAR_E_CONTAINS_ANY] = check_contains_many,
    [CEDAR_E_IS_EMPTY] = check_is_empty,
    [CEDAR_E_HAS_TAG] = check_has_tag,
    [CEDAR_E_GET_TAG] = check_get_tag,
    [CEDAR_E_SET] = check_set,
    [CEDAR_E_RECORD] = check_record,
    [CEDAR_E_CALL] = check_call,
    [CEDAR_E_ERROR] = check_error,
};

bool check_step(struct checker *c, struct cedar_span span)
{
    if (++c->steps <= VALIDATE_STEPS_MAX)
        return true;
    if (!c->gave_up)
        check_report(c, FIND_TOO_MUCH, span,
                     "checking this policy for every request environment takes over %d steps",
                     VALIDATE_STEPS_MAX);
    c->gave_up = true;
    return false;
}

struct check_note *check_note_any(const struct checker *c, const struct cedar_expr *e)
{
    return by_address_get(&c->notes, e);
}

const struct check_note *check_note_of(const struct checker *c, const struct cedar_expr *e)
{
    const struct check_note *note = check_note_any(c, e);
    return note && note->env == c->env_number ? note : NULL;
}

/* A record that passes the check has the attribute; an entity may be missing from the store. */
static bool is_guarded(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    const struct check_note *kid = check_note_of(c, e->kids[0]);
    if (kid && kid->type && kid->type->kind == CTYPE_RECORD)
        return true;
    return caps_has(prior, attr_cap(c, expr_number(c, e->kids[0]), e->name));
}

static void take_note(struct checker *c, const struct caps *prior, const struct cedar_expr *e,
                      struct answer x)
{
    struct check_note *note = check_note_any(c, e);
    if (!note) {
        note = ARENA_NEW(&c->kept, struct check_note);
        by_address_put(&c->kept, &c->notes, e, note);
    }
    note->type = x.type;
    note->guarded = e->kind == CEDAR_E_ATTR && x.ok && is_guarded(c, prior, e);
    note->bare = note->bare || (e->kind == CEDAR_E_ATTR && !note->guarded);
    if (note->env == c->env_number)
        return; /* looked at twice, by `is .. in` */
    note->env = c->env_number;
    note->seen++;
    note->never += answer_is_false(e->kind == CEDAR_E_NE ? answer_not(x) : x);
}

struct answer check(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    if (!check_step(c, e->span))
        return answer_fail(NULL);
    struct answer x = handlers[e->kind](c, prior, e);
    if (c->on_env)
        take_note(c, prior, e, x);
    return x;
}
