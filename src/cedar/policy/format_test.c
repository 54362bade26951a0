/* The formatter: rows of text and what becomes of it, then properties: comments stay wherever they
 * stand, formatting twice is formatting once, the tokens remain, limits hold. */
#include "cedar/policy/format.h"
#include "cedar/policy/same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define HEAD  "permit (principal, action, resource)\n"
#define WHEN  "permit(principal,action,resource) when "
#define BLOCK "when\n{\n"

struct row {
    uint32_t width;
    const char *text, *want;
};

static const struct row rows[] = {
    /* whole texts */
    {80, "", "\n"},
    {80, "permit(principal,action,resource);", "permit (principal, action, resource);\n"},
    {80, "permit(principal,action,resource,)   ;\n\n\n\nforbid(principal,action,resource);",
     "permit (principal, action, resource);\n\nforbid (principal, action, resource);\n"},
    {80, "@id(\"x\")@b permit(principal,action,resource);",
     "@id(\"x\")\n@b\npermit (principal, action, resource);\n"},
    /* scopes */
    {200,
     "permit(principal==U::\"a\",action in[Action::\"a\",Action::\"b\",],resource is F in "
     "B::\"x\");",
     "permit (\n  principal == U::\"a\",\n  action in [Action::\"a\", Action::\"b\"],\n"
     "  resource is F in B::\"x\"\n);\n"},
    {8,
     "permit(principal==U::\"a\",action in[Action::\"a\",Action::\"b\"],resource is F in "
     "?resource);",
     "permit (\n  principal\n  ==\n    U::\"a\",\n  action\n  in\n    [Action::\"a\",\n"
     "     Action::\"b\"],\n  resource\n    is\n    F\n  in\n    ?resource\n);\n"},
    {80, "permit(principal==((U::\"a\")),action,resource);",
     "permit (\n  principal == ((U::\"a\")),\n  action,\n  resource\n);\n"},
    {20, "permit(principal,action,resource);", "permit\n(principal, action, resource);\n"},
    /* clauses */
    {80, WHEN "{true}unless{1==1};", HEAD "when { true }\nunless { 1 == 1 };\n"},
    {9, WHEN "{context};", "permit\n(principal, action, resource)\nwhen\n{\n  context\n};\n"},
    {80, WHEN "{007+-0008==00};", HEAD "when { 7 + -8 == 0 };\n"},
    {80, WHEN "{\"\\u{41}\\\"\"like\"a\\*\"};", HEAD "when { \"\\u{41}\\\"\" like \"a\\*\" };\n"},
    {80, WHEN "{{}=={a:1,\"b\":[]}};", HEAD "when { {} == { a: 1, \"b\": [] } };\n"},
    {80, WHEN "{!!(1)||--principal.a[\"b\"].isEmpty()};",
     HEAD "when { !!(1) || --principal.a[\"b\"].isEmpty() };\n"},
    {1, WHEN "{1&&2||3};",
     "permit\n(principal, action, resource)\n" BLOCK "  1 &&\n  2 ||\n  3\n};\n"},
    {1, WHEN "{1+2*3 in[1,2]};",
     "permit\n(principal, action, resource)\n" BLOCK "  1 +\n  2 *\n  3 in [1,\n   2]\n};\n"},
    {1, WHEN "{context has a.b.c};",
     "permit\n(principal, action, resource)\n" BLOCK "  context\n  has\n  a.b\n      .c\n};\n"},
    {1, WHEN "{context.a.b(1,2)};", NULL}, /* there is no such method */
    {1, WHEN "{ip(\"a\").isInRange(context.a)};",
     "permit\n(principal, action, resource)\n" BLOCK
     "  ip(\n      \"a\"\n    )\n    .isInRange\n    (\n"
     "      context.a\n    )\n};\n"},
    {1, WHEN "{principal is A::B in A::\"b\"};",
     "permit\n(principal, action, resource)\n" BLOCK "  principal is A::B\n  in A::\"b\"\n};\n"},
    {1, WHEN "{if 1 then(2)else 3};",
     "permit\n(principal, action, resource)\n" BLOCK
     "  if\n    1\n  then\n    (2)\n  else\n    3\n};\n"},
    {1, WHEN "{{a:1,b:2}.a==(1||2)};",
     "permit\n(principal, action, resource)\n" BLOCK
     "  {\n    a: 1,\n    b: 2\n  }.a == (1 ||\n   2)\n};\n"},
    /* what is in a string stays there */
    {80, WHEN "{\"a\n\n  // no\n \"==\"b\"};", HEAD "when { \"a\n\n  // no\n \" == \"b\" };\n"},
    /* comments */
    {80,
     "// a\n\n//b  \r\npermit(principal,action,resource);// c\n\n// d\nforbid(principal,action,"
     "resource); // e\n// f",
     "// a\n//b\npermit (principal, action, resource); // c\n\n// d\n"
     "forbid (principal, action, resource); // e\n// f\n"},
    {80, "// only", "\n// only\n"},
    {80, WHEN "{ // a\n1 // b\n&& // c\n// d\n2\n// e\n};",
     HEAD "when\n{ // a\n  1 // b\n   && // c\n  // d\n  2\n// e\n};\n"},
    {80, "permit(principal // a\n,action,// b\nresource // c\n) // d\nwhen{true};",
     "permit (principal // a\n  , action, // b\n  resource // c\n) // d\nwhen { true };\n"},
    {80, "@ // a\nid // b\n(\"x\" // c\n) // d\npermit // e\n(principal,action,resource);",
     "@ // a\nid // b\n(\"x\" // c\n) // d\npermit // e\n(principal, action, resource);\n"},
    {80, WHEN "{[1, // a\n2 // b\n]==[]};", HEAD BLOCK "  [1, // a\n   2 // b\n  ] == []\n};\n"},
    {80, WHEN "{//a\n{//b\na//c\n://d\n1//e\n}==1};",
     HEAD "when\n{ //a\n  { //b\n    a //c\n    : //d\n     1 //e\n  } == 1\n};\n"},
    /* Here the official formatter loses a comment: one at a comma that goes, and one behind a comma
     * that goes. */
    {80, "permit(principal,action,resource, // a\n) // b\n;",
     "permit (principal, action, resource\n// a\n) // b\n;\n"},
    {80, "permit(principal,action,resource, // a\n);",
     "permit (principal, action, resource) // a\n;\n"},
    {80, WHEN "{[1, // a\n2, // b\n]==[]};", HEAD BLOCK "  [1, // a\n   2] // b\n   == []\n};\n"},
    {80, WHEN "{[1\n// a\n,\n// b\n]==[]};", HEAD BLOCK "  [1\n  // a\n  // b\n  ] == []\n};\n"},
    /* Here it turns a comment on a line of its own into one behind the string. */
    {80, WHEN "{\"a\"\n// a\n==1};", HEAD BLOCK "  \"a\" \n  // a\n  == 1\n};\n"},
    /* Here it leaves two comments with a carriage return between them on one line. */
    {80, "permit(principal // a\r// b\n,action,resource);",
     "permit (principal // a\n  // b\n  , action, resource);\n"},
    /* refused as the parser does */
    {80, "permit(principal,action,resource)", NULL},
    {80, "permit(principal,action,resource) when {\"};", NULL},
    {80, "\xef\xbb\xbfpermit(principal,action,resource);", NULL},
    {80, "permit(principal,action,resource); // \xff", NULL},
};

