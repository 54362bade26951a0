/* Any text as policies over the schema of testgen, after eight bytes that choose what is known:
 * where partial evaluation takes them, the residuals do what the policies do, for the request that
 * was forgotten in part and for other completions. */
#include "cedar/eval/naive.h"
#include "cedar/partial/vary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMPLETIONS = 3, POLICIES_MAX = 20 };

static void require(bool x)
{
    if (!x)
        __builtin_trap();
}

static void hold(const struct partial_answer *answer, const struct cedar_policies *ps,
                 const struct cedar_request *req, const struct cedar_entities *store,
                 struct arena *a)
{
    struct naive n = {req, store, a};
    struct cedar_policies left = partial_residuals(answer, a);
    for (size_t i = 0; i < ps->count; i++)
        if (!ps->items[i].is_template)
            require(naive_policy(&n, &ps->items[i]) == naive_policy(&n, &left.items[i]));
}

static void evaluate(struct testgen *g, const struct partial_plan *plan,
                     const struct cedar_policies *ps, struct arena *a)
{
    static const struct vary how = {500, 500, 500, 300, 300};
    struct cedar_entities store;
    struct partial_request partial;
    struct partial_entities known;
    const struct partial_answer *answer;
    struct err err;
    testgen_entities(g, a, &store);
    struct cedar_request req = testgen_request(g, a);
    vary_forget(g, &how, a, &req, &store, &partial, &known);
    if (!partial_evaluate(plan, &partial, &known, a, &answer, &err)) {
        require(err.kind == ERR_LIMIT);
        return;
    }
    hold(answer, ps, &req, &store, a);
    for (int i = 0; i < COMPLETIONS; i++) {
        vary_complete(g, a, &partial, &known, &req, &store);
        hold(answer, ps, &req, &store, a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    const struct schema *schema;
    const struct partial_plan *plan;
    struct cedar_policies ps;
    struct cedar_diags d;
    struct testgen g;
    struct err err;
    uint64_t seed;
    if (size < sizeof seed)
        return 0;
    memcpy(&seed, data, sizeof seed);
    str text = str_of((const char *)data + sizeof seed, size - sizeof seed);
    cedar_diags_init(&d, &a, S("schema"), str_z(testgen_schema));
    require(schema_read(&a, str_z(testgen_schema), &schema, &d));
    testgen_init(&g, &a, schema, seed);
    testgen_env(&g);
    if (!cedar_policies_parse(&a, S("policies"), text, &ps, &d) || ps.count > POLICIES_MAX)
        return 0;
    const struct cedar_policies *texts[] = {&ps};
    if (partial_plan_make(schema, texts, 1, &g.action->uid, schema->etypes[g.principal].name,
                          schema->etypes[g.resource].name, &a, &plan, &err))
        evaluate(&g, plan, &ps, &a);
    return 0;
}
