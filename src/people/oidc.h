/* oidc: signing in at an OpenID provider (OpenID Connect Core 1.0; RFC 9207, RFC 9700): what is
 * sent there, and what is believed of what comes back. We are a public client with PKCE, so there
 * is no secret to lose. Fetching and signatures are others' (identity/trust.h); here is the text.
 * Pure. */
#pragma once
#include "crypto/jwt.h"
#include "people/people.h"

enum { OIDC_AUTH_SKEW_S = 60, OIDC_CODE_BYTES_MAX = 2048 };

/* Of the discovery document. */
struct oidc_provider {
    str authorization_endpoint, token_endpoint;
    bool says_iss; /* authorization_response_iss_parameter_supported */
};
/* issuer: the provider that was asked; the document must name exactly it. Endpoints are https, or
 * http on this machine. */
MUST_USE bool oidc_provider_read(struct arena *a, str document, str issuer,
                                 struct oidc_provider *out, struct err *err);

/* One sign-in under way: a ceremony of people.h, whose challenge is the key of what follows.
 * Nothing of it can be guessed by who sees another. */
str oidc_state(struct arena *a, const struct ceremony *c);
str oidc_nonce(struct arena *a, const struct ceremony *c);
str oidc_verifier(struct arena *a, const struct ceremony *c);
/* Where the browser goes. */
str oidc_request(struct arena *a, const struct oidc_provider *p, const struct conf_portal *conf,
                 const struct ceremony *c);
/* What the browser brought back is the answer to this sign-in: state, and iss where it is there or
 * must be. */
MUST_USE bool oidc_answer_check(struct arena *a, const struct oidc_provider *p, str issuer,
                                const struct ceremony *c, str state, str iss, struct err *err);
/* The form for the token endpoint. */
str oidc_exchange(struct arena *a, const struct conf_portal *conf, const struct ceremony *c,
                  str code);
/* The id_token in its answer. */
MUST_USE bool oidc_token_read(struct arena *a, str document, str *id_token, struct err *err);

struct oidc_person {
    str sub, amr, acr; /* amr: values separated by blanks */
    int64_t auth_ms;
};
/* The claims of an ID token whose signature, iss, aud and exp are checked: nonce, azp, auth_time.
 */
MUST_USE bool oidc_claims_check(struct arena *a, const struct jwt *token,
                                const struct conf_portal *conf, const struct ceremony *c,
                                int64_t now_ms, struct oidc_person *out, struct err *err);
/* Who that is here; NULL: nobody. */
const struct conf_person *oidc_person_find(const struct conf *conf, str sub);
