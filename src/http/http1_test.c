/* Tables of requests and responses; each is read whole, byte by byte and cut at every offset, and
 * each accepted one is written canonically and read again. */
#include "http/http1_probe.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define G   "GET / HTTP/1.1\r\nHost: a\r\n"
#define P   "POST /p HTTP/1.1\r\nHost: a\r\n"
#define PC  P "Transfer-Encoding: chunked\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\n"
#define OKC OK "Transfer-Encoding: chunked\r\n\r\n"
#define A10 "aaaaaaaaaa"
#define A50 A10 A10 A10 A10 A10

/* Small enough to be met by short messages. */
static const struct http1_limits small = {
    .head_bytes = 300, .target_bytes = 60, .fields = 6, .body_bytes = 40};

struct message {
    str in;
    int status;  /* 0: accepted */
    str body;    /* where accepted */
    size_t left; /* bytes that belong to the next message */
};
/* R: refused with a status. Y: accepted with a body; N: and with what follows it left alone. */
#define R(status, text)                                                                            \
    {                                                                                              \
        {"" text, sizeof text - 1}, status, {0}, 0                                                 \
    }
#define Y(text, body)                                                                              \
    {                                                                                              \
        {"" text, sizeof text - 1}, 0, {"" body, sizeof body - 1}, 0                               \
    }
#define N(text, body, n)                                                                           \
    {                                                                                              \
        {"" text, sizeof text - 1}, 0, {"" body, sizeof body - 1}, n                               \
    }

