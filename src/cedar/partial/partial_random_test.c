/* For random policies that are strictly valid, and random knowledge of a request and a store: every
 * completion drawn gets from the residuals what it gets from the policies - decision, reasons,
 * errors, and of each policy whether it is true, false or fails. Judged by the naive evaluator as
 * well as by the real one. */
#include "cedar/check/validate.h"
#include "cedar/eval/naive.h"
#include "cedar/partial/vary.h"
#include "cedar/policy/policy_json.h"
#include "cedar/policy/print.h"
#include "cedar/policy/same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 400 };
#else
enum { ROUNDS = 2500 };
#endif
enum { POLICIES = 4, VARIATIONS = 4, COMPLETIONS = 4 };

struct tally {
    size_t cases, printed, classes[PARTIAL_CLASSES], outcomes[3], decided, allowed;
};

static const struct schema *read_schema(struct arena *a)
{
    struct cedar_diags d;
    const struct schema *s;
    cedar_diags_init(&d, a, S("schema"), str_z(testgen_schema));
    assert_true(schema_read(a, str_z(testgen_schema), &s, &d));
    return s;
}

/* One policy that validates; its text is added to out. */
static void valid_policy(struct testgen *g, struct buf *out)
{
    for (;;) {
        ARENA_SCOPE struct arena a = {0};
        struct buf text = {0};
        struct cedar_policies ps;
        struct cedar_diags d;
        testgen_policy(g, &text, 2 + testgen_below(g, 4));
        bool valid = cedar_policies_parse(&a, S(""), buf_str(&text), &ps, &d) &&
                     validate_policies(g->schema, &ps, NULL, &d);
        if (valid)
            buf_put(out, buf_str(&text));
        buf_fini(&text);
        if (valid)
            return;
    }
}

static bool same_numbers(const uint32_t *x, size_t x_count, const uint32_t *y, size_t y_count)
{
    return x_count == y_count && (x_count == 0 || memcmp(x, y, x_count * sizeof *x) == 0);
}

static bool same_response(const struct cedar_response *x, const struct cedar_response *y)
{
    bool same = x->decision == y->decision && x->error_count == y->error_count &&
                same_numbers(x->reasons, x->reason_count, y->reasons, y->reason_count);
    for (size_t i = 0; same && i < x->error_count; i++)
        same = x->errors[i].policy == y->errors[i].policy;
    return same;
}

/* What was said for certain must hold. */
static void hold_answer(const struct partial_answer *answer, const struct cedar_response *res)
{
    if (!answer->decided)
        return;
    assert_int_equal(answer->decision, res->decision);
    for (size_t i = 0; i < answer->reason_count; i++) {
        bool found = false;
        for (size_t j = 0; j < res->reason_count; j++)
            found = found || res->reasons[j] == answer->reasons[i];
        assert_true(found);
    }
}

struct trial {
    struct testgen *g;
    struct arena *a;
    const struct cedar_policies *ps;
    const struct cedar_set *set;
    const struct partial_answer *answer;
    struct cedar_policies residuals;
    struct tally *t;
};

static void hold_policies(struct trial *t, const struct naive *n)
{
    static const enum naive_outcome promised[] = {
        [PARTIAL_TRUE] = NAIVE_TRUE, [PARTIAL_FALSE] = NAIVE_FALSE, [PARTIAL_ERROR] = NAIVE_FAILED};
    for (size_t i = 0; i < t->ps->count; i++) {
        const struct cedar_policy *p = &t->ps->items[i];
        enum naive_outcome outcome = naive_policy(n, p);
        enum partial_class class = t->answer->policies[i].class;
        if (naive_policy(n, &t->residuals.items[i]) != outcome ||
            (class != PARTIAL_RESIDUAL && promised[class] != outcome))
            fail_msg("residual (%s) differs (%d): %.*s", partial_class_names[class], outcome,
                     STR(cedar_span_text(t->ps->text, p->span)));
        t->t->outcomes[outcome]++;
    }
}

static bool has_error(const struct cedar_expr *e)
{
    bool has = e->kind == CEDAR_E_ERROR;
    for (uint32_t i = 0; !has && i < e->kid_count; i++)
        has = has_error(e->kids[i]);
    return has;
}

/* As text and as JSON, what is left reads back as the same tree - but for CEDAR_E_ERROR. */
static void hold_forms(struct trial *t, const struct cedar_expr *e)
{
    struct buf text = {0}, as_json = {0};
    struct cedar_diags d;
    struct cedar_expr *from_json;
    const json *v;
    struct err err;
    if (has_error(e))
        return;
    assert_true(cedar_expr_print(&text, e, &err));
    cedar_diags_init(&d, t->a, S(""), buf_str(&text));
    const struct cedar_expr *from_text = cedar_expr_parse(t->a, buf_str(&text), &d);
    if (!from_text || !cedar_expr_same(from_text, e))
        fail_msg("does not read back: %.*s", STR(buf_str(&text)));
    assert_true(cedar_expr_to_json(&as_json, e, &err));
    if (!json_read(t->a, buf_str(&as_json), &cedar_policy_json_limits, &v, &err) ||
        !cedar_expr_from_json(t->a, v, &from_json, &err))
        fail_msg("%s: %.*s", err.text, STR(buf_str(&as_json)));
    buf_clear(&text);
    assert_true(cedar_expr_to_json(&text, from_json, &err));
    assert_true(str_eq(buf_str(&text), buf_str(&as_json)));
    buf_fini(&text);
    buf_fini(&as_json);
    t->t->printed++;
}

