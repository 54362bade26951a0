/* The table of calls, and those that only look whether something can be read. */
#include "cedar/calls/call.h"
#include "cedar/check/conform.h"
#include "cedar/policy/policy_json.h"

static void check_policy_set(struct call *c, const json *input)
{
    struct calls_policies set;
    (void)!calls_read_policies(c, input, &set);
    calls_conclude(c);
}

static void check_schema(struct call *c, const json *input)
{
    (void)calls_read_schema(c, input);
    calls_conclude(c);
}

/* An optional schema: absent and null are the same. False if there is one and it is wrong. */
static bool read_optional_schema(struct call *c, const json *v, const struct schema **out)
{
    *out = NULL;
    if (!v || json_type(v) == JSON_NULL)
        return true;
    *out = calls_read_schema(c, v);
    return *out != NULL;
}

static void check_entities(struct call *c, const json *input)
{
    static const struct calls_member members[] = {{"entities", true}, {"schema", false}, {0}};
    const json *m[CALL_MEMBERS_MAX];
    const struct schema *schema;
    struct cedar_entities store;
    bool ok = calls_members(c, "the call", input, members, m) &&
              read_optional_schema(c, m[1], &schema) &&
              calls_read_entities(c, m[0], schema, &store);
    (void)ok; /* the errors tell */
    calls_conclude(c);
}

static void check_context(struct call *c, const json *input)
{
    static const struct calls_member members[] = {
        {"context", true}, {"schema", false}, {"action", false}, {0}};
    const json *m[CALL_MEMBERS_MAX];
    const struct schema *schema;
    struct cedar_value context;
    struct conform_fault fault;
    struct cedar_uid action;
    bool ok = calls_members(c, "the call", input, members, m);
    bool has_action = ok && m[2] && json_type(m[2]) != JSON_NULL;
    ok = ok && (!has_action || calls_read_uid(c, "action", m[2], &action)) &&
         read_optional_schema(c, m[1], &schema) &&
         calls_read_context(c, m[0], schema, has_action ? &action : NULL, &context);
    if (ok && schema && has_action &&
        !conform_value(schema, schema_action(schema, &action)->context, &context, &fault))
        calls_fail(c, "context%s", fault.text);
    calls_conclude(c);
}

static const struct {
    const char *name;
    calls_fn *fn;
} CALLS[] = {
    {"isAuthorized", calls_is_authorized},
    {"validate", calls_validate},
    {"checkParsePolicySet", check_policy_set},
    {"checkParseSchema", check_schema},
    {"checkParseEntities", check_entities},
    {"checkParseContext", check_context},
    {"policyToJson", calls_policy_to_json},
    {"policyToText", calls_policy_to_text},
    {"templateToJson", calls_template_to_json},
    {"templateToText", calls_template_to_text},
    {"schemaToJson", calls_schema_to_json},
    {"schemaToText", calls_schema_to_text},
    {"schemaToJsonWithResolvedTypes", calls_schema_to_resolved},
    {"formatPolicies", calls_format},
    {"getValidRequestEnvsPolicy", calls_envs_of_policy},
    {"getValidRequestEnvsTemplate", calls_envs_of_template},
    {"policySetTextToParts", calls_text_to_parts},
    {"getCedarVersion", calls_sdk_version},
    {"getCedarSDKVersion", calls_sdk_version},
    {"getCedarLangVersion", calls_lang_version},
};

/* True if v nests no deeper than `left` levels of arrays and objects. */
static bool is_shallow(const json *v, unsigned left)
{
    const json *inner;
    enum json_type t = json_type(v);
    if (t != JSON_ARRAY && t != JSON_OBJECT)
        return true;
    if (left == 0)
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &inner);)
        if (!is_shallow(inner, left - 1))
            return false;
    return true;
}

static void refuse_depth(struct call *c, const json *input)
{
    calls_fail(c, "the input nests deeper than %d levels", CEDAR_POLICY_JSON_DEPTH_MAX);
    calls_failure(c, false);
}

bool cedar_call(struct arena *a, str name, const json *input, struct buf *out)
{
    struct call c = {.a = a, .w = jw(out)};
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        if (!str_eq(str_z(CALLS[i].name), name))
            continue;
        calls_fn *fn = is_shallow(input, CEDAR_POLICY_JSON_DEPTH_MAX) ? CALLS[i].fn : refuse_depth;
        fn(&c, input);
        return true;
    }
    return false;
}
