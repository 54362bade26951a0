#include "identity/grpc_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A server that does what the path says, and a record of what it was told. */
struct app {
    struct grpc *g;
    struct buf log;
    struct grpc_call *last; /* the newest that is not gone */
    size_t gone;
    int64_t timeout_ms;
};

static void on_head(void *owner, struct grpc_call *c, const struct grpc_head *head)
{
    struct app *app = owner;
    app->last = c;
    app->timeout_ms = head->timeout_ms;
    buf_printf(&app->log, "head %.*s %zu; ", STR(head->path), head->n);
    if (str_eq(head->path, S("/deny")))
        grpc_finish(c, GRPC_PERMISSION_DENIED, S("no: 100% \xc3\xa9\n"));
}

static void on_request(void *owner, struct grpc_call *c, str message)
{
    struct app *app = owner;
    struct err err;
    buf_printf(&app->log, "request %.*s; ", STR(message));
    assert_true(grpc_send(c, message, &err));
    if (app->last == c)
        grpc_call_set_data(c, app);
}

static void on_gone(void *owner, struct grpc_call *c)
{
    struct app *app = owner;
    struct err err;
    app->gone++;
    if (app->last == c)
        app->last = NULL;
    assert_true(grpc_send(c, S("late"), &err));
    grpc_finish(c, GRPC_OK, (str){0});
    buf_put(&app->log, S("gone; "));
}

static void on_request_once(void *owner, struct grpc_call *c, str message)
{
    on_request(owner, c, message);
    grpc_finish(c, GRPC_OK, (str){0});
}

static const struct grpc_ops unary = {on_head, on_request_once, on_gone};
static const struct grpc_ops stream = {on_head, on_request, on_gone};

static void app_open(struct app *app, const struct grpc_ops *ops, const struct grpc_limits *limits)
{
    *app = (struct app){0};
    app->g = grpc_new(limits, ops, app, 0);
}

static void app_close(struct app *app)
{
    grpc_free(app->g);
    buf_fini(&app->log);
}

static bool feed(struct app *app, struct client *c, int64_t now)
{
    struct err err;
    bool ok = grpc_feed(app->g, buf_str(&c->in), now, &err);
    buf_clear(&c->in);
    return ok;
}

static void pull(struct app *app, struct client *c)
{
    size_t before;
    do {
        before = buf_len(&c->out);
        grpc_pull(app->g, &c->out);
        client_read(c);
    } while (buf_len(&c->out) != before);
    buf_clear(&c->said);
}

/* As pull, and what was said is kept. */
static str heard(struct app *app, struct client *c)
{
    buf_clear(&c->said);
    for (int i = 0; i < 64; i++) {
        grpc_pull(app->g, &c->out);
        client_read(c);
    }
    return buf_str(&c->said);
}

#define HEAD "H1{:status=200,content-type=application/grpc,grpc-accept-encoding=identity,"
#define OK   "} D1[\\00\\00\\00\\00\\02hi] H1{grpc-status=0,}! "

/* One request; `in` is what follows the preface. */
static void check(const char *name, str in, const char *said, const char *log)
{
    for (size_t cut = 0; cut <= in.n + 1; cut++) {
        struct app app;
        struct client c = {0};
        struct err err;
        app_open(&app, &unary, NULL);
        put_preface(&c.in);
        assert_true(feed(&app, &c, 1));
        size_t step = cut == in.n + 1 ? 1 : in.n;
        str rest = in;
        for (size_t n = cut == in.n + 1 ? 1 : cut; rest.n || n == cut; n = step) {
            if (!grpc_feed(app.g, str_take(rest, n), 1, &err))
                break;
            rest = str_skip(rest, n);
            if (!rest.n)
                break;
        }
        str got = heard(&app, &c);
        if (!str_eq(got, str_z(said)))
            fail_msg("%s, cut at %zu: said %.*s", name, cut, STR(got));
        if (log && !str_eq(buf_str(&app.log), str_z(log)))
            fail_msg("%s, cut at %zu: log %.*s", name, cut, STR(buf_str(&app.log)));
        app_close(&app);
        client_fini(&c);
    }
}

