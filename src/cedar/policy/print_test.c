/* Printing. Rows are (as written, as printed); what is printed must read back as the same tree. */
#include "cedar/policy/ast_equal.h"
#include "cedar/policy/link.h"
#include "cedar/policy/parse.h"
#include "cedar/policy/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct row {
    const char *text, *printed; /* NULL: as it was written */
};

static const struct row expressions[] = {
    /* leaves */
    {"true", NULL},
    {"((false))", "false"},
    {"principal", NULL},
    {"007", "7"},
    {"-5", NULL},
    {"-9223372036854775808", NULL},
    {"A :: B::\"x\\\"y\"", "A::B::\"x\\\"y\""},
    {"\"\\u{e9}\\t\\'*\\0\"", "\"\xc3\xa9\\t'*\\0\""},
    {"\"\\x1b\\u{7f}\\r\\n\\\\\"", "\"\\u{1b}\\u{7f}\\r\\n\\\\\""},

    {"\"\\u{200b}a\\u{202e}\\u{ad}\\u{80}\\u{9f}\\u{61c}\\u{2069}\\u{feff}\"", NULL},
    {"\"\\u{a0}\\u{200a}\\u{2010}\\u{206f}\\u{2070}\"",
     "\"\xc2\xa0\xe2\x80\x8a\xe2\x80\x90\\u{206f}\xe2\x81\xb0\""},

    /* chains and their parentheses */
    {"true || false && true", NULL},
    {"(true || false) && true", NULL},
    {"true && (false && true)", NULL},
    {"(true && false) && true", NULL},
    {"(true || false) || true", NULL},
    {"1 - 2 - 3 + 4", NULL},
    {"1 - (2 - 3)", NULL},
    {"(1 - 2) - 3", NULL},
    {"1 + (2 + 3)", NULL},
    {"1 * 2 * 3", NULL},
    {"1 * (2 * 3)", NULL},
    {"(1 + 2) * 3", NULL},
    {"1 + 2 * 3", NULL},
    {"1 - -1", NULL},
    {"-1 * -2", NULL},
    {"1 + (if true then 1 else 2)", NULL},

    /* relations do not chain */
    {"(1 < 2) == (3 >= 4)", NULL},
    {"1 + 2 < 3 * 4", NULL},
    {"(1 == 2) != true", NULL},
    {"(1 in 2) in 3", NULL},
    {"1 in (2 in 3)", NULL},
    {"(principal is A) in B::\"x\"", NULL},
    {"principal is A in (B::\"x\")", "principal is A in B::\"x\""},
    {"principal is A::B", NULL},
    {"(principal is A) is B", NULL},
    {"principal is A in (1 == 2)", NULL},
    {"(context has a) like \"b\"", NULL},
    {"!(1 == 2)", NULL},
    {"!true == false", NULL},

    /* signs */
    {"!!!!true", NULL},
    {"!(!!!!true)", "!!!!(!true)"},
    {"!(-principal)", NULL},
    {"-(!true)", NULL},
    {"-(1)", NULL},
    {"-(-1)", NULL},
    {"--1", "-(-1)"},
    {"----principal", NULL},
    {"---(1)", NULL},
    {"-(-(-(-(-principal))))", "----(-principal)"},
    {"-1.a", NULL},
    {"(-1).a", NULL},
    {"(-1)[\"a b\"].isEmpty()", NULL},
    {"-(1 + 2)", NULL},
    {"!(true && false)", NULL},
    {"-1 + 2", NULL},
    {"!(-1)", NULL},

    /* if */
    {"if true then if false then 1 else 2 else 3", NULL},
    {"if (if true then false else true) then 1 else 2",
     "if if true then false else true then 1 else 2"},
    {"(if true then 1 else 2) + 3", NULL},
    {"if true then 1 else 2 + 3", NULL},
    {"true || (if true then true else false)", NULL},
    {"(if true then principal else resource).a", NULL},
    {"[if true then 1 else 2]", NULL},
    {"!(if true then true else true)", NULL},

    /* names */
    {"context.a[\"b\"].c", "context.a.b.c"},
    {"context[\"if\"][\"__cedar\"][\"\"][\"a b\"][\"a\\\"\"].principal", NULL},
    {"context has a.b.c", NULL},
    {"context has \"a\"", "context has a"},
    {"context has \"in\"", NULL},
    {"context has \"\"", NULL},
    {"(context has a).b", NULL},
    {"1 + 2 has a", NULL},
    {"{\"a\": 1, \"if\": 2, \"\": 3, \"a b\": {}}", "{a: 1, \"if\": 2, \"\": 3, \"a b\": {}}"},
    {"{}", NULL},
    {"{}.a", NULL},
    {"[]", NULL},
    {"[1, [2], {a: []},]", "[1, [2], {a: []}]"},
    {"[1].contains(2)", NULL},

    /* calls */
    {"principal.a.contains(1 + 2)", NULL},
    {"(1 + 2).containsAll(if true then 1 else 2)", NULL},
    {"context.x.containsAny([])", NULL},
    {"principal.hasTag(\"a\") && principal.getTag(\"a\") == 1", NULL},
    {"ip(\"1.1.1.1\").isInRange(ip(\"1.0.0.0/8\"))", NULL},
    {"\"a\".isIpv4(1, 2)", NULL},
    {"ip()", NULL},
    {"decimal(1, 2)", NULL},
    {"(1 == 2).isLoopback()", NULL},
    {"(!true).toDate()", NULL},

    /* patterns */
    {"context like \"a*\\*\\\"\\\\\"", NULL},
    {"context like \"\\u{2a}b\\x2a\"", "context like \"*b*\""},
    {"\"\" like \"\"", NULL},
    {"\"*\" like \"**\"", NULL},
    {"(1 + 2) like \"*\"", "1 + 2 like \"*\""},
};

