/* authenticator_test: a security key in software, made with OpenSSL, for the tests of this folder.
 * It does what a browser with a device does, so tests can also make it lie. */
#pragma once
#include "base/hex.h"
#include "people/passkey.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct authenticator {
    enum cose_alg alg;
    EVP_PKEY *pkey;
    str credential;
    uint32_t counter;
    unsigned flags; /* of assertions */
    struct arena a;
};

/* What is said besides the challenge; tests change single members. */
struct saying {
    str type, origin, more; /* more: members put at the end, with a comma before */
    str rp_id;
};

static inline void device_init(struct authenticator *d, enum cose_alg alg, str credential)
{
    *d = (struct authenticator){.alg = alg, .credential = credential, .flags = 0x05};
    d->pkey = alg == COSE_ALG_ES256   ? EVP_EC_gen("P-256")
              : alg == COSE_ALG_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                      : EVP_RSA_gen(2048);
    assert_non_null(d->pkey);
}

static inline void device_fini(struct authenticator *d)
{
    EVP_PKEY_free(d->pkey);
    arena_fini(&d->a);
}

static inline str device_number(struct authenticator *d, const char *name, int size)
{
    BIGNUM *n = NULL;
    uint8_t *p = arena_alloc(&d->a, (size_t)size);
    assert_int_equal(EVP_PKEY_get_bn_param(d->pkey, name, &n), 1);
    assert_int_equal(BN_bn2binpad(n, p, size), size);
    BN_free(n);
    return str_of((const char *)p, (size_t)size);
}

static inline str device_cose(struct authenticator *d)
{
    struct buf b = {0};
    if (d->alg == COSE_ALG_ES256) {
        buf_put(&b, S("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"));
        buf_put(&b, device_number(d, OSSL_PKEY_PARAM_EC_PUB_X, 32));
        buf_put(&b, S("\x22\x58\x20"));
        buf_put(&b, device_number(d, OSSL_PKEY_PARAM_EC_PUB_Y, 32));
    } else if (d->alg == COSE_ALG_EDDSA) {
        uint8_t raw[32];
        size_t n = sizeof raw;
        assert_int_equal(EVP_PKEY_get_raw_public_key(d->pkey, raw, &n), 1);
        buf_put(&b, S("\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20"));
        buf_put(&b, str_of((const char *)raw, n));
    } else {
        buf_put(&b, S("\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00"));
        buf_put(&b, device_number(d, OSSL_PKEY_PARAM_RSA_N, 256));
        buf_put(&b, S("\x21\x43"));
        buf_put(&b, device_number(d, OSSL_PKEY_PARAM_RSA_E, 3));
    }
    str out = str_dup(&d->a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static inline str device_client_data(struct authenticator *d, const struct saying *s, str challenge)
{
    return str_fmt(&d->a,
                   "{\"type\":\"%.*s\",\"challenge\":\"%.*s\",\"origin\":\"%.*s\","
                   "\"crossOrigin\":false%.*s}",
                   STR(s->type), STR(base64url_dup(&d->a, challenge)), STR(s->origin),
                   STR(s->more));
}

static inline void put_head(struct buf *b, str rp_id, unsigned flags, uint32_t counter)
{
    struct hash h = sha256(rp_id);
    buf_put(b, hash_str(&h));
    buf_putc(b, (char)flags);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_putc(b, (char)(counter >> shift));
}

static inline str device_register(struct authenticator *d, str rp_id)
{
    struct buf b = {0};
    put_head(&b, rp_id, 0x45, d->counter);
    buf_put(&b, S("0123456789abcdef"));
    buf_putc(&b, (char)(d->credential.n >> 8));
    buf_putc(&b, (char)d->credential.n);
    buf_put(&b, d->credential);
    buf_put(&b, device_cose(d));
    str out = str_dup(&d->a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static inline str device_sign(struct authenticator *d, str authn_data, str client_data)
{
    uint8_t sig[512];
    size_t n = sizeof sig;
    struct hash h = sha256(client_data);
    str message = str_fmt(&d->a, "%s", "");
    struct buf b = {0};
    buf_put(&b, authn_data);
    buf_put(&b, hash_str(&h));
    message = buf_str(&b);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = d->alg == COSE_ALG_EDDSA ? NULL : EVP_sha256();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, d->pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)message.p, message.n), 1);
    EVP_MD_CTX_free(ctx);
    buf_fini(&b);
    return str_dup(&d->a, str_of((const char *)sig, n));
}

static inline struct assertion device_assert(struct authenticator *d, const struct saying *s,
                                             str challenge)
{
    struct assertion as = {.credential = d->credential};
    struct buf b = {0};
    d->counter += d->counter != 0;
    put_head(&b, s->rp_id, d->flags, d->counter);
    as.authn_data = str_dup(&d->a, buf_str(&b));
    buf_fini(&b);
    as.client_data = device_client_data(d, s, challenge);
    as.signature = device_sign(d, as.authn_data, as.client_data);
    return as;
}