static void test_rows(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_format_options o = {.line_width = rows[i].width, .indent_width = 2};
        struct cedar_diags d, parsed;
        struct cedar_policies p;
        str out;
        str text = str_z(rows[i].text);
        if (cedar_format(&a, text, &o, &out, &d)) {
            if (rows[i].want && str_eq(out, str_z(rows[i].want)))
                continue;
            printf("%s at %u: got\n%.*s", rows[i].text, rows[i].width, STR(out));
            wrong++;
            continue;
        }
        if (rows[i].want)
            fail_msg("%s: refused: %.*s", rows[i].text, STR(d.items[0].text));
        assert_false(cedar_policies_parse(&a, S(""), text, &p, &parsed));
        assert_int_equal(d.count, parsed.count);
        assert_string_equal(d.items[0].code, parsed.items[0].code);
        assert_int_equal(d.items[0].span.start, parsed.items[0].span.start);
    }
    assert_int_equal(wrong, 0);
}

/* ---- comments as the lexer gives them ---- */

static void test_lexed_comments(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t before;
        bool trails;
    } want[] = {
        {"// a", 0, false}, {"//b", 1, true},  {"// c", 1, false}, {"//", 1, false},
        {"// e", 2, false}, {"// f", 3, true}, {"// g", 3, false},
    };
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    struct cedar_tokens tokens;
    struct cedar_comments all;
    str text = S("// a \t\xe2\x80\x83\r\nx //b\r// c\n// \r\n y\n// e\n\"// no\" // f\n// g");
    cedar_diags_init(&d, &a, S(""), text);
    assert_true(cedar_lex_comments(&a, text, &tokens, &all, &d));
    assert_int_equal(tokens.count, 4);
    assert_int_equal(all.count, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < all.count; i++) {
        const struct cedar_comment *c = &all.items[i];
        if (!str_eq(c->text, str_z(want[i].text)) || c->before != want[i].before ||
            c->trails != want[i].trails)
            fail_msg("comment %zu: `%.*s` before %u", i, STR(c->text), c->before);
        assert_true(str_starts(cedar_span_text(text, c->span), c->text));
    }
}

