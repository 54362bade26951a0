#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void test_numbers(void **state)
{
    (void)state;
    int64_t v = 7;
    assert_true(str_to_i64(S("-9223372036854775808"), &v) && v == INT64_MIN);
    assert_true(str_to_i64(S("9223372036854775807"), &v) && v == INT64_MAX);
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "-01",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (str_to_i64(str_z(bad[i]), &v))
            fail_msg("accepted \"%s\"", bad[i]);
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(str_is_utf8(S("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    static const char *const bad[] = {
        "\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xc3", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(str_is_utf8(str_z(bad[i])));
}

static void test_match(void **state)
{
    (void)state;
    assert_true(str_match(S("helpdesk/*"), S("helpdesk/refund")));
    assert_true(str_match(S("*"), S("")));
    assert_true(str_match(S("a*b*c"), S("axxbyybzc")));
    assert_false(str_match(S("a*b"), S("abc")));
    assert_false(str_match(S("a"), S("")));
}

static void test_buf(void **state)
{
    (void)state;
    struct buf b = {.max = 8};
    buf_put(&b, S("abcd"));
    buf_consume(&b, 2);
    buf_put(&b, S("efgh"));
    assert_true(str_eq(buf_str(&b), S("cdefgh")));
    buf_put(&b, S("xyz"));
    assert_true(b.over);
    assert_true(str_eq(buf_str(&b), S("cdefgh")));
    buf_fini(&b);
}

static void test_map(void **state)
{
    (void)state;
    struct map m = {0};
    static int values[1000];
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_null(map_put(&m, str_z(key), &values[i]));
    }
    for (int i = 0; i < 1000; i += 2) {
        snprintf(key, sizeof key, "k%d", i);
        assert_ptr_equal(map_del(&m, str_z(key)), &values[i]);
    }
    assert_int_equal(map_count(&m), 500);
    assert_null(map_get(&m, S("k0")));
    assert_ptr_equal(map_get(&m, S("k999")), &values[999]);
    size_t seen = 0;
    str k;
    void *v;
    for (size_t i = 0; map_next(&m, &i, &k, &v);)
        seen++;
    assert_int_equal(seen, 500);
    map_fini(&m);
}

static void test_base64(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    str out;
    assert_true(str_eq(base64url_dup(&a, S("\xfb\xff\x00")), S("-_8A")));
    assert_true(base64url_decode(&a, S("-_8A"), &out) && str_eq(out, S("\xfb\xff\x00")));
    static const char *const bad[] = {"A", "AB=", "AB==", "A B", "AB\n", "+/8A", "AC", "AAF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (base64url_decode(&a, str_z(bad[i]), &out))
            fail_msg("accepted \"%s\"", bad[i]);
    assert_true(base64_decode(&a, S("YQ=="), &out) && str_eq(out, S("a")));
    assert_false(base64_decode(&a, S("YQ"), &out));
    assert_false(base64_decode(&a, S("===="), &out));
    assert_true(hex_decode(&a, S("00ff"), &out) && str_eq(out, S("\x00\xff")));
    assert_false(hex_decode(&a, S("0F"), &out));
}

static void test_ids(void **state)
{
    (void)state;
    struct id one = id_new('c'), two = id_new('c');
    assert_true(id_is_valid(id_str(&one), 'c'));
    assert_false(id_is_valid(id_str(&one), 't'));
    assert_string_not_equal(one.s, two.s);
    assert_false(id_is_valid(S("c"), 'c'));
}

static void test_clock(void **state)
{
    (void)state;
    char out[CLOCK_TEXT_SIZE];
    int64_t ms;
    assert_true(str_eq(clock_text(1709210096007, out), S("2024-02-29T12:34:56.007Z")));
    assert_true(str_eq(clock_text(253402300799999, out), S("9999-12-31T23:59:59.999Z")));
    assert_true(str_eq(clock_text(-1, out), S("1970-01-01T00:00:00.000Z")));
    assert_true(str_eq(clock_text(1, out), S("1970-01-01T00:00:00.001Z")));
    assert_true(clock_parse_duration(S("15m"), &ms) && ms == 900000);
    assert_false(clock_parse_duration(S("15"), &ms));
    assert_false(clock_parse_duration(S("0s"), &ms));
    assert_false(clock_parse_duration(S("9999999999999999d"), &ms));
    assert_true(clock_parse_date(S("1970-01-02"), &ms) && ms == 86400000);
    assert_false(clock_parse_date(S("2026-02-30"), &ms));
}

static int cleaned;
static void on_clean(void *arg)
{
    cleaned += *(int *)arg;
}

static void test_arena(void **state)
{
    (void)state;
    struct arena a = {0};
    static int one = 1;
    for (int i = 0; i < 1000; i++) {
        char *p = arena_alloc(&a, 100);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_int_equal(p[99], 0);
        p[99] = 1;
    }
    arena_on_reset(&a, on_clean, &one);
    arena_reset(&a);
    assert_int_equal(cleaned, 1);
    assert_int_equal(arena_used(&a), 0);
    assert_int_equal(((char *)arena_alloc(&a, 100))[99], 0);
    arena_fini(&a);
}

static void test_list(void **state)
{
    (void)state;
    struct list head, a = {0}, b = {0};
    list_init(&head);
    assert_true(list_is_empty(&head));
    list_append(&head, &a);
    list_append(&head, &b);
    int n = 0;
    LIST_EACH(&head, it)
    {
        list_remove(it);
        n++;
    }
    assert_int_equal(n, 2);
    assert_true(list_is_empty(&head) && !list_is_linked(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_utf8),  cmocka_unit_test(test_match),
        cmocka_unit_test(test_buf),     cmocka_unit_test(test_map),   cmocka_unit_test(test_base64),
        cmocka_unit_test(test_ids),     cmocka_unit_test(test_clock), cmocka_unit_test(test_arena),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
