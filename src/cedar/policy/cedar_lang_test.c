/* The language, expression by expression. A row is an expression and what becomes of it: the value
 * as Cedar writes it, "! text" for an evaluation error that contains the text, "~ code" for a
 * refusal by the parser. */
#include "cedar/cedar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

struct row {
    const char *expr, *want;
};

static const struct row rows[] = {
    /* in */
    {"U::\"a\" in [U::\"a\", 1]", "! expected entity, got long"},
    {"U::\"a\" in []", "false"},
    {"U::\"none\" in U::\"none\"", "true"},
    {"principal in G::\"g\"", "true"},
    {"principal in G::\"top\"", "true"},
    {"principal in G::\"absent\"", "true"},
    {"principal in [G::\"x\", G::\"top\"]", "true"},
    {"U::\"none\" in G::\"g\"", "false"},
    {"G::\"g\" in principal", "false"},
    {"1 in U::\"a\"", "! expected entity"},
    {"principal in 1", "! an entity or a set"},
    /* missing entities, attributes, tags */
    {"U::\"none\" has f", "false"},
    {"U::\"none\".hasTag(\"t\")", "false"},
    {"U::\"none\".f", "! does not exist"},
    {"U::\"none\".getTag(\"t\")", "! does not exist"},
    {"principal.f", "! does not have the attribute"},
    {"principal.getTag(\"f\")", "! does not have the tag"},
    {"principal.getTag(\"t\")", "\"v\""},
    {"principal.hasTag(\"t\")", "true"},
    {"principal has t", "false"},
    {"principal.hasTag(1)", "! expected string"},
    {"{a: 1}.hasTag(\"a\")", "! expected entity"},
    {"principal.n", "1"},
    {"principal[\"n\"]", "1"},
    {"principal.r.x", "1"},
    {"principal.e.n", "2"},
    {"context.c", "true"},
    {"context.none", "! record does not have"},
    {"1.foo", "! a record or an entity"},
    /* has */
    {"principal has r.x", "true"},
    {"principal has r.y", "false"},
    {"principal has y.x", "false"},
    {"principal has n.x", "! a record or an entity"},
    {"principal has e.n", "true"},
    {"{a: {b: 1}} has a.b", "true"},
    {"{\"a b\": 1} has \"a b\"", "true"},
    {"1 has a", "! a record or an entity"},
    {"context has \"a\".b", "~ syntax"},
    {"{a: 1} has a[\"b\"]", "~ syntax"},
    {"{a: 1} has (a)", "~ syntax"},
    {"{a: 1} has if", "~ reserved-word"},
    {"{a: 1} has in", "~ reserved-word"},
    {"{a: 1} has a has b", "~ operator"},
    {"principal has principal", "false"},
    /* equality and order */
    {"1 == \"a\"", "false"},
    {"1 != \"a\"", "true"},
    {"1 < \"a\"", "! expected long, got string"},
    {"\"a\" < \"b\"", "! type error"},
    {"\"a\" + \"b\"", "! type error"},
    {"2 >= 2", "true"},
    {"2 > 2", "false"},
    {"[1, 1] == [1]", "true"},
    {"[1, 2] == [2, 1]", "true"},
    {"[[2, 1], \"a\", true]", "[true, \"a\", [1, 2]]"},
    {"{a: 1, b: 2} == {b: 2, a: 1}", "true"},
    {"{a: 1} == {a: 1, b: 2}", "false"},
    {"1 < 2 < 3", "~ operator"},
    {"1 == 1 == true", "~ operator"},
    {"1 in 2 in 3", "~ operator"},
    {"principal is U == true", "~ operator"},
    {"true == principal has a", "~ operator"},
    {"1 = 1", "~ operator"},
    /* and, or, if */
    {"true || 1", "true"},
    {"false || 1", "! expected bool"},
    {"false && 1", "false"},
    {"true && 1", "! expected bool"},
    {"1 && true", "! expected bool"},
    {"true && 1 && false", "! expected bool"},
    {"false || false || true", "true"},
    {"true && true && false", "false"},
    {"true || false && false", "true"},
    {"if 1 then 2 else 3", "! expected bool"},
    {"if true then 2 else principal.none", "2"},
    {"if false then 2 else if true then 3 else 4", "3"},
    {"9223372036854775807 * 2 > 0 || true", "! integer overflow"},
    {"true && if true then true else true", "~ syntax"},
    {"(if true then {a: true} else {}).a", "true"},
    {"!1", "! expected bool"},
    /* numbers */
    {"9223372036854775807 + 1", "! integer overflow"},
    {"-9223372036854775808 - 1", "! integer overflow"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"-009223372036854775808", "-9223372036854775808"},
    {"9223372036854775808", "~ number"},
    {"-(9223372036854775808)", "~ number"},
    {"-9223372036854775808.foo", "~ number"},
    {"-9223372036854775809", "~ number"},
    {"-(-9223372036854775808)", "! integer overflow"},
    {"--9223372036854775808", "! integer overflow"},
    {"--5", "5"},
    {"- - - -5", "5"},
    {"-----5", "~ syntax"},
    {"!!!!true", "true"},
    {"!!!!!true", "~ syntax"},
    {"!-1", "~ syntax"},
    {"10 - 3 - 2", "5"},
    {"10 - (3 - 2)", "9"},
    {"2 + 3 * 4 - 1", "13"},
    {"2 * -3", "-6"},
    {"007", "7"},
    {"1 / 2", "~ operator"},
    {"1 % 2", "~ operator"},
    {"-\"a\"", "! expected long"},
    /* sets */
    {"[].containsAny([])", "false"},
    {"[1].containsAll([])", "true"},
    {"[1, 2].containsAll([2])", "true"},
    {"[1, 2].containsAll([2, 3])", "false"},
    {"[1, 2].containsAny([3, 2])", "true"},
    {"[1, \"a\"].contains(\"a\")", "true"},
    {"[].isEmpty()", "true"},
    {"[1].isEmpty()", "false"},
    {"1 .contains(1)", "! expected set"},
    {"[1].containsAll(1)", "! expected set"},
    {"[1].contains()", "~ arguments"},
    {"[1].isEmpty(1)", "~ arguments"},
    {"[1, 2,].contains(2)", "true"},
    {"[principal.n, 1, 2] == [1, 2]", "true"},
    {"[1][0]", "~ syntax"},
    /* records */
    {"{a: 1, a: 2}", "~ duplicate-key"},
    {"{a: 1, \"a\": 2}", "~ duplicate-key"},
    {"{if: 1}", "~ reserved-word"},
    {"{\"if\": 1}[\"if\"]", "1"},
    {"{principal: 1}.principal", "1"},
    {"{(a): 1}", "~ syntax"},
    {"{a: 1,} has a", "true"},
    {"{__cedar: 1}", "~ reserved-word"},
    {"{b: principal.n, a: 2}", "{\"a\": 2, \"b\": 1}"},
    {"context.if", "~ reserved-word"},
    {"context[\"if\"]", "! record does not have"},
    {"principal.(a)", "~ syntax"},
    {"principal[a]", "~ syntax"},
    /* strings and patterns */
    {"\"a\\*b\"", "~ escape"},
    {"\"a*b\" like \"a\\*b\"", "true"},
    {"\"axb\" like \"a\\*b\"", "false"},
    {"\"axb\" like \"a*b\"", "true"},
    {"\"\\x41\\0\\u{1F600}\\'\" == \"A\\u{0}\\u{01_F6_00}'\"", "true"},
    {"\"\\u{d800}\"", "~ escape"},
    {"\"\\u{110000}\"", "~ escape"},
    {"\"\\u{_1}\"", "~ escape"},
    {"\"\\u{0000041}\"", "~ escape"},
    {"\"\\u{}\"", "~ escape"},
    {"\"\\x80\"", "~ escape"},
    {"\"\\q\"", "~ escape"},
    {"\"a\rb\"", "~ escape"},
    {"\"a\nb\"", "\"a\\nb\""},
    {"\"a", "~ unterminated-string"},
    {"\"a\\", "~ unterminated-string"},
    {"\"\" like \"\"", "true"},
    {"\"\" like \"*\"", "true"},
    {"\"abab\" like \"*ab\"", "true"},
    {"\"ab\" like \"a*b*b\"", "false"},
    {"\"abxb\" like \"a*b*b\"", "true"},
    {"\"aXbYc\" like \"a*b*c\"", "true"},
    {"\"ab\" like \"\\x2ab\"", "true"},
    {"\"ab\" like \"\\u{2a}b\"", "true"},
    {"\"*b\" like \"\\x2ab\" && !(\"ab\" like \"\\*b\")", "true"},
    {"\"a\" like \"a*a\"", "false"},
    {"\"\\u{e9}t\\u{e9}\" like \"*t\\u{e9}\"", "true"},
    {"1 like \"a\"", "! expected string"},
    {"\"a\" like (\"a\")", "~ syntax"},
    {"\"a\" like a", "~ syntax"},
    /* is */
    {"principal is U", "true"},
    {"principal is A::U", "false"},
    {"principal is U in G::\"g\"", "true"},
    {"principal is V in 1", "false"},
    {"principal is U in 1", "! an entity or a set"},
    {"1 is U", "! expected entity"},
    {"1 is U in U::\"a\"", "! expected entity"},
    {"principal is \"U\"", "~ syntax"},
    {"principal is in", "~ reserved-word"},
    {"principal is __cedar::U", "~ reserved-word"},
    /* names */
    {"U :: \"a\" == U::\n\"a\"", "true"},
    {"permit::\"a\" == permit::\"a\"", "true"},
    {"U::{id: \"a\"}", "~ syntax"},
    {"__cedar::U::\"a\"", "~ reserved-word"},
    {"in::U::\"a\"", "~ reserved-word"},
    {"if::\"a\"", "~ syntax"},
    {"foo", "~ name"},
    {"A::principal", "~ name"},
    {"foo(1)", "~ name"},
    {"principal(1)", "~ name"},
    {"principal.foo(1)", "~ name"},
    {"isIpv4(ip(\"1.1.1.1\"))", "~ name"},
    {"\"1.1.1.1\".ip()", "~ name"},
    {"\"a\"(\"b\")", "~ syntax"},
    {"?principal", "~ slot"},
    {"", "~ syntax"},
    {"1 2", "~ syntax"},
    {"#", "~ character"},
    {"\xef\xbb\xbf"
     "1",
     "~ character"},
    {"\xc2\xa0"
     "1\xe2\x80\x83// x",
     "1"},
    /* extension calls */
    {"ip()", "! wrong number of arguments"},
    {"ip(\"1.1.1.1\").isIpv4(1)", "! wrong number of arguments"},
    {"ip(1)", "! expected string"},
    {"ip(\"x\")", "! is no IP address"},
    {"true || ip(\"x\") == 1", "true"},
    {"ip(\"10.0.0.1/24\") == ip(\"10.0.0.0/24\")", "false"},
    {"ip(\"10.0.0.1/24\").isInRange(ip(\"10.0.0.0/24\"))", "true"},
    {"ip(\"10.0.0.0/24\").isInRange(ip(\"10.0.0.1/24\"))", "true"},
    {"ip(\"10.0.0.0/23\").isInRange(ip(\"10.0.0.0/24\"))", "false"},
    {"ip(\"10.0.0.1/32\") == ip(\"10.0.0.1\")", "true"},
    {"ip(\"127.0.0.0/7\").isLoopback()", "false"},
    {"ip(\"127.3.0.0/16\").isLoopback()", "true"},
    {"ip(\"::1\").isLoopback()", "true"},
    {"ip(\"1.2.3.4\").isInRange(ip(\"::/0\"))", "false"},
    {"ip(\"ff02::1\").isMulticast()", "true"},
    {"ip(\"224.0.0.1\").isMulticast()", "true"},
    {"ip(\"::ffff\").isIpv6()", "true"},
    {"decimal(\"1.0\") < decimal(\"2.0\")", "! type error"},
    {"decimal(\"1.0\").lessThan(decimal(\"2.0\"))", "true"},
    {"decimal(\"2.0\").greaterThanOrEqual(decimal(\"2.00\"))", "true"},
    {"decimal(\"-0.0\") == decimal(\"0.0\")", "true"},
    {"decimal(\"-0.5\")", "decimal(\"-0.5000\")"},
    {"decimal(\"00001.5\")", "decimal(\"1.5000\")"},
    {"datetime(\"2024-01-01\") < datetime(\"2024-01-01T00:00:00.001Z\")", "true"},
    {"datetime(\"2024-01-01T01:00:00+0100\") == datetime(\"2024-01-01\")", "true"},
    {"datetime(\"1969-12-31T23:59:59.999Z\").toDate()", "datetime(\"1969-12-31T00:00:00.000Z\")"},
    {"datetime(\"1969-12-31T23:59:59.999Z\").toTime()", "duration(\"86399999ms\")"},
    {"datetime(\"1970-01-01\").offset(duration(\"-9223372036854775808ms\")).toDate()",
     "! out of range"},
    {"datetime(\"2024-02-29\").offset(duration(\"1d\")) == datetime(\"2024-03-01\")", "true"},
    {"datetime(\"2024-03-01\").durationSince(datetime(\"2024-02-28\")).toDays()", "2"},
    {"duration(\"-1ms\").toSeconds()", "0"},
    {"duration(\"-1001ms\").toSeconds()", "-1"},
    {"duration(\"1d2h3m4s5ms\").toMilliseconds()", "93784005"},
    {"duration(\"1h\") <= duration(\"60m\")", "true"},
    {"duration(\"1h\") < 1", "! expected duration"},
};

