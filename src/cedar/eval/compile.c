/* Syntax tree to stack code. */
#include "cedar/eval/code.h"

static size_t emit(struct code *c, enum op op, uint32_t arg, uint32_t wide)
{
    struct instr i = {.op = (uint8_t)op, .arg = arg, .wide = wide};
    PUSH(c->grow, c->instrs, c->count, c->cap, i);
    return c->count - 1;
}

/* What the instruction takes from and leaves on the stack. */
static void stack_moves(struct code *c, size_t takes, size_t leaves)
{
    c->stack = c->stack - takes + leaves;
    if (c->stack > c->stack_max)
        c->stack_max = c->stack;
}

static void land_here(struct code *c, size_t jump)
{
    c->instrs[jump].arg = (uint32_t)c->count;
}

static void emit_const(struct code *c, const struct cedar_value *v)
{
    emit(c, OP_CONST, code_const(c, v), 0);
    stack_moves(c, 0, 1);
}

/* ---- what is the same for every request ---- */

static bool fold(struct arena *a, const struct cedar_expr *e, struct cedar_value *out);

static bool fold_kids(struct arena *a, const struct cedar_expr *e, struct cedar_value **out)
{
    struct cedar_value *values = ARENA_ARRAY(a, struct cedar_value, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (!fold(a, e->kids[i], &values[i]))
            return false;
    }
    *out = values;
    return true;
}

static bool fold_record(struct arena *a, const struct cedar_expr *e, struct cedar_value *out)
{
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, e->kid_count);
    for (uint32_t i = 0; i < e->kid_count; i++) {
        fields[i].name = e->names[i];
        if (!fold(a, e->kids[i], &fields[i].value))
            return false;
    }
    return cedar_record_of(fields, e->kid_count, out);
}

/* Only what cannot fail: what fails must do so at each request, where it is reached. */
static bool fold(struct arena *a, const struct cedar_expr *e, struct cedar_value *out)
{
    struct cedar_value *kids;
    struct err ignored;
    switch (e->kind) {
    case CEDAR_E_LITERAL:
        *out = e->value;
        return true;
    case CEDAR_E_SET:
        if (!fold_kids(a, e, &kids))
            return false;
        *out = cedar_set_of(kids, e->kid_count);
        return true;
    case CEDAR_E_RECORD:
        return fold_record(a, e, out);
    case CEDAR_E_CALL:
        return e->kid_count == 1 && e->kids[0]->kind == CEDAR_E_LITERAL && fold_kids(a, e, &kids) &&
               cedar_fn_call(a, e->fn, kids, 1, out, &ignored);
    default:
        return false;
    }
}

/* ---- expressions ---- */

static void code_kids(struct code *c, const struct cedar_expr *e)
{
    for (uint32_t i = 0; i < e->kid_count; i++)
        code_expr(c, e->kids[i]);
}

/* Whatever it is given, if it does not fail. */
static bool is_always_bool(const struct cedar_expr *e)
{
    return (e->kind >= CEDAR_E_AND && e->kind <= CEDAR_E_IN && e->kind != CEDAR_E_NEG) ||
           (e->kind >= CEDAR_E_HAS && e->kind <= CEDAR_E_IS) ||
           (e->kind >= CEDAR_E_CONTAINS && e->kind <= CEDAR_E_HAS_TAG);
}

/* Jumps of one chain are linked through their arg until the end is known. */
static void code_chain(struct code *c, const struct cedar_expr *e, enum op op)
{
    enum { NONE = UINT32_MAX };
    uint32_t last = NONE;
    for (uint32_t i = 0; i + 1 < e->kid_count; i++) {
        code_expr(c, e->kids[i]);
        last = (uint32_t)emit(c, op, last, 0);
        stack_moves(c, 1, 0);
    }
    code_expr(c, e->kids[e->kid_count - 1]);
    if (!is_always_bool(e->kids[e->kid_count - 1]))
        emit(c, OP_BOOL, 0, 0);
    while (last != NONE) {
        uint32_t before = c->instrs[last].arg;
        land_here(c, last);
        last = before;
    }
}

static void code_if(struct code *c, const struct cedar_expr *e)
{
    code_expr(c, e->kids[0]);
    size_t to_else = emit(c, OP_JUMP_UNLESS, 0, 0);
    stack_moves(c, 1, 0);
    code_expr(c, e->kids[1]);
    size_t to_end = emit(c, OP_JUMP, 0, 0);
    stack_moves(c, 1, 0);
    land_here(c, to_else);
    code_expr(c, e->kids[2]);
    land_here(c, to_end);
}

