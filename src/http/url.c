#include "http/url.h"
#include "http/chars.h"

#include <arpa/inet.h>

/* ---- hosts ---- */

static bool port_parse(str text, uint16_t *port, struct err *err)
{
    uint64_t v;
    if (!str_to_u64(text, &v) || v == 0 || v > UINT16_MAX)
        return err_input(err, "the port is not a number in 1..65535");
    *port = (uint16_t)v;
    return true;
}

/* inet_pton wants a NUL; it takes only full dotted quads and RFC 4291 text. */
static bool address_ok(int family, str text)
{
    char z[INET6_ADDRSTRLEN], bytes[16];
    if (text.n >= sizeof z || memchr(text.p, 0, text.n))
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = 0;
    return inet_pton(family, z, bytes) == 1;
}

/* Numbers and 0x-numbers are what some resolvers take for a whole IPv4 address. */
static bool label_is_numeric(str label)
{
    if (label.n >= 2 && label.p[0] == '0' && (label.p[1] | 0x20) == 'x')
        return chars_all(str_skip(label, 2), CH_HEX);
    return chars_all(label, CH_DIGIT);
}

static bool name_parse(str name, enum url_host_kind *kind, struct err *err)
{
    str label = {0}, rest = name;
    bool more = true;
    if (name.n == 0 || name.n > URL_HOST_BYTES_MAX || !chars_all(name, CH_HOST))
        return err_input(err, "the host is not a name of letters, digits, '-', '_' and '.'");
    while (more) {
        more = str_cut(rest, '.', &label, &rest);
        if (label.n == 0 || label.n > URL_LABEL_BYTES_MAX || label.p[0] == '-' ||
            label.p[label.n - 1] == '-')
            return err_input(err, "the host name has an empty, long or dash-ended part");
    }
    if (label_is_numeric(label)) {
        if (!address_ok(AF_INET, name))
            return err_input(err, "the host ends in a number and is not an IPv4 address");
        *kind = URL_HOST_IPV4;
    }
    return true;
}

bool url_host_parse(str text, struct url_host *out, struct err *err)
{
    struct url_host host = {.kind = URL_HOST_NAME};
    str rest;
    if (text.n && text.p[0] == '[') {
        ptrdiff_t end = str_find_char(text, ']', 0);
        if (end < 0)
            return err_input(err, "the host has '[' without ']'");
        host.kind = URL_HOST_IPV6;
        host.name = str_of(text.p + 1, (size_t)end - 1);
        rest = str_skip(text, (size_t)end + 1);
        if (!address_ok(AF_INET6, host.name))
            return err_input(err, "the host is not an IPv6 address in brackets");
    } else {
        host.name = str_take(text, chars_span(text, CH_HOST));
        rest = str_skip(text, host.name.n);
        if (!name_parse(host.name, &host.kind, err))
            return false;
    }
    if (rest.n) {
        if (rest.p[0] != ':')
            return err_input(err, "the host is followed by something else than a port");
        if (!port_parse(str_skip(rest, 1), &host.port, err))
            return false;
        host.has_port = true;
    }
    *out = host;
    return true;
}

/* ---- targets ---- */

/* Reads %XX at s.p[i]; -1 where it is broken. */
static int escape_at(str s, size_t i)
{
    if (s.n - i < 3 || !char_in(s.p[i + 1], CH_HEX) || !char_in(s.p[i + 2], CH_HEX))
        return -1;
    return (int)(char_hex(s.p[i + 1]) << 4 | char_hex(s.p[i + 2]));
}

/* Follows the segments of a path as the most eager reader would cut them: at '/', at its encoded
 * forms, and at
 * ';' where some servers cut off parameters. */
struct segments {
    unsigned dots; /* of a segment that is nothing but dots so far */
    bool other;    /* it holds something else */
};

static bool segment_end(struct segments *s)
{
    bool dotted = !s->other && (s->dots == 1 || s->dots == 2);
    *s = (struct segments){0};
    return !dotted;
}

static bool segment_byte(struct segments *s, int c, struct err *err)
{
    bool cut = c == '/' || c == '\\', params = c == ';';
    if ((cut || params) && !segment_end(s))
        return err_input(err, "the path holds a \".\" or \"..\" segment");
    if (c == '.' && s->dots < 3)
        s->dots++;
    else if (!cut)
        s->other = true;
    return true;
}

