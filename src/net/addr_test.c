#include "net/net_test.h"

struct addr_case {
    const char *text;
    const char *shown; /* NULL: refused */
    bool is_loopback;
};

static const struct addr_case CASES[] = {
    {"127.0.0.1:8443", "127.0.0.1:8443", true},
    {"127.255.0.9:1", "127.255.0.9:1", true},
    {"128.0.0.1:1", "128.0.0.1:1", false},
    {"0.0.0.0:0", "0.0.0.0:0", false},
    {"[::1]:65535", "[::1]:65535", true},
    {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", true},
    {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1", false},
    {"*:80", "[::]:80", false},
    {"unix:/run/a.sock", "unix:/run/a.sock", true},
    {"::1:80", NULL, false},
    {"127.0.0.1", NULL, false},
    {"127.0.0.1:", NULL, false},
    {"127.0.0.1:65536", NULL, false},
    {"127.0.0.1:+1", NULL, false},
    {"127.0.0.1:1 ", NULL, false},
    {"127.1:80", NULL, false},
    {"0x7f000001:80", NULL, false},
    {"localhost:80", NULL, false},
    {"[127.0.0.1:80", NULL, false},
    {":80", NULL, false},
    {"unix:", NULL, false},
    {"", NULL, false},
};

static void test_parse(void **state)
{
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct addr_case *k = &CASES[i];
        struct addr a;
        struct err err;
        char text[ADDR_TEXT_SIZE];
        bool ok = addr_parse(str_z(k->text), &a, &err);
        if (ok != (k->shown != NULL))
            fail_msg("\"%s\": %s", k->text, ok ? "accepted" : err.text);
        if (!ok) {
            assert_int_equal(err.kind, ERR_INPUT);
            continue;
        }
        if (!str_eq(addr_text(&a, text), str_z(k->shown)))
            fail_msg("\"%s\" is shown as \"%s\"", k->text, text);
        if (addr_is_loopback(&a) != k->is_loopback)
            fail_msg("\"%s\": loopback", k->text);
    }
}

static void test_limits(void **state)
{
    char path[200];
    struct addr a;
    struct err err;
    memset(path, 'p', sizeof path);
    assert_true(addr_unix(str_of(path, 107), &a, &err));
    assert_false(addr_unix(str_of(path, 108), &a, &err));
    assert_false(addr_unix(str_of("a\0b", 3), &a, &err));
    assert_false(addr_from(str_of("127.0.0.1\0x", 11), 1, &a, &err));
    size_t n = 0;
    struct addr list[4];
    assert_true(addr_resolve(S("127.0.0.1"), 80, list, 4, &n, &err));
    assert_true(n >= 1 && addr_is_loopback(&list[0]) && addr_port(&list[0]) == 80);
    struct addr none = {0};
    assert_false(addr_is_loopback(&none) || addr_is_unix(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
