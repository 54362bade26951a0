/* The configuration's member "issuers": whose proofs of identity count, besides our own. */
#include "conf/reader.h"

static const char *const ISSUER_MEMBERS[] = {
    "trustDomain", "bundleFile", "workloadSocket", "endpoint",  "profile",    "endpointId", "ca",
    "oidc",        "jwks",       "jwksFile",       "audiences", "algorithms", "maxAge",     NULL};
static const char *const SPIFFE_ONLY[] = {"bundleFile", "workloadSocket", "endpoint",
                                          "profile",    "endpointId",     NULL};
static const char *const OIDC_ONLY[] = {"jwks", "jwksFile", "audiences", NULL};

/* RFC 7518 section 3.1; EdDSA is not for SVIDs (JWT-SVID section 2.1). */
static const struct {
    const char *name;
    bool rsa, svid;
} ALGORITHMS[] = {
    {"RS256", true, true},  {"RS384", true, true},   {"RS512", true, true},  {"PS256", true, true},
    {"PS384", true, true},  {"PS512", true, true},   {"ES256", false, true}, {"ES384", false, true},
    {"ES512", false, true}, {"EdDSA", false, false},
};

enum {
    UNIX_PATH_BYTES_MAX = 107,
    URL_BYTES_MAX = 1024,
    AUDIENCES_MAX = 16,
    ISSUERS_MAX = 64,
};
static const int64_t MAX_AGE_MS = INT64_C(24) * 3600 * 1000, MAX_AGE_MS_MIN = 60 * 1000,
                     MAX_AGE_MS_MAX = INT64_C(30) * 24 * 3600 * 1000;

static void not_with(struct reader *r, struct at at, const char *const *names, const char *why)
{
    for (; *names; names++)
        if (at_member(r, at, *names).v)
            problem(r, at_member(r, at, *names), "is for %s only", why);
}

/* Exactly this machine: a name that only begins so ("127.evil.example") is another. */
static bool is_own_machine(str authority)
{
    static const char *const HOSTS[] = {"127.0.0.1", "[::1]", "localhost"};
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; i++) {
        str rest = str_skip(authority, strlen(HOSTS[i]));
        uint64_t port;
        if (str_starts(authority, str_z(HOSTS[i])) &&
            (!rest.n || (rest.p[0] == ':' && str_to_u64(str_skip(rest, 1), &port) && port < 65536)))
            return true;
    }
    return false;
}

/* https, or http on this machine; no user, no query, no fragment. */
static bool is_url(str s)
{
    bool plain = str_starts(s, S("http://"));
    str rest = str_skip(s, plain ? 7 : 8), authority, path;
    if ((!plain && !str_starts(s, S("https://"))) || s.n > URL_BYTES_MAX ||
        !str_is_visible_ascii(s))
        return false;
    str_cut(rest, '/', &authority, &path);
    for (size_t i = 0; i < rest.n; i++)
        if (strchr("?#@\\\"<>", rest.p[i]))
            return false;
    return authority.n && authority.p[0] != ':' && (!plain || is_own_machine(authority));
}

static void read_url(struct reader *r, struct at at, str *out)
{
    *out = at_str(r, at, *out);
    if (at.v && !is_url(*out))
        problem(r, at,
                "must be an https URL without user, query and fragment (http only on 127.0.0.1, "
                "[::1] or localhost)");
}

/* ---- SPIFFE ---- */

static bool is_trust_domain(str s)
{
    if (s.n == 0 || s.n > 255)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_", s.p[i]) || !s.p[i])
            return false;
    return true;
}

static void read_endpoint(struct reader *r, struct at at, struct conf_issuer *i)
{
    struct at profile = at_member(r, at, "profile"), id = at_member(r, at, "endpointId");
    str name = at_str(r, profile, S("https_web"));
    read_url(r, at_member(r, at, "endpoint"), &i->location);
    i->source = SOURCE_HTTPS_WEB;
    i->endpoint_id = at_str(r, id, (str){0});
    if (str_eq(name, S("https_spiffe"))) {
        i->source = SOURCE_HTTPS_SPIFFE;
        if (!str_starts(i->endpoint_id, S("spiffe://")))
            problem(r, id,
                    "https_spiffe needs the SPIFFE ID that the endpoint shows, e.g. "
                    "\"spiffe://other.org/spire/server\"");
        else if (str_starts(i->endpoint_id,
                            str_fmt(r->a, "spiffe://%.*s/", STR(i->trust_domain))) &&
                 !i->file.n)
            problem(r, at,
                    "the first bundle must come from elsewhere: give it as \"bundleFile\" "
                    "(`spire-server bundle show -format spiffe`)");
        if (at_member(r, at, "ca").v)
            problem(r, at_member(r, at, "ca"), "is not for https_spiffe, which trusts SVIDs only");
    } else if (!str_eq(name, S("https_web"))) {
        problem(r, profile, "must be \"https_web\" or \"https_spiffe\"");
    } else if (i->endpoint_id.n) {
        problem(r, id, "is for the profile https_spiffe only");
    }
}