struct fixture {
    struct arena arena;
    struct cedar_entities entities;
    struct cedar_request req;
    struct cedar_value context;
};

static struct cedar_value record(struct arena *a, const struct cedar_field *fields, size_t n)
{
    struct cedar_value v;
    assert_true(cedar_record_of(arena_dup(a, fields, n * sizeof *fields), n, &v));
    return v;
}

static void setup(struct fixture *f)
{
    static const struct cedar_uid b = {S("U"), S("b")};
    static const struct cedar_uid g[] = {{S("G"), S("g")}, {S("G"), S("absent")}};
    static const struct cedar_uid top = {S("G"), S("top")};
    struct err err;
    *f = (struct fixture){0};
    struct arena *a = &f->arena;
    struct cedar_field x = {S("x"), cedar_long(1)}, n2 = {S("n"), cedar_long(2)},
                       c = {S("c"), cedar_bool(true)};
    struct cedar_field attrs[] = {
        {S("n"), cedar_long(1)}, {S("r"), record(a, &x, 1)}, {S("e"), cedar_entity_value(&b)}};
    struct cedar_field tag = {S("t"), cedar_string(S("v"))};
    struct cedar_entity list[] = {
        {.uid = {S("U"), S("a")},
         .attrs = record(a, attrs, 3),
         .tags = record(a, &tag, 1),
         .parents = g,
         .parent_count = 2},
        {.uid = b, .attrs = record(a, &n2, 1)},
        {.uid = {S("G"), S("g")}, .parents = &top, .parent_count = 1},
    };
    cedar_entities_init(&f->entities, a, NULL, 7);
    for (size_t i = 0; i < 3; i++)
        assert_true(cedar_entities_add(&f->entities, &list[i], &err));
    assert_true(cedar_entities_seal(&f->entities, &err));
    f->context = record(a, &c, 1);
    f->req = (struct cedar_request){
        {S("U"), S("a")}, {S("Action"), S("v")}, {S("R"), S("r")}, &f->context};
}

