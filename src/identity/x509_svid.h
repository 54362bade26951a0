/* x509_svid: X.509 certificates that carry a SPIFFE ID (X509-SVID; RFC 5280): issuing and checking.
 *
 *     root CA (self-signed, pathlen 1) -> signing CA (24 h, pathlen 0) -> leaf (1 h)
 *
 * What is issued: P-256 with SHA-256, a random serial of 128 bits, exactly one URI (the trust
 * domain for CAs, the workload for leaves), SKI and AKI, critical basic constraints and key usage
 * (keyCertSign and cRLSign, or digitalSignature), serverAuth and clientAuth for leaves. CAs are
 * named O=Ambit and a serialNumber made of their key, so that an old and a new one are told apart;
 * a leaf has no subject unless one is asked for, and then its URI is critical. Validity begins
 * X509_CUSHION_S before now, for peers whose clock is behind.
 *
 * Roots stand in the bundle; a leaf is sent together with its signing CA.
 *
 * Pure: the caller gives the time. Private keys are borrowed for the call, by the keeper. Results
 * live in the arena. Thread-safe, but a bundle serves one thread at a time. */
#pragma once
#include "identity/bundle.h"
#include "identity/spiffe_id.h"

enum {
    X509_CUSHION_S = 10,
    X509_LEAF_LIFE_S = 3600,
    X509_SIGNER_LIFE_S = 24 * 3600,
    X509_ROOT_LIFE_S = 365 * 24 * 3600,
    X509_ROOT_LIFE_S_MAX = 20 * 365 * 24 * 3600,
    X509_CHAIN_MAX = 4, /* certificates that a peer may send */
    X509_SUBJECT_BYTES_MAX = 64,
};

/* ---- issuing ---- */
/* Who signs: its private ES256 key and the DER of its own certificate. */
struct x509_authority {
    const struct key *key;
    str cert;
};
/* Valid from now_s - X509_CUSHION_S to now_s + life_s, life_s from 1 to X509_ROOT_LIFE_S_MAX; never
 * longer than its signer is. */
struct x509_span {
    int64_t now_s, life_s;
};

MUST_USE bool x509_make_root(struct arena *a, const struct key *key, str trust_domain,
                             struct x509_span span, str *der, struct err *err);
/* subject_key: ES256; only its public half is used. by: a root. The trust domain is the root's. */
MUST_USE bool x509_issue_signer(struct arena *a, const struct x509_authority *by,
                                const struct key *subject_key, struct x509_span span, str *der,
                                struct err *err);
/* ERR_DENIED for a workload of another trust domain than the signer's. common_name: empty, or 1 to
 * X509_SUBJECT_BYTES_MAX printable ASCII characters. */
MUST_USE bool x509_issue_leaf(struct arena *a, const struct x509_authority *by,
                              const struct key *subject_key, const struct spiffe_id *id,
                              str common_name, struct x509_span span, str *der, struct err *err);

/* An authority that was read and checked once, for those that issue many leaves: by.key stays the
 * caller's and must outlive it. Errors as x509_issue_leaf's that concern the signer. */
struct x509_signer; /* opaque */
MUST_USE bool x509_signer_new(const struct x509_authority *by, struct x509_signer **out,
                              struct err *err);
void x509_signer_free(struct x509_signer *s); /* NULL is fine */
/* As x509_issue_leaf. *not_after_s may be NULL. */
MUST_USE bool x509_sign_leaf(struct arena *a, const struct x509_signer *by,
                             const struct key *subject_key, const struct spiffe_id *id,
                             str common_name, struct x509_span span, str *der, int64_t *not_after_s,
                             struct err *err);

/* ---- checking ---- */
struct x509_svid {
    struct spiffe_id id;
    int64_t not_before_s, not_after_s; /* of the leaf */
    int64_t
        dead_s; /* the first second at which a certificate of the path is expired: its notAfter */
    str serial; /* hex digits without leading zeros */
    /* SubjectKeyIdentifiers of the CAs on the path, in hex (of one without: SHA-256 of its DER),
     * lowest first; none after x509_svid_read. */
    str signers[X509_CHAIN_MAX];
    size_t signers_n;
    struct hash thumbprint; /* SHA-256 of the leaf's DER: `x5t#S256` (RFC 8705) */
};

/* Checks what a peer sent, leaf first, against the bundle of the trust domain that the leaf's ID
 * names. All of: at most X509_CHAIN_MAX certificates; each as cert.h reads them; the leaf has
 * exactly one URI, a SPIFFE ID with a path, no CA flag, critical key usage with digitalSignature
 * and without keyCertSign and cRLSign, serverAuth and clientAuth if it has extended usages, and a
 * critical URI if it has no subject; what is above it are CAs; signatures, validity at now_s, path
 * lengths, name constraints, and no unknown critical extension on the path (RFC 5280 section 6).
 * A certificate of the bundle ends the path even if it is not self-signed.
 *
 * That the peer holds the leaf's key is for TLS to prove; that the certificate is not revoked is
 * for the caller, who knows the identity. ERR_INPUT: malformed. ERR_NOTFOUND: of a trust domain
 * without bundle, or of an algorithm that is not used here. ERR_DENIED: anything else. */
MUST_USE bool x509_svid_verify(struct arena *a, const str *chain, size_t n,
                               const struct bundles *trusted, int64_t now_s, struct x509_svid *out,
                               struct err *err);
/* The checks of the leaf alone, trust aside: what it would be if its chain were good. */
MUST_USE bool x509_svid_read(struct arena *a, str der, struct x509_svid *out, struct err *err);

/* Cuts certificates that follow one another (the form of the Workload API) into at most max parts,
 * which borrow. ERR_INPUT unless all bytes are used and there is at least one. */
MUST_USE bool x509_split(str der, str *out, size_t max, size_t *n, struct err *err);