/* What a head may be: the usual one without a field, with one in its place or at the end. */
static const struct {
    const char *drop, *name, *value, *said;
} heads[] = {
    {NULL, "x-any", "thing", HEAD OK},
    {NULL, "user-agent", "grpc-node-js/1.14.7", HEAD OK},
    {NULL, "grpc-encoding", "identity", HEAD OK},
    {NULL, "grpc-accept-encoding", "identity,deflate,gzip", HEAD OK},
    {NULL, "grpc-timeout", "5S", HEAD OK},
    {NULL, "bin-bin", "AAEC", HEAD OK},
    {NULL, "content-length", "7", HEAD OK},
    {NULL, "x", "a\tb \xc3\xa9", HEAD OK},
    {":authority", NULL, NULL, HEAD OK},
    {":authority", ":authority", "localhost", HEAD OK},
    {":authority", ":authority", "%2Ftmp%2Fagent.sock", HEAD OK},
    {":authority", ":authority", "unix:///tmp/agent sock", HEAD OK},
    {":authority", ":authority", "", HEAD OK},
    {":scheme", ":scheme", "https", HEAD OK},
    {"content-type", "content-type", "application/grpc+proto", HEAD OK},
    {"content-type", NULL, NULL,
     "H1{:status=415,content-type=application/grpc,grpc-accept-encoding=identity,grpc-status=3,"
     "grpc-message=content-type must be application/grpc,}! "},
    {"content-type", "content-type", "application/grpc+json",
     "H1{:status=415,content-type=application/grpc,grpc-accept-encoding=identity,grpc-status=3,"
     "grpc-message=content-type must be application/grpc,}! "},
    {"content-type", "content-type", "application/grpc-web",
     "H1{:status=415,content-type=application/grpc,grpc-accept-encoding=identity,grpc-status=3,"
     "grpc-message=content-type must be application/grpc,}! "},
    {"te", NULL, NULL,
     "H1{:status=400,content-type=application/grpc,grpc-accept-encoding=identity,grpc-status=3,"
     "grpc-message=te must be trailers,}! "},
    {"te", "te", "trailers, gzip",
     "H1{:status=400,content-type=application/grpc,grpc-accept-encoding=identity,grpc-status=3,"
     "grpc-message=te must be trailers,}! "},
    {":method", ":method", "GET",
     "H1{:status=405,content-type=application/grpc,grpc-accept-encoding=identity,grpc-status=3,"
     "grpc-message=the method must be POST,}! "},
    {NULL, "grpc-encoding", "gzip",
     HEAD "grpc-status=12,grpc-message=messages must not be compressed,}! "},
    {NULL, "grpc-timeout", "5", HEAD "grpc-status=3,grpc-message=grpc-timeout is malformed,}! "},
    {NULL, "grpc-timeout", "S", HEAD "grpc-status=3,grpc-message=grpc-timeout is malformed,}! "},
    {NULL, "grpc-timeout", "-5S", HEAD "grpc-status=3,grpc-message=grpc-timeout is malformed,}! "},
    {NULL, "grpc-timeout", "123456789S",
     HEAD "grpc-status=3,grpc-message=grpc-timeout is malformed,}! "},
    {NULL, "grpc-timeout", "5s", HEAD "grpc-status=3,grpc-message=grpc-timeout is malformed,}! "},
    /* not HTTP/2 */
    {":method", NULL, NULL, "R1:1 "},
    {":scheme", NULL, NULL, "R1:1 "},
    {":scheme", ":scheme", "ftp", "R1:1 "},
    {":path", NULL, NULL, "R1:1 "},
    {":path", ":path", "echo", "R1:1 "},
    {":path", ":path", "", "R1:1 "},
    {":path", ":path", "/a b", "R1:1 "},
    {NULL, ":path", "/echo", "R1:1 "}, /* twice, and after a regular field */
    {NULL, ":status", "200", "R1:1 "},
    {NULL, ":protocol", "websocket", "R1:1 "},
    {NULL, "te", "trailers", "R1:1 "},
    {NULL, "content-type", "application/grpc", "R1:1 "},
    {NULL, "content-length", "8", "R1:1 "},
    {NULL, "content-length", "6", "R1:1 "},
    {NULL, "content-length", "+7", "R1:1 "},
    {NULL, "X-Upper", "x", "R1:1 "},
    {NULL, "", "x", "R1:1 "},
    {NULL, "a b", "x", "R1:1 "},
    {NULL, "a:b", "x", "R1:1 "},
    {NULL, "x", " a", "R1:1 "},
    {NULL, "x", "a ", "R1:1 "},
    {NULL, "x", "a\nb", "R1:1 "},
    {NULL, "x", "a\rb", "R1:1 "},
    {NULL, "x", "a\x7f", "R1:1 "},
    {NULL, "connection", "keep-alive", "R1:1 "},
    {NULL, "keep-alive", "5", "R1:1 "},
    {NULL, "proxy-connection", "x", "R1:1 "},
    {NULL, "transfer-encoding", "chunked", "R1:1 "},
    {NULL, "upgrade", "h2c", "R1:1 "},
};

static const char *const usual[][2] = {
    {":method", "POST"},
    {":scheme", "http"},
    {":path", "/echo"},
    {":authority", "/run/agent.sock"},
    {"content-type", "application/grpc"},
    {"te", "trailers"},
};

