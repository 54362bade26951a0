/* print: syntax trees back to Cedar text.
 *
 * What is printed reads back as the same tree (spans and ids aside) in this engine, and means the
 * same in the official one. Parentheses stand only where they are needed; names that are no
 * identifier, or are reserved, are quoted. Comments are not kept: that is the formatter's work.
 *
 * A policy that came from JSON may have no text form: a method without a receiver
 * ({"isIpv4": []}). It is refused. `x has` with several names of which one is no identifier is
 * spelled out as `x has "a b" && x["a b"] has c`.
 *
 * CEDAR_E_ERROR, which only residuals have (partial.h), is written as `error()` and {"error": []},
 * as the official engine does; neither reads back.
 *
 * On failure `out` is as it was. Fails besides when out->max is reached. */
#pragma once
#include "cedar/policy/ast.h"

MUST_USE bool cedar_expr_print(struct buf *out, const struct cedar_expr *e, struct err *err);
/* One policy, template or link, ending in a line feed. A link looks like a static policy. */
MUST_USE bool cedar_policy_print(struct buf *out, const struct cedar_policy *p, struct err *err);
/* All of them, with an empty line between two. Ids are lost; a list with links is refused, because
 * text cannot say what a link was made of. */
MUST_USE bool cedar_policies_print(struct buf *out, const struct cedar_policies *list,
                                   struct err *err);
