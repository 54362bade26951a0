/* Issuing: the part of x509_svid.h that the keeper runs. */
#include "identity/cert.h"
#include "identity/x509_svid.h"
#include "base/hex.h"
#include "base/rand.h"

#include <openssl/err.h>
#include <stdlib.h>

enum { SERIAL_BYTES = 16, KEY_HASH_BYTES = 20 };

/* What differs between the three kinds of certificate. */
struct plan {
    const struct key *subject_key; /* its public half */
    const struct key *signing_key;
    X509 *signer; /* NULL: self-signed */
    str uri;
    str common_name; /* of a leaf; may be empty */
    int path_length; /* -1: not a CA */
    int64_t from_s, to_s;
};

/* RFC 7093 section 2, method 1: the first 160 bits of the SHA-256 of the public key. */
static void key_hash(const struct key *k, unsigned char out[KEY_HASH_BYTES])
{
    uint8_t raw[KEY_RAW_MAX];
    size_t n = key_to_raw(k, raw);
    struct hash h = sha256(str_of((const char *)raw, n));
    memcpy(out, h.b, KEY_HASH_BYTES);
}

static bool set_serial(X509 *x)
{
    unsigned char bytes[SERIAL_BYTES];
    do
        rand_bytes(bytes, sizeof bytes);
    while (bytes[0] == 0); /* positive, and no shorter than it looks */
    BIGNUM *v = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = v && BN_to_ASN1_INTEGER(v, X509_get_serialNumber(x));
    BN_free(v);
    return ok;
}

static bool add_name(X509_NAME *name, int nid, str text)
{
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_ASC, (const unsigned char *)text.p,
                                      (int)text.n, -1, 0) == 1;
}

static bool set_names(X509 *x, const struct plan *p)
{
    X509_NAME *subject = X509_get_subject_name(x);
    bool ok = true;
    if (p->path_length >= 0) {
        unsigned char hash[KEY_HASH_BYTES];
        ARENA_SCOPE struct arena a = {0};
        key_hash(p->subject_key, hash);
        ok = add_name(subject, NID_organizationName, S("Ambit")) &&
             add_name(subject, NID_serialNumber,
                      hex_dup(&a, str_of((const char *)hash, KEY_HASH_BYTES)));
    } else if (p->common_name.n) {
        ok = add_name(subject, NID_commonName, p->common_name);
    }
    return ok && X509_set_issuer_name(x, p->signer ? X509_get_subject_name(p->signer) : subject);
}

static bool add_ext(X509 *x, int nid, bool critical, void *value)
{
    return value && X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_DEFAULT) == 1;
}

static bool add_constraints(X509 *x, int path_length)
{
    BASIC_CONSTRAINTS *v = BASIC_CONSTRAINTS_new();
    bool ok = v != NULL;
    if (ok && path_length >= 0) {
        v->ca = 0xff;
        v->pathlen = ASN1_INTEGER_new();
        ok = v->pathlen && ASN1_INTEGER_set(v->pathlen, path_length) == 1;
    }
    ok = ok && add_ext(x, NID_basic_constraints, true, v);
    BASIC_CONSTRAINTS_free(v);
    return ok;
}

/* Bit numbers of RFC 5280 section 4.2.1.3. */
enum { BIT_DIGITAL_SIGNATURE = 0, BIT_KEY_CERT_SIGN = 5, BIT_CRL_SIGN = 6 };

static bool add_usage(X509 *x, bool ca)
{
    ASN1_BIT_STRING *v = ASN1_BIT_STRING_new();
    bool ok = v != NULL;
    if (ca)
        ok = ok && ASN1_BIT_STRING_set_bit(v, BIT_KEY_CERT_SIGN, 1) == 1 &&
             ASN1_BIT_STRING_set_bit(v, BIT_CRL_SIGN, 1) == 1;
    else
        ok = ok && ASN1_BIT_STRING_set_bit(v, BIT_DIGITAL_SIGNATURE, 1) == 1;
    ok = ok && add_ext(x, NID_key_usage, true, v);
    ASN1_BIT_STRING_free(v);
    return ok;
}

static bool add_extended_usage(X509 *x)
{
    EXTENDED_KEY_USAGE *v = EXTENDED_KEY_USAGE_new();
    bool ok = v && sk_ASN1_OBJECT_push(v, OBJ_nid2obj(NID_server_auth)) > 0 &&
              sk_ASN1_OBJECT_push(v, OBJ_nid2obj(NID_client_auth)) > 0 &&
              add_ext(x, NID_ext_key_usage, false, v);
    EXTENDED_KEY_USAGE_free(v);
    return ok;
}

