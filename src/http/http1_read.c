/* The reader. One message walks these states from top to bottom:
 *
 *     START -> FIELDS -> LENGTH | UNTIL_CLOSE | CHUNK_SIZE -> DONE
 *
 *     CHUNK_SIZE -> CHUNK_SIZE_LF -> CHUNK_DATA -> CHUNK_DATA_CR -> CHUNK_DATA_LF -> CHUNK_SIZE
 *                                 \-> LAST_CR -> LAST_LF -> DONE        (size 0)
 *
 * The head is taken line by line. A line is judged when its LF is there, so a message has one
 * verdict however it was cut; while one call is at work, slices point into the input, and are moved
 * to the arena with one copy before it returns. */
#include "http/http1.h"
#include "http/chars.h"

#include "base/limits.h"

enum state {
    BAD = 0,
    START,
    FIELDS,
    LENGTH,
    UNTIL_CLOSE,
    CHUNK_SIZE,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    LAST_CR,
    LAST_LF,
    DONE,
    STATES
};

enum { SEEN_HOST = 1, SEEN_LENGTH = 2, SEEN_CODING = 4, SEEN_EXPECT = 8 };
enum { CHUNK_DIGITS_MAX = 16 }; /* what fits 64 bits */

struct http1_limits http1_limits_default(enum http1_role role)
{
    return (struct http1_limits){
        .head_bytes = HTTP_HEAD_BYTES_MAX,
        .target_bytes = HTTP_TARGET_BYTES_MAX,
        .fields = HTTP_FIELDS_MAX,
        .body_bytes = role == HTTP1_REQUESTS ? HTTP_BODY_BYTES_MAX : HTTP_ANSWER_BYTES_MAX,
    };
}

void http1_init(struct http1 *h, enum http1_role role, const struct http1_limits *limits)
{
    *h = (struct http1){.role = role, .limits = *limits, .why = "no message was begun"};
}

void http1_begin(struct http1 *h, struct arena *a, bool answers_head)
{
    *h = (struct http1){
        .role = h->role,
        .limits = h->limits,
        .arena = a,
        .state = START,
        .answers_head = answers_head,
    };
}

/* The one way to fail: remembers why, so that BAD stays BAD. `status` is for the client of a
 * request. */
static bool bad(struct http1 *h, int status, const char *why)
{
    h->state = BAD;
    h->status = h->role == HTTP1_REQUESTS ? status : 502;
    h->too_much = status == 413 || status == 414 || status == 431;
    h->why = why;
    return false;
}

/* ---- the start line ---- */

/* "HTTP/1.0" or "HTTP/1.1" (RFC 9112 2.3, case-sensitive). */
static bool version(struct http1 *h, str v)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || !char_in(v.p[5], CH_DIGIT) || v.p[6] != '.' ||
        !char_in(v.p[7], CH_DIGIT))
        return bad(h, 400, "the start line does not name an HTTP version");
    if (v.p[5] != '1' || v.p[7] > '1')
        return bad(h, 505, "the HTTP version is not 1.0 or 1.1");
    h->head.minor = v.p[7] - '0';
    return true;
}

static bool target(struct http1 *h, str t)
{
    struct err why;
    if (t.n > h->limits.target_bytes)
        return bad(h, 414, "the request target is too long");
    if (str_eq(h->head.method, S("CONNECT")))
        return bad(h, 501, "CONNECT is not offered");
    if (str_eq(t, S("*")) && str_eq(h->head.method, S("OPTIONS")))
        h->head.parts = (struct url_target){.path = t};
    else if (!url_target_parse(t, &h->head.parts, &why))
        return bad(h, 400, "the request target is not a plain path with an optional query");
    h->head.target = t;
    return true;
}

/* method SP request-target SP HTTP-version (RFC 9112 3), one SP each. */
static bool request_line(struct http1 *h, str line)
{
    str method = str_take(line, chars_span(line, CH_TOKEN));
    str rest = str_skip(line, method.n);
    if (method.n == 0 || rest.n == 0 || rest.p[0] != ' ')
        return bad(h, 400, "the request line does not begin with a method and one space");
    rest = str_skip(rest, 1);
    ptrdiff_t space = str_find_char(rest, ' ', 0);
    if (space < 0)
        return bad(h, 400, "the request line does not end with a version");
    h->head.method = method;
    return version(h, str_skip(rest, (size_t)space + 1)) &&
           target(h, str_take(rest, (size_t)space));
}

