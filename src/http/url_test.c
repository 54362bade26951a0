#include "http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_absolute(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *field, *target;
        int port, kind;
    } good[] = {
        {"http://a", "a", "a", "/", 80, URL_HOST_NAME},
        {"https://Example.COM", "example.com", "example.com", "/", 443, URL_HOST_NAME},
        {"https://example.com:443/", "example.com", "example.com", "/", 443, URL_HOST_NAME},
        {"http://example.com:443/a/b?c=d", "example.com", "example.com:443", "/a/b?c=d", 443,
         URL_HOST_NAME},
        {"http://a?x", "a", "a", "/?x", 80, URL_HOST_NAME},
        {"http://127.0.0.1:8080/mcp", "127.0.0.1", "127.0.0.1:8080", "/mcp", 8080, URL_HOST_IPV4},
        {"https://[::1]/x", "::1", "[::1]", "/x", 443, URL_HOST_IPV6},
        {"https://[2001:DB8::1.2.3.4]:65535/", "2001:db8::1.2.3.4", "[2001:db8::1.2.3.4]:65535",
         "/", 65535, URL_HOST_IPV6},
        {"http://my_service-1.internal/%41%c3%a9?q=%00", "my_service-1.internal",
         "my_service-1.internal", "/%41%c3%a9?q=%00", 80, URL_HOST_NAME},
        {"http://1a.b2/..a/...", "1a.b2", "1a.b2", "/..a/...", 80, URL_HOST_NAME},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct url u;
        struct err err;
        if (!url_parse(&a, str_z(good[i].text), &u, &err))
            fail_msg("%s: %s", good[i].text, err.text);
        if (!str_eq(u.host.name, str_z(good[i].host)) || u.port != good[i].port ||
            (int)u.host.kind != good[i].kind || !str_eq(u.target, str_z(good[i].target)) ||
            !str_eq(url_host_field(&a, &u), str_z(good[i].field)))
            fail_msg("%s: read as %.*s port %d target %.*s", good[i].text, STR(u.host.name), u.port,
                     STR(u.target));
    }
}

static void test_absolute_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "a",
        "//a/",
        "ftp://a/",
        "HTTP://a/",
        "http:/a",
        "http://",
        "http:///",
        "http://:80/",
        "http://u@a/",
        "http://u:p@a/",
        "http://a#f",
        "http://a/#f",
        "http://a/?x#f",
        "http://a/ b",
        " http://a/",
        "http://a/\n",
        "http://a\t/",
        "http://a:/",
        "http://a:0/",
        "http://a:65536/",
        "http://a:080/",
        "http://a:+1/",
        "http://a:80:80/",
        "http://a\\@b/",
        "http://a%2eb/",
        "http://a..b/",
        "http://.a/",
        "http://a./",
        "http://-a/",
        "http://a-/",
        "http://a,b/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://0x7f000001/",
        "http://a.0x/",
        "http://[::1/",
        "http://[]/",
        "http://[::1]a/",
        "http://[1.2.3.4]/",
        "http://[fe80::1%eth0]/",
        "http://[::g]/",
        "http://::1/",
        "http://a/%",
        "http://a/%4",
        "http://a/%gg",
        "http://a/%00",
        "http://a/%0d%0a",
        "http://a/..",
        "http://a/../b",
        "http://a/./b",
        "http://a/.",
        "http://a/%2e%2E/b",
        "http://a/.%2e",
        "http://a/x/..%2fb",
        "http://a/x%5c..%5cy",
        "http://a/..;x/b",
        "http://a/b/.;/c",
        "http://a//b",
        "http://a/\x80",
        "http://\xc3\xa9/",
        "http://a/\"",
        "http://a/<b>",
        "http://a/?<",
        "http://a/?[",
        "http://a/?%",
        "http://a/^",
        "http://a/{x}",
        "http://a/|",
        "http://a/`",
        "http://a/a\\b",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct url u = {.port = 7};
        struct err err = {0};
        if (url_parse(&a, str_z(bad[i]), &u, &err))
            fail_msg("accepted \"%s\"", bad[i]);
        assert_true(err.kind != ERR_NONE && err.text[0] && u.port == 7);
    }
}

