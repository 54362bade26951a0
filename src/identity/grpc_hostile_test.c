/* Slow readers, floods, bombs, broken frames: each must cost little and end. */
#include "identity/grpc_app_test.h"

static void put_ping(struct buf *b, unsigned i)
{
    put_frame(b, PING, 0, 0, S("12345678"));
}

static void test_slow_reader(void **state)
{
    static char big[50000];
    const struct grpc_limits limits = {.stream_out_bytes = 120000, .conn_out_bytes = 200000};
    struct app app;
    struct client c = {0};
    struct err err;
    read_stream(&app, &c, &limits);
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
    read_stream(&app, &c, NULL);
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
    put_frame(&c.in, CONTINUATION, 0, 1, str_of(value, GRPC_HEAD_BYTES_MAX));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_reader),  cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_deadlines),    cmocka_unit_test(test_floods),
        cmocka_unit_test(test_within_rates), cmocka_unit_test(test_hpack_bomb),
        cmocka_unit_test(test_big_heads),    cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
