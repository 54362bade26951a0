/* code: compiled policies. Internal to this folder.
 *
 * Conditions are code for a stack machine: each instruction takes its operands from the stack and
 * leaves one value. Jumps go forward only, so code ends. Scopes are compiled to numbers of interned
 * names and never fail; the index over them is in index.h. */
#pragma once
#include "cedar/cedar.h"
#include "cedar/value/hash.h"

enum op {
    OP_CONST, /* push consts[arg] */
    OP_VAR,   /* push the variable arg */
    OP_ATTR,  /* names[arg] */
    OP_HAS,   /* names[arg .. arg + wide) */
    OP_HAS_TAG,
    OP_GET_TAG,
    OP_NOT,
    OP_NEG,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_IS,         /* names[arg] */
    OP_IS_OR_JUMP, /* names[wide]: not of that type: replace by false and jump to arg */
    OP_LIKE,       /* patterns[arg] */
    OP_CONTAINS,
    OP_CONTAINS_ALL,
    OP_CONTAINS_ANY,
    OP_IS_EMPTY,
    OP_SET,    /* of the top arg values */
    OP_RECORD, /* of the top wide values, named names[arg ..] */
    OP_CALL,   /* function arg, of the top wide values */
    OP_FAIL,
    OP_AND,         /* top false: jump to arg, keeping it; true: pop */
    OP_OR,          /* top true: jump to arg, keeping it; false: pop */
    OP_BOOL,        /* top must be a bool */
    OP_JUMP,        /* to arg */
    OP_JUMP_UNLESS, /* pop; false: jump to arg */
    OP_WHEN,        /* pop; false: the policy is not satisfied */
    OP_UNLESS,      /* pop; true: the policy is not satisfied */
};

struct instr {
    uint8_t op; /* enum op */
    uint32_t wide;
    uint32_t arg;
};

struct code {
    struct arena *arena;
    struct instr *instrs;
    size_t count, cap;
    struct cedar_value *consts;
    size_t const_count, const_cap;
    str *names;
    size_t name_count, name_cap;
    const struct cedar_pattern **patterns;
    size_t pattern_count, pattern_cap;
    size_t stack, stack_max; /* while compiling: now, and the most ever */
};

/* Append the code of an expression, or of all conditions of a policy. */
void code_expr(struct code *c, const struct cedar_expr *e);
void code_conditions(struct code *c, const struct cedar_policy *p);

/* ---- running ---- */

struct machine {
    const struct code *code;
    const struct cedar_request *req;
    const struct cedar_entities *entities;
    /* Of the three uids of the request; NULL where there is no such entity. */
    const struct cedar_entity *known[3];
    struct arena *scratch;
    struct cedar_value *stack; /* code->stack_max values */
};

void machine_init(struct machine *m, const struct code *code, const struct cedar_request *req,
                  const struct cedar_entities *entities, struct arena *scratch);

enum outcome {
    RUN_FAILED = 0, /* err says why */
    RUN_FALSE,
    RUN_TRUE, /* ran to the end: all conditions hold, or the value is on the stack */
};
enum outcome machine_run(struct machine *m, size_t from, size_t to, struct err *err);

/* ---- growing arrays ---- */
#define PUSH(arena, array, count, cap, item)                                                       \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) ? (cap)*2 : 16;                                                          \
            void *bigger_ = arena_alloc_array((arena), (cap), sizeof *(array));                    \
            if (count)                                                                             \
                memcpy(bigger_, (array), (count) * sizeof *(array));                               \
            (array) = bigger_;                                                                     \
        }                                                                                          \
        (array)[(count)++] = (item);                                                               \
    } while (0)