/* HTTP-version SP 3DIGIT SP [reason-phrase] (RFC 9112 4). */
static bool status_line(struct http1 *h, str line)
{
    if (!version(h, str_take(line, 8)))
        return false;
    const char *p = line.p;
    if (line.n < 13 || p[8] != ' ' || p[12] != ' ' || !chars_all(str_of(p + 9, 3), CH_DIGIT))
        return bad(h, 400, "the status line does not hold a three-digit status between spaces");
    h->head.status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    h->head.reason = str_skip(line, 13);
    if (h->head.status < 100 || h->head.status > 599)
        return bad(h, 400, "the status is not in 100..599");
    if (!chars_all(h->head.reason, CH_VALUE))
        return bad(h, 400, "the reason phrase holds a control character");
    return true;
}

/* ---- fields ---- */

static bool once(struct http1 *h, uint8_t which, const char *why)
{
    if (h->seen & which)
        return bad(h, 400, why);
    h->seen |= which;
    return true;
}

static bool on_host(struct http1 *h, str value)
{
    struct url_host host;
    struct err why;
    if (!once(h, SEEN_HOST, "there are two Host fields"))
        return false;
    if (!url_host_parse(value, &host, &why))
        return bad(h, 400, "the Host field is not a host with an optional port");
    h->head.host = value;
    return true;
}

static bool on_length(struct http1 *h, str value)
{
    if (!once(h, SEEN_LENGTH, "there are two Content-Length fields"))
        return false;
    if (!str_to_u64(value, &h->head.length))
        return bad(h, 400, "Content-Length is not a plain decimal number");
    return true;
}

/* Exactly this word: a coding that one reader strips and the next does not is how messages are
 * smuggled. */
static bool on_coding(struct http1 *h, str value)
{
    if (!once(h, SEEN_CODING, "there are two Transfer-Encoding fields"))
        return false;
    if (!str_eq(value, S("chunked")))
        return bad(h, 501, "Transfer-Encoding is something else than \"chunked\"");
    return true;
}

/* RFC 9110 10.1.1; a 1.0 client cannot expect anything. */
static bool on_expect(struct http1 *h, str value)
{
    if (!once(h, SEEN_EXPECT, "there are two Expect fields"))
        return false;
    if (!str_eq_nocase(value, S("100-continue")))
        return bad(h, 417, "Expect is something else than 100-continue");
    return true;
}

/* Options name fields that a relay must drop; only those that we know to be harmless are let
 * through, so that nobody can have a field dropped that a later reader would have judged by. */
static bool on_connection(struct http1 *h, str value)
{
    static const char *const harmless[] = {"close", "keep-alive", "upgrade", "te",
                                           "http2-settings"};
    enum { KNOWN = sizeof harmless / sizeof harmless[0] };
    str option, rest = value;
    bool more = true;
    while (more) {
        more = str_cut(rest, ',', &option, &rest);
        option = str_trim(option);
        size_t i = 0;
        while (i < KNOWN && !str_eq_nocase(option, str_z(harmless[i])))
            i++;
        if (i == KNOWN)
            return bad(h, 400, "Connection holds an option that is not known");
        h->close |= i == 0;
    }
    return true;
}

static const struct lifted {
    str name;
    bool (*take)(struct http1 *h, str value);
    bool requests_only;
} lifted[] = {
    {{"host", 4}, on_host, true},
    {{"expect", 6}, on_expect, true},
    {{"connection", 10}, on_connection, false},
    {{"content-length", 14}, on_length, false},
    {{"transfer-encoding", 17}, on_coding, false},
};

/* The entry for a name that the head owns (see http_head_owns). */
static const struct lifted *find_lifted(const struct http1 *h, str name)
{
    for (size_t i = 0; i < sizeof lifted / sizeof lifted[0]; i++)
        if (lifted[i].name.n == name.n && str_eq_nocase(lifted[i].name, name))
            return lifted[i].requests_only && h->role != HTTP1_REQUESTS ? NULL : &lifted[i];
    return NULL;
}

/* field-name ":" OWS field-value OWS (RFC 9112 5). */
static bool field_line(struct http1 *h, str line)
{
    str name = str_of(line.p, chars_span(line, CH_TOKEN));
    if (name.n == 0)
        return bad(h, 400, "a field line does not begin with a name (folded lines are refused)");
    if (name.n == line.n || line.p[name.n] != ':')
        return bad(h, 400, "a field name is not followed at once by a colon");
    str value = str_of(line.p + name.n + 1, line.n - name.n - 1);
    if (!chars_all(value, CH_VALUE))
        return bad(h, 400, "a field value holds a control character");
    if (h->lines++ >= h->limits.fields)
        return bad(h, 431, "there are too many fields");
    value = str_trim(value);
    const struct lifted *own = find_lifted(h, name);
    if (own)
        return own->take(h, value);
    fields_add(h->arena, &h->head.fields, name, value);
    return true;
}

