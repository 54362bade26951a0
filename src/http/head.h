/* head: the head of one HTTP message in parsed form, the same for HTTP/1.1 and HTTP/2, read or to
 * be written.
 *
 * What decides how a message is framed, routed or ended is lifted out of the fields into members of
 * its own, so that it is read once and cannot be said twice: Host, Content-Length,
 * Transfer-Encoding, Connection and Expect of a request; Content-Length, Transfer-Encoding and
 * Connection of a response. Those names never stand in `fields`; writers refuse a head in which
 * they do. Slices live in the arena of the reader. The zero value is safe: no body, connection
 * closed afterwards. */
#pragma once
#include "http/fields.h"
#include "http/url.h"

/* How the body is delimited, as the head says it. */
enum http_framing {
    HTTP_BODY_NONE = 0,
    HTTP_BODY_LENGTH,      /* length bytes */
    HTTP_BODY_CHUNKED,     /* Transfer-Encoding: chunked */
    HTTP_BODY_UNTIL_CLOSE, /* responses only: a cut-off body cannot be told from a whole one */
};

struct http_head {
    /* requests */
    str method;
    str target;              /* origin form, or "*" for OPTIONS */
    struct url_target parts; /* of target */
    str host;                /* host[:port] as sent; HTTP/2: :authority */
    bool expect_continue;    /* the client waits for a 100 before it sends its body */
    /* responses */
    int status;
    str reason;    /* as received, for a person; never written */
    bool bodiless; /* to HEAD, or 204, or 304: no body follows, whatever the framing says */
    /* both */
    int minor; /* of HTTP/1.x as received; HTTP/1.1 is written */
    struct fields fields;
    enum http_framing framing;
    uint64_t length; /* with HTTP_BODY_LENGTH */
    bool keep_alive; /* the connection may carry another message after this one */
};

/* True for the names that are members above and so may not stand in `fields`. */
bool http_head_owns(bool request, str name);
/* The registered phrase of a status (RFC 9110 15), else the empty str. */
str http_reason(int status);
