/* What is believed of a login provider: RFC 9700 as far as it is decided without a browser. */
#include "people/oidc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct conf_portal CONF = {.origin = {"https://ambit.example", 21},
                                        .login_issuer = {"corp", 4},
                                        .login_client = {"ambit", 5},
                                        .login_max_age_s = 600};
#define ISSUER "https://idp.example"
enum { NOW_S = 1000000 };

static void test_discovery(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"https://idp.example/a\","
         "\"token_endpoint\":\"https://idp.example/t\"}",
         true},
        {"{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"http://127.0.0.1:1/a\","
         "\"token_endpoint\":\"http://localhost:1/t\"}",
         true},
        {"{\"issuer\":\"https://evil.example\",\"authorization_endpoint\":\"https://idp.example/"
         "a\","
         "\"token_endpoint\":\"https://idp.example/t\"}",
         false},
        {"{\"issuer\":\"" ISSUER "/\",\"authorization_endpoint\":\"https://idp.example/a\","
         "\"token_endpoint\":\"https://idp.example/t\"}",
         false},
        {"{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"http://idp.example/a\","
         "\"token_endpoint\":\"https://idp.example/t\"}",
         false},
        {"{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"javascript:x\","
         "\"token_endpoint\":\"https://idp.example/t\"}",
         false},
        {"{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"https://idp.example/a\"}", false},
        {"{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"http://127.0.0.1.evil/a\","
         "\"token_endpoint\":\"https://idp.example/t\"}",
         false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct oidc_provider p;
        struct err err;
        if (oidc_provider_read(&a, str_z(cases[i].text), S(ISSUER), &p, &err) != cases[i].ok)
            fail_msg("case %zu", i);
    }
}

static void test_request_and_answer(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct ceremony c = {.challenge = {1}}, other = {.challenge = {2}};
    struct oidc_provider p = {.authorization_endpoint = S("https://idp.example/a?x=1")};
    struct err err;
    str url = oidc_request(&a, &p, &CONF, &c), st = oidc_state(&a, &c);
    assert_true(
        str_starts(url, S("https://idp.example/a?x=1&response_type=code&client_id=ambit&"
                          "redirect_uri=https%3A%2F%2Fambit.example%2Fsignin%2Fcallback&")));
    assert_true(str_find(url, S("code_challenge_method=S256")) > 0);
    assert_true(str_find(url, S("max_age=600")) > 0 && str_find(url, st) > 0);
    /* What the provider checks the code with is not in the request. */
    assert_true(str_find(url, oidc_verifier(&a, &c)) < 0);
    assert_true(str_find(oidc_exchange(&a, &CONF, &c, S("c&d")), S("code=c%26d&")) > 0);
    assert_true(oidc_answer_check(&a, &p, S(ISSUER), &c, st, (str){0}, &err));
    assert_true(oidc_answer_check(&a, &p, S(ISSUER), &c, st, S(ISSUER), &err));
    assert_false(oidc_answer_check(&a, &p, S(ISSUER), &c, st, S("https://evil.example"), &err));
    assert_false(oidc_answer_check(&a, &p, S(ISSUER), &other, st, S(ISSUER), &err));
    assert_false(oidc_answer_check(&a, &p, S(ISSUER), &c, (str){0}, S(ISSUER), &err));
    p.says_iss = true;
    assert_false(oidc_answer_check(&a, &p, S(ISSUER), &c, st, (str){0}, &err));
}

static bool check(const char *format, struct oidc_person *out, struct err *err)
{
    static struct arena a; /* what comes out borrows from it */
    struct ceremony c = {.challenge = {1}};
    struct jwt t = {0};
    arena_reset(&a);
    str text = str_fmt(&a, "%s", format);
    ptrdiff_t at = str_find(text, S("NONCE"));
    if (at >= 0)
        text = str_fmt(&a, "%.*s%.*s%.*s", (int)at, text.p, STR(oidc_nonce(&a, &c)),
                       STR(str_skip(text, (size_t)at + 5)));
    assert_true(json_read(&a, text, NULL, &t.claims, err));
    t.sub = json_get_str(t.claims, S("sub"));
    return oidc_claims_check(&a, &t, &CONF, &c, (int64_t)NOW_S * 1000, out, err);
}

static void test_claims(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        bool ok;
    } cases[] = {
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":999999}", true},
        {"{\"sub\":\"1\",\"aud\":[\"ambit\"],\"nonce\":\"NONCE\",\"auth_time\":999999}", true},
        {"{\"sub\":\"1\",\"aud\":[\"ambit\",\"x\"],\"azp\":\"ambit\",\"nonce\":\"NONCE\",\"auth_"
         "time\":999999}",
         true},
        {"{\"sub\":\"1\",\"aud\":[\"ambit\",\"x\"],\"nonce\":\"NONCE\",\"auth_time\":999999}",
         false},
        {"{\"sub\":\"1\",\"aud\":[\"ambit\",\"x\"],\"azp\":\"x\",\"nonce\":\"NONCE\",\"auth_time\":"
         "999999}",
         false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"azp\":\"x\",\"nonce\":\"NONCE\",\"auth_time\":999999}",
         false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"azp\":1,\"nonce\":\"NONCE\",\"auth_time\":999999}",
         false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"auth_time\":999999}", false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"\",\"auth_time\":999999}", false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCEx\",\"auth_time\":999999}", false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\"}", false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":999339}", false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":1000061}", false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":\"999999\"}", false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":999999,\"amr\":"
         "\"pwd\"}",
         false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":999999,\"amr\":[\"pwd "
         "hwk\"]}",
         false},
        {"{\"sub\":\"1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":999999,\"amr\":[1]}",
         false},
        {"{\"sub\":\"\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":999999}", false},
    };
    struct oidc_person p;
    struct err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (check(cases[i].claims, &p, &err) != cases[i].ok)
            fail_msg("%s", cases[i].claims);
    assert_true(check("{\"sub\":\"u1\",\"aud\":\"ambit\",\"nonce\":\"NONCE\",\"auth_time\":999999,"
                      "\"acr\":\"gold\",\"amr\":[\"pwd\",\"hwk\"]}",
                      &p, &err));
    assert_true(str_eq(p.amr, S("pwd hwk")) && str_eq(p.acr, S("gold")) && str_eq(p.sub, S("u1")) &&
                p.auth_ms == 999999000);
}

static void test_who_it_is(void **state)
{
    (void)state;
    struct conf_person people[] = {
        {.name = S("ann"), .oidc_issuer = S("corp"), .oidc_sub = S("1")},
        {.name = S("bob"), .oidc_issuer = S("other"), .oidc_sub = S("2")},
        {.name = S("eve")}};
    struct conf conf = {.people = people, .people_n = 3, .portal = CONF};
    assert_ptr_equal(oidc_person_find(&conf, S("1")), &people[0]);
    assert_null(oidc_person_find(&conf, S("2"))); /* of another provider */
    assert_null(oidc_person_find(&conf, (str){0}));
    assert_null(oidc_person_find(&conf, S("11")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discovery),
        cmocka_unit_test(test_request_and_answer),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
