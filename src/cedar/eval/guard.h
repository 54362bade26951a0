/* guard: decisions that fail closed.
 *
 * The language skips a policy whose evaluation fails, so a failing forbid would let the call
 * through; and without a schema a forbid on a group of actions never matches, because the schema is
 * where members come from. Here any evaluation error of any policy denies, and so does a request
 * that cannot be decided at all. Outside the language core on purpose: the core stays comparable
 * with the official engine.
 *
 * cedar_enforce is the only way in which Ambit enforces policies: it needs the schema that the
 * policies were validated against, and denies a request that does not conform to it, or whose
 * action is not in the store with the groups that the schema puts it in; so what validation
 * promises holds. cedar_guard is the same without that, for tests and tools. */
#pragma once
#include "cedar/cedar.h"
#include "cedar/check/conform.h"

struct cedar_verdict {
    bool allowed; /* false unless everything went well */
    bool failed;  /* denied because something failed, not because policy says so */
    str why;      /* of a failure: the request's fault, or the first error, naming the policy */
    struct cedar_response
        response; /* of the language, for the record; may say allow where allowed is false */
};

/* Never fail; what the verdict points to lives in scratch. All other entities must conform as well
 * (conform_entity): that is checked where they are made. */
struct cedar_verdict cedar_enforce(const struct cedar_set *set, const struct schema *schema,
                                   const struct cedar_request *req,
                                   const struct cedar_entities *entities, struct arena *scratch);
struct cedar_verdict cedar_guard(const struct cedar_set *set, const struct cedar_request *req,
                                 const struct cedar_entities *entities, struct arena *scratch);
