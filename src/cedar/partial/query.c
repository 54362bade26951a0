#include <stdlib.h>

#include "cedar/check/conform.h"
#include "cedar/partial/residue.h"

const char *const partial_verdict_names[3] = {"denied", "possible", "allowed"};

enum partial_verdict partial_verdict(const struct partial_answer *answer)
{
    if (!answer->decided)
        return PARTIAL_POSSIBLE;
    return answer->decision == CEDAR_ALLOW ? PARTIAL_ALLOWED : PARTIAL_DENIED;
}

/* ---- by environment ---- */

struct asking {
    const struct schema *schema;
    const struct cedar_policies *const *texts;
    size_t text_count;
    const struct partial_entities *entities;
    struct arena *a;
};

/* req lives as long as the answer. */
static bool ask(const struct asking *q, const struct schema_action *x,
                const struct partial_request *req, struct partial_finding *out, struct err *err)
{
    *out = (struct partial_finding){.action = x, .resource_type = req->resource.type};
    if (!partial_authorize(q->schema, q->texts, q->text_count, req, q->entities, q->a, &out->answer,
                           err))
        return false;
    out->verdict = partial_verdict(out->answer);
    return true;
}

static bool applies_to(const struct schema *s, struct schema_set types, str type)
{
    const struct schema_etype *e = schema_etype(s, type);
    return e && schema_set_has(types, e->index);
}

bool partial_query_action(const struct schema *s, const struct cedar_policies *const *texts,
                          size_t text_count, const struct partial_uid *principal,
                          const struct partial_uid *resource, const struct cedar_value *context,
                          const struct partial_entities *entities, struct arena *a,
                          struct partial_findings *out, struct err *err)
{
    struct asking q = {s, texts, text_count, entities, a};
    struct partial_finding *items = ARENA_ARRAY(a, struct partial_finding, s->action_count);
    struct conform_fault ignored;
    size_t n = 0;
    for (size_t i = 0; i < s->action_count; i++) {
        const struct schema_action *x = &s->actions[i];
        if (!applies_to(s, x->principals, principal->type) ||
            !applies_to(s, x->resources, resource->type))
            continue;
        struct partial_finding *one = &items[n++];
        if (context && !conform_value(s, x->context, context, &ignored)) {
            *one = (struct partial_finding){.action = x, .resource_type = resource->type};
            continue;
        }
        struct partial_request *req = ARENA_NEW(a, struct partial_request);
        *req = (struct partial_request){*principal, *resource, x->uid, context};
        if (!ask(&q, x, req, one, err))
            return false;
    }
    *out = (struct partial_findings){items, n};
    return true;
}

bool partial_query_reach(const struct schema *s, const struct cedar_policies *const *texts,
                         size_t text_count, const struct partial_uid *principal,
                         const struct partial_entities *entities, struct arena *a,
                         struct partial_findings *out, struct err *err)
{
    struct asking q = {s, texts, text_count, entities, a};
    size_t n = 0, most = 0;
    for (size_t i = 0; i < s->action_count; i++)
        if (applies_to(s, s->actions[i].principals, principal->type))
            most += s->actions[i].resources.count;
    struct partial_finding *items = ARENA_ARRAY(a, struct partial_finding, most);
    for (size_t i = 0; i < s->action_count; i++) {
        const struct schema_action *x = &s->actions[i];
        if (!applies_to(s, x->principals, principal->type))
            continue;
        for (size_t j = 0; j < x->resources.count; j++) {
            struct partial_request *req = ARENA_NEW(a, struct partial_request);
            *req = (struct partial_request){.principal = *principal, .action = x->uid};
            req->resource.type = s->etypes[x->resources.items[j]].name;
            if (!ask(&q, x, req, &items[n++], err))
                return false;
        }
    }
    *out = (struct partial_findings){items, n};
    return true;
}

/* ---- by entity ---- */

static int by_uid(const void *x, const void *y)
{
    return cedar_uid_cmp(&((const struct partial_finding *)x)->uid,
                         &((const struct partial_finding *)y)->uid);
}

/* Every stored entity of that type. */
static struct partial_findings candidates(const struct partial_entities *e, str type,
                                          struct arena *a)
{
    size_t most = e->count, n = 0;
    for (const struct cedar_entities *at = e->whole; at; at = at->base)
        most += at->count;
    struct partial_finding *items = ARENA_ARRAY(a, struct partial_finding, most);
    for (size_t i = 0; i < e->count; i++)
        if (str_eq(e->items[i].uid.type, type))
            items[n++].uid = e->items[i].uid;
    for (const struct cedar_entities *at = e->whole; at; at = at->base)
        for (size_t i = 0; i < at->count; i++)
            if (str_eq(at->items[i]->uid.type, type))
                items[n++].uid = at->items[i]->uid;
    if (n > 1)
        qsort(items, n, sizeof *items, by_uid);
    return (struct partial_findings){items, n};
}

