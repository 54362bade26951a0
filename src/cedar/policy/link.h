/* link: policies made of templates, and lists of policies put together by hand.
 *
 * A template leaves ?principal or ?resource, or both, open in its scope; a link fills them and is
 * an ordinary policy from then on. It shares annotations and conditions with its template, so both
 * must live as long as the arena of either. Ids are one name space: static policies, templates and
 * links of a set may not share any. Threads: as the arena. */
#pragma once
#include "cedar/policy/ast.h"

/* The template's id becomes out->template_id. Exactly the slots that the template has must be
 * given; NULL means not given. Everything given is borrowed. As in the official engine, a value is
 * not held against the `is` beside its slot. */
MUST_USE bool cedar_link(struct arena *a, const struct cedar_policy *tmpl, str id,
                         const struct cedar_uid *principal, const struct cedar_uid *resource,
                         struct cedar_policy *out, struct err *err);

/* Appends a copy of the policy (not of what it points to). Refuses an id that is in the list
 * already. Items move when the list grows: keep numbers, not pointers. The list may be the zero
 * value, or one that was read; it must stay with the same arena. */
MUST_USE bool cedar_policies_add(struct arena *a, struct cedar_policies *list,
                                 const struct cedar_policy *policy, struct err *err);
/* NULL if no policy has that id. */
const struct cedar_policy *cedar_policies_find(const struct cedar_policies *list, str id);
