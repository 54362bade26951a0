#include "cedar/calls/calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SCHEMA                                                                                     \
    "\"entity G; entity U in [G] {n: Long}; entity R; action all; action v in [all] appliesTo "    \
    "{principal: [U], resource: [R], context: {ip?: ipaddr, k: Long}};\""
#define REQUEST                                                                                    \
    "\"principal\":{\"type\":\"U\",\"id\":\"a\"},\"action\":{\"type\":\"Action\",\"id\":\"v\"},"   \
    "\"resource\":{\"__entity\":{\"type\":\"R\",\"id\":\"r\"}}"
#define ENTITIES                                                                                   \
    "[{\"uid\":{\"type\":\"U\",\"id\":\"a\"},\"attrs\":{\"n\":1},"                                 \
    "\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]}]"
#define PERMIT "permit(principal, action, resource);"
#define EST(principal)                                                                             \
    "{\"effect\":\"permit\",\"principal\":" principal                                              \
    ",\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}"
#define EST_WHEN(body)                                                                             \
    "{\"effect\":\"permit\",\"principal\":" ANY ",\"action\":" ANY ",\"resource\":" ANY            \
    ",\"conditions\":[{\"kind\":\"when\",\"body\":" body "}]}"
#define HAS(more)                                                                                  \
    "{\"has\":{\"left\":{\"Value\":{\"has\":{\"attr\":1,\"x\":2}}},\"attr\":\"a\"" more "}}"
#define ANY      "{\"op\":\"All\"}"
#define SLOT     "{\"op\":\"==\",\"slot\":\"?principal\"}"
#define TEMPLATE "\"permit(principal == ?principal, action, resource) when {principal.n == 1};\""
#define LINK(template, id, type)                                                                   \
    "{\"templateId\":\"" template "\",\"newId\":\"" id                                             \
                                  "\",\"values\":{\"?principal\":{\"type\":\"" type                \
                                  "\",\"id\":\"a\"}}}"
#define ALLOW(reason)                                                                              \
    "{\"type\":\"success\",\"response\":{\"decision\":\"allow\",\"diagnostics\":{\"reason\":["     \
    "\"" reason "\"],\"errors\":[]}},\"warnings\":[]}"
#define OK "{\"type\":\"success\"}"

static str call(struct arena *a, const char *name, const char *input)
{
    const json *v = NULL;
    struct err err;
    struct buf out = {0};
    static const struct json_limits limits = {.depth_max = 4096};
    if (input)
        assert_true(json_read(a, str_z(input), &limits, &v, &err));
    assert_true(cedar_call(a, str_z(name), v, &out));
    str copy = str_dup(a, buf_str(&out));
    buf_fini(&out);
    return copy;
}

/* ---- answers, to the byte ---- */

