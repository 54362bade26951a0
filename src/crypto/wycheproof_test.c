/* Project Wycheproof's vectors, read from the folder of third-party test data. */
#include "crypto/crypto_test.h"
#include "crypto/foreign.h"
#include "crypto/note.h"

/* The parsed file, or NULL (and the test is skipped) where it is absent. */
static const json *load(struct arena *a, const char *name)
{
    struct err err = {0};
    const json *root = NULL;
    str text = shared_file(a, str_fmt(a, "wycheproof/%s", name).p);
    if (!text.n)
        return NULL;
    OK(json_read(a, text, &(struct json_limits){0}, &root, &err));
    return root;
}

/* skip() jumps past the clean-up of a scope. */
static void skip_file(struct arena *a)
{
    arena_fini(a);
    skip();
}

static bool wants_valid(const json *t)
{
    return str_eq(json_get_str(t, S("result")), S("valid"));
}

static long long tc(const json *t)
{
    int64_t id = -1;
    return json_i64(json_get(t, S("tcId")), &id) ? id : -1;
}

static str unhex_member(struct arena *a, const json *obj, str name)
{
    str out = {0};
    if (!hex_decode(a, json_get_str(obj, name), &out))
        fail_msg("%.*s is not hex", STR(name));
    return out;
}

/* A set as a reader gets it: text. jwk_set: the value is one already. */
static bool set_of(struct arena *a, const json *jwk, bool jwk_set, struct keyset *set)
{
    struct buf b = {0};
    struct err err = {0};
    buf_put(&b, jwk_set ? S("") : S("{\"keys\":["));
    json_write(&b, jwk);
    buf_put(&b, jwk_set ? S("") : S("]}"));
    bool ok = keyset_read(set, buf_str(&b), (str){0}, &err);
    buf_fini(&b);
    return ok;
}

static bool is_es256(const json *jwk)
{
    return str_eq(json_get_str(jwk, S("kty")), S("EC")) &&
           str_eq(json_get_str(jwk, S("crv")), S("P-256"));
}

static bool verifies(const json *test, const struct keyset *set)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct jws jws;
    return jws_verify(&a, json_get_str(test, S("jws")), set, S("JWT|"), &jws, &err);
}

/* Every verdict for P-256 keys as the file says; nothing else is accepted, under its own key or
 * under an ES256 key of ours. */
static void test_jws(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root = load(&a, "json_web_signature_test.json"), *group, *t;
    if (!root)
        skip_file(&a);
    struct err err = {0};
    struct keyset ours = {0};
    OK(keyset_add(&ours, new_key(KEY_ES256), (str){0}, &err));
    int es256 = 0, others = 0, valid = 0;
    for (struct json_iter g = json_iter(json_get(root, S("testGroups")));
         json_next(&g, NULL, &group);) {
        const json *jwk = json_get(group, S("public"));
        jwk = jwk ? jwk : json_get(group, S("private"));
        struct keyset set = {0};
        bool have = set_of(&a, jwk, false, &set) && set.n == 1;
        assert_true(!have || is_es256(jwk));
        for (struct json_iter i = json_iter(json_get(group, S("tests")));
             json_next(&i, NULL, &t);) {
            bool want = wants_valid(t) && is_es256(jwk);
            if (verifies(t, &set) != want)
                fail_msg("tcId %lld: want %d", tc(t), want);
            if (!is_es256(jwk) && verifies(t, &ours))
                fail_msg("tcId %lld: accepted under a key it was not made with", tc(t));
            es256 += is_es256(jwk);
            others += !is_es256(jwk);
            valid += want;
        }
        keyset_fini(&set);
    }
    keyset_fini(&ours);
    printf("JWS: %d ES256 verdicts right (%d valid), %d others refused\n", es256, valid, others);
    assert_true(es256 >= 41 && valid >= 2 && es256 + others == 401);
}

/* Sets of keys: every one that must be refused is, and none of the others holds an ES256 token. */
static void test_jwk(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root = load(&a, "json_web_key_test.json"), *group, *t;
    if (!root)
        skip_file(&a);
    int n = 0;
    for (struct json_iter g = json_iter(json_get(root, S("testGroups")));
         json_next(&g, NULL, &group);) {
        const json *jwks = json_get(group, S("public"));
        jwks = jwks ? jwks : json_get(group, S("private"));
        struct keyset set = {0};
        bool read = set_of(&a, jwks, true, &set);
        for (struct json_iter i = json_iter(json_get(group, S("tests"))); json_next(&i, NULL, &t);
             n++)
            if (read && verifies(t, &set))
                fail_msg("tcId %lld accepted", tc(t));
        keyset_fini(&set);
    }
    printf("JWK: %d tokens under bad or foreign keys refused\n", n);
    assert_int_equal(n, 26);
}