static void code_folded_left(struct code *c, const struct cedar_expr *e)
{
    code_expr(c, e->kids[0]);
    for (uint32_t i = 1; i < e->kid_count; i++) {
        code_expr(c, e->kids[i]);
        enum op op = OP_MUL;
        if (e->kind == CEDAR_E_SUM)
            op = e->minus[i] ? OP_SUB : OP_ADD;
        emit(c, op, 0, 0);
        stack_moves(c, 2, 1);
    }
}

/* The right side of `in`, most often one entity. */
static void code_in(struct code *c, const struct cedar_expr *right)
{
    if (right->kind == CEDAR_E_LITERAL && right->value.kind == CEDAR_ENTITY) {
        emit(c, OP_IN_KEY, code_key(c, right->value.uid), 0);
        return;
    }
    code_expr(c, right);
    emit(c, OP_IN, 0, 0);
    stack_moves(c, 2, 1);
}

static void code_is(struct code *c, const struct cedar_expr *e)
{
    uint32_t name = code_names(c, &e->name, 1);
    code_expr(c, e->kids[0]);
    if (e->kid_count == 1) {
        emit(c, OP_IS, name, 0);
        return;
    }
    size_t jump = emit(c, OP_IS_OR_JUMP, 0, name);
    code_in(c, e->kids[1]);
    land_here(c, jump);
}

/* A variable, or up to PATH_NAMES_MAX attributes of one. Deeper chains go on with OP_ATTR. */
static bool path_of(struct code *c, const struct cedar_expr *e, struct instr *out, uint32_t *first,
                    enum cedar_kind *kind)
{
    str names[PATH_NAMES_MAX];
    struct hint hints[PATH_NAMES_MAX];
    size_t n = PATH_NAMES_MAX;
    for (; e->kind == CEDAR_E_ATTR && n > 0; e = e->kids[0])
        names[--n] = e->name;
    if (e->kind != CEDAR_E_VAR)
        return false;
    out->var = (uint8_t)e->var;
    out->path = (uint8_t)(PATH_NAMES_MAX - n);
    struct guess g = c->vars[e->var];
    for (size_t i = n; i < PATH_NAMES_MAX; i++)
        hints[i] = code_types_step(c, &g, names[i]);
    *first = code_path_names(c, names + n, hints + n, out->path);
    *kind = code_types_kind(&g);
    return true;
}

static bool code_path(struct code *c, const struct cedar_expr *e)
{
    struct instr i = {.op = OP_PATH};
    enum cedar_kind kind;
    if (!path_of(c, e, &i, &i.arg, &kind))
        return false;
    i.wide = i.path;
    PUSH(c->grow, c->instrs, c->count, c->cap, i);
    stack_moves(c, 0, 1);
    return true;
}

static void code_attr(struct code *c, const struct cedar_expr *e)
{
    if (code_path(c, e))
        return;
    code_expr(c, e->kids[0]);
    emit(c, OP_ATTR, code_names(c, &e->name, 1), 0);
}

static void code_like(struct code *c, const struct cedar_expr *e)
{
    code_kids(c, e);
    emit(c, OP_LIKE, (uint32_t)c->pattern_count, 0);
    PUSH(c->grow, c->patterns, c->pattern_count, c->pattern_cap, e->pattern);
}

static void code_composite(struct code *c, const struct cedar_expr *e)
{
    struct cedar_value v;
    if (fold(c->keep, e, &v)) {
        emit_const(c, &v);
        return;
    }
    code_kids(c, e);
    if (e->kind == CEDAR_E_SET)
        emit(c, OP_SET, e->kid_count, 0);
    else if (e->kind == CEDAR_E_RECORD)
        emit(c, OP_RECORD, code_names(c, e->names, e->name_count), e->kid_count);
    else
        emit(c, OP_CALL, (uint32_t)e->fn, e->kid_count);
    stack_moves(c, e->kid_count, 1);
}

/* ---- tests ---- */

static bool is_entity_var(const struct cedar_expr *e)
{
    return e->kind == CEDAR_E_VAR && e->var != CEDAR_CONTEXT;
}

static bool is_number(enum cedar_kind kind)
{
    return kind == CEDAR_LONG || kind == CEDAR_DATETIME || kind == CEDAR_DURATION;
}

/* TYPED_SAME .. TYPED_OTHER_ENTITY for a comparison of two values of one kind; test where there is
 * none. */
static uint8_t typed_comparison(uint8_t test, enum cedar_kind kind)
{
    if (test > TEST_NE)
        return is_number(kind) ? (uint8_t)(test - TEST_EQ + TYPED_SAME) : test;
    if (kind == CEDAR_STRING)
        return (uint8_t)(TYPED_SAME + test);
    if (kind == CEDAR_ENTITY)
        return (uint8_t)(TYPED_ENTITY + test);
    return is_number(kind) || kind == CEDAR_DECIMAL ? (uint8_t)(TYPED_NUMBER + test) : test;
}

