#include "crypto/crypto_test.h"

static const enum key_alg ALGS[] = {KEY_ES256, KEY_ED25519};

static const json *read_json(struct arena *a, str text)
{
    struct err err = {0};
    const json *v = NULL;
    OK(json_read(a, text, &(struct json_limits){0}, &v, &err));
    return v;
}

/* Every form out and in again is the same key, and what it signs verifies. */
static void test_round_trips(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct key *k = new_key(ALGS[i]), *again, *pub = public_of(k), *from_jwk, *from_evp;
        struct secret *der;
        OK(key_to_pkcs8(k, &der, &err));
        OK(key_from_pkcs8(secret_str(der), &again, &err));
        struct buf b = {0};
        struct jw w = jw(&b);
        key_write_jwk(&w, k, S("the-kid"), (str){0});
        OK(key_from_jwk(read_json(&a, buf_str(&b)), &from_jwk, &err));
        OK(key_from_evp(key_evp(k), &from_evp, &err));
        assert_true(key_is_private(k) && key_is_private(again) && !key_is_private(pub) &&
                    !key_is_private(from_jwk) && !key_is_private(from_evp));
        uint8_t sig[SIG_LEN];
        OK(key_sign(again, S("message"), sig, &err));
        str s = str_of((char *)sig, SIG_LEN);
        struct key *all[] = {k, again, pub, from_jwk, from_evp};
        for (size_t j = 0; j < 5; j++) {
            assert_true(key_same_public(k, all[j]));
            assert_true(key_verify(all[j], S("message"), s));
            assert_false(key_verify(all[j], S("messagf"), s));
            assert_false(key_verify(all[j], S("message"), str_take(s, 63)));
        }
        NO(ERR_INPUT, key_sign(pub, S("message"), sig, &err));
        NO(ERR_INPUT, key_sign(from_evp, S("message"), sig, &err));
        struct secret *none;
        NO(ERR_INPUT, key_to_pkcs8(pub, &none, &err));
        for (size_t j = 0; j < 5; j++)
            key_free(all[j]);
        secret_free(der);
        buf_fini(&b);
    }
}

static void test_each_bit_of_a_signature(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        struct err err = {0};
        struct key *k = new_key(ALGS[i]);
        uint8_t sig[SIG_LEN];
        OK(key_sign(k, S("m"), sig, &err));
        for (size_t bit = 0; bit < SIG_LEN * 8; bit += 3) {
            sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(key_verify(k, S("m"), str_of((char *)sig, SIG_LEN)));
            sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_true(key_verify(k, S("m"), str_of((char *)sig, SIG_LEN)));
        key_free(k);
    }
}

/* RFC 8037 appendix A.3, and the key and `jkt` that RFC 9449 uses throughout. */
static void test_thumbprints(void **state)
{
    static const struct {
        str jwk, id;
    } rows[] = {
        {S("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
           "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
         S("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")},
        {S("{\"kty\":\"EC\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\","
           "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\",\"crv\":\"P-256\"}"),
         S("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")},
    };
    for (size_t i = 0; i < 2; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct key *k;
        OK(key_from_jwk(read_json(&a, rows[i].jwk), &k, &err));
        struct key_id id = key_id(k);
        assert_true(str_eq(key_id_str(&id), rows[i].id));
        key_free(k);
    }
}

#define X    "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"
#define Y    "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
#define P256 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""
static const struct {
    const char *name;
    str jwk;
    enum err_kind kind; /* ERR_NONE: accepted */
} jwk_rows[] = {
    {"plain", S("{" P256 "}"), ERR_NONE},
    {"with its own labels",
     S("{" P256 ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"verify\"]}"), ERR_NONE},
    {"private", S("{" P256 ",\"d\":\"" X "\"}"), ERR_INPUT},
    {"symmetric member", S("{" P256 ",\"k\":\"" X "\"}"), ERR_INPUT},
    {"alg of another key", S("{" P256 ",\"alg\":\"ES384\"}"), ERR_INPUT},
    {"alg is no string", S("{" P256 ",\"alg\":1}"), ERR_INPUT},
    {"use enc", S("{" P256 ",\"use\":\"enc\"}"), ERR_INPUT},
    {"use empty", S("{" P256 ",\"use\":\"\"}"), ERR_INPUT},
    {"key_ops sign only", S("{" P256 ",\"key_ops\":[\"sign\"]}"), ERR_INPUT},
    {"key_ops is a string", S("{" P256 ",\"key_ops\":\"verify\"}"), ERR_INPUT},
    {"key_ops is an object", S("{" P256 ",\"key_ops\":{\"a\":\"verify\"}}"), ERR_INPUT},
    {"x and y swapped", S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" X "\"}"),
     ERR_INPUT},
    {"y missing", S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}"), ERR_INPUT},
    {"x too short", S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"" Y "\"}"),
     ERR_INPUT},
    {"x padded", S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}"),
     ERR_INPUT},
    {"zero point",
     S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
       "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"),
     ERR_INPUT},
    {"P-384", S("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}"),
     ERR_NOTFOUND},
    {"RSA", S("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"), ERR_NOTFOUND},
    {"Ed25519 as EC", S("{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" X "\"}"), ERR_NOTFOUND},
    {"X25519", S("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}"), ERR_NOTFOUND},
    {"not an object", S("[]"), ERR_NOTFOUND},
};

