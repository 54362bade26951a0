/* Policy JSON, read and written. Rows of expressions are (JSON, as printed) or
 * (JSON, part of the error). */
#include "cedar/policy/ast_equal.h"
#include "cedar/policy/parse.h"
#include "cedar/policy/policy_json.h"
#include "cedar/policy/print.h"

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

/* ---- expressions ---- */

static const struct row read[] = {
    {"{\"Value\":{\"__entity\":{\"type\":\"A\",\"id\":\"\",\"x\":[null,{\"y\":1}]}}}", "A::\"\""},
    {"{\"Value\":true}", "true"},
    {"{\"Value\":-9223372036854775808}", "-9223372036854775808"},
    {"{\"Value\":\"a\\\"*\"}", "\"a\\\"*\""},
    {"{\"Value\":[1,[],{\"a b\":false}]}", "[1, [], {\"a b\": false}]"},
    {"{\"Value\":{\"__entity\":{\"type\":\"A::B\",\"id\":\"x\"}}}", "A::B::\"x\""},
    {"{\"Value\":{\"__entity\":{\"type\":\"A\",\"id\":\"x\",\"more\":1}}}", "A::\"x\""},
    {"{\"Value\":{\"__entity\":{\"type\":\"A\",\"id\":\"x\"},\"more\":1}}",
     "{__entity: {type: \"A\", id: \"x\"}, more: 1}"},
    {"{\"Value\":{\"__entity\":{\"type\":\"A\"}}}", "{__entity: {type: \"A\"}}"},
    {"{\"Value\":{\"type\":\"A\",\"id\":\"x\"}}", "{type: \"A\", id: \"x\"}"},
    {"{\"Value\":{\"__extn\":{\"fn\":\"decimal\",\"arg\":\"no number\"}}}",
     "decimal(\"no number\")"},
    {"{\"Value\":{\"__extn\":{\"fn\":\"ip\",\"args\":[]}}}", "ip()"},
    {"{\"Value\":{\"__extn\":{\"fn\":\"ip\",\"arg\":1,\"args\":[2]}}}", "ip(1)"},
    {"{\"Value\":{\"__extn\":{\"fn\":\"offset\",\"args\":[{\"__extn\":{\"fn\":\"datetime\",\"arg\":"
     "\"2024-01-01\"}},3]}}}",
     "datetime(\"2024-01-01\").offset(3)"},
    {"{\"Value\":{\"__extn\":{\"fn\":\"ip\"}}}", "{__extn: {fn: \"ip\"}}"},
    {"{\"Value\":{\"__expr\":\"1\",\"a\":1}}", "{__expr: \"1\", a: 1}"},
    {"{\"Var\":\"context\"}", "context"},
    {"{\"!\":{\"arg\":{\"Var\":\"principal\"}}}", "!principal"},
    {"{\"neg\":{\"arg\":{\"Value\":1}}}", "-(1)"},
    {"{\"==\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}", "1 == 2"},
    {"{\"!=\":{\"right\":{\"Value\":1},\"left\":{\"Value\":2}}}", "2 != 1"},
    {"{\"<\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}", "1 < 2"},
    {"{\"<=\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}", "1 <= 2"},
    {"{\">\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}", "1 > 2"},
    {"{\">=\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}", "1 >= 2"},
    {"{\"in\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}", "1 in 2"},
    {"{\"&&\":{\"left\":{\"&&\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}},\"right\":{"
     "\"Value\":3}}}",
     "1 && 2 && 3"},
    {"{\"&&\":{\"left\":{\"Value\":1},\"right\":{\"&&\":{\"left\":{\"Value\":2},\"right\":{"
     "\"Value\":3}}}}}",
     "1 && (2 && 3)"},
    {"{\"||\":{\"left\":{\"&&\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}},\"right\":{"
     "\"Value\":3}}}",
     "1 && 2 || 3"},
    {"{\"-\":{\"left\":{\"+\":{\"left\":{\"-\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}},"
     "\"right\":{\"Value\":3}}},\"right\":{\"Value\":4}}}",
     "1 - 2 + 3 - 4"},
    {"{\"+\":{\"left\":{\"Value\":1},\"right\":{\"-\":{\"left\":{\"Value\":2},\"right\":{\"Value\":"
     "3}}}}}",
     "1 + (2 - 3)"},
    {"{\"*\":{\"left\":{\"*\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}},\"right\":{"
     "\"Value\":3}}}",
     "1 * 2 * 3"},
    {"{\"contains\":{\"left\":{\"Set\":[]},\"right\":{\"Value\":2}}}", "[].contains(2)"},
    {"{\"containsAll\":{\"left\":{\"Set\":[]},\"right\":{\"Value\":2}}}", "[].containsAll(2)"},
    {"{\"containsAny\":{\"left\":{\"Set\":[]},\"right\":{\"Value\":2}}}", "[].containsAny(2)"},
    {"{\"isEmpty\":{\"arg\":{\"Set\":[{\"Value\":1}]}}}", "[1].isEmpty()"},
    {"{\"hasTag\":{\"left\":{\"Var\":\"principal\"},\"right\":{\"Value\":\"t\"}}}",
     "principal.hasTag(\"t\")"},
    {"{\"getTag\":{\"left\":{\"Var\":\"principal\"},\"right\":{\"Value\":\"t\"}}}",
     "principal.getTag(\"t\")"},
    {"{\".\":{\"left\":{\"Var\":\"context\"},\"attr\":\"if\"}}", "context[\"if\"]"},
    {"{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":\"a b\"}}", "context has \"a b\""},
    {"{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":[\"a\"]}}", "context has a"},
    {"{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":[\"a\",\"b\"],\"more\":1}}",
     "context has a.b"},
    {"{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":[\"a\",\"if\"]}}",
     "context has a && context.a has \"if\""},
    {"{\"like\":{\"left\":{\"Value\":\"\"},\"pattern\":[]}}", "\"\" like \"\""},
    {"{\"like\":{\"left\":{\"Value\":\"\"},\"pattern\":[\"Wildcard\",{\"Literal\":\"a*\"},{"
     "\"Literal\":\"\"},{\"Literal\":\"b\"},\"Wildcard\",\"Wildcard\"]}}",
     "\"\" like \"*a\\*b**\""},
    {"{\"is\":{\"left\":{\"Var\":\"principal\"},\"entity_type\":\"A::B\"}}", "principal is A::B"},
    {"{\"is\":{\"left\":{\"Var\":\"principal\"},\"entity_type\":\"A\",\"in\":{\"Value\":1}}}",
     "principal is A in 1"},
    {"{\"is\":{\"left\":{\"Var\":\"principal\"},\"entity_type\":\"A\",\"in\":null}}",
     "principal is A"},
    {"{\"if-then-else\":{\"if\":{\"Value\":1},\"then\":{\"Value\":2},\"else\":{\"Value\":3}}}",
     "if 1 then 2 else 3"},
    {"{\"Record\":{}}", "{}"},
    {"{\"Record\":{\"b\":{\"Value\":1},\"a\":{\"Var\":\"action\"}}}", "{b: 1, a: action}"},
    {"{\"isInRange\":[{\"ip\":[{\"Value\":\"a\"}]},{\"Value\":1},{\"Value\":2}]}",
     "ip(\"a\").isInRange(1, 2)"},
    {"{\"decimal\":[]}", "decimal()"},
};

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_expr *e, *again;
        struct cedar_diags d;
        struct err err;
        struct buf b = {0};
        if (!cedar_expr_from_json(&a, parsed(&a, str_z(read[i].json)), &e, &err))
            fail_msg("%s: %s", read[i].json, err.text);
        assert_true(cedar_expr_print(&b, e, &err));
        if (!str_eq(buf_str(&b), str_z(read[i].want)))
            fail_msg("%s: read as %.*s", read[i].json, STR(buf_str(&b)));
        again = cedar_expr_parse(&a, buf_str(&b), &d);
        assert_true(again && ast_expr_equal(&a, e, again, AST_MEANING));
        buf_clear(&b);
        assert_true(cedar_expr_to_json(&b, e, &err));
        assert_true(cedar_expr_from_json(&a, parsed(&a, buf_str(&b)), &again, &err));
        if (!ast_expr_equal(&a, e, again, AST_MEANING))
            fail_msg("%s: written as %.*s", read[i].json, STR(buf_str(&b)));
        buf_fini(&b);
    }
}

static const struct row refused[] = {
    {"{\"Value\":{\"__entity\":{\"type\":\"A\",\"id\":\"\",\"x\":[{\"y\":1.5}]}}}", "no integer"},
    {"{\"Value\":{\"__extn\":{\"fn\":\"ip\",\"arg\":1,\"x\":1e2}}}", "no integer"},
    {"1", "object with one member"},
    {"{}", "object with one member"},
    {"[]", "object with one member"},
    {"{\"Value\":1,\"Var\":\"principal\"}", "object with one member"},
    {"{\"Value\":null}", "null is no Cedar value"},
    {"{\"Value\":[null]}", "null is no Cedar value"},
    {"{\"Value\":1.0}", "no integer"},
    {"{\"Value\":1e2}", "no integer"},
    {"{\"Value\":-0}", "no integer"},
    {"{\"Value\":9223372036854775808}", "no integer"},
    {"{\"Value\":{\"__expr\":\"1\"}}", "__expr"},
    {"{\"Value\":{\"__entity\":{\"type\":\"A B\",\"id\":\"\"}}}", "no entity type"},
    {"{\"Value\":{\"__entity\":{\"type\":\"__cedar::A\",\"id\":\"\"}}}", "no entity type"},
    {"{\"Value\":{\"__extn\":{\"fn\":\"foo\",\"arg\":1}}}", "no extension function `foo`"},
    {"{\"Var\":\"Principal\"}", "`Var` is one of"},
    {"{\"Var\":1}", "`Var` is one of"},
    {"{\"Slot\":\"?principal\"}", "slot"},
    {"{\"unknown\":[{\"Value\":\"x\"}]}", "no operator or function `unknown`"},
    {"{\"/\":{\"left\":{\"Value\":1},\"right\":{\"Value\":1}}}", "no operator or function `/`"},
    {"{\"value\":1}", "no operator or function `value`"},
    {"{\"!\":{\"arg\":{\"Value\":1},\"x\":1}}", "`!` has no member `x`"},
    {"{\"!\":{}}", "`!` lacks the member `arg`"},
    {"{\"!\":[{\"Value\":1}]}", "`!` takes an object, not an array"},
    {"{\"==\":{\"left\":{\"Value\":1}}}", "`==` lacks the member `right`"},
    {"{\"&&\":{\"left\":{\"Value\":1}}}", "`&&` lacks the member `right`"},
    {"{\"&&\":{\"left\":{\"&&\":{\"left\":{\"Value\":1},\"right\":{\"Value\":1},\"x\":1}},"
     "\"right\":{\"Value\":1}}}",
     "`&&` has no member `x`"},
    {"{\"==\":{\"left\":1,\"right\":{\"Value\":1}}}", "object with one member"},
    {"{\".\":{\"left\":{\"Value\":1},\"attr\":[\"a\"]}}", "`attr` takes a string"},
    {"{\".\":{\"left\":{\"Value\":1}}}", "lacks the member `attr`"},
    {"{\"has\":{\"left\":{\"Value\":1},\"attr\":[]}}", "`has` takes 1 to"},
    {"{\"has\":{\"left\":{\"Value\":1},\"attr\":[1]}}", "`attr` takes a string"},
    {"{\"has\":{\"left\":{\"Value\":1},\"attr\":1}}", "`attr` takes an array"},
    {"{\"has\":{\"left\":{\"Value\":1}}}", "`has` takes an object"},
    {"{\"has\":\"a\"}", "`has` takes an object"},
    {"{\"like\":{\"left\":{\"Value\":1},\"pattern\":\"a\"}}", "`pattern` takes an array"},
    {"{\"like\":{\"left\":{\"Value\":1},\"pattern\":[\"a\"]}}", "a pattern is made of"},
    {"{\"like\":{\"left\":{\"Value\":1},\"pattern\":[{\"Literal\":\"a\",\"x\":1}]}}",
     "a pattern is made of"},
    {"{\"like\":{\"left\":{\"Value\":1},\"pattern\":[{\"Literal\":1}]}}", "a pattern is made of"},
    {"{\"is\":{\"left\":{\"Value\":1},\"entity_type\":\"A :: B\"}}", "no entity type"},
    {"{\"is\":{\"left\":{\"Value\":1},\"entity_type\":\"if\"}}", "no entity type"},
    {"{\"is\":{\"left\":{\"Value\":1},\"entity_type\":\"A\",\"x\":1}}", "`is` has no member `x`"},
    {"{\"is\":{\"left\":{\"Value\":1},\"in\":{\"Value\":1}}}", "lacks the member `entity_type`"},
    {"{\"if-then-else\":{\"if\":{\"Value\":1},\"then\":{\"Value\":2}}}", "lacks the member `else`"},
    {"{\"Set\":{}}", "`Set` takes an array"},
    {"{\"Record\":[]}", "`Record` takes an object"},
    {"{\"Record\":{\"a\":1}}", "object with one member"},
    {"{\"ip\":{\"Value\":\"a\"}}", "`ip` takes an array"},
    {"{\"ip\":[1]}", "object with one member"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_expr *e = NULL;
        struct err err;
        if (cedar_expr_from_json(&a, parsed(&a, str_z(refused[i].json)), &e, &err))
            fail_msg("%s was accepted", refused[i].json);
        assert_null(e);
        if (str_find(str_z(err.text), str_z(refused[i].want)) < 0)
            fail_msg("%s: %s", refused[i].json, err.text);
    }
}

static const struct row written[] = {
    {"context has a.b.c",
     "{\"&&\":{\"left\":{\"&&\":{\"left\":{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":\"a\"}}"
     ",\"right\":{\"has\":{\"left\":{\".\":{\"left\":{\"Var\":\"context\"},\"attr\":\"a\"}},"
     "\"attr\":\"b\"}}}},\"right\":{\"has\":{\"left\":{\".\":{\"left\":{\".\":{\"left\":{\"Var\":"
     "\"context\"},\"attr\":\"a\"}},\"attr\":\"b\"}},\"attr\":\"c\"}}}}"},
    {"1 - 2 + 3", "{\"+\":{\"left\":{\"-\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}},"
                  "\"right\":{\"Value\":3}}}"},
    {"1 - (2 + 3)", "{\"-\":{\"left\":{\"Value\":1},\"right\":{\"+\":{\"left\":{\"Value\":2},"
                    "\"right\":{\"Value\":3}}}}}"},
    {"-1 == -(1)",
     "{\"==\":{\"left\":{\"Value\":-1},\"right\":{\"neg\":{\"arg\":{\"Value\":1}}}}}"},
    {"1 >= 2", "{\">=\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}"},
    {"1 != 2", "{\"!=\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}"},
    {"principal is A in B::\"\\n\"",
     "{\"is\":{\"left\":{\"Var\":\"principal\"},\"entity_type\":\"A\",\"in\":{\"Value\":{\"__"
     "entity\":{\"type\":\"B\",\"id\":\"\\n\"}}}}}"},
    {"\"\" like \"a*é\\*\"", "{\"like\":{\"left\":{\"Value\":\"\"},\"pattern\":[{\"Literal\":\"a\"}"
                             ",\"Wildcard\",{\"Literal\":\"é\"},{\"Literal\":\"*\"}]}}"},
    {"if true then [] else {\"a b\": ip(\"x\")}",
     "{\"if-then-else\":{\"if\":{\"Value\":true},\"then\":{\"Set\":[]},\"else\":{\"Record\":{\"a "
     "b\":{\"ip\":[{\"Value\":\"x\"}]}}}}}"},
    {"!principal.isEmpty()", "{\"!\":{\"arg\":{\"isEmpty\":{\"arg\":{\"Var\":\"principal\"}}}}}"},
    {"context[\"a\"].hasTag(\"b\")", "{\"hasTag\":{\"left\":{\".\":{\"left\":{\"Var\":\"context\"},"
                                     "\"attr\":\"a\"}},\"right\":{\"Value\":\"b\"}}}"},
};

static void test_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_diags d;
        struct err err;
        struct buf b = {0};
        struct cedar_expr *e = cedar_expr_parse(&a, str_z(written[i].json), &d);
        assert_true(e && cedar_expr_to_json(&b, e, &err));
        if (!str_eq(buf_str(&b), str_z(written[i].want)))
            fail_msg("%s: %.*s", written[i].json, STR(buf_str(&b)));
        buf_fini(&b);
    }
}

