/* key: signature keys. Two kinds only, and a key has one use for life:
 *
 *   KEY_ES256    P-256 with SHA-256 (JWS ES256, RFC 7518 section 3.4; X.509). Signature = r || s,
 * 32 bytes each, big-endian. KEY_ED25519  Ed25519 (RFC 8032), for notes and checkpoints.
 *
 * Both signatures are SIG_LEN bytes. A struct key is private (can sign) or public. It is owned by
 * whoever made it and freed with key_free, which wipes private parts (OpenSSL clears the number).
 * Immutable after it is made: any number of threads may use one. Errors never hold key material. */
#pragma once
#include "base/json.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

enum key_alg {
    KEY_NONE = 0,
    KEY_ES256,
    KEY_ED25519,
};
const char *
key_alg_name(enum key_alg alg); /* "ES256", "EdDSA": the JWA names; "none" for KEY_NONE */

enum {
    SIG_LEN = 64,
    KEY_RAW_MAX = 65,
    KEY_ID_LEN = 43, /* base64url of a SHA-256 */
    KEY_DER_BYTES_MAX = 1024,
};

struct key; /* opaque */
struct evp_pkey_st;

MUST_USE bool key_generate(enum key_alg alg, struct key **out, struct err *err);
void key_free(struct key *k); /* NULL is fine */

/* Private key as unencrypted PKCS#8 DER (RFC 5958). Reading takes exactly one key and no trailing
 * bytes. */
MUST_USE bool key_from_pkcs8(str der, struct key **out, struct err *err);
MUST_USE bool key_to_pkcs8(const struct key *k, struct secret **out, struct err *err);

/* Public key as SubjectPublicKeyInfo DER (RFC 5280 section 4.1.2.7). Reading takes exactly one, of
 * the two kinds; a curve that is given by its numbers is refused. */
MUST_USE bool key_from_spki(str der, struct key **out, struct err *err);
MUST_USE bool key_to_spki(const struct key *k, struct buf *out, struct err *err);

/* Public key as bytes: ES256 65 bytes 04 || x || y (SEC 1, uncompressed, on the curve), Ed25519 its
 * 32 bytes. */
MUST_USE bool key_from_raw(enum key_alg alg, str raw, struct key **out, struct err *err);
size_t key_to_raw(const struct key *k, uint8_t out[KEY_RAW_MAX]);

/* Public key as JWK (RFC 7517; 7518 section 6.2, 8037). Refused: private members (d and the RSA
 * ones), a coordinate that is not exactly 32 bytes of strict base64url, a point off the curve,
 * `alg` other than the key's, `use` other than sig, `key_ops` that lacks verify. A JWK of another
 * kty or crv is ERR_NOTFOUND, so that readers of sets can pass over it. */
MUST_USE bool key_from_jwk(const json *jwk, struct key **out, struct err *err);
/* Writes one object: kty, crv, x[, y], then use "sig", alg, and kid unless it is empty. `use` is
 * what stands in its member; empty: "sig". Bundles want "jwt-svid". */
void key_write_jwk(struct jw *w, const struct key *k, str kid, str use);

enum key_alg key_alg(const struct key *k);
bool key_is_private(const struct key *k);
bool key_same_public(const struct key *a, const struct key *b);

/* RFC 7638 thumbprint, base64url: the key's id wherever it needs one, and `jkt` of DPoP. */
struct key_id {
    char s[KEY_ID_LEN + 1];
};
struct key_id key_id(const struct key *k);
static inline str key_id_str(const struct key_id *id)
{
    return str_of(id->s, KEY_ID_LEN);
}

/* ERR_INPUT for a public key. */
MUST_USE bool key_sign(const struct key *k, str message, uint8_t sig[SIG_LEN], struct err *err);
/* False for anything but a good signature: wrong length, r or s zero or not below the group order,
 * wrong message. */
MUST_USE bool key_verify(const struct key *k, str message, str sig);

/* For X.509 code: the OpenSSL key, borrowed for the life of k. */
struct evp_pkey_st *key_evp(const struct key *k);
/* From an OpenSSL key (of a certificate, say), whose reference count goes up; ERR_INPUT unless it
 * is one of the two kinds. */
MUST_USE bool key_from_evp(struct evp_pkey_st *pkey, struct key **out, struct err *err);