/* ---- keys of others ---- */

static bool foreign_set_of(const json *jwk, bool jwk_set, struct foreign_keys *set)
{
    static const struct foreign_rules rules = {.algorithms = JWA_SET_ALL};
    struct buf b = {0};
    struct err err = {0};
    buf_put(&b, jwk_set ? S("") : S("{\"keys\":["));
    json_write(&b, jwk);
    buf_put(&b, jwk_set ? S("") : S("]}"));
    bool ok = foreign_keys_read(buf_str(&b), &rules, set, &err);
    buf_fini(&b);
    return ok;
}

static bool foreign_verifies(const json *test, const struct foreign_keys *set)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct jws jws;
    return foreign_verify(&a, json_get_str(test, S("jws")), set, S("JWT|"), &jws, &err);
}

/* Every verdict under an asymmetric key as the file says. Refused beyond that: what it takes from
 * RFC 7520 and gives a key whose alg is not its token's (PS256 for PS384; "ES521", which does not
 * exist, for ES512), and HMAC. */
static void test_foreign_jws(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root = load(&a, "json_web_signature_test.json"), *group, *t;
    if (!root)
        skip_file(&a);
    int n = 0, valid = 0, symmetric = 0;
    for (struct json_iter g = json_iter(json_get(root, S("testGroups")));
         json_next(&g, NULL, &group);) {
        const json *jwk = json_get(group, S("public"));
        jwk = jwk ? jwk : json_get(group, S("private"));
        bool oct = str_eq(json_get_str(jwk, S("kty")), S("oct"));
        str alg = json_get_str(jwk, S("alg"));
        struct foreign_keys set = {0};
        assert_int_equal(foreign_set_of(jwk, false, &set), !oct);
        for (struct json_iter i = json_iter(json_get(group, S("tests")));
             json_next(&i, NULL, &t);) {
            bool mislabelled =
                str_eq(json_get_str(t, S("comment")), S("Figure20")) || str_eq(alg, S("ES521"));
            bool want = wants_valid(t) && !oct && !mislabelled;
            if (foreign_verifies(t, &set) != want)
                fail_msg("tcId %lld: want %d", tc(t), want);
            n += !oct;
            symmetric += oct;
            valid += want;
        }
        foreign_keys_fini(&set);
    }
    printf("JWS of others: %d verdicts right (%d valid), %d HMAC refused\n", n, valid, symmetric);
    assert_true(valid == 32 && n + symmetric == 401);
}

static void test_foreign_jwk(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root = load(&a, "json_web_key_test.json"), *group, *t;
    if (!root)
        skip_file(&a);
    int n = 0, valid = 0;
    for (struct json_iter g = json_iter(json_get(root, S("testGroups")));
         json_next(&g, NULL, &group);) {
        const json *jwks = json_get(group, S("public"));
        jwks = jwks ? jwks : json_get(group, S("private"));
        struct foreign_keys set = {0};
        bool read = foreign_set_of(jwks, true, &set);
        for (struct json_iter i = json_iter(json_get(group, S("tests"))); json_next(&i, NULL, &t);
             n++) {
            const json *first = NULL;
            struct json_iter keys = json_iter(json_get(jwks, S("keys")));
            bool oct =
                json_next(&keys, NULL, &first) && str_eq(json_get_str(first, S("kty")), S("oct"));
            bool want = wants_valid(t) && !oct, ok = read && foreign_verifies(t, &set);
            if (ok != want)
                fail_msg("tcId %lld: %d", tc(t), ok);
            valid += ok;
        }
        foreign_keys_fini(&set);
    }
    printf("JWK of others: %d verdicts right (%d valid)\n", n, valid);
    assert_true(n == 26 && valid == 1);
}

/* The cases that Wycheproof took over from other libraries: bits changed in each part, white space,
 * another algorithm's header, keys with the weakness ROCA, sets with symmetric keys, and tokens
 * that are encrypted instead of signed. HMAC and JWE are refused, whatever they are worth. */
