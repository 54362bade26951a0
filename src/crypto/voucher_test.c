#include "crypto/crypto_test.h"
#include "base/limits.h"
#include "crypto/voucher.h"

#define CALL "c01jdq5k8zmx3v9w4t7r2n6b0e5"
static const int64_t NOW = 1790000000000;

static struct secret *key_of(uint8_t first)
{
    struct err err = {0};
    struct secret *k;
    OK(secret_new(VOUCHER_KEY_LEN, &k, &err));
    for (size_t i = 0; i < k->n; i++)
        k->p[i] = (uint8_t)(first + i);
    return k;
}

static struct voucher sample(void)
{
    return (struct voucher){.kind = VOUCHER_SECRET_EDGE,
                            .call = S(CALL),
                            .binding = S("github"),
                            .secret = S("github-token"),
                            .request = sha256(S("request")),
                            .expires_ms = NOW + 5000};
}

static void test_round_trip(void **state)
{
    struct err err = {0};
    struct secret *k = key_of(1), *other = key_of(2);
    uint8_t bytes[VOUCHER_LEN];
    str text = str_of((char *)bytes, sizeof bytes);
    static const enum voucher_kind kinds[] = {VOUCHER_SECRET_EDGE, VOUCHER_SECRET_RUNNER,
                                              VOUCHER_STDIO_CALL};
    for (size_t i = 0; i < 3; i++) {
        struct voucher v = sample(), got;
        v.kind = kinds[i];
        if (v.kind == VOUCHER_STDIO_CALL)
            v.secret = (str){0};
        OK(voucher_mint(k, &v, bytes, &err));
        OK(voucher_check(k, text, NOW, &got, &err));
        assert_true(got.kind == v.kind && str_eq(got.call, v.call) &&
                    str_eq(got.binding, v.binding) && str_eq(got.secret, v.secret) &&
                    hash_eq(&got.request, &v.request) && got.expires_ms == v.expires_ms);
        OK(voucher_check(k, text, v.expires_ms - 1, &got, &err));
        NO(ERR_DENIED, voucher_check(k, text, v.expires_ms, &got, &err));
        NO(ERR_DENIED, voucher_check(k, text, v.expires_ms - VOUCHER_LIFE_MS - 1, &got, &err));
        NO(ERR_DENIED, voucher_check(k, text, -1, &got, &err));
        NO(ERR_DENIED, voucher_check(other, text, NOW, &got, &err));
    }
    secret_free(k);
    secret_free(other);
}

static void test_each_byte(void **state)
{
    struct err err = {0};
    struct secret *k = key_of(1);
    struct voucher v = sample(), got;
    uint8_t bytes[VOUCHER_LEN + 1] = {0};
    OK(voucher_mint(k, &v, bytes, &err));
    for (size_t i = 0; i < VOUCHER_LEN; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1 << bit);
            NO(ERR_DENIED, voucher_check(k, str_of((char *)bytes, VOUCHER_LEN), NOW, &got, &err));
            bytes[i] ^= (uint8_t)(1 << bit);
        }
        NO(ERR_INPUT, voucher_check(k, str_of((char *)bytes, i), NOW, &got, &err));
    }
    NO(ERR_INPUT, voucher_check(k, str_of((char *)bytes, VOUCHER_LEN + 1), NOW, &got, &err));
    OK(voucher_check(k, str_of((char *)bytes, VOUCHER_LEN), NOW, &got, &err));
    secret_free(k);
}

/* Under a good MAC: what a voucher of another version, or a broken minter, would look like. */
static void test_strict_form(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
    } rows[] = {
        {"version 0", 0, 0},
        {"version 2", 0, 2},
        {"kind 0", 1, 0},
        {"kind 4", 1, 4},
        {"stdio with a secret", 1, 3},
        {"call of another prefix", 2, 't'},
        {"call with a capital", 9, 'A'},
        {"negative expiry", 61, 0x80},
        {"no binding", 69, 0},
        {"binding too long", 69, 65},
        {"binding shorter than its bytes", 69, 5},
        {"binding longer than its bytes", 69, 7},
        {"bytes after the binding", 133, 'x'},
        {"space in the binding", 70, ' '},
        {"no secret", 134, 0},
        {"secret too long", 134, 200},
        {"bytes after the secret", 198, 1},
    };
    struct err err = {0};
    struct secret *k = key_of(1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct voucher v = sample(), got;
        uint8_t bytes[VOUCHER_LEN];
        OK(voucher_mint(k, &v, bytes, &err));
        bytes[rows[i].at] = rows[i].value;
        const str parts[] = {S("ambit voucher v1\0"), str_of((char *)bytes, 199)};
        struct hash mac = hmac_sha256_parts(secret_str(k), parts, 2);
        memcpy(bytes + 199, mac.b, HASH_LEN);
        err = (struct err){0};
        if (voucher_check(k, str_of((char *)bytes, VOUCHER_LEN), NOW, &got, &err) ||
            err.kind != ERR_INPUT)
            fail_msg("%s: kind %d %s", rows[i].name, err.kind, err.text);
    }
    secret_free(k);
}

