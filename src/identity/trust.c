#include "identity/trust_int.h"
#include "base/hex.h"
#include "crypto/jwt.h"
#include "identity/jwt_svid.h"
#include "identity/x509_svid.h"

#include <stdlib.h>

const char *proof_method_name(enum proof_method m)
{
    static const char *const NAMES[] = {[PROVEN_NOTHING] = "none",
                                        [PROVEN_X509_SVID] = "x509-svid",
                                        [PROVEN_JWT_SVID] = "jwt-svid",
                                        [PROVEN_OIDC] = "oidc"};
    return (size_t)m < sizeof NAMES / sizeof *NAMES ? NAMES[m] : NAMES[0];
}

struct trust *trust_new(const struct conf *conf)
{
    struct trust *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->conf = conf;
    return t;
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    bundles_fini(&t->own);
    free(t);
}

/* ---- the own trust domain ---- */

static bool add_roots(struct bundle *b, str roots, struct err *err)
{
    str ders[BUNDLE_CERTS_MAX];
    size_t n = 0;
    if (roots.n && !x509_split(roots, ders, BUNDLE_CERTS_MAX, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!bundle_add_x509(b, ders[i], err))
            return false;
    return true;
}

bool trust_set_own(struct trust *t, str jwks, str roots, int64_t sequence, struct err *err)
{
    struct bundle *b;
    str domain = t->conf->trust_domain;
    bool ok = jwks.n ? bundle_read(domain, jwks, &b, err) : bundle_new(domain, &b, err);
    if (!ok)
        return err_in(err, "own bundle");
    bundle_set_version(b, sequence < 0 ? -1 : sequence, bundle_refresh_s(b));
    if (!add_roots(b, roots, err)) {
        bundle_free(b);
        return err_in(err, "own bundle");
    }
    bundles_fini(&t->own); /* forgets the sequence: a replacement, not an update */
    if (bundles_put(&t->own, b, NULL, err))
        return true;
    bundle_free(b);
    return false;
}

const struct bundle *trust_own(const struct trust *t)
{
    return bundles_get(&t->own, t->conf->trust_domain);
}

/* ---- X.509 ---- */

bool trust_prove_x509(const struct trust *t, struct arena *a, str chain_der, int64_t now_ms,
                      struct proven *out, struct err *err)
{
    str ders[X509_CHAIN_MAX];
    size_t n;
    struct x509_svid svid;
    if (!x509_split(chain_der, ders, X509_CHAIN_MAX, &n, err) ||
        !x509_svid_verify(a, ders, n, &t->own, now_ms / 1000, &svid, err))
        return false;
    struct claimed c = {.id = svid.id,
                        .subject = svid.id.text,
                        .expires_ms = svid.dead_s * 1000,
                        .method = PROVEN_X509_SVID,
                        .cert = svid.thumbprint};
    return trust_map_own(t, a, &c, out, err);
}

/* ---- JWT ---- */

/* The one of ours that the claim is, or is the list of; empty if there is none. Nothing is verified
 * yet: this only says with which demand to verify. */
static str audience_of(const json *claims, const str *audiences, size_t n)
{
    const json *aud = json_get(claims, S("aud"));
    struct json_iter it = json_iter(aud);
    if (json_type(aud) == JSON_ARRAY && (json_count(aud) != 1 || !json_next(&it, NULL, &aud)))
        return (str){0};
    for (size_t i = 0; i < n; i++)
        if (audiences[i].n && str_eq(json_str(aud), audiences[i]))
            return audiences[i];
    return (str){0};
}

/* What the token says, before anything is verified: only to find what verifies it. */
static bool peek(struct arena *a, str token, const json **claims, struct err *err)
{
    str head, rest, body, sig, payload;
    if (token.n > JWS_BYTES_MAX)
        return err_limit(err, "token over %d bytes", JWS_BYTES_MAX);
    if (!str_cut(token, '.', &head, &rest) || !str_cut(rest, '.', &body, &sig) ||
        !base64url_decode(a, body, &payload))
        return err_input(err, "not a token of three parts in base64url");
    return jwt_payload(a, payload, claims, err);
}

static bool prove_svid(const struct trust *t, struct arena *a, str token, str aud, int64_t now_ms,
                       struct proven *out, struct err *err)
{
    struct jwt_svid svid;
    struct claimed c = {.method = PROVEN_JWT_SVID};
    if (!jwt_svid_verify(a, token, &t->own, aud, now_ms / 1000, &svid, err) ||
        !jwt_text(svid.claims, S("jti"), JWT_JTI_BYTES_MAX, &c.token_id, err))
        return false;
    c.id = svid.id;
    c.subject = svid.id.text;
    c.expires_ms = svid.exp_s * 1000;
    return trust_map_own(t, a, &c, out, err);
}

bool trust_prove_jwt(const struct trust *t, struct arena *a, str token, const str *audiences,
                     size_t n, int64_t now_ms, struct proven *out, struct err *err)
{
    const json *claims;
    if (n == 0 || n > TRUST_AUDIENCES_MAX)
        return err_input(err, "a token is judged for 1 to %d audiences", TRUST_AUDIENCES_MAX);
    if (!peek(a, token, &claims, err))
        return false;
    str aud = audience_of(claims, audiences, n);
    if (!aud.n)
        return err_denied(err,
                          "the token is for another audience than this gateway, or for "
                          "several; ask its issuer for one with audience %.*s",
                          STR(audiences[0]));
    return prove_svid(t, a, token, aud, now_ms, out, err);
}
