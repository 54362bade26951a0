/* trust_int: what the files of trust.h share; nobody else includes it. */
#pragma once
#include "identity/trust.h"
#include "identity/revoked.h"
#include "identity/spiffe_id.h"
#include "identity/x509_svid.h"

#include "crypto/foreign.h"

enum { TOKEN_LIFE_S_MAX = 24 * 3600, TOKEN_SKEW_S = 10 };

struct trust_issuer {
    const struct conf_issuer *conf;
    struct foreign_rules rules;
    struct foreign_keys keys; /* of tokens; certificates are in trust.foreign */
    int64_t confirmed_ms;     /* -1: never */
    char problem[TRUST_PROBLEM_BYTES_MAX + 1];
};
struct trust {
    const struct conf *conf;
    struct bundles own;     /* one, of the own trust domain, or none */
    struct bundles foreign; /* by trust domain, of SPIFFE issuers */
    struct trust_issuer *issuers;
    bool *wanted;                  /* by issuer: see trust_wanted */
    const struct revoked *revoked; /* NULL: nothing is */
};

/* A proof that was verified and is not anybody's yet. */
struct claimed {
    const struct conf_issuer *by; /* NULL: the own trust domain */
    struct spiffe_id id;          /* SPIFFE proofs */
    const json *claims;           /* OIDC */
    str subject, token_id;
    int64_t expires_ms;
    uint8_t method;
    struct hash cert;
    int64_t now_ms;
    str serial;               /* X.509 */
    str keys[X509_CHAIN_MAX]; /* that signed it: `kid`, or of CAs */
    size_t keys_n;
};
/* The agent that it proves. */
MUST_USE bool trust_map(const struct trust *t, struct arena *a, const struct claimed *c,
                        struct proven *out, struct err *err);

/* trust_issuer.c */
void trust_issuers_init(struct trust *t);
void trust_issuers_fini(struct trust *t);
/* By what a proof says of itself; ERR_NOTFOUND: nobody's, ERR_DENIED: its keys are stale. */
MUST_USE bool trust_issuer_of_domain(const struct trust *t, str trust_domain, int64_t now_ms,
                                     const struct trust_issuer **out, struct err *err);
MUST_USE bool trust_issuer_of_url(const struct trust *t, str iss, int64_t now_ms,
                                  const struct trust_issuer **out, struct err *err);
