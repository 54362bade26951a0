/* validate: policies against a schema, before they are loaded.
 *
 * Every policy is checked once for each request environment (principal type, action, resource type)
 * that the schema allows and the policy's scope admits: names must be known, some action must be
 * applicable, every expression must have a type, every optional attribute and every tag must be
 * read behind a test for it. A policy that passes in strict mode cannot fail at run time for a
 * reason other than integer overflow or an entity that is missing from the store, given requests
 * and entities that conform (conform.h).
 *
 * Findings go to d, each once for all environments, with the policy's id; their codes and
 * severities are the table in finding.h. Warnings do not refuse. Source: strict and permissive
 * validation of SDK 4.12. Time is bounded: see VALIDATE_STEPS_MAX. Pure; the schema and policies
 * may be shared. */
#pragma once
#include "cedar/schema/finding.h"
#include "cedar/schema/schema.h"

enum {
    VALIDATE_STEPS_MAX =
        1 << 24, /* expressions looked at for one policy, all environments together */
};

enum validate_mode {
    VALIDATE_STRICT = 0,
    /* Relates more types (unions of entity types, records by width, empty sets). Not for policies
     * that are to be loaded: symbolic analysis needs strict ones. */
    VALIDATE_PERMISSIVE,
};

/* Zero, or NULL in its place, is what is enforced: strict, as 4.12, any level. */
struct validate_options {
    enum validate_mode mode;
    enum cedar_sdk sdk; /* by whose severities; 4.13 lets a policy pass that applies to nothing */
    bool has_level;     /* also check the level, as level.h says */
    uint32_t level;
};

/* True when no policy has an error. d must have been initialised with the policies' text. */
MUST_USE bool validate_policies(const struct schema *s, const struct cedar_policies *ps,
                                const struct validate_options *how, struct cedar_diags *d);
/* The same for one of them. */
MUST_USE bool validate_policy(const struct schema *s, const struct cedar_policy *p,
                              const struct validate_options *how, struct cedar_diags *d);
