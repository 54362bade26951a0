#include "identity/cert.h"
#include "base/hex.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <time.h>

/* ---- keys and signatures ---- */

static bool has_text_param(EVP_PKEY *pkey, const char *name, const char *want)
{
    char text[64];
    size_t n;
    return EVP_PKEY_get_utf8_string_param(pkey, name, text, sizeof text, &n) == 1 &&
           str_eq(str_of(text, n), str_z(want));
}

/* A curve given by its numbers could be the named one in all but its generator. */
static enum cert_key ec_kind(EVP_PKEY *pkey)
{
    if (!has_text_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_GROUP))
        return CERT_KEY_NONE;
    return has_text_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1")  ? CERT_KEY_P256
           : has_text_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, "secp384r1") ? CERT_KEY_P384
                                                                           : CERT_KEY_NONE;
}

enum cert_key cert_key_kind(const X509 *x)
{
    EVP_PKEY *pkey = X509_get0_pubkey(x);
    int bits;
    enum cert_key kind = CERT_KEY_NONE;
    switch (pkey ? EVP_PKEY_get_base_id(pkey) : EVP_PKEY_NONE) {
    case EVP_PKEY_EC:
        kind = ec_kind(pkey);
        break;
    case EVP_PKEY_RSA:
        bits = EVP_PKEY_get_bits(pkey);
        if (bits >= CERT_RSA_BITS_MIN && bits <= CERT_RSA_BITS_MAX)
            kind = CERT_KEY_RSA;
        break;
    case EVP_PKEY_ED25519:
        kind = CERT_KEY_ED25519;
        break;
    }
    ERR_clear_error();
    return kind;
}

static bool signature_is_strong(X509 *x)
{
    int md, pk;
    if (X509_get_signature_info(x, &md, &pk, NULL, NULL) != 1)
        return false;
    switch (pk) {
    case NID_X9_62_id_ecPublicKey:
    case NID_rsaEncryption:
    case NID_rsassaPss:
        return md == NID_sha256 || md == NID_sha384 || md == NID_sha512;
    default:
        return pk == NID_ED25519;
    }
}

/* ---- reading ---- */

static bool extensions_differ(const X509 *x)
{
    int n = X509_get_ext_count(x);
    if (n > CERT_EXTENSIONS_MAX)
        return false;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (OBJ_cmp(X509_EXTENSION_get_object(X509_get_ext(x, i)),
                        X509_EXTENSION_get_object(X509_get_ext(x, j))) == 0)
                return false;
    return true;
}

static bool check(X509 *x, struct err *err)
{
    if (X509_get_version(x) != 2)
        return err_input(err, "certificate: not of version 3");
    if (!extensions_differ(x))
        return err_input(err, "certificate: an extension stands there twice, or over %d of them",
                         CERT_EXTENSIONS_MAX);
    /* Reads all extensions once, and notes in the flags what did not parse. */
    if (X509_get_extension_flags(x) & EXFLAG_INVALID)
        return err_input(err, "certificate: an extension is malformed");
    if (!X509_get0_pubkey(x) || cert_key_kind(x) == CERT_KEY_NONE)
        return err_notfound(err,
                            "certificate: its key is not P-256, P-384, RSA of %d to %d bits, or "
                            "Ed25519",
                            CERT_RSA_BITS_MIN, CERT_RSA_BITS_MAX);
    if (!signature_is_strong(x))
        return err_notfound(err, "certificate: signed with an algorithm that is not used here");
    return true;
}

bool cert_read(str der, X509 **out, struct err *err)
{
    if (der.n == 0 || der.n > CERT_BYTES_MAX)
        return err_input(err, "certificate: empty or over %d bytes", CERT_BYTES_MAX);
    const unsigned char *at = (const unsigned char *)der.p, *end = at + der.n;
    X509 *x = d2i_X509(NULL, &at, (long)der.n);
    bool ok = x && at == end ? check(x, err)
                             : err_input(err, "certificate: not DER of one, or bytes after it");
    ERR_clear_error();
    if (ok)
        *out = x;
    else
        X509_free(x);
    return ok;
}

/* ---- names ---- */