static void evaluate(struct fixture *f, str text, struct buf *out)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags diags;
    struct cedar_value v;
    struct err err;
    struct cedar_expr *e = cedar_expr_parse(&a, text, &diags);
    if (!e)
        buf_printf(out, "~ %s", diags.count ? diags.items[0].code : "no reason given");
    else if (!cedar_expr_eval(e, &f->req, &f->entities, &a, &v, &err))
        buf_printf(out, "! %s", err.text);
    else
        cedar_value_print(out, &v);
}

static void test_expressions(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = {0};
        evaluate(&f, str_z(rows[i].expr), &b);
        str want = str_z(rows[i].want), got = buf_str(&b);
        bool ok = str_eq(want, got);
        if (str_starts(want, S("! ")))
            ok = str_starts(got, S("! ")) && str_find(got, str_skip(want, 2)) >= 0;
        if (!ok)
            fail_msg("%s: wanted %s, got %.*s", rows[i].expr, rows[i].want, STR(got));
        buf_fini(&b);
    }
    arena_fini(&f.arena);
}

/* ---- size and depth ---- */

static void repeat(struct buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_put(b, str_z(s));
}

static void check(struct fixture *f, struct buf *text, const char *want)
{
    struct buf got = {0};
    evaluate(f, buf_str(text), &got);
    if (!str_eq(buf_str(&got), str_z(want)))
        fail_msg("%.*s...: wanted %s, got %.*s", STR(str_take(buf_str(text), 20)), want,
                 STR(buf_str(&got)));
    buf_fini(&got);
    buf_clear(text);
}