static void test_heads(void **state)
{
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct buf block = {0}, in = {0};
        bool placed = false;
        for (size_t k = 0; k < sizeof usual / sizeof usual[0]; k++) {
            if (!heads[i].drop || strcmp(heads[i].drop, usual[k][0]) != 0) {
                put_field(&block, str_z(usual[k][0]), str_z(usual[k][1]));
            } else if (heads[i].name) {
                put_field(&block, str_z(heads[i].name), str_z(heads[i].value));
                placed = true;
            }
        }
        if (heads[i].name && !placed)
            put_field(&block, str_z(heads[i].name), str_z(heads[i].value));
        put_frame(&in, HEADERS, END_HEADERS, 1, buf_str(&block));
        put_message(&in, 1, END_STREAM, S("hi"));
        char name[100];
        snprintf(name, sizeof name, "head %zu (%s: %s)", i, heads[i].name, heads[i].value);
        check(name, buf_str(&in), heads[i].said, NULL);
        buf_fini(&block);
        buf_fini(&in);
    }
}

#define LOG "head /echo 2; "
static const struct {
    const char *name;
    str data; /* the body as it is on the wire */
    const char *said, *log;
} bodies[] = {
    {"message", {"\0\0\0\0\2hi", 7}, HEAD OK, LOG "request hi; gone; "},
    {"empty message",
     {"\0\0\0\0\0", 5},
     HEAD "} D1[\\00\\00\\00\\00\\00] H1{grpc-status=0,}! ",
     LOG "request ; gone; "},
    {"none", {"", 0}, HEAD "grpc-status=13,grpc-message=no request message,}! ", LOG "gone; "},
    {"half a prefix",
     {"\0\0\0", 3},
     HEAD "grpc-status=13,grpc-message=the request message is cut off,}! ",
     LOG "gone; "},
    {"cut off",
     {"\0\0\0\0\3hi", 7},
     HEAD "grpc-status=13,grpc-message=the request message is cut off,}! ",
     LOG "gone; "},
    {"two",
     {"\0\0\0\0\2hi\0\0\0\0\0", 12},
     HEAD "grpc-status=13,grpc-message=more than one request message,}! ",
     LOG "gone; "},
    {"compressed",
     {"\1\0\0\0\2hi", 7},
     HEAD "grpc-status=13,grpc-message=a message is marked as compressed,}! ",
     LOG "gone; "},
    {"flag 2",
     {"\2\0\0\0\2hi", 7},
     HEAD "grpc-status=13,grpc-message=a message is marked as compressed,}! ",
     LOG "gone; "},
    {"32 KiB and one",
     {"\0\0\0\x80\1hi", 7},
     HEAD "grpc-status=8,grpc-message=the request message is too large,}! ",
     LOG "gone; "},
    {"4 GiB",
     {"\0\xff\xff\xff\xffhi", 7},
     HEAD "grpc-status=8,grpc-message=the request message is too large,}! ",
     LOG "gone; "},
};

static void test_bodies(void **state)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct buf in = {0};
        put_head(&in, 1, 0, S("/echo"), (str){0}, (str){0});
        put_frame(&in, DATA, END_STREAM, 1, bodies[i].data);
        check(bodies[i].name, buf_str(&in), bodies[i].said, bodies[i].log);
        /* the same in frames of one byte */
        buf_clear(&in);
        put_head(&in, 1, 0, S("/echo"), (str){0}, (str){0});
        for (size_t k = 0; k < bodies[i].data.n; k++)
            put_frame(&in, DATA, 0, 1, str_of(bodies[i].data.p + k, 1));
        put_frame(&in, DATA, END_STREAM, 1, (str){0});
        check(bodies[i].name, buf_str(&in), bodies[i].said, bodies[i].log);
        buf_fini(&in);
    }
}

static void test_shapes(void **state)
{
    struct buf in = {0};
    put_head(&in, 1, END_STREAM, S("/echo"), (str){0}, (str){0});
    check("END_STREAM on HEADERS", buf_str(&in),
          HEAD "grpc-status=13,grpc-message=no request message,}! ", LOG "gone; ");
    buf_clear(&in);
    put_call(&in, 1, S("/deny"), (str){0}, (str){0}, S("hi"));
    check("refused", buf_str(&in), HEAD "grpc-status=7,grpc-message=no: 100%25 %C3%A9%0A,}! ",
          "head /deny 2; gone; ");
    buf_clear(&in);
    put_head(&in, 1, 0, S("/echo"), (str){0}, (str){0});
    put_message(&in, 1, 0, S("hi"));
    put_head(&in, 1, END_STREAM, S("/echo"), (str){0}, (str){0});
    check("trailers", buf_str(&in), "R1:1 ", "head /echo 2; gone; ");
    buf_clear(&in);
    put_head(&in, 1, 0, S("/echo"), S("content-length"), S("6"));
    put_message(&in, 1, 0, S("hi"));
    check("more than announced, no end", buf_str(&in), "R1:1 ", "head /echo 3; gone; ");
    buf_clear(&in);
    put_head(&in, 1, 0, S("/echo"), (str){0}, (str){0});
    put_frame(&in, RST, 0, 1, S("\0\0\0\x08"));
    check("cancelled", buf_str(&in), "", "head /echo 2; gone; ");
    buf_fini(&in);
}