static const struct {
    const char *call, *input, *answer;
} exact[] = {
    {"isAuthorized",
     "{" REQUEST ",\"context\":{},\"entities\":[],\"policies\":{\"staticPolicies\":\"" PERMIT
     "\"}}",
     ALLOW("policy0")},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{},\"entities\":[],\"policies\":{\"staticPolicies\":{\"p\":\"" PERMIT
     "\"}}}",
     ALLOW("p")},
    {"isAuthorized",
     "{" REQUEST
     ",\"context\":{},\"entities\":[],\"policies\":{\"staticPolicies\":[" EST(ANY) "]}}",
     ALLOW("JSON policy")},
    {"isAuthorized", "{" REQUEST ",\"context\":{},\"entities\":[],\"schema\":null,\"policies\":{}}",
     "{\"type\":\"success\",\"response\":{\"decision\":\"deny\",\"diagnostics\":{\"reason\":[],"
     "\"errors\":[]}},\"warnings\":[]}"},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{\"k\":1},\"entities\":" ENTITIES ",\"schema\":" SCHEMA
     ",\"policies\":{\"templates\":{\"t\":" TEMPLATE
     ",\"s\":" EST(SLOT) "},\"templateLinks\":[" LINK("t", "l", "U") "," LINK("s", "m", "G") "]}}",
     ALLOW("l")},
    /* the schema tells that "1.1.1.1" is an address, and that v is in all */
    {"isAuthorized",
     "{" REQUEST ",\"context\":{\"k\":1,\"ip\":\"1.1.1.1\"},\"entities\":[],\"schema\":" SCHEMA
     ",\"policies\":{\"staticPolicies\":\"permit(principal, action in Action::\\\"all\\\", "
     "resource) when {context.ip.isIpv4()};\"}}",
     ALLOW("policy0")},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{},\"entities\":[],\"policies\":{\"staticPolicies\":\"permit("
     "principal, action, resource) when {1 + true == 2};\"}}",
     "{\"type\":\"success\",\"response\":{\"decision\":\"deny\",\"diagnostics\":{\"reason\":[],"
     "\"errors\":[{\"policyId\":\"policy0\",\"error\":{\"message\":\"type error: expected long, "
     "got bool\","
     "\"help\":null,\"code\":\"evaluation\",\"url\":null,\"severity\":null,\"sourceLocations\":[{"
     "\"label\":null,\"start\":0,\"end\":57}],\"related\":[]}}]}},\"warnings\":[]}"},
    {"validate", "{\"schema\":" SCHEMA ",\"policies\":{\"staticPolicies\":\"" PERMIT "\"}}",
     "{\"type\":\"success\",\"validationErrors\":[],\"validationWarnings\":[],"
     "\"otherWarnings\":[]}"},
    {"checkParsePolicySet", "{}", OK},
    {"checkParsePolicySet", "{\"templates\":{\"t\":" TEMPLATE "}}", OK},
    {"checkParseSchema", SCHEMA, OK},
    {"checkParseSchema", "{\"\":{\"entityTypes\":{},\"actions\":{}}}", OK},
    {"checkParseEntities", "{\"entities\":" ENTITIES ",\"schema\":" SCHEMA "}", OK},
    {"checkParseEntities", "{\"entities\":[],\"schema\":null}", OK},
    {"checkParseContext", "{\"context\":{\"a\":[{\"__extn\":{\"fn\":\"ip\",\"arg\":\"::1\"}}]}}",
     OK},
    {"checkParseContext",
     "{\"context\":{\"k\":1,\"ip\":{\"fn\":\"ip\",\"args\":[\"::1\"]}},\"schema\":" SCHEMA
     ",\"action\":{\"type\":\"Action\",\"id\":\"v\"}}",
     OK},
    {"policyToJson", "\"" PERMIT "\"", "{\"type\":\"success\",\"json\":" EST(ANY) "}"},
    {"policyToJson", EST(ANY), "{\"type\":\"success\",\"json\":" EST(ANY) "}"},
    {"policyToJson",
     "{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"entity\":{\"type\":\"U\",\"id\":\"a\","
     "\"x\":1},\"x\":1},"
     "\"action\":{\"op\":\"in\",\"entities\":[{\"__entity\":{\"type\":\"Action\",\"id\":\"a\","
     "\"x\":1},\"x\":1}]},"
     "\"resource\":{\"op\":\"is\",\"entity_type\":\"U\",\"in\":{\"entity\":{\"type\":\"U\",\"id\":"
     "\"a\"},\"x\":1}},"
     "\"conditions\":[{\"kind\":\"when\",\"body\":{\"Value\":[{\"__entity\":{\"type\":\"U\",\"id\":"
     "\"a\",\"x\":1}},"
     "{\"x\":{}}]}}],\"annotations\":{}}",
     "{\"type\":\"success\",\"json\":{\"effect\":\"permit\",\"principal\":{\"op\":\"==\","
     "\"entity\":{\"type\":\"U\",\"id\":\"a\"}},\"action\":{\"op\":\"in\",\"entities\":[{\"__"
     "entity\":{"
     "\"type\":\"Action\",\"id\":\"a\"}}]},\"resource\":{\"op\":\"is\",\"entity_type\":\"U\","
     "\"in\":{"
     "\"entity\":{\"type\":\"U\",\"id\":\"a\"}}},\"conditions\":[{\"kind\":\"when\",\"body\":{"
     "\"Value\":[{"
     "\"__entity\":{\"type\":\"U\",\"id\":\"a\"}},{\"x\":{}}]}}]}}"},
    {"policyToJson", EST_WHEN(HAS(",\"x\":1")),
     "{\"type\":\"success\",\"json\":" EST_WHEN(HAS("")) "}"},
    {"policyToText", EST(ANY), "{\"type\":\"success\",\"text\":\"" PERMIT "\"}"},
    {"policyToText", "\" // a\\npermit( principal,action,resource );\"",
     "{\"type\":\"success\",\"text\":\" // a\\npermit( principal,action,resource );\"}"},
    {"templateToText", EST(SLOT),
     "{\"type\":\"success\",\"text\":\"permit(principal == ?principal, action, resource);\"}"},
    {"policySetTextToParts",
     "\"permit(principal,action,resource); // x\\n permit(principal,action,resource==?resource);\"",
     "{\"type\":\"success\",\"policies\":[\"permit(principal,action,resource);\"],"
     "\"policy_templates\":[\"permit(principal,action,resource==?resource);\"]}"},
    {"schemaToJson", "\"entity A;\"",
     "{\"type\":\"success\",\"json\":{\"\":{\"entityTypes\":{\"A\":{}},\"actions\":{}}},"
     "\"warnings\":[]}"},
    {"schemaToText", "{\"\":{\"entityTypes\":{\"A\":{}},\"actions\":{}}}",
     "{\"type\":\"success\",\"text\":\"entity A;\\n\",\"warnings\":[]}"},
    {"schemaToJsonWithResolvedTypes", "\"entity A;\"",
     "{\"type\":\"success\",\"json\":{\"\":{\"entityTypes\":{\"A\":{}},\"actions\":{}}},"
     "\"warnings\":[]}"},
    {"formatPolicies", "{\"policyText\":\"permit(principal,action,resource);\"}",
     "{\"type\":\"success\",\"formatted_policy\":\"permit (principal, action, resource);\\n\"}"},
    {"getValidRequestEnvsPolicy", "[\"" PERMIT "\"," SCHEMA "]",
     "{\"type\":\"success\",\"principals\":[\"U\"],\"actions\":[\"Action::\\\"v\\\"\"],"
     "\"resources\":[\"R\"]}"},
    {"getValidRequestEnvsTemplate", "[" EST(SLOT) "," SCHEMA "]",
     "{\"type\":\"success\",\"principals\":[\"U\"],\"actions\":[\"Action::\\\"v\\\"\"],"
     "\"resources\":[\"R\"]}"},
    {"getCedarVersion", NULL, "\"4.12.0\""},
    {"getCedarSDKVersion", NULL, "\"4.12.0\""},
    {"getCedarLangVersion", NULL, "\"4.5\""},
};

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        assert_string_equal(call(&a, exact[i].call, exact[i].input).p, exact[i].answer);
    }
}

