#include "crypto/foreign.h"
#include "base/hex.h"
#include "crypto/jws_int.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

/* ---- algorithms ---- */

enum family { FAMILY_RSA = 1, FAMILY_PSS, FAMILY_EC, FAMILY_ED25519 };
static const struct algorithm {
    const char *name;
    enum family family;
    const char *hash;
    size_t field; /* bytes of r and of s */
} ALGORITHMS[JWA_COUNT] = {
    [JWA_RS256] = {"RS256", FAMILY_RSA, "SHA256", 0},
    [JWA_RS384] = {"RS384", FAMILY_RSA, "SHA384", 0},
    [JWA_RS512] = {"RS512", FAMILY_RSA, "SHA512", 0},
    [JWA_PS256] = {"PS256", FAMILY_PSS, "SHA256", 0},
    [JWA_PS384] = {"PS384", FAMILY_PSS, "SHA384", 0},
    [JWA_PS512] = {"PS512", FAMILY_PSS, "SHA512", 0},
    [JWA_ES256] = {"ES256", FAMILY_EC, "SHA256", 32},
    [JWA_ES384] = {"ES384", FAMILY_EC, "SHA384", 48},
    [JWA_ES512] = {"ES512", FAMILY_EC, "SHA512", 66},
    [JWA_EDDSA] = {"EdDSA", FAMILY_ED25519, NULL, 0},
};

const char *jwa_name(enum jwa a)
{
    return a > JWA_NONE && a < JWA_COUNT ? ALGORITHMS[a].name : "none";
}

enum jwa jwa_parse(str name)
{
    for (unsigned i = JWA_NONE + 1; i < JWA_COUNT; i++)
        if (str_eq(name, str_z(ALGORITHMS[i].name)))
            return (enum jwa)i;
    return JWA_NONE;
}

/* ---- signatures ---- */

enum { FIELD_MAX = 66, EC_DER_MAX = 2 * FIELD_MAX + 16 };

/* OpenSSL wants ECDSA as DER; it refuses numbers out of range itself. */
static size_t der_of_raw(str sig, size_t field, unsigned char out[EC_DER_MAX])
{
    const unsigned char *p = (const unsigned char *)sig.p;
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)field, NULL), *t = BN_bin2bn(p + field, (int)field, NULL);
    int n = -1;
    if (s && r && t && ECDSA_SIG_set0(s, r, t) == 1) {
        r = t = NULL;
        n = i2d_ECDSA_SIG(s, NULL);
        if (n > 0 && n <= EC_DER_MAX)
            n = i2d_ECDSA_SIG(s, &out);
        else
            n = -1;
    }
    BN_free(r);
    BN_free(t);
    ECDSA_SIG_free(s);
    return n > 0 ? (size_t)n : 0;
}

static bool check_with(const struct foreign_key *k, const struct algorithm *alg, str text,
                       const unsigned char *sig, size_t sig_n)
{
    EVP_PKEY_CTX *param = NULL; /* belongs to ctx */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok =
        ctx && EVP_DigestVerifyInit_ex(ctx, &param, alg->hash, NULL, NULL, k->pkey, NULL) == 1;
    if (ok && alg->family == FAMILY_PSS)
        ok = EVP_PKEY_CTX_set_rsa_padding(param, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(param, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (ok && alg->family == FAMILY_RSA)
        ok = EVP_PKEY_CTX_set_rsa_padding(param, RSA_PKCS1_PADDING) == 1;
    ok = ok && EVP_DigestVerify(ctx, sig, sig_n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static bool check_signature(const struct foreign_key *k, str text, str sig)
{
    const struct algorithm *alg = &ALGORITHMS[k->alg];
    const unsigned char *raw = (const unsigned char *)sig.p;
    unsigned char der[EC_DER_MAX];
    switch (alg->family) {
    case FAMILY_RSA:
    case FAMILY_PSS:
        return (int)sig.n == EVP_PKEY_get_size(k->pkey) && check_with(k, alg, text, raw, sig.n);
    case FAMILY_EC: {
        size_t n = sig.n == 2 * alg->field ? der_of_raw(sig, alg->field, der) : 0;
        return n && check_with(k, alg, text, der, n);
    }
    case FAMILY_ED25519:
        return sig.n == SIG_LEN && check_with(k, alg, text, raw, sig.n);
    }
    return false;
}

/* ---- tokens ---- */

static const struct foreign_key *pick(const struct foreign_keys *set, const json *header)
{
    str kid = json_get_str(header, S("kid"));
    if (set->n == 1 && set->items[0].kid_n == 0)
        return &set->items[0];
    for (size_t i = 0; kid.n && i < set->n; i++)
        if (str_eq(str_of(set->items[i].kid, set->items[i].kid_n), kid))
            return &set->items[i];
    return NULL;
}

bool foreign_verify(struct arena *a, str token, const struct foreign_keys *set, str typ,
                    struct jws *out, struct err *err)
{
    struct jws_parts parts;
    const json *header;
    if (!jws_split(a, token, &parts, err) || !jws_header(a, parts.header, false, &header, err))
        return false;
    if (!jws_typ_matches(json_get(header, S("typ")), typ))
        return err_input(err, "token header: typ is not the one wanted here");
    const struct foreign_key *key = pick(set, header);
    if (!key)
        return err_notfound(err, "token: signed by a key that its issuer has not published, or of "
                                 "a kind that is not used here");
    if (!str_eq(json_get_str(header, S("alg")), str_z(jwa_name(key->alg))))
        return err_denied(err, "token header: alg is not %s, which is its key's",
                          jwa_name(key->alg));
    if (!check_signature(key, parts.signed_text, parts.sig))
        return err_denied(err, "token: wrong signature");
    *out = (struct jws){.typ = json_get_str(header, S("typ")),
                        .kid = json_get_str(header, S("kid")),
                        .payload = parts.payload};
    return true;
}
