#include "http/form.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void test_read(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct form f;
    struct err err;
    assert_true(form_read(&a, S("grant_type=a%3Ab&scope=x+y&empty=&bare&u=%C3%A9~"), &f, &err));
    assert_int_equal(f.n, 5);
    assert_true(str_eq(form_get(&f, S("grant_type")), S("a:b")));
    assert_true(str_eq(form_get(&f, S("scope")), S("x y")));
    assert_true(str_eq(form_get(&f, S("u")), S("\xc3\xa9~")));
    assert_int_equal(form_get(&f, S("empty")).n, 0);
    assert_int_equal(form_get(&f, S("none")).n, 0);
    assert_true(form_read(&a, S(""), &f, &err));
    assert_int_equal(f.n, 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "a=1&a=1",                                       /* twice */
        "a=1&%61=2",                                     /* twice, once escaped */
        "a&a=",                                          /* twice without a value */
        "&a=1",                                          /* empty pairs */
        "a=1&",      "a=1&&b=2",    "=1",         "a=%", /* broken escapes */
        "a=%4",      "a=%zz",       "a=%00",             /* controls */
        "a=%1b",     "a=%7f",       "a=%ff",             /* not UTF-8 */
        "a=%c0%80",  "a=%ed%a0%80", "a=\xc3\xa9",        /* not encoded */
        "a=b c",     "a=b\nc",      "a={}",       "a=b;c=d",
        "a=b=c",   /* where does the value begin? */
        "a%20b=1", /* names */
        "%C3%A9=1",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct form f = {.n = 7};
        struct err err;
        if (form_read(&a, str_z(rows[i]), &f, &err))
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(f.n, 7); /* outputs are written on success only */
    }
}

static void test_limits(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct buf b = {0};
    struct form f;
    struct err err;
    for (int i = 0; i < FORM_ITEMS_MAX; i++)
        buf_printf(&b, "%sp%d=1", i ? "&" : "", i);
    assert_true(form_read(&a, buf_str(&b), &f, &err));
    buf_put(&b, S("&more=1"));
    assert_false(form_read(&a, buf_str(&b), &f, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_clear(&b);
    buf_put(&b, S("a="));
    while (buf_len(&b) < FORM_BYTES_MAX)
        buf_putc(&b, 'x');
    assert_true(form_read(&a, buf_str(&b), &f, &err));
    buf_putc(&b, 'x');
    assert_false(form_read(&a, buf_str(&b), &f, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_clear(&b);
    for (int i = 0; i <= FORM_NAME_BYTES_MAX; i++)
        buf_putc(&b, 'n');
    assert_false(form_read(&a, buf_str(&b), &f, &err));
    assert_true(form_read(&a, str_skip(buf_str(&b), 1), &f, &err));
    buf_fini(&b);
}

static void test_type(void **state)
{
    (void)state;
    assert_true(form_is_type(S("application/x-www-form-urlencoded")));
    assert_true(form_is_type(S("Application/X-WWW-Form-Urlencoded; charset=UTF-8")));
    assert_false(form_is_type(S("application/json")));
    assert_false(form_is_type(S("application/x-www-form-urlencoded, text/plain")));
    assert_false(form_is_type(S("application/x-www-form-urlencoded; charset=utf-16")));
    assert_false(form_is_type((str){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
