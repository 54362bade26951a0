#include "call/dpop_test.h"
#include "call/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { NOW = 1800000000 };

static const str HTU[] = {{"https://gw.example/mcp", 22}, {"https://gw.example:1/mcp", 24}};

static struct dpop_want want(str token)
{
    return (struct dpop_want){
        .htm = S("POST"), .htu = HTU, .htu_n = 2, .token = token, .now_s = NOW};
}

static struct key *new_key(void)
{
    struct key *k;
    struct err err;
    assert_true(key_generate(KEY_ES256, &k, &err));
    return k;
}

static void test_good(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct key *k = new_key();
    struct dpop_want w = want(S("token"));
    struct dpop_proof p;
    struct err err;
    struct key_id jkt = key_id(k);
    str proof = dpop_make(&a, k, S("j1"), S("POST"), HTU[1], S("token"), S("n"), NOW - 5);
    assert_true(dpop_check(&a, proof, &w, &p, &err));
    assert_string_equal(p.jkt.s, jkt.s);
    assert_true(str_eq(p.jti, S("j1")) && str_eq(p.nonce, S("n")));
    assert_int_equal(p.until_s, NOW - 5 + DPOP_AGE_S_MAX);
    w.token = (str){0};
    assert_true(dpop_check(&a, dpop_make(&a, k, S("j"), S("POST"), HTU[0], S(""), S(""), NOW), &w,
                           &p, &err));
    assert_int_equal(p.nonce.n, 0);
    key_free(k);
}

/* Claims that are refused, each for its own reason: list 5 of the adversarial lists. */
static void test_claims(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *why;
        bool with_token;
    } rows[] = {
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000}",
         "ath", true},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000,"
         "\"ath\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         "ath", true},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000,"
         "\"ath\":\"AAAA\"}",
         "ath without", false},
        {"{\"jti\":\"a\",\"htm\":\"GET\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000}",
         "htm", false},
        {"{\"jti\":\"a\",\"htm\":\"post\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000}",
         "htm", false},
        {"{\"jti\":\"a\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000}", "htm", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"iat\":1800000000}", "htu", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://evil.example/mcp\",\"iat\":1800000000}",
         "htu", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp/x\",\"iat\":1800000000}",
         "htu", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp?x\",\"iat\":1800000000}",
         "htu", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"HTTPS://GW.example/mcp\",\"iat\":1800000000}",
         "htu", false},
        {"{\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000}", "jti", false},
        {"{\"jti\":\"\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000}",
         "jti", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\"}", "iat", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000016}",
         "future", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1799999940}",
         "too old", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1.8e9}", "iat",
         false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/"
         "mcp\",\"iat\":\"1800000000\"}",
         "iat", false},
        {"{\"jti\":\"a\",\"jti\":\"b\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\","
         "\"iat\":1800000000}",
         "twice", false},
        {"{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\",\"iat\":1800000000,"
         "\"exp\":1800000000}",
         "expired", false},
        {"[]", "object", false},
    };
    struct key *k = new_key();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct dpop_want w = want(rows[i].with_token ? S("token") : (str){0});
        struct dpop_proof p = {.until_s = -7};
        struct err err = {0};
        str proof = dpop_sign(&a, k, dpop_header(&a, k), str_z(rows[i].claims));
        if (dpop_check(&a, proof, &w, &p, &err) || !strstr(err.text, rows[i].why))
            fail_msg("row %zu: %s", i, err.text);
        assert_int_equal(p.until_s, -7);
    }
    key_free(k);
}

