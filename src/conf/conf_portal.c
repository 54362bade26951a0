/* The configuration's member "portal", and what people and agents have to do with it: how a person
 * signs in elsewhere, and which clients may ask an owner for consent. */
#include "base/limits.h"
#include "conf/reader.h"

static const char *const PORTAL_MEMBERS[] = {"listen", "origin", "cert", "key", "login", NULL};
static const char *const LOGIN_MEMBERS[] = {"issuer", "clientId", "name", "maxAge", NULL};
static const char *const OIDC_MEMBERS[] = {"issuer", "sub", NULL};
static const char *const CLIENT_MEMBERS[] = {"redirectUris", NULL};

enum {
    ORIGIN_BYTES_MAX = 255,
    REDIRECT_BYTES_MAX = 1024,
    REDIRECTS_MAX = 16,
    LOGIN_MAX_AGE_S = 12 * 3600
};

/* The part of "http://host:port/..." behind the scheme; empty if it is no such URL. */
static str behind_scheme(str s)
{
    return str_starts(s, S("https://"))  ? str_skip(s, 8)
           : str_starts(s, S("http://")) ? str_skip(s, 7)
                                         : (str){0};
}

static str host_of(str authority)
{
    str host, rest;
    str_cut(authority, ':', &host, &rest);
    return host;
}

static bool is_origin_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':';
}

/* A name, since browsers give no passkeys to addresses; lower case and without the scheme's own
 * port, since it is compared byte by byte with what browsers say. */
static bool is_origin(str s)
{
    str rest = behind_scheme(s), host = host_of(rest);
    bool letter = false;
    if (!host.n || s.n > ORIGIN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < rest.n; i++)
        if (!is_origin_char(rest.p[i]))
            return false;
    for (size_t i = 0; i < host.n; i++)
        letter |= host.p[i] >= 'a' && host.p[i] <= 'z';
    return letter && host.p[0] != '.' && !str_ends(rest, S(":")) && !str_ends(s, S(":443")) &&
           !str_ends(s, S(":80"));
}

static str origin_default(struct reader *r, const struct conf_portal *p)
{
    str host, port;
    if (!address_is_loopback(p->address) || !str_cut(p->address, ':', &host, &port) ||
        str_starts(p->address, S("[")))
        return (str){0};
    return str_fmt(r->a, "%s://localhost:%.*s", p->cert_file.n ? "https" : "http", STR(port));
}

/* Exactly this machine: a name that only begins so ("127.evil.example") is another. */
static bool is_own_machine(str authority)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        str rest = str_skip(authority, strlen(hosts[i]));
        uint64_t port;
        if (str_starts(authority, str_z(hosts[i])) &&
            (!rest.n || (rest.p[0] == ':' && str_to_u64(str_skip(rest, 1), &port) && port < 65536)))
            return true;
    }
    return false;
}

static void read_login(struct reader *r, struct at at, struct conf_portal *p)
{
    if (!at.v || !at_object(r, at, LOGIN_MEMBERS))
        return;
    struct at issuer = at_member(r, at, "issuer"), client = at_member(r, at, "clientId");
    p->login_issuer = at_str(r, issuer, (str){0});
    p->login_client = at_str(r, client, (str){0});
    p->login_name = at_str(r, at_member(r, at, "name"), p->login_issuer);
    p->login_max_age_s = at_int(r, at_member(r, at, "maxAge"), 0, 0, LOGIN_MAX_AGE_S);
    if (!p->login_issuer.n)
        problem(r, issuer, "must name one of \"issuers\": the OpenID provider");
    if (!p->login_client.n)
        problem(r, client, "must be the name under which the provider knows this gateway");
}

