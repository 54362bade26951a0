/* validate_link: what a link adds to its template, against a schema.
 *
 * The body was checked with the template (validate.h); a link brings entities for the slots. Their
 * types must be known, and some action must still apply. Findings carry the link's id. As SDK 4.12:
 * ids of enumerated types and of actions are not looked at here. */
#pragma once
#include "cedar/check/validate.h"

/* link was made of tmpl by cedar_link. d must have been initialised with the template's text. */
MUST_USE bool validate_link(const struct schema *s, const struct cedar_policy *tmpl,
                            const struct cedar_policy *link, struct cedar_diags *d);
