#include "cedar/eval/guard.h"

#include <stdio.h>

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

static bool conforms(const struct schema *schema, const struct cedar_request *req,
                     const struct cedar_entities *entities, struct conform_fault *fault)
{
    const struct cedar_value *context = req->context ? req->context : &cedar_empty_record;
    if (!conform_request(schema, &req->principal, &req->action, &req->resource, context, fault))
        return false;
    const struct cedar_entity *action = cedar_entities_find(entities, &req->action);
    if (action)
        return conform_entity(schema, action, fault);
    (void)snprintf(fault->text, sizeof fault->text, "the action is not among the entities");
    return false;
}

struct cedar_verdict cedar_enforce(const struct cedar_set *set, const struct schema *schema,
                                   const struct cedar_request *req,
                                   const struct cedar_entities *entities, struct arena *scratch)
{
    struct conform_fault fault;
    if (conforms(schema, req, entities, &fault))
        return cedar_guard(set, req, entities, scratch);
    return (struct cedar_verdict){.failed = true, .why = str_dup(scratch, str_z(fault.text))};
}
