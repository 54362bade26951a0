/* partial: what policies say while only part of a request is known (type-aware partial evaluation,
 * RFC 95 as SDK 4.12 does it), and the questions that stand on it: which actions, which principals,
 * which resources.
 *
 * Known in part: the action always; of principal and resource the type, the id perhaps; the context
 * wholly or not at all; of each entity its attributes, its tags and its ancestors, each wholly or
 * not at all. What comes out, per policy, is true, false, an error, or a residual: an expression
 * that reads only what was unknown. For every request and store that agree with what was known,
 * evaluating the residual gives exactly what evaluating the policy gives: the same truth, and an
 * error where there is one (its text may differ). So something is dropped only if it cannot fail.
 *
 *     struct partial_entities known;
 *     partial_entities_init(&known, &arena, schema);
 *     ... partial_entities_add(..), then partial_entities_seal(..)
 *     struct partial_request req = {{S("User"), S("ann"), true}, {S("Doc")}, action, NULL};
 *     const struct partial_answer *answer;
 *     if (!partial_authorize(schema, texts, 1, &req, &known, &arena, &answer, &err)) ...
 *     if (answer->decided) ... answer->decision, answer->reasons
 *     else ... answer->policies[i].residual; later partial_reauthorize(answer, ..)
 *
 * Ownership. Everything made lives in the arena that was given; policies, schema, entities,
 * requests and contexts are borrowed and must live as long. Residuals share parts with the policies
 * they came from; their spans are those of the policy's text.
 *
 * Refusals (struct err): a policy that is not strictly valid in the environment at hand (only that
 * one is looked at, as in SDK 4.12), a request or an entity that does not conform to the schema,
 * and the limits: PARTIAL_NODES_MAX made, CEDAR_DEPTH_MAX levels of a residual.
 *
 * Cost. A plan costs one validation of each policy in one environment, and can be used for any
 * number of requests of that environment; evaluating it costs O(size of the policies), plus the
 * operations on what is known. Queries say what they cost below. Threads: plans, sealed entities
 * and answers are immutable and may be shared; each call needs an arena of its own. */
#pragma once
#include "base/json.h"
#include "cedar/cedar.h"
#include "cedar/schema/schema.h"

enum { PARTIAL_NODES_MAX = 1 << 20 }; /* expressions made by one evaluation */

/* ---- what is known of the request ---- */

struct partial_uid {
    str type;
    str id;
    bool has_id; /* false: the id is unknown */
};

struct partial_request {
    struct partial_uid principal, resource;
    struct cedar_uid action;
    const struct cedar_value *context; /* a record; NULL: unknown */
};

/* {"principal_type", "principal_eid"?, "action": "Action::\"view\"", "resource_type",
 * "resource_eid"?, "context"?}, as the official command line takes it; a member that is absent or
 * null is unknown. The context is read by its type in the schema. */
MUST_USE bool partial_request_from_json(struct arena *a, const struct schema *s, const json *v,
                                        struct partial_request *out, struct err *err);

/* ---- what is known of the entities ---- */

struct partial_entity {
    struct cedar_uid uid;
    const struct cedar_value *attrs, *tags; /* records; NULL: unknown */
    const struct cedar_uid *parents;        /* with or without those further up */
    size_t parent_count;
    bool has_parents; /* false: its ancestors are unknown */
};

/* Fields are private. */
struct partial_entities {
    struct arena *arena;
    const struct schema *schema;
    const struct cedar_entities *whole; /* all of it is known; NULL: items it is */
    struct partial_entity *items;       /* in the order of their uids once sealed */
    size_t count, cap;
    struct cedar_entities tree; /* ancestors of items that have_parents */
    bool sealed;
};

/* Open: an entity that is not added is unknown, and may or may not exist. Zero entities, sealed, is
 * the store of which nothing is known. Actions come from the schema; adding one that is as declared
 * changes nothing. */
void partial_entities_init(struct partial_entities *e, struct arena *a, const struct schema *s);
/* Refuses what does not conform to the schema, and an entity that is there already. */
MUST_USE bool partial_entities_add(struct partial_entities *e, const struct partial_entity *one,
                                   struct err *err);
/* Adds all of [{"uid", "attrs"?, "parents"?, "tags"?} ..]; what is absent or null is unknown.
 * Values are read by their types in the schema. Actions are refused. */
MUST_USE bool partial_entities_from_json(struct partial_entities *e, const json *array,
                                         struct err *err);
/* Refuses cycles, ancestors that cannot be, and an ancestor whose own ancestors are unknown. */
MUST_USE bool partial_entities_seal(struct partial_entities *e, struct err *err);
/* Closed: all is known, and what the store (sealed) lacks does not exist. Every entity is held
 * against the schema once, here. */
MUST_USE bool partial_entities_whole(struct partial_entities *e, const struct schema *s,
                                     const struct cedar_entities *store, struct err *err);

/* ---- evaluating ---- */

enum partial_class {
    PARTIAL_RESIDUAL = 0, /* depends on what is unknown */
    PARTIAL_TRUE,
    PARTIAL_FALSE,
    PARTIAL_ERROR, /* its evaluation fails for certain: counts as not satisfied */
    PARTIAL_CLASSES,
};
extern const char *const partial_class_names[PARTIAL_CLASSES]; /* "residual" "true" .. */

