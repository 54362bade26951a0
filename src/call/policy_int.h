/* policy_int: a loaded policy set, and the building of requests to it. */
#pragma once
#include "call/policy.h"
#include "cedar/cedar.h"
#include "cedar/eval/guard.h"

struct policy_set {
    struct arena arena;
    const struct conf *conf;
    struct cedar_policies *texts; /* guardrails first, then the operator's files */
    size_t texts_n;
    const struct schema *schema; /* that the texts were validated against */
    struct cedar_set *set;
    /* Actions, agents, owners, people, systems: all that the configuration names. */
    struct cedar_entities known;
    struct arena known_arena;
    str *ids; /* by policy number */
    str digest;
    uint64_t seed;
};

/* The context of a call. False with ERR_INPUT if an argument does not fit its declared type. */
MUST_USE bool policy_call_context(const struct policy_call *call, const struct policy_set *p,
                                  bool with_approval, struct arena *a, struct cedar_value *out,
                                  struct err *err);
/* Everything the configuration names, and the actions of the schema. as: NULL: as configured. */
MUST_USE bool policy_known_entities(struct policy_set *p, const struct agents *as, int64_t now_ms,
                                    struct err *err);
/* False if one of them is not what the schema says: a fault of ours. */
MUST_USE bool policy_entities_conform(const struct policy_set *p, const struct cedar_entities *s,
                                      struct err *err);
struct cedar_value policy_time(struct arena *a, int64_t now_ms);
/* NULL: what an approval might be, for asking whether one would help. */
struct cedar_value policy_approval(const struct hold *h, struct arena *a);
/* The answer of the policies, in our words. */
void policy_explain(const struct policy_set *p, const struct cedar_verdict *cv, struct arena *a,
                    struct verdict *v);
struct cedar_value policy_roles(struct arena *a, unsigned bits);
MUST_USE bool policy_add_entity(struct cedar_entities *s, struct arena *a, str type, str id,
                                struct cedar_field *fields, size_t n,
                                const struct cedar_uid *parents, size_t parents_n, struct err *err);
