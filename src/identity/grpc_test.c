#include "identity/grpc_app_test.h"

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
    read_stream(&app, &c, NULL);
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
    read_stream(&app, &c, NULL);
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
    read_stream(&app, &c, NULL);
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

static void test_shutdown(void **state)
{
    struct app app;
    struct client c = {0};
    read_stream(&app, &c, NULL);
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
        cmocka_unit_test(test_heads),    cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_shapes),   cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_push),     cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_window),   cmocka_unit_test(test_pull_mark),
        cmocka_unit_test(test_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