/* ---- every place, every width ---- */

/* All that the language has. */
static const char everything[] =
    "@id(\"x\") @bare permit(principal is A::U in A::G::\"g\", action in [Action::\"a\", "
    "(Action::\"b\"),], resource == (?resource),) when { if !context.a then [1, 2,] == [] else {a: "
    "1, \"b\": --2,}.a < 3 * 4 - 5 } unless { principal has a.b && (resource like \"*\" || "
    "resource[\"x\"].contains(ip(\"::1\",)) || principal is A::U in resource) };"
    "forbid(principal,action,resource);";

static bool is_dropped(const struct cedar_token *t)
{
    return t->kind == CEDAR_T_COMMA &&
           (t[1].kind == CEDAR_T_RPAREN || t[1].kind == CEDAR_T_RBRACKET ||
            t[1].kind == CEDAR_T_RBRACE);
}

/* The same tokens but for commas that go, and the same comments, found without the formatter. */
static void check_kept(struct arena *a, str text, str out)
{
    struct cedar_diags d;
    struct cedar_tokens x, y;
    struct cedar_comments cx, cy;
    cedar_diags_init(&d, a, S(""), text);
    assert_true(cedar_lex_comments(a, text, &x, &cx, &d) &&
                cedar_lex_comments(a, out, &y, &cy, &d));
    size_t j = 0;
    for (size_t i = 0; i < x.count; i++) {
        if (is_dropped(&x.items[i]))
            continue;
        assert_true(j < y.count && x.items[i].kind == y.items[j].kind);
        assert_true(str_eq(x.items[i].text, y.items[j].text));
        j++;
    }
    assert_int_equal(j, y.count);
    assert_int_equal(cx.count, cy.count);
    for (size_t i = 0; i < cx.count; i++)
        assert_true(str_eq(cx.items[i].text, cy.items[i].text));
}

static void check_format(str text, uint32_t width)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_format_options o = {.line_width = width, .indent_width = 2};
    struct cedar_diags d;
    str out, again;
    if (!cedar_format(&a, text, &o, &out, &d))
        fail_msg("%.*s\nat %u: %.*s", STR(text), width, STR(d.items[0].text));
    check_kept(&a, text, out);
    assert_true(cedar_format(&a, out, &o, &again, &d));
    if (!str_eq(out, again))
        fail_msg("at %u not the same twice:\n%.*s\n%.*s", width, STR(out), STR(again));
}

static void test_widths(void **state)
{
    (void)state;
    for (uint32_t width = 0; width < 200; width++)
        check_format(str_z(everything), width);
    check_format(str_z(everything), UINT32_MAX);
}

/* Puts `what` behind token i of the text. */
static void test_comment_everywhere(void **state)
{
    (void)state;
    static const char *const whats[] = {" // c\n", "\n// c\n", " // c\n\n // d\n",
                                        "//c\r\n//\n//d\r", "\n// \"q\n"};
    ARENA_SCOPE struct arena a = {0};
    str text = str_z(everything);
    struct cedar_tokens tokens;
    struct cedar_diags d;
    cedar_diags_init(&d, &a, S(""), text);
    assert_true(cedar_lex(&a, text, &tokens, &d));
    for (size_t i = 0; i < tokens.count; i++) {
        size_t at = tokens.items[i].span.end;
        for (size_t j = 0; j < 5; j++) {
            str with = str_fmt(&a, "%.*s%s%.*s", STR(str_take(text, at)), whats[j],
                               STR(str_skip(text, at)));
            for (uint32_t width = 10; width < 200; width += 60)
                check_format(with, width);
        }
    }
}