void read_portal(struct reader *r, struct at at, struct conf *c)
{
    struct conf_portal *p = &c->portal;
    if (!at.v || !at_object(r, at, PORTAL_MEMBERS))
        return;
    struct at listen = at_member(r, at, "listen"), origin = at_member(r, at, "origin");
    p->address = at_str(r, listen, (str){0});
    p->cert_file = at_path(r, at_member(r, at, "cert"), (str){0});
    p->key_file = at_path(r, at_member(r, at, "key"), (str){0});
    if (!p->address.n || str_find_char(p->address, ':', 0) < 0)
        problem(r, listen, "must be an address and a port, e.g. \"127.0.0.1:8933\"");
    bool loopback = address_is_loopback(p->address);
    if ((p->cert_file.n != 0) != (p->key_file.n != 0))
        problem(r, at, "TLS needs both \"cert\" and \"key\"");
    if (!loopback && !p->cert_file.n)
        problem(r, at, "an address beyond loopback needs TLS: give \"cert\" and \"key\"");
    p->origin = at_str(r, origin, origin_default(r, p));
    p->rp_id = host_of(behind_scheme(p->origin));
    if (!is_origin(p->origin))
        problem(r, origin,
                "must be the URL that browsers see, with a name in lower case and without a path, "
                "e.g. \"https://ambit.example.org\" or \"http://localhost:8933\"");
    else if (str_starts(p->origin, S("http://")) && !str_eq(p->rp_id, S("localhost")))
        problem(r, origin, "browsers use passkeys over https only, but for http://localhost");
    read_login(r, at_member(r, at, "login"), p);
}

void read_person_oidc(struct reader *r, struct at at, struct conf_person *p)
{
    if (!at.v || !at_object(r, at, OIDC_MEMBERS))
        return;
    p->oidc_issuer = at_str(r, at_member(r, at, "issuer"), (str){0});
    p->oidc_sub = at_str(r, at_member(r, at, "sub"), (str){0});
    if (!p->oidc_issuer.n || !p->oidc_sub.n)
        problem(r, at,
                "needs \"issuer\", one of \"issuers\", and \"sub\", as its ID tokens have it");
}

static bool can_log_in(const struct conf_issuer *i)
{
    return i && i->kind == ISSUER_OIDC && i->source == SOURCE_DISCOVERY;
}

void check_login(struct reader *r, struct at top, const struct conf *c)
{
    struct at login = at_member(r, at_member(r, top, "portal"), "login");
    if (c->portal.login_issuer.n && !can_log_in(conf_issuer(c, c->portal.login_issuer)))
        problem(r, at_member(r, login, "issuer"),
                "\"%.*s\" is no OIDC issuer of \"issuers\" that is found by discovery",
                STR(c->portal.login_issuer));
    for (struct each e = each_of(r, at_member(r, top, "people")); each_next(&e);) {
        const struct conf_person *p = conf_person(c, e.name);
        if (p && p->oidc_issuer.n && !can_log_in(conf_issuer(c, p->oidc_issuer)))
            problem(r, at_member(r, at_member(r, e.at, "oidc"), "issuer"),
                    "\"%.*s\" is no OIDC issuer of \"issuers\" that is found by discovery",
                    STR(p->oidc_issuer));
    }
}

/* RFC 8252: https anywhere, plain http only to the client's own machine, or a scheme of the
 * client's own ("com.example.app:/back"), which has a dot and no authority. */
static bool is_redirect_uri(str s)
{
    ptrdiff_t colon = str_find_char(s, ':', 0);
    if (s.n > REDIRECT_BYTES_MAX || !str_is_visible_ascii(s) || str_find_char(s, '#', 0) >= 0 ||
        str_find_char(s, '\\', 0) >= 0 || colon <= 0)
        return false;
    str rest = behind_scheme(s), authority, path;
    if (!rest.n)
        return str_find_char(str_take(s, (size_t)colon), '.', 0) > 0 &&
               str_starts(str_skip(s, (size_t)colon), S(":/")) &&
               !str_starts(str_skip(s, (size_t)colon), S("://"));
    str_cut(rest, '/', &authority, &path);
    if (!authority.n || str_find_char(authority, '@', 0) >= 0)
        return false;
    return str_starts(s, S("https://")) || is_own_machine(authority);
}

void read_agent_client(struct reader *r, struct at at, struct conf_agent *g)
{
    if (!at.v || !at_object(r, at, CLIENT_MEMBERS))
        return;
    struct at uris = at_member(r, at, "redirectUris");
    at_str_list(r, uris, &g->redirect_uris, &g->redirect_uris_n);
    if (g->redirect_uris_n == 0 || g->redirect_uris_n > REDIRECTS_MAX)
        problem(r, uris, "must list 1 to %d addresses to which browsers are sent back",
                REDIRECTS_MAX);
    for (size_t i = 0; i < g->redirect_uris_n; i++)
        if (!is_redirect_uri(g->redirect_uris[i]))
            problem(
                r, uris,
                "\"%.*s\" is no redirect URI: https, or http on 127.0.0.1 or [::1], or a scheme "
                "of the program's own with a dot; no fragment",
                STR(g->redirect_uris[i]));
}
