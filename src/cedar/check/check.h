/* check: the type checker behind validate.h: the type of one expression in one request environment.
 * Internal.
 *
 * Every kind of expression has one handler. A handler gets what is known to exist at that point
 * (`prior`) and gives an answer: the type, whether all was well, and what is known to exist if the
 * expression turns out true. After an error checking goes on with the best type there is, or none
 * (NULL), so that one mistake is reported once and others are still found. */
#pragma once
#include "cedar/schema/finding.h"
#include "cedar/schema/schema.h"
#include "cedar/check/by_address.h"
#include "cedar/check/validate.h"

/* Capabilities: facts such as "principal.manager exists", as ascending numbers. NULL: none. */
struct caps {
    uint32_t count;
    uint32_t ids[];
};

struct request_env {
    const struct schema_action *action;
    const struct ctype *types[4]; /* by enum cedar_var */
};

/* What was found out about one expression, for those who look at types afterwards. */
struct check_note {
    const struct ctype *type; /* in scratch; good for one environment */
    uint32_t env;             /* the environment it was last looked at in, from 1 */
    uint32_t seen;            /* environments in which it was looked at (so is not dead code) */
    uint32_t never;           /* those of them in which it is certainly false (!=: true) */
    bool guarded;             /* ATTR: it is known to exist, by type or by a test before it */
    bool bare;                /* ATTR: in some environment it is not */
    bool said;                /* for lint.c: reported */
};

struct answer {
    const struct ctype *type; /* NULL: none could be found */
    const struct caps *caps;  /* NULL whenever !ok */
    bool ok;
};

struct checker {
    const struct schema *s;
    enum ctype_mode mode;
    struct validate_options how;
    struct cedar_diags *d;
    const struct cedar_policy *policy;
    size_t first_diag; /* of this policy, in d */
    size_t errors;     /* of this policy, repeats not counted */
    struct request_env env;
    struct arena scratch;      /* types and capabilities; emptied for each environment */
    struct map shapes;         /* what names an expression by its form -> its number */
    struct by_address numbers; /* of expressions */
    uint32_t next_number;
    size_t steps;
    bool gave_up;                      /* over VALIDATE_STEPS_MAX, and reported */
    struct cedar_expr *scope_tests[3]; /* validate.c, in kept: by enum cedar_var, once needed */
    /* Called after each environment in which scope and conditions have a type, with that; NULL:
     * nobody asks, and then no notes are taken. */
    void (*on_env)(struct checker *c, struct answer all);
    void *arg;               /* of on_env */
    struct arena kept;       /* notes and tables; emptied with the policy */
    struct by_address notes; /* struct check_note */
    uint32_t env_number;
};

/* ---- answers ---- */
static inline struct answer answer_ok(const struct ctype *t)
{
    return (struct answer){.type = t, .ok = true};
}
static inline struct answer answer_fail(const struct ctype *t)
{
    return (struct answer){.type = t};
}
/* x, unless one of what it was made from had failed. */
static inline struct answer answer_after(struct answer x, bool parts_ok)
{
    return x.ok && parts_ok ? x : answer_fail(x.type);
}

/* ---- validate.c: one policy in all environments ---- */
struct check_tally {
    bool applicable; /* some environment satisfies the scope */
    bool possible;   /* in some environment the conditions may hold */
};
void checker_init(struct checker *c, const struct schema *s, const struct cedar_policy *p,
                  const struct validate_options *how, struct cedar_diags *d);
void checker_fini(struct checker *c);
struct check_tally check_envs(struct checker *c);
/* The same for one environment; false if the scope does not admit it. */
bool check_one_env(struct checker *c, const struct schema_action *x, uint32_t principal,
                   uint32_t resource);
/* Every name in the policy is known, dead code included. */
void check_names(struct checker *c);
/* Whether the scope admits principals (resources) of this type: always false, sometimes, always. */
const struct ctype *check_scope_type(const struct schema *s, const struct cedar_scope *scope,
                                     uint32_t type);
bool check_scope_action(const struct schema *s, const struct cedar_scope *scope,
                        const struct schema_action *x);

