/* Grants: what is read, what each bound admits, and what is narrower than what. */
#include "task/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct task_grant read_ok(struct arena *a, const char *args)
{
    struct task_grant g = {0};
    struct err err;
    const json *v;
    str text = str_fmt(a, "{\"operation\":\"b/t\",\"args\":{\"a\":%s}}", args);
    if (!json_read(a, text, NULL, &v, &err) || !grant_read(a, v, &g, &err))
        fail_msg("%s: %s", args, err.text);
    return g;
}

static void test_admits(void **state)
{
    static const struct {
        const char *bound, *args;
        bool admits;
    } rows[] = {
        {"{\"equals\":5}", "{\"a\":5}", true},
        {"{\"equals\":5}", "{\"a\":5.0}", false},
        {"{\"equals\":5}", "{\"a\":\"5\"}", false},
        {"{\"equals\":5}", "{}", false},
        {"{\"equals\":5,\"optional\":true}", "{}", true},
        {"{\"equals\":5,\"optional\":true}", "{\"a\":6}", false},
        {"{\"equals\":{\"x\":[1]}}", "{\"a\":{\"x\":[1]}}", true},
        {"{\"equals\":{\"x\":[1]}}", "{\"a\":{\"x\":[1],\"y\":2}}", false},
        {"{\"equals\":null}", "{\"a\":null}", true},
        {"{\"oneOf\":[\"x\",\"y\"]}", "{\"a\":\"y\"}", true},
        {"{\"oneOf\":[\"x\",\"y\"]}", "{\"a\":\"z\"}", false},
        {"{\"oneOf\":[\"x\",\"y\"]}", "{\"a\":[\"x\"]}", false},
        {"{\"min\":0,\"max\":10}", "{\"a\":10}", true},
        {"{\"min\":0,\"max\":10}", "{\"a\":10.000000001}", false},
        {"{\"min\":0,\"max\":10}", "{\"a\":-0.1}", false},
        {"{\"min\":0,\"max\":10}", "{\"a\":\"7.5\"}", true},
        {"{\"min\":0,\"max\":10}", "{\"a\":1e0}", false},
        {"{\"min\":0,\"max\":10}", "{\"a\":true}", false},
        {"{\"max\":10}", "{\"a\":-999999999999999999}", true},
        {"{\"max\":10}", "{\"a\":1000000000000000000000000000000000000005}", false},
        {"{\"max\":\"0.5\"}", "{\"a\":0.50}", true},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a\"}", true},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/b\"}", true},
        {"{\"prefix\":\"/srv/a/\"}", "{\"a\":\"/srv/a/b/\"}", true},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/ab\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/../b\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/./b\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a//b\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/%2E%2e/b\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/%252e\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/b%20c\"}", true},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/b\\\\..\\\\c\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/b\\u0000\"}", false},
        {"{\"prefix\":\"/srv/a\"}", "{\"a\":\"/srv/a/b?x=/../\"}", false},
        {"{\"prefix\":\"/\"}", "{\"a\":\"/etc\"}", true},
        {"{\"prefix\":\"/\"}", "{\"a\":\"//etc\"}", false},
        {"{\"prefix\":\"https://h.example\"}", "{\"a\":\"https://h.example/x\"}", true},
        {"{\"prefix\":\"https://h.example\"}", "{\"a\":\"https://h.example.evil/x\"}", false},
        {"{\"prefix\":\"https://h.example\"}", "{\"a\":\"https://h.example@evil/x\"}", false},
        {"{\"prefix\":\"https://h.example\"}", "{\"a\":\"HTTPS://h.example/x\"}", false},
        {"{\"prefix\":\"docs\"}", "{\"a\":7}", false},
        {"{\"maxLength\":3}", "{\"a\":\"\xc3\xa4\xc3\xb6\xc3\xbc\"}", true},
        {"{\"maxLength\":3}", "{\"a\":\"abcd\"}", false},
        {"{\"maxLength\":3}", "{\"a\":[]}", false},
        {"{}", "{\"a\":1}", true},
        {"{}", "{}", false},
        {"{\"prefix\":\"/a\",\"maxLength\":4}", "{\"a\":\"/a/bc\"}", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        const json *args;
        struct task_grant g = read_ok(&a, rows[i].bound);
        assert_true(json_read(&a, str_z(rows[i].args), NULL, &args, &err));
        if (grant_admits(&g, args, &err) != rows[i].admits)
            fail_msg("row %zu: %s %s: %s", i, rows[i].bound, rows[i].args, err.text);
    }
}

