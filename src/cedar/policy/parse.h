/* parse: Cedar policy text to its syntax tree (ast.h).
 *
 * Accepts what the official engine accepts (language 4.5), with own limits: CEDAR_TEXT_BYTES_MAX,
 * and CEDAR_DEPTH_MAX levels of nesting, beyond which the text is refused with an error. Never
 * crashes on any bytes; time and memory are linear in the text. After an error it goes on behind
 * the next semicolon, so several faults are reported at once. Ids are policy0, policy1 ... in the
 * order of the text. */
#pragma once
#include "cedar/policy/ast.h"

/* name is for messages and is borrowed, as is text. Initialises d. False if there was any error. */
MUST_USE bool cedar_policies_parse(struct arena *a, str name, str text, struct cedar_policies *out,
                                   struct cedar_diags *d);
/* A text that must be one policy, no more and no less. id is borrowed; it names the text in
 * messages too. */
MUST_USE bool cedar_policy_parse(struct arena *a, str id, str text, enum cedar_want want,
                                 struct cedar_policy *out, struct cedar_diags *d);
/* One expression alone; NULL with the reasons in d. */
struct cedar_expr *cedar_expr_parse(struct arena *a, str text, struct cedar_diags *d);
