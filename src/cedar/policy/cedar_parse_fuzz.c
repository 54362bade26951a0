/* Any bytes as a policy set: refused with a reason, or compiled and decided for a small request,
 * which must end in an answer. Every value that an expression yields can be written and read back
 * as the same value. */
#include "cedar/eval/guard.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_expr(struct arena *a, const struct cedar_expr *e, const struct cedar_request *req,
                       const struct cedar_entities *entities)
{
    struct cedar_value v, again;
    struct err err;
    struct cedar_diags diags;
    struct buf text = {0};
    require(e->depth <= CEDAR_DEPTH_MAX && e->span.start <= e->span.end);
    if (!cedar_expr_eval(e, req, entities, a, &v, &err))
        return;
    cedar_value_print(&text, &v);
    struct cedar_expr *back = cedar_expr_parse(a, buf_str(&text), &diags);
    require(back && cedar_expr_eval(back, req, entities, a, &again, &err));
    require(cedar_value_eq(&v, &again));
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_diags diags;
    struct cedar_entities entities;
    struct err err;
    str text = str_of((const char *)data, size);
    if (!cedar_policies_parse(&a, S("fuzz"), text, &p, &diags)) {
        struct buf b = {0};
        require(diags.errors > 0 && diags.count > 0);
        cedar_diags_print(&diags, &b);
        buf_fini(&b);
        return 0;
    }
    struct cedar_request req = {{S("U"), S("a")}, {S("Action"), S("v")}, {S("R"), S("r")}, NULL};
    struct cedar_uid parent = {S("G"), S("g")};
    struct cedar_entity e = {.uid = req.principal, .parents = &parent, .parent_count = 1};
    cedar_entities_init(&entities, &a, NULL, 1);
    require(cedar_entities_add(&entities, &e, &err) && cedar_entities_seal(&entities, &err));
    const struct cedar_policies *texts[] = {&p};
    struct cedar_set *set = cedar_compile(texts, 1, 1, &err);
    struct cedar_verdict v = cedar_guard(set, &req, &entities, &a);
    require(!v.allowed || v.response.reason_count > 0);
    for (size_t i = 0; i < p.count; i++) {
        for (size_t j = 0; j < p.items[i].condition_count; j++)
            check_expr(&a, p.items[i].conditions[j].body, &req, &entities);
    }
    cedar_set_free(set);
    return 0;
}
