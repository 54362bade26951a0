/* trust_int: what the files of trust.h share; nobody else includes it. */
#pragma once
#include "identity/trust.h"
#include "identity/spiffe_id.h"

struct trust {
    const struct conf *conf;
    struct bundles own; /* one, of the own trust domain, or none */
};

/* A proof that was verified and is not anybody's yet. */
struct claimed {
    struct spiffe_id id; /* SPIFFE proofs */
    str instance;
    str subject, token_id, issuer;
    int64_t expires_ms;
    uint8_t method;
    struct hash cert;
};
/* The agent of the own trust domain that the ID names. */
MUST_USE bool trust_map_own(const struct trust *t, struct arena *a, const struct claimed *c,
                            struct proven *out, struct err *err);