/* ---- failures: how many errors, and what the first one speaks of ---- */

static const struct {
    const char *call, *input;
    size_t errors;
    const char *about;
} failures[] = {
    {"isAuthorized", "{}", 6, "principal"},
    {"isAuthorized", "1", 1, "object"},
    {"isAuthorized", "[]", 1, "object"},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{},\"entities\":[],\"policies\":{},\"slicing\":true}", 1, "slicing"},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{},\"entities\":[],\"policies\":{},\"validateRequest\":null}", 1,
     "validateRequest"},
    {"isAuthorized",
     "{\"principal\":1,\"action\":{},\"resource\":{\"type\":\"if\",\"id\":\"x\"},\"context\":{},"
     "\"entities\":[],\"policies\":{}}",
     3, "principal"},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{},\"entities\":1,\"policies\":{\"staticPolicies\":\"permit(\"}}", 2,
     "entities"},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{\"k\":true},\"entities\":[],\"policies\":{},\"schema\":" SCHEMA "}",
     1, "request"},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{},\"entities\":[],\"policies\":{},\"validateRequest\":false,"
     "\"schema\":" SCHEMA "}",
     1, "`k` is missing"},
    {"isAuthorized",
     "{" REQUEST ",\"context\":{\"k\":1},\"entities\":[{\"uid\":{\"type\":\"U\",\"id\":\"a\"},"
     "\"attrs\":{},\"parents\":[]}],\"policies\":{},\"schema\":" SCHEMA "}",
     1, "`n` is missing"},
    /* an action must bring all that the schema says of it */
    {"checkParseEntities",
     "{\"entities\":[{\"uid\":{\"type\":\"Action\",\"id\":\"v\"},\"attrs\":{},\"parents\":[]}],"
     "\"schema\":" SCHEMA "}",
     1, "v"},
    {"validate", "{\"schema\":\"entity\",\"policies\":{\"staticPolicies\":\"permit\"}}", 2,
     "policies"},
    {"validate",
     "{\"schema\":" SCHEMA ",\"policies\":{},\"validationSettings\":{\"mode\":\"permissive\"}}", 1,
     "strict"},
    {"checkParsePolicySet", "{\"staticPolicies\":{\"a\":\"x\",\"b\":\"y\"}}", 2, "`a`"},
    {"checkParsePolicySet", "{\"staticPolicies\":[\"" PERMIT "\",\"" PERMIT "\"]}", 1, "policy0"},
    {"checkParsePolicySet", "{\"staticPolicies\":" TEMPLATE "}", 1, "template"},
    {"checkParsePolicySet", "{\"staticPolicies\":7}", 1, "staticPolicies"},
    {"checkParsePolicySet", "{\"templates\":{\"t\":\"" PERMIT "\"}}", 1, "slot"},
    {"checkParsePolicySet", "{\"templates\":{\"t\":" EST(ANY) "}}", 1, "slot"},
    {"checkParsePolicySet", "{\"templates\":[]}", 1, "templates"},
    {"checkParsePolicySet", "{\"templateLinks\":[" LINK("t", "l", "U") "]}", 1, "`t`"},
    {"checkParsePolicySet",
     "{\"templates\":{\"t\":" TEMPLATE "},\"templateLinks\":[" LINK("t", "t", "U") "]}", 1, "`t`"},
    {"checkParsePolicySet", "{\"templateLinks\":{}}", 1, "templateLinks"},
    {"checkParseContext", "{\"context\":{\"a\":1.5}}", 1, "1.5"},
    {"checkParseContext",
     "{\"context\":{\"a\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"::1\",\"x\":1e2}}}}", 1, "1e2"},
    {"checkParseContext", "{\"context\":{\"__entity\":{\"type\":\"U\",\"id\":\"a\"}}}", 1,
     "record"},
    {"checkParseContext",
     "{\"context\":{\"k\":1},\"schema\":" SCHEMA ",\"action\":{\"type\":\"Action\",\"id\":\"x\"}}",
     1, "no action"},
    {"policyToJson", TEMPLATE, 1, "template"},
    {"templateToJson", "\"" PERMIT "\"", 1, "no template"},
    {"policyToText", "{\"effect\":\"permit\"}", 1, "policy0"},
    {"schemaToJson", "{\"x\":1}", 1, "schema"},
    {"schemaToJsonWithResolvedTypes", "{}", 1, "text"},
    {"policySetTextToParts", "{}", 1, "text"},
    {"formatPolicies", "{\"policyText\":\"" PERMIT "\",\"lineWidth\":-1}", 1, "lineWidth"},
    {"formatPolicies", "{\"policyText\":\"permit\"}", 1, "policies"},
};