/* ---- the end of the head: which body follows ---- */

/* RFC 9112 6.1 to 6.3, without the cases in which a recipient may guess. */
static bool framing(struct http1 *h)
{
    struct http_head *head = &h->head;
    bool length = h->seen & SEEN_LENGTH, coding = h->seen & SEEN_CODING;
    if (length && coding)
        return bad(h, 400, "there are both Content-Length and Transfer-Encoding");
    if (coding && head->minor == 0)
        return bad(h, 400, "Transfer-Encoding does not exist in HTTP/1.0");
    head->framing = coding ? HTTP_BODY_CHUNKED : length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    return true;
}

static bool body_is_too_much(const struct http1 *h)
{
    return !h->head.bodiless && h->head.framing == HTTP_BODY_LENGTH &&
           h->head.length > h->limits.body_bytes;
}

static void enter_body(struct http1 *h)
{
    static const uint8_t first[] = {
        [HTTP_BODY_NONE] = DONE,
        [HTTP_BODY_LENGTH] = LENGTH,
        [HTTP_BODY_CHUNKED] = CHUNK_SIZE,
        [HTTP_BODY_UNTIL_CLOSE] = UNTIL_CLOSE,
    };
    h->state = h->head.bodiless ? DONE : first[h->head.framing];
    h->left = h->head.length;
    h->head.keep_alive =
        h->head.minor == 1 && !h->close && h->head.framing != HTTP_BODY_UNTIL_CLOSE;
}

static bool end_request_head(struct http1 *h)
{
    if (!(h->seen & SEEN_HOST))
        return bad(h, 400, "there is no Host field");
    if (!framing(h))
        return false;
    if (body_is_too_much(h))
        return bad(h, 413, "the body is too large");
    h->head.expect_continue = (h->seen & SEEN_EXPECT) && h->head.minor == 1 &&
                              (h->head.framing == HTTP_BODY_CHUNKED || h->head.length > 0);
    enter_body(h);
    return true;
}

/* A 1xx is forgotten and the next head awaited; what it cost stays counted. */
static bool skip_interim(struct http1 *h)
{
    if (h->head.status == 101)
        return bad(h, 502, "the peer changed to another protocol unasked");
    if (h->seen || h->head.minor == 0)
        return bad(h, 502, "an interim response may not have a body, nor be of HTTP/1.0");
    if (++h->interims > HTTP1_INTERIM_MAX)
        return bad(h, 502, "there are too many interim responses");
    struct fields room = {.v = h->head.fields.v, .cap = h->head.fields.cap};
    h->head = (struct http_head){.fields = room};
    h->kept = h->lines = 0;
    h->close = false;
    h->state = START;
    return true;
}

static bool end_response_head(struct http1 *h)
{
    struct http_head *head = &h->head;
    if (head->status < 200)
        return skip_interim(h);
    if (!framing(h))
        return false;
    if (head->status == 204) {
        /* RFC 9110 8.6 wants neither field; a zero length is common and harmless. */
        if (head->framing == HTTP_BODY_CHUNKED || head->length > 0)
            return bad(h, 502, "a 204 response may not have a body");
        head->framing = HTTP_BODY_NONE;
    }
    head->bodiless = h->answers_head || head->status == 204 || head->status == 304;
    if (head->framing == HTTP_BODY_NONE && !head->bodiless)
        head->framing = HTTP_BODY_UNTIL_CLOSE;
    if (body_is_too_much(h))
        return bad(h, 413, "the body is too large");
    enter_body(h);
    return true;
}

/* ---- the head as a whole ---- */

static void move(str *s, str from, const char *to)
{
    uintptr_t at = (uintptr_t)s->p, base = (uintptr_t)from.p;
    if (at >= base && at - base < from.n)
        s->p = to + (at - base);
}

/* Copies the lines read in this call to the arena and points there what pointed into them. */
static void keep(struct http1 *h, str lines)
{
    struct http_head *head = &h->head;
    if (lines.n == 0)
        return;
    const char *to = arena_dup(h->arena, lines.p, lines.n);
    str *const loose[] = {&head->method,      &head->target, &head->parts.path,
                          &head->parts.query, &head->host,   &head->reason};
    for (size_t i = 0; i < sizeof loose / sizeof loose[0]; i++)
        move(loose[i], lines, to);
    for (; h->kept < head->fields.n; h->kept++) {
        move(&head->fields.v[h->kept].name, lines, to);
        move(&head->fields.v[h->kept].value, lines, to);
    }
}