static void test_comments_at_all_tokens(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    str text = str_z(everything);
    struct cedar_tokens tokens;
    struct cedar_diags d;
    cedar_diags_init(&d, &a, S(""), text);
    assert_true(cedar_lex(&a, text, &tokens, &d));
    for (size_t i = 0; i + 1 < tokens.count; i++)
        buf_printf(&b, "// l%zu\n%.*s // t%zu\n", i,
                   STR(cedar_span_text(text, tokens.items[i].span)), i);
    check_format(buf_str(&b), 80);
    check_format(buf_str(&b), 0);
    buf_fini(&b);
}

/* ---- limits ---- */

static void repeat(struct buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_put(b, str_z(s));
}

/* Formats and empties b; the code of the refusal, or "". */
static const char *refusal(struct buf *b, const struct cedar_format_options *o)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    str out;
    const char *code = cedar_format(&a, buf_str(b), o, &out, &d) ? "" : d.items[0].code;
    buf_clear(b);
    return code;
}

/* Long and deep texts: done in one pass or refused, in memory and time that go with their size. */
static void test_large(void **state)
{
    (void)state;
    static const struct {
        const char *before, *many;
        size_t count;
        const char *after, *many_after, *end, *code;
    } shapes[] = {
        {WHEN "{", "(", 100, "1", ")", "};", ""},
        {WHEN "{", "(", 100000, "1", ")", "};", "too-deep"},
        {WHEN "{", "[", 120, "1", "]", "};", ""},
        {WHEN "{", "{aaaaaaaaaaaaaaaaaaaaaaa:", 120, "1", "}", "};", ""},
        {WHEN "{", "if 1 then 2 else ", 100, "1", "", "};", ""},
        {WHEN "{", "ip(", 120, "1", ")", "};", ""},
        {WHEN "{1", "+1", 100000, "", "", "};", ""},
        {WHEN "{1", "&&1//c\n", 100000, "", "", "};", ""},
        {WHEN "{[", "1,", 100000, "", "", "]};", ""},
        {WHEN "{context.contains(", "[],", 1, "", "", ")};", ""},
        {"permit(principal==", "(", 50000, "U::\"a\"", ")", ",action,resource);", ""},
        {"permit(principal==", "(//c\n", 50000, "U::\"a\"", ")", ",action,resource);", "too-long"},
        {"permit(principal,action in[", "Action::\"a\",", 50000, "", "", "],resource);", ""},
        {"", "permit(principal,action,resource);", 30000, "", "", "", ""},
        {"", "// c\n", 300000, "", "", "", ""},
        {"@a(\"", "long", 500000, "", "", "\")permit(principal,action,resource);", ""},
        {"@a(\"", "long", 1500000, "", "", "\")permit(principal,action,resource);", "too-long"},
    };
    struct buf b = {0};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        buf_put(&b, str_z(shapes[i].before));
        repeat(&b, shapes[i].many, shapes[i].count);
        buf_put(&b, str_z(shapes[i].after));
        repeat(&b, shapes[i].many_after, shapes[i].count);
        buf_put(&b, str_z(shapes[i].end));
        const char *code = refusal(&b, NULL);
        if (!str_eq(str_z(code), str_z(shapes[i].code)))
            fail_msg("shape %zu: wanted \"%s\", got \"%s\"", i, shapes[i].code, code);
    }
    buf_fini(&b);
}

static void test_indentation(void **state)
{
    (void)state;
    struct buf b = {0};
    ARENA_SCOPE struct arena a = {0};
    struct cedar_diags d;
    str out;
    struct cedar_format_options o = {.line_width = 1, .indent_width = INT32_MAX};
    buf_put(&b, str_z(everything));
    assert_string_equal(refusal(&b, &o), "too-long");
    o.indent_width = INT32_MIN;
    assert_true(cedar_format(&a, str_z(everything), &o, &out, &d));
    o = (struct cedar_format_options){.line_width = 30, .indent_width = 4};
    assert_true(cedar_format(&a, S(WHEN "{principal.aaaaaaaaaa.bbbbbbbbbbbbbbb};"), &o, &out, &d));
    assert_true(str_ends(out, S("{\n    principal.aaaaaaaaaa\n        .bbbbbbbbbbbbbbb\n};\n")));
    buf_fini(&b);
}