static void read_spiffe(struct reader *r, struct at at, struct conf_issuer *i)
{
    struct at socket = at_member(r, at, "workloadSocket");
    bool endpoint = at_member(r, at, "endpoint").v;
    i->kind = ISSUER_SPIFFE;
    not_with(r, at, OIDC_ONLY, "OIDC issuers (\"oidc\")");
    if (!is_trust_domain(i->trust_domain))
        problem(r, at_member(r, at, "trustDomain"),
                "a trust domain is lower case letters, digits, . - _");
    i->file = at_path(r, at_member(r, at, "bundleFile"), (str){0});
    if (socket.v) {
        i->location = at_path(r, socket, (str){0});
        i->source = SOURCE_WORKLOAD_API;
        if (i->location.n > UNIX_PATH_BYTES_MAX)
            problem(r, socket, "a socket's path has at most %d bytes", UNIX_PATH_BYTES_MAX);
        if (endpoint)
            problem(r, at, "has both \"workloadSocket\" and \"endpoint\": choose one");
    } else if (endpoint) {
        read_endpoint(r, at, i);
    } else if (at_member(r, at, "profile").v || at_member(r, at, "endpointId").v) {
        problem(r, at, "\"profile\" and \"endpointId\" belong to an \"endpoint\"");
    } else if (!i->file.n) {
        problem(r, at, "needs \"bundleFile\", \"workloadSocket\" or \"endpoint\"");
    } else {
        i->source = SOURCE_FILE;
    }
}

/* ---- OIDC ---- */

static void read_oidc(struct reader *r, struct at at, struct conf_issuer *i)
{
    struct at jwks = at_member(r, at, "jwks"), audiences = at_member(r, at, "audiences");
    i->kind = ISSUER_OIDC;
    not_with(r, at, SPIFFE_ONLY, "SPIFFE issuers (\"trustDomain\")");
    read_url(r, at_member(r, at, "oidc"), &i->url);
    i->file = at_path(r, at_member(r, at, "jwksFile"), (str){0});
    if (jwks.v) {
        i->source = SOURCE_HTTPS_WEB;
        read_url(r, jwks, &i->location);
    } else if (i->file.n) {
        i->source = SOURCE_FILE;
    } else {
        str base = str_ends(i->url, S("/")) ? str_take(i->url, i->url.n - 1) : i->url;
        i->source = SOURCE_DISCOVERY; /* OpenID Connect Discovery section 4 */
        i->location = str_fmt(r->a, "%.*s/.well-known/openid-configuration", STR(base));
    }
    at_str_list(r, audiences, &i->audiences, &i->audiences_n);
    if (i->audiences_n > AUDIENCES_MAX)
        problem(r, audiences, "over %d audiences", AUDIENCES_MAX);
    for (size_t k = 0; k < i->audiences_n; k++)
        if (!i->audiences[k].n)
            problem(r, audiences, "an audience is empty");
}

/* ---- both ---- */

static void read_algorithms(struct reader *r, struct at at, struct conf_issuer *i)
{
    at_str_list(r, at, &i->algorithms, &i->algorithms_n);
    for (size_t k = 0; k < i->algorithms_n; k++) {
        size_t n = 0;
        while (n < sizeof ALGORITHMS / sizeof *ALGORITHMS &&
               !str_eq(i->algorithms[k], str_z(ALGORITHMS[n].name)))
            n++;
        if (n == sizeof ALGORITHMS / sizeof *ALGORITHMS)
            problem(r, at,
                    "\"%.*s\" is not used here; known: RS256 RS384 RS512 PS256 PS384 PS512 ES256 "
                    "ES384 ES512 EdDSA",
                    STR(i->algorithms[k]));
        else if (i->kind == ISSUER_SPIFFE && !ALGORITHMS[n].svid)
            problem(r, at, "%s is not for SVIDs", ALGORITHMS[n].name);
    }
    if (at.v && !i->algorithms_n)
        problem(r, at, "names no algorithm: no token would be accepted");
}

void read_issuer(struct reader *r, struct each *e, struct conf_issuer *i)
{
    i->name = str_dup(r->a, e->name);
    if (!conf_name_is_valid(i->name))
        problem(r, e->at, "an issuer's name is made of letters, digits, - _ .");
    if (!at_object(r, e->at, ISSUER_MEMBERS))
        return;
    bool oidc = at_member(r, e->at, "oidc").v;
    i->trust_domain = at_str(r, at_member(r, e->at, "trustDomain"), (str){0});
    i->ca_file = at_path(r, at_member(r, e->at, "ca"), (str){0});
    if (oidc == (i->trust_domain.n > 0)) {
        problem(r, e->at, "needs either \"trustDomain\" (SPIFFE) or \"oidc\" (the issuer's URL)");
        return;
    }
    if (oidc)
        read_oidc(r, e->at, i);
    else
        read_spiffe(r, e->at, i);
    read_algorithms(r, at_member(r, e->at, "algorithms"), i);
    struct at age = at_member(r, e->at, "maxAge");
    i->max_age_ms = at_duration(r, age, MAX_AGE_MS);
    if (i->max_age_ms < MAX_AGE_MS_MIN || i->max_age_ms > MAX_AGE_MS_MAX)
        problem(r, age, "must be from 1m to 30d");
}

/* The fetcher gets all of them, files too: core opens none. */
void check_issuers(struct reader *r, struct at top, struct conf *c)
{
    struct at issuers = at_member(r, top, "issuers");
    if (c->issuers_n > ISSUERS_MAX)
        problem(r, issuers, "over %d issuers", ISSUERS_MAX);
    c->fetches |= c->issuers_n > 0;
    for (size_t i = 0; i < c->issuers_n; i++) {
        const struct conf_issuer *a = &c->issuers[i];
        struct at at = {issuers.v, str_fmt(r->a, "issuers.%.*s", STR(a->name)), issuers.line};
        if (a->kind == ISSUER_SPIFFE && str_eq(a->trust_domain, c->trust_domain))
            problem(r, at, "is the own trust domain, whose keys this gateway makes itself");
        for (size_t k = 0; k < i; k++) {
            const struct conf_issuer *b = &c->issuers[k];
            if (a->kind == b->kind && str_eq(a->kind == ISSUER_OIDC ? a->url : a->trust_domain,
                                             a->kind == ISSUER_OIDC ? b->url : b->trust_domain))
                problem(r, at, "is the same issuer as \"%.*s\"", STR(b->name));
        }
    }
}