/* Values that only evaluation makes: the escapes say what they are. */
static void test_values_of_residuals(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_ip ip = {{10, 0, 0, 1}, 0, 24};
    struct cedar_value items[] = {
        cedar_decimal(-5000), cedar_datetime(86400000),          cedar_datetime(INT64_MAX),
        cedar_duration(-1),   {.kind = CEDAR_IPADDR, .ip = &ip},
    };
    struct cedar_field field = {S("a"), {.kind = CEDAR_SET, .n = 5, .items = items}};
    struct cedar_expr e = {.kind = CEDAR_E_LITERAL,
                           .value = {.kind = CEDAR_RECORD, .n = 1, .fields = &field}};
    struct cedar_expr *back;
    struct err err;
    struct buf b = {0};
    assert_true(cedar_expr_to_json(&b, &e, &err));
    assert_true(cedar_expr_from_json(&a, parsed(&a, buf_str(&b)), &back, &err));
    buf_clear(&b);
    assert_true(cedar_expr_print(&b, back, &err));
    assert_string_equal(str_dup(&a, buf_str(&b)).p,
                        "{a: [decimal(\"-0.5000\"), datetime(\"1970-01-02T00:00:00.000Z\"), "
                        "datetime(\"1970-01-01\").offset(duration(\"9223372036854775807ms\")), "
                        "duration(\"-1ms\"), ip(\"10.0.0.1/24\")]}");
    buf_fini(&b);
}