/* One whole line, LF included. */
static bool head_line(struct http1 *h, str line)
{
    bool requests = h->role == HTTP1_REQUESTS;
    if (line.n < 2 || line.p[line.n - 2] != '\r')
        return bad(h, 400, "a line does not end with CR LF");
    line.n -= 2;
    if (h->state == START) {
        h->state = FIELDS;
        return requests ? request_line(h, line) : status_line(h, line);
    }
    if (line.n > 0)
        return field_line(h, line);
    return requests ? end_request_head(h) : end_response_head(h);
}

static bool head_too_long(struct http1 *h)
{
    return h->state == START ? bad(h, 414, "the start line is too long")
                             : bad(h, 431, "the head is too large");
}

/* Both are what a whole line would be refused for, seen early: a peer that speaks another protocol
 * (TLS, say) is told at once, and an endless line does not fill memory. */
static bool partial_line_ok(struct http1 *h, str part)
{
    if (part.n && h->state == START && !char_in(part.p[0], CH_TOKEN))
        return bad(h, 400, "the message does not begin with an HTTP/1.1 start line");
    if (part.n && part.n >= h->limits.head_bytes - h->head_bytes)
        return head_too_long(h);
    return true;
}

static enum http1_step read_head(struct http1 *h, str in, size_t *used, str *data)
{
    size_t at = 0;
    bool ok = true;
    while (ok && (h->state == START || h->state == FIELDS)) {
        str rest = str_of(in.p + at, in.n - at);
        const char *lf =
            rest.n > h->scanned ? memchr(rest.p + h->scanned, '\n', rest.n - h->scanned) : NULL;
        if (!lf) {
            h->scanned = rest.n;
            ok = partial_line_ok(h, rest);
            break;
        }
        str line = str_of(rest.p, (size_t)(lf - rest.p) + 1);
        h->scanned = 0;
        if (h->state == START && !char_in(line.p[0], CH_TOKEN))
            ok = bad(h, 400, "the message does not begin with an HTTP/1.1 start line");
        else if (line.n > h->limits.head_bytes - h->head_bytes)
            ok = head_too_long(h);
        else
            ok = head_line(h, line);
        h->head_bytes += line.n;
        at += line.n;
    }
    if (!ok) {
        h->head = (struct http_head){0};
        return HTTP1_BAD;
    }
    keep(h, str_of(in.p, at));
    *used = at;
    return h->state > FIELDS ? HTTP1_HEAD : HTTP1_MORE;
}

/* ---- bodies ---- */

static enum http1_step give(struct http1 *h, str in, size_t n, size_t *used, str *data)
{
    *data = str_of(in.p + *used, n);
    *used += n;
    h->left -= n;
    return HTTP1_DATA;
}

static enum http1_step read_length(struct http1 *h, str in, size_t *used, str *data)
{
    if (h->left == 0) {
        h->state = DONE;
        return HTTP1_END;
    }
    if (in.n == 0)
        return HTTP1_MORE;
    return give(h, in, in.n < h->left ? in.n : (size_t)h->left, used, data);
}

static enum http1_step read_until_close(struct http1 *h, str in, size_t *used, str *data)
{
    uint64_t room = h->limits.body_bytes - h->body_bytes;
    if (in.n == 0)
        return HTTP1_MORE;
    if (room == 0)
        return bad(h, 413, "the body is too large"), HTTP1_BAD;
    size_t n = in.n < room ? in.n : (size_t)room;
    h->left = n;
    h->body_bytes += n;
    return give(h, in, n, used, data);
}

/* The size is complete. */
static bool open_chunk(struct http1 *h)
{
    if (h->left > h->limits.body_bytes - h->body_bytes)
        return bad(h, 413, "the body is too large");
    h->body_bytes += h->left;
    h->digits = 0;
    h->state = h->left ? CHUNK_DATA : LAST_CR;
    return true;
}

/* 1*HEXDIG CR (RFC 9112 7.1); what else may stand there (extensions) is refused. */
static bool chunk_size_byte(struct http1 *h, char c)
{
    if (c == '\r' && h->digits > 0) {
        h->state = CHUNK_SIZE_LF;
        return true;
    }
    if (!char_in(c, CH_HEX))
        return bad(h, 400, "a chunk size is not a plain hexadecimal number");
    if (++h->digits > CHUNK_DIGITS_MAX)
        return bad(h, 400, "a chunk size is too long");
    h->left = h->left << 4 | char_hex(c);
    return true;
}

