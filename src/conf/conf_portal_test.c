/* "portal", people.NAME.oidc and agents.NAME.client: what is read, and what is refused with a word
 * on what to do. */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static bool read_it(struct arena *a, const char *text, struct conf *c, struct conf_problems *p)
{
    *p = (struct conf_problems){0};
    return conf_read(a, S("c"), S("/"), str_z(text), c, p);
}

static void test_portal(void **state)
{
    (void)state;
    static const struct {
        const char *text, *origin, *rp; /* origin NULL: refused */
    } rows[] = {
        {"\"listen\": \"127.0.0.1:8933\"", "http://localhost:8933", "localhost"},
        {"\"listen\": \"127.0.0.1:1\", \"origin\": \"https://a.example\"", "https://a.example",
         "a.example"},
        {"\"listen\": \"0.0.0.0:1\", \"cert\": \"c\", \"key\": \"k\", \"origin\": "
         "\"https://a.example:8443\"",
         "https://a.example:8443", "a.example"},
        {"\"listen\": \"0.0.0.0:1\", \"origin\": \"https://a.example\"", NULL, NULL},
        {"\"listen\": \"0.0.0.0:1\", \"cert\": \"c\", \"key\": \"k\"", NULL, NULL},
        {"\"listen\": \"127.0.0.1:1\", \"cert\": \"c\"", NULL, NULL},
        {"\"listen\": \"127.0.0.1\"", NULL, NULL},
        {"\"origin\": \"https://a.example\"", NULL, NULL},
#define ORIGIN(o) {"\"listen\": \"127.0.0.1:1\", \"origin\": \"" o "\"", NULL, NULL}
        ORIGIN("http://a.example"),
        ORIGIN("https://A.example"),
        ORIGIN("https://a.example/"),
        ORIGIN("https://a.example/x"),
        ORIGIN("https://a.example:443"),
        ORIGIN("http://localhost:80"),
        ORIGIN("https://u@a.example"),
        ORIGIN("https://192.0.2.1"),
        ORIGIN("https://"),
        ORIGIN("https://.example"),
        ORIGIN("https://a.example:"),
        ORIGIN("ftp://a.example"),
        ORIGIN("a.example"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p;
        bool ok = read_it(&a, str_fmt(&a, "{\"portal\": {%s}}", rows[i].text).p, &c, &p);
        if (ok != (rows[i].origin != NULL))
            fail_msg("%s", rows[i].text);
        if (ok) {
            assert_true(str_eq(c.portal.origin, str_z(rows[i].origin)));
            assert_true(str_eq(c.portal.rp_id, str_z(rows[i].rp)));
        }
    }
}

static void test_redirect_uris(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        bool ok;
    } rows[] = {
        {"https://a.example/back", true},
        {"https://a.example:8443/back?x=1", true},
        {"http://127.0.0.1/back", true},
        {"http://127.0.0.1:4711/back", true},
        {"http://[::1]/back", true},
        {"http://localhost:1/back", true},
        {"com.example.app:/back", true},
        {"http://a.example/back", false},
        {"http://127.0.0.1.evil.example/back", false},
        {"http://127.evil.example/back", false},
        {"http://localhost.evil.example/back", false},
        {"https://a.example/back#f", false},
        {"https://u@a.example/back", false},
        {"https:///back", false},
        {"https://a.example\\\\b/back", false},
        {"javascript:alert(1)", false},
        {"app:/back", false},
        {"com.example.app://host/back", false},
        {"data:text/html,x", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p;
        str text = str_fmt(&a,
                           "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}}, \"agents\": {\"d\": "
                           "{\"owner\": \"ann\", \"bearer\": true, \"client\": {\"redirectUris\": "
                           "[\"%s\"]}}}}",
                           rows[i].uri);
        if (read_it(&a, text.p, &c, &p) != rows[i].ok)
            fail_msg("%s", rows[i].uri);
    }
}

static void test_login(void **state)
{
    (void)state;
    static const char issuers[] =
        "\"issuers\": {\"corp\": {\"oidc\": \"https://i.example\"}, \"td\": {\"trustDomain\": "
        "\"o.example\", \"bundleFile\": \"b.json\"}}";
    static const struct {
        const char *portal, *person;
        bool ok;
    } rows[] = {
        {"{\"issuer\": \"corp\", \"clientId\": \"x\"}", "{\"issuer\": \"corp\", \"sub\": \"1\"}",
         true},
        {"{\"issuer\": \"corp\", \"clientId\": \"x\", \"maxAge\": 600, \"name\": \"Corp\"}",
         "{\"issuer\": \"corp\", \"sub\": \"1\"}", true},
        {"{\"issuer\": \"none\", \"clientId\": \"x\"}", "{\"issuer\": \"corp\", \"sub\": \"1\"}",
         false},
        {"{\"issuer\": \"td\", \"clientId\": \"x\"}", "{\"issuer\": \"corp\", \"sub\": \"1\"}",
         false},
        {"{\"issuer\": \"corp\"}", "{\"issuer\": \"corp\", \"sub\": \"1\"}", false},
        {"{\"clientId\": \"x\"}", "{\"issuer\": \"corp\", \"sub\": \"1\"}", false},
        {"{\"issuer\": \"corp\", \"clientId\": \"x\", \"maxAge\": 90000}",
         "{\"issuer\": \"corp\", \"sub\": \"1\"}", false},
        {"{\"issuer\": \"corp\", \"clientId\": \"x\"}", "{\"issuer\": \"none\", \"sub\": \"1\"}",
         false},
        {"{\"issuer\": \"corp\", \"clientId\": \"x\"}", "{\"issuer\": \"corp\"}", false},
        {"{\"issuer\": \"corp\", \"clientId\": \"x\"}", "{\"sub\": \"1\"}", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p;
        str text = str_fmt(&a,
                           "{%s, \"people\": {\"ann\": {\"roles\": [\"owner\"], \"oidc\": %s}}, "
                           "\"portal\": {\"listen\": \"127.0.0.1:1\", \"login\": %s}}",
                           issuers, rows[i].person, rows[i].portal);
        if (read_it(&a, text.p, &c, &p) != rows[i].ok)
            fail_msg("%zu: %.*s", i, STR(p.n ? p.list[0].text : S("read")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_portal),
        cmocka_unit_test(test_redirect_uris),
        cmocka_unit_test(test_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
