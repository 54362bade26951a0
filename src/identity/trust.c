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
    trust_issuers_init(t);
    return t;
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    trust_issuers_fini(t);
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

void trust_set_revoked(struct trust *t, const struct revoked *revoked)
{
    t->revoked = revoked;
}

/* ---- X.509 ---- */

bool trust_prove_x509(const struct trust *t, struct arena *a, str chain_der, int64_t now_ms,
                      struct proven *out, struct err *err)
{
    str ders[X509_CHAIN_MAX];
    size_t n;
    struct x509_svid svid;
    const struct trust_issuer *by = NULL;
    /* The trust domain that the leaf names, before anything is verified, says what verifies it. */
    if (!x509_split(chain_der, ders, X509_CHAIN_MAX, &n, err) ||
        !x509_svid_read(a, ders[0], &svid, err))
        return false;
    bool own = str_eq(svid.id.trust_domain, t->conf->trust_domain);
    if (!own && !trust_issuer_of_domain(t, svid.id.trust_domain, now_ms, &by, err))
        return false;
    if (!x509_svid_verify(a, ders, n, own ? &t->own : &t->foreign, now_ms / 1000, &svid, err))
        return false;
    struct claimed c = {.by = own ? NULL : by->conf,
                        .id = svid.id,
                        .subject = svid.id.text,
                        .expires_ms = svid.dead_s * 1000,
                        .method = PROVEN_X509_SVID,
                        .cert = svid.thumbprint,
                        .now_ms = now_ms,
                        .serial = svid.serial,
                        .keys_n = svid.signers_n};
    memcpy(c.keys, svid.signers, sizeof c.keys);
    return trust_map(t, a, &c, out, err);
}

/* ---- JWT ---- */

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

static bool is_one_of(str s, const str *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s.n && str_eq(s, list[i]))
            return true;
    return false;
}

/* The token's audience if each that it names is ours; it is verified with this as the demand. */
static bool audience_of(const json *claims, const str *ours, size_t n, str *out, struct err *err)
{
    const json *aud = json_get(claims, S("aud")), *v;
    str found = json_str(aud);
    bool ok = json_type(aud) == JSON_STRING
                  ? is_one_of(found, ours, n)
                  : json_type(aud) == JSON_ARRAY && json_count(aud) >= 1 &&
                        json_count(aud) <= JWT_AUD_MAX;
    if (ok && json_type(aud) == JSON_ARRAY)
        for (struct json_iter it = json_iter(aud); json_next(&it, NULL, &v);) {
            found = json_str(v);
            ok = ok && is_one_of(found, ours, n);
        }
    if (!ok)
        return err_denied(err,
                          "the token is for another audience than this gateway, or for others "
                          "too; ask its issuer for one with audience %.*s alone",
                          STR(ours[0]));
    *out = found;
    return true;
}

static bool check_life(int64_t exp_s, int64_t now_ms, struct err *err)
{
    return exp_s - now_ms / 1000 <= TOKEN_LIFE_S_MAX + TOKEN_SKEW_S ||
           err_denied(err, "the token lives longer than %d s", TOKEN_LIFE_S_MAX);
}

static bool verify_foreign(const struct trust *t, const struct trust_issuer *by, struct arena *a,
                           str token, str typ, str aud, int64_t now_ms, struct jwt *out,
                           struct err *err)
{
    const struct jwt_want want = {.iss = by->conf->url,
                                  .iss_any = by->conf->kind == ISSUER_SPIFFE,
                                  .aud = aud,
                                  .aud_list = true,
                                  .now_s = now_ms / 1000,
                                  .skew_s = TOKEN_SKEW_S};
    struct jwt jwt = {0};
    const json *claims;
    if (!foreign_verify(a, token, &by->keys, typ, &jwt.jws, err)) {
        t->wanted[by - t->issuers] |= err->kind == ERR_NOTFOUND;
        return false;
    }
    if (!jwt_payload(a, jwt.jws.payload, &claims, err) || !jwt_check(claims, &want, &jwt, err) ||
        !check_life(jwt.exp_s, now_ms, err))
        return false;
    *out = jwt;
    return true;
}

