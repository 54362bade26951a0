#include "mcp/tool.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const json *parse(struct arena *a, str text)
{
    const json *v;
    struct err err;
    if (!json_read(a, text, NULL, &v, &err))
        fail_msg("%.*s: %s", STR(text), err.text);
    return v;
}

#define TOOL(schema) S("{\"name\":\"t\",\"inputSchema\":" schema "}")
#define PROPS(p)     TOOL("{\"type\":\"object\",\"properties\":" p "}")

static void test_definitions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        str text;
        int params; /* -1: dropped */
    } rows[] = {
        {"least", TOOL("{\"type\":\"object\"}"), 0},
        {"all members",
         S("{\"name\":\"A.b-c_9\",\"title\":\"T\",\"description\":\"d\",\"inputSchema\":{\"type\":"
           "\"object\"},"
           "\"outputSchema\":{\"type\":\"array\"},\"annotations\":{},\"icons\":[],\"_meta\":{},"
           "\"other\":1}"),
         0},
        {"no name", S("{\"inputSchema\":{\"type\":\"object\"}}"), -1},
        {"name is a number", S("{\"name\":1,\"inputSchema\":{\"type\":\"object\"}}"), -1},
        {"name with a blank", S("{\"name\":\"a b\",\"inputSchema\":{\"type\":\"object\"}}"), -1},
        {"name with an escape",
         S("{\"name\":\"a\\u001b[2J\",\"inputSchema\":{\"type\":\"object\"}}"), -1},
        {"name in another script",
         S("{\"name\":\"\\u0430dmin\",\"inputSchema\":{\"type\":\"object\"}}"), -1},
        {"no schema", S("{\"name\":\"t\"}"), -1},
        {"schema of no type", TOOL("{}"), -1},
        {"schema of type array", TOOL("{\"type\":\"array\"}"), -1},
        {"schema of two types", TOOL("{\"type\":[\"object\",\"null\"]}"), -1},
        {"schema true", TOOL("true"), -1},
        {"title is a number",
         S("{\"name\":\"t\",\"title\":1,\"inputSchema\":{\"type\":\"object\"}}"), -1},
        {"description is null",
         S("{\"name\":\"t\",\"description\":null,\"inputSchema\":{\"type\":\"object\"}}"), -1},
        {"not an object", S("[]"), -1},

        {"header", PROPS("{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}}"), 1},
        {"nested header",
         PROPS("{\"o\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"x-mcp-"
               "header\":\"N\"}}}}"),
         1},
        {"two",
         PROPS("{\"a\":{\"type\":\"boolean\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":\"string\","
               "\"x-mcp-header\":\"B\"}}"),
         2},
        {"a property of that name", PROPS("{\"x-mcp-header\":{\"type\":\"string\"}}"), 0},
        {"only data",
         PROPS("{\"a\":{\"default\":{\"x-mcp-header\":\"A\"},\"enum\":[{\"x-mcp-header\":1}]}}"),
         0},
        {"empty header", PROPS("{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}"), -1},
        {"no token", PROPS("{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"a b\"}}"), -1},
        {"CR LF", PROPS("{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"a\\r\\nX: y\"}}"), -1},
        {"colon", PROPS("{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"a:\"}}"), -1},
        {"NUL", PROPS("{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"a\\u0000\"}}"), -1},
        {"number header", PROPS("{\"r\":{\"type\":\"string\",\"x-mcp-header\":1}}"), -1},
        {"on a number", PROPS("{\"r\":{\"type\":\"number\",\"x-mcp-header\":\"R\"}}"), -1},
        {"on an object", PROPS("{\"r\":{\"type\":\"object\",\"x-mcp-header\":\"R\"}}"), -1},
        {"on no type", PROPS("{\"r\":{\"x-mcp-header\":\"R\"}}"), -1},
        {"twice, ignoring case",
         PROPS("{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"R\"},\"b\":{\"type\":\"string\",\"x-"
               "mcp-header\":\"r\"}}"),
         -1},
        {"on the root", TOOL("{\"type\":\"object\",\"x-mcp-header\":\"R\"}"), -1},
        {"in items",
         PROPS(
             "{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"R\"}}}"),
         -1},
        {"in anyOf", PROPS("{\"a\":{\"anyOf\":[{\"type\":\"string\",\"x-mcp-header\":\"R\"}]}}"),
         -1},
        {"properties under oneOf",
         TOOL("{\"type\":\"object\",\"oneOf\":[{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-"
              "header\":\"R\"}}}]}"),
         -1},
        {"in $defs",
         TOOL("{\"type\":\"object\",\"$defs\":{\"d\":{\"type\":\"string\",\"x-mcp-header\":\"R\"}}"
              "}"),
         -1},
        {"in additionalProperties",
         TOOL("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\",\"x-mcp-header\":"
              "\"R\"}}"),
         -1},
        {"in if",
         TOOL("{\"type\":\"object\",\"if\":{\"properties\":{\"a\":{\"x-mcp-header\":\"R\"}}}}"),
         -1},
        {"in an unknown keyword", TOOL("{\"type\":\"object\",\"zzz\":{\"x-mcp-header\":\"R\"}}"),
         -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct mcp_tool t = {0};
        struct err err = {0};
        bool ok = mcp_tool_read(&a, parse(&a, rows[i].text), &t, &err);
        if (ok != (rows[i].params >= 0))
            fail_msg("%s: %s", rows[i].name, ok ? "taken" : err.text);
        if (ok && t.param_count != (size_t)rows[i].params)
            fail_msg("%s: %zu parameters", rows[i].name, t.param_count);
        if (!ok)
            assert_true(err.text[0]);
    }
}