static bool add_uri(X509 *x, str uri, bool critical)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    bool ok = names && name && text && ASN1_STRING_set(text, uri.p, (int)uri.n) == 1;
    if (ok) {
        GENERAL_NAME_set0_value(name, GEN_URI, text);
        text = NULL;
        ok = sk_GENERAL_NAME_push(names, name) > 0;
    }
    if (ok)
        name = NULL;
    ok = ok && add_ext(x, NID_subject_alt_name, critical, names);
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return ok;
}

static bool add_key_ids(X509 *x, const struct plan *p)
{
    unsigned char own[KEY_HASH_BYTES], above[KEY_HASH_BYTES];
    key_hash(p->subject_key, own);
    key_hash(p->signing_key, above);
    ASN1_OCTET_STRING *ski = ASN1_OCTET_STRING_new();
    AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
    bool ok = ski && aki && (aki->keyid = ASN1_OCTET_STRING_new()) != NULL &&
              ASN1_OCTET_STRING_set(ski, own, KEY_HASH_BYTES) == 1 &&
              ASN1_OCTET_STRING_set(aki->keyid, above, KEY_HASH_BYTES) == 1 &&
              add_ext(x, NID_subject_key_identifier, false, ski) &&
              add_ext(x, NID_authority_key_identifier, false, aki);
    ASN1_OCTET_STRING_free(ski);
    AUTHORITY_KEYID_free(aki);
    return ok;
}

/* As X509_set_pubkey, which has OpenSSL write the key out and read it back in by its decoders: that
 * takes longer than the signature. */
static bool set_key(X509 *x, const struct key *k)
{
    uint8_t raw[KEY_RAW_MAX];
    size_t n = key_to_raw(k, raw);
    unsigned char *point = OPENSSL_memdup(raw, n);
    bool ok = point && X509_PUBKEY_set0_param(
                           X509_get_X509_PUBKEY(x), OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
                           V_ASN1_OBJECT, OBJ_nid2obj(NID_X9_62_prime256v1), point, (int)n) == 1;
    if (!ok)
        OPENSSL_free(point);
    return ok;
}

static bool fill(X509 *x, const struct plan *p)
{
    bool ca = p->path_length >= 0;
    return X509_set_version(x, 2) == 1 && set_serial(x) && set_names(x, p) &&
           ASN1_TIME_set(X509_getm_notBefore(x), p->from_s) &&
           ASN1_TIME_set(X509_getm_notAfter(x), p->to_s) && set_key(x, p->subject_key) &&
           add_constraints(x, p->path_length) && add_usage(x, ca) &&
           (ca || add_extended_usage(x)) && add_key_ids(x, p) &&
           add_uri(x, p->uri, X509_NAME_entry_count(X509_get_subject_name(x)) == 0) &&
           X509_sign(x, key_evp(p->signing_key), EVP_sha256()) > 0;
}

static bool write(struct arena *a, const struct plan *p, str *der, struct err *err)
{
    X509 *x = X509_new();
    unsigned char *bytes = NULL;
    int n = x && fill(x, p) ? i2d_X509(x, &bytes) : -1;
    X509_free(x);
    if (n <= 0 || n > CERT_BYTES_MAX) {
        OPENSSL_free(bytes);
        ERR_clear_error();
        return err_system(err, "OpenSSL made no certificate");
    }
    *der = str_of(arena_dup(a, bytes, (size_t)n), (size_t)n);
    OPENSSL_free(bytes);
    return true;
}

/* ---- what may be asked for ---- */

static bool check_span(struct x509_span span, struct err *err)
{
    if (span.now_s < X509_CUSHION_S || span.now_s > INT64_C(253402300799) - X509_ROOT_LIFE_S_MAX ||
        span.life_s < 1 || span.life_s > X509_ROOT_LIFE_S_MAX)
        return err_input(err, "certificate: no sensible time or life");
    return true;
}

static bool check_key(const struct key *k, bool signs, struct err *err)
{
    if (key_alg(k) != KEY_ES256 || (signs && !key_is_private(k)))
        return err_input(err, "certificate: needs %s P-256 key", signs ? "a private" : "a");
    return true;
}

struct x509_signer {
    const struct key *key;
    X509 *cert;
    struct arena mem;
    str domain;
    int64_t to_s;
    long path_length;
};