/* The bytes of chunk framing that allow no choice. */
static const struct {
    char want;
    enum state next;
    const char *why;
} fixed[STATES] = {
    [CHUNK_SIZE_LF] = {'\n', CHUNK_DATA, "a chunk size does not end with CR LF"},
    [CHUNK_DATA_CR] = {'\r', CHUNK_DATA_LF, "a chunk is longer than its size"},
    [CHUNK_DATA_LF] = {'\n', CHUNK_SIZE, "a chunk does not end with CR LF"},
    [LAST_CR] = {'\r', LAST_LF, "trailer fields are not taken"},
    [LAST_LF] = {'\n', DONE, "the last chunk does not end with CR LF"},
};

static bool fixed_byte(struct http1 *h, char c)
{
    unsigned s = h->state;
    if (c != fixed[s].want)
        return bad(h, 400, fixed[s].why);
    h->state = (uint8_t)fixed[s].next;
    return s == CHUNK_SIZE_LF ? open_chunk(h) : true;
}

static enum http1_step read_chunked(struct http1 *h, str in, size_t *used, str *data)
{
    while (*used < in.n) {
        if (h->state == CHUNK_DATA) {
            size_t n = in.n - *used < h->left ? in.n - *used : (size_t)h->left;
            if (n == h->left)
                h->state = CHUNK_DATA_CR;
            return give(h, in, n, used, data);
        }
        char c = in.p[(*used)++];
        if (!(h->state == CHUNK_SIZE ? chunk_size_byte(h, c) : fixed_byte(h, c)))
            return HTTP1_BAD;
        if (h->state == DONE)
            return HTTP1_END;
    }
    return HTTP1_MORE;
}

static enum http1_step read_bad(struct http1 *h, str in, size_t *used, str *data)
{
    return HTTP1_BAD;
}

static enum http1_step read_done(struct http1 *h, str in, size_t *used, str *data)
{
    return HTTP1_END;
}

/* ---- the reader's face ---- */

static enum http1_step (*const readers[STATES])(struct http1 *, str, size_t *, str *) = {
    [BAD] = read_bad,
    [START] = read_head,
    [FIELDS] = read_head,
    [LENGTH] = read_length,
    [UNTIL_CLOSE] = read_until_close,
    [CHUNK_SIZE] = read_chunked,
    [CHUNK_SIZE_LF] = read_chunked,
    [CHUNK_DATA] = read_chunked,
    [CHUNK_DATA_CR] = read_chunked,
    [CHUNK_DATA_LF] = read_chunked,
    [LAST_CR] = read_chunked,
    [LAST_LF] = read_chunked,
    [DONE] = read_done,
};

static enum http1_step report(struct http1 *h, enum http1_step step, struct err *err)
{
    if (step != HTTP1_BAD)
        return step;
    if (h->too_much)
        err_limit(err, "%s", h->why);
    else if (h->role == HTTP1_REQUESTS)
        err_input(err, "%s", h->why);
    else
        err_peer(err, "%s", h->why);
    return step;
}

enum http1_step http1_read(struct http1 *h, str in, size_t *used, str *data, struct err *err)
{
    *used = 0;
    *data = (str){0};
    if (!in.p)
        in = S("");
    return report(h, readers[h->state](h, in, used, data), err);
}

enum http1_step http1_eof(struct http1 *h, struct err *err)
{
    if (h->state == UNTIL_CLOSE || (h->state == LENGTH && h->left == 0))
        h->state = DONE;
    if (h->state != DONE && h->state != BAD)
        bad(h, 400, "the stream ended within a message");
    return report(h, h->state == DONE ? HTTP1_END : HTTP1_BAD, err);
}

bool http1_limit_body(struct http1 *h, uint64_t body_bytes, struct err *err)
{
    h->limits.body_bytes = body_bytes;
    if (h->state == BAD)
        return report(h, HTTP1_BAD, err) != HTTP1_BAD;
    if (!body_is_too_much(h) && h->body_bytes <= body_bytes)
        return true;
    bad(h, 413, "the body is too large");
    return report(h, HTTP1_BAD, err) != HTTP1_BAD;
}

bool http1_is_idle(const struct http1 *h)
{
    return h->state == START && h->head_bytes == 0 && h->scanned == 0;
}
