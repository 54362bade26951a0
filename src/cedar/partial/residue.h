/* residue: the parts of partial evaluation behind partial.h. Internal to this folder. */
#pragma once
#include "cedar/check/typing.h"
#include "cedar/partial/partial.h"

/* ---- known.c: look-ups; actions are as the schema declares them ---- */

/* A record; NULL: unknown. Of what does not exist for certain: empty. */
const struct cedar_value *known_attrs(const struct partial_entities *e,
                                      const struct cedar_uid *uid);
const struct cedar_value *known_tags(const struct partial_entities *e, const struct cedar_uid *uid);
/* True if it exists for certain. */
bool known_exists(const struct partial_entities *e, const struct cedar_uid *uid);

enum tri { TRI_UNKNOWN = 0, TRI_NO, TRI_YES };
/* The language's `x in y`. */
enum tri known_in(const struct partial_entities *e, const struct cedar_uid *x,
                  const struct cedar_uid *y);
MUST_USE bool known_request_check(const struct schema *s, const struct partial_request *req,
                                  struct err *err);
/* Whether a whole request and store agree with what was known. */
MUST_USE bool known_agrees(const struct partial_answer *answer, const struct cedar_request *req,
                           const struct cedar_entities *entities, struct err *err);

/* ---- evaluate.c ---- */

/* before, with the id of one side known as well: what it left open is evaluated again. */
MUST_USE bool partial_refine(const struct partial_plan *plan, const struct partial_answer *before,
                             const struct partial_request *req, struct arena *a,
                             const struct partial_answer **out, struct err *err);

/* ---- residue.c: expressions ---- */

/* What became of an expression: a literal of any value, CEDAR_E_ERROR, or what is left of it. */
struct residue {
    const struct cedar_expr *e;
    bool may_fail; /* false for a literal, true for an error */
};

struct evaluation {
    struct arena *arena;
    const struct schema *schema;
    const struct partial_request *req;
    const struct partial_entities *entities;
    const struct typing *typing; /* of the policy at hand */
    struct cedar_uid uids[3];    /* by enum cedar_var, where known */
    const struct cedar_expr *vars[4];
    struct cedar_entities nothing; /* for operations on values */
    size_t nodes;                  /* made so far */
};

struct residue residue_of(struct evaluation *v, const struct cedar_expr *e);
struct residue residue_bool(struct evaluation *v, bool b, struct cedar_span span);
struct residue residue_not(struct evaluation *v, struct residue x);
struct residue residue_in(struct evaluation *v, struct residue x, struct residue y,
                          struct cedar_span span);
static inline bool residue_is_known(struct residue r)
{
    return r.e->kind == CEDAR_E_LITERAL;
}
static inline bool residue_is_error(struct residue r)
{
    return r.e->kind == CEDAR_E_ERROR;
}

/* A new expression of that kind with those kids; the rest as in like, unless it is NULL. */
struct cedar_expr *residue_node(struct evaluation *v, enum cedar_expr_kind kind,
                                struct cedar_expr **kids, size_t n, const struct cedar_expr *like,
                                struct cedar_span span);
struct residue residue_literal(struct evaluation *v, struct cedar_value value,
                               struct cedar_span span);

/* ---- residue_chain.c: && and ||, with as many operands as there come ---- */

struct chain {
    struct evaluation *v;
    enum cedar_expr_kind kind; /* AND or OR */
    struct cedar_span span;
    struct residue *kids;
    size_t count, cap;
    bool ended; /* what follows is never evaluated */
};
/* kind: the static type of x, enum ctype_kind. */
void chain_add(struct chain *c, struct residue x, unsigned kind);
struct residue chain_end(struct chain *c);

/* ---- reify.c ---- */

/* e with every literal written as in policies: sets, records and calls in place of their values. */
const struct cedar_expr *reify(struct evaluation *v, const struct cedar_expr *e);
