/* url: strict reading of the three places where an address stands: an absolute http(s) URL in
 * configuration, the Host field of a request, and a request target.
 *
 * One reading for all: what two programs might read differently is refused (numeric hosts that are
 * not a dotted quad, a trailing dot, user information, dot segments in any spelling). Nothing is
 * normalised but the letters of a configured host name. Sources: RFC 3986, RFC 9112 3.2, RFC
 * 9110 4.2. All results borrow from the text that was passed in, except those of url_parse, which
 * live in the arena. No threads. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { URL_BYTES_MAX = 8 << 10, URL_HOST_BYTES_MAX = 253, URL_LABEL_BYTES_MAX = 63 };

enum url_host_kind { URL_HOST_NAME, URL_HOST_IPV4, URL_HOST_IPV6 };

struct url_host {
    str name; /* as written; an IPv6 address without its brackets */
    enum url_host_kind kind;
    bool has_port;
    uint16_t port; /* 1..65535 when has_port */
};

/* host or host:port. A name is labels of letters, digits, '-' and '_'; one whose last label is
 * numeric must be an IPv4 address in four decimal parts. */
MUST_USE bool url_host_parse(str text, struct url_host *out, struct err *err);

struct url_target {
    str path;  /* as written, percent-encoded, begins with '/' (or is "*") */
    str query; /* without the '?' */
    bool has_query;
    bool encoded_slash; /* the path holds %2F or %5C: readers differ on what its segments are */
};

/* Origin form: path[?query] (RFC 9112 3.2.1), at most URL_BYTES_MAX. Refused: "//" at the start,
 * bytes outside the grammar, broken percent-encoding, encoded CTLs in the path, segments that are
 * or decode to "." or ".." (also before ";" or an encoded slash), fragments. */
MUST_USE bool url_target_parse(str target, struct url_target *out, struct err *err);

struct url {
    bool secure;          /* https */
    struct url_host host; /* name in lower case */
    uint16_t port;        /* effective: given, or 80 or 443 */
    str target;           /* path and query, never empty: what goes into a request line */
    struct url_target parts;
};

/* http://host[:port][/path][?query] or https://...; no user information, no fragment, no white
 * space. */
MUST_USE bool url_parse(struct arena *a, str text, struct url *out, struct err *err);
/* host[:port] for a Host field: brackets where needed, the port only where it is not the scheme's.
 */
str url_host_field(struct arena *a, const struct url *u);

/* Percent-decoding; plus_is_space for form data. Refuses broken escapes and, so that no C string is
 * cut short, %00. */
MUST_USE bool url_decode(struct arena *a, str text, bool plus_is_space, str *out, struct err *err);
/* Takes the next name=value of a query or of an application/x-www-form-urlencoded body off *rest,
 * both decoded. Call while rest->n > 0. Empty pairs ("&&") are refused. */
MUST_USE bool url_form_next(struct arena *a, str *rest, str *name, str *value, struct err *err);
