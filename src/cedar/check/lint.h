/* lint: policies that validate and yet may not protect.
 *
 * A forbid protects only if it matches when it should. The language has several ways in which one
 * silently does not: it fails and is skipped, its scope or conditions can never hold, or whoever
 * sends the request leaves out what it looks at. These are looked for here and reported as
 * warnings, with the codes of finding.h:
 *
 *   forbid-never         a forbid that can never match, or not for an action that its scope names
 *   forbid-empty-group   its scope names an action, or group, that applies to nothing it covers
 *   forbid-can-fail      evaluation may fail: arithmetic that may overflow, an attribute of an
 *                        entity that may be missing from the store
 *   omitted-argument     a forbid that needs an optional part of the context to be there, where
 *                        who sends the request decides whether it is, and no other forbid of the
 *                        same text with as wide a scope asks for its absence
 *   always-false         a test that is false by its types, whatever the request: a misspelt
 *                        attribute after `has`, things that can never be equal or `in` each other
 *   unknown-entity       an entity that is not among those known (only where they are given)
 *   path-pattern         `like "/srv/.."` with a star also matches /srv/../etc
 *   annotation-name      an annotation that looks like a known one misspelt
 *   unlinked-template    a policy with a slot, where nobody fills slots: it is never evaluated
 *
 * From always-false on they are reported for permits too. They are guesses about intent: none
 * refuses, and each can be answered by writing the policy plainly. Policies must have passed strict
 * validation with the same schema; of one that has not, nothing is said. Templates are looked at
 * like others. Time is bounded by VALIDATE_STEPS_MAX for each policy. Pure. */
#pragma once
#include "cedar/check/validate.h"
#include "cedar/value/entities.h"

/* What is known of the place where the policies work. Zero, or NULL: nothing. */
struct lint_options {
    bool stored;   /* principal and resource of each request are in the store */
    bool unlinked; /* templates stay what they are: nobody links them */
    str theirs; /* the attribute of the context that holds what the requester says; empty: all do */
    const struct cedar_entities
        *known;                     /* sealed: whoever there is, of the types that occur in it */
    const char *const *annotations; /* the names that mean something; ends with NULL */
};

/* Adds to d, which must have been initialised with the policies' text. A forbid that d already
 * calls an impossible policy is not reported as such again. */
void lint_policies(const struct schema *s, const struct cedar_policies *ps,
                   const struct lint_options *how, struct cedar_diags *d);
