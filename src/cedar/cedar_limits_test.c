/* What a stranger can ask for at most: texts of 100,000 levels, and texts of a megabyte in the form
 * that is worst for whoever reads them. Each is answered, be it by a refusal, within seconds. */
#include "cedar/check/lint.h"
#include "cedar/partial/partial.h"
#include "cedar/policy/format.h"
#include "cedar/policy/policy_set_json.h"
#include "cedar/policy/print.h"
#include "cedar/schema/schema_print.h"
#include "cedar/schema/typed_json.h"
#include "cedar/tools/tool_map.h"
#include "cedar/value/entities_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { LEVELS = 100000, LARGE = 1000000 };
#if defined(__has_feature) /* clang's way to tell */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
enum { SECONDS_MAX = 20 };
#else
enum { SECONDS_MAX = 5 };
#endif

static const char schema_text[] =
    "entity User in [User] { boss?: User, when?: datetime } tags String; entity Doc;\n"
    "action view appliesTo { principal: [User], resource: [Doc], context: { s?: String, n?: Long, "
    "at?: datetime } };\n";

/* ---- making texts ---- */

static void put_numbered(struct buf *out, const char *text, size_t n)
{
    for (; *text; text++) {
        if (*text == '#')
            buf_u64(out, n);
        else
            buf_putc(out, *text);
    }
}

/* head, open as often as levels says, middle, as many close, tail. */
static str nested(struct arena *a, size_t levels, const char *const parts[5])
{
    struct buf out = {0};
    buf_put(&out, str_z(parts[0]));
    for (size_t i = 0; i < levels; i++)
        buf_put(&out, str_z(parts[1]));
    buf_put(&out, str_z(parts[2]));
    for (size_t i = 0; i < levels; i++)
        buf_put(&out, str_z(parts[3]));
    buf_put(&out, str_z(parts[4]));
    str text = str_dup(a, buf_str(&out));
    buf_fini(&out);
    return text;
}

/* head, items with # as their number until all is large, tail. */
static str large(struct arena *a, const char *head, const char *item, const char *sep,
                 const char *tail)
{
    struct buf out = {0};
    buf_put(&out, str_z(head));
    for (size_t i = 0; buf_len(&out) < LARGE; i++) {
        buf_put(&out, str_z(i ? sep : ""));
        put_numbered(&out, item, i);
    }
    buf_put(&out, str_z(tail));
    str text = str_dup(a, buf_str(&out));
    buf_fini(&out);
    return text;
}

static const json *any_json(struct arena *a, str text)
{
    const struct json_limits limits = {.depth_max = 10 * LEVELS, .values_max = 10 * LEVELS};
    const json *v;
    struct err err;
    assert_true(json_read(a, text, &limits, &v, &err));
    return v;
}

static const struct schema *schema_of(struct arena *a, str text)
{
    const struct schema *s;
    struct cedar_diags d;
    cedar_diags_init(&d, a, S("schema"), text);
    assert_true(schema_read(a, text, &s, &d));
    return s;
}

/* ---- who reads what is deep ---- */

static bool read_policy(struct arena *a, str text)
{
    struct cedar_policies ps;
    struct cedar_diags d;
    return cedar_policies_parse(a, S("p"), text, &ps, &d);
}

static bool read_format(struct arena *a, str text)
{
    struct cedar_diags d;
    str out;
    return cedar_format(a, text, NULL, &out, &d);
}

static bool read_expr_json(struct arena *a, str text)
{
    struct cedar_expr *e;
    struct err err;
    return cedar_expr_from_json(a, any_json(a, text), &e, &err);
}

static bool read_schema(struct arena *a, str text)
{
    const struct schema *s;
    struct cedar_diags d;
    cedar_diags_init(&d, a, S("s"), text);
    return schema_read(a, text, &s, &d);
}

static bool read_schema_json(struct arena *a, str text)
{
    struct schema_source s;
    struct cedar_diags d;
    cedar_diags_init(&d, a, S("s"), text);
    return schema_source_read_json(a, text, &s, &d);
}

static bool read_schema_value(struct arena *a, str text)
{
    struct schema_source s;
    struct cedar_diags d;
    cedar_diags_init(&d, a, S("s"), text);
    return schema_source_read_value(a, any_json(a, text), &s, &d);
}

static bool read_value(struct arena *a, str text)
{
    struct cedar_value v;
    struct err err;
    return cedar_value_from_json(a, any_json(a, text), &v, &err);
}

