/* Who asks the authorization server, and which key the answer is for. */
#include "call/oauth_int.h"

/* ---- who ---- */

#define ASSERTION "urn:ietf:params:oauth:client-assertion-type:"

/* Who we are to somebody who makes an assertion for us (RFC 7523 section 3; RFC 7523bis says the
 * issuer, clients of before say the token endpoint). */
static size_t audiences(const struct oauth_request *r, str out[4])
{
    size_t n = 0;
    out[n++] = r->g->conf->issuer;
    out[n++] = str_fmt(r->a, "%.*s/oauth/token", STR(r->g->conf->issuer));
    if (!str_eq(r->listener->url, r->g->conf->issuer))
        out[n++] = str_fmt(r->a, "%.*s/oauth/token", STR(r->listener->url));
    return n;
}

static bool by_assertion(struct oauth_request *r, str assertion)
{
    str type = oauth_param(r, S("client_assertion_type")), aud[4];
    struct err err;
    bool svid = str_eq(type, S(ASSERTION "jwt-spiffe"));
    if (!svid && !str_eq(type, S(ASSERTION "jwt-bearer")))
        return oauth_error(r, "invalid_client",
                           "client_assertion_type must be " ASSERTION "jwt-spiffe or jwt-bearer");
    size_t n = audiences(r, aud);
    if (!oauth_prove(r, assertion, aud, n, &r->who, &err))
        return oauth_error(r, "invalid_client", "the client assertion proves no agent: %s",
                           err.text);
    if (svid && r->who.method != PROVEN_JWT_SVID)
        return oauth_error(r, "invalid_client", "the client assertion is no JWT-SVID");
    return true;
}

static bool by_certificate(struct oauth_request *r)
{
    struct err err;
    if (!oauth_prove(r, r->m->proof.chain, NULL, 0, &r->who, &err))
        return oauth_error(r, "invalid_client", "the client certificate proves no agent: %s",
                           err.text);
    if (!str_eq_secret(hash_str(&r->who.cert), r->m->proof.cert))
        return oauth_error(r, "invalid_client", "the client certificate is not the connection's");
    return true;
}

/* client_id is what the client says of itself; it is compared, never looked up. */
static bool is_called(const struct oauth_request *r, str client_id)
{
    str plain = task_agent_id(r->a, r->g->conf, r->who.agent);
    return !client_id.n || str_eq(client_id, r->who.spiffe_id) || str_eq(client_id, plain) ||
           str_eq(client_id, r->who.agent) || str_eq(client_id, r->who.subject);
}

static bool prove(struct oauth_request *r)
{
    str assertion = oauth_param(r, S("client_assertion"));
    if (oauth_param(r, S("client_secret")).n)
        return oauth_error(r, "invalid_client",
                           "agents have no secrets: authenticate with an SVID or an assertion");
    if (assertion.n)
        return by_assertion(r, assertion);
    if (r->m->proof.chain.n)
        return by_certificate(r);
    return oauth_error(r, "invalid_client",
                       "show a client certificate (X.509-SVID) or a client_assertion");
}

/* Declared dead before its time, by whichever name it has. */
static bool is_revoked(const struct oauth_request *r, struct err *err)
{
    const struct revoked *dead = &r->g->revoked;
    char hex[HASH_HEX_SIZE];
    struct hash shown;
    if (revoked_is_empty(dead))
        return false;
    if (!revoked_check_id(dead, r->who.spiffe_id, r->now_ms, err))
        return true;
    if (str_starts(r->who.subject, S("spiffe://")) &&
        !revoked_check_id(dead, r->who.subject, r->now_ms, err))
        return true;
    if (r->m->proof.cert.n != HASH_LEN)
        return false;
    memcpy(shown.b, r->m->proof.cert.p, HASH_LEN);
    return !revoked_check(dead, REVOKED_CERTIFICATE, hash_hex(&shown, hex), r->now_ms, err);
}

bool oauth_client(struct oauth_request *r)
{
    struct err err;
    if (!prove(r))
        return false;
    if (!is_called(r, oauth_param(r, S("client_id"))))
        return oauth_error(r, "invalid_client", "client_id is not who the proof says it is");
    if (is_revoked(r, &err))
        return oauth_error(r, "invalid_client", "%s", err.text);
    r->agent = conf_agent(r->g->conf, r->who.agent);
    if (!r->agent)
        return oauth_error(r, "invalid_client", "there is no such agent");
    return true;
}

/* ---- to which key ---- */

static bool by_proof(struct oauth_request *r)
{
    str at[2] = {str_fmt(r->a, "%.*s/oauth/token", STR(r->listener->url)),
                 str_fmt(r->a, "%.*s/oauth/token", STR(r->g->conf->issuer))};
    struct dpop_want want = {
        .htm = r->m->proof.htm, .htu = at, .htu_n = 2, .now_s = r->now_ms / 1000};
    struct dpop_proof proof;
    struct err err;
    if (!dpop_check(r->a, r->m->proof.dpop, &want, &proof, &err))
        return oauth_error(r, "invalid_dpop_proof", "%s", err.text);
    if (!oauth_take_proof(r->g->oauth, &proof, want.now_s, &r->challenge, &err))
        return oauth_error(r, r->challenge.error.p, "%s", err.text);
    r->has_jkt = true;
    r->jkt = proof.jkt;
    return true;
}

/* A certificate binds if it is the client's own: proved to be, or of an authority that the operator
 * has named for this listener. */
static bool by_shown_certificate(struct oauth_request *r)
{
    struct proven shown;
    struct err err;
    if (r->who.method != PROVEN_X509_SVID && !r->listener->client_ca_file.n) {
        if (!oauth_prove(r, r->m->proof.chain, NULL, 0, &shown, &err))
            return oauth_error(r, "invalid_client", "the client certificate proves no agent: %s",
                               err.text);
        if (!str_eq(shown.agent, r->who.agent))
            return oauth_error(r, "invalid_client",
                               "the certificate and the assertion are of two agents");
        if (shown.expires_ms < r->who.expires_ms)
            r->who.expires_ms = shown.expires_ms;
    }
    r->cert = r->m->proof.cert;
    return true;
}

bool oauth_binding(struct oauth_request *r)
{
    if (r->m->proof.dpop.n)
        return by_proof(r);
    if (r->m->proof.cert.n && r->m->proof.chain.n)
        return by_shown_certificate(r);
    if (r->agent->bearer && r->listener->bearer)
        return true;
    return oauth_error(r, "invalid_request",
                       "the token must be bound to a key: send a DPoP proof, or use mTLS");
}