static void test_depth(void **state)
{
    (void)state;
    struct fixture f;
    struct buf b = {0};
    setup(&f);
    repeat(&b, "(", 100), buf_putc(&b, '1'), repeat(&b, ")", 100), check(&f, &b, "1");
    repeat(&b, "(", 100000), check(&f, &b, "~ too-deep");
    repeat(&b, "[", 100000), check(&f, &b, "~ too-deep");
    repeat(&b, "{a:", 100000), check(&f, &b, "~ too-deep");
    repeat(&b, "ip(", 100000), check(&f, &b, "~ too-deep");
    repeat(&b, "if ", 100000), check(&f, &b, "~ too-deep");
    repeat(&b, "if true then 1 else ", 1000), check(&f, &b, "~ too-deep");
    buf_put(&b, S("context")), repeat(&b, ".a", 100000), check(&f, &b, "~ too-deep");
    buf_put(&b, S("context has a")), repeat(&b, ".a", 100000), check(&f, &b, "~ too-deep");
    buf_putc(&b, 'A'), repeat(&b, "::A", 100000), buf_put(&b, S("::\"x\"")),
        check(&f, &b, "~ syntax");
    buf_put(&b, S("true")), repeat(&b, " && true", 100000), check(&f, &b, "true");
    buf_put(&b, S("false")), repeat(&b, " || false", 100000), check(&f, &b, "false");
    buf_put(&b, S("0")), repeat(&b, " + 1", 100000), check(&f, &b, "100000");
    buf_put(&b, S("1")), repeat(&b, " * 1", 100000), check(&f, &b, "1");
    buf_fini(&b);
    arena_fini(&f.arena);
}