/* The candidates of one question, and what was left open when nothing was known of them. */
struct search {
    const struct partial_plan *plan;
    const struct partial_answer *all;
    enum cedar_var side;
    struct cedar_set *residuals; /* compiled, where a candidate is all that is unknown */
    struct arena *a;
    struct arena scratch; /* of one candidate: there may be many */
};

static bool refine(struct search *q, struct arena *a, struct partial_finding *one, struct err *err)
{
    struct partial_request *req = ARENA_NEW(a, struct partial_request);
    struct partial_uid known = {one->uid.type, one->uid.id, true};
    *req = *q->all->request;
    *(q->side == CEDAR_PRINCIPAL ? &req->principal : &req->resource) = known;
    if (!partial_refine(q->plan, q->all, req, a, &one->answer, err))
        return err_in(err, "%.*s::\"%.*s\"", STR(one->uid.type), STR(str_take(one->uid.id, 80)));
    one->verdict = partial_verdict(one->answer);
    return true;
}

static bool decide(struct search *q, struct partial_finding *one, struct err *err)
{
    const struct partial_request *known = q->all->request;
    struct cedar_request req = {{known->principal.type, known->principal.id},
                                known->action,
                                {known->resource.type, known->resource.id},
                                known->context};
    struct cedar_response res;
    *(q->side == CEDAR_PRINCIPAL ? &req.principal : &req.resource) = one->uid;
    if (!cedar_authorize(q->residuals, &req, q->all->entities->whole, &q->scratch, &res, err))
        return false;
    one->verdict = res.decision == CEDAR_ALLOW ? PARTIAL_ALLOWED : PARTIAL_DENIED;
    return true;
}

/* What is decided leaves nothing in the arena. */
static bool ask_candidate(struct search *q, struct partial_finding *one, struct err *err)
{
    one->verdict = partial_verdict(q->all);
    if (q->all->decided)
        return true;
    arena_reset(&q->scratch);
    if (q->residuals)
        return decide(q, one, err);
    if (!refine(q, &q->scratch, one, err))
        return false;
    one->answer = NULL;
    return one->verdict != PARTIAL_POSSIBLE || refine(q, q->a, one, err);
}

static bool ask_candidates(struct search *q, const struct partial_request *req,
                           struct partial_finding *items, size_t n, struct err *err)
{
    const struct partial_entities *entities = q->all->entities;
    const struct partial_uid *other = q->side == CEDAR_PRINCIPAL ? &req->resource : &req->principal;
    if (!q->all->decided && entities->whole && req->context && other->has_id) {
        struct cedar_policies residuals = partial_residuals(q->all, q->a);
        const struct cedar_policies *texts[] = {&residuals};
        q->residuals = cedar_compile(texts, 1, entities->whole->seed, err);
        if (!q->residuals)
            return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        items[i].action = schema_action(q->all->schema, &req->action);
        items[i].resource_type = req->resource.type;
        ok = ask_candidate(q, &items[i], err);
    }
    cedar_set_free(q->residuals);
    arena_fini(&q->scratch);
    return ok;
}

bool partial_query_entities(const struct schema *s, const struct cedar_policies *const *texts,
                            size_t text_count, enum cedar_var side,
                            const struct partial_request *req,
                            const struct partial_entities *entities, struct arena *a,
                            struct partial_findings *out, struct err *err)
{
    struct search q = {.side = side, .a = a};
    const struct partial_uid *asked = side == CEDAR_PRINCIPAL ? &req->principal : &req->resource;
    if (side != CEDAR_PRINCIPAL && side != CEDAR_RESOURCE)
        return err_input(err, "entities can be asked for as principals and as resources");
    if (asked->has_id)
        return err_input(err, "the %s is asked for: leave its id out", cedar_var_names[side]);
    if (!partial_plan_make(s, texts, text_count, &req->action, req->principal.type,
                           req->resource.type, a, &q.plan, err) ||
        !partial_evaluate(q.plan, req, entities, a, &q.all, err))
        return false;
    struct partial_findings found = candidates(entities, asked->type, a);
    if (!ask_candidates(&q, req, (struct partial_finding *)found.items, found.count, err))
        return false;
    *out = found;
    return true;
}
