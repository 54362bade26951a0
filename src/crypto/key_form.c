/* The forms a key takes outside: PKCS#8, raw bytes, JWK, thumbprint. */
#include "crypto/key_impl.h"
#include "base/hex.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* ---- PKCS#8 ---- */

bool key_from_pkcs8(str der, struct key **out, struct err *err)
{
    if (der.n == 0 || der.n > KEY_DER_BYTES_MAX)
        return err_input(err, "not a PKCS#8 private key of a kind used here");
    const unsigned char *at = (const unsigned char *)der.p, *end = at + der.n;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.n);
    EVP_PKEY *pkey = info && at == end ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    ERR_clear_error();
    if (!pkey)
        return err_input(err, "not a PKCS#8 private key, or bytes after it");
    return key_adopt(pkey, true, out, err);
}

bool key_to_pkcs8(const struct key *k, struct secret **out, struct err *err)
{
    if (!k->is_private)
        return err_input(err, "a public key has no private form");
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->pkey);
    unsigned char *der = NULL;
    int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (n <= 0) {
        ERR_clear_error();
        return err_system(err, "OpenSSL wrote no PKCS#8");
    }
    bool ok = secret_of(str_of((const char *)der, (size_t)n), out, err);
    OPENSSL_clear_free(der, (size_t)n);
    return ok;
}

/* ---- SubjectPublicKeyInfo ---- */

/* DER has one form for each kind, so what differs from it is refused without being parsed;
 * OpenSSL's decoders take a third of a millisecond over the same question. */
static const struct {
    enum key_alg alg;
    size_t n;
    uint8_t prefix[27];
} SPKI[] = {
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04 x y } }, RFC 5480 */
    {KEY_ES256, 26, {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                     0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00}},
    /* SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING }, RFC 8410 */
    {KEY_ED25519, 12, {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}},
};

bool key_from_spki(str der, struct key **out, struct err *err)
{
    for (size_t i = 0; i < sizeof SPKI / sizeof SPKI[0]; i++) {
        str prefix = str_of((const char *)SPKI[i].prefix, SPKI[i].n);
        if (str_starts(der, prefix))
            return key_from_raw(SPKI[i].alg, str_skip(der, prefix.n), out, err);
    }
    return err_input(err, "not the SubjectPublicKeyInfo of a P-256 or Ed25519 key");
}

bool key_to_spki(const struct key *k, struct buf *out, struct err *err)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k->pkey, &der);
    if (n <= 0) {
        ERR_clear_error();
        return err_system(err, "OpenSSL wrote no public key");
    }
    buf_put(out, str_of((const char *)der, (size_t)n));
    OPENSSL_free(der);
    return true;
}

/* ---- raw ---- */

static EVP_PKEY *p256_of_point(str raw)
{
    char group[] = "P-256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)raw.p, raw.n),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

bool key_from_raw(enum key_alg alg, str raw, struct key **out, struct err *err)
{
    EVP_PKEY *pkey = NULL;
    if (alg == KEY_ES256 && raw.n == 65 && raw.p[0] == 4)
        pkey = p256_of_point(raw);
    else if (alg == KEY_ED25519 && raw.n == 32)
        pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, (const unsigned char *)raw.p,
                                              raw.n);
    ERR_clear_error();
    if (!pkey)
        return err_input(err, "these bytes are not a public key for %s", key_alg_name(alg));
    return key_adopt(pkey, false, out, err);
}

size_t key_to_raw(const struct key *k, uint8_t out[KEY_RAW_MAX])
{
    memcpy(out, k->raw, k->raw_n);
    return k->raw_n;
}

/* ---- JWK ---- */

/* A member that names a private or symmetric part (RFC 7518 sections 6.2.2, 6.3.2, 6.4). */
static bool has_private_part(const json *jwk)
{
    static const char *const PARTS[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        if (json_get(jwk, str_z(PARTS[i])))
            return true;
    return false;
}

static bool allows_verify(const json *jwk, enum key_alg alg, str use, struct err *err)
{
    const json *v = json_get(jwk, S("alg"));
    if (v && !str_eq(json_str(v), str_z(key_alg_name(alg))))
        return err_input(err, "jwk: alg is not %s", key_alg_name(alg));
    v = json_get(jwk, S("use"));
    if (v && !str_eq(json_str(v), S("sig")) && !(use.n && str_eq(json_str(v), use)))
        return err_input(err, "jwk: use is not for signatures");
    v = json_get(jwk, S("key_ops"));
    if (!v)
        return true;
    const json *op;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &op);)
        if (json_type(v) == JSON_ARRAY && str_eq(json_str(op), S("verify")))
            return true;
    return err_input(err, "jwk: key_ops lacks verify");
}