static bool path_parse(str path, struct url_target *out, struct err *err)
{
    struct segments seg = {0};
    if (path.n == 0 || path.p[0] != '/')
        return err_input(err, "the path does not begin with '/'");
    if (path.n > 1 && path.p[1] == '/')
        return err_input(err, "the path begins with \"//\"");
    for (size_t i = 0; i < path.n; i++) {
        int c = (unsigned char)path.p[i];
        if (c == '%') {
            c = escape_at(path, i);
            if (c < 0x20 || c == 0x7f)
                return err_input(err, "the path holds a broken escape or an encoded control");
            out->encoded_slash |= c == '/' || c == '\\';
            i += 2;
        } else if (!char_in((char)c, CH_PATH)) {
            return err_input(err, "the path holds a byte that must be percent-encoded");
        }
        if (!segment_byte(&seg, c, err))
            return false;
    }
    if (!segment_end(&seg))
        return err_input(err, "the path ends in a \".\" or \"..\" segment");
    out->path = path;
    return true;
}

static bool query_parse(str query, struct url_target *out, struct err *err)
{
    for (size_t i = 0; i < query.n; i++) {
        if (char_in(query.p[i], CH_PATH | CH_QUESTION))
            continue;
        if (query.p[i] != '%' || escape_at(query, i) < 0)
            return err_input(err, "the query holds a byte that must be percent-encoded");
        i += 2;
    }
    out->query = query;
    return true;
}

bool url_target_parse(str target, struct url_target *out, struct err *err)
{
    struct url_target t = {0};
    str path, query;
    if (target.n > URL_BYTES_MAX)
        return err_limit(err, "the target is over %d bytes", URL_BYTES_MAX);
    t.has_query = str_cut(target, '?', &path, &query);
    if (!path_parse(path, &t, err) || (t.has_query && !query_parse(query, &t, err)))
        return false;
    *out = t;
    return true;
}

/* ---- absolute URLs ---- */

static str lower_copy(struct arena *a, str s)
{
    char *p = arena_dup(a, s.p, s.n);
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] | 0x20);
    return str_of(p, s.n);
}

bool url_parse(struct arena *a, str text, struct url *out, struct err *err)
{
    struct url u = {0};
    if (text.n > URL_BYTES_MAX)
        return err_limit(err, "the URL is over %d bytes", URL_BYTES_MAX);
    u.secure = str_starts(text, S("https://"));
    if (!u.secure && !str_starts(text, S("http://")))
        return err_input(err, "the URL does not begin with \"https://\" or \"http://\"");
    str rest = str_skip(text, u.secure ? 8 : 7);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
        end++;
    str host = str_take(rest, end), target = str_skip(rest, end);
    if (str_find_char(host, '@', 0) >= 0)
        return err_input(err, "the URL holds a user name or password: name a credential instead");
    if (str_find_char(target, '#', 0) >= 0)
        return err_input(err, "the URL holds a fragment (#)");
    if (!url_host_parse(lower_copy(a, host), &u.host, err))
        return false;
    u.port = u.host.has_port ? u.host.port : u.secure ? 443 : 80;
    bool rooted = target.n && target.p[0] == '/';
    u.target = rooted ? str_dup(a, target) : str_fmt(a, "/%.*s", STR(target));
    if (!url_target_parse(u.target, &u.parts, err))
        return false;
    *out = u;
    return true;
}

str url_host_field(struct arena *a, const struct url *u)
{
    bool v6 = u->host.kind == URL_HOST_IPV6;
    const char *open = v6 ? "[" : "", *shut = v6 ? "]" : "";
    if (u->port == (u->secure ? 443 : 80))
        return str_fmt(a, "%s%.*s%s", open, STR(u->host.name), shut);
    return str_fmt(a, "%s%.*s%s:%u", open, STR(u->host.name), shut, (unsigned)u->port);
}

/* ---- decoding ---- */

bool url_decode(struct arena *a, str text, bool plus_is_space, str *out, struct err *err)
{
    char *p = arena_alloc(a, text.n);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int c = (unsigned char)text.p[i];
        if (c == '%') {
            c = escape_at(text, i);
            if (c <= 0)
                return err_input(err, "a percent escape is broken or stands for NUL");
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        p[n++] = (char)c;
    }
    *out = str_of(p, n);
    return true;
}

bool url_form_next(struct arena *a, str *rest, str *name, str *value, struct err *err)
{
    str pair, after, left, right, n, v;
    str_cut(*rest, '&', &pair, &after);
    str_cut(pair, '=', &left, &right);
    if (left.n == 0)
        return err_input(err, "the form data hold a pair without a name");
    if (!url_decode(a, left, true, &n, err) || !url_decode(a, right, true, &v, err))
        return false;
    *rest = after;
    *name = n;
    *value = v;
    return true;
}
