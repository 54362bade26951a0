/* naive: a second evaluator, written to be obviously right instead of fast. For tests only.
 *
 * It walks the syntax tree, looks every entity up each time, follows parents itself and matches
 * patterns by trying. It shares with the real evaluator nothing but values, their equality and the
 * extension functions. Property tests hold the real one against it. */
#pragma once
#include "cedar/cedar.h"

struct naive {
    const struct cedar_request *req;
    const struct cedar_entities *entities; /* sealed */
    struct arena *arena;
};

/* False: evaluation fails; there is no text. */
MUST_USE bool naive_eval(const struct naive *n, const struct cedar_expr *e,
                         struct cedar_value *out);

enum naive_outcome {
    NAIVE_FAILED = 0,
    NAIVE_FALSE,
    NAIVE_TRUE,
};
/* Scope and conditions of a policy without slots. */
enum naive_outcome naive_policy(const struct naive *n, const struct cedar_policy *p);