/* Wide characters count twice, combining ones not at all. */
static void test_columns(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    static const struct {
        const char *one;
        size_t columns;
    } kinds[] = {{"x", 1}, {"\xc3\xa9", 1}, {"\xe4\xbd\xa0", 2}, {"e\xcc\x81", 1}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct buf b = {0};
        struct cedar_diags d;
        str out;
        buf_put(&b, S(WHEN "{\""));
        repeat(&b, kinds[i].one, 20);
        buf_put(&b, S("\"};"));
        uint32_t fits = 20 * (uint32_t)kinds[i].columns + sizeof "{ \"\" };" - 1;
        struct cedar_format_options o = {.line_width = fits, .indent_width = 2};
        assert_true(cedar_format(&a, buf_str(&b), &o, &out, &d));
        assert_true(str_find(out, S("\n{ \"")) > 0);
        o.line_width--;
        assert_true(cedar_format(&a, buf_str(&b), &o, &out, &d));
        assert_true(str_find(out, S("\n{\n")) > 0);
        buf_fini(&b);
    }
}

/* ---- same.h ---- */

static void test_same(void **state)
{
    (void)state;
    static const struct {
        const char *x, *y;
        bool same;
    } pairs[] = {
        {WHEN "{(1)+2};", WHEN "{ 1 + (2) };", true},
        {WHEN "{\"\\u{41}\" like \"A\"};", WHEN "{\"A\" like \"\\x41\"};", true},
        {WHEN "{1+2};", WHEN "{1-2};", false},
        {WHEN "{1+2};", WHEN "{2+1};", false},
        {WHEN "{1+2+3};", WHEN "{1+(2+3)};", false},
        {WHEN "{1};", WHEN "{2};", false},
        {WHEN "{1};", "permit(principal,action,resource) unless {1};", false},
        {WHEN "{1};", WHEN "{1} when{1};", false},
        {WHEN "{principal};", WHEN "{resource};", false},
        {WHEN "{context.a};", WHEN "{context.b};", false},
        {WHEN "{context has a.b};", WHEN "{context has a.c};", false},
        {WHEN "{context has a.b};", WHEN "{context has a};", false},
        {WHEN "{\"a\" like \"*a\"};", WHEN "{\"a\" like \"a*\"};", false},
        {WHEN "{\"a\" like \"*\"};", WHEN "{\"a\" like \"\\*\"};", false},
        {WHEN "{context is A};", WHEN "{context is B};", false},
        {WHEN "{context is A};", WHEN "{context is A in B::\"\"};", false},
        {WHEN "{ip(\"\")};", WHEN "{decimal(\"\")};", false},
        {WHEN "{ {a:1,b:2} };", WHEN "{ {b:2,a:1} };", false},
        {"permit(principal,action,resource);", "forbid(principal,action,resource);", false},
        {"@a permit(principal,action,resource);", "@a(\"\")permit(principal,action,resource);",
         false},
        {"@a permit(principal,action,resource);", "permit(principal,action,resource);", false},
        {"permit(principal,action,resource);", "", false},
        {"permit(principal==A::\"\",action,resource);",
         "permit(principal in A::\"\",action,resource);", false},
        {"permit(principal==A::\"\",action,resource);",
         "permit(principal==A::\"a\",action,resource);", false},
        {"permit(principal==?principal,action,resource);", "permit(principal,action,resource);",
         false},
        {"permit(principal is A,action,resource);", "permit(principal is B,action,resource);",
         false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct cedar_policies x, y;
        struct cedar_diags d;
        assert_true(cedar_policies_parse(&a, S(""), str_z(pairs[i].x), &x, &d));
        assert_true(cedar_policies_parse(&a, S(""), str_z(pairs[i].y), &y, &d));
        if (cedar_policies_same(&x, &y) != pairs[i].same || !cedar_policies_same(&x, &x))
            fail_msg("%s and %s", pairs[i].x, pairs[i].y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_lexed_comments),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_comment_everywhere),
        cmocka_unit_test(test_comments_at_all_tokens),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_indentation),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
