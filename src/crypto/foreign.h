/* foreign: public keys of issuers elsewhere, and tokens that are signed with them.
 *
 * Our own tokens are ES256 (jws.h) and stay so. Others choose from the table of RFC 7518 section
 * 3.1 and RFC 8037; what this module adds to the strict text of jws.h is that table, and the rule
 * that holds it together: a key has one algorithm, taken from its JWK or fixed by whoever
 * configured the issuer, before any token is seen. A token that names another is refused, so no
 * RS256 under a PS256 key, no HMAC under a public one, no "none" (RFC 8725 sections 3.1, 3.2).
 *
 *     RS256 RS384 RS512   RSA, PKCS #1 v1.5     2048 to 8192 bits, exponent 65537 or more
 *     PS256 PS384 PS512   RSA, PSS              the same; salt as long as the hash
 *     ES256 ES384 ES512   P-256, P-384, P-521   r || s, each as long as the field
 *     EdDSA               Ed25519
 *
 * Read-only, pure; a set belongs to whoever made it. Verifying allocates in the arena and in
 * OpenSSL; any number of threads may verify with one set. Errors as in jws.h; they never quote the
 * token. */
#pragma once
#include "crypto/jws.h"

enum jwa {
    JWA_NONE = 0,
    JWA_RS256,
    JWA_RS384,
    JWA_RS512,
    JWA_PS256,
    JWA_PS384,
    JWA_PS512,
    JWA_ES256,
    JWA_ES384,
    JWA_ES512,
    JWA_EDDSA,
    JWA_COUNT,
};
const char *jwa_name(enum jwa a); /* "none" for what is none of them */
enum jwa jwa_parse(str name);     /* JWA_NONE: not one of them */

/* Sets of algorithms: 1u << enum jwa. */
enum {
    JWA_SET_RSA = 1u << JWA_RS256 | 1u << JWA_RS384 | 1u << JWA_RS512 | 1u << JWA_PS256 |
                  1u << JWA_PS384 | 1u << JWA_PS512,
    JWA_SET_EC = 1u << JWA_ES256 | 1u << JWA_ES384 | 1u << JWA_ES512,
    JWA_SET_SVID = JWA_SET_RSA | JWA_SET_EC, /* JWT-SVID section 2.1 */
    JWA_SET_ALL = JWA_SET_SVID | 1u << JWA_EDDSA,
};

enum {
    FOREIGN_KEYS_MAX = 64,
    FOREIGN_BYTES_MAX = 256 << 10, /* of a JWK Set */
    FOREIGN_RSA_BITS_MIN = 2048,
    FOREIGN_RSA_BITS_MAX = 8192,
};

struct foreign_key {
    struct evp_pkey_st *pkey;
    enum jwa alg;
    size_t kid_n; /* 0: the only key of its set, without kid */
    char kid[JWS_KID_BYTES_MAX];
};
/* Zero value = empty: nothing verifies. Owns its keys. */
struct foreign_keys {
    struct foreign_key *items;
    size_t n;
    size_t passed_over; /* entries that cannot be used here, for people who wonder */
};
struct foreign_rules {
    unsigned algorithms; /* that may be used; 0: none */
    enum jwa rsa;        /* of RSA keys whose JWK says no alg; JWA_NONE: they are passed over */
    str use;             /* empty: `use` is sig or absent (OIDC); else it must be exactly this */
};

/* Reads a JWK Set (RFC 7517 section 5). Passed over: keys of other kinds, uses and algorithms, RSA
 * keys that are too short, or weak by their making (ROCA), key_ops without verify, and keys without
 * kid beside any other. Refused, whole: an entry for signatures that is malformed, an alg that does
 * not fit its key, a kid twice, a symmetric or private key (it is no secret any more). On failure
 * *out is as it was. */
MUST_USE bool foreign_keys_read(str text, const struct foreign_rules *rules,
                                struct foreign_keys *out, struct err *err);
void foreign_keys_fini(struct foreign_keys *set);
bool foreign_keys_same(const struct foreign_keys *a, const struct foreign_keys *b);

/* As jws_verify; out->key is NULL. ERR_NOTFOUND: the set has no key of that name, which may be a
 * reason to fetch it anew. */
MUST_USE bool foreign_verify(struct arena *a, str token, const struct foreign_keys *set, str typ,
                             struct jws *out, struct err *err);
