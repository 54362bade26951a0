#include "cmd/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void check(struct buf *b, const char *want)
{
    str got = buf_str(b), expected = str_z(want);
    if (!str_eq(got, expected))
        print_error("got:\n%.*s\nwant:\n%.*s\n", STR(got), STR(expected));
    assert_true(str_eq(got, expected));
    buf_fini(b);
}

static void nothing_reaches_the_terminal_raw(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
         "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\x1b[2J\r\n\t\x7f", "\\u001b[2J\\u000d\\u000a\\u0009\\u007f"},
        {"\xc2\x9b"
         "31m",
         "\\u009b31m"}, /* C1 */
        {"a\xe2\x80\xae"
         "b",
         "a\\u202eb"}, /* right to left override */
        {"a\xe2\x80\x8b"
         "b\xef\xbb\xbf",
         "a\\u200bb\\ufeff"},                   /* zero width */
        {"\xf3\xa0\x81\x81", "\\udb40\\udc41"}, /* tag characters */
        {"\xff\xc3", "\\xff\\xc3"},             /* not UTF-8 */
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b = {0};
        put_safe(&b, str_z(cases[i].in));
        check(&b, cases[i].out);
    }
}

static const json *read(struct arena *a, str text)
{
    const json *v;
    struct err err;
    assert_true(json_read(a, text, NULL, &v, &err));
    return v;
}

static void pretty_json_is_the_same_json(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0}, before = {0}, after = {0};
    str text = S("{\"a\":[1.50,{\"b\":\"\\u202e\\n\"},[]],\"\\u001b\":null,\"o\":{}}");
    const json *v = read(&a, text);
    (void)state;
    put_pretty(&b, v, 2);
    json_write(&before, v);
    json_write(&after, read(&a, buf_str(&b)));
    assert_true(str_eq(buf_str(&before), buf_str(&after)));
    buf_fini(&before);
    buf_fini(&after);
    check(&b, "{\n    \"a\": [\n      1.50,\n      {\n        \"b\": \"\\u202e\\n\"\n      },\n"
              "      []\n    ],\n    \"\\u001b\": null,\n    \"o\": {}\n  }");
}

static void members_line_up(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    (void)state;
    put_members(&b, read(&a, S("{\"task\":\"t1\",\"operations\":[\"a/b\",\"a/c\"],\"n\":3}")));
    check(&b, "task        t1\noperations  a/b, a/c\nn           3\n");
}

static void tables_line_up(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    static const char *const heads[] = {"NAME", "X"};
    struct table t = {.a = &a, .heads = heads, .columns = 2};
    struct buf b = {0};
    (void)state;
    table_add(&t, S("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"));
    table_add(&t, S("1"));
    table_add(&t, S("a"));
    table_add(&t, S("2\n3"));
    table_put(&t, &b);
    check(&b, "NAME   X\n\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9  1\na      2\\u000a3\n");
}

static void differences_are_shown_by_line(void **state)
{
    static const struct {
        const char *before, *after, *want;
    } cases[] = {
        {"a\nb\n", "a\nb\n", "  a\n  b\n"},
        {"", "a\n", "+ a\n"},
        {"a\n", "", "- a\n"},
        {"1\n2\n3\n4\nx\ny\nz\n5\n6\n7\n8\n", "1\n2\n3\n4\nx\nw\nz\nn\n5\n6\n7\n8\n",
         "  ...\n  3\n  4\n  x\n- y\n+ w\n  z\n+ n\n  5\n  6\n  7\n  ...\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b = {0};
        put_diff(&b, str_z(cases[i].before), str_z(cases[i].after));
        check(&b, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_reaches_the_terminal_raw),
        cmocka_unit_test(pretty_json_is_the_same_json),
        cmocka_unit_test(members_line_up),
        cmocka_unit_test(tables_line_up),
        cmocka_unit_test(differences_are_shown_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