static const struct message requests[] = {
    /* legal */
    Y(G "\r\n", ""),
    Y("OPTIONS * HTTP/1.1\r\nhost:a:1\r\n\r\n", ""),
    Y("M-SEARCH!#$%&'*+-.^_`|~09 /a?b=%20&c=1/?@: HTTP/1.1\r\nHOST: \t[::1]:80 \t\r\n\r\n", ""),
    Y("GET / HTTP/1.0\r\nHost: a\r\n\r\n", ""),
    Y("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n", ""),
    Y(G "X:\r\nx:  \t \r\nX: a \t b\xc3\xa9\xff\t\r\n\r\n", ""),
    Y(G "Connection: keep-alive, Upgrade\r\nConnection:CLOSE\r\nUpgrade: h2c\r\n\r\n", ""),
    Y(P "Content-Length: 0\r\n\r\n", ""),
    Y(P "content-length:3\r\nExpect: 100-Continue\r\n\r\nabc", "abc"),
    Y(P "Content-Length: 40\r\n\r\n" A10 A10 A10 A10, A10 A10 A10 A10),
    N(P "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n", "abc", 16),
    N(G "\r\n\r\n", "", 2),
    N(G "\r\nGET", "", 3),
    Y(PC "0\r\n\r\n", ""),
    Y(PC "0000000000000003\r\na\r\n\r\n000\r\n\r\n", "a\r\n"),
    Y(PC "A\r\n" A10 "\r\na\r\n" A10 "\r\n1\r\n\n\r\n0\r\n\r\n", A10 A10 "\n"),
    N(PC "1\r\na\r\n0\r\n\r\n0\r\n\r\n", "a", 5),
    Y("GET /" A50 "aaaaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n", ""),
    Y(G "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n", ""),
    Y("get /%41 HTTP/1.1\r\nHost: EXAMPLE.org\r\nTE: trailers\r\nConnection: TE\r\n\r\n", ""),
    /* start line */
    R(400, "\r\n" G "\r\n"),
    R(400, "\n" G "\r\n"),
    R(400, " " G "\r\n"),
    R(400, "\x16\x03\x01\x02"),
    R(400, "\0"),
    R(400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET\r\n\r\n"),
    R(400, "GET /\r\n\r\n"),
    R(400, "GET / \r\n\r\n"),
    R(400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/x.1\r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/11\r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/1.\r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    R(400, "GET / HTTPS/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET / Http/1.1\r\nHost: a\r\n\r\n"),
    R(505, "GET / HTTP/3.1\r\nHost: a\r\n\r\n"),
    R(505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    R(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    R(501, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    R(400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET //a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET /%2e%2e/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(400, "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(414, "GET /" A50 "aaaaaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(414, "GET /" A50 A50 A50 A50 A50 A50),
    /* fields */
    R(400, G "X : b\r\n\r\n"),
    R(400, G "X\t: b\r\n\r\n"),
    R(400, G " X: b\r\n\r\n"),
    R(400, G "\tb\r\n\r\n"),
    R(400, G "X\xff: b\r\n\r\n"),
    R(400, G "X\0: b\r\n\r\n"),
    R(400, G "X(: b\r\n\r\n"),
    R(400, G "X: a\x0b"
             "b\r\n\r\n"),
    R(400, G "X: \x7f\r\n\r\n"),
    R(400, G "X: a\r\r\n\r\n"),
    R(400, G "X: a\rb\r\n\r\n"),
    R(400, G "X: a\n\r\n"),
    R(400, G "X: a\r\n\n"),
    R(400, G "X: a\n\n"),
    R(400, G "\0\r\n\r\n"),
    R(400, G "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
    R(431, G "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\n\r\n"),
    R(431, G "X: " A50 A50 A50 A50 A50 A50 "\r\n\r\n"),
    R(431, G "X: " A50 A50 A50 A50 A50 A50),
    R(431, G "X: " A50 A50 A50 A50 A50 A10 A10 "aa"),
    R(400, G "X: " A50 A50 A50 A50 A50 A10 A10 "a"),
    /* host */
    R(400, "GET / HTTP/1.0\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    R(400, G "host: a\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n"),
    /* framing */
    R(400, P "Content-Length: 3;\r\n\r\nabc"),
    R(400, P "Content-Length: 3 3\r\n\r\nabc"),
    R(400, P "Content-Length: 03\r\n\r\nabc"),
    R(400, P "Content-Length: 3.0\r\n\r\nabc"),
    R(400, P "Content-Length: \xc2\xb3\r\n\r\nabc"),
    R(400, P "Content-Length: 18446744073709551616\r\n\r\n"),
    R(413, P "Content-Length: 18446744073709551615\r\n\r\n"),
    R(413, P "Content-Length: 41\r\n\r\n"),
    R(400, P "Content-Length: 1\r\ncontent-length: 1\r\n\r\na"),
    R(400, P "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(501, P "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
    R(501, P "Transfer-Encoding:\r\n\r\n"),
    R(501, P "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    R(501, P "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    R(501, P "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
    R(400, P "Transfer_Encoding\x0b: chunked\r\n\r\n0\r\n\r\n"),
    R(400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(417, P "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n"),
    R(417, P "Content-Length: 1\r\nExpect:\r\n\r\n"),
    R(400, P "Content-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
    R(400, G "Connection: authorization\r\n\r\n"),
    R(400, G "Connection:\r\n\r\n"),
    R(400, G "Connection: close,\r\n\r\n"),
    /* chunks */
    R(400, PC "\r\n"),
    R(400, PC "-1\r\na\r\n0\r\n\r\n"),
    R(400, PC "+1\r\na\r\n0\r\n\r\n"),
    R(400, PC " 1\r\na\r\n0\r\n\r\n"),
    R(400, PC "1 \r\na\r\n0\r\n\r\n"),
    R(400, PC "1;a\r\na\r\n0\r\n\r\n"),
    R(400, PC "1;a=\"\n\"\r\na\r\n0\r\n\r\n"),
    R(400, PC "1_0\r\n"),
    R(400, PC "g\r\n"),
    R(400, PC "1\na\r\n0\r\n\r\n"),
    R(400, PC "1\r\r\na\r\n0\r\n\r\n"),
    R(400, PC "1\r\nab\r\n0\r\n\r\n"),
    R(400, PC "1\r\na\n0\r\n\r\n"),
    R(400, PC "1\r\na\r0\r\n\r\n"),
    R(400, PC "2\r\na\r\n0\r\n\r\n"),
    R(400, PC "0\n\r\n"),
    R(400, PC "0\r\n\n"),
    R(400, PC "0\r\n\rX"),
    R(400, PC "0\r\nX-Trailer: a\r\n\r\n"),
    R(400, PC "0\r\nGET / HTTP/1.1\r\n\r\n"),
    R(400, PC "00000000000000003\r\nabc\r\n0\r\n\r\n"),
    R(413, PC "ffffffffffffffff\r\n"),
    R(413, PC "8000000000000000\r\n"),
    R(413, PC "29\r\n"),
    R(413, PC "28\r\n" A10 A10 A10 A10 "\r\n1\r\n"),
    R(413, PC "1\r\na\r\nffffffffffffffff\r\n"),
    /* cut off by the end of the stream */
    R(400, "GET / HT"),
    R(400, G),
    R(400, P "Content-Length: 3\r\n\r\nab"),
    R(400, PC "3\r\nabc\r\n0\r\n\r"),
};

static const struct message responses[] = {
    Y(OK "Content-Length: 3\r\n\r\nabc", "abc"),
    Y(OK "Host: is a plain field here\r\nExpect: too\r\nContent-Length: 0\r\n\r\n", ""),
    Y(OK "\r\nuntil the end", "until the end"),
    Y(OK "\r\n", ""),
    Y("HTTP/1.0 200 OK\r\n\r\nabc", "abc"),
    Y("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "a"),
    Y(OKC "3\r\nabc\r\n0\r\n\r\n", "abc"),
    Y("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""),
    Y("HTTP/1.1 299 Tr\xc3\xa8s\tbien \r\nContent-Length: 0\r\n\r\n", ""),
    N("HTTP/1.1 204 No Content\r\n\r\nabc", "", 3),
    Y("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", ""),
    N("HTTP/1.1 304 Not Modified\r\nContent-Length: 300\r\n\r\nabc", "", 3),
    Y("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
    Y("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", "a"),
    Y("HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: close\r\n\r\nHTTP/1.1 102 P\r\nB: "
      "c\r\n\r\n" OK "Content-Length: 1\r\nA: b\r\n\r\na",
      "a"),
    N(OK "Content-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n", "a", 17),
    Y(OK "Connection: close\r\nContent-Length: 1\r\n\r\na", "a"),
    Y("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "no"),
    Y(OK "\r\n" A10 A10 A10 A10, A10 A10 A10 A10),
    R(502, OK "\r\n" A10 A10 A10 A10 "a"),
    R(502, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 2 0 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "ICY 200 OK\r\n\r\n"),
    R(502, "<html>"),
    R(502, "\r\n" OK "Content-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
    R(502, OK "Set-Cookie: a\rInjected: b\r\n\r\n"),
    R(502, OK "Set-Cookie: a\r\n folded\r\n\r\n"),
    R(502, OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    R(502, OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    R(502, OK "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    R(502, OK "Transfer-Encoding: identity\r\n\r\n"),
    R(502, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(502, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n" OK
           "Content-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc"),
    R(502, "HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(502, "HTTP/1.0 100 Continue\r\n\r\n" OK "Content-Length: 0\r\n\r\n"),
    R(502, "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"),
    R(502, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(502, OK "Content-Length: 41\r\n\r\n"),
    R(502, OKC "3\r\nabc\r\n0\r\nX: y\r\n\r\n"),
    R(502, OKC "3;x\r\nabc\r\n0\r\n\r\n"),
    R(502, OK "Content-Length: 3\r\n\r\nab"),
    R(502, OKC "3\r\nabc\r\n"),
    R(502, OK "Content-Le"),
};

#define LEN(t) (sizeof(t) / sizeof(t)[0])

static void show(char *out, size_t room, str in)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n && n + 5 < room; i++)
        n +=
            (size_t)snprintf(out + n, room - n, in.p[i] >= ' ' && in.p[i] < 0x7f ? "%c" : "\\x%02x",
                             (unsigned char)in.p[i]);
}

static void check_rewrite(struct arena *a, const struct probe *whole, enum http1_role role,
                          bool to_head, const char *text)
{
    struct http1_limits wide = http1_limits_default(role);
    for (size_t chunk = 1; chunk < 5; chunk++) {
        struct buf out = {0};
        struct err err;
        struct probe again;
        if (!probe_write(whole, role, chunk, &out, &err))
            fail_msg("%s: not written: %s", text, err.text);
        probe_run(&again, a, role, to_head, &wide, buf_str(&out), SIZE_MAX, 0);
        if (again.last != HTTP1_END || again.left ||
            !str_eq(buf_str(&again.said), buf_str(&whole->said)))
            fail_msg("%s: read as\n%.*s\nwritten as\n%.*s\nread again as\n%.*s", text,
                     STR(buf_str(&whole->said)), STR(buf_str(&out)), STR(buf_str(&again.said)));
        probe_fini(&again);
        buf_fini(&out);
    }
}

static void check_message(const struct message *m, enum http1_role role, bool to_head)
{
    ARENA_SCOPE struct arena a = {0};
    struct probe whole, cut;
    char text[1000];
    show(text, sizeof text, m->in);
    probe_run(&whole, &a, role, to_head, &small, m->in, SIZE_MAX, 0);
    bool ended = whole.last == HTTP1_END;
    if (ended != (m->status == 0) || (!ended && whole.status != m->status))
        fail_msg("%s: %s %d", text, ended ? "accepted" : whole.err.text, whole.status);
    if (ended && (!str_eq(buf_str(&whole.body), m->body) || whole.left != m->left))
        fail_msg("%s: body \"%.*s\", %zu left", text, STR(buf_str(&whole.body)), whole.left);
    for (size_t i = 0; i < m->in.n; i++) {
        probe_run(&cut, &a, role, to_head, &small, m->in, i, i == 0 ? 1 : 0);
        if (cut.last != whole.last || (ended && cut.left != whole.left) ||
            !str_eq(buf_str(&cut.said), buf_str(&whole.said)))
            fail_msg("%s: cut at %zu:\n%.*s\nwhole:\n%.*s", text, i, STR(buf_str(&cut.said)),
                     STR(buf_str(&whole.said)));
        probe_fini(&cut);
    }
    if (ended)
        check_rewrite(&a, &whole, role, to_head, text);
    probe_fini(&whole);
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(requests); i++)
        check_message(&requests[i], HTTP1_REQUESTS, false);
}

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(responses); i++)
        check_message(&responses[i], HTTP1_RESPONSES, false);
}

static void test_answers_to_head(void **state)
{
    (void)state;
    static const struct message answers[] = {
        N(OK "Content-Length: 3000\r\n\r\nabc", "", 3),
        Y(OK "\r\n", ""),
        Y(OKC, ""),
        Y("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 3\r\n\r\n", ""),
        R(502, OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
    };
    for (size_t i = 0; i < LEN(answers); i++)
        check_message(&answers[i], HTTP1_RESPONSES, true);
}

static struct probe read_whole(struct arena *a, enum http1_role role, str in)
{
    struct probe p;
    struct http1_limits limits = http1_limits_default(role);
    probe_run(&p, a, role, false, &limits, in, SIZE_MAX, 0);
    assert_int_equal(p.last, HTTP1_END);
    buf_fini(&p.said);
    buf_fini(&p.body);
    return p;
}

/* What a head holds, member by member, and that it outlives the input. */
static void test_head(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct http_head h =
        read_whole(&a, HTTP1_REQUESTS,
                   S("POST /a%2Fb?c=d HTTP/1.1\r\nHOST: Example.org:81\r\nX-One:  1 \r\n"
                     "Content-Length: 2\r\nExpect: 100-continue\r\nx-two:\r\n\r\nok"))
            .head;
    assert_true(str_eq(h.method, S("POST")) && str_eq(h.target, S("/a%2Fb?c=d")));
    assert_true(str_eq(h.parts.path, S("/a%2Fb")) && str_eq(h.parts.query, S("c=d")));
    assert_true(h.parts.has_query && h.parts.encoded_slash);
    assert_true(str_eq(h.host, S("Example.org:81")) && h.minor == 1 && h.keep_alive);
    assert_true(h.framing == HTTP_BODY_LENGTH && h.length == 2 && h.expect_continue);
    assert_int_equal(h.fields.n, 2);
    assert_true(str_eq(h.fields.v[0].name, S("X-One")) && str_eq(h.fields.v[0].value, S("1")));
    assert_true(str_eq(h.fields.v[1].name, S("x-two")) && h.fields.v[1].value.n == 0);
    h = read_whole(&a, HTTP1_RESPONSES, S("HTTP/1.1 502 Oh no\r\nA: b\r\n\r\nbody")).head;
    assert_true(h.status == 502 && str_eq(h.reason, S("Oh no")) && !h.keep_alive);
    assert_true(h.framing == HTTP_BODY_UNTIL_CLOSE && h.fields.n == 1);
}

static void test_keep_alive(void **state)
{
    (void)state;
    static const struct {
        enum http1_role role;
        str in;
        bool keep;
    } cases[] = {
        {HTTP1_REQUESTS, {G "\r\n", sizeof G + 1}, true},
        {HTTP1_REQUESTS, {G "Connection: Close\r\n\r\n", sizeof G + 20}, false},
        {HTTP1_REQUESTS, {G "Connection: te , close\r\n\r\n", sizeof G + 25}, false},
        {HTTP1_RESPONSES, {OK "Content-Length: 0\r\n\r\n", sizeof OK + 20}, true},
        {HTTP1_RESPONSES, {OK "\r\n", sizeof OK + 1}, false},
        {HTTP1_RESPONSES, {"HTTP/1.0 204 x\r\nConnection: keep-alive\r\n\r\n", 42}, false},
    };
    ARENA_SCOPE struct arena a = {0};
    for (size_t i = 0; i < LEN(cases); i++)
        assert_true(read_whole(&a, cases[i].role, cases[i].in).head.keep_alive == cases[i].keep);
}

/* Several messages on one connection; idleness; the end of the stream in each place. */
static void test_connection(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct http1 h;
    struct err err;
    str in = S(G "\r\n" P "Content-Length: 2\r\n\r\nhi" G), data;
    size_t used;
    http1_init(&h, HTTP1_REQUESTS, &small);
    assert_int_equal(http1_read(&h, in, &used, &data, &err), HTTP1_BAD);
    http1_begin(&h, &a, false);
    assert_true(http1_is_idle(&h));
    assert_int_equal(http1_read(&h, in, &used, &data, &err), HTTP1_HEAD);
    in = str_skip(in, used);
    assert_int_equal(http1_read(&h, in, &used, &data, &err), HTTP1_END);
    assert_int_equal(used, 0);
    assert_int_equal(http1_eof(&h, &err), HTTP1_END);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, in, &used, &data, &err), HTTP1_HEAD);
    assert_false(http1_is_idle(&h));
    in = str_skip(in, used);
    assert_int_equal(http1_read(&h, in, &used, &data, &err), HTTP1_DATA);
    assert_true(str_eq(data, S("hi")) && used == 2);
    in = str_skip(in, used);
    assert_int_equal(http1_read(&h, in, &used, &data, &err), HTTP1_END);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, in, &used, &data, &err), HTTP1_MORE);
    assert_false(http1_is_idle(&h));
    assert_int_equal(http1_eof(&h, &err), HTTP1_BAD);
    assert_int_equal(err.kind, ERR_INPUT);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, (str){0}, &used, &data, &err), HTTP1_MORE);
    assert_true(http1_is_idle(&h));
    assert_int_equal(http1_read(&h, S("G"), &used, &data, &err), HTTP1_MORE);
    assert_false(http1_is_idle(&h));
    assert_int_equal(used, 0);
}

static void test_limits(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct http1 h;
    struct err err;
    str data;
    size_t used;
    struct http1_limits none = {0};
    http1_init(&h, HTTP1_REQUESTS, &none);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, S("G"), &used, &data, &err), HTTP1_BAD);
    assert_int_equal(err.kind, ERR_LIMIT);
    http1_init(&h, HTTP1_RESPONSES, &small);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, S(OK "Content-Length: 30\r\n\r\n"), &used, &data, &err),
                     HTTP1_HEAD);
    assert_true(http1_limit_body(&h, UINT64_MAX, &err));
    assert_true(http1_limit_body(&h, 30, &err));
    assert_false(http1_limit_body(&h, 29, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(http1_read(&h, S("abc"), &used, &data, &err), HTTP1_BAD);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, S(OK "\r\n"), &used, &data, &err), HTTP1_HEAD);
    assert_true(http1_limit_body(&h, 2, &err));
    assert_int_equal(http1_read(&h, S("abc"), &used, &data, &err), HTTP1_DATA);
    assert_int_equal(data.n, 2);
    assert_int_equal(http1_read(&h, S("c"), &used, &data, &err), HTTP1_BAD);
    /* a stream of interim responses ends by their number or by their bytes */
    struct http1_limits wide = http1_limits_default(HTTP1_RESPONSES);
    struct buf many = {0};
    for (int i = 0; i <= HTTP1_INTERIM_MAX; i++)
        buf_put(&many, S("HTTP/1.1 103 \r\n\r\n"));
    http1_init(&h, HTTP1_RESPONSES, &wide);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, buf_str(&many), &used, &data, &err), HTTP1_BAD);
    assert_int_equal(err.kind, ERR_PEER);
    wide.head_bytes = 100;
    http1_init(&h, HTTP1_RESPONSES, &wide);
    http1_begin(&h, &a, false);
    assert_int_equal(http1_read(&h, buf_str(&many), &used, &data, &err), HTTP1_BAD);
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_fini(&many);
}

/* The memory that a head costs stays within what the header promises, also when it drips. */
static void test_memory(void **state)
{
    (void)state;
    struct buf in = {0};
    struct http1_limits limits = http1_limits_default(HTTP1_REQUESTS);
    buf_put(&in, S(G));
    for (int i = 0; i < 99; i++)
        buf_put(&in, S("a:\r\n"));
    buf_put(&in, S("\r\n"));
    for (size_t step = 0; step < 2; step++) {
        ARENA_SCOPE struct arena a = {0};
        struct probe p;
        probe_run(&p, &a, HTTP1_REQUESTS, false, &limits, buf_str(&in), step ? 1 : SIZE_MAX, step);
        assert_int_equal(p.last, HTTP1_END);
        assert_true(arena_used(&a) <= 4 * buf_len(&in) + 128 * 100);
        probe_fini(&p);
    }
    buf_fini(&in);
}

static void test_written_bytes(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct buf out = {0};
    struct err err;
    struct http_head h = {.method = S("POST"),
                          .target = S("/mcp?a"),
                          .host = S("a:1"),
                          .framing = HTTP_BODY_LENGTH,
                          .length = 12,
                          .keep_alive = true};
    fields_add(&a, &h.fields, S("Accept"), S("x/y"));
    assert_true(http1_write_request(&out, &h, &err));
    assert_true(str_eq(buf_str(&out), S("POST /mcp?a HTTP/1.1\r\nHost: a:1\r\nAccept: x/y\r\n"
                                        "Content-Length: 12\r\n\r\n")));
    buf_clear(&out);
    h = (struct http_head){.status = 200, .framing = HTTP_BODY_CHUNKED};
    fields_add(&a, &h.fields, S("A"), S(""));
    assert_true(http1_write_response(&out, &h, &err));
    http1_write_chunk(&out, S("0123456789abcdef0"));
    http1_write_chunk(&out, S(""));
    http1_write_last_chunk(&out);
    assert_true(
        str_eq(buf_str(&out),
               S("HTTP/1.1 200 OK\r\nA: \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                 "11\r\n0123456789abcdef0\r\n0\r\n\r\n")));
    buf_clear(&out);
    h = (struct http_head){.status = 100, .keep_alive = true};
    assert_true(http1_write_response(&out, &h, &err));
    assert_true(str_eq(buf_str(&out), S("HTTP/1.1 100 Continue\r\n\r\n")));
    buf_fini(&out);
}

/* Every way to add a line, or to say a framing twice, is refused and writes nothing. */
static void test_injection(void **state)
{
    (void)state;
    static const struct field bad_fields[] = {
        {{"", 0}, {"x", 1}},
        {{"A:", 2}, {"x", 1}},
        {{"A\r\nB", 4}, {"x", 1}},
        {{"A ", 2}, {"x", 1}},
        {{" A", 2}, {"x", 1}},
        {{"A\0", 2}, {"x", 1}},
        {{"A", 1}, {"x\r\nB: c", 7}},
        {{"A", 1}, {"x\n", 2}},
        {{"A", 1}, {"x\rB", 3}},
        {{"A", 1}, {"x\0", 2}},
        {{"A", 1}, {" x", 2}},
        {{"A", 1}, {"x\t", 2}},
        {{"A", 1}, {"\x7f", 1}},
        {{"Content-Length", 14}, {"3", 1}},
        {{"TRANSFER-ENCODING", 17}, {"chunked", 7}},
        {{"connection", 10}, {"close", 5}},
    };
    static const struct field own_of_requests[] = {{{"host", 4}, {"b", 1}},
                                                   {{"Expect", 6}, {"x", 1}}};
    const struct http_head good_request = {.method = S("GET"), .target = S("/"), .host = S("a")};
    const struct http_head good_response = {.status = 200, .framing = HTTP_BODY_LENGTH};
    const struct http_head bad_requests[] = {
        {.method = S(""), .target = S("/"), .host = S("a")},
        {.method = S("GET /"), .target = S("/"), .host = S("a")},
        {.method = S("GET\r\n"), .target = S("/"), .host = S("a")},
        {.method = S("CONNECT"), .target = S("/"), .host = S("a")},
        {.method = S("GET"), .target = S(""), .host = S("a")},
        {.method = S("GET"), .target = S("/ HTTP/1.1\r\nX: y\r\n"), .host = S("a")},
        {.method = S("GET"), .target = S("/a b"), .host = S("a")},
        {.method = S("GET"), .target = S("*"), .host = S("a")},
        {.method = S("GET"), .target = S("/../"), .host = S("a")},
        {.method = S("GET"), .target = S("http://b/"), .host = S("a")},
        {.method = S("GET"), .target = S("/"), .host = S("")},
        {.method = S("GET"), .target = S("/"), .host = S("a\r\nX: y")},
        {.method = S("GET"), .target = S("/"), .host = S("a, b")},
        {.method = S("GET"), .target = S("/"), .host = S("a"), .framing = HTTP_BODY_UNTIL_CLOSE},
    };
    const struct http_head bad_responses[] = {
        {.status = 0, .framing = HTTP_BODY_LENGTH},
        {.status = 99, .framing = HTTP_BODY_LENGTH},
        {.status = 600, .framing = HTTP_BODY_LENGTH},
        {.status = 101},
        {.status = 100, .framing = HTTP_BODY_LENGTH},
        {.status = 204, .framing = HTTP_BODY_CHUNKED},
        {.status = 200},
        {.status = -1, .framing = HTTP_BODY_LENGTH},
    };
    struct buf out = {0};
    struct err err;
    assert_true(http1_write_request(&out, &good_request, &err));
    assert_true(http1_write_response(&out, &good_response, &err));
    buf_clear(&out);
    for (size_t i = 0; i < LEN(bad_requests); i++)
        assert_false(http1_write_request(&out, &bad_requests[i], &err));
    for (size_t i = 0; i < LEN(bad_responses); i++)
        assert_false(http1_write_response(&out, &bad_responses[i], &err));
    for (size_t i = 0; i < LEN(bad_fields) + LEN(own_of_requests); i++) {
        bool shared = i < LEN(bad_fields);
        struct field f = shared ? bad_fields[i] : own_of_requests[i - LEN(bad_fields)];
        struct http_head q = good_request, r = good_response;
        q.fields = r.fields = (struct fields){.v = &f, .n = 1};
        assert_false(http1_write_request(&out, &q, &err));
        assert_int_equal(err.kind, ERR_INPUT);
        if (shared)
            assert_false(http1_write_response(&out, &r, &err));
    }
    assert_int_equal(buf_len(&out), 0);
    struct buf tiny = {.max = 20};
    assert_false(http1_write_request(&tiny, &good_request, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_fini(&tiny);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_answers_to_head), cmocka_unit_test(test_head),
        cmocka_unit_test(test_keep_alive),      cmocka_unit_test(test_connection),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_memory),
        cmocka_unit_test(test_written_bytes),   cmocka_unit_test(test_injection),
    };
    printf("%zu requests, %zu responses\n", LEN(requests), LEN(responses));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
