/* cert: what x509_*.c and bundle*.c share about certificates (RFC 5280); for this folder only.
 *
 * A certificate is read strictly: version 3, no bytes after it, no extension twice, a key and a
 * signature of a kind that is used here. */
#pragma once
#include "base/json.h"
#include "crypto/hash.h"
#include "identity/bundle.h"
#include "identity/spiffe_id.h"

#include <openssl/x509v3.h>

enum { CERT_EXTENSIONS_MAX = 32, CERT_RSA_BITS_MIN = 2048, CERT_RSA_BITS_MAX = 8192 };

enum cert_key {
    CERT_KEY_NONE = 0,
    CERT_KEY_P256, /* named curve */
    CERT_KEY_P384, /* named curve */
    CERT_KEY_RSA,
    CERT_KEY_ED25519,
};

/* ERR_NOTFOUND: well-formed, but with a key or signature of another kind. The caller frees. */
MUST_USE bool cert_read(str der, X509 **out, struct err *err);
enum cert_key cert_key_kind(const X509 *x);
/* keyCertSign, cA, and a SPIFFE ID without path if it has one (X509-SVID section 3.2). */
MUST_USE bool cert_check_ca(X509 *x, struct err *err);
/* The number of URI names; *first borrows from *names, which the caller frees (NULL is fine). */
size_t cert_uris(const X509 *x, GENERAL_NAMES **names, str *first);
/* The trust domain of a CA's own SPIFFE ID, copied; empty if it has none. */
str cert_ca_domain(struct arena *a, const X509 *x);
/* Seconds since 1970, in UTC. */
MUST_USE bool cert_times(const X509 *x, int64_t *not_before_s, int64_t *not_after_s,
                         struct err *err);
/* Writes the JWK of its public key with use x509-svid and x5c. */
void cert_write_jwk(struct jw *w, const X509 *x, str der);

/* The store of a bundle's certificates, borrowed. */
X509_STORE *bundle_store(const struct bundle *b);