static void test_failures(void **state)
{
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        const json *v, *first;
        struct err err;
        str answer = call(&a, failures[i].call, failures[i].input);
        assert_true(json_read(&a, answer, NULL, &v, &err));
        const json *errors = json_get(v, S("errors"));
        assert_string_equal(json_get_str(v, S("type")).p, "failure");
        struct json_iter it = json_iter(errors);
        assert_true(json_next(&it, NULL, &first));
        str message = json_get_str(first, S("message"));
        if (str_find(message, str_z(failures[i].about)) < 0)
            fail_msg("%s %s: %s", failures[i].call, failures[i].input, message.p);
        if (json_count(errors) != failures[i].errors)
            fail_msg("%s %s: %zu errors", failures[i].call, failures[i].input, json_count(errors));
    }
}

/* ---- findings ---- */

static void check_ids(const json *list, const char *ids)
{
    const json *one;
    char got[100] = "";
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &one);) {
        assert_true(strlen(got) < 80);
        strncat(got, json_get_str(one, S("policyId")).p, 10);
        strncat(got, " ", 2);
    }
    assert_string_equal(got, ids);
}

/* Of a template's body by the template's id, of a link's values by the link's. */
static void test_findings(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *v;
    struct err err;
    str answer = call(
        &a, "validate",
        "{\"schema\":" SCHEMA ",\"policies\":{\"staticPolicies\":{\"a\":\"permit(principal, action,"
        "resource) when {principal.x};\",\"b\":\"forbid(principal,action,resource) when "
        "{false};\"},"
        "\"templates\":{\"t\":" TEMPLATE
        ",\"u\":\"permit(principal == ?principal, action, resource) when {principal.y};\"},"
        "\"templateLinks\":[" LINK("t", "l", "U") "," LINK("t", "m", "R") "," LINK("u", "n",
                                                                                   "Q") "]}}");
    assert_true(json_read(&a, answer, NULL, &v, &err));
    check_ids(json_get(v, S("validationErrors")), "a u m n n ");
    check_ids(json_get(v, S("validationWarnings")), "b ");
}

