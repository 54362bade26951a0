#include "crypto/crypto_test.h"
#include "base/limits.h"
#include "crypto/seal.h"

static struct secret *master_of(uint8_t first)
{
    struct err err = {0};
    struct secret *m;
    OK(secret_new(SEAL_MASTER_LEN, &m, &err));
    for (size_t i = 0; i < m->n; i++)
        m->p[i] = (uint8_t)(first + i);
    return m;
}

static void test_round_trip(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct secret *m = master_of(1), *other = master_of(2), *out;
    static const size_t sizes[] = {0, 1, 16, 40, SEALED_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        str plain = str_of(arena_alloc(&a, sizes[i] + 1), sizes[i]);
        struct buf b = {0};
        OK(seal(m, S("secret"), S("github"), plain, &b, &err));
        assert_int_equal(buf_len(&b), sizes[i] + SEAL_OVERHEAD);
        OK(seal_open(m, S("secret"), S("github"), buf_str(&b), &out, &err));
        assert_true(str_eq(secret_str(out), plain));
        secret_free(out);
        NO(ERR_DENIED, seal_open(other, S("secret"), S("github"), buf_str(&b), &out, &err));
        NO(ERR_DENIED, seal_open(m, S("key"), S("github"), buf_str(&b), &out, &err));
        NO(ERR_DENIED, seal_open(m, S("secret"), S("gitlab"), buf_str(&b), &out, &err));
        NO(ERR_DENIED, seal_open(m, S("secretg"), S("ithub"), buf_str(&b), &out, &err));
        buf_fini(&b);
    }
    struct buf one = {0}, two = {0};
    OK(seal(m, S("p"), S("n"), S("same"), &one, &err));
    OK(seal(m, S("p"), S("n"), S("same"), &two, &err));
    assert_false(str_eq(buf_str(&one), buf_str(&two)));
    buf_fini(&one);
    buf_fini(&two);
    secret_free(m);
    secret_free(other);
}

static void test_each_byte(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct secret *m = master_of(1), *out;
    struct buf b = {0};
    OK(seal(m, S("p"), S("n"), S("ghp_not_a_real_one"), &b, &err));
    str good = str_dup(&a, buf_str(&b));
    char *p = arena_dup(&a, good.p, good.n);
    for (size_t i = 0; i < good.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            p[i] = (char)(good.p[i] ^ 1 << bit);
            assert_false(seal_open(m, S("p"), S("n"), str_of(p, good.n), &out, &err));
        }
        p[i] = good.p[i];
        assert_false(seal_open(m, S("p"), S("n"), str_take(good, i), &out, &err));
    }
    buf_putc(&b, 0);
    assert_false(seal_open(m, S("p"), S("n"), buf_str(&b), &out, &err));
    buf_fini(&b);
    secret_free(m);
}

/* The stored form, computed by an unrelated implementation (Python's cryptography): master 01..20,
 * nonce 00..0b. */
static void test_fixed_form(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct secret *m = master_of(1), *out;
    OK(seal_open(
        m, S("secret"), S("github"),
        unhex(&a, "41534c01000102030405060708090a0b15b529e636b93307611445a5c4755badea7631f25a"),
        &out, &err));
    assert_true(str_eq(secret_str(out), S("hello")));
    secret_free(out);
    secret_free(m);
}

static void test_limits(void **state)
{
    struct err err = {0};
    struct secret *m = master_of(1), *small, *out;
    struct buf b = {0}, tight = {.max = 40};
    OK(secret_new(16, &small, &err));
    static char large[SEALED_BYTES_MAX + 1];
    NO(ERR_INPUT, seal(small, S("p"), S("n"), S("x"), &b, &err));
    NO(ERR_INPUT, seal(NULL, S("p"), S("n"), S("x"), &b, &err));
    NO(ERR_INPUT, seal(m, S(""), S("n"), S("x"), &b, &err));
    NO(ERR_INPUT, seal(m, S("p"), S(""), S("x"), &b, &err));
    NO(ERR_INPUT, seal(m, S("p"), str_of(large, 256), S("x"), &b, &err));
    NO(ERR_LIMIT, seal(m, S("p"), S("n"), str_of(large, sizeof large), &b, &err));
    NO(ERR_LIMIT, seal(m, S("p"), S("n"), S("123456789"), &tight, &err));
    NO(ERR_INPUT, seal_open(m, S("p"), S("n"), S(""), &out, &err));
    assert_int_equal(buf_len(&b) + buf_len(&tight), 0);
    buf_fini(&tight);
    secret_free(small);
    secret_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_fixed_form),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
