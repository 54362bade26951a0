#include "crypto/key_impl.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>

const char *key_alg_name(enum key_alg alg)
{
    static const char *const NAMES[] = {
        [KEY_NONE] = "none", [KEY_ES256] = "ES256", [KEY_ED25519] = "EdDSA"};
    return NAMES[alg];
}

static bool is_p256(EVP_PKEY *pkey)
{
    char group[32];
    size_t n;
    return EVP_PKEY_get_group_name(pkey, group, sizeof group, &n) == 1 &&
           (str_eq(str_of(group, n), S("prime256v1")) || str_eq(str_of(group, n), S("P-256")));
}

static enum key_alg alg_of(EVP_PKEY *pkey)
{
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_EC:
        return is_p256(pkey) ? KEY_ES256 : KEY_NONE;
    case EVP_PKEY_ED25519:
        return KEY_ED25519;
    default:
        return KEY_NONE;
    }
}

static bool read_raw(struct key *k)
{
    k->raw_n = sizeof k->raw;
    if (k->alg == KEY_ED25519)
        return EVP_PKEY_get_raw_public_key(k->pkey, k->raw, &k->raw_n) == 1 && k->raw_n == 32;
    uint8_t x[32], y[32];
    BIGNUM *bx = NULL, *by = NULL;
    bool ok = EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &bx) == 1 &&
              EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &by) == 1 &&
              BN_bn2binpad(bx, x, 32) == 32 && BN_bn2binpad(by, y, 32) == 32;
    BN_free(bx);
    BN_free(by);
    if (!ok)
        return false;
    k->raw[0] = 4;
    memcpy(k->raw + 1, x, 32);
    memcpy(k->raw + 33, y, 32);
    k->raw_n = 65;
    return true;
}

/* A P-256 point off the curve or a private number that is not its own must not get in; Ed25519 has
 * no such choice. */
static bool is_consistent(EVP_PKEY *pkey, bool is_private)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx && EVP_PKEY_public_check_quick(ctx) == 1 &&
              (!is_private || EVP_PKEY_pairwise_check(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool wrap(EVP_PKEY *pkey, bool is_private, struct key **out, struct err *err)
{
    struct key k = {.pkey = pkey, .alg = alg_of(pkey), .is_private = is_private};
    if (k.alg == KEY_NONE || !read_raw(&k)) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return err_input(err, "not a P-256 or Ed25519 key");
    }
    struct key *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = k;
    *out = kept;
    return true;
}

bool key_adopt(EVP_PKEY *pkey, bool is_private, struct key **out, struct err *err)
{
    if (alg_of(pkey) == KEY_ES256 && !is_consistent(pkey, is_private)) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return err_input(err, "a broken P-256 key");
    }
    return wrap(pkey, is_private, out, err);
}

bool key_generate(enum key_alg alg, struct key **out, struct err *err)
{
    EVP_PKEY *pkey = alg == KEY_ES256     ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                     : alg == KEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                          : NULL;
    if (!pkey) {
        ERR_clear_error();
        return alg == KEY_NONE ? err_input(err, "no kind of key was named")
                               : err_system(err, "OpenSSL made no %s key", key_alg_name(alg));
    }
    return wrap(pkey, true, out, err);
}

void key_free(struct key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    crypto_wipe(k, sizeof *k);
    free(k);
}

enum key_alg key_alg(const struct key *k)
{
    return k->alg;
}

bool key_is_private(const struct key *k)
{
    return k->is_private;
}

bool key_same_public(const struct key *a, const struct key *b)
{
    return a->alg == b->alg &&
           str_eq(str_of((const char *)a->raw, a->raw_n), str_of((const char *)b->raw, b->raw_n));
}

struct evp_pkey_st *key_evp(const struct key *k)
{
    return k->pkey;
}

bool key_from_evp(struct evp_pkey_st *pkey, struct key **out, struct err *err)
{
    EVP_PKEY_up_ref(pkey);
    return key_adopt(pkey, false, out, err);
}

/* ---- signatures ---- */

/* The order n of the P-256 group (FIPS 186-5, SP 800-186): r and s lie in 1..n-1. */
static const uint8_t P256_ORDER[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

static bool in_range(const uint8_t v[32])
{
    static const uint8_t ZERO[32];
    return memcmp(v, ZERO, 32) != 0 && memcmp(v, P256_ORDER, 32) < 0;
}

/* A DER SEQUENCE of two INTEGERs below 2^256 takes at most 2 + 2 * (2 + 33) bytes. */
enum { DER_SIG_MAX = 72 };

static size_t put_integer(uint8_t *out, const uint8_t v[32])
{
    size_t skip = 0;
    while (skip < 31 && v[skip] == 0)
        skip++;
    size_t pad = v[skip] >> 7, n = 32 - skip;
    out[0] = 2;
    out[1] = (uint8_t)(n + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, v + skip, n);
    return 2 + pad + n;
}

static size_t der_of_raw(const uint8_t sig[SIG_LEN], uint8_t out[DER_SIG_MAX])
{
    size_t n = put_integer(out + 2, sig);
    n += put_integer(out + 2 + n, sig + 32);
    out[0] = 0x30;
    out[1] = (uint8_t)n;
    return n + 2;
}

static bool raw_of_der(const uint8_t *der, size_t n, uint8_t sig[SIG_LEN])
{
    const unsigned char *at = der;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)n);
    bool ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + 32, 32) == 32;
    ECDSA_SIG_free(s);
    return ok;
}

static bool sign_es256(const struct key *k, str message, uint8_t sig[SIG_LEN])
{
    struct hash h = sha256(message);
    uint8_t der[DER_SIG_MAX];
    size_t n = sizeof der;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
              EVP_PKEY_sign(ctx, der, &n, h.b, HASH_LEN) == 1 && raw_of_der(der, n, sig);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool sign_ed25519(const struct key *k, str message, uint8_t sig[SIG_LEN])
{
    size_t n = SIG_LEN;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestSign(ctx, sig, &n, (const unsigned char *)message.p, message.n) == 1 &&
              n == SIG_LEN;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool key_sign(const struct key *k, str message, uint8_t sig[SIG_LEN], struct err *err)
{
    if (!k->is_private)
        return err_input(err, "a public key cannot sign");
    uint8_t made[SIG_LEN];
    if (!(k->alg == KEY_ES256 ? sign_es256(k, message, made) : sign_ed25519(k, message, made))) {
        ERR_clear_error();
        return err_system(err, "OpenSSL made no signature");
    }
    memcpy(sig, made, SIG_LEN);
    return true;
}

static bool verify_es256(const struct key *k, str message, const uint8_t *sig)
{
    if (!in_range(sig) || !in_range(sig + 32))
        return false;
    struct hash h = sha256(message);
    uint8_t der[DER_SIG_MAX];
    size_t n = der_of_raw(sig, der);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    bool ok =
        ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, der, n, h.b, HASH_LEN) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool verify_ed25519(const struct key *k, str message, const uint8_t *sig)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestVerify(ctx, sig, SIG_LEN, (const unsigned char *)message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool key_verify(const struct key *k, str message, str sig)
{
    if (sig.n != SIG_LEN)
        return false;
    const uint8_t *s = (const uint8_t *)sig.p;
    bool ok = k->alg == KEY_ES256 ? verify_es256(k, message, s) : verify_ed25519(k, message, s);
    if (!ok)
        ERR_clear_error();
    return ok;
}