/* ---- whole policies ---- */

static const struct row policies[] = {
    {"permit(principal,action,resource);", "1"},
    {"", "0"},
    {"permit(principal,action,resource,);", "1"},
    {"permit(principal == U::\"a\",action == A::Action::\"v\",resource in R::\"r\");", "1"},
    {"permit(principal is A::U in (U::\"a\"),action in [Action::\"v\",(Action::\"w\"),],resource "
     "is R);",
     "1"},
    {"permit(principal,action in [],resource);", "1"},
    {"permit(principal == ?principal,action,resource in ?resource);", "1"},
    {"permit(principal is U in ?principal,action,resource);", "1"},
    {"@a @b(\"x\") @in(\"y\") @__cedar @if(\"\\n\") permit(principal,action,resource);", "1"},
    {"permit(principal,action,resource) when {true} unless {false} when {1==1};", "1"},
    {"permit(principal,action,resource); // end", "1"},
    {"permit(principal,action,resource);forbid(principal,action,resource);", "2"},
    {"@a @a(\"x\") permit(principal,action,resource);", "~ duplicate-annotation"},
    {"@a(\"\\*\") permit(principal,action,resource);", "~ escape"},
    {"@a(x) permit(principal,action,resource);", "~ syntax"},
    {"permit(principal,action,resource)", "~ syntax"},
    {"permit(resource,action,principal);", "~ syntax"},
    {"permit(principal,action);", "~ syntax"},
    {"permit(principal,action,resource,context);", "~ syntax"},
    {"allow(principal,action,resource);", "~ syntax"},
    {"permit(principal : U,action,resource);", "~ scope"},
    {"permit(principal in [U::\"a\"],action,resource);", "~ scope"},
    {"permit(principal is U == U::\"a\",action,resource);", "~ scope"},
    {"permit(principal is (U),action,resource);", "~ syntax"},
    {"permit(principal == principal,action,resource);", "~ syntax"},
    {"permit(principal == \"a\",action,resource);", "~ syntax"},
    {"permit(principal > U::\"a\",action,resource);", "~ syntax"},
    {"permit(principal == ?resource,action,resource);", "~ scope"},
    {"permit(principal == ?foo,action,resource);", "~ scope"},
    {"permit(principal,action == ?principal,resource);", "~ scope"},
    {"permit(principal,action == [Action::\"v\"],resource);", "~ scope"},
    {"permit(principal,action == Foo::\"v\",resource);", "~ scope"},
    {"permit(principal,action is Action,resource);", "~ scope"},
    {"permit(principal,action,resource) when {};", "~ syntax"},
    {"permit(principal,action,resource) if {true};", "~ syntax"},
    {"permit(principal,action,resource) when {true} {true};", "~ syntax"},
    {"permit(principal,action,resource) when {1 == ?principal};", "~ slot"},
    {"permit(principal == __cedar::U::\"a\",action,resource);", "~ reserved-word"},
    {";", "~ syntax"},
    {"\xff", "~ character"},
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_policies p;
        struct cedar_diags d;
        char got[64];
        if (cedar_policies_parse(&a, S("t"), str_z(policies[i].expr), &p, &d))
            snprintf(got, sizeof got, "%zu", p.count);
        else
            snprintf(got, sizeof got, "~ %s", d.count ? d.items[0].code : "no reason given");
        if (!str_eq(str_z(got), str_z(policies[i].want)))
            fail_msg("%s: wanted %s, got %s", policies[i].expr, policies[i].want, got);
    }
}