static void test_web_crypto(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root = load(&a, "json_web_crypto_test.json"), *group, *t;
    if (!root)
        skip_file(&a);
    int n = 0, valid = 0, encrypted = 0;
    struct err err = {0};
    struct jws jws;
    for (struct json_iter g = json_iter(json_get(root, S("testGroups")));
         json_next(&g, NULL, &group);) {
        const json *jwk = json_get(group, S("public"));
        jwk = jwk ? jwk : json_get(group, S("private"));
        str kty = json_get_str(jwk, S("kty"));
        bool one = str_eq(kty, S("EC")) || str_eq(kty, S("RSA"));
        struct foreign_keys theirs = {0};
        struct keyset ours = {0};
        bool have = foreign_set_of(jwk, kty.n == 0, &theirs);
        bool es256 = set_of(&a, jwk, kty.n == 0, &ours) && is_es256(jwk);
        for (struct json_iter i = json_iter(json_get(group, S("tests"))); json_next(&i, NULL, &t);
             n++) {
            bool jwe = json_get(t, S("jwe")) != NULL, want = wants_valid(t) && one && !jwe;
            str token = json_get_str(t, jwe ? S("jwe") : S("jws"));
            encrypted += jwe;
            if ((have && foreign_verify(&a, token, &theirs, S("JWT|"), &jws, &err)) != want)
                fail_msg("tcId %lld: want %d", tc(t), want);
            if (jws_verify(&a, token, &ours, S("JWT|"), &jws, &err) != (want && es256))
                fail_msg("tcId %lld: want %d of our own verifier", tc(t), want && es256);
            valid += want;
        }
        foreign_keys_fini(&theirs);
        keyset_fini(&ours);
    }
    printf("JWS and JWE: %d verdicts right (%d valid), %d encrypted refused\n", n, valid,
           encrypted);
    assert_true(n == 83 && encrypted == 34 && valid >= 2);
}

static void test_ecdsa(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root = load(&a, "ecdsa_secp256r1_sha256_p1363_test.json"), *group, *t;
    if (!root)
        skip_file(&a);
    int n = 0, valid = 0;
    for (struct json_iter g = json_iter(json_get(root, S("testGroups")));
         json_next(&g, NULL, &group);) {
        struct err err = {0};
        struct key *k;
        str raw = unhex_member(&a, json_get(group, S("publicKey")), S("uncompressed"));
        OK(key_from_raw(KEY_ES256, raw, &k, &err));
        for (struct json_iter i = json_iter(json_get(group, S("tests"))); json_next(&i, NULL, &t);
             n++) {
            bool ok = key_verify(k, unhex_member(&a, t, S("msg")), unhex_member(&a, t, S("sig")));
            if (ok != wants_valid(t))
                fail_msg("tcId %lld: %d", tc(t), ok);
            valid += ok;
        }
        key_free(k);
    }
    printf("ECDSA: %d verdicts right (%d valid)\n", n, valid);
    assert_int_equal(n, 262);
}

static void test_ed25519(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    const json *root = load(&a, "ed25519_test.json"), *group, *t;
    if (!root)
        skip_file(&a);
    int n = 0, valid = 0;
    for (struct json_iter g = json_iter(json_get(root, S("testGroups")));
         json_next(&g, NULL, &group);) {
        struct err err = {0};
        struct key *k;
        str raw = unhex_member(&a, json_get(group, S("publicKey")), S("pk"));
        OK(key_from_raw(KEY_ED25519, raw, &k, &err));
        for (struct json_iter i = json_iter(json_get(group, S("tests"))); json_next(&i, NULL, &t);
             n++) {
            bool ok = key_verify(k, unhex_member(&a, t, S("msg")), unhex_member(&a, t, S("sig")));
            if (ok != wants_valid(t))
                fail_msg("tcId %lld: %d", tc(t), ok);
            valid += ok;
        }
        key_free(k);
    }
    printf("Ed25519: %d verdicts right (%d valid)\n", n, valid);
    assert_int_equal(n, 151);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jws),         cmocka_unit_test(test_jwk),
        cmocka_unit_test(test_foreign_jws), cmocka_unit_test(test_foreign_jwk),
        cmocka_unit_test(test_web_crypto),  cmocka_unit_test(test_ecdsa),
        cmocka_unit_test(test_ed25519),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
