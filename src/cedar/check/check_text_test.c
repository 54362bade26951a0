/* Texts that are not what they seem. A row is a policy, or a condition where it does not end in a
 * semicolon, and the warnings about its texts, in order of their places. Where SDK 4.12 says
 * something else, the row says so. */
#include "cedar/check/validate.h"
#include "cedar/policy/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const char schema_text[] =
    "entity U = {n: String} tags String; entity R;"
    "action v appliesTo {principal: U, resource: R, context: {s: String}};";

static const struct row {
    const char *text, *codes;
} rows[] = {
    /* strings */
    {"context.s == \"plain text, 1 + 1\"", ""},
    {"context.s == \"w\xc3\xb6rld\"", ""},
    {"context.s == \"\xd1\x91\xd0\xb6\"", ""},
    {"context.s == \"s\xd1\x81ope\"", "mixed-scripts"},
    {"context.s == \"s\\u{441}ope\"", "mixed-scripts"},
    {"context.s == \"a\\u{202e}b\"", "text-direction"},
    {"context.s == \"\\u{2069}\"", "text-direction"},
    {"context.s == \"\\u{441}a\\u{202a}\"", "text-direction"},
    {"context.s == \"\\u{200b}a\\u{200e}\"", ""},
    {"context.s == \"\\u{1f600}\\u{2460}a\"", ""},
    {"context.s == \"\\u{e000}\"", "mixed-scripts"},
    {"context.s == \"\\u{378}\"", "mixed-scripts"},
    {"context.s == \"\\u{661}a\"", "mixed-scripts"},
    {"context.s == \"\\u{3b1}\\u{301}\"", ""},
    {"context.s == \"a\\u{342}\"", "mixed-scripts"},
    /* Han goes with kana, with hangul and with bopomofo, but not with all of them at once. */
    {"context.s == \"\\u{65e5}\\u{672c}\\u{30ab}\\u{3072}\"", ""},
    {"context.s == \"\\u{65e5}\\u{d55c}\"", ""},
    {"context.s == \"\\u{65e5}\\u{3105}\"", ""},
    {"context.s == \"\\u{65e5}\\u{30ab}\\u{d55c}\"", "mixed-scripts"},
    {"context.s == \"\\u{30fc}\\u{30ab}\"", ""},
    {"context.s == \"\\u{30fc}a\"", "mixed-scripts"},
    {"context.s == \"say \\u{939}\"", "mixed-scripts"},
    {"principal.hasTag(\"s\\u{441}\")", "mixed-scripts"},
    {"ip(\"\\u{441}s\") == ip(\"::1\")", "mixed-scripts"},
    /* where it stands does not matter, how often does */
    {"false && \"s\\u{441}\" == \"\"", "mixed-scripts"},
    {"if true then true else \"s\\u{441}\" == \"\"", "mixed-scripts"},
    {"\"s\\u{441}\" == \"s\\u{441}\"", "mixed-scripts mixed-scripts"},
    /* patterns */
    {"context.s like \"*w\\u{f6}*\"", ""},
    {"context.s like \"s*\\u{441}\"", "mixed-scripts"},
    {"context.s like \"\\u{202e}*\"", "text-direction"}, /* not in 4.12 */
    {"context.s like \"\\u{e000}*\"", "mixed-scripts"},  /* not in 4.12 */
    /* ids */
    {"principal == U::\"a b.c@d\"", ""},
    {"principal == U::\"\\u{e9}\"", ""},
    {"principal == U::\"\\u{441}\"", ""},
    {"principal == U::\"s\\u{441}\"", "mixed-scripts"},
    {"principal == U::\"a\\u{202e}\"", "text-direction"},
    {"principal == U::\"a\\nb\"", "name-character"},
    {"principal == U::\"\\u{7f}\"", "name-character"},
    {"principal == U::\"a\\u{200b}b\"", "name-character"},
    {"principal == U::\"\\u{17f}\"", "name-character"},
    {"principal == U::\"\\u{200d}\"", "name-character"},
    {"principal == U::\"\\u{1f600}\"", "name-character"},
    {"principal == U::\"\\u{441}\\u{1f600}s\"", "name-character"},
    {"principal == U::\"\\u{2019}\\u{b7}\\u{2010}\"", ""},
    {"permit(principal == U::\"s\\u{441}\", action == Action::\"v\", resource);", "mixed-scripts"},
    {"permit(principal is U in U::\"s\\u{441}\", action, resource in R::\"\\u{202c}\");",
     "mixed-scripts text-direction"},
    {"permit(principal, action in [Action::\"v\", Action::\"v\\u{441}\"], resource);",
     "mixed-scripts"},
    {"permit(principal == ?principal, action, resource) when { \"s\\u{441}\" == \"\" };",
     "mixed-scripts"},
    /* attributes and keys */
    {"principal has \"s\\u{441}\"", "mixed-scripts"},
    {"context[\"\\u{202e}\"] == 1", "text-direction"},
    {"context has \"a\\u{202e}\"", "text-direction"},
    {"{\"s\\u{441}\": 1, \"a\\tb\": 2} has a", "mixed-scripts name-character"},
    {"{\"a\": \"s\\u{441}\"}.a == \"\"", "mixed-scripts"},
    {"context has a.b.c", ""},
    /* what is written and no value: not in 4.12 */
    {"@a(\"s\\u{441}\\u{202e}\") permit(principal, action, resource);", ""},
    {"@a(\"\xe2\x80\xae\") permit(principal, action, resource);", "suspicious-text"},
    {"permit(principal, action, resource) // \xe2\x80\x8b \xe2\x80\x8b\n;", "suspicious-text"},
    {"context.s == \"\xe2\x80\x8b\"", "suspicious-text"},
    {"context.s == \"\xef\xbb\xbf\"", "suspicious-text"},
    {"context.s == \"\xd8\x9c\"", "suspicious-text"},
    {"context.s == \"\xe2\x80\xae\"", "text-direction"},
};

static bool is_about_text(const char *code)
{
    return strcmp(code, "text-direction") == 0 || strcmp(code, "name-character") == 0 ||
           strcmp(code, "mixed-scripts") == 0 || strcmp(code, "suspicious-text") == 0;
}

static void check(const struct schema *s, const struct row *row)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies ps;
    struct cedar_diags d;
    struct buf codes = {0};
    str text = str_z(row->text);
    if (!str_ends(text, S(";")))
        text = str_fmt(&a, "permit(principal, action, resource) when { %s };", row->text);
    if (!cedar_policies_parse(&a, S(""), text, &ps, &d))
        fail_msg("%s: %.*s", row->text, STR(d.items[0].text));
    (void)!validate_policies(s, &ps, NULL, &d);
    for (size_t i = 0; i < d.count; i++) {
        if (!is_about_text(d.items[i].code))
            continue;
        assert_int_equal(d.items[i].severity, CEDAR_WARNING);
        assert_true(d.items[i].span.end > d.items[i].span.start);
        buf_printf(&codes, "%s%s", buf_len(&codes) ? " " : "", d.items[i].code);
    }
    if (!str_eq(buf_str(&codes), str_z(row->codes)))
        fail_msg("%s: wanted [%s], got [%.*s]", row->text, row->codes, STR(buf_str(&codes)));
    buf_fini(&codes);
}

static void test_rows(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    const struct schema *s;
    cedar_diags_init(&d, &a, S(""), str_z(schema_text));
    assert_true(schema_read(&a, str_z(schema_text), &s, &d));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(s, &rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
