/* code: compiled conditions, and the machine that runs them. Internal to this folder.
 *
 * Conditions are code for a stack machine: each instruction takes its operands from the stack and
 * leaves one value. Jumps go forward only, so code ends. What instructions refer to (constants,
 * names, uids) is kept once in a set, however many policies use it: what a decision reads is then
 * mostly in the cache. */
#pragma once
#include "cedar/cedar.h"
#include "cedar/schema/schema.h"
#include "cedar/value/hash.h"

enum op {
    OP_CONST, /* push consts[arg] */
    OP_PATH,  /* push the variable var, or what its attributes names[arg .. arg + wide) lead to */
    OP_TEST,  /* push the outcome of test on the path names[wide .. wide + path) of var, and arg */
    OP_WHEN_TEST,   /* the same, then OP_WHEN */
    OP_UNLESS_TEST, /* the same, then OP_UNLESS */
    OP_ATTR,        /* names[arg] */
    OP_HAS,         /* names[arg .. arg + wide) */
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
    OP_IN_KEY,     /* with keys[arg] on the right */
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
    OP_TYPED,       /* test, TYPED_SAME .. TYPED_GE: the top two, most likely both of kind path */
    OP_AND,         /* top false: jump to arg, keeping it; true: pop */
    OP_OR,          /* top true: jump to arg, keeping it; false: pop */
    OP_BOOL,        /* top must be a bool */
    OP_JUMP,        /* to arg, counted from the start of the code */
    OP_JUMP_UNLESS, /* pop; false: jump to arg */
    OP_WHEN,        /* pop; false: the policy is not satisfied */
    OP_UNLESS,      /* pop; true: the policy is not satisfied */
};

/* What conditions mostly are: something of the request held against something known, in one
 * instruction. */
enum test {
    TEST_EQ = 0, /* consts[arg], to TEST_GE; in the order of OP_EQ .. */
    TEST_NE,
    TEST_LT,
    TEST_LE,
    TEST_GT,
    TEST_GE,
    TEST_TRUE,
    TEST_HAS,    /* names[arg] */
    TEST_IN_KEY, /* keys[arg] */
    TEST_LIKE,   /* patterns[arg] */
    TEST_IN_SET, /* consts[arg].contains(it) */
    TEST_HOLDS,  /* the variable arg, an entity, is in it */
    /* Typed: the schema says of what kind it is. It is looked at all the same, in one comparison,
     * and a value of another kind is given to the test above that means the same. */
    TYPED_SAME, /* TEST_EQ of strings, to TYPED_GE in the order of TEST_EQ .. */
    TYPED_OTHER,
    TYPED_LT, /* of longs, datetimes, durations */
    TYPED_LE,
    TYPED_GT,
    TYPED_GE,
    TYPED_NUMBER,       /* TEST_EQ of what is compared by its number */
    TYPED_OTHER_NUMBER, /* TEST_NE */
    TYPED_ENTITY,       /* TEST_EQ of entities */
    TYPED_OTHER_ENTITY, /* TEST_NE */
    TYPED_IS_VAR,       /* TEST_EQ: an entity, with the variable arg */
    TYPED_BOOL,         /* TEST_TRUE */
    TYPED_HAS,          /* TEST_HAS of a record */
    TYPED_LIKE,         /* TEST_LIKE */
    TYPED_IN_SET,       /* TEST_IN_SET of a few strings */
};

enum { PATH_NAMES_MAX = 4 };

struct instr {
    uint8_t op;   /* enum op */
    uint8_t var;  /* enum cedar_var */
    uint8_t test; /* enum test */
    uint8_t path; /* names of a test's path */
    uint32_t wide;
    uint32_t arg;
};

/* A uid that policies name, with its hash under the code's seed. */
struct key {
    uint64_t hash;
    const struct cedar_uid *uid;
};

/* Where a name most likely stands in a record: nowhere known if low > high. */
struct hint {
    uint8_t low, high;
};
#define NO_HINT ((struct hint){1, 0})

enum { TYPES_SEEN = 8 };
/* What a value may be, by the schema; only the first few of many: it is a guess all the same. */
struct guess {
    const struct ctype *types[TYPES_SEEN];
    size_t count;
};

