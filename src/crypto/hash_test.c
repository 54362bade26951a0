#include "crypto/crypto_test.h"
#include "base/limits.h"
#include "base/rand.h"
#include "crypto/digest.h"

/* FIPS 180-4 examples. */
static void test_sha256(void **state)
{
    struct err err = {0};
    OK(crypto_init(&err));
    assert_true(str_eq(hex_of(sha256(S("abc"))),
                       S("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")));
    assert_true(str_eq(hex_of(sha256((str){0})),
                       S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    const str parts[] = {S("a"), S(""), S("bc")};
    struct hash one = sha256(S("abc")), two = sha256_parts(parts, 3);
    assert_true(hash_eq(&one, &two));
    two.b[31] ^= 1;
    assert_false(hash_eq(&one, &two));
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, S("abc"));
    sha256_drop(&s);
    sha256_drop(&s);
}

/* RFC 4231 cases 1, 2 and 6 (a key longer than the block). */
static void test_hmac(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct hash h =
        hmac_sha256(unhex(&a, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), S("Hi There"));
    assert_true(
        str_eq(hex_of(h), S("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")));
    h = hmac_sha256(S("Jefe"), S("what do ya want for nothing?"));
    assert_true(
        str_eq(hex_of(h), S("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")));
    char key[131];
    memset(key, 0xaa, sizeof key);
    h = hmac_sha256(str_of(key, sizeof key),
                    S("Test Using Larger Than Block-Size Key - Hash Key First"));
    assert_true(
        str_eq(hex_of(h), S("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")));
}

/* RFC 5869 cases 1 and 3. */
static void test_hkdf(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    str ikm = unhex(&a, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    char out[42];
    hkdf_sha256(ikm, unhex(&a, "000102030405060708090a0b0c"), unhex(&a, "f0f1f2f3f4f5f6f7f8f9"),
                out, sizeof out);
    assert_string_equal(hex_dup(&a, str_of(out, sizeof out)).p,
                        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                        "34007208d5b887185865");
    hkdf_sha256(ikm, (str){0}, (str){0}, out, sizeof out);
    assert_string_equal(hex_dup(&a, str_of(out, sizeof out)).p,
                        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                        "9d201395faa4b61a96c8");
}

static void test_secret(void **state)
{
    struct err err = {0};
    struct secret *s;
    OK(secret_of(S("0123456789"), &s, &err));
    secret_truncate(s, 4);
    assert_true(str_eq(secret_str(s), S("0123")));
    assert_memory_equal(s->p + 4, "\0\0\0\0\0\0", 6);
    secret_free(s);
    /* Its page may serve again: nothing of it is left. */
    OK(secret_new(10, &s, &err));
    assert_memory_equal(s->p, "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_int_equal(s->n, 10);
    secret_free(s);
    OK(secret_new(SEALED_BYTES_MAX, &s, &err));
    secret_free(s);
    NO(ERR_LIMIT, secret_new(SEALED_BYTES_MAX + 1, &s, &err));
    secret_free(NULL);
    assert_int_equal(secret_str(NULL).n, 0);
}

/* The encoding written out by hand; and no shift of a boundary keeps the digest. */
static void test_call_digest(void **state)
{
    str encoded = S("\0\0\0\0\0\0\0\x0d"
                    "ambit call v1"
                    "\0\0\0\0\0\0\0\x01"
                    "t"
                    "\0\0\0\0\0\0\0\x02"
                    "gh"
                    "\0\0\0\0\0\0\0\x05"
                    "close"
                    "\0\0\0\0\0\0\0\x07"
                    "{\"n\":1}");
    struct hash want = sha256(encoded),
                got = call_digest(S("t"), S("gh"), S("close"), S("{\"n\":1}"));
    assert_true(hash_eq(&want, &got));
    got = call_digest(S("t"), S("ghc"), S("lose"), S("{\"n\":1}"));
    assert_false(hash_eq(&want, &got));
    got = call_digest(S("t"), S("gh"), S("close"), S("{\"n\":1.0}"));
    assert_false(hash_eq(&want, &got));
}

static void test_commitment(void **state)
{
    uint8_t salt[SALT_LEN], other[SALT_LEN];
    rand_bytes(salt, sizeof salt);
    memcpy(other, salt, sizeof salt);
    other[0] ^= 1;
    struct hash c = commitment(salt, S("4111"));
    assert_true(commitment_is(&c, salt, S("4111")));
    assert_false(commitment_is(&c, salt, S("4112")));
    assert_false(commitment_is(&c, other, S("4111")));
    uint8_t by_hand[SALT_LEN + 8 + 4] = {0};
    memcpy(by_hand, salt, SALT_LEN);
    by_hand[SALT_LEN + 7] = 4;
    memcpy(by_hand + SALT_LEN + 8, "4111", 4);
    struct hash want = sha256(str_of((char *)by_hand, sizeof by_hand));
    assert_true(hash_eq(&c, &want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),      cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hkdf),        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_call_digest), cmocka_unit_test(test_commitment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
