/* bundle: what a trust domain's SVIDs are verified with (SPIFFE Trust Domain and Bundle; X509-SVID
 * and JWT-SVID section 6; WIT-SVID).
 *
 * The document is a JWK Set:
 *
 *     {"spiffe_sequence": 7, "spiffe_refresh_hint": 60, "keys": [
 *       {"kty", "crv", "x", "y", "use": "x509-svid", "x5c": [base64 DER of one CA certificate]},
 *       {"kty", "crv", "x", "y", "use": "jwt-svid", "alg", "kid"},
 *       {"kty", "crv", "x", "y", "use": "wit-svid", "alg", "kid"}]}
 *
 * As the specification wants, an entry without `use`, of an unknown use, or without x5c is passed
 * over, and so are keys of kinds that are not used here (below); members not named are ignored. An
 * entry that is ours and malformed refuses the whole document: half a bundle is not a bundle. The
 * name of the trust domain is not in the document; whoever fetched it knows it. No keys at all is a
 * valid bundle under which nothing verifies.
 *
 * Kinds: certificates of P-256, P-384, RSA (2048 to 8192 bits) and Ed25519 keys; JWT and WIT keys
 * of P-256 (ES256) only. The JWT keys of other issuers, of all kinds, are read from the same
 * document by crypto/foreign.h (trust.h does).
 *
 * A bundle holds public keys only and belongs to whoever made it; once it is filled it is not
 * changed any more. One thread at a time, also for verifying. */
#pragma once
#include "base/map.h"
#include "crypto/jws.h"

enum {
    BUNDLE_BYTES_MAX = 256 << 10,
    BUNDLE_ENTRIES_MAX = 128,
    BUNDLE_CERTS_MAX = 32, /* and KEYSET_KEYS_MAX keys of each other use */
    BUNDLE_REFRESH_S_DEFAULT = 300,
    BUNDLE_REFRESH_S_MAX = 366 * 24 * 3600,
    BUNDLES_MAX = 256,
    CERT_BYTES_MAX = 8 << 10, /* DER */
};

struct bundle; /* opaque */

/* An empty bundle without sequence and hint. ERR_INPUT if that is no trust domain. */
MUST_USE bool bundle_new(str trust_domain, struct bundle **out, struct err *err);
void bundle_free(struct bundle *b); /* NULL is fine */
/* A CA certificate that may sign here; ERR_NOTFOUND for a kind of key that is not used here. One
 * that is there already changes nothing. */
MUST_USE bool bundle_add_x509(struct bundle *b, str der, struct err *err);
/* The public half of the key is copied. */
MUST_USE bool bundle_add_jwt(struct bundle *b, const struct key *key, str kid, struct err *err);
MUST_USE bool bundle_add_wit(struct bundle *b, const struct key *key, str kid, struct err *err);
/* sequence -1: none; refresh_s 0: none. Out of range is asserted. */
void bundle_set_version(struct bundle *b, int64_t sequence, int64_t refresh_s);

MUST_USE bool bundle_read(str trust_domain, str text, struct bundle **out, struct err *err);
/* Entries in the order of their addition, certificates first. */
void bundle_write(const struct bundle *b, struct buf *out);

/* What is in it, borrowed for the life of the bundle. */
str bundle_trust_domain(const struct bundle *b);
int64_t bundle_sequence(const struct bundle *b);  /* -1: none was given */
int64_t bundle_refresh_s(const struct bundle *b); /* never 0: the default where none was given */
size_t bundle_x509_count(const struct bundle *b);
str bundle_x509(const struct bundle *b, size_t i); /* DER */
const struct keyset *bundle_jwt_keys(const struct bundle *b);
const struct keyset *bundle_wit_keys(const struct bundle *b);
/* The same certificates and keys, in whatever order; sequence and hint are not looked at. */
bool bundle_same_keys(const struct bundle *a, const struct bundle *b);

/* ---- sets of bundles, by trust domain ---- */
/* Zero value = empty: nothing is trusted. Owns its bundles. */
struct bundles {
    struct map by_domain;
};
/* Takes b over, in success only. The sequence only ever grows: an older one is ERR_DENIED, and so
 * is one that is missing where there was one, or the same number with other keys; otherwise an old
 * document could bring a revoked key back. *changed (may be NULL): the keys are others than
 * before. */
MUST_USE bool bundles_put(struct bundles *set, struct bundle *b, bool *changed, struct err *err);
const struct bundle *bundles_get(const struct bundles *set, str trust_domain); /* NULL: unknown */
/* False if it was not there. What was its sequence is forgotten too. */
bool bundles_remove(struct bundles *set, str trust_domain);
void bundles_fini(struct bundles *set);
