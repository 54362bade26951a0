#include "http/fields.h"
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_list(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct fields f = {0};
    struct err err;
    str v = S("untouched");
    bool present = true;
    assert_false(fields_first(&f, S("a"), &v));
    assert_true(str_eq(v, S("untouched")));
    for (int i = 0; i < 40; i++)
        fields_add(&a, &f, str_fmt(&a, "n%d", i), str_fmt(&a, "v%d", i));
    fields_add(&a, &f, S("N7"), S("again"));
    assert_int_equal(f.n, 41);
    assert_int_equal(fields_count(&f, S("n7")), 2);
    assert_true(fields_first(&f, S("N7"), &v) && str_eq(v, S("v7")));
    assert_true(fields_single(&f, S("N8"), &v, &present, &err) && str_eq(v, S("v8")) && present);
    assert_true(fields_single(&f, S("none"), &v, &present, &err) && v.n == 0 && !present);
    assert_false(fields_single(&f, S("n7"), &v, NULL, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    fields_remove(&f, S("n7"));
    assert_int_equal(f.n, 39);
    assert_true(str_eq(f.v[7].name, S("n8")));
}

static void test_members(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct fields f = {0};
    fields_add(&a, &f, S("Accept"), S("application/json;q=0.9 ,\ttext/Event-Stream; q=1"));
    fields_add(&a, &f, S("accept"), S("image/png"));
    assert_true(fields_list_has(&f, S("accept"), S("application/json")));
    assert_true(fields_list_has(&f, S("accept"), S("text/event-stream")));
    assert_true(fields_list_has(&f, S("accept"), S("image/png")));
    assert_false(fields_list_has(&f, S("accept"), S("text/event")));
    assert_false(fields_list_has(&f, S("accept"), S("q=1")));
}

static void test_validity(void **state)
{
    (void)state;
    static const char *const bad_names[] = {"",    " a",       "a ",  "a:b", "a\tb",
                                            "a\r", "\xc3\xa9", "a(b", "a\"", "a,b"};
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++)
        assert_false(field_name_ok(str_z(bad_names[i])));
    assert_true(field_name_ok(S("!#$%&'*+-.^_`|~09azAZ")));
    static const char *const bad_values[] = {" a",  "a ",   "\ta",   "a\r\nb: c",
                                             "a\n", "\x7f", "a\x01", "\vx"};
    for (size_t i = 0; i < sizeof bad_values / sizeof bad_values[0]; i++)
        assert_false(field_value_ok(str_z(bad_values[i])));
    assert_false(field_value_ok(str_of("a\0b", 3)));
    assert_true(field_value_ok(S("")));
    assert_true(field_value_ok(S("a \t b\xc3\xa9\xff")));
}

static void test_kinds(void **state)
{
    (void)state;
    assert_true(field_is_hop_by_hop(S("Connection")) && field_is_hop_by_hop(S("TE")));
    assert_true(field_is_hop_by_hop(S("Proxy-Authorization")));
    assert_false(field_is_hop_by_hop(S("Authorization")));
    assert_true(http_head_owns(true, S("HOST")) && !http_head_owns(false, S("host")));
    assert_true(http_head_owns(false, S("transfer-Encoding")));
    assert_true(str_eq(http_reason(431), S("Request Header Fields Too Large")));
    assert_true(http_reason(299).n == 0);
    for (int i = 100; i < 600; i++) { /* the lengths in the table are written by hand */
        str r = http_reason(i);
        assert_true(r.n == 0 || (strlen(r.p) == r.n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