/* ---- depth ---- */

static void repeat(struct buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_put(b, str_z(s));
}

/* n times `open`, one value, n times `close`. */
static bool reads(size_t n, const char *open, const char *close, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_expr *e;
    struct buf b = {0};
    const json *v;
    repeat(&b, open, n);
    buf_put(&b, S("{\"Value\":true}"));
    repeat(&b, close, n);
    bool ok = json_read(&a, buf_str(&b), &cedar_policy_json_limits, &v, err) &&
              cedar_expr_from_json(&a, v, &e, err);
    assert_true(!ok || e->depth <= CEDAR_DEPTH_MAX);
    buf_fini(&b);
    return ok;
}

static void test_depth(void **state)
{
    (void)state;
    static const char *const nests[][2] = {
        {"{\"!\":{\"arg\":", "}}"},
        {"{\"Set\":[", "]}"},
        {"{\"Record\":{\"a\":", "}}"},
        {"{\"ip\":[", "]}"},
        {"{\"&&\":{\"left\":{\"Value\":1},\"right\":", "}}"},
        {"{\".\":{\"attr\":\"a\",\"left\":", "}}"},
        {"{\"==\":{\"right\":{\"Value\":1},\"left\":", "}}"},
    };
    struct err err;
    for (size_t i = 0; i < sizeof nests / sizeof nests[0]; i++) {
        assert_true(reads(CEDAR_DEPTH_MAX - 1, nests[i][0], nests[i][1], &err));
        assert_false(reads(CEDAR_DEPTH_MAX, nests[i][0], nests[i][1], &err));
        assert_int_equal(err.kind, ERR_LIMIT);
        assert_false(reads(900, nests[i][0], nests[i][1], &err));
        assert_int_equal(err.kind, ERR_LIMIT);
    }
    /* a chain is one level, however long, until the JSON itself is too deep */
    assert_true(reads(1000, "{\"&&\":{\"left\":", ",\"right\":{\"Value\":1}}}", &err));
    assert_true(reads(1000, "{\"-\":{\"left\":", ",\"right\":{\"Value\":1}}}", &err));
    assert_false(reads(2000, "{\"||\":{\"left\":", ",\"right\":{\"Value\":1}}}", &err));
}