struct code_tables;
struct code {
    struct arena *keep;         /* what constants and names point to */
    struct arena *grow;         /* the arrays below, while they grow */
    struct code_tables *tables; /* to find what is there already; NULL: always add */
    uint64_t seed;
    struct instr *instrs;
    size_t count, cap;
    struct cedar_value *consts;
    size_t const_count, const_cap;
    str *names;
    size_t name_count, name_cap;
    struct hint *hints; /* of each name */
    size_t hint_count, hint_cap;
    struct key *keys;
    size_t key_count, key_cap;
    const struct cedar_pattern **patterns;
    size_t pattern_count, pattern_cap;
    size_t stack, stack_max;     /* while compiling: now, and the most ever */
    const struct schema *schema; /* while compiling, and vars: NULL: nothing is known of types */
    struct guess vars[4];        /* in the policy at hand, by enum cedar_var */
};

/* ---- code_tables.c ---- */
struct code_tables *code_tables_new(struct arena *a);
/* Each gives the place of an equal one, adding it where there is none. */
uint32_t code_const(struct code *c, const struct cedar_value *v);
uint32_t code_names(struct code *c, const str *names, size_t n);
/* The same with a hint for each. */
uint32_t code_path_names(struct code *c, const str *names, const struct hint *hints, size_t n);
uint32_t code_key(struct code *c, const struct cedar_uid *uid);

/* ---- code_types.c: what the schema tells of a policy's expressions ---- */
/* Sets c->vars to what the scope admits. Does nothing without a schema. */
void code_types_begin(struct code *c, const struct cedar_policy *p);
/* Goes from what holds an attribute to the attribute. */
struct hint code_types_step(const struct code *c, struct guess *g, str name);
/* CEDAR_NONE: not known, or not always the same. */
enum cedar_kind code_types_kind(const struct guess *g);
/* Of a variable or a chain of attributes of one; false for anything else. */
bool code_types_guess(const struct code *c, const struct cedar_expr *e, struct guess *out);
enum cedar_kind code_types_of(const struct code *c, const struct cedar_expr *e);

/* ---- compile.c: append the code of an expression, or of all conditions of a policy ---- */
void code_expr(struct code *c, const struct cedar_expr *e);
void code_conditions(struct code *c, const struct cedar_policy *p);

/* ---- machine.c ---- */

/* One of the three uids of a request, and what the store knows of it once somebody asks. */
struct subject {
    const struct cedar_uid *uid;
    uint64_t hash; /* under the code's seed */
    const struct cedar_entity *entity;
    const struct cedar_ancestor *ancestors; /* by hash under the code's seed, ascending */
    size_t ancestor_count;
    bool looked_up;
};

enum { STACK_SMALL = 24, PATHS_KEPT = 16 };

struct machine {
    const struct code *code;
    const struct cedar_entities *entities;
    struct arena *scratch;
    struct cedar_value *stack; /* code->stack_max values */
    struct subject subjects[3];
    struct cedar_value vars[4]; /* by enum cedar_var */
    /* Where paths of the request led; by a remainder of names and variable. */
    uint32_t path_keys[PATHS_KEPT];
    const struct cedar_value *paths[PATHS_KEPT];
};

/* small: STACK_SMALL values, enough for most code. */
void machine_init(struct machine *m, const struct code *code, const struct cedar_request *req,
                  const struct cedar_entities *entities, struct arena *scratch,
                  struct cedar_value *small);
void subject_look_up(const struct machine *m, struct subject *s);
static inline struct subject *subject_known(struct machine *m, enum cedar_var var)
{
    if (!m->subjects[var].looked_up)
        subject_look_up(m, &m->subjects[var]);
    return &m->subjects[var];
}
/* The language's `in`, for a subject that was looked up. */
static inline bool subject_in(const struct subject *s, uint64_t hash, const struct key *key)
{
    enum { LINEAR = 8 };
    const struct cedar_ancestor *a = s->ancestors;
    size_t n = s->ancestor_count, i = n > LINEAR ? cedar_ancestors_from(a, n, hash) : 0;
    if (s->hash == hash && cedar_uid_eq(s->uid, key->uid))
        return true;
    for (; i < n && a[i].hash <= hash; i++) {
        if (a[i].hash == hash && cedar_uid_eq(a[i].uid, key->uid))
            return true;
    }
    return false;
}

enum outcome {
    RUN_FAILED = 0, /* err says why */
    RUN_FALSE,
    RUN_TRUE, /* ran to the end: all conditions hold, or the value is on the stack */
};
enum outcome machine_run(struct machine *m, const struct instr *code, size_t count,
                         struct err *err);

/* For what is large, on the fast path, and always written before it is read. */
#define UNINITIALIZED __attribute__((uninitialized))

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