static void test_jwk_table(void **state)
{
    for (size_t i = 0; i < sizeof jwk_rows / sizeof *jwk_rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct key *k = NULL;
        bool ok = key_from_jwk(read_json(&a, jwk_rows[i].jwk), &k, &err);
        if (ok != (jwk_rows[i].kind == ERR_NONE) || err.kind != jwk_rows[i].kind)
            fail_msg("%s: %s (kind %d)", jwk_rows[i].name, ok ? "accepted" : err.text, err.kind);
        key_free(k);
    }
}

static void test_bad_bytes(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct key *k = new_key(KEY_ES256), *out;
    struct secret *der;
    OK(key_to_pkcs8(k, &der, &err));
    str good = str_dup(&a, secret_str(der));
    for (size_t n = 0; n < good.n; n++)
        assert_false(key_from_pkcs8(str_take(good, n), &out, &err));
    char *p = arena_alloc(&a, good.n + 1);
    memcpy(p, good.p, good.n);
    str longer = str_of(p, good.n + 1);
    NO(ERR_INPUT, key_from_pkcs8(longer, &out, &err));
    uint8_t raw[KEY_RAW_MAX];
    assert_int_equal(key_to_raw(k, raw), 65);
    raw[64] ^= 1;
    NO(ERR_INPUT, key_from_raw(KEY_ES256, str_of((char *)raw, 65), &out, &err));
    raw[64] ^= 1;
    raw[0] = 2;
    NO(ERR_INPUT, key_from_raw(KEY_ES256, str_of((char *)raw, 33), &out, &err));
    NO(ERR_INPUT, key_from_raw(KEY_ED25519, str_of((char *)raw, 31), &out, &err));
    NO(ERR_INPUT, key_from_raw(KEY_NONE, str_of((char *)raw, 32), &out, &err));
    NO(ERR_INPUT, key_generate(KEY_NONE, &out, &err));
    secret_free(der);
    key_free(k);
    key_free(NULL);
}

/* One form in DER for each kind; every other spelling of a key is refused. */
static void test_spki(void **state)
{
    struct err err;
    for (int alg = KEY_ES256; alg <= KEY_ED25519; alg++) {
        struct key *k, *back;
        struct buf der = {0};
        char bytes[128];
        assert_true(key_generate(alg, &k, &err));
        assert_true(key_to_spki(k, &der, &err));
        str good = buf_str(&der);
        assert_true(key_from_spki(good, &back, &err));
        assert_true(key_same_public(k, back) && !key_is_private(back));
        key_free(back);
        for (size_t n = 0; n < good.n; n++)
            assert_false(key_from_spki(str_take(good, n), &back, &err));
        memcpy(bytes, good.p, good.n);
        bytes[good.n] = 0;
        assert_false(key_from_spki(str_of(bytes, good.n + 1), &back, &err));
        for (size_t i = 0; i < good.n - (alg == KEY_ES256 ? 64 : 32); i++) {
            bytes[i] ^= 1;
            assert_false(key_from_spki(str_of(bytes, good.n), &back, &err));
            bytes[i] ^= 1;
        }
        if (alg == KEY_ES256) { /* a point off the curve */
            bytes[good.n - 1] ^= 1;
            assert_false(key_from_spki(str_of(bytes, good.n), &back, &err));
        }
        buf_fini(&der);
        key_free(k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spki),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_each_bit_of_a_signature),
        cmocka_unit_test(test_thumbprints),
        cmocka_unit_test(test_jwk_table),
        cmocka_unit_test(test_bad_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
