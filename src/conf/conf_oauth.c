/* What the configuration says of OAuth: the issuer, and how clients name each listener. Both are
 * compared byte by byte later (RFC 8414 section 3.3, RFC 8707, RFC 9449 section 4.3), so they are
 * read strictly and never taken from a request. */
#include "conf/reader.h"

enum { BASE_URL_BYTES_MAX = 300 };

/* scheme://host[:port][/path], lower case up to the path, without a slash at the end: the one
 * spelling that is compared. What stands in it is checked by the letters only; nothing is resolved.
 */
static bool base_url_ok(str s, bool *secure)
{
    *secure = str_starts(s, S("https://"));
    str rest = str_skip(s, *secure ? 8 : 7);
    if ((!*secure && !str_starts(s, S("http://"))) || s.n > BASE_URL_BYTES_MAX || rest.n == 0 ||
        rest.p[0] == '/' || rest.p[0] == ':' || s.p[s.n - 1] == '/')
        return false;
    bool in_path = false;
    for (size_t i = 0; i < rest.n; i++) {
        char c = rest.p[i];
        in_path = in_path || c == '/';
        const char *allowed = in_path ? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789-._~/"
                                      : "abcdefghijklmnopqrstuvwxyz0123456789-._:[]";
        if (!c || !strchr(allowed, c))
            return false;
    }
    return str_find(rest, S("//")) < 0;
}

/* A base URL that may be used: https, or http on this machine. */
static str base_url(struct reader *r, struct at at)
{
    bool secure;
    str url = at_str(r, at, (str){0});
    if (!url.n)
        return url;
    if (!base_url_ok(url, &secure))
        problem(r, at,
                "must be https://host[:port][/path] in lower case, without a slash at the end, a "
                "query, or percent signs");
    else if (!secure && !address_is_loopback(str_fmt(r->a, "%.*s:", STR(str_skip(url, 7)))) &&
             !address_is_loopback(str_skip(url, 7)))
        problem(r, at, "tokens would be sent in the clear: only loopback may do without https");
    return url;
}

void read_listener_oauth(struct reader *r, struct at at, struct conf_listener *l)
{
    bool tls = l->cert_file.n > 0;
    l->oauth = at_bool(r, at_member(r, at, "oauth"), true);
    l->svid = at_bool(r, at_member(r, at, "svid"), false);
    l->url = base_url(r, at_member(r, at, "url"));
    if (l->svid && !tls)
        problem(r, at_member(r, at, "svid"), "client certificates need \"cert\" and \"key\"");
    if (l->svid && (l->client_ca_file.n || l->client_ca_agents))
        problem(r, at_member(r, at, "svid"),
                "\"clientCa\" has the edge judge certificates, \"svid\" has core: choose one");
}

/* As clients on this machine reach it, if it listens for them on a port that is known. */
static str loopback_url(struct arena *a, const struct conf_listener *l)
{
    if (!address_is_loopback(l->address) || str_ends(l->address, S(":0")))
        return (str){0};
    return str_fmt(a, "%s://%.*s", l->cert_file.n ? "https" : "http", STR(l->address));
}

void read_oauth(struct reader *r, struct at top, struct conf *c)
{
    c->issuer = base_url(r, at_member(r, top, "issuer"));
    for (size_t i = 0; i < c->listeners_n; i++)
        if (!c->listeners[i].url.n)
            c->listeners[i].url = loopback_url(r->a, &c->listeners[i]);
    for (size_t i = 0; !c->issuer.n && i < c->listeners_n; i++)
        if (!c->listeners[i].bundle)
            c->issuer = c->listeners[i].url;
    if (!c->issuer.n)
        c->issuer = str_fmt(r->a, "https://%.*s", STR(c->trust_domain));
    for (size_t i = 0; i < c->listeners_n; i++)
        if (!c->listeners[i].url.n)
            c->listeners[i].url = c->issuer;
}

str conf_resource(struct arena *a, const struct conf_listener *l, str binding)
{
    return str_fmt(a, "%.*s/mcp%s%.*s", STR(l->url), binding.n ? "/" : "", STR(binding));
}
