/* cedar: policies compiled, and requests decided by them. The front door of this folder.
 *
 *     struct cedar_policies p;                       // parse.h: text to syntax tree, with
 * diagnostics struct cedar_diags diags; if (!cedar_policies_parse(&arena, S("main.cedar"), text,
 * &p, &diags)) ... const struct cedar_policies *texts[] = {&p}; struct cedar_set *set =
 * cedar_compile(texts, 1, seed, &err);
 *
 *     struct cedar_entities entities;                // entities.h: what is known of principal,
 * resource ... cedar_entities_init(&entities, &scratch, NULL, seed); ... add, seal struct
 * cedar_request req = {principal, action, resource, &context}; struct cedar_response res; if
 * (!cedar_authorize(set, &req, &entities, &scratch, &res, &err)) ...
 *
 * Semantics are those of Cedar 4.5: allow if at least one permit and no forbid is satisfied, in any
 * order. A policy whose evaluation fails counts as not satisfied and is listed in errors - so a
 * failing forbid does not forbid. Enforcement goes through guard.h, which denies whenever there is
 * an error.
 *
 * A set is immutable and may be used by several threads at once, each with its own scratch arena;
 * holder.h swaps sets while they do. A decision allocates from the scratch arena only and runs in
 * time bounded by the policies that its index selects; the caller resets the arena between
 * decisions. Templates are kept in the set but never evaluated. */
#pragma once
#include "cedar/value/entities.h"
#include "cedar/policy/parse.h"

enum { CEDAR_POLICIES_MAX = 1 << 20 };

struct cedar_set;

/* Compiles the policies of all texts into one set; policy numbers run through all of them in order.
 * The texts and the arena they live in are borrowed and must outlive the set. seed: the one of the
 * entity stores (then hashes are shared; another one is merely slower). NULL only past a limit.
 * Free with cedar_set_free (NULL is fine). */
struct cedar_set *cedar_compile(const struct cedar_policies *const *texts, size_t text_count,
                                uint64_t seed, struct err *err);
void cedar_set_free(struct cedar_set *set);

size_t cedar_set_count(const struct cedar_set *set);
/* i < count. The policy as written: id, effect, annotations (cedar_policy_annotation), span. */
const struct cedar_policy *cedar_set_policy(const struct cedar_set *set, size_t i);
/* The text it stands in; cedar_span_text(text->text, policy->span) is its source. */
const struct cedar_policies *cedar_set_text(const struct cedar_set *set, size_t i);

struct cedar_request {
    struct cedar_uid principal, action, resource;
    const struct cedar_value *context; /* a record; NULL: empty */
};

enum cedar_decision {
    CEDAR_DENY = 0,
    CEDAR_ALLOW,
};

struct cedar_policy_error {
    uint32_t policy;
    str text;
};

struct cedar_response {
    enum cedar_decision decision;
    /* What determined it, ascending: all satisfied forbids, else all satisfied permits. Empty when
     * nothing applied. */
    const uint32_t *reasons;
    size_t reason_count;
    const struct cedar_policy_error *errors; /* ascending by policy */
    size_t error_count;
    size_t evaluated; /* policies whose conditions were run */
};

/* False, with nothing decided, only if entities is not sealed or context is no record. What out
 * points to lives in the scratch arena and the set. */
MUST_USE bool cedar_authorize(const struct cedar_set *set, const struct cedar_request *req,
                              const struct cedar_entities *entities, struct arena *scratch,
                              struct cedar_response *out, struct err *err);

/* How much of the answer is wanted. */
enum cedar_mode {
    CEDAR_FULL = 0, /* all of it */
    /* The decision alone, as the language has it: policies that can no longer change it are not
     * run. reasons holds at most one of those there are, errors those that were met. */
    CEDAR_DECISION,
    /* The same where any error denies: the decision is CEDAR_DENY as soon as a forbid is satisfied
     * or a policy fails, and CEDAR_ALLOW only when all that apply have run without error. reasons
     * may hold several. */
    CEDAR_DECISION_CLOSED,
};
/* cedar_authorize is this with CEDAR_FULL. */
MUST_USE bool cedar_authorize_as(enum cedar_mode mode, const struct cedar_set *set,
                                 const struct cedar_request *req,
                                 const struct cedar_entities *entities, struct arena *scratch,
                                 struct cedar_response *out, struct err *err);

/* One expression alone, for tests and tools. */
MUST_USE bool cedar_expr_eval(const struct cedar_expr *e, const struct cedar_request *req,
                              const struct cedar_entities *entities, struct arena *scratch,
                              struct cedar_value *out, struct err *err);
