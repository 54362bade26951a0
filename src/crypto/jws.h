/* jws: JWS compact serialisation (RFC 7515 section 7.1) with ES256 and nothing else, and sets of
 * public keys (JWK Set).
 *
 * One key has one algorithm: a token says "ES256" and is checked with a P-256 key that this process
 * was given beforehand, or it is refused. The token never chooses: alg none, other algorithms, jwk,
 * jku, x5c, x5u, crit, b64 and zip in a header all refuse it (RFC 8725). Since tokens are cached
 * and revoked by hash, there is exactly one spelling of a token: strict base64url, no white space,
 * no fourth part. Only these header members may appear: alg, typ, kid, and the certificate
 * thumbprints x5t and x5t#S256, which are ignored.
 *
 * Pure; results live in the arena given; thread-safe. Errors are ERR_INPUT (not a JWS of ours),
 * ERR_LIMIT, ERR_NOTFOUND (no such kid) or ERR_DENIED (the signature is wrong); they never quote
 * the token. */
#pragma once
#include "crypto/key.h"

enum {
    JWS_BYTES_MAX = 8 << 10,
    JWS_HEADER_BYTES_MAX = 1024, /* decoded */
    JWS_KID_BYTES_MAX = 128,
    JWS_TYP_BYTES_MAX = 64,
    JWS_DEPTH_MAX = 16, /* nesting of claims */
    KEYSET_KEYS_MAX = 32,
    KEYSET_BYTES_MAX = 64 << 10,
};

/* ---- sets of public keys ---- */
struct keyset_item {
    struct key *key; /* ES256 */
    char kid[JWS_KID_BYTES_MAX + 1];
    size_t kid_n; /* 0: a set of one key that has no kid */
};
/* Zero value = empty set, under which nothing verifies. Owns its keys. */
struct keyset {
    struct keyset_item items[KEYSET_KEYS_MAX];
    size_t n;
};
/* Takes key over on success only. Refused: a duplicate kid, a key without kid beside any other (so
 * that one token costs one signature check), an Ed25519 key, a kid that is not visible ASCII. An
 * empty kid is allowed for a lone key. */
MUST_USE bool keyset_add(struct keyset *set, struct key *key, str kid, struct err *err);
/* Reads a JWK Set (RFC 7517 section 5). Keys of other kinds, other algs and `use` other than sig or
 * `use` given are passed over; a P-256 key for signatures that is malformed refuses the set. `use`:
 * what the member may say besides being absent; empty: "sig". On failure *set is as it was. */
MUST_USE bool keyset_read(struct keyset *set, str text, str use, struct err *err);
/* {"keys":[...]} */
void keyset_write(const struct keyset *set, struct buf *out);
const struct key *keyset_find(const struct keyset *set, str kid);
void keyset_fini(struct keyset *set);

/* ---- signing ---- */
/* Appends the finished token. kid may be empty; typ may not. The payload is any bytes. On failure
 * `out` is as it was. */
MUST_USE bool jws_sign(const struct key *key, str kid, str typ, str payload, struct buf *out,
                       struct err *err);
/* The same in two steps for a signer in another process: append header.payload, have exactly those
 * bytes signed, append the signature. */
MUST_USE bool jws_begin(str kid, str typ, str payload, struct buf *out, struct err *err);
MUST_USE bool jws_end(str sig, struct buf *out, struct err *err);

/* ---- verifying ---- */
struct jws {
    str typ;               /* empty if absent */
    str kid;               /* empty if absent */
    str payload;           /* decoded */
    const struct key *key; /* what verified it; borrowed from the set */
};
/* typ: what the header must say, exactly; alternatives are separated by '|' and an empty
 * alternative allows it to be absent, as in S("JWT|JOSE|"). An empty demand refuses everything. If
 * the set's keys have kids, the token must have one of them; if the set is one key without kid, a
 * kid in the token is ignored. */
MUST_USE bool jws_verify(struct arena *a, str token, const struct keyset *set, str typ,
                         struct jws *out, struct err *err);
/* For proofs of possession (DPoP, RFC 9449 section 4.2) and nothing else: the key is the header's
 * own `jwk`, which must be there, public and ES256; `kid` must not be. It proves only that the
 * sender holds *key_out; who that is the caller must know by its thumbprint. The caller frees
 * *key_out. */
MUST_USE bool jws_verify_proof(struct arena *a, str token, str typ, struct jws *out,
                               struct key **key_out, struct err *err);