static void test_host(void **state)
{
    (void)state;
    struct url_host h;
    struct err err;
    assert_true(url_host_parse(S("Localhost:3000"), &h, &err));
    assert_true(str_eq(h.name, S("Localhost")) && h.has_port && h.port == 3000);
    assert_true(url_host_parse(S("[::1]:1"), &h, &err) && h.kind == URL_HOST_IPV6 && h.port == 1);
    assert_true(url_host_parse(S("10.0.0.1"), &h, &err) && h.kind == URL_HOST_IPV4 && !h.has_port);
    static const char *const bad[] = {
        "",     " a",  "a b",    "a:",  "a:b",  "a/b", "a?b",  "a@b", "a,b",
        "[::1", "::1", "[::1]:", "a\r", "a%41", "*",   "a:1 ", "a..", "[:::]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (url_host_parse(str_z(bad[i]), &h, &err))
            fail_msg("accepted \"%s\"", bad[i]);
    assert_false(url_host_parse(str_of("a\0b", 3), &h, &err));
    assert_false(url_host_parse(str_of("1.2.3.4\0", 8), &h, &err));
    char label[300];
    memset(label, 'a', sizeof label);
    assert_true(url_host_parse(str_of(label, 63), &h, &err));
    assert_false(url_host_parse(str_of(label, 64), &h, &err));
    for (size_t i = 50; i < sizeof label; i += 50)
        label[i] = '.';
    assert_true(url_host_parse(str_of(label, 253), &h, &err));
    assert_false(url_host_parse(str_of(label, 254), &h, &err));
}

static void test_target(void **state)
{
    (void)state;
    struct url_target t;
    struct err err;
    assert_true(url_target_parse(S("/"), &t, &err) && !t.has_query && str_eq(t.path, S("/")));
    assert_true(url_target_parse(S("/a?"), &t, &err) && t.has_query && t.query.n == 0);
    assert_true(url_target_parse(S("/a?b?c/../d"), &t, &err) && str_eq(t.query, S("b?c/../d")));
    assert_true(url_target_parse(S("/g%2Fp/x"), &t, &err) && t.encoded_slash);
    assert_true(url_target_parse(S("/a//b/"), &t, &err) && !t.encoded_slash);
    assert_true(url_target_parse(S("/.well-known/..x/a;v=1/.../a."), &t, &err));
    assert_true(url_target_parse(S("/%252e%252e/"), &t, &err));
    static const char *const bad[] = {"",       "a",     "*",        "?a",      "http://a/",
                                      "//a",    "/a#b",  "/a b",     "/..",     "/a/..",
                                      "/%2e",   "/%7f",  "/a?b#c",   "/a?b c",  "/a?%",
                                      "/%2f..", "/\x7f", "/a/.;b/c", "/..%5cb", "/%1f"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (url_target_parse(str_z(bad[i]), &t, &err))
            fail_msg("accepted \"%s\"", bad[i]);
    char *big = malloc(URL_BYTES_MAX + 1);
    memset(big, 'a', URL_BYTES_MAX + 1);
    big[0] = '/';
    assert_true(url_target_parse(str_of(big, URL_BYTES_MAX), &t, &err));
    assert_false(url_target_parse(str_of(big, URL_BYTES_MAX + 1), &t, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    free(big);
}

static void test_form(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    str rest = S("grant_type=client%5Fcredentials&scope=a+b&empty=&bare"), n, v, d;
    assert_true(url_form_next(&a, &rest, &n, &v, &err));
    assert_true(str_eq(n, S("grant_type")) && str_eq(v, S("client_credentials")));
    assert_true(url_form_next(&a, &rest, &n, &v, &err) && str_eq(v, S("a b")));
    assert_true(url_form_next(&a, &rest, &n, &v, &err) && str_eq(n, S("empty")) && v.n == 0);
    assert_true(url_form_next(&a, &rest, &n, &v, &err) && str_eq(n, S("bare")) && v.n == 0);
    assert_int_equal(rest.n, 0);
    rest = S("&a=b");
    assert_false(url_form_next(&a, &rest, &n, &v, &err));
    rest = S("a=%0");
    assert_false(url_form_next(&a, &rest, &n, &v, &err));
    assert_int_equal(rest.n, 4);
    assert_true(url_decode(&a, S("a+%2B%41"), false, &d, &err) && str_eq(d, S("a++A")));
    assert_false(url_decode(&a, S("a%00b"), false, &d, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absolute), cmocka_unit_test(test_absolute_refused),
        cmocka_unit_test(test_host),     cmocka_unit_test(test_target),
        cmocka_unit_test(test_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
