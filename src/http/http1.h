/* http1: HTTP/1.1 (RFC 9112), read strictly and written canonically. Bytes in, events out: no
 * sockets, no clock, no copy of a body.
 *
 * Reading: one struct http1 per connection and direction; http1_begin before each message; then
 * http1_read with what has been received, dropping `used` bytes after each call and passing the
 * rest again with whatever came after it:
 *
 *     for (;;) {
 *         enum http1_step step = http1_read(&h, buf_str(&in), &used, &data, &err);
 *         ... act on it, using data before the next line ...
 *         buf_consume(&in, used);
 *         if (step == HTTP1_MORE || step == HTTP1_END || step == HTTP1_BAD) break;
 *     }
 *
 * The order is HEAD, DATA any number of times, END. Any split of the input gives the same events.
 * What follows the message is left unused. At the end of the stream call http1_eof.
 *
 * Refused, in requests and responses alike, because two readers could disagree on it: any line end
 * but CRLF, CTLs, folded lines, white space before a colon, versions other than HTTP/1.0 and 1.1,
 * Content-Length that is repeated or not plain decimal, Transfer-Encoding other than exactly
 * "chunked" or in HTTP/1.0 or beside Content-Length, chunk extensions, trailers, a Connection
 * option other than close, keep-alive, te, upgrade and http2-settings. Requests need exactly one
 * valid Host (also in 1.0) and a target in origin form ("*" for OPTIONS); CONNECT, absolute form
 * and Expect other than 100-continue are refused. Responses: 1xx are skipped, at most
 * HTTP1_INTERIM_MAX of them within one head_bytes; 101 is refused. Leniency kept: obs-text
 * (0x80..0xff) in field values and reason phrases, empty reason phrases, HTTP/1.0 peers (never kept
 * alive).
 *
 * Memory: a struct http1 owns nothing. A head goes to the arena given to http1_begin: its bytes
 * plus 128 bytes a field at most, and up to 4 times its bytes when a peer sends it line by line.
 * One thread at a time. */
#pragma once
#include "base/buf.h"
#include "http/head.h"

enum { HTTP1_INTERIM_MAX = 8 };

enum http1_role { HTTP1_REQUESTS, HTTP1_RESPONSES }; /* what is read */

/* Zero allows nothing. body_bytes UINT64_MAX is no limit: for streams that are counted elsewhere.
 */
struct http1_limits {
    size_t
        head_bytes; /* start line, fields and the empty line; for responses with all 1xx before */
    size_t target_bytes; /* of a request */
    size_t fields;
    uint64_t body_bytes; /* without chunk framing */
};

enum http1_step {
    HTTP1_BAD = 0, /* err and h->status say why; stays so */
    HTTP1_MORE,    /* more bytes are needed */
    HTTP1_HEAD,    /* h->head is complete */
    HTTP1_DATA,    /* *data, a slice of the input, is the next part of the body */
    HTTP1_END,     /* the message is over; http1_begin before the next */
};

struct http1 {
    struct http_head head; /* from HTTP1_HEAD on, as long as the arena */
    int status;            /* after HTTP1_BAD: what to answer a client; 502 for a response */
    /* private */
    enum http1_role role;
    struct http1_limits limits;
    struct arena *arena;
    uint8_t state;
    uint8_t digits;   /* of the chunk size so far */
    uint8_t interims; /* 1xx skipped */
    uint8_t seen;     /* which lifted fields have been read */
    bool answers_head, close;
    size_t scanned;      /* bytes of an unfinished line that hold no LF */
    size_t head_bytes;   /* of the lines read so far */
    size_t lines;        /* field lines read so far */
    size_t kept;         /* fields already copied to the arena */
    uint64_t left;       /* of the body, or of the chunk */
    uint64_t body_bytes; /* seen or announced so far */
    const char *why;
    bool too_much; /* BAD because of a limit */
};

/* From limits.h: request bodies up to HTTP_BODY_BYTES_MAX, responses up to HTTP_ANSWER_BYTES_MAX.
 */
struct http1_limits http1_limits_default(enum http1_role role);
void http1_init(struct http1 *h, enum http1_role role, const struct http1_limits *limits);
/* Makes ready for the next message. answers_head: the response to come answers a HEAD request. The
 * arena must live until the message has been dealt with. */
void http1_begin(struct http1 *h, struct arena *a, bool answers_head);
/* The next event; see above. *used and *data are always set; err only with HTTP1_BAD: ERR_INPUT or
 * ERR_LIMIT for requests, ERR_PEER or ERR_LIMIT for responses. The texts never quote the input. */
MUST_USE enum http1_step http1_read(struct http1 *h, str in, size_t *used, str *data,
                                    struct err *err);
/* The peer has closed its side and all its bytes were read. END if that ends the message (or it was
 * over), else BAD. */
MUST_USE enum http1_step http1_eof(struct http1 *h, struct err *err);
/* After HTTP1_HEAD: another limit for this body, where the head decides (an event stream:
 * UINT64_MAX). False when the head has already announced more; the reader is then BAD. */
MUST_USE bool http1_limit_body(struct http1 *h, uint64_t body_bytes, struct err *err);
/* No byte of the current message has been seen: closing now loses nothing. */
bool http1_is_idle(const struct http1 *h);

/* Writing. A head is written from its parsed form only, and only if a strict reader would read it
 * back as it is: method, target, host, names and values are checked, and names the head owns are
 * refused in fields, so no value can add a line. False: nothing was appended (ERR_INPUT, or
 * ERR_LIMIT when out is full). Reads of what was written give the same head but for minor (1),
 * reason (the registered phrase), and keep_alive of an until-close body (false).
 *
 * A request has framing NONE, LENGTH or CHUNKED. A response without bodiless needs a framing,
 * except 1xx and 204, which must have none. The caller sends CHUNKED only to peers of HTTP/1.1. */
MUST_USE bool http1_write_request(struct buf *out, const struct http_head *head, struct err *err);
MUST_USE bool http1_write_response(struct buf *out, const struct http_head *head, struct err *err);
/* One chunk; empty data writes nothing, since an empty chunk would end the body. */
void http1_write_chunk(struct buf *out, str data);
void http1_write_last_chunk(struct buf *out);
