/* same: whether two policy sets say the same, in the same words.
 *
 * Compared are ids, effects, annotations, scopes and conditions, node for node; not compared are
 * spans, white space, comments, parentheses without effect and how strings are escaped. Recursion
 * is bounded by the depth of expressions. Pure; thread-safe. */
#pragma once
#include "cedar/policy/ast.h"

bool cedar_expr_same(const struct cedar_expr *a, const struct cedar_expr *b);
bool cedar_policy_same(const struct cedar_policy *a, const struct cedar_policy *b);
bool cedar_policies_same(const struct cedar_policies *a, const struct cedar_policies *b);
