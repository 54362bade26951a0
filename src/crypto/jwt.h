/* jwt: claims (RFC 7519) over crypto/jws.h: strict reading, checking, writing.
 *
 * Times are NumericDate in whole seconds: an integer literal from 0 to the end of year 9999. A
 * float, a string, an exponent or a negative number is refused, not rounded. `now` is given by the
 * caller. Pure; results live in the arena; thread-safe. */
#pragma once
#include "crypto/jws.h"

enum {
    JWT_SKEW_S_MAX = 300,
    JWT_CLAIM_BYTES_MAX = 2048, /* of iss, sub, aud, client_id */
    JWT_JTI_BYTES_MAX = 128,
    JWT_AUD_MAX = 16, /* elements, where a list is allowed */
};
#define JWT_TIME_MAX INT64_C(253402300799)

/* What the caller demands. Zero values deny: an empty typ, iss or aud matches nothing. */
struct jwt_want {
    str typ;       /* as jws_verify */
    str iss;       /* exactly */
    bool iss_any;  /* iss is not looked at (JWT-SVIDs, whose sub says who issued them) */
    str aud;       /* exactly; the claim must be a string */
    bool aud_any;  /* aud must be one string, and the caller compares it */
    bool aud_list; /* ... or a list of at most JWT_AUD_MAX strings of which one is it (external
                      issuers) */
    int64_t now_s;
    int64_t skew_s;     /* tolerance on exp, nbf and iat, at most JWT_SKEW_S_MAX */
    int64_t life_s_max; /* exp - iat may not be more, and iat must be there; 0: not checked */
};

/* The claims read. Absent strings are empty, absent times -1, absent objects NULL. */
struct jwt {
    struct jws jws;
    const json *claims;
    str iss, sub, aud, jti, client_id; /* aud: the one demanded */
    int64_t exp_s, nbf_s, iat_s;       /* exp is always there */
    const json *act, *cnf, *authorization_details, *task;
};

/* Signature, typ, then claims. ERR_DENIED: not (any more, yet) valid, or for another issuer or
 * audience. exp is the first second at which the token is dead (RFC 7519 section 4.1.4): refused
 * when now - skew >= exp. */
MUST_USE bool jwt_verify(struct arena *a, str token, const struct keyset *set,
                         const struct jwt_want *want, struct jwt *out, struct err *err);
/* The second half alone, for claims that arrive otherwise (a DPoP proof, an introspection). claims
 * must be an object. out->jws is left alone. */
MUST_USE bool jwt_check(const json *claims, const struct jwt_want *want, struct jwt *out,
                        struct err *err);
/* Reads and shape-checks the claims and demands nothing of them; exp may be absent here (-1). */
MUST_USE bool jwt_read(const json *claims, struct jwt *out, struct err *err);
/* Parses a payload as a JSON object under the limits for tokens. */
MUST_USE bool jwt_payload(struct arena *a, str payload, const json **claims, struct err *err);

/* A NumericDate member: false and err if it is there and not one; absent gives -1 and true. */
MUST_USE bool jwt_time(const json *claims, str name, int64_t *out_s, struct err *err);
/* A string member: false if it is there and is not a string of 1..max bytes; absent gives the empty
 * str and true. */
MUST_USE bool jwt_text(const json *claims, str name, size_t max, str *out, struct err *err);

/* Signs claims_json (one JSON object; checked) and appends the token. */
MUST_USE bool jwt_sign(const struct key *key, str kid, str typ, str claims_json, struct buf *out,
                       struct err *err);
