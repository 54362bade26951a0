/* forge_test: certificates as our issuer would not write them, for tests and seeds only. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "identity/identity_test.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* Extensions in the words of OpenSSL's configuration files; NULL leaves one out. */
struct forge {
    const char *name;
    const char *san, *usage, *extended, *constraints;
    int extra; /* NID of an extension more, 0: none */
    const char *extra_value;
    bool san_twice, extra_twice, subject, v1, sha1;
    int64_t from_s, to_s; /* 0: an hour around now */
    EVP_PKEY *key;        /* its own; NULL: what the test gives */
};
#define FORGE_NOW INT64_C(1790000000)
#define GOOD_LEAF                                                                                  \
    .san = "critical,URI:spiffe://td/x", .usage = "critical,digitalSignature",                     \
    .extended = "serverAuth,clientAuth", .constraints = "critical,CA:FALSE"
#define GOOD_CA                                                                                    \
    .san = "URI:spiffe://td", .usage = "critical,keyCertSign,cRLSign",                             \
    .constraints = "critical,CA:TRUE", .subject = true

static inline void forge_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = value ? X509V3_EXT_nconf_nid(NULL, &ctx, nid, value) : NULL;
    if (value && !e)
        fail_msg("no extension %s", value);
    if (e)
        X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

/* issuer NULL: self-signed. The result lives in the arena. */
static inline str forge(struct arena *a, const struct forge *f, EVP_PKEY *key, X509 *issuer,
                        EVP_PKEY *issuer_key)
{
    static long serial = 1000;
    X509 *x = X509_new();
    if (f->key)
        key = f->key;
    X509_set_version(x, f->v1 ? 0 : 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    if (f->subject)
        X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_ASC,
                                   (const unsigned char *)f->name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    ASN1_TIME_set(X509_getm_notBefore(x), f->from_s ? f->from_s : FORGE_NOW - 1800);
    ASN1_TIME_set(X509_getm_notAfter(x), f->to_s ? f->to_s : FORGE_NOW + 1800);
    X509_set_pubkey(x, key);
    if (!f->v1) {
        forge_ext(x, issuer, NID_subject_alt_name, f->san);
        if (f->san_twice)
            forge_ext(x, issuer, NID_subject_alt_name, f->san);
        forge_ext(x, issuer, NID_key_usage, f->usage);
        forge_ext(x, issuer, NID_ext_key_usage, f->extended);
        forge_ext(x, issuer, NID_basic_constraints, f->constraints);
        if (f->extra)
            forge_ext(x, issuer, f->extra, f->extra_value);
        if (f->extra_twice)
            forge_ext(x, issuer, f->extra, f->extra_value);
    }
    EVP_PKEY *by = issuer ? issuer_key : key;
    const EVP_MD *md = EVP_PKEY_get_base_id(by) == EVP_PKEY_ED25519 ? NULL
                       : f->sha1                                    ? EVP_sha1()
                                                                    : EVP_sha256();
    if (X509_sign(x, by, md) <= 0)
        fail_msg("%s: not signed", f->name);
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    str out = str_of(arena_dup(a, der, (size_t)n), (size_t)n);
    OPENSSL_free(der);
    X509_free(x);
    return out;
}

static inline X509 *forge_open(str der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    if (!x)
        fail_msg("not a certificate");
    return x;
}
