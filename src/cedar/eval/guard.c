#include "cedar/eval/guard.h"

struct cedar_verdict cedar_guard(const struct cedar_set *set, const struct cedar_request *req,
                                 const struct cedar_entities *entities, struct arena *scratch)
{
    struct cedar_verdict v = {0};
    struct err err;
    if (!cedar_authorize(set, req, entities, scratch, &v.response, &err)) {
        v.failed = true;
        v.why = str_dup(scratch, str_z(err.text));
        return v;
    }
    if (v.response.error_count > 0) {
        const struct cedar_policy_error *first = &v.response.errors[0];
        v.failed = true;
        v.why = str_fmt(scratch, "%.*s failed: %.*s", STR(cedar_set_policy(set, first->policy)->id),
                        STR(first->text));
        return v;
    }
    v.allowed = v.response.decision == CEDAR_ALLOW;
    return v;
}