static void test_expressions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        const struct row *r = &expressions[i];
        struct cedar_diags d;
        struct buf b = {0};
        struct err err;
        struct cedar_expr *e = cedar_expr_parse(&a, str_z(r->text), &d);
        if (!e)
            fail_msg("%s: %.*s", r->text, STR(d.items[0].text));
        assert_true(cedar_expr_print(&b, e, &err));
        if (!str_eq(buf_str(&b), str_z(r->printed ? r->printed : r->text)))
            fail_msg("%s: printed as %.*s", r->text, STR(buf_str(&b)));
        struct cedar_expr *back = cedar_expr_parse(&a, buf_str(&b), &d);
        if (!back || !ast_expr_equal(&a, e, back, AST_EXACT))
            fail_msg("%s: another tree from %.*s", r->text, STR(buf_str(&b)));
        buf_fini(&b);
    }
}

/* ---- policies ---- */

static const struct row policies[] = {
    {"permit(principal,action,resource);", "permit(principal, action, resource);\n"},
    {"@a@b(\"\")@if(\"x\\\"\")forbid(principal,action,resource,)unless{1}when{2};",
     "@a\n@b(\"\")\n@if(\"x\\\"\")\nforbid(principal, action, resource)\nunless { 1 }\nwhen { 2 "
     "};\n"},
    {"permit(principal==A::\"x\",action==Action::\"y\",resource in B::\"z\");",
     "permit(principal == A::\"x\", action == Action::\"y\", resource in B::\"z\");\n"},
    {"permit(principal is A,action in Action::\"y\",resource is B::C in D::\"\");",
     "permit(principal is A, action in Action::\"y\", resource is B::C in D::\"\");\n"},
    {"permit(principal,action in [],resource);", "permit(principal, action in [], resource);\n"},
    {"permit(principal,action in [Action::\"y\",N::Action::\"z\"],resource);",
     "permit(principal, action in [Action::\"y\", N::Action::\"z\"], resource);\n"},
    {"permit(principal,action in [Action::\"y\"],resource);",
     "permit(principal, action in [Action::\"y\"], resource);\n"},
    {"permit(principal == ?principal,action,resource in ?resource);",
     "permit(principal == ?principal, action, resource in ?resource);\n"},
    {"permit(principal is A in ?principal,action,resource == ?resource);",
     "permit(principal is A in ?principal, action, resource == ?resource);\n"},
    {"permit(principal,action,resource);forbid(principal,action,resource)when{true};",
     "permit(principal, action, resource);\n\nforbid(principal, action, resource)\n"
     "when { true };\n"},
    {"", ""},
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        const struct row *r = &policies[i];
        struct cedar_policies p, back;
        struct cedar_diags d;
        struct buf b = {0};
        struct err err;
        assert_true(cedar_policies_parse(&a, S(""), str_z(r->text), &p, &d));
        assert_true(cedar_policies_print(&b, &p, &err));
        if (!str_eq(buf_str(&b), str_z(r->printed)))
            fail_msg("%s: printed as %.*s", r->text, STR(buf_str(&b)));
        assert_true(cedar_policies_parse(&a, S(""), buf_str(&b), &back, &d));
        assert_int_equal(back.count, p.count);
        for (size_t j = 0; j < p.count; j++)
            assert_true(ast_policy_equal(&a, &p.items[j], &back.items[j], AST_EXACT));
        buf_fini(&b);
    }
}