static void test_within(void **state)
{
    static const struct {
        const char *child, *parent;
        bool within;
    } rows[] = {
        {"{\"equals\":5}", "{\"max\":10}", true},
        {"{\"equals\":50}", "{\"max\":10}", false},
        {"{\"oneOf\":[1,50],\"max\":10}", "{\"max\":10}", true},
        {"{\"oneOf\":[1,50]}", "{\"max\":10}", false},
        {"{\"max\":10}", "{\"oneOf\":[1,2]}", false},
        {"{\"oneOf\":[1]}", "{\"oneOf\":[1,2]}", true},
        {"{\"oneOf\":[1,3]}", "{\"oneOf\":[1,2]}", false},
        {"{\"min\":1,\"max\":9}", "{\"max\":10}", true},
        {"{\"min\":1}", "{\"max\":10}", false},
        {"{\"max\":10}", "{\"min\":0,\"max\":10}", false},
        {"{\"max\":\"10.000000001\"}", "{\"max\":10}", false},
        {"{\"prefix\":\"/a/b\"}", "{\"prefix\":\"/a\"}", true},
        {"{\"prefix\":\"/a\"}", "{\"prefix\":\"/a/b\"}", false},
        {"{\"prefix\":\"/ab\"}", "{\"prefix\":\"/a\"}", false},
        {"{\"equals\":\"/a/../b\"}", "{\"prefix\":\"/a\"}", false},
        {"{\"maxLength\":3}", "{\"maxLength\":4}", true},
        {"{\"maxLength\":5}", "{\"maxLength\":4}", false},
        {"{\"equals\":\"abcde\"}", "{\"maxLength\":4}", false},
        {"{\"equals\":1,\"optional\":true}", "{\"equals\":1}", false},
        {"{\"equals\":1}", "{\"equals\":1,\"optional\":true}", true},
        {"{\"max\":1}", "{}", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct task_grant c = read_ok(&a, rows[i].child), p = read_ok(&a, rows[i].parent);
        if (grant_within(&c, &p, &err) != rows[i].within)
            fail_msg("row %zu: %s in %s: %s", i, rows[i].child, rows[i].parent, err.text);
    }
}

static void test_what_is_not_known_is_refused(void **state)
{
    static const struct {
        const char *list, *why;
    } rows[] = {
        {"[\"b/*\"]", "one by one"},
        {"[7]", "a grant is"},
        {"{}", "must be an array"},
        {"[{\"operation\":\"b/t\",\"argz\":{}}]", "no member \"argz\""},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"regex\":\"x\"}}}]", "no member \"regex\""},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":5}}]", "a constraint is"},
        {"[{\"operation\":\"b/t\",\"args\":[]}]", "must be an object"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"min\":1e3}}}]", "plain numbers"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"min\":2,\"max\":1}}}]", "above"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"oneOf\":[]}}}]", "at least one"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"oneOf\":[1],\"equals\":1}}}]", "both"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"prefix\":\"/a/../b\"}}}]", "prefix"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"prefix\":\"\"}}}]", "prefix"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"prefix\":\"https://\"}}}]", "prefix"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"maxLength\":-1}}}]", "maxLength"},
        {"[{\"operation\":\"b/t\",\"args\":{\"a\":{\"optional\":1}}}]", "optional"},
        {"[\"b/t\",{\"operation\":\"b/t\",\"args\":{\"a\":{\"max\":1}}}]", "twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        const json *v;
        struct task_grant *list;
        size_t n;
        assert_true(json_read(&a, str_z(rows[i].list), NULL, &v, &err));
        if (grants_read(&a, v, &list, &n, &err) || !strstr(err.text, rows[i].why))
            fail_msg("row %zu: %s: %s", i, rows[i].list, err.text);
    }
}

static void test_written_as_read(void **state)
{
    static const char text[] =
        "[\"a/x\",{\"args\":{\"a\":{\"max\":\"10\",\"maxLength\":3,\"min\":\"-0.5\"},"
        "\"b\":{\"oneOf\":[\"x\",1],\"optional\":true,\"prefix\":\"/a\"},\"c\":{\"equals\":{\"k\":"
        "[]}}},\"operation\":\"b/t\"}]";
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    const json *v;
    struct task_grant *list;
    size_t n;
    struct buf b = {0};
    struct jw w = jw(&b);
    assert_true(json_read(&a, str_z(text), NULL, &v, &err));
    assert_true(grants_read(&a, v, &list, &n, &err));
    struct grant_set *set = grant_set_new(list, n);
    arena_fini(&a); /* a set borrows nothing */
    grant_set_write(&w, set);
    assert_true(str_eq(buf_str(&b), str_z(text)));
    grant_set_unref(set);
    buf_fini(&b);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {{"0", true},
                {"-0", true},
                {"1.5", true},
                {"01", false},
                {"1.", false},
                {".5", false},
                {"+1", false},
                {"1e1", false},
                {"", false},
                {"-", false},
                {"1 ", false},
                {"0.123456789", true},
                {"0.1234567891", false},
                {"999999999999999999", true},
                {"9999999999999999999", false}};
    grant_number n;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (grant_number_parse(str_z(rows[i].text), &n) != rows[i].ok)
            fail_msg("%s", rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admits),
        cmocka_unit_test(test_within),
        cmocka_unit_test(test_what_is_not_known_is_refused),
        cmocka_unit_test(test_written_as_read),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
