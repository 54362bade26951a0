#include "role/workload_ident.h"
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_refs(void **state)
{
    struct map idents = {0};
    struct ident *a = ident_ref(&idents, S("spiffe://x/a"));
    assert_ptr_equal(ident_ref(&idents, S("spiffe://x/a")), a);
    struct ident *b = ident_ref(&idents, S("spiffe://x/b"));
    assert_ptr_not_equal(a, b);
    ident_unref(&idents, a);
    assert_int_equal(map_count(&idents), 2);
    ident_unref(&idents, a);
    assert_null(map_get(&idents, S("spiffe://x/a")));
    ident_unref(&idents, b);
    ident_unref(&idents, NULL);
    assert_int_equal(map_count(&idents), 0);
    map_fini(&idents);
}

static void make(struct cred *c, enum cred_kind kind, int64_t not_after_s, int64_t now_s,
                 unsigned jitter, struct buf *of)
{
    struct err err;
    buf_clear(of);
    assert_true(cred_begin(c, kind, of, &err));
    assert_true(buf_len(of) > 0);
    assert_true(cred_finish(c, kind, S("signed"), not_after_s, now_s, jitter, &err));
    assert_null(c->coming);
}

static void test_x509(void **state)
{
    struct cred c = {.key.wipe = true};
    struct buf of = {0}, first = {0};
    struct err err;
    struct key *k;
    assert_false(cred_is_fresh(&c, 0));
    assert_false(cred_is_alive(&c, 0));
    make(&c, CRED_X509, 4600, 1000, 0, &of);
    assert_true(str_eq(buf_str(&c.svid), S("signed")));
    /* To the second: fresh until the half, alive until the end. */
    assert_true(cred_is_fresh(&c, 2799) && !cred_is_fresh(&c, 2800));
    assert_true(cred_is_alive(&c, 4599) && !cred_is_alive(&c, 4600));
    /* What was signed is the public half of what is given out. */
    assert_true(key_from_pkcs8(buf_str(&c.key), &k, &err));
    uint8_t raw[KEY_RAW_MAX];
    size_t n = key_to_raw(k, raw);
    assert_true(buf_len(&of) > n);
    assert_memory_equal(buf_str(&of).p + buf_len(&of) - n, raw, n);
    key_free(k);
    buf_put(&first, buf_str(&c.key));
    make(&c, CRED_X509, 4600, 1000, 99, &of);
    assert_false(str_eq(buf_str(&first), buf_str(&c.key))); /* a new key each time */
    assert_true(c.fresh_until_s < 2800 && c.fresh_until_s >= 2800 - 180);
    /* One that is not signed leaves what is there. */
    assert_true(cred_begin(&c, CRED_X509, &of, &err));
    cred_cancel(&c);
    cred_cancel(&c);
    assert_true(cred_is_fresh(&c, 1001));
    buf_fini(&of);
    buf_fini(&first);
    buf_fini(&c.svid);
    buf_wipe(&c.key);
}

static void test_wit(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct cred c = {.key.wipe = true};
    struct buf of = {0};
    struct err err;
    const json *public, *private;
    struct key *k;
    str d;
    make(&c, CRED_WIT, 4600, 1000, 0, &of);
    assert_true(json_read(&a, buf_str(&of), NULL, &public, &err));
    assert_true(json_read(&a, buf_str(&c.key), NULL, &private, &err));
    assert_true(key_from_jwk(public, &k, &err)); /* refuses one with private members */
    key_free(k);
    assert_false(key_from_jwk(private, &k, &err));
    static const char *const shared[] = {"kty", "crv", "x", "y", "alg"};
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        assert_true(str_eq(json_get_str(public, str_z(shared[i])),
                           json_get_str(private, str_z(shared[i]))));
    assert_true(base64url_decode(&a, json_get_str(private, S("d")), &d));
    assert_int_equal(d.n, 32);
    buf_fini(&of);
    buf_fini(&c.svid);
    buf_wipe(&c.key);
}

static void test_tokens(void **state)
{
    struct map idents = {0};
    struct ident *i = ident_ref(&idents, S("spiffe://x/a"));
    char name[8];
    assert_true(str_is_empty(ident_token(i, S("a"), 0)));
    ident_keep_token(i, S("a"), S("token a"), 300, 0);
    assert_true(str_eq(ident_token(i, S("a"), 149), S("token a")));
    assert_true(str_is_empty(ident_token(i, S("a"), 150)));
    assert_true(str_is_empty(ident_token(i, S("b"), 0)));
    ident_keep_token(i, S("a"), S("another"), 450, 150);
    assert_true(str_eq(ident_token(i, S("a"), 150), S("another")));
    /* The oldest give way; there are never more than so many. */
    for (int n = 0; n < 2 * IDENT_TOKENS_MAX; n++) {
        int len = snprintf(name, sizeof name, "%d", n);
        ident_keep_token(i, str_of(name, (size_t)len), S("t"), 300, 0);
        assert_true(str_eq(ident_token(i, str_of(name, (size_t)len), 0), S("t")));
    }
    assert_true(str_is_empty(ident_token(i, S("a"), 150)));
    ident_unref(&idents, i);
    map_fini(&idents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refs),
        cmocka_unit_test(test_x509),
        cmocka_unit_test(test_wit),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