static bool is_few_strings(const struct cedar_value *set)
{
    enum { FEW = 8 };
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->items[i].kind != CEDAR_STRING)
            return false;
    }
    return set->n <= FEW;
}

/* The test that is made for what the schema says the path leads to. */
static uint8_t typed_test(const struct code *c, const struct instr *i, enum cedar_kind kind)
{
    if (i->test <= TEST_GE)
        return c->consts[i->arg].kind == kind ? typed_comparison(i->test, kind) : i->test;
    if (i->test == TEST_TRUE && kind == CEDAR_BOOL)
        return TYPED_BOOL;
    if (i->test == TEST_HAS && kind == CEDAR_RECORD)
        return TYPED_HAS;
    if (i->test == TEST_LIKE && kind == CEDAR_STRING)
        return TYPED_LIKE;
    if (i->test == TEST_IN_SET && kind == CEDAR_STRING && is_few_strings(&c->consts[i->arg]))
        return TYPED_IN_SET;
    return i->test;
}

/* `path has name`: the name, with where the path's type has it. */
static uint32_t has_name(struct code *c, const struct cedar_expr *e)
{
    struct guess g;
    struct hint hint = NO_HINT;
    if (code_types_guess(c, e->kids[0], &g))
        hint = code_types_step(c, &g, e->names[0]);
    return code_path_names(c, e->names, &hint, 1);
}

/* Which part of the test is the path, and what the other part is to it. */
static const struct cedar_expr *test_of(struct code *c, const struct cedar_expr *e, struct instr *i)
{
    struct cedar_value v;
    switch (e->kind) {
    case CEDAR_E_EQ:
        if (is_entity_var(e->kids[1]) && code_types_of(c, e->kids[0]) == CEDAR_ENTITY) {
            i->test = TYPED_IS_VAR;
            i->arg = e->kids[1]->var;
            return e->kids[0];
        }
        __attribute__((fallthrough));
    case CEDAR_E_NE:
    case CEDAR_E_LT:
    case CEDAR_E_LE:
    case CEDAR_E_GT:
    case CEDAR_E_GE:
        if (!fold(c->keep, e->kids[1], &v))
            return NULL;
        i->test = (uint8_t)(TEST_EQ + (e->kind - CEDAR_E_EQ));
        i->arg = code_const(c, &v);
        return e->kids[0];
    case CEDAR_E_CONTAINS:
        if (!fold(c->keep, e->kids[0], &v) || v.kind != CEDAR_SET)
            return NULL;
        i->test = TEST_IN_SET;
        i->arg = code_const(c, &v);
        return e->kids[1];
    case CEDAR_E_HAS:
        if (e->name_count != 1)
            return NULL;
        i->test = TEST_HAS;
        i->arg = has_name(c, e);
        return e->kids[0];
    case CEDAR_E_IN:
        if (is_entity_var(e->kids[0]) && e->kids[1]->kind == CEDAR_E_ATTR) {
            i->test = TEST_HOLDS;
            i->arg = e->kids[0]->var;
            return e->kids[1];
        }
        if (e->kids[1]->kind != CEDAR_E_LITERAL || e->kids[1]->value.kind != CEDAR_ENTITY)
            return NULL;
        i->test = TEST_IN_KEY;
        i->arg = code_key(c, e->kids[1]->value.uid);
        return e->kids[0];
    case CEDAR_E_LIKE:
        i->test = TEST_LIKE;
        i->arg = (uint32_t)c->pattern_count;
        PUSH(c->grow, c->patterns, c->pattern_count, c->pattern_cap, e->pattern);
        return e->kids[0];
    default:
        i->test = TEST_TRUE;
        return e->kind == CEDAR_E_ATTR || e->kind == CEDAR_E_VAR ? e : NULL;
    }
}

static bool code_test(struct code *c, const struct cedar_expr *e, enum op op)
{
    struct instr i = {.op = (uint8_t)op};
    const struct cedar_expr *path = test_of(c, e, &i);
    enum cedar_kind kind;
    if (!path || !path_of(c, path, &i, &i.wide, &kind))
        return false;
    i.test = typed_test(c, &i, kind);
    PUSH(c->grow, c->instrs, c->count, c->cap, i);
    stack_moves(c, 0, op == OP_TEST);
    return true;
}

