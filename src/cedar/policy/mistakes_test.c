/* What people write in place of Cedar: each mistake is found where it is, and the help says what to
 * write instead. A row without a scope is a condition. */
#include "cedar/policy/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const struct {
    const char *text, *code, *at, *help;
} rows[] = {
    {"permit(principal, action, resource)", "syntax", "", "every policy ends with a semicolon"},
    {"principal.a = 1", "operator", "=", "write == to compare"},
    {"principal.is(\"U\")", "reserved-word", "is", "write it as: value is Type"},
    {"true and false", "syntax", "and", "write &&"},
    {"true or false", "syntax", "or", "write ||"},
    {"not true", "name", "not", "write !"},
    {"principal.a == 'x'", "character", "'x'", "text stands in double quotes: \"text\""},
    {"permit(principal action, resource);", "syntax", "action", "put a comma in front of it"},
    {"permit(principal, action resource);", "syntax", "resource", "put a comma in front of it"},
    {"permit(principal, action, resource) when { };", "syntax", "}",
     "write the condition between the braces, or leave the clause out"},
    {"(1 == 1", "syntax", "}", "close the parenthesis"},
    {"1 == 1)", "syntax", ")", "remove it, or open a parenthesis in front"},
    {"[1, 2", "syntax", "}", "put commas between, and close what was opened"},
    {"permit(principal, action, resource) when { true ;", "syntax", ";",
     "close the brace of this clause in front of it"},
    {"permit(principal, action, resource) when { true }", "syntax", "",
     "every policy ends with a semicolon"},
    {"allow(principal, action, resource);", "syntax", "allow", "write permit"},
    {"deny(principal, action, resource);", "syntax", "deny", "write forbid"},
    {"Permit(principal, action, resource);", "syntax", "Permit", "write permit, in lower case"},
    {"permit(principal, action == \"view\", resource);", "syntax", "\"view\"",
     "put its type in front: Type::\"id\""},
    {"permit(principal, action, resource = R::\"x\");", "syntax", "=", "write == to compare"},
    {"permit(principal, action, resource = );", "syntax", "=", "write == to compare"},
    {"permit(principal, action, resource == );", "syntax", ")",
     "an entity must follow, as Type::\"id\""},
    {"permit(principal = U::\"a\", action, resource);", "syntax", "=", "write == to compare"},
    {"permit(principal == \"alice\", action, resource);", "syntax", "\"alice\"",
     "put its type in front: Type::\"id\""},
    {"permit(principal == alice, action, resource);", "syntax", "alice",
     "an entity is written as Type::\"id\""},
    {"permit(principal == User, action, resource);", "syntax", "User",
     "an entity is written as Type::\"id\""},
    {"permit(principal == User::alice, action, resource);", "syntax", "User::alice",
     "put the id in quotes: User::\"alice\""},
    {"permit(principal == User::'alice', action, resource);", "character", "'alice'",
     "text stands in double quotes: \"text\""},
    {"permit(principal != U::\"a\", action, resource);", "syntax",
     "!=", "a scope excludes nothing; add unless { principal == Type::\"id\" }"},
    {"permit(principal is \"User\", action, resource);", "syntax", "\"User\"",
     "write it as `is Type`, without quotes"},
    {"permit(principal is User::\"a\", action, resource);", "syntax",
     "::", "`is` takes a type alone; one entity is written as == Type::\"id\""},
    {"permit(principal.name == \"x\", action, resource);", "syntax", ".",
     "attributes are tested behind the scope: when { principal.name == .. }"},
    {"permit(user, action, resource);", "syntax", "user",
     "the scope is written as (principal, action, resource)"},
    {"permit(principal, resource, action);", "syntax", "resource",
     "the scope is written as (principal, action, resource)"},
    {"permit(principal, action);", "syntax", ")", "name all three: (principal, action, resource)"},
    {"permit(principal, action, resource, context);", "syntax", "context",
     "the context is tested behind the scope: when { context.name == .. }"},
    {"permit(principal, action == Action::\"a\" || action == Action::\"b\", resource);", "syntax",
     "||", "several actions are written as action in [.., ..]; all else belongs in when { .. }"},
    {"permit(principal, action in (Action::\"a\", Action::\"b\"), resource);", "syntax", ",",
     "a list of actions is written as [Action::\"a\", Action::\"b\"]"},
    {"permit(principal, action in {Action::\"a\"}, resource);", "syntax", "{",
     "a list of actions is written as [Action::\"a\", Action::\"b\"]"},
    {"permit(principal in [U::\"a\", U::\"b\"], action, resource);", "scope", "[",
     "only `action in [..]` takes a list; write one policy for each, or use a condition"},
    {"principal.contain(1)", "name", "contain", "write contains"},
    {"contains(principal.a, 1)", "name", "contains", "write it as value.name(..)"},
    {"principal.a.length() > 1", "name", "length",
     "sets have no size; they are tested with .isEmpty(), .contains(..), .containsAll(..) and "
     ".containsAny(..)"},
    {"principal.a.startsWith(\"x\")", "name", "startsWith",
     "texts are tested with `like`, where * stands for any text: x like \"a*\""},
    {"isIpv4(principal.ip)", "name", "isIpv4", "write it as value.name(..)"},
    {"principal.a === 1", "syntax", "=", "write == to compare"},
    {"principal.a <> 1", "syntax", ">",
     "write != for what differs; else something is missing in front of it"},
    {"principal.a & true", "character", "&", "write && for and"},
    {"principal.a | true", "character", "|", "write || for or"},
    {"principal.a => true", "operator", "=",
     "write >= to compare; for `a implies b` write !a || b"},
    {"principal.a =< 1", "operator", "=", "write <= to compare"},
    {"1.5 > 1", "syntax", "5",
     "numbers are whole, in digits alone; others are written as decimal(\"1.5\"), "
     "duration(\"10s\"), ip(\"10.0.0.1\")"},
    {".5 > 1", "syntax", ".",
     "numbers are whole, in digits alone; others are written as decimal(\"1.5\"), "
     "duration(\"10s\"), ip(\"10.0.0.1\")"},
    {"principal.a == null", "name", "null",
     "there is no null; whether an attribute is there is tested with `has`"},
    {"principal has role.name[\"x\"]", "syntax", "[",
     "`has` takes names with dots, has a.b, or one in quotes, has \"a b\""},
    {"has principal.a", "reserved-word", "has", "it stands between two: principal has name"},
    {"principal.has(\"a\")", "reserved-word", "has", "write it as: value has name"},
    {"principal.a in [\"x\"] &&", "syntax", "}",
     "something to compare or combine is missing behind the operator"},
    {"&& true", "syntax", "&&", "something to compare or combine is missing in front of it"},
    {"principal.a like x", "syntax", "x", "a pattern is a literal string; * stands for any text"},
    {"principal.a == \"x\" then true", "syntax", "then",
     "a choice is written as: if a then b else c"},
    {"if principal.a { true } else { false }", "syntax", "{", "write it as: if a then b else c"},
    {"if principal.a then true", "syntax", "}", "write it as: if a then b else c"},
    {"principal.a ? true : false", "syntax", "?",
     "a choice is written as: if a then b else c; attributes are tested with `has`"},
    {"permit(principal, action, resource) when principal.a;", "syntax", "principal",
     "a condition is written as when { ... }"},
    {"permit(principal, action, resource) when (principal.a);", "syntax", "(",
     "a condition is written as when { ... }"},
    {"permit(principal, action, resource) if { principal.a };", "syntax", "if",
     "a condition begins with when or unless"},
    {"permit(principal, action, resource) where { principal.a };", "syntax", "where",
     "a condition begins with when or unless"},
    {"a: 1", "name", "a", "a record is written as {name: value}, in braces of its own"},
    {"true } and { false", "syntax", "and", "put both in one clause, or begin another with when"},
    {"permit(principal, action, resource) { true };", "syntax", "{",
     "a condition begins with when or unless"},
    {"permit principal, action, resource;", "syntax", "principal",
     "the scope is written as (principal, action, resource)"},
    {"permit;", "syntax", ";", "the scope is written as (principal, action, resource)"},
    {"principal[\"a\"", "syntax", "}", "write it as [\"name\"]"},
    {"principal[0]", "syntax", "0", "only a literal string can be used; sets have no order"},
    {"principal.0", "syntax", "0", "a name with other characters is reached as [\"name\"]"},
    {"True", "name", "True", "write true, in lower case"},
    {"\"a\" + \"b\" == 1 / 2", "operator", "/",
     "compute it before the call and pass it in the context"},
    {"principal in User", "name", "User",
     "an entity is written as Type::\"id\"; a type is tested with `is`"},
    {"principal is User::\"a\"", "syntax",
     "::", "`is` takes a type alone; one entity is compared as == Type::\"id\""},
    {"{\"a\" = 1} == 1", "syntax", "=", "a record is written as {name: value}"},
    {"{a: 1 b: 2} == 1", "syntax", "b", "put commas between: {name: value, other: value}"},
    {"[1 2] == 1", "syntax", "2", "put commas between, and close what was opened"},
    {"@id \"x\" permit(principal, action, resource);", "syntax", "\"x\"",
     "an annotation is written as @name(\"text\")"},
    {"@id(x) permit(principal, action, resource);", "syntax", "x",
     "text stands in double quotes: \"text\""},
    {"@id = \"x\" permit(principal, action, resource);", "syntax", "=",
     "an annotation is written as @name(\"text\")"},
    {"@(\"x\") permit(principal, action, resource);", "syntax", "(", "write it as @name(\"text\")"},
    {"# comment", "character", "#", "comments begin with //"},
    {"/* comment */ permit(principal, action, resource);", "syntax", "/",
     "comments begin with // and end with their line"},
    {"\xe2\x80\x9c"
     "a\xe2\x80\x9d"
     " == 1",
     "character",
     "\xe2\x80\x9c"
     "a\xe2\x80\x9d"
     "",
     "text stands in straight quotes: \"text\""},
    {"principal.a not in [1]", "syntax", "not", "write ! in front of the whole: !(a in b)"},
    {"principal.a == ?principal", "slot", "?principal",
     "slots belong in the scope: principal == ?principal"},
    {"permit(principal == ?user, action, resource);", "scope", "?user",
     "use ?principal for the principal, ?resource for the resource"},
    {"permit(principal, action == ?action, resource);", "scope", "?action",
     "name the action, as Action::\"id\""},
    {"permit(principal, action, resource) unless;", "syntax", ";",
     "a condition is written as when { ... }"},
    {"0x10 == 1", "syntax", "x10",
     "numbers are whole, in digits alone; others are written as decimal(\"1.5\"), "
     "duration(\"10s\"), ip(\"10.0.0.1\")"},
    {"1_000 == 1", "syntax", "_000",
     "numbers are whole, in digits alone; others are written as decimal(\"1.5\"), "
     "duration(\"10s\"), ip(\"10.0.0.1\")"},
    {"ip(1.2.3.4) == 1", "syntax", "2",
     "numbers are whole, in digits alone; others are written as decimal(\"1.5\"), "
     "duration(\"10s\"), ip(\"10.0.0.1\")"},
    {"10s < 1", "syntax", "s",
     "numbers are whole, in digits alone; others are written as decimal(\"1.5\"), "
     "duration(\"10s\"), ip(\"10.0.0.1\")"},
    {"9223372036854775808 > 1", "number", "9223372036854775808",
     "numbers reach from -9223372036854775808 to 9223372036854775807"},
    {"a.b == 1", "name", "a",
     "variables are principal, action, resource and context; an entity is written as Type::\"id\", "
     "text in double quotes"},
    {"input.b == 1", "name", "input", "what a call brings along is in context, as in context.name"},
    {"context.a.contains 1", "syntax", "1",
     "arguments of a method stand in parentheses: .contains(1)"},
    {"context?.a", "syntax", "?",
     "a choice is written as: if a then b else c; attributes are tested with `has`"},
    {"f\"x\"", "name", "f",
     "variables are principal, action, resource and context; an entity is written as Type::\"id\", "
     "text in double quotes"},
    {"permit(principal, action, resource);;", "syntax", ";",
     "remove it: one semicolon ends a policy"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_policies p;
        struct cedar_diags d;
        str row = str_z(rows[i].text), text = row;
        bool whole = str_find(row, S("action")) >= 0 || str_starts(row, S("permit")) ||
                     str_starts(row, S("#"));
        if (!whole)
            text = str_fmt(&a, "permit(principal, action, resource) when { %s };", row.p);
        if (cedar_policies_parse(&a, S(""), text, &p, &d))
            fail_msg("%s: accepted", rows[i].text);
        assert_int_equal(d.errors, 1);
        assert_string_equal(d.items[0].code, rows[i].code);
        str at = cedar_span_text(text, d.items[0].span);
        if (!str_eq(at, str_z(rows[i].at)))
            fail_msg("%s: at `%.*s`, not at `%s`", rows[i].text, STR(at), rows[i].at);
        if (!str_eq(d.items[0].help, str_z(rows[i].help)))
            fail_msg("%s: help is `%.*s`", rows[i].text, STR(d.items[0].help));
    }
}

/* What is missing at the end is asked for behind the last token, not behind the white space. */
static void test_end(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_diags d;
    str text = S("permit(principal, action, resource) // no more\n\n");
    assert_false(cedar_policies_parse(&a, S(""), text, &p, &d));
    assert_int_equal(d.items[0].span.start, 35);
    assert_int_equal(d.items[0].span.end, 35);
}

/* A quote that does not end is no reason to read the rest of a long line for each of its kind. */
static void test_many_quotes(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_diags d;
    struct buf b = {0};
    for (size_t i = 0; i < 1000000; i++)
        buf_put(&b, S("\xe2\x80\x9c"));
    assert_false(cedar_policies_parse(&a, S(""), buf_str(&b), &p, &d));
    assert_int_equal(d.errors, 1000000);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_many_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