static void one_completion(struct trial *t, const struct cedar_request *req,
                           const struct cedar_entities *store)
{
    struct cedar_response whole, rest;
    struct err err;
    assert_true(cedar_authorize(t->set, req, store, t->a, &whole, &err));
    if (!partial_reauthorize(t->answer, req, store, t->a, &rest, &err))
        fail_msg("%s", err.text);
    if (!same_response(&whole, &rest))
        fail_msg("another response: %.*s", STR(t->ps->text));
    hold_answer(t->answer, &rest);
    struct naive n = {req, store, t->a};
    hold_policies(t, &n);
    t->t->cases++;
    t->t->allowed += rest.decision == CEDAR_ALLOW;
}

static void one_variation(struct trial *t, const struct partial_plan *plan,
                          const struct cedar_request *req, const struct cedar_entities *store)
{
    static const struct vary hows[] = {
        {500, 500, 500, 300, 300}, {0, 1000, 0, 200, 100},      {1000, 0, 500, 0, 0},
        {0, 0, 1000, 100, 0},      {1000, 1000, 1000, 1000, 0}, {0, 0, 0, 500, 500},
    };
    struct partial_request partial;
    struct partial_entities known;
    struct err err;
    vary_forget(t->g, &hows[testgen_below(t->g, sizeof hows / sizeof *hows)], t->a, req, store,
                &partial, &known);
    if (!partial_evaluate(plan, &partial, &known, t->a, &t->answer, &err))
        fail_msg("%s", err.text);
    t->residuals = partial_residuals(t->answer, t->a);
    t->t->decided += t->answer->decided;
    for (size_t i = 0; i < t->answer->count; i++) {
        t->t->classes[t->answer->policies[i].class]++;
        hold_forms(t, t->answer->policies[i].residual);
    }
    one_completion(t, req, store);
    for (int i = 1; i < COMPLETIONS; i++) {
        struct cedar_request other;
        struct cedar_entities others;
        vary_complete(t->g, t->a, &partial, &known, &other, &others);
        one_completion(t, &other, &others);
    }
}

static void one_round(struct testgen *g, struct arena *a, struct tally *tally)
{
    struct buf text = {0};
    struct cedar_policies ps;
    struct cedar_diags d;
    struct err err;
    struct trial t = {.g = g, .a = a, .ps = &ps, .t = tally};
    const struct cedar_policies *texts[] = {&ps};
    const struct partial_plan *plan;
    testgen_env(g);
    for (int i = 0; i < POLICIES; i++)
        valid_policy(g, &text);
    assert_true(cedar_policies_parse(a, S("random"), buf_str(&text), &ps, &d));
    struct cedar_set *set = cedar_compile(texts, 1, 12345, &err);
    t.set = set;
    if (!partial_plan_make(g->schema, texts, 1, &g->action->uid,
                           g->schema->etypes[g->principal].name,
                           g->schema->etypes[g->resource].name, a, &plan, &err))
        fail_msg("%s", err.text);
    struct cedar_entities store;
    testgen_entities(g, a, &store);
    struct cedar_request req = testgen_request(g, a);
    for (int i = 0; i < VARIATIONS; i++)
        one_variation(&t, plan, &req, &store);
    cedar_set_free(set);
    buf_fini(&text);
}

static void test_residuals(void **state)
{
    ARENA_SCOPE struct arena fixed = {0}, a = {0};
    struct testgen g;
    struct tally t = {0};
    testgen_init(&g, &fixed, read_schema(&fixed), 7);
    for (int i = 0; i < ROUNDS; i++) {
        one_round(&g, &a, &t);
        arena_reset(&a);
    }
    printf("%zu cases, %zu residuals read back, %zu allowed; residuals %zu, true %zu, false %zu, "
           "error %zu; %zu decided; "
           "outcomes: %zu failed, %zu false, %zu true\n",
           t.cases, t.printed, t.allowed, t.classes[PARTIAL_RESIDUAL], t.classes[PARTIAL_TRUE],
           t.classes[PARTIAL_FALSE], t.classes[PARTIAL_ERROR], t.decided, t.outcomes[NAIVE_FAILED],
           t.outcomes[NAIVE_FALSE], t.outcomes[NAIVE_TRUE]);
    assert_true(t.cases == (size_t)ROUNDS * VARIATIONS * COMPLETIONS);
    for (int i = 0; i < PARTIAL_CLASSES; i++)
        assert_true(t.classes[i] >= (i == PARTIAL_ERROR ? ROUNDS / 500 : ROUNDS / 3));
    for (int i = 0; i < 3; i++)
        assert_true(t.outcomes[i] > t.cases / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_residuals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