/* The answer is whole before the request is: told to stop, and the rest of it harms nothing. */
static void test_early_answer(void **state)
{
    struct app app;
    struct client c = {0};
    app_open(&app, &unary, NULL);
    put_preface(&c.in);
    put_head(&c.in, 1, 0, S("/deny"), (str){0}, (str){0});
    assert_true(feed(&app, &c, 1));
    str said = heard(&app, &c);
    assert_true(str_ends(said, S("}! R1:0 ")));
    put_message(&c.in, 1, END_STREAM, S("hi"));
    assert_true(feed(&app, &c, 1));
    assert_true(str_is_empty(heard(&app, &c)));
    assert_int_equal(app.gone, 1);
    app_close(&app);
    client_fini(&c);
}

static void open_stream(struct app *app, struct client *c, const struct grpc_limits *limits)
{
    app_open(app, &stream, limits);
    put_preface(&c->in);
    put_call(&c->in, 1, S("/watch"), (str){0}, (str){0}, S("hi"));
    assert_true(feed(app, c, 1));
    assert_non_null(app->last);
}

static void test_push(void **state)
{
    struct app app;
    struct client c = {0};
    struct err err;
    open_stream(&app, &c, NULL);
    str said = heard(&app, &c);
    assert_true(str_eq(said, S(HEAD "} D1[\\00\\00\\00\\00\\02hi] ")));
    assert_true(grpc_send(app.last, S("two"), &err));
    assert_true(str_eq(heard(&app, &c), S("D1[\\00\\00\\00\\00\\03two] ")));
    assert_true(grpc_send(app.last, S(""), &err));
    assert_true(grpc_send(app.last, S("x"), &err));
    grpc_finish(app.last, GRPC_UNAVAILABLE, S("later"));
    grpc_finish(app.last, GRPC_OK, S("not twice"));
    assert_true(grpc_send(app.last, S("nor after"), &err));
    said = heard(&app, &c);
    assert_true(str_eq(said, S("D1[\\00\\00\\00\\00\\00\\00\\00\\00\\00\\01x] "
                               "H1{grpc-status=14,grpc-message=later,}! ")));
    assert_int_equal(app.gone, 1);
    assert_int_equal(grpc_calls(app.g), 0);
    app_close(&app);
    client_fini(&c);
}

static void test_revoke(void **state)
{
    static char big[100000];
    struct app app;
    struct client c = {0};
    struct err err;
    open_stream(&app, &c, NULL);
    pull(&app, &c);
    assert_true(grpc_send(app.last, S("secret"), &err));
    grpc_revoke(app.last, GRPC_PERMISSION_DENIED, S("over"));
    assert_true(str_eq(heard(&app, &c), S("H1{grpc-status=7,grpc-message=over,}! ")));
    put_call(&c.in, 3, S("/watch"), (str){0}, (str){0}, S("hi"));
    assert_true(feed(&app, &c, 1));
    pull(&app, &c);
    /* a status that is queued behind a message is replaced */
    assert_true(grpc_send(app.last, S("secret"), &err));
    grpc_finish(app.last, GRPC_OK, S("fine"));
    grpc_revoke(app.last, GRPC_PERMISSION_DENIED, S("over"));
    assert_true(str_eq(heard(&app, &c), S("H3{grpc-status=7,grpc-message=over,}! ")));
    /* part of a message is gone: only a reset is left */
    put_call(&c.in, 5, S("/watch"), (str){0}, (str){0}, S("hi"));
    assert_true(feed(&app, &c, 1));
    assert_true(grpc_send(app.last, str_of(big, sizeof big), &err));
    pull(&app, &c);
    assert_true(grpc_out_bytes(app.g) > 0);
    grpc_revoke(app.last, GRPC_PERMISSION_DENIED, S("over"));
    assert_int_equal(grpc_out_bytes(app.g), 0);
    assert_true(str_eq(heard(&app, &c), S("R5:12 ")));
    assert_int_equal(app.gone, 3);
    app_close(&app);
    client_fini(&c);
}

/* Flow control holds the rest back until the client opens its window. */
static void test_window(void **state)
{
    static char big[200000];
    struct app app;
    struct client c = {0};
    struct err err;
    open_stream(&app, &c, NULL);
    pull(&app, &c);
    c.data_bytes = 0;
    memset(big, 'x', sizeof big);
    assert_true(grpc_send(app.last, str_of(big, sizeof big), &err));
    grpc_finish(app.last, GRPC_OK, (str){0});
    pull(&app, &c);
    assert_int_equal(c.data_bytes, 65535 - 7);
    for (int i = 0; i < 20 && c.data_bytes < sizeof big + 5; i++) {
        put_frame(&c.in, WINDOW, 0, 0, S("\0\0\x40\0"));
        put_frame(&c.in, WINDOW, 0, 1, S("\0\0\x40\0"));
        assert_true(feed(&app, &c, 1));
        pull(&app, &c);
    }
    assert_int_equal(c.data_bytes, sizeof big + 5);
    assert_int_equal(app.gone, 1);
    app_close(&app);
    client_fini(&c);
}

