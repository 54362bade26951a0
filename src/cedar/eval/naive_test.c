/* The compiled evaluator against the naive one, on random expressions and policies: the same value,
 * or both fail. */
#include "cedar/eval/naive.h"
#include "cedar/testgen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 300 };
#else
enum { ROUNDS = 4000 };
#endif
enum { EXPRESSIONS = 10, POLICIES = 4 };

struct tally {
    size_t values, failures, satisfied, policy_errors, allows;
};

static const struct schema *read_schema(struct arena *a)
{
    struct cedar_diags d;
    const struct schema *s;
    cedar_diags_init(&d, a, S("schema"), str_z(testgen_schema));
    assert_true(schema_read(a, str_z(testgen_schema), &s, &d));
    return s;
}

/* What an expression may be: most often a bool, for conditions; sometimes anything. */
static void one_expression(struct testgen *g, const struct cedar_entities *entities,
                           struct arena *a, struct tally *t)
{
    struct buf text = {0};
    struct cedar_diags d;
    struct err err;
    struct cedar_request req = testgen_request(g, a);
    const struct ctype *type =
        testgen_chance(g, 500) ? &ctype_bool : g->types[testgen_below(g, g->type_count)];
    testgen_expr(g, &text, type, 1 + testgen_below(g, 5));
    cedar_diags_init(&d, a, S(""), buf_str(&text));
    const struct cedar_expr *e = cedar_expr_parse(a, buf_str(&text), &d);
    if (!e)
        fail_msg("does not parse: %.*s", STR(buf_str(&text)));
    struct naive n = {&req, entities, a};
    struct cedar_value expected, got;
    bool fine = naive_eval(&n, e, &expected);
    if (cedar_expr_eval(e, &req, entities, a, &got, &err) != fine)
        fail_msg("%s: %.*s", fine ? err.text : "must fail", STR(buf_str(&text)));
    if (fine && !cedar_value_eq(&expected, &got))
        fail_msg("another value: %.*s", STR(buf_str(&text)));
    t->values += fine;
    t->failures += !fine;
    buf_fini(&text);
}

static bool is_listed(const uint32_t *numbers, size_t stride, size_t n, uint32_t wanted)
{
    for (size_t i = 0; i < n; i++)
        if (*(const uint32_t *)(const void *)((const char *)numbers + i * stride) == wanted)
            return true;
    return false;
}

static void hold_response(const struct cedar_policies *ps, const struct naive *n,
                          const struct cedar_response *r, struct tally *t)
{
    enum naive_outcome outcomes[POLICIES];
    bool satisfied[2] = {0};
    for (uint32_t i = 0; i < ps->count; i++) {
        outcomes[i] = naive_policy(n, &ps->items[i]);
        satisfied[ps->items[i].effect] |= outcomes[i] == NAIVE_TRUE;
        t->satisfied += outcomes[i] == NAIVE_TRUE;
        t->policy_errors += outcomes[i] == NAIVE_FAILED;
    }
    bool allow = satisfied[CEDAR_PERMIT] && !satisfied[CEDAR_FORBID];
    enum cedar_effect determining = satisfied[CEDAR_FORBID] ? CEDAR_FORBID : CEDAR_PERMIT;
    size_t reasons = 0, errors = 0;
    for (uint32_t i = 0; i < ps->count; i++) {
        bool reason = outcomes[i] == NAIVE_TRUE && ps->items[i].effect == determining;
        bool error = outcomes[i] == NAIVE_FAILED;
        reasons += reason;
        errors += error;
        assert_int_equal(is_listed(r->reasons, sizeof *r->reasons, r->reason_count, i), reason);
        assert_int_equal(is_listed(r->error_count ? &r->errors[0].policy : NULL, sizeof *r->errors,
                                   r->error_count, i),
                         error);
    }
    assert_int_equal(r->decision, allow ? CEDAR_ALLOW : CEDAR_DENY);
    assert_int_equal(r->reason_count, reasons);
    assert_int_equal(r->error_count, errors);
    t->allows += allow;
}

/* The decision alone is the same decision. */
static void hold_modes(const struct cedar_set *set, const struct cedar_request *req,
                       const struct cedar_entities *entities, struct arena *a,
                       const struct cedar_response *full)
{
    struct cedar_response res;
    struct err err;
    bool closed = full->decision == CEDAR_ALLOW && full->error_count == 0;
    assert_true(cedar_authorize_as(CEDAR_DECISION, set, req, entities, a, &res, &err));
    assert_int_equal(res.decision, full->decision);
    assert_true(res.reason_count <= 1 && res.evaluated <= full->evaluated);
    assert_true(cedar_authorize_as(CEDAR_DECISION_CLOSED, set, req, entities, a, &res, &err));
    assert_int_equal(res.decision, closed ? CEDAR_ALLOW : CEDAR_DENY);
}

static void one_set(struct testgen *g, const struct cedar_entities *entities, struct arena *a,
                    struct tally *t)
{
    struct buf text = {0};
    struct cedar_diags d;
    struct cedar_policies ps;
    struct err err;
    for (int i = 0; i < POLICIES; i++)
        testgen_policy(g, &text, 3);
    if (!cedar_policies_parse(a, S("random"), buf_str(&text), &ps, &d))
        fail_msg("does not parse: %.*s", STR(buf_str(&text)));
    const struct cedar_policies *texts[] = {&ps};
    struct cedar_set *set = cedar_compile(texts, 1, 12345, &err);
    assert_non_null(set);
    for (int i = 0; i < 3; i++) {
        struct cedar_request req = testgen_request(g, a);
        struct cedar_response res;
        struct naive n = {&req, entities, a};
        assert_true(cedar_authorize(set, &req, entities, a, &res, &err));
        hold_response(&ps, &n, &res, t);
        hold_modes(set, &req, entities, a, &res);
    }
    cedar_set_free(set);
    buf_fini(&text);
}

static void test_agreement(void **state)
{
    ARENA_SCOPE struct arena fixed = {0}, a = {0};
    struct testgen g;
    struct tally t = {0};
    testgen_init(&g, &fixed, read_schema(&fixed), 1);
    for (int i = 0; i < ROUNDS; i++) {
        struct cedar_entities entities;
        testgen_env(&g);
        g.wild = i % 4 == 0 ? 60 : 0;
        testgen_entities(&g, &a, &entities);
        for (int j = 0; j < EXPRESSIONS; j++)
            one_expression(&g, &entities, &a, &t);
        one_set(&g, &entities, &a, &t);
        arena_reset(&a);
    }
    printf("%zu values, %zu failures; policies: %zu satisfied, %zu failed, %zu requests allowed\n",
           t.values, t.failures, t.satisfied, t.policy_errors, t.allows);
    assert_true(t.values > 10 * t.failures / 4 && t.failures > ROUNDS / 10);
    assert_true(t.satisfied > ROUNDS && t.policy_errors > ROUNDS / 100 && t.allows > ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agreement)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
