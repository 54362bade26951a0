/* guard: decisions that fail closed, the only way in which Ambit enforces policies.
 *
 * The language skips a policy whose evaluation fails, so a failing forbid would let the call
 * through. Here any evaluation error of any policy denies, and so does a request that cannot be
 * decided at all. Outside the language core on purpose: the core stays comparable with the official
 * engine. */
#pragma once
#include "cedar/cedar.h"

struct cedar_verdict {
    bool allowed; /* false unless everything went well */
    bool failed;  /* denied because something failed, not because policy says so */
    str why;      /* of a failure: the first error, naming the policy */
    struct cedar_response
        response; /* of the language, for the record; may say allow where allowed is false */
};

/* Never fails; what the verdict points to lives in scratch. */
struct cedar_verdict cedar_guard(const struct cedar_set *set, const struct cedar_request *req,
                                 const struct cedar_entities *entities, struct arena *scratch);
