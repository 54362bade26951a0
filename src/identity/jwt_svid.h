/* jwt_svid: bearer tokens that carry a SPIFFE ID (JWT-SVID), over crypto/jwt.h.
 *
 * Minted: ES256, `typ` JWT, `kid`, and the claims aud (one string), exp, iat, sub; nothing else.
 *
 * Verified: `typ` JWT, JOSE or absent; a `kid` of a jwt-svid key in the bundle of the trust domain
 * that `sub` names; exp; one audience, a string or a list of that one string (go-spiffe and SPIRE
 * write lists): a token for several audiences could be replayed by each of them to the others, and
 * is refused. `iss` is not looked at. Stricter than the specification: ES256 only (others and a
 * missing kid are refused), `sub` must have a path, and the token may live JWT_SVID_LIFE_S_MAX at
 * most.
 *
 * It is a bearer token: whoever has seen it can use it until it expires.
 *
 * Pure: the caller gives the time. Results live in the arena. Thread-safe. */
#pragma once
#include "crypto/jwt.h"
#include "identity/bundle.h"
#include "identity/spiffe_id.h"

enum {
    JWT_SVID_LIFE_S = 300,
    JWT_SVID_LIFE_S_MAX = 24 * 3600, /* of one from elsewhere, counted from now */
    JWT_SVID_SKEW_S = 10,            /* tolerated on exp, nbf and iat */
    JWT_SVID_AUD_BYTES_MAX = 1024,
};

/* Appends the token. key: the private ES256 key whose public half stands in the bundle as kid.
 * life_s: 1 to JWT_SVID_LIFE_S. aud: UTF-8, 1 to JWT_SVID_AUD_BYTES_MAX bytes. */
MUST_USE bool jwt_svid_mint(const struct key *key, str kid, const struct spiffe_id *id, str aud,
                            int64_t now_s, int64_t life_s, struct buf *out, struct err *err);

struct jwt_svid {
    struct spiffe_id id;
    int64_t exp_s;
    int64_t iat_s;      /* -1: absent */
    str kid;            /* of the key that signed it */
    const json *claims; /* all of them, for callers who read more; strangers' words */
};
/* aud: who we are; never empty. ERR_INPUT: malformed. ERR_NOTFOUND: of a trust domain without
 * bundle, or no such key in it. ERR_DENIED: signature, time, or audience. ERR_LIMIT: too long. */
MUST_USE bool jwt_svid_verify(struct arena *a, str token, const struct bundles *trusted, str aud,
                              int64_t now_s, struct jwt_svid *out, struct err *err);
/* The same for whoever asks on behalf of another (ValidateJWTSVID): aud may be one of several, as
 * the specification has it. Whether that is safe is for the one who is addressed to say. */
MUST_USE bool jwt_svid_verify_shared(struct arena *a, str token, const struct bundles *trusted,
                                     str aud, int64_t now_s, struct jwt_svid *out, struct err *err);
