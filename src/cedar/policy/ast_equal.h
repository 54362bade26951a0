/* ast_equal: whether two policies are the same tree. For tests only.
 *
 * Ids and spans do not count. AST_EXACT wants every node alike. AST_MEANING overlooks what JSON
 * cannot keep: `x has a.b` against its chain of &&, (a && b) && c against a && b && c (also for ||,
 * + and *), the brackets of `action in [a]`. */
#pragma once
#include "cedar/policy/ast.h"

enum ast_how {
    AST_EXACT = 0,
    AST_MEANING,
};

/* The arena is for trees brought into one form. */
bool ast_expr_equal(struct arena *a, const struct cedar_expr *x, const struct cedar_expr *y,
                    enum ast_how how);
bool ast_policy_equal(struct arena *a, const struct cedar_policy *x, const struct cedar_policy *y,
                      enum ast_how how);
