/* typing: what the strict checker found out about the expressions of a policy, for those who work
 * on expressions by type.
 *
 * Good for one request environment: an action, and a type of principal and of resource. The result
 * is immutable and lives in the arena given; it refers to the policy's expressions by address, so
 * the policy must stay where it is. One look-up costs O(1). Threads: a finished typing may be
 * shared. */
#pragma once
#include "cedar/schema/finding.h"
#include "cedar/schema/schema.h"

struct typing_fact {
    const struct cedar_expr *e;
    uint8_t kind; /* enum ctype_kind: what its value is, if it has one */
    bool guarded; /* ATTR: the attribute exists, by type or by a test that precedes it */
};

struct typing {
    bool never; /* the scope does not admit this environment; the conditions were not looked at */
    struct typing_fact *slots; /* hash table, power of two */
    size_t slot_count;
};

/* False when the policy is not strictly valid in this environment, or names what the schema does
 * not have; the reasons are in d, which must have been initialised with the policy's text. What is
 * wrong in other environments does not matter here. p may be no template. */
MUST_USE bool typing_make(const struct schema *s, const struct cedar_policy *p,
                          const struct schema_action *action, uint32_t principal, uint32_t resource,
                          struct arena *a, struct typing *out, struct cedar_diags *d);
/* NULL: e was not looked at, because what stands before it makes it dead. */
const struct typing_fact *typing_of(const struct typing *t, const struct cedar_expr *e);