size_t cert_uris(const X509 *x, GENERAL_NAMES **names, str *first)
{
    size_t n = 0;
    *first = (str){0};
    *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(*names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(*names, i);
        if (name->type != GEN_URI)
            continue;
        const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
        if (n++ == 0)
            *first =
                str_of((const char *)ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
    }
    ERR_clear_error();
    return n;
}

/* Older issuers write spiffe://td/ for the trust domain itself. */
static bool ca_id(str uri, struct spiffe_id *out)
{
    struct err err;
    if (str_ends(uri, S("/")))
        uri = str_take(uri, uri.n - 1);
    return spiffe_id_parse(uri, out, &err) && out->path.n == 0;
}

bool cert_check_ca(X509 *x, struct err *err)
{
    if (!(X509_get_extension_flags(x) & EXFLAG_CA))
        return err_denied(err, "certificate: a signer that is no CA");
    uint32_t usage = X509_get_key_usage(x);
    if (usage == UINT32_MAX || !(usage & KU_KEY_CERT_SIGN))
        return err_denied(err, "certificate: a CA whose key usage does not let it sign others");
    GENERAL_NAMES *names;
    struct spiffe_id id;
    str uri;
    bool ok = cert_uris(x, &names, &uri) < 2 && (!str_starts(uri, S("spiffe:")) || ca_id(uri, &id));
    GENERAL_NAMES_free(names);
    return ok ? true
              : err_denied(err, "certificate: a CA with several URIs, or a SPIFFE ID with a path");
}

str cert_ca_domain(struct arena *a, const X509 *x)
{
    GENERAL_NAMES *names;
    struct spiffe_id id = {0};
    str uri, domain = {0};
    if (cert_uris(x, &names, &uri) == 1 && ca_id(uri, &id))
        domain = str_dup(a, id.trust_domain);
    GENERAL_NAMES_free(names);
    return domain;
}

/* ---- times ---- */

static bool seconds_of(const ASN1_TIME *t, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *out = timegm(&tm);
    return true;
}

bool cert_times(const X509 *x, int64_t *not_before_s, int64_t *not_after_s, struct err *err)
{
    int64_t from, to;
    if (!seconds_of(X509_get0_notBefore(x), &from) || !seconds_of(X509_get0_notAfter(x), &to)) {
        ERR_clear_error();
        return err_input(err, "certificate: its validity is malformed");
    }
    *not_before_s = from;
    *not_after_s = to;
    return true;
}

/* ---- as JWK ---- */

static void put_base64url(struct jw *w, str name, const unsigned char *p, size_t n)
{
    struct buf b = {0};
    base64url_encode(&b, str_of((const char *)p, n));
    jw_kstr(w, name, buf_str(&b));
    buf_fini(&b);
}

/* width 0: as short as it goes (RFC 7518 section 2, Base64urlUInt). */
static void put_number(struct jw *w, str name, EVP_PKEY *pkey, const char *param, int width)
{
    unsigned char bytes[CERT_RSA_BITS_MAX / 8];
    BIGNUM *v = NULL;
    int n = -1;
    if (EVP_PKEY_get_bn_param(pkey, param, &v) == 1 && BN_num_bytes(v) <= (int)sizeof bytes)
        n = BN_bn2binpad(v, bytes, width ? width : BN_num_bytes(v));
    BN_free(v);
    put_base64url(w, name, bytes, n < 0 ? 0 : (size_t)n);
}

void cert_write_jwk(struct jw *w, const X509 *x, str der)
{
    EVP_PKEY *pkey = X509_get0_pubkey(x);
    enum cert_key kind = cert_key_kind(x);
    jw_obj(w);
    jw_kstr(w, S("kty"),
            kind == CERT_KEY_RSA       ? S("RSA")
            : kind == CERT_KEY_ED25519 ? S("OKP")
                                       : S("EC"));
    if (kind == CERT_KEY_RSA) {
        put_number(w, S("n"), pkey, OSSL_PKEY_PARAM_RSA_N, 0);
        put_number(w, S("e"), pkey, OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (kind == CERT_KEY_ED25519) {
        unsigned char raw[32] = {0};
        size_t n = sizeof raw;
        EVP_PKEY_get_raw_public_key(pkey, raw, &n);
        jw_kstr(w, S("crv"), S("Ed25519"));
        put_base64url(w, S("x"), raw, sizeof raw);
    } else {
        int field = kind == CERT_KEY_P384 ? 48 : 32;
        jw_kstr(w, S("crv"), kind == CERT_KEY_P384 ? S("P-384") : S("P-256"));
        put_number(w, S("x"), pkey, OSSL_PKEY_PARAM_EC_PUB_X, field);
        put_number(w, S("y"), pkey, OSSL_PKEY_PARAM_EC_PUB_Y, field);
    }
    jw_kstr(w, S("use"), S("x509-svid"));
    jw_key(w, S("x5c"));
    jw_arr(w);
    struct buf b = {0};
    base64_encode(&b, der);
    jw_str(w, buf_str(&b));
    buf_fini(&b);
    jw_end_arr(w);
    jw_end_obj(w);
    ERR_clear_error();
}