/* A CA of a trust domain, whose key this is. */
static bool check_signer(const struct x509_authority *by, struct x509_signer *s, struct err *err)
{
    struct key *own;
    int64_t from_s;
    s->domain = cert_ca_domain(&s->mem, s->cert);
    s->path_length = X509_get_pathlen(s->cert);
    if (!cert_check_ca(s->cert, err) || !cert_times(s->cert, &from_s, &s->to_s, err) ||
        !key_from_evp(X509_get0_pubkey(s->cert), &own, err))
        return false;
    bool same = key_same_public(own, by->key);
    key_free(own);
    if (!same)
        return err_input(err, "certificate: the signer's key and certificate do not belong "
                              "together");
    return s->domain.n ? true : err_denied(err, "certificate: its signer is of no trust domain");
}

bool x509_signer_new(const struct x509_authority *by, struct x509_signer **out, struct err *err)
{
    struct x509_signer s = {.key = by->key};
    if (!check_key(by->key, true, err) || !cert_read(by->cert, &s.cert, err))
        return false;
    struct x509_signer *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = s;
    if (!check_signer(by, kept, err)) {
        x509_signer_free(kept);
        return false;
    }
    *out = kept;
    return true;
}

void x509_signer_free(struct x509_signer *s)
{
    if (!s)
        return;
    X509_free(s->cert);
    arena_fini(&s->mem);
    free(s);
}

static struct plan plan_of(const struct key *subject_key, struct x509_span span)
{
    return (struct plan){.subject_key = subject_key,
                         .path_length = -1,
                         .from_s = span.now_s - X509_CUSHION_S,
                         .to_s = span.now_s + span.life_s};
}

bool x509_make_root(struct arena *a, const struct key *key, str trust_domain, struct x509_span span,
                    str *der, struct err *err)
{
    struct spiffe_id id;
    if (!check_span(span, err) || !check_key(key, true, err) ||
        !spiffe_id_make(a, trust_domain, (str){0}, &id, err))
        return false;
    struct plan p = plan_of(key, span);
    p.signing_key = key;
    p.uri = id.text;
    p.path_length = 1;
    return write(a, &p, der, err);
}

/* Signs p, whose uri stands in id or, where that is empty, is the signer's trust domain. */
static bool issue(struct arena *a, const struct x509_signer *by, struct plan *p,
                  const struct spiffe_id *id, str *der, struct err *err)
{
    if (!check_key(p->subject_key, false, err))
        return false;
    if (id && !str_eq(id->trust_domain, by->domain))
        return err_denied(err, "certificate: its signer is of another trust domain");
    if (p->path_length >= 0 && by->path_length == 0)
        return err_denied(err, "certificate: its signer may sign leaves only");
    p->signing_key = by->key;
    p->signer = by->cert;
    p->uri = id ? id->text : str_fmt(a, "spiffe://%.*s", STR(by->domain));
    if (p->to_s > by->to_s)
        p->to_s = by->to_s;
    if (p->to_s <= p->from_s + X509_CUSHION_S)
        return err_denied(err, "certificate: its signer is expired");
    return write(a, p, der, err);
}

bool x509_issue_signer(struct arena *a, const struct x509_authority *by,
                       const struct key *subject_key, struct x509_span span, str *der,
                       struct err *err)
{
    if (!check_span(span, err))
        return false;
    struct x509_signer *signer;
    struct plan p = plan_of(subject_key, span);
    p.path_length = 0;
    if (!x509_signer_new(by, &signer, err))
        return false;
    bool ok = issue(a, signer, &p, NULL, der, err);
    x509_signer_free(signer);
    return ok;
}

static bool is_printable(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return true;
}

bool x509_sign_leaf(struct arena *a, const struct x509_signer *by, const struct key *subject_key,
                    const struct spiffe_id *id, str common_name, struct x509_span span, str *der,
                    int64_t *not_after_s, struct err *err)
{
    struct spiffe_id checked;
    if (!check_span(span, err) || !spiffe_id_parse_workload(id->text, &checked, err))
        return false;
    if (common_name.n > X509_SUBJECT_BYTES_MAX || !is_printable(common_name))
        return err_input(err, "certificate: a common name is at most %d printable characters",
                         X509_SUBJECT_BYTES_MAX);
    struct plan p = plan_of(subject_key, span);
    p.common_name = common_name;
    if (!issue(a, by, &p, &checked, der, err))
        return false;
    if (not_after_s)
        *not_after_s = p.to_s;
    return true;
}

bool x509_issue_leaf(struct arena *a, const struct x509_authority *by,
                     const struct key *subject_key, const struct spiffe_id *id, str common_name,
                     struct x509_span span, str *der, struct err *err)
{
    struct x509_signer *signer;
    if (!x509_signer_new(by, &signer, err))
        return false;
    bool ok = x509_sign_leaf(a, signer, subject_key, id, common_name, span, der, NULL, err);
    x509_signer_free(signer);
    return ok;
}