/* Messages that were cut within a character are still UTF-8. */
static void test_cut_messages(void **state)
{
    for (size_t shift = 0; shift < 4; shift++) {
        ARENA_SCOPE struct arena a = {0};
        struct buf b = {0};
        const json *v;
        struct err err;
        buf_put(&b, S("{\"context\":{\""));
        for (size_t i = 0; i < shift; i++)
            buf_putc(&b, 'x');
        for (size_t i = 0; i < 300; i++)
            buf_put(&b, S("\xf0\x9f\x90\x9f"));
        buf_put(&b, S("\":null}}"));
        buf_putc(&b, '\0');
        str answer = call(&a, "checkParseContext", buf_str(&b).p);
        assert_true(json_read(&a, answer, NULL, &v, &err));
        buf_fini(&b);
    }
}

static void test_depth(void **state)
{
    static const size_t depths[] = {100, 1000, 4000};
    for (size_t i = 0; i < 3; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct buf b = {0};
        buf_put(&b, S("{\"context\":{\"a\":"));
        for (size_t j = 0; j < depths[i]; j++)
            buf_putc(&b, '[');
        for (size_t j = 0; j < depths[i]; j++)
            buf_putc(&b, ']');
        buf_put(&b, S("}}"));
        buf_putc(&b, '\0');
        str answer = call(&a, "checkParseContext", buf_str(&b).p);
        assert_int_equal(str_find(answer, S("success")) > 0, depths[i] == 100);
        assert_int_equal(str_find(answer, S("2048 levels")) > 0, depths[i] == 4000);
        buf_fini(&b);
    }
}

static void test_no_such_call(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf out = {0};
    assert_false(cedar_call(&a, S("isAuthorise"), NULL, &out));
    assert_false(cedar_call(&a, (str){0}, NULL, &out));
    assert_int_equal(buf_len(&out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_failures),
        cmocka_unit_test(test_findings), cmocka_unit_test(test_cut_messages),
        cmocka_unit_test(test_depth),    cmocka_unit_test(test_no_such_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