static void test_what_is_kept(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_diags d;
    str text =
        S("@id(\"first\")\npermit(principal == ?principal, action, resource is A :: B);\n"
          " forbid(principal, action in [Action::\"x\"], resource) unless { 1 + 2 - 3 == 0 };");
    assert_true(cedar_policies_parse(&a, S("t"), text, &p, &d));
    assert_true(str_eq(*cedar_policy_annotation(&p.items[0], S("id")), S("first")));
    assert_null(cedar_policy_annotation(&p.items[1], S("id")));
    assert_true(str_eq(p.items[0].id, S("policy0")) && str_eq(p.items[1].id, S("policy1")));
    assert_true(p.items[0].is_template && !p.items[1].is_template);
    assert_int_equal(p.items[0].effect, CEDAR_PERMIT);
    assert_true(str_eq(p.items[0].scope[CEDAR_RESOURCE].type, S("A::B")));
    assert_true(str_starts(cedar_span_text(text, p.items[1].span), S("forbid")));
    assert_true(str_ends(cedar_span_text(text, p.items[1].span), S("};")));
    const struct cedar_expr *e = p.items[1].conditions[0].body;
    assert_int_equal(e->kind, CEDAR_E_EQ);
    assert_int_equal(e->kids[0]->kind, CEDAR_E_SUM);
    assert_true(!e->kids[0]->minus[1] && e->kids[0]->minus[2]);
    assert_true(str_eq(cedar_span_text(text, e->kids[0]->span), S("1 + 2 - 3")));
}

static void test_diagnostics(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_diags d;
    struct buf b = {0};
    assert_false(
        cedar_policies_parse(&a, S("main.cedar"),
                             S("permit(principal, action, resource)\n  when { \"\xc3\xa9\" = 1 };\n"
                               "forbid(principal, action, resource) when { foo };"),
                             &p, &d));
    cedar_diags_print(&d, &b);
    str all = buf_str(&b);
    assert_int_equal(d.errors, 2);
    assert_true(str_starts(all, S("main.cedar:2:14: error: there is no operator `=` [operator]\n"
                                  "    when { \"\xc3\xa9\" = 1 };\n"
                                  "               ^\n"
                                  "  help: write == to compare\n")));
    assert_true(str_find(all, S("main.cedar:3:44: error: `foo` is no variable")) > 0);
    assert_true(str_eq(d.items[1].policy, S("policy1")));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_policies),    cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_diagnostics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