static void test_deep_schema(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_tool t;
    struct err err;
    struct buf b = {0};
    buf_put(&b, S("{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\""));
    for (int i = 0; i < 40; i++)
        buf_put(&b, S(",\"items\":{\"type\":\"array\""));
    for (int i = 0; i < 42; i++)
        buf_putc(&b, '}');
    assert_false(mcp_tool_read(&a, parse(&a, buf_str(&b)), &t, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_clear(&b);
    buf_put(&b, S("{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"},\"description\":\""));
    for (int i = 0; i < MCP_DEFINITION_BYTES_MAX; i++)
        buf_putc(&b, 'd');
    buf_put(&b, S("\"}"));
    assert_false(mcp_tool_read(&a, parse(&a, buf_str(&b)), &t, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_fini(&b);
}

static void test_canonical_is_whole(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_tool one, two;
    struct err err;
    assert_true(mcp_tool_read(
        &a,
        parse(&a, S("{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"},\"_meta\":{\"a\":1}}")),
        &one, &err));
    assert_true(mcp_tool_read(
        &a,
        parse(&a, S("{\"_meta\":{\"a\":2},\"inputSchema\":{\"type\":\"object\"},\"name\":\"t\"}")),
        &two, &err));
    assert_true(
        str_eq(one.canonical,
               S("{\"_meta\":{\"a\":1},\"inputSchema\":{\"type\":\"object\"},\"name\":\"t\"}")));
    assert_false(str_eq(one.canonical, two.canonical));
}

static void test_names(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    assert_true(str_eq(mcp_exposed_name(&a, S("github"), S("search")), S("github__search")));
    assert_true(str_eq(mcp_exposed_name(&a, S(""), S("search")), S("search")));
    str long1 =
        mcp_exposed_name(&a, S("github"), S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"));
    str long2 =
        mcp_exposed_name(&a, S("github"), S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2"));
    assert_int_equal(long1.n, MCP_TOOL_NAME_BYTES_MAX);
    assert_false(str_eq(long1, long2));
    assert_true(str_starts(long1, S("github__aaaa")));
    /* Fixed for ever: agents and policies hold these names. */
    assert_true(str_eq(long1, S("github__aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_36370a95")));
    str edge = mcp_exposed_name(&a, S("b"), S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_int_equal(edge.n, 48);
    assert_true(str_ends(edge, S("aaaaaaaaa")));
    /* Where the binding ends is part of the name's hash. */
    str x = mcp_exposed_name(&a, S("a"), S("__bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
    str y = mcp_exposed_name(&a, S("a__"), S("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
    assert_false(str_eq(x, y));
}

struct argument_row {
    str schema, arguments;
    const char *error; /* NULL: fits */
};

#define O(p) S("{\"type\":\"object\",\"properties\":{" p "}}")

static const struct argument_row ARGUMENTS[] = {
    {O("\"amount_cents\":{\"type\":\"integer\"}"), S("{\"amount_cents\":5}"), NULL},
    {O("\"amount_cents\":{\"type\":\"integer\"}"), S("{\"amount_cents\":\"5\"}"),
     "argument `amount_cents` must be an integer, got a string"},
    {O("\"a\":{\"type\":\"integer\"}"), S("{\"a\":5.0}"), NULL},
    {O("\"a\":{\"type\":\"integer\"}"), S("{\"a\":5.5}"),
     "argument `a` must be an integer, got a number with a fraction"},
    {O("\"a\":{\"type\":\"integer\"}"), S("{\"a\":1e2}"),
     "argument `a` must be an integer, got a number with a fraction"},
    {O("\"a\":{\"type\":\"integer\"}"), S("{\"a\":null}"),
     "argument `a` must be an integer, got null"},
    {O("\"a\":{\"type\":\"number\"}"), S("{\"a\":1e2}"), NULL},
    {O("\"a\":{\"type\":\"boolean\"}"), S("{\"a\":0}"),
     "argument `a` must be true or false, got a number"},
    {O("\"a\":{\"type\":[\"string\",\"null\"]}"), S("{\"a\":null}"), NULL},
    {O("\"a\":{\"type\":[\"string\",\"null\"]}"), S("{\"a\":[]}"),
     "argument `a` must be a string or null, got an array"},
    {O("\"a\":{\"type\":\"any\"}"), S("{\"a\":1}"),
     "argument `a` must be of a type that does not exist, got a number"},
    {O("\"a\":{\"enum\":[\"x\",2]}"), S("{\"a\":\"x\"}"), NULL},
    {O("\"a\":{\"enum\":[\"x\",2]}"), S("{\"a\":2.0}"), NULL},
    {O("\"a\":{\"enum\":[\"x\",2]}"), S("{\"a\":\"2\"}"), "argument `a` must be one of \"x\", 2"},
    {O("\"a\":{\"enum\":[{\"k\":[1]}]}"), S("{\"a\":{\"k\":[1]}}"), NULL},
    {O("\"a\":{\"const\":\"x\"}"), S("{\"a\":\"y\"}"),
     "argument `a` must be the one value that the schema names"},
    {O("\"a\":{\"minimum\":1,\"maximum\":9007199254740993}"), S("{\"a\":9007199254740993}"), NULL},
    {O("\"a\":{\"minimum\":1,\"maximum\":9007199254740992}"), S("{\"a\":9007199254740993}"),
     "argument `a` must be at most 9007199254740992, got 9007199254740993"},
    {O("\"a\":{\"minimum\":0}"), S("{\"a\":-1}"), "argument `a` must be at least 0, got -1"},
    {O("\"a\":{\"maximum\":10}"), S("{\"a\":1e400}"), "argument `a` must be at most 10, got 1e400"},
    {O("\"a\":{\"minLength\":2,\"maxLength\":3}"), S("{\"a\":\"\\u00e4\\u00f6\\u00fc\"}"), NULL},
    {O("\"a\":{\"minLength\":2}"), S("{\"a\":\"x\"}"),
     "argument `a` must have at least 2 characters, got 1"},
    {O("\"a\":{\"maxLength\":2}"), S("{\"a\":\"xyz\"}"),
     "argument `a` must have at most 2 characters, got 3"},
    {S("{\"type\":\"object\",\"required\":[\"to\"],\"properties\":{\"to\":{\"type\":\"string\"}}}"),
     S("{}"), "argument `to` must be given: a string"},
    {S("{\"type\":\"object\",\"required\":[\"to\"]}"), S("{\"to\":null}"), NULL},
    {S("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"a\":{}}}"),
     S("{\"b\":1}"), "argument `b` must not be given: the tool has no such argument"},
    {S("{\"type\":\"object\",\"additionalProperties\":false,\"patternProperties\":{\"^b\":{}}}"),
     S("{\"b\":1}"), NULL},
    {S("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}"), S("{\"b\":1}"),
     "argument `b` must be a string, got a number"},
    {O("\"f\":{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{"
       "\"type\":\"object\",\"required\":[\"id\"]}}}}"),
     S("{\"f\":{\"items\":[{\"id\":1},{}]}}"), "argument `f.items[1].id` must be given"},
    {O("\"a\":{\"type\":\"array\",\"minItems\":1}"), S("{\"a\":[]}"),
     "argument `a` must have at least 1 elements, got 0"},
    {O("\"a\":false"), S("{\"a\":1}"), "argument `a` must not be given"},
    {O("\"a\":true"), S("{\"a\":1}"), NULL},
    {O("\"a\":{\"$ref\":\"https://evil.example/x\"}"), S("{\"a\":1}"), NULL},
    {O("\"a\":{\"pattern\":\"(a+)+$\"}"), S("{\"a\":\"aaaa\"}"), NULL},
    {O("\"a\":{\"minLength\":\"x\",\"enum\":5,\"required\":\"a\",\"properties\":[]}"),
     S("{\"a\":\"\"}"), NULL},
    {S("{\"type\":\"object\"}"), S("[]"), "the arguments must be an object, got an array"},
};

static void test_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ARGUMENTS / sizeof ARGUMENTS[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        const struct argument_row *r = &ARGUMENTS[i];
        bool ok = mcp_arguments_check(parse(&a, r->schema), parse(&a, r->arguments), &err);
        if (ok != !r->error)
            fail_msg("%.*s with %.*s: %s", STR(r->schema), STR(r->arguments),
                     ok ? "fits" : err.text);
        if (!ok && !str_eq(str_z(err.text), str_z(r->error)))
            fail_msg("said: %s\nnot:  %s", err.text, r->error);
    }
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    assert_true(mcp_arguments_check(parse(&a, S("{}")), NULL, &err));
    assert_false(mcp_arguments_check(parse(&a, S("{\"required\":[\"x\"]}")), NULL, &err));
}

/* Large arguments against a large schema, and nesting, end in an error and not in seconds. */
static void test_argument_bounds(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct buf s = {0}, v = {0};
    buf_put(&s, S("{\"type\":\"object\",\"properties\":{"));
    buf_put(&v, S("{"));
    for (int i = 0; i < 3000; i++)
        buf_printf(&s, "%s\"p%d\":{}", i ? "," : "", i);
    for (int i = 0; i < 30000; i++)
        buf_printf(&v, "%s\"q%d\":1", i ? "," : "", i);
    buf_put(&s, S("}}"));
    buf_put(&v, S("}"));
    assert_false(mcp_arguments_check(parse(&a, buf_str(&s)), parse(&a, buf_str(&v)), &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_clear(&s);
    buf_clear(&v);
    buf_put(&s, S("{\"type\":\"object\",\"properties\":{\"a\":"));
    buf_put(&v, S("{\"a\":"));
    for (int i = 0; i < 20; i++) {
        buf_put(&s, S("{\"items\":"));
        buf_putc(&v, '[');
    }
    buf_put(&s, S("{}"));
    for (int i = 0; i < 20; i++) {
        buf_putc(&s, '}');
        buf_putc(&v, ']');
    }
    buf_put(&s, S("}}"));
    buf_put(&v, S("}"));
    assert_false(mcp_arguments_check(parse(&a, buf_str(&s)), parse(&a, buf_str(&v)), &err));
    buf_fini(&s);
    buf_fini(&v);
}

static void test_param_values(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *text;
        bool there, bad;
    } rows[] = {
        {"{\"o\":{\"n\":42}}", "42", true, false},
        {"{\"o\":{\"n\":42.00}}", "42", true, false},
        {"{\"o\":{\"n\":-7}}", "-7", true, false},
        {"{\"o\":{\"n\":null}}", "", false, false},
        {"{\"o\":{}}", "", false, false},
        {"{\"o\":5}", "", false, false},
        {"{}", "", false, false},
        {"{\"o\":{\"n\":9007199254740991}}", "9007199254740991", true, false},
        {"{\"o\":{\"n\":9007199254740992}}", "", true, true},
        {"{\"o\":{\"n\":1.5}}", "", true, true},
        {"{\"o\":{\"n\":\"42\"}}", "", true, true},
    };
    ARENA_SCOPE struct arena a = {0};
    str path[] = {S("o"), S("n")}, text;
    struct mcp_param p = {S("Mcp-Param-N"), path, 2, MCP_PARAM_INTEGER};
    bool bad;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool there = mcp_param_value(&p, parse(&a, str_z(rows[i].arguments)), &text, &bad);
        if (there != rows[i].there || bad != rows[i].bad || !str_eq(text, str_z(rows[i].text)))
            fail_msg("%s: %d %d %.*s", rows[i].arguments, there, bad, STR(text));
    }
    assert_false(mcp_param_value(&p, NULL, &text, &bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),        cmocka_unit_test(test_deep_schema),
        cmocka_unit_test(test_canonical_is_whole), cmocka_unit_test(test_names),
        cmocka_unit_test(test_arguments),          cmocka_unit_test(test_argument_bounds),
        cmocka_unit_test(test_param_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