static void test_links(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_policy link;
    struct cedar_diags d;
    struct buf b = {0};
    struct err err;
    struct cedar_uid u = {S("U"), S("a")};
    assert_true(cedar_policies_parse(
        &a, S(""), S("permit(principal in ?principal, action, resource);"), &p, &d));
    assert_true(cedar_link(&a, &p.items[0], S("l"), &u, NULL, &link, &err));
    assert_true(cedar_policy_print(&b, &link, &err));
    assert_true(str_eq(buf_str(&b), S("permit(principal in U::\"a\", action, resource);\n")));
    size_t before = buf_len(&b);
    assert_true(cedar_policies_add(&a, &p, &link, &err));
    assert_false(cedar_policies_print(&b, &p, &err));
    assert_string_equal(err.text, "`l` is linked from a template, which Cedar text cannot say");
    assert_true(str_ends(buf_str(&b), S("resource);\n"))); /* nothing of the template is left */
    assert_int_equal(buf_len(&b), before);
    buf_fini(&b);
}

/* ---- what only JSON can make ---- */

static void test_no_text_form(void **state)
{
    (void)state;
    static const enum cedar_fn with_receiver[] = {CEDAR_FN_IS_IPV4, CEDAR_FN_OFFSET};
    struct buf b = {0};
    struct err err;
    for (size_t i = 0; i < 2; i++) {
        struct cedar_expr call = {.kind = CEDAR_E_CALL, .depth = 1, .fn = with_receiver[i]};
        struct cedar_expr *kid = &call;
        struct cedar_expr list = {.kind = CEDAR_E_SET, .depth = 2, .kids = &kid, .kid_count = 1};
        assert_false(cedar_expr_print(&b, &list, &err));
        assert_true(str_starts(str_z(err.text), S("`")));
        assert_int_equal(buf_len(&b), 0);
    }
    buf_fini(&b);
}

static void test_names_that_need_quotes(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    struct err err;
    struct cedar_diags d;
    struct cedar_expr *not_true = cedar_expr_parse(&a, S("true && false"), &d);
    str names[] = {S("a b"), S("c"), S("if")};
    struct cedar_expr has = {.kind = CEDAR_E_HAS,
                             .depth = 3,
                             .kids = &not_true,
                             .kid_count = 1,
                             .names = names,
                             .name_count = 3};
    assert_true(cedar_expr_print(&b, &has, &err));
    assert_true(
        str_eq(buf_str(&b), S("(true && false) has \"a b\" && (true && false)[\"a b\"] has c && "
                              "(true && false)[\"a b\"].c has \"if\"")));
    struct cedar_expr *back = cedar_expr_parse(&a, buf_str(&b), &d);
    assert_true(back && ast_expr_equal(&a, &has, back, AST_MEANING));
    assert_false(ast_expr_equal(&a, &has, back, AST_EXACT));
    buf_fini(&b);
}

/* Each level would double the text: it must end, in time, where the buffer does. */
static void test_the_end_of_the_buffer(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    struct err err;
    str names[] = {S("a b"), S("c")};
    struct cedar_expr *e = cedar_expr_parse(&a, S("context"), &d);
    for (uint32_t i = 0; i < 100; i++) {
        struct cedar_expr *has = ARENA_NEW(&a, struct cedar_expr);
        *has = (struct cedar_expr){.kind = CEDAR_E_HAS, .depth = i + 2, .kid_count = 1};
        has->kids = arena_dup(&a, &e, sizeof e);
        has->names = names;
        has->name_count = 2;
        e = has;
    }
    struct buf b = {.max = 10000};
    buf_put(&b, S("before"));
    assert_false(cedar_expr_print(&b, e, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(str_eq(buf_str(&b), S("before")));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_no_text_form),
        cmocka_unit_test(test_names_that_need_quotes),
        cmocka_unit_test(test_the_end_of_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