/* Headers that are refused, over claims that are good. */
static void test_headers(void **state)
{
    (void)state;
    struct key *k = new_key(), *other = new_key();
    ARENA_SCOPE struct arena a = {0};
    str jwk = dpop_jwk(&a, k), open = str_take(jwk, jwk.n - 1);
    const str claims = S("{\"jti\":\"a\",\"htm\":\"POST\",\"htu\":\"https://gw.example/mcp\","
                         "\"iat\":1800000000}");
    const str rows[] = {
        S("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\"}"),
        S("{\"typ\":\"dpop+jwt\",\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}"),
        S("{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}"),
        S("{\"typ\":\"dpop+jwt\",\"alg\":\"none\"}"),
        str_fmt(&a, "{\"typ\":\"dpop+jwt\",\"alg\":\"none\",\"jwk\":%.*s}", STR(jwk)),
        str_fmt(&a, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":%.*s}", STR(jwk)),
        str_fmt(&a, "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"jwk\":%.*s}", STR(jwk)),
        str_fmt(&a, "{\"alg\":\"ES256\",\"jwk\":%.*s}", STR(jwk)),
        str_fmt(&a, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"kid\":\"x\",\"jwk\":%.*s}",
                STR(jwk)),
        str_fmt(&a, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"crit\":[\"x\"],\"jwk\":%.*s}",
                STR(jwk)),
        str_fmt(&a, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jku\":\"https://x\",\"jwk\":%.*s}",
                STR(jwk)),
        /* a private key, shown */
        str_fmt(&a, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":%.*s,\"d\":\"AAAA\"}}",
                STR(open)),
        /* somebody else's key */
        dpop_header(&a, other),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dpop_want w = want((str){0});
        struct dpop_proof p;
        struct err err = {0};
        if (dpop_check(&a, dpop_sign(&a, k, rows[i], claims), &w, &p, &err) || !err.text[0])
            fail_msg("row %zu accepted", i);
    }
    struct dpop_want w = want((str){0});
    struct dpop_proof p;
    struct err err = {0};
    assert_true(dpop_check(&a, dpop_sign(&a, k, dpop_header(&a, k), claims), &w, &p, &err));
    w.htu_n = 0; /* zero denies */
    assert_false(dpop_check(&a, dpop_sign(&a, k, dpop_header(&a, k), claims), &w, &p, &err));
    key_free(k);
    key_free(other);
}

static void test_nonces(void **state)
{
    (void)state;
    struct dpop_nonces n, other;
    dpop_nonces_init(&n);
    dpop_nonces_init(&other);
    struct dpop_nonce x = dpop_nonce_now(&n, NOW);
    str s = str_z(x.s);
    assert_int_equal(s.n, DPOP_NONCE_LEN);
    assert_true(str_is_visible_ascii(s));
    assert_true(dpop_nonce_good(&n, s, NOW) && !dpop_nonce_aging(&n, s, NOW));
    assert_true(dpop_nonce_good(&n, s, NOW + DPOP_NONCE_S));
    assert_true(dpop_nonce_aging(&n, s, NOW + DPOP_NONCE_S));
    assert_false(dpop_nonce_good(&n, s, NOW + 2 * DPOP_NONCE_S));
    assert_false(dpop_nonce_good(&n, s, NOW - DPOP_NONCE_S)); /* of the future */
    assert_false(dpop_nonce_good(&other, s, NOW));            /* of another life */
    assert_false(dpop_nonce_good(&n, str_take(s, s.n - 1), NOW));
    assert_false(dpop_nonce_good(&n, (str){0}, NOW));
    for (size_t i = 0; i < s.n; i++) {
        struct dpop_nonce y = x;
        y.s[i] = y.s[i] == 'A' ? 'B' : 'A';
        assert_false(dpop_nonce_good(&n, str_z(y.s), NOW));
    }
}

static void test_replay(void **state)
{
    (void)state;
    struct replay *r = replay_new(3000);
    struct err err = {0};
    assert_true(replay_take(r, S("k"), S("j"), NOW, NOW + 60, &err));
    assert_false(replay_take(r, S("k"), S("j"), NOW + 59, NOW + 60, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    assert_true(replay_take(r, S("kj"), S(""), NOW, NOW + 60, &err)); /* another pair */
    assert_true(replay_take(r, S(""), S("kj"), NOW, NOW + 60, &err));
    assert_true(replay_take(r, S("k"), S("j"), NOW + 60, NOW + 120, &err)); /* dead by then */
    replay_free(r);
}

/* Fills up, refuses when full, and forgets nothing that lives on its way through growing. */
static void test_replay_fills(void **state)
{
    (void)state;
    enum { MAX = 5000 };
    struct replay *r = replay_new(MAX);
    struct err err = {0};
    char room[16];
    for (int i = 0; i < MAX; i++) {
        int n = snprintf(room, sizeof room, "%d", i);
        assert_true(replay_take(r, S("k"), str_of(room, (size_t)n), NOW, NOW + 60, &err));
    }
    for (int i = 0; i < MAX; i++) {
        int n = snprintf(room, sizeof room, "%d", i);
        assert_false(replay_take(r, S("k"), str_of(room, (size_t)n), NOW, NOW + 60, &err));
        assert_int_equal(err.kind, ERR_DENIED);
    }
    assert_false(replay_take(r, S("k"), S("one more"), NOW, NOW + 60, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(replay_take(r, S("k"), S("one more"), NOW + 60, NOW + 120, &err));
    assert_true(replay_count(r) < 10);
    replay_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_claims),
        cmocka_unit_test(test_headers), cmocka_unit_test(test_nonces),
        cmocka_unit_test(test_replay),  cmocka_unit_test(test_replay_fills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