/* A pull stops at its mark however wide the windows are. */
static void test_pull_mark(void **state)
{
    static char big[900000];
    struct app app;
    struct client c = {0};
    struct err err;
    struct buf out = {.max = GRPC_PULL_BYTES_HIGH + (32 << 10), .wipe = true};
    open_stream(&app, &c, NULL);
    pull(&app, &c);
    put_frame(&c.in, SETTINGS, 0, 0, S("\0\4\x7f\xff\xff\xff"));
    put_frame(&c.in, WINDOW, 0, 0, S("\x7f\0\0\0"));
    assert_true(feed(&app, &c, 1));
    assert_true(grpc_send(app.last, str_of(big, sizeof big), &err));
    size_t total = 0;
    do {
        buf_clear(&out);
        grpc_pull(app.g, &out);
        assert_false(out.over);
        total += buf_len(&out);
    } while (buf_len(&out));
    assert_true(total > sizeof big);
    buf_fini(&out);
    app_close(&app);
    client_fini(&c);
}

static void put_ping(struct buf *b, unsigned i)
{
    put_frame(b, PING, 0, 0, S("12345678"));
}

/* ---- limits and hostile peers ---- */

static void test_slow_reader(void **state)
{
    static char big[50000];
    const struct grpc_limits limits = {.stream_out_bytes = 120000, .conn_out_bytes = 200000};
    struct app app;
    struct client c = {0};
    struct err err;
    open_stream(&app, &c, &limits);
    pull(&app, &c);
    assert_true(grpc_send(app.last, str_of(big, sizeof big), &err));
    assert_true(grpc_send(app.last, str_of(big, sizeof big), &err));
    assert_false(grpc_send(app.last, str_of(big, sizeof big), &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(grpc_out_bytes(app.g), 0);
    assert_true(str_eq(heard(&app, &c), S("R1:11 ")));
    assert_int_equal(app.gone, 1);
    /* of the connection */
    struct grpc_call *calls[3];
    for (unsigned i = 0; i < 3; i++) {
        put_call(&c.in, 3 + 2 * i, S("/watch"), (str){0}, (str){0}, S("hi"));
        assert_true(feed(&app, &c, 1));
        calls[i] = app.last;
        pull(&app, &c);
    }
    put_frame(&c.in, PING, 0, 0, S("12345678"));
    for (unsigned i = 0; i < 2; i++) {
        assert_true(grpc_send(calls[i], str_of(big, sizeof big), &err));
        if (i == 0)
            assert_true(grpc_send(calls[i], str_of(big, sizeof big), &err));
    }
    assert_true(grpc_send(calls[2], str_of(big, 40000), &err));
    assert_false(grpc_send(calls[1], str_of(big, 20000), &err));
    assert_false(feed(&app, &c, 1));
    heard(&app, &c);
    assert_true(str_ends(buf_str(&c.said), S("G:11 ")));
    app_close(&app);
    assert_int_equal(app.gone, 4);
    client_fini(&c);
}

static void test_stalled(void **state)
{
    static char big[100000];
    struct app app;
    struct client c = {0};
    struct err err;
    open_stream(&app, &c, NULL);
    pull(&app, &c);
    assert_true(grpc_deadline(app.g) == INT64_MAX);
    assert_true(grpc_send(app.last, str_of(big, sizeof big), &err));
    pull(&app, &c);
    assert_int_equal(grpc_deadline(app.g), 1 + GRPC_STALL_WAIT_MS_MAX);
    assert_true(grpc_tick(app.g, GRPC_STALL_WAIT_MS_MAX, &err));
    assert_int_equal(app.gone, 0);
    assert_true(grpc_tick(app.g, 1 + GRPC_STALL_WAIT_MS_MAX, &err));
    assert_true(str_eq(heard(&app, &c), S("R1:11 ")));
    assert_int_equal(app.gone, 1);
    app_close(&app);
    client_fini(&c);
}

static void test_deadlines(void **state)
{
    struct app app;
    struct client c = {0};
    struct err err;
    app_open(&app, &stream, NULL);
    assert_int_equal(grpc_deadline(app.g), GRPC_REQUEST_WAIT_MS_MAX);
    put_preface(&c.in);
    assert_true(feed(&app, &c, 5));
    assert_true(grpc_deadline(app.g) == INT64_MAX);
    put_head(&c.in, 1, 0, S("/watch"), (str){0}, (str){0});
    assert_true(feed(&app, &c, 10));
    assert_int_equal(grpc_deadline(app.g), 10 + GRPC_REQUEST_WAIT_MS_MAX);
    assert_true(grpc_tick(app.g, 10 + GRPC_REQUEST_WAIT_MS_MAX, &err));
    assert_true(str_starts(heard(&app, &c), S(HEAD "grpc-status=4,")));
    put_call(&c.in, 3, S("/watch"), S("grpc-timeout"), S("1500m"), S("hi"));
    assert_true(feed(&app, &c, 20000));
    assert_int_equal(app.timeout_ms, 1500);
    assert_int_equal(grpc_deadline(app.g), 21500);
    pull(&app, &c);
    assert_true(grpc_tick(app.g, 21500, &err));
    assert_true(str_starts(heard(&app, &c), S("H3{grpc-status=4,")));
    app_close(&app);
    client_fini(&c);
    /* no preface */
    app_open(&app, &stream, NULL);
    assert_false(grpc_tick(app.g, GRPC_REQUEST_WAIT_MS_MAX, &err));
    assert_int_equal(err.kind, ERR_PEER);
    app_close(&app);
}

static void put_settings(struct buf *b, unsigned i)
{
    put_frame(b, SETTINGS, 0, 0, S("\0\4\0\1\0\0"));
}
static void put_priority(struct buf *b, unsigned i)
{
    put_frame(b, PRIORITY, 0, 1 + 2 * i, S("\0\0\0\0\x10"));
}
static void put_unknown(struct buf *b, unsigned i)
{
    put_frame(b, 0x42, 0, 0, (str){0});
}
static void put_ping_ack(struct buf *b, unsigned i)
{
    put_frame(b, PING, ACK, 0, S("12345678"));
}
static void put_window(struct buf *b, unsigned i)
{
    put_frame(b, WINDOW, 0, 0, S("\0\0\0\1"));
}
static void put_empty_data(struct buf *b, unsigned i)
{
    if (i == 0)
        put_head(b, 1, 0, S("/watch"), (str){0}, (str){0});
    put_frame(b, DATA, 0, 1, (str){0});
}
/* Rapid reset (CVE-2023-44487). */
static void put_rapid_reset(struct buf *b, unsigned i)
{
    put_head(b, 1 + 2 * i, 0, S("/watch"), (str){0}, (str){0});
    put_frame(b, RST, 0, 1 + 2 * i, S("\0\0\0\x08"));
}
/* The same, where our side is made to send the reset (CVE-2025-8671). */
static void put_made_reset(struct buf *b, unsigned i)
{
    put_head(b, 1 + 2 * i, 0, S("/watch"), (str){0}, (str){0});
    put_frame(b, WINDOW, 0, 1 + 2 * i, S("\x7f\xff\xff\xff"));
}
static void put_bad_head(struct buf *b, unsigned i)
{
    put_head(b, 1 + 2 * i, END_STREAM, S("/watch"), S("Upper"), S("x"));
}
static void put_too_many(struct buf *b, unsigned i)
{
    put_head(b, 1 + 2 * i, 0, S("/watch"), (str){0}, (str){0});
}

static const struct {
    const char *name;
    void (*put)(struct buf *b, unsigned i);
    unsigned at_most; /* of them before the connection is cut; what we send counts when it leaves */
} floods[] = {
    {"ping", put_ping, GRPC_FRAMES_BURST},
    {"settings", put_settings, GRPC_FRAMES_BURST},
    {"priority", put_priority, GRPC_FRAMES_BURST},
    {"unknown", put_unknown, GRPC_FRAMES_BURST},
    {"ping ack", put_ping_ack, GRPC_FRAMES_BURST},
    {"window update", put_window, GRPC_FRAMES_BURST},
    {"empty data", put_empty_data, GRPC_FRAMES_BURST},
    {"rapid reset", put_rapid_reset, GRPC_ABORTS_BURST + 1},
    {"made to reset", put_made_reset, GRPC_ABORTS_BURST + 2},
    {"malformed heads", put_bad_head, GRPC_ABORTS_BURST + 2},
    {"too many streams", put_too_many, GRPC_STREAMS_MAX + GRPC_ABORTS_BURST + 2},
};

/* With a peer that reads, and with one that does not; in both the connection is cut and what waits
 * for the peer stays small. */
static void test_floods(void **state)
{
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++)
        for (int reads = 0; reads < 2; reads++) {
            struct app app;
            struct client c = {0};
            unsigned n = 0;
            app_open(&app, &stream, NULL);
            put_preface(&c.in);
            assert_true(feed(&app, &c, 1));
            do {
                if (reads)
                    heard(&app, &c);
                floods[i].put(&c.in, n);
            } while (n++ <= floods[i].at_most + GRPC_CONTROL_QUEUE_MAX && feed(&app, &c, 1));
            if (n > floods[i].at_most + (reads ? 0 : GRPC_CONTROL_QUEUE_MAX))
                fail_msg("%s, %s: %u of them", floods[i].name, reads ? "read" : "unread", n);
            size_t sent = buf_len(&c.out);
            grpc_pull(app.g, &c.out);
            assert_true(buf_len(&c.out) - sent < 64 << 10);
            assert_true(grpc_calls(app.g) <= GRPC_STREAMS_MAX);
            app_close(&app);
            client_fini(&c);
        }
}

/* The buckets fill again: a peer at half their rate is served for long. */
static void test_within_rates(void **state)
{
    struct app app;
    struct client c = {0};
    int64_t now = 1;
    app_open(&app, &stream, NULL);
    put_preface(&c.in);
    for (unsigned i = 0; i < 3 * GRPC_ABORTS_BURST; i++, now += 1000 / (GRPC_ABORTS_PER_S / 2)) {
        put_rapid_reset(&c.in, i);
        put_ping(&c.in, i);
        assert_true(feed(&app, &c, now));
        pull(&app, &c);
    }
    assert_int_equal(c.pings, 3 * GRPC_ABORTS_BURST);
    app_close(&app);
    client_fini(&c);
}

/* One field in the table of 4 KiB, then a reference of one byte to it 12,000 times: 48 MB. */
static void test_hpack_bomb(void **state)
{
    static char value[3900];
    struct app app;
    struct client c = {0};
    struct buf block = {0};
    app_open(&app, &stream, NULL);
    put_preface(&c.in);
    put_usual(&block, S("/watch"), (str){0}, (str){0});
    memset(value, 'a', sizeof value);
    buf_putc(&block, 0x40); /* literal, kept in the table */
    put_hpack_len(&block, 1);
    buf_put(&block, S("x"));
    put_hpack_len(&block, sizeof value);
    buf_put(&block, str_of(value, sizeof value));
    for (int i = 0; i < 12000; i++)
        buf_putc(&block, (char)(0x80 | 62));
    put_frame(&c.in, HEADERS, END_HEADERS | END_STREAM, 1, str_take(buf_str(&block), 16384));
    assert_true(feed(&app, &c, 1));
    assert_true(str_starts(heard(&app, &c), S("H1{:status=431,")));
    assert_int_equal(buf_len(&app.log), 0);
    /* the connection's table is intact and the next request is served */
    put_call(&c.in, 3, S("/watch"), (str){0}, (str){0}, S("hi"));
    assert_true(feed(&app, &c, 1));
    assert_true(str_starts(buf_str(&app.log), S("head /watch 2; request hi; ")));
    buf_fini(&block);
    app_close(&app);
    client_fini(&c);
}

static void test_big_heads(void **state)
{
    static char value[GRPC_HEAD_BYTES_MAX];
    struct app app;
    struct client c = {0};
    struct buf block = {0};
    memset(value, 'a', sizeof value);
    /* one field too long; too many fields */
    app_open(&app, &stream, NULL);
    put_preface(&c.in);
    put_head(&c.in, 1, END_STREAM, S("/watch"), S("x"), str_of(value, sizeof value));
    put_usual(&block, S("/watch"), (str){0}, (str){0});
    for (int i = 0; i < GRPC_HEAD_FIELDS_MAX - 5; i++)
        put_field(&block, S("x"), S("y"));
    put_frame(&c.in, HEADERS, END_HEADERS | END_STREAM, 3, buf_str(&block));
    assert_true(feed(&app, &c, 1));
    heard(&app, &c);
    assert_true(str_starts(buf_str(&c.said), S("H1{:status=431,")));
    assert_true(str_find(buf_str(&c.said), S("H3{:status=431,")) > 0);
    assert_int_equal(buf_len(&app.log), 0);
    app_close(&app);
    client_fini(&c);
    /* malformed before it is too large: found by the fuzzer, nothing may be kept */
    app_open(&app, &stream, NULL);
    put_preface(&c.in);
    buf_clear(&block);
    put_usual(&block, S("/watch"), S("Upper"), S("x"));
    for (int i = 0; i < 10 * GRPC_HEAD_FIELDS_MAX; i++)
        put_field(&block, S("x"), S("y"));
    put_frame(&c.in, HEADERS, END_HEADERS | END_STREAM, 1, buf_str(&block));
    assert_true(feed(&app, &c, 1));
    assert_true(str_eq(heard(&app, &c), S("R1:1 ")));
    app_close(&app);
    client_fini(&c);
    /* a block of two frames that is over its limit on the wire */
    app_open(&app, &stream, NULL);
    put_preface(&c.in);
    put_frame(&c.in, HEADERS, 0, 1, str_take(buf_str(&block), 1000));
    assert_true(feed(&app, &c, 1));
    put_frame(&c.in, CONTINUATION, END_HEADERS, 1, str_of(value, GRPC_HEAD_BYTES_MAX));
    put_frame(&c.in, CONTINUATION, END_HEADERS, 1, str_of(value, GRPC_HEAD_BYTES_MAX - 999));
    put_ping(&c.in, 0);
    struct err err;
    assert_false(grpc_feed(app.g, buf_str(&c.in), 1, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    app_close(&app);
    client_fini(&c);
    /* CONTINUATION without end (CVE-2024-27316) */
    app_open(&app, &stream, NULL);
    put_preface(&c.in);
    buf_clear(&block);
    put_usual(&block, S("/watch"), (str){0}, (str){0});
    put_frame(&c.in, HEADERS, 0, 1, buf_str(&block));
    buf_clear(&block);
    put_field(&block, S("x"), str_of(value, 1000));
    unsigned n = 0;
    while (n++ < 100 && feed(&app, &c, 1))
        put_frame(&c.in, CONTINUATION, 0, 1, buf_str(&block));
    assert_true(n <= 18);
    heard(&app, &c);
    assert_true(str_ends(buf_str(&c.said), S("G:11 ")) || grpc_is_done(app.g));
    app_close(&app);
    client_fini(&c);
    buf_fini(&block);
}

static const struct {
    const char *name;
    str in; /* all of what the peer sends, without the preface if it begins with P */
} broken[] = {
    {"HTTP/1.1", {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27}},
    {"TLS", {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25}},
    {"no SETTINGS",
     {"P\0\0\x08\6\0\0\0\0\0"
      "12345678",
      18}},
    {"frame of 16 MB", {"P\0\0\0\4\0\0\0\0\0\xff\xff\xff\0\0\0\0\0\1", 19}},
    {"DATA on stream 0", {"P\0\0\0\4\0\0\0\0\0\0\0\1\0\0\0\0\0\0x", 20}},
    {"DATA on an idle stream", {"P\0\0\0\4\0\0\0\0\0\0\0\1\0\0\0\0\0\1x", 20}},
    {"HEADERS on an even stream", {"P\0\0\0\4\0\0\0\0\0\0\0\1\1\4\0\0\0\2\x82", 20}},
    {"PUSH_PROMISE", {"P\0\0\0\4\0\0\0\0\0\0\0\4\5\4\0\0\0\1\0\0\0\2", 23}},
    {"CONTINUATION alone", {"P\0\0\0\4\0\0\0\0\0\0\0\1\x9\4\0\0\0\1\x82", 20}},
    {"PING of 7",
     {"P\0\0\0\4\0\0\0\0\0\0\0\7\6\0\0\0\0\0"
      "1234567",
      26}},
    {"SETTINGS of 5",
     {"P\0\0\0\4\0\0\0\0\0\0\0\5\4\0\0\0\0\0"
      "12345",
      24}},
    {"HPACK index 0", {"P\0\0\0\4\0\0\0\0\0\0\0\1\1\4\0\0\0\1\x80", 20}},
    {"HPACK index 999", {"P\0\0\0\4\0\0\0\0\0\0\0\3\1\4\0\0\0\1\xff\xe8\x06", 22}},
    {"window of 0 more", {"P\0\0\0\4\0\0\0\0\0\0\0\4\x8\0\0\0\0\0\0\0\0\0", 23}},
    {"window over 2^31", {"P\0\0\0\4\0\0\0\0\0\0\0\4\x8\0\0\0\0\0\x7f\xff\xff\xff", 23}},
};

static void test_broken(void **state)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct app app;
        struct client c = {0};
        struct err err;
        app_open(&app, &stream, NULL);
        str in = broken[i].in;
        if (in.p[0] == 'P') {
            buf_put(&c.in, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
            in = str_skip(in, 1);
        }
        buf_put(&c.in, in);
        bool ok = grpc_feed(app.g, buf_str(&c.in), 1, &err);
        heard(&app, &c);
        assert_true(ok || err.text[0]);
        if (!grpc_is_done(app.g))
            fail_msg("%s: goes on; said %.*s", broken[i].name, STR(buf_str(&c.said)));
        assert_false(grpc_feed(app.g, S(""), 1, &err));
        assert_int_equal(app.gone, 0);
        app_close(&app);
        client_fini(&c);
    }
}

static void test_shutdown(void **state)
{
    struct app app;
    struct client c = {0};
    open_stream(&app, &c, NULL);
    pull(&app, &c);
    grpc_shutdown(app.g);
    assert_true(str_eq(heard(&app, &c), S("G:0 ")));
    put_call(&c.in, 3, S("/watch"), (str){0}, (str){0}, S("hi"));
    assert_true(feed(&app, &c, 1));
    assert_int_equal(grpc_calls(app.g), 1);
    grpc_finish(app.last, GRPC_UNAVAILABLE, (str){0});
    heard(&app, &c);
    assert_true(grpc_is_done(app.g));
    app_close(&app);
    client_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_shapes),       cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_push),         cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_window),       cmocka_unit_test(test_pull_mark),
        cmocka_unit_test(test_slow_reader),  cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_deadlines),    cmocka_unit_test(test_floods),
        cmocka_unit_test(test_within_rates), cmocka_unit_test(test_hpack_bomb),
        cmocka_unit_test(test_big_heads),    cmocka_unit_test(test_broken),
        cmocka_unit_test(test_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