static bool coordinate(struct arena *a, const json *jwk, str name, uint8_t out[32], struct err *err)
{
    str bytes;
    if (!base64url_decode(a, json_get_str(jwk, name), &bytes) || bytes.n != 32)
        return err_input(err, "jwk: %.*s is not 32 bytes of base64url", STR(name));
    memcpy(out, bytes.p, 32);
    return true;
}

bool key_from_jwk(const json *jwk, struct key **out, struct err *err)
{
    return key_from_jwk_use(jwk, (str){0}, out, err);
}

bool key_from_jwk_use(const json *jwk, str use, struct key **out, struct err *err)
{
    str kty = json_get_str(jwk, S("kty")), crv = json_get_str(jwk, S("crv"));
    bool ec = str_eq(kty, S("EC")) && str_eq(crv, S("P-256"));
    bool okp = str_eq(kty, S("OKP")) && str_eq(crv, S("Ed25519"));
    if (!ec && !okp)
        return err_notfound(err, "jwk: not a key of type EC P-256 or OKP Ed25519");
    enum key_alg alg = ec ? KEY_ES256 : KEY_ED25519;
    if (has_private_part(jwk))
        return err_input(err, "jwk: holds a private key where a public one belongs");
    if (!allows_verify(jwk, alg, use, err))
        return false;
    ARENA_SCOPE struct arena a = {0};
    uint8_t raw[KEY_RAW_MAX] = {4};
    if (okp)
        return coordinate(&a, jwk, S("x"), raw, err) &&
               key_from_raw(alg, str_of((const char *)raw, 32), out, err);
    return coordinate(&a, jwk, S("x"), raw + 1, err) &&
           coordinate(&a, jwk, S("y"), raw + 33, err) &&
           key_from_raw(alg, str_of((const char *)raw, 65), out, err);
}

static void put_coordinate(struct jw *w, str name, const uint8_t *p)
{
    struct buf b = {0};
    base64url_encode(&b, str_of((const char *)p, 32));
    jw_kstr(w, name, buf_str(&b));
    buf_fini(&b);
}

void key_write_jwk(struct jw *w, const struct key *k, str kid, str use)
{
    bool ec = k->alg == KEY_ES256;
    jw_obj(w);
    jw_kstr(w, S("kty"), ec ? S("EC") : S("OKP"));
    jw_kstr(w, S("crv"), ec ? S("P-256") : S("Ed25519"));
    put_coordinate(w, S("x"), ec ? k->raw + 1 : k->raw);
    if (ec)
        put_coordinate(w, S("y"), k->raw + 33);
    jw_kstr(w, S("use"), use.n ? use : S("sig"));
    jw_kstr(w, S("alg"), str_z(key_alg_name(k->alg)));
    if (kid.n)
        jw_kstr(w, S("kid"), kid);
    jw_end_obj(w);
}

/* RFC 7638 section 3: the required members only, in this order, without white space. */
struct key_id key_id(const struct key *k)
{
    bool ec = k->alg == KEY_ES256;
    struct buf b = {0};
    buf_put(&b, ec ? S("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"")
                   : S("{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\""));
    base64url_encode(&b, str_of((const char *)k->raw + (ec ? 1 : 0), 32));
    if (ec) {
        buf_put(&b, S("\",\"y\":\""));
        base64url_encode(&b, str_of((const char *)k->raw + 33, 32));
    }
    buf_put(&b, S("\"}"));
    struct hash h = sha256(buf_str(&b));
    buf_clear(&b);
    base64url_encode(&b, hash_str(&h));
    struct key_id id = {0};
    memcpy(id.s, buf_str(&b).p, KEY_ID_LEN);
    buf_fini(&b);
    return id;
}