/* However deep the JSON that a caller lets in: the stack holds. */
static void test_any_depth(void **state)
{
    (void)state;
    static const struct json_limits deep = {.depth_max = 1000000, .values_max = 10000000};
    static const char *const nests[][2] = {{"[", "]"}, {"{\"!\":{\"arg\":", "}}"}};
    for (size_t i = 0; i < 2; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_expr *e;
        struct buf b = {0};
        struct err err;
        const json *v;
        if (i == 0)
            buf_put(&b, S("{\"Value\":"));
        repeat(&b, nests[i][0], 200000);
        if (i > 0)
            buf_putc(&b, '1');
        repeat(&b, nests[i][1], 200000);
        if (i == 0)
            buf_putc(&b, '}');
        assert_true(json_read(&a, buf_str(&b), &deep, &v, &err));
        assert_false(cedar_expr_from_json(&a, v, &e, &err));
        assert_int_equal(err.kind, ERR_LIMIT);
        buf_fini(&b);
    }
}

/* Each level would double the text: it must end, in time, where the buffer does. */
static void test_the_end_of_the_buffer(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_expr *e;
    struct err err;
    struct buf text = {0}, b = {.max = 10000};
    repeat(&text, "{\"has\":{\"attr\":[\"a\",\"b\"],\"left\":", 100);
    buf_put(&text, S("{\"Var\":\"context\"}"));
    repeat(&text, "}}", 100);
    assert_true(cedar_expr_from_json(&a, parsed(&a, buf_str(&text)), &e, &err));
    buf_put(&b, S("before"));
    assert_false(cedar_expr_to_json(&b, e, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(str_eq(buf_str(&b), S("before")));
    buf_fini(&b);
    buf_fini(&text);
}

/* ---- policies ---- */

static const struct row policies[] = {
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal, action, resource);\n"},
    {"{\"effect\":\"forbid\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "forbid(principal, action, resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"all\",\"more\":1},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal, action, resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"entity\":{\"type\":\"U\",\"id\":\"a\"}}"
     ",\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal == U::\"a\", action, resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"entity\":{\"__entity\":{\"type\":\"U\","
     "\"id\":\"a\"}},\"more\":1},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}",
     "permit(principal == U::\"a\", action, resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"entity\":{\"type\":\"U\",\"id\":\"a\"},"
     "\"slot\":\"?principal\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
     "\"conditions\":[]}",
     "permit(principal == U::\"a\", action, resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?principal\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"in\",\"slot\":\"?resource\"},\"conditions\":[]}",
     "permit(principal == ?principal, action, resource in ?resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"is\",\"entity_type\":\"U\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"is\",\"entity_type\":\"R\",\"in\":null},"
     "\"conditions\":[]}",
     "permit(principal is U, action, resource is R);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"is\",\"entity_type\":\"U\",\"in\":{\"entity\":"
     "{\"type\":\"U\",\"id\":\"a\"},\"more\":1}},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":"
     "\"is\",\"entity_type\":\"R\",\"in\":{\"slot\":\"?resource\"}},\"conditions\":[]}",
     "permit(principal is U in U::\"a\", action, resource is R in ?resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"==\",\"entity\":{"
     "\"type\":\"Action\",\"id\":\"v\"}},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal, action == Action::\"v\", resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"in\",\"entity\":{"
     "\"type\":\"Action\",\"id\":\"v\"}},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal, action in Action::\"v\", resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"in\",\"entities\":"
     "[]},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal, action in [], resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"in\",\"entities\":"
     "[{\"type\":\"Action\",\"id\":\"v\"},{\"type\":\"Action\",\"id\":\"v\"}]},\"resource\":{"
     "\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal, action in [Action::\"v\", Action::\"v\"], resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"in\",\"entities\":"
     "[{\"type\":\"Action\",\"id\":\"v\"}],\"entity\":{\"type\":\"Action\",\"id\":\"v\"}},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "permit(principal, action in Action::\"v\", resource);\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[{\"kind\":\"when\",\"body\":{\"Value\":1}},{"
     "\"body\":{\"Value\":2},\"kind\":\"unless\"}]}",
     "permit(principal, action, resource)\nwhen { 1 }\nunless { 2 };\n"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[],\"annotations\":{\"b\":null,\"if\":\"x\","
     "\"c\":\"\"}}",
     "@b\n@if(\"x\")\n@c(\"\")\npermit(principal, action, resource);\n"},
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_policy p, again;
        struct err err;
        struct buf b = {0};
        bool slots = str_find(str_z(policies[i].want), S("?")) >= 0;
        if (!cedar_policy_from_json(&a, parsed(&a, str_z(policies[i].json)), S("p"),
                                    slots ? CEDAR_WANT_TEMPLATE : CEDAR_WANT_STATIC, &p, &err))
            fail_msg("%s: %s", policies[i].json, err.text);
        assert_true(str_eq(p.id, S("p")) && p.is_template == slots);
        assert_true(cedar_policy_print(&b, &p, &err));
        if (!str_eq(buf_str(&b), str_z(policies[i].want)))
            fail_msg("%s: read as %.*s", policies[i].json, STR(buf_str(&b)));
        buf_clear(&b);
        assert_true(cedar_policy_to_json(&b, &p, &err));
        assert_true(cedar_policy_from_json(&a, parsed(&a, buf_str(&b)), S("q"), CEDAR_WANT_EITHER,
                                           &again, &err));
        assert_true(ast_policy_equal(&a, &p, &again, AST_EXACT));
        buf_fini(&b);
        assert_false(cedar_policy_from_json(&a, parsed(&a, str_z(policies[i].json)), S("p"),
                                            slots ? CEDAR_WANT_STATIC : CEDAR_WANT_TEMPLATE, &again,
                                            &err));
    }
}

static const struct row refused_policies[] = {
    {"[]", "a policy must be an object"},
    {"{\"effect\":\"Permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "`effect`"},
    {"{\"effect\":{\"permit\":null},\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "`effect`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"}}",
     "a policy lacks the member `conditions`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[],\"x\":1}",
     "a policy has no member `x`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":{}}",
     "`conditions` must be an array"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[{\"kind\":\"When\",\"body\":{\"Value\":1}}]}",
     "condition 1: the kind"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[{\"kind\":\"when\"}]}",
     "a condition lacks the member `body`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[{\"kind\":\"when\",\"body\":{\"Value\":1},"
     "\"x\":1}]}",
     "a condition has no member `x`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[[\"when\",{\"Value\":1}]]}",
     "a condition must be an object"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[],\"annotations\":null}",
     "`annotations` must be an object"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[],\"annotations\":{\"a b\":\"x\"}}",
     "cannot be named `a b`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[],\"annotations\":{\"\":\"x\"}}",
     "cannot be named ``"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[],\"annotations\":{\"a\":1}}",
     "annotation `a` must be a string"},
    {"{\"effect\":\"permit\",\"principal\":\"All\",\"action\":{\"op\":\"All\"},\"resource\":{"
     "\"op\":\"All\"},\"conditions\":[]}",
     "principal: expected an object"},
    {"{\"effect\":\"permit\",\"principal\":[\"All\"],\"action\":{\"op\":\"All\"},\"resource\":{"
     "\"op\":\"All\"},\"conditions\":[]}",
     "principal: expected an object"},
    {"{\"effect\":\"permit\",\"principal\":{},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":"
     "\"All\"},\"conditions\":[]}",
     "principal: the member `op`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"ALL\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "principal: the member `op`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "principal: this needs"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"entity\":null,\"slot\":\"?principal\"},"
     "\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "principal: an entity is written"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"entity\":\"U::\\\"a\\\"\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "principal: an entity is written"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"entity\":{\"type\":\"U "
     "V\",\"id\":\"\"}},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]"
     "}",
     "no entity type"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?resource\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "must be `?principal`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"==\",\"slot\":\"?principal\"},\"conditions\":[]}",
     "must be `?resource`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"principal\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "must be `?principal`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"in\",\"entities\":[{\"type\":\"U\",\"id\":"
     "\"a\"}]},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "principal: this needs"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"is\",\"entity_type\":\"U\",\"x\":1},"
     "\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "`is` has no member `x`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"is\"},\"action\":{\"op\":\"All\"},"
     "\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "`is` lacks the member `entity_type`"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"is\",\"entity_type\":\"if\"},\"action\":{"
     "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "no entity type"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"is\",\"entity_type\":\"U\",\"in\":{}},"
     "\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "principal: this needs"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"==\",\"entity\":{"
     "\"type\":\"U\",\"id\":\"a\"}},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "action: an action's type"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"in\",\"entities\":"
     "[{\"type\":\"Action\",\"id\":\"v\"},{\"type\":\"U\",\"id\":\"a\"}]},\"resource\":{\"op\":"
     "\"All\"},\"conditions\":[]}",
     "action: an action's type"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"==\",\"slot\":\"?"
     "principal\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "action: the action cannot be left open"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"in\",\"slot\":\"?"
     "principal\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "action: this needs"},
    {"{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"is\",\"entity_"
     "type\":\"Action\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}",
     "action: the member `op`"},
};

static void test_refused_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_policies / sizeof refused_policies[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        const struct row *r = &refused_policies[i];
        struct cedar_policy p = {.id = S("untouched")};
        struct err err;
        if (cedar_policy_from_json(&a, parsed(&a, str_z(r->json)), S("p"), CEDAR_WANT_EITHER, &p,
                                   &err))
            fail_msg("%s was accepted", r->json);
        if (!str_starts(str_z(err.text), S("policy `p`: ")) ||
            str_find(str_z(err.text), str_z(r->want)) < 0)
            fail_msg("%s: %s", r->json, err.text);
        assert_true(str_eq(p.id, S("untouched")));
    }
}

/* ---- one policy from text ---- */

static void test_one_from_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cedar_want want;
        const char *code; /* NULL: accepted */
    } rows[] = {
        {"permit(principal, action, resource);", CEDAR_WANT_STATIC, NULL},
        {"permit(principal, action, resource);", CEDAR_WANT_EITHER, NULL},
        {"permit(principal, action, resource);", CEDAR_WANT_TEMPLATE, "template"},
        {"permit(principal == ?principal, action, resource);", CEDAR_WANT_STATIC, "template"},
        {"permit(principal == ?principal, action, resource);", CEDAR_WANT_EITHER, NULL},
        {"permit(principal == ?principal, action, resource);", CEDAR_WANT_TEMPLATE, NULL},
        {"permit(principal, action, resource); permit(principal, action, resource);",
         CEDAR_WANT_STATIC, "count"},
        {"", CEDAR_WANT_EITHER, "count"},
        {"permit", CEDAR_WANT_EITHER, "syntax"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_policy p = {0};
        struct cedar_diags d;
        bool ok = cedar_policy_parse(&a, S("p"), str_z(rows[i].text), rows[i].want, &p, &d);
        assert_true(ok == !rows[i].code && str_eq(p.id, ok ? S("p") : S("")));
        if (!ok)
            assert_string_equal(d.items[0].code, rows[i].code);
        assert_true(ok || str_eq(d.items[0].policy, S("p")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_values_of_residuals),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_any_depth),
        cmocka_unit_test(test_the_end_of_the_buffer),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_refused_policies),
        cmocka_unit_test(test_one_from_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