static bool read_context(struct arena *a, str text)
{
    const struct schema *s = schema_of(a, str_z(schema_text));
    const struct cedar_uid view = {S("Action"), S("view")};
    struct typed_json typed = {s, schema_action(s, &view)};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct cedar_value v;
    struct err err;
    return cedar_context_from_json(a, any_json(a, text), &hook, &v, &err);
}

static bool read_partial(struct arena *a, str text)
{
    struct partial_entities e;
    struct err err;
    partial_entities_init(&e, a, schema_of(a, str_z(schema_text)));
    return partial_entities_from_json(&e, any_json(a, text), &err);
}

static bool read_tools_as(struct arena *a, str profile, str text)
{
    const struct tool_options options = {.outputs = true};
    const struct tool_map *m;
    struct err err;
    return tool_map_read(a, tool_profile(profile), S("srv"), any_json(a, text), &options, &m, &err);
}

static bool read_tools(struct arena *a, str text)
{
    return read_tools_as(a, S("mcp-generated"), text);
}

#define WHEN   "permit(principal, action, resource) when { "
#define ENTITY "[{\"uid\": {\"type\": \"User\", \"id\": \"u\"}, \"attrs\": {\"when\": "
#define TOOL   "[{\"name\": \"t\", \"inputSchema\": {\"type\": \"object\", \"properties\": {\"p\": "
#define SHAPE  "{\"\": {\"actions\": {}, \"entityTypes\": {\"E\": {\"tags\": "