/* Kinds that are their kids, then one instruction without more to it. */
static const uint8_t plain_ops[] = {
    [CEDAR_E_NOT] = OP_NOT,
    [CEDAR_E_GE] = OP_GE,
    [CEDAR_E_GT] = OP_GT,
    [CEDAR_E_LE] = OP_LE,
    [CEDAR_E_LT] = OP_LT,
    [CEDAR_E_NE] = OP_NE,
    [CEDAR_E_EQ] = OP_EQ,
    [CEDAR_E_NEG] = OP_NEG,
    [CEDAR_E_CONTAINS] = OP_CONTAINS,
    [CEDAR_E_CONTAINS_ALL] = OP_CONTAINS_ALL,
    [CEDAR_E_CONTAINS_ANY] = OP_CONTAINS_ANY,
    [CEDAR_E_IS_EMPTY] = OP_IS_EMPTY,
    [CEDAR_E_HAS_TAG] = OP_HAS_TAG,
    [CEDAR_E_GET_TAG] = OP_GET_TAG,
};

_Static_assert(CEDAR_E_GE - CEDAR_E_EQ == OP_GE - OP_EQ && TEST_GE - TEST_EQ == OP_GE - OP_EQ,
               "comparisons stand in the same order everywhere");

/* A comparison of two values on the stack. */
static bool code_typed(struct code *c, const struct cedar_expr *e)
{
    if (!c->schema || e->kind < CEDAR_E_EQ || e->kind > CEDAR_E_GE)
        return false;
    enum cedar_kind kind = code_types_of(c, e->kids[0]);
    uint8_t test = (uint8_t)(TEST_EQ + (e->kind - CEDAR_E_EQ));
    struct instr i = {.op = OP_TYPED, .test = typed_comparison(test, kind), .path = (uint8_t)kind};
    if (i.test == test || code_types_of(c, e->kids[1]) != kind)
        return false;
    PUSH(c->grow, c->instrs, c->count, c->cap, i);
    return true;
}

void code_expr(struct code *c, const struct cedar_expr *e)
{
    if (e->kind != CEDAR_E_VAR && e->kind != CEDAR_E_ATTR && code_test(c, e, OP_TEST))
        return;
    switch (e->kind) {
    case CEDAR_E_LITERAL:
        emit_const(c, &e->value);
        return;
    case CEDAR_E_VAR:
        code_path(c, e);
        return;
    case CEDAR_E_IF:
        code_if(c, e);
        return;
    case CEDAR_E_AND:
        code_chain(c, e, OP_AND);
        return;
    case CEDAR_E_OR:
        code_chain(c, e, OP_OR);
        return;
    case CEDAR_E_SUM:
    case CEDAR_E_PRODUCT:
        code_folded_left(c, e);
        return;
    case CEDAR_E_HAS:
        code_kids(c, e);
        emit(c, OP_HAS, code_names(c, e->names, e->name_count), e->name_count);
        return;
    case CEDAR_E_ATTR:
        code_attr(c, e);
        return;
    case CEDAR_E_IN:
        code_expr(c, e->kids[0]);
        code_in(c, e->kids[1]);
        return;
    case CEDAR_E_IS:
        code_is(c, e);
        return;
    case CEDAR_E_LIKE:
        code_like(c, e);
        return;
    case CEDAR_E_SET:
    case CEDAR_E_RECORD:
    case CEDAR_E_CALL:
        code_composite(c, e);
        return;
    case CEDAR_E_ERROR:
        emit(c, OP_FAIL, 0, 0);
        stack_moves(c, 0, 1);
        return;
    default:
        code_kids(c, e);
        if (!code_typed(c, e))
            emit(c, plain_ops[e->kind], 0, 0);
        stack_moves(c, e->kid_count, 1);
    }
}

/* when { !a } is unless { a }; when { a && b } is when { a } when { b }; unless { a || b } is
 * unless { a } unless { b }: the same order, and each part must be a bool either way. */
static void code_condition(struct code *c, const struct cedar_expr *e, bool unless)
{
    for (; e->kind == CEDAR_E_NOT; e = e->kids[0])
        unless = !unless;
    if (e->kind == (unless ? CEDAR_E_OR : CEDAR_E_AND)) {
        for (uint32_t i = 0; i < e->kid_count; i++)
            code_condition(c, e->kids[i], unless);
        return;
    }
    if (code_test(c, e, unless ? OP_UNLESS_TEST : OP_WHEN_TEST))
        return;
    code_expr(c, e);
    emit(c, unless ? OP_UNLESS : OP_WHEN, 0, 0);
    stack_moves(c, 1, 0);
}

void code_conditions(struct code *c, const struct cedar_policy *p)
{
    code_types_begin(c, p);
    for (size_t i = 0; i < p->condition_count; i++)
        code_condition(c, p->conditions[i].body, p->conditions[i].unless);
}