static void test_mint_refuses(void **state)
{
    struct err err = {0};
    struct secret *k = key_of(1), *small;
    uint8_t out[VOUCHER_LEN];
    struct voucher v = sample();
    OK(secret_new(31, &small, &err));
    NO(ERR_INPUT, voucher_mint(small, &v, out, &err));
    NO(ERR_INPUT, voucher_mint(NULL, &v, out, &err));
    NO(ERR_INPUT, voucher_mint(k, &(struct voucher){0}, out, &err));
    v = sample(), v.secret = (str){0};
    NO(ERR_INPUT, voucher_mint(k, &v, out, &err));
    v = sample(), v.kind = VOUCHER_STDIO_CALL;
    NO(ERR_INPUT, voucher_mint(k, &v, out, &err));
    v = sample(),
    v.binding = S("0123456789012345678901234567890123456789012345678901234567890123x");
    NO(ERR_INPUT, voucher_mint(k, &v, out, &err));
    v = sample(), v.binding = (str){0};
    NO(ERR_INPUT, voucher_mint(k, &v, out, &err));
    v = sample(), v.kind = 4, v.secret = (str){0};
    NO(ERR_INPUT, voucher_mint(k, &v, out, &err));
    v = sample(), v.call = S("c1");
    NO(ERR_INPUT, voucher_mint(k, &v, out, &err));
    v = sample(), v.expires_ms = 0;
    NO(ERR_INPUT, voucher_mint(k, &v, out, &err));
    secret_free(k);
    secret_free(small);
}

static void test_used_once(void **state)
{
    struct err err = {0};
    struct voucher_used *u;
    OK(voucher_used_new(100, &u, &err));
    struct voucher v = sample();
    OK(voucher_used_take(u, &v, NOW, &err));
    NO(ERR_DENIED, voucher_used_take(u, &v, NOW, &err));
    struct voucher later = v;
    later.expires_ms += 1000;
    NO(ERR_DENIED, voucher_used_take(u, &later, NOW, &err));
    struct voucher other = v;
    other.kind = VOUCHER_SECRET_RUNNER;
    OK(voucher_used_take(u, &other, NOW, &err));
    other = v, other.secret = S("second");
    OK(voucher_used_take(u, &other, NOW, &err));
    other = v, other.call = S("c01jdq5k8zmx3v9w4t7r2n6b0e6");
    OK(voucher_used_take(u, &other, NOW, &err));
    assert_int_equal(voucher_used_count(u), 4);
    NO(ERR_DENIED, voucher_used_take(u, &v, v.expires_ms, &err));
    /* The clock has been seen past its expiry: setting it back does not revive it. */
    other = v, other.secret = S("third");
    NO(ERR_DENIED, voucher_used_take(u, &other, NOW, &err));
    voucher_used_free(u);
    voucher_used_free(NULL);
    NO(ERR_INPUT, voucher_used_new(0, &u, &err));
    NO(ERR_INPUT, voucher_used_new(SIZE_MAX, &u, &err));
}

/* Full of live ones it refuses; as they die there is room again; and nothing is ever taken twice.
 */
static void test_full(void **state)
{
    struct err err = {0};
    struct voucher_used *u;
    enum { CAP = 1000 };
    OK(voucher_used_new(CAP, &u, &err));
    static struct id ids[3 * CAP];
    for (int i = 0; i < 3 * CAP; i++)
        ids[i] = id_new('c');
    struct voucher v = sample();
    for (int i = 0; i < CAP; i++) {
        v.call = id_str(&ids[i]);
        v.expires_ms = NOW + 1 + i;
        OK(voucher_used_take(u, &v, NOW, &err));
    }
    v.call = id_str(&ids[CAP]);
    v.expires_ms = NOW + 9000;
    NO(ERR_LIMIT, voucher_used_take(u, &v, NOW, &err));
    for (int i = 0; i < CAP / 2; i++) {
        v.call = id_str(&ids[CAP + i]);
        OK(voucher_used_take(u, &v, NOW + CAP / 2, &err));
    }
    v.call = id_str(&ids[2 * CAP]);
    NO(ERR_LIMIT, voucher_used_take(u, &v, NOW + CAP / 2, &err));
    for (int i = CAP / 2; i < CAP + CAP / 2; i++) {
        v.call = id_str(&ids[i]);
        NO(ERR_DENIED, voucher_used_take(u, &v, NOW + CAP / 2, &err));
    }
    v.call = id_str(&ids[2 * CAP]);
    v.expires_ms = NOW + 20000;
    OK(voucher_used_take(u, &v, NOW + 9000, &err));
    assert_int_equal(voucher_used_count(u), 1);
    voucher_used_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_strict_form), cmocka_unit_test(test_mint_refuses),
        cmocka_unit_test(test_used_once),   cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
