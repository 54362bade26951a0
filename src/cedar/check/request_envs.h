/* request_envs: the requests that a policy may be satisfied by, as far as types tell.
 *
 * A request environment is a principal type, an action and a resource type. Those are listed in
 * which the policy (or template) has a type and that type is not always false. Source:
 * getValidRequestEnvs of SDK 4.12. Pure. */
#pragma once
#include "cedar/schema/schema.h"

struct request_env_sets {
    struct schema_set principals, resources; /* entity types */
    struct schema_set actions;               /* indexes */
};

/* The sets live in the arena: each holds what occurs in some such environment. */
void request_envs(struct arena *a, const struct schema *s, const struct cedar_policy *p,
                  struct request_env_sets *out);