struct partial_policy {
    const struct cedar_policy *policy; /* as given */
    enum partial_class class;          /* of a template, which is never evaluated: false */
    /* A bool literal, CEDAR_E_ERROR, or what is left of scope and conditions together. Its literals
     * are bools, longs, strings and entities only, as in policies. */
    const struct cedar_expr *residual;
};

struct partial_answer {
    const struct partial_policy *policies; /* numbers run through all texts, as in cedar_compile */
    size_t count;
    size_t classes[2][PARTIAL_CLASSES]; /* how many, by enum cedar_effect; templates not counted */
    bool decided;                       /* decision and reasons will stay as they are */
    enum cedar_decision decision;       /* deny unless decided */
    /* Of a decision: all permits (forbids) that are true; further residual ones may join them once
     * all is known. */
    const uint32_t *reasons;
    size_t reason_count;
    /* What it was made from. */
    const struct schema *schema;
    const struct partial_request *request;
    const struct partial_entities *entities;
};

/* Policies typed in one environment. */
struct partial_plan;
/* action must be declared and apply to the types. Templates are kept, and never evaluated; links
 * are policies like others. */
MUST_USE bool partial_plan_make(const struct schema *s, const struct cedar_policies *const *texts,
                                size_t text_count, const struct cedar_uid *action,
                                str principal_type, str resource_type, struct arena *a,
                                const struct partial_plan **out, struct err *err);
/* req must be of the plan's environment. */
MUST_USE bool partial_evaluate(const struct partial_plan *plan, const struct partial_request *req,
                               const struct partial_entities *entities, struct arena *a,
                               const struct partial_answer **out, struct err *err);
/* Both in one. */
MUST_USE bool partial_authorize(const struct schema *s, const struct cedar_policies *const *texts,
                                size_t text_count, const struct partial_request *req,
                                const struct partial_entities *entities, struct arena *a,
                                const struct partial_answer **out, struct err *err);

/* The answer as policies, number by number: id, effect and annotations as given, no scope, one
 * `when` with the residual. To compile (cedar.h) or print (print.h, policy_json.h). */
struct cedar_policies partial_residuals(const struct partial_answer *answer, struct arena *a);
/* The decision for a whole request and store, from the residuals: the response of cedar_authorize
 * to the policies themselves, but for the texts of errors. Refuses a request or store that does not
 * conform to the schema or does not agree with what was known: every entity that was known must be
 * in the store, its known parts must be the same, and actions must have the ancestors that the
 * schema declares. */
MUST_USE bool partial_reauthorize(const struct partial_answer *answer,
                                  const struct cedar_request *req,
                                  const struct cedar_entities *entities, struct arena *a,
                                  struct cedar_response *out, struct err *err);

/* ---- questions ---- */

enum partial_verdict {
    PARTIAL_DENIED = 0, /* whatever the rest is */
    PARTIAL_POSSIBLE,   /* under the residuals of the answer; they may still be contradictory */
    PARTIAL_ALLOWED,    /* whatever the rest is */
};
extern const char *const partial_verdict_names[3]; /* "denied" "possible" "allowed" */
enum partial_verdict partial_verdict(const struct partial_answer *answer);

/* One action, candidate or environment with what the policies say of it. */
struct partial_finding {
    const struct schema_action *action;
    str resource_type;
    struct cedar_uid uid; /* the candidate; empty where the question is not about entities */
    enum partial_verdict verdict;
    /* NULL where the context given does not fit the action; of a candidate, unless it is possible.
     */
    const struct partial_answer *answer;
};
struct partial_findings {
    const struct partial_finding *items;
    size_t count;
};

/* Every action of the schema that applies to these types, in the schema's order. context may be
 * NULL: unknown. Where it does not conform to an action's declaration the action is denied. One
 * plan and one evaluation per action. */
MUST_USE bool partial_query_action(const struct schema *s,
                                   const struct cedar_policies *const *texts, size_t text_count,
                                   const struct partial_uid *principal,
                                   const struct partial_uid *resource,
                                   const struct cedar_value *context,
                                   const struct partial_entities *entities, struct arena *a,
                                   struct partial_findings *out, struct err *err);

/* Every stored entity of the type that req gives for side (CEDAR_PRINCIPAL or CEDAR_RESOURCE, whose
 * id must be unknown), in byte order of ids. One plan, one evaluation for all, and where that
 * leaves it open one more per candidate, of the policies that were left open. With whole entities,
 * a context and the id of the other side the verdicts are never "possible". */
MUST_USE bool partial_query_entities(const struct schema *s,
                                     const struct cedar_policies *const *texts, size_t text_count,
                                     enum cedar_var side, const struct partial_request *req,
                                     const struct partial_entities *entities, struct arena *a,
                                     struct partial_findings *out, struct err *err);

/* All that a principal can reach: every environment of the schema with its type, by action, then by
 * resource type; resource id and context unknown. One plan and evaluation per environment. */
MUST_USE bool partial_query_reach(const struct schema *s, const struct cedar_policies *const *texts,
                                  size_t text_count, const struct partial_uid *principal,
                                  const struct partial_entities *entities, struct arena *a,
                                  struct partial_findings *out, struct err *err);
