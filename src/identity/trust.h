/* trust: which proofs of identity count, and which configured agent each one proves.
 *
 *     proof                          verified with                          is the agent
 *     X.509-SVID, JWT-SVID with      the own bundle                         <name> in the path
 *     a SPIFFE ID of the own           (trust_set_own) /agent/<name>[/<instance>] trust domain
 *     ... of another trust domain    the bundle of that trust domain, from  that a rule of
 *                                      an issuer of the configuration         agents.<name>.proofs
 *     JWT of an OIDC issuer          the JWK Set of the issuer that `iss`     names: exactly one
 *                                      names, exactly                         agent, or none
 *
 * What a proof is verified with is chosen by the identity that it claims: the trust domain in its
 * own SPIFFE ID, or its `iss`. Who presents it, where, and beside what it lies never matter (SPIFFE
 * Trust Domain and Bundle section 4; Federation section 7). An agent may have several proofs and
 * has one identity: spiffe://<own trust domain>/agent/<name>[/<instance>], whatever proved it.
 *
 * Proving says who it is; that the sender holds the key of an X.509 chain is for TLS to prove, and
 * whether the agent may do anything is for others (status, tasks, policy). A JWT is a bearer proof:
 * whoever has seen it can use it until it expires.
 *
 * Owns everything it holds. Pure: no clock, no I/O; results live in the arena given. One thread. */
#pragma once
#include "conf/conf.h"
#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "identity/bundle.h"

enum {
    TRUST_AUDIENCES_MAX = 16,
};

enum proof_method {
    PROVEN_NOTHING = 0,
    PROVEN_X509_SVID,
    PROVEN_JWT_SVID,
    PROVEN_OIDC,
};
const char *proof_method_name(enum proof_method m); /* "x509-svid", "jwt-svid", "oidc" */

/* What a proof says once it is proved. The zero value is nobody. */
struct proven {
    str agent;     /* the name of a configured agent; borrowed from the configuration */
    str spiffe_id; /* the agent in the own trust domain, with its instance */
    str instance;  /* one segment of a SPIFFE ID; empty: the proof does not tell instances apart */
    int64_t expires_ms; /* the first instant at which the proof is dead */
    uint8_t method;     /* enum proof_method */
    str issuer;         /* the own trust domain, or the name in `issuers` */
    str subject;        /* what its issuer calls it: the SPIFFE ID or `sub` */
    str token_id;       /* `jti`, empty if there is none */
    struct hash cert;   /* X.509: SHA-256 of the leaf's DER (`x5t#S256`); zero for tokens */
};

struct trust; /* opaque */

/* conf is borrowed for the life of it. Nothing is trusted yet. */
struct trust *trust_new(const struct conf *conf);
void trust_free(struct trust *t); /* NULL is fine */

/* ---- the own trust domain ---- */
/* jwks: a SPIFFE bundle document (bundle.h); roots: more CA certificates, DER one after another.
 * One of both may be empty. The keeper is believed, so a lower sequence is not refused: after a
 * restore from a backup it is what counts. On failure the bundle stays what it was. */
MUST_USE bool trust_set_own(struct trust *t, str jwks, str roots, int64_t sequence,
                            struct err *err);
const struct bundle *trust_own(const struct trust *t); /* NULL: none was set yet */

/* ---- issuers elsewhere ---- */
/* A document of one of the configuration's issuers, as it was fetched: a bundle (SPIFFE), a JWK Set
 * (OIDC). *changed: other keys than before. ERR_DENIED: its sequence says that it is older than
 * what is in force (bundle.h), or that the same number now has other keys. On failure what is in
 * force stays, and gets older; trust_state says why. ERR_NOTFOUND: no such issuer. */
MUST_USE bool trust_take(struct trust *t, str issuer, str document, int64_t now_ms, bool *changed,
                         struct err *err);
/* It could not be fetched: for people who look. */
void trust_missed(struct trust *t, str issuer, str why, int64_t now_ms);

enum trust_age {
    TRUST_WAITING = 0, /* no keys yet: nothing verifies */
    TRUST_CURRENT,
    TRUST_LATE,  /* not confirmed for TRUST_LATE_HINTS refresh hints: still used */
    TRUST_STALE, /* not confirmed for the issuer's maxAge: not used any more */
};
const char *trust_age_name(enum trust_age age); /* "waiting" ... */
enum { TRUST_LATE_HINTS = 3, TRUST_OIDC_REFRESH_S = 300, TRUST_PROBLEM_BYTES_MAX = 255 };

struct trust_state {
    const struct conf_issuer *issuer;
    enum trust_age age;
    int64_t confirmed_ms; /* when its document was last fetched and good; -1: never */
    int64_t refresh_s;    /* how often it wants to be asked */
    int64_t sequence;     /* of a bundle; -1: none */
    size_t certificates, keys, passed_over;
    str problem; /* of the last attempt; empty: it went well. Until the next take or missed */
};
size_t trust_issuers(const struct trust *t);
void trust_state(const struct trust *t, size_t i, int64_t now_ms, struct trust_state *out);
/* True once after a token named a key that the i-th issuer has not published here: a reason to ask
 * it before its time. Any stranger can cause it, so how often is for the caller to bound. */
bool trust_wanted(const struct trust *t, size_t i);
/* The bundle of that trust domain, own or not, for who must check an SVID otherwise (the SVID of a
 * bundle endpoint). NULL: none, or stale. Until the next trust_take. */
const struct bundle *trust_bundle(const struct trust *t, str trust_domain, int64_t now_ms);
/* The claims of a token that this OIDC issuer signed for one of these audiences: for a person's ID
 * token. iss as its `iss`; nonce and the rest are the caller's to check. */
MUST_USE bool trust_verify_oidc(const struct trust *t, struct arena *a, str token, str iss,
                                const str *audiences, size_t n, int64_t now_ms, struct jwt *out,
                                struct err *err);

/* What is revoked (identity/revoked.h): consulted by both functions below, for the identity that a
 * proof names, the agent that it proves, its certificate, and the keys that signed it. Borrowed. */
struct revoked;
void trust_set_revoked(struct trust *t, const struct revoked *revoked);

/* ---- proving ---- */
/* chain_der: what the peer sent, leaf first, DER one after another (at most X509_CHAIN_MAX).
 * ERR_INPUT: malformed. ERR_NOTFOUND: of an issuer without keys here, or nobody's proof here.
 * ERR_DENIED: anything else; also of an issuer whose keys are stale, and what would prove several
 * agents. */
MUST_USE bool trust_prove_x509(const struct trust *t, struct arena *a, str chain_der,
                               int64_t now_ms, struct proven *out, struct err *err);
/* audiences: who we are, 1 to TRUST_AUDIENCES_MAX; the token must be for one of them, and for
 * nobody else. An OIDC issuer with audiences of its own in the configuration must name those
 * instead. Refused from OIDC issuers too: a token that is bound to a key (`cnf`), which this
 * cannot check, and one that tells of events (a logout token). ERR_LIMIT: too long; the rest as
 * above. */
MUST_USE bool trust_prove_jwt(const struct trust *t, struct arena *a, str token,
                              const str *audiences, size_t n, int64_t now_ms, struct proven *out,
                              struct err *err);
