/* Policy sets as JSON. */
#include "cedar/policy/ast_equal.h"
#include "cedar/policy/policy_set_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct row {
    const char *json, *want;
};

static const json *parsed(struct arena *a, str text)
{
    const json *v;
    struct err err;
    if (!json_read(a, text, &cedar_policy_json_limits, &v, &err))
        fail_msg("%.*s: %s", STR(text), err.text);
    return v;
}

/* ---- sets ---- */

/* The second text is the number of policies. */
static const struct row sets[] = {
    {"{}", "0"},
    {"{\"templateLinks\":[]}", "0"},
    {"{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]},\"b\":{\"effect\":"
     "\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":"
     "\"All\"},\"conditions\":[]}},\"templates\":{},\"templateLinks\":[]}",
     "2"},
    {"{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},\"templates\":{\"t\":{"
     "\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?principal\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"in\",\"slot\":\"?resource\"},\"conditions\":[]}},"
     "\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?principal\":{"
     "\"type\":\"U\",\"id\":\"a\"},\"?resource\":{\"type\":\"R\",\"id\":\"r\"}}}]}",
     "3"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]},\"\":{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?"
     "principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},"
     "\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?principal\":{"
     "\"type\":\"U\",\"id\":\"a\"}}},{\"templateId\":\"t\",\"newId\":\"m\",\"values\":{\"?"
     "principal\":{\"__entity\":{\"type\":\"U\",\"id\":\"a\"}}}},{\"templateId\":\"\",\"newId\":"
     "\"n\",\"values\":{\"?principal\":{\"type\":\"U\",\"id\":\"a\"}}}]}",
     "5"},
};

static void test_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_policies p, again;
        struct err err;
        struct buf b = {0};
        if (!cedar_policies_from_json(&a, parsed(&a, str_z(sets[i].json)), &p, &err))
            fail_msg("%s: %s", sets[i].json, err.text);
        if (!str_eq(str_fmt(&a, "%zu", p.count), str_z(sets[i].want)))
            fail_msg("%s: %zu policies", sets[i].json, p.count);
        assert_true(cedar_policies_to_json(&b, &p, &err));
        assert_true(cedar_policies_from_json(&a, parsed(&a, buf_str(&b)), &again, &err));
        assert_int_equal(again.count, p.count);
        for (size_t j = 0; j < p.count; j++) {
            const struct cedar_policy *x = &p.items[j], *y = &again.items[j];
            assert_true(str_eq(x->id, y->id) && str_eq(x->template_id, y->template_id));
            assert_true(cedar_policy_is_link(x) == cedar_policy_is_link(y));
            assert_true(ast_policy_equal(&a, x, y, AST_EXACT));
        }
        buf_fini(&b);
    }
}

static const struct row refused_sets[] = {
    {"[]", "a policy set must be an object"},
    {"{\"x\":1}", "a policy set has no member `x`"},
    {"{\"staticPolicies\":null}", "staticPolicies must be an object"},
    {"{\"staticPolicies\":[]}", "staticPolicies must be an object"},
    {"{\"templateLinks\":{}}", "templateLinks must be an array"},
    {"{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?"
     "principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"in\",\"slot\":\"?resource\"},"
     "\"conditions\":[]}},\"templates\":{},\"templateLinks\":[]}",
     "staticPolicies: policy `a`: this is a template"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":"
     "\"All\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},"
     "\"templateLinks\":[]}",
     "templates: policy `t`: this is no template"},
    {"{\"staticPolicies\":{\"a\":{}},\"templates\":{},\"templateLinks\":[]}",
     "staticPolicies: policy `a`"},
    {"{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},\"templates\":{\"a\":{"
     "\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?principal\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"in\",\"slot\":\"?resource\"},\"conditions\":[]}},"
     "\"templateLinks\":[]}",
     "two policies have the id `a`"},
    {"{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},\"templates\":{\"t\":{"
     "\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?principal\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},\"templateLinks\":[{"
     "\"templateId\":\"t\",\"newId\":\"a\",\"values\":{\"?principal\":{\"type\":\"U\",\"id\":\"a\"}"
     "}}]}",
     "two policies have the id `a`"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"t\",\"values\":{\"?"
     "principal\":{\"type\":\"U\",\"id\":\"a\"}}}]}",
     "two policies have the id `t`"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?"
     "principal\":{\"type\":\"U\",\"id\":\"a\"}}},{\"templateId\":\"t\",\"newId\":\"l\",\"values\":"
     "{\"?principal\":{\"type\":\"U\",\"id\":\"a\"}}}]}",
     "two policies have the id `l`"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"in\",\"slot\":"
     "\"?resource\"},\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\","
     "\"values\":{\"?principal\":{\"type\":\"U\",\"id\":\"a\"}}}]}",
     "needs a value for ?resource"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?"
     "principal\":{\"type\":\"U\",\"id\":\"a\"},\"?resource\":{\"type\":\"R\",\"id\":\"r\"}}}]}",
     "has no slot ?resource"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{}}]"
     "}",
     "needs a value for ?principal"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?"
     "principal\":{\"type\":\"U\",\"id\":\"a\"},\"?x\":1}}]}",
     "`values` has no member `?x`"},
    {"{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},\"templates\":{},"
     "\"templateLinks\":[{\"templateId\":\"a\",\"newId\":\"l\",\"values\":{}}]}",
     "is no template"},
    {"{\"staticPolicies\":{},\"templates\":{},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":"
     "\"l\",\"values\":{}}]}",
     "there is no template `t`"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?"
     "principal\":{\"type\":\"U\",\"id\":\"a\"}}},{\"templateId\":\"l\",\"newId\":\"m\",\"values\":"
     "{}}]}",
     "is no template"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\"}]}",
     "`values` must be an object, not nothing"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"newId\":\"l\",\"values\":{}}]}",
     "needs `templateId`"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":1,\"values\":{}}]}",
     "needs `newId`"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{},"
     "\"x\":1}]}",
     "a template link has no member `x`"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?"
     "principal\":\"U::\\\"a\\\"\"}}]}",
     "?principal: an entity is written"},
    {"{\"staticPolicies\":{},\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"=="
     "\",\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}},\"templateLinks\":[[]]}",
     "a template link must be an object"},
};

static void test_refused_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_sets / sizeof refused_sets[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_policies p = {.count = 7};
        struct err err;
        if (cedar_policies_from_json(&a, parsed(&a, str_z(refused_sets[i].json)), &p, &err))
            fail_msg("%s was accepted", refused_sets[i].json);
        if (str_find(str_z(err.text), str_z(refused_sets[i].want)) < 0)
            fail_msg("%s: %s", refused_sets[i].json, err.text);
        assert_int_equal(p.count, 7);
    }
}

/* A link that has lost its template cannot be written. */
static void test_orphan(void **state)
{
    (void)state;
    struct cedar_policy link = {.id = S("l"), .template_id = S("t")};
    struct cedar_policies p = {.items = &link, .count = 1};
    struct err err;
    struct buf b = {0};
    assert_false(cedar_policies_to_json(&b, &p, &err));
    assert_string_equal(err.text, "link `l`: there is no template `t`");
    assert_int_equal(buf_len(&b), 0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_refused_sets),
        cmocka_unit_test(test_orphan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