/* ---- check.c: the walk ---- */
/* False, and reported once, when the policy has taken too many steps. */
bool check_step(struct checker *c, struct cedar_span span);
/* NULL unless e was looked at in this environment, or in any. */
const struct check_note *check_note_of(const struct checker *c, const struct cedar_expr *e);
struct check_note *check_note_any(const struct checker *c, const struct cedar_expr *e);
struct answer check(struct checker *c, const struct caps *prior, const struct cedar_expr *e);

/* What an operand must be; any of up to two. */
struct expectation {
    const struct ctype *types[2];
    const char *text; /* "a Long" */
};
extern const struct expectation expect_bool, expect_long, expect_string, expect_set, expect_entity,
    expect_entity_or_set, expect_entity_or_record;
/* Checks e and that it has one of those types; on failure the type is NULL unless it fits. */
struct answer check_as(struct checker *c, const struct caps *prior, const struct cedar_expr *e,
                       const struct expectation *want);
struct answer answer_as(struct checker *c, struct answer x, struct cedar_span span,
                        const struct expectation *want);
/* The answer of a && b, where b was checked knowing what a tells (and not at all if a is false). */
struct answer answer_and(struct checker *c, struct answer a, struct answer b);
struct answer answer_not(struct answer x);
static inline bool answer_is_false(struct answer x)
{
    return x.type && x.type->kind == CTYPE_FALSE;
}
/* Strict mode: operands that are compared need a common type. */
struct answer check_comparable(struct checker *c, const struct cedar_expr *e, struct answer result,
                               const struct ctype *x, const struct ctype *y);
/* Counts what it takes to compare two types as steps. False, reported, past VALIDATE_STEPS_MAX:
 * types may be far larger than the expressions that have them. */
bool check_pay(struct checker *c, struct cedar_span span, const struct ctype *x,
               const struct ctype *y);
/* The least upper bound, reported at e if there is none; NULL then, or if one of them is NULL. */
const struct ctype *check_lub(struct checker *c, const struct cedar_expr *e,
                              const struct answer *parts, size_t n);
/* The entity that e names whatever the request is: a literal, or the action. NULL: it does not. */
const struct cedar_uid *check_fixed_uid(const struct checker *c, const struct cedar_expr *e);

/* ---- the handlers, by family ---- */
typedef struct answer check_fn(struct checker *c, const struct caps *prior,
                               const struct cedar_expr *e);
check_fn check_eq, check_ne, check_less, check_more, check_arithmetic, check_in, check_contains,
    check_contains_many, check_is_empty, check_like, check_is, check_set,
    check_record;                                             /* check_ops.c */
check_fn check_attr, check_has, check_has_tag, check_get_tag; /* check_attr.c */
check_fn check_call;                                          /* check_call.c */

/* The attribute that every entity (record) of type t may have; NULL: none of that name. */
const struct ctype_attr *check_find_attr(struct checker *c, const struct ctype *t, str name);

/* ---- level.c ---- */
/* on_env of a checker whose options have a level. */
void level_check_env(struct checker *c, struct answer all);
/* What the scope alone reads: only level 0 forbids that. */
void level_check_scope(struct checker *c);

/* ---- check_caps.c ---- */
const struct caps *caps_union(struct checker *c, const struct caps *x, const struct caps *y);
const struct caps *caps_both(struct checker *c, const struct caps *x, const struct caps *y);
const struct caps *caps_one(struct checker *c, uint32_t id);
bool caps_has(const struct caps *x, uint32_t id);
/* Equal numbers: equal expressions, wherever they stand. */
uint32_t expr_number(struct checker *c, const struct cedar_expr *e);
/* The number of `receiver.name`, of the fact that it exists, and of the fact that a tag exists. */
uint32_t attr_number(struct checker *c, uint32_t receiver, str name);
uint32_t attr_cap(struct checker *c, uint32_t receiver, str name);
uint32_t tag_cap(struct checker *c, uint32_t receiver, uint32_t tag);

/* ---- check_text.c ---- */

/* Warns of texts that are not what they seem. */
void check_texts(struct checker *c);

/* ---- check_report.c ---- */
/* As finding_add for this policy, but the same text at the same place is said once. */
struct cedar_diag *check_report(struct checker *c, enum finding f, struct cedar_span span,
                                const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The type in words, for %.*s; in scratch. */
str check_type_text(struct checker *c, const struct ctype *t);
/* help for check_report's result, which may be NULL. */
void check_help(struct checker *c, struct cedar_diag *one, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