/* JWT-SVIDs are for one audience (JWT-SVID section 3.2). */
static bool prove_svid(const struct trust *t, struct arena *a, str token, const json *claims,
                       str aud, int64_t now_ms, struct proven *out, struct err *err)
{
    struct claimed c = {.method = PROVEN_JWT_SVID, .now_ms = now_ms, .keys_n = 1};
    const struct trust_issuer *by = NULL;
    struct jwt_svid own;
    struct jwt jwt;
    if (!spiffe_id_parse_workload(json_get_str(claims, S("sub")), &c.id, err))
        return false;
    if (json_type(json_get(claims, S("aud"))) == JSON_ARRAY &&
        json_count(json_get(claims, S("aud"))) != 1)
        return err_denied(err, "JWT-SVID: for several audiences");
    if (str_eq(c.id.trust_domain, t->conf->trust_domain)) {
        if (!jwt_svid_verify(a, token, &t->own, aud, now_ms / 1000, &own, err))
            return false;
        c.expires_ms = own.exp_s * 1000;
        c.keys[0] = own.kid;
    } else {
        if (!trust_issuer_of_domain(t, c.id.trust_domain, now_ms, &by, err) ||
            !verify_foreign(t, by, a, token, S("JWT|JOSE|"), aud, now_ms, &jwt, err))
            return err_in(err, "JWT-SVID");
        c.by = by->conf;
        c.expires_ms = jwt.exp_s * 1000;
        c.keys[0] = jwt.jws.kid;
    }
    if (!jwt_text(claims, S("jti"), JWT_JTI_BYTES_MAX, &c.token_id, err))
        return false;
    c.subject = c.id.text;
    return trust_map(t, a, &c, out, err);
}

bool trust_verify_oidc(const struct trust *t, struct arena *a, str token, str iss,
                       const str *audiences, size_t n, int64_t now_ms, struct jwt *out,
                       struct err *err)
{
    const struct trust_issuer *by;
    const json *claims;
    struct jwt jwt;
    str aud;
    if (n == 0 || n > TRUST_AUDIENCES_MAX)
        return err_input(err, "a token is judged for 1 to %d audiences", TRUST_AUDIENCES_MAX);
    if (!peek(a, token, &claims, err) || !trust_issuer_of_url(t, iss, now_ms, &by, err) ||
        !audience_of(claims, audiences, n, &aud, err) ||
        !verify_foreign(t, by, a, token, S("JWT|"), aud, now_ms, &jwt, err))
        return false;
    if (json_get(jwt.claims, S("events")))
        return err_denied(err, "the token tells of events (a logout token?), not who somebody is");
    if (jwt.cnf)
        return err_denied(err, "the token is bound to a key, and cannot stand alone");
    if (!jwt.sub.n)
        return err_input(err, "the token has no `sub`");
    *out = jwt;
    return true;
}

static bool prove_oidc(const struct trust *t, struct arena *a, str token, const json *claims,
                       const str *audiences, size_t n, int64_t now_ms, struct proven *out,
                       struct err *err)
{
    const struct trust_issuer *by;
    struct jwt jwt;
    str iss = json_get_str(claims, S("iss"));
    if (!trust_issuer_of_url(t, iss, now_ms, &by, err))
        return false;
    if (by->conf->audiences_n) {
        audiences = by->conf->audiences;
        n = by->conf->audiences_n;
    }
    if (!trust_verify_oidc(t, a, token, iss, audiences, n, now_ms, &jwt, err))
        return err_in(err, "issuer %.*s", STR(by->conf->name));
    struct claimed c = {.by = by->conf,
                        .claims = jwt.claims,
                        .subject = jwt.sub,
                        .token_id = jwt.jti,
                        .expires_ms = jwt.exp_s * 1000,
                        .method = PROVEN_OIDC,
                        .now_ms = now_ms,
                        .keys = {jwt.jws.kid},
                        .keys_n = 1};
    return trust_map(t, a, &c, out, err);
}

bool trust_prove_jwt(const struct trust *t, struct arena *a, str token, const str *audiences,
                     size_t n, int64_t now_ms, struct proven *out, struct err *err)
{
    const json *claims;
    str aud;
    if (n == 0 || n > TRUST_AUDIENCES_MAX)
        return err_input(err, "a token is judged for 1 to %d audiences", TRUST_AUDIENCES_MAX);
    if (!peek(a, token, &claims, err))
        return false;
    if (!str_starts(json_get_str(claims, S("sub")), S("spiffe:")))
        return prove_oidc(t, a, token, claims, audiences, n, now_ms, out, err);
    return audience_of(claims, audiences, n, &aud, err) &&
           prove_svid(t, a, token, claims, aud, now_ms, out, err);
}