static void test_deep(void **state)
{
    static const struct {
        bool (*read)(struct arena *a, str text);
        const char *parts[5];
    } rows[] = {
        {read_policy, {WHEN, "!(", "true", ")", "};"}},
        {read_policy, {WHEN, "[", "1", "]", "};"}},
        {read_policy, {WHEN, "{a: ", "1", "}", "};"}},
        {read_policy, {WHEN, "if true then ", "true", " else true", "};"}},
        {read_policy, {WHEN, "if true then true else ", "true", "", "};"}},
        {read_policy, {WHEN "context", ".a", "", "", "};"}},
        {read_policy, {WHEN "context has a", ".a", "", "", "};"}},
        {read_policy, {"permit(principal is A", "::A", "", "", ", action, resource);"}},
        {read_format, {WHEN, "(", "true", ")", "};"}},
        {read_expr_json, {"", "{\"!\": {\"arg\": ", "{\"Value\": true}", "}}", ""}},
        {read_expr_json,
         {"", "{\"&&\": {\"left\": {\"Var\": \"context\"}, \"right\": ", "{\"Value\": true}", "}}",
          ""}},
        {read_expr_json, {"{\"Value\": ", "[", "1", "]", "}"}},
        {read_expr_json,
         {"{\"Value\": ", "{\"__extn\": {\"fn\": \"ip\", \"arg\": ", "1", "}}", "}"}},
        {read_expr_json, {"{\"Value\": {\"__entity\": {\"x\": ", "[", "1", "]", "}}}"}},
        {read_schema, {"entity E { a: ", "Set<", "Long", ">", "};"}},
        {read_schema, {"entity E { a: ", "{ a: ", "Long", "}", "};"}},
        {read_schema_json,
         {SHAPE, "{\"type\": \"Set\", \"element\": ", "{\"type\": \"Long\"}", "}", "}}}}"}},
        {read_schema_value,
         {SHAPE, "{\"type\": \"Set\", \"element\": ", "{\"type\": \"Long\"}", "}", "}}}}"}},
        {read_value, {"", "[", "1", "]", ""}},
        {read_value, {"", "{\"a\": ", "1", "}", ""}},
        {read_value,
         {"{\"__entity\": {\"type\": \"A\", \"id\": \"\", \"x\": ", "[", "1", "]", "}}"}},
        {read_context, {"{\"s\": ", "[", "1", "]", "}"}},
        {read_context, {"{\"at\": ", "{\"fn\": \"toDate\", \"arg\": ", "1", "}", "}"}},
        {read_partial, {ENTITY, "{\"fn\": \"toDate\", \"arg\": ", "1", "}", "}}]"}},
        {read_tools,
         {TOOL, "{\"type\": \"array\", \"items\": ", "{\"type\": \"string\"}", "}", "}}}]"}},
        {read_tools, {TOOL, "{\"anyOf\": [", "{\"type\": \"string\"}", "]}", "}}}]"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        assert_true(rows[i].read(&a, nested(&a, 1, rows[i].parts)) ||
                    rows[i].read == read_expr_json || rows[i].read == read_context ||
                    rows[i].read == read_partial);
        if (rows[i].read(&a, nested(&a, LEVELS, rows[i].parts)))
            fail_msg("row %zu: %d levels were accepted", i, LEVELS);
    }
}

/* The deepest expression there may be goes through all that work on one. */
static void test_deepest(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    static const char *const parts[] = {"", "{\"!\": {\"arg\": ", "{\"Value\": true}", "}}", ""};
    struct cedar_policies ps = {.items = ARENA_NEW(&a, struct cedar_policy), .count = 1};
    struct cedar_condition when = {0};
    struct buf out = {0};
    struct cedar_diags d;
    struct err err;
    (void)state;
    assert_true(cedar_expr_from_json(&a, any_json(&a, nested(&a, CEDAR_DEPTH_MAX - 1, parts)),
                                     &when.body, &err));
    assert_int_equal(when.body->depth, CEDAR_DEPTH_MAX);
    ps.items[0] = (struct cedar_policy){
        .id = S("p"), .effect = CEDAR_PERMIT, .conditions = &when, .condition_count = 1};
    assert_true(cedar_policies_print(&out, &ps, &err));
    assert_true(cedar_policies_to_json(&out, &ps, &err));
    buf_fini(&out);

    const struct schema *s = schema_of(&a, str_z(schema_text));
    const struct cedar_policies *texts[] = {&ps};
    cedar_diags_init(&d, &a, S("p"), S(""));
    assert_true(validate_policies(s, &ps, NULL, &d));
    lint_policies(s, &ps, NULL, &d);

    struct cedar_set *set = cedar_compile(texts, 1, 1, &err);
    struct cedar_entities none;
    struct cedar_request req = {
        {S("User"), S("u")}, {S("Action"), S("view")}, {S("Doc"), S("d")}, NULL};
    struct cedar_response res;
    assert_non_null(set);
    cedar_entities_init(&none, &a, NULL, 1);
    assert_true(cedar_entities_seal(&none, &err));
    assert_true(cedar_authorize(set, &req, &none, &a, &res, &err));
    assert_int_equal(res.decision, CEDAR_DENY); /* an odd number of negations */
    cedar_set_free(set);

    struct partial_request part = {
        {S("User"), {0}, false}, {S("Doc"), {0}, false}, {S("Action"), S("view")}, NULL};
    struct partial_entities known;
    const struct partial_answer *answer;
    partial_entities_init(&known, &a, s);
    assert_true(partial_entities_seal(&known, &err));
    assert_true(partial_authorize(s, texts, 1, &part, &known, &a, &answer, &err));
    assert_int_equal(answer->policies[0].class, PARTIAL_FALSE);
}

/* ---- who reads what is large ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#define IN_TIME(name, work)                                                                        \
    do {                                                                                           \
        double from_ = seconds();                                                                  \
        work;                                                                                      \
        if (seconds() - from_ > SECONDS_MAX)                                                       \
            fail_msg("%s: %.1f s", name, seconds() - from_);                                       \
    } while (0)

static void lint_of(struct arena *a, const struct schema *s, str text,
                    const struct cedar_entities *known)
{
    const struct lint_options how = {.known = known};
    struct cedar_policies ps;
    struct cedar_diags d;
    assert_true(cedar_policies_parse(a, S("p"), text, &ps, &d));
    cedar_diags_init(&d, a, S("p"), text);
    (void)!validate_policies(s, &ps, NULL, &d);
    lint_policies(s, &ps, &how, &d);
}

#define FORBID "forbid(principal, action == Action::\"view\", resource) "

static void test_annotations(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    str notes = large(&a, "", "@a#(\"x\") ", "", "");
    str policy = str_fmt(&a, "%.*s permit(principal, action, resource);", STR(notes));
    str schema = str_fmt(&a, "%.*s entity E;", STR(notes));
    (void)state;
    IN_TIME("policy", assert_true(read_policy(&a, policy)));
    IN_TIME("schema", assert_true(read_schema(&a, schema)));
    str twice = str_fmt(&a, "%.*s@a1 entity E;", STR(notes));
    assert_false(read_schema(&a, twice));
    twice = str_fmt(&a, "%.*s@a1 permit(principal, action, resource);", STR(notes));
    assert_false(read_policy(&a, twice));
}

static void test_lints(void **state)
{
    static const struct {
        const char *head, *item, *sep, *tail;
    } rows[] = {
        {"", FORBID "when { context has n && context.n == # };", "\n", ""},
        {FORBID "when { ", "context has n && context.n == #", " || ", "};"},
        {FORBID "when { context has s && (", "context.s like \"*..*\"", " || ", ")};"},
        {FORBID "when { ",
         "principal.hasTag(\"#\") && principal.getTag(\"#\") like \"*..*\" || "
         "principal.hasTag(\"x\") && principal.getTag(\"x\") like \"/b/*\"",
         " || ", "};"},
        {FORBID "when { ", "principal == User::\"usex#\"", " || ", "};"},
        {FORBID "when { ", "context has misspelt#", " || ", "};"},
    };
    ARENA_SCOPE struct arena a = {0};
    const struct schema *s = schema_of(&a, str_z(schema_text));
    struct cedar_entities known;
    struct err err;
    (void)state;
    cedar_entities_init(&known, &a, NULL, 1);
    for (unsigned i = 0; i < 20000; i++) {
        struct cedar_entity e = {.uid = {S("User"), str_fmt(&a, "user%u", i)}};
        assert_true(cedar_entities_add(&known, &e, &err));
    }
    assert_true(cedar_entities_seal(&known, &err));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena each = {0};
        str text = large(&each, rows[i].head, rows[i].item, rows[i].sep, rows[i].tail);
        IN_TIME(rows[i].item, lint_of(&each, s, text, &known));
    }
}

/* Types that are far larger than what has them. */
static void test_wide_types(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf record = {0};
    (void)state;
    for (unsigned i = 0; i < 20000; i++)
        buf_printf(&record, "%sa%u: Long", i ? ", " : "", i);
    const struct schema *s = schema_of(
        &a, str_fmt(&a,
                    "entity User; entity Doc; action view appliesTo { principal: User, resource: "
                    "Doc, context: { a: {%.*s}, b: {%.*s} } };",
                    STR(buf_str(&record)), STR(buf_str(&record))));
    buf_fini(&record);
    str equal = large(&a, FORBID "when { ", "context.a == context.b", " && ", "};");
    str set = large(&a, FORBID "when { [", "context.a, context.b", ", ", "] == [context.a] };");
    IN_TIME("==", lint_of(&a, s, equal, NULL));
    IN_TIME("set", lint_of(&a, s, set, NULL));
    assert_true(arena_used(&a) < 1u << 30);
}

/* An unknown action in a list: the scope is typed like an expression, in each environment. */
static void test_long_scope(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    str schema = large(&a,
                       "entity User; entity Doc; action view appliesTo { principal: User, "
                       "resource: Doc, context: {} };",
                       "action a# in [view] appliesTo { principal: User, resource: Doc, "
                       "context: {} };",
                       "", "");
    str text = large(&a, "forbid(principal, action in [", "Action::\"a#\"", ", ", "], resource);");
    const struct schema *s = schema_of(&a, schema);
    (void)state;
    IN_TIME("scope", lint_of(&a, s, text, NULL));
}

static void test_tools(void **state)
{
    static const char *const lists[] = {TOOL, "{\"type\": [\"array\", \"array\"], \"items\": ",
                                        "{\"type\": \"string\"}", "}", "}}}]"};
    static const char *const objects[] = {
        TOOL,
        "{\"type\": [\"object\", \"object\"], \"properties\": {\"x\": ", "{\"type\": \"string\"}",
        "}}", "}}}]"};
    ARENA_SCOPE struct arena a = {0};
    str required = str_fmt(&a, "%.*s, \"required\": [\"p0\"%.*s]}}]",
                           STR(large(&a, TOOL "{}", ", \"p#\": {\"type\": \"string\"}", "", "}")),
                           STR(large(&a, "", ", \"p#\"", "", "")));
    (void)state;
    IN_TIME("lists", assert_false(read_tools_as(&a, S("own"), nested(&a, 60, lists))));
    IN_TIME("objects", (void)!read_tools_as(&a, S("mcp-generated"), nested(&a, 18, objects)));
    IN_TIME("required", assert_true(read_tools_as(&a, S("own"), required)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deep),        cmocka_unit_test(test_deepest),
        cmocka_unit_test(test_annotations), cmocka_unit_test(test_lints),
        cmocka_unit_test(test_wide_types),  cmocka_unit_test(test_long_scope),
        cmocka_unit_test(test_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
