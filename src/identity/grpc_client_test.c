/* The client beside our own server (grpc.h), and beside bytes that no server should send. */
#include "identity/grpc_client.h"
#include "identity/identity_test.h"

#include <nghttp2/nghttp2.h>

/* ---- what the client was told ---- */

struct heard {
    struct buf messages; /* "tag:message;" */
    unsigned ended, pongs;
    unsigned tag;
    enum grpc_status status;
    char text[GRPC_STATUS_TEXT_BYTES_MAX + 1];
};

static void on_message(void *owner, unsigned tag, str message)
{
    struct heard *h = owner;
    buf_printf(&h->messages, "%u:", tag);
    buf_put(&h->messages, message.n < 64 ? message : S("long"));
    buf_putc(&h->messages, ';');
}

static void on_end(void *owner, unsigned tag, enum grpc_status status, str text)
{
    struct heard *h = owner;
    h->ended++;
    h->tag = tag;
    h->status = status;
    snprintf(h->text, sizeof h->text, "%.*s", STR(text));
}

static void on_pong(void *owner)
{
    ((struct heard *)owner)->pongs++;
}

static const struct grpc_client_ops OPS = {on_message, on_end, on_pong};

/* ---- our own server as the other side ---- */

static void serve_head(void *owner, struct grpc_call *c, const struct grpc_head *head)
{
    bool marked = false;
    for (size_t i = 0; i < head->n; i++)
        marked |= str_eq(head->fields[i].name, S("workload.spiffe.io")) &&
                  str_eq(head->fields[i].value, S("true"));
    if (!marked)
        grpc_finish(c, GRPC_INVALID_ARGUMENT, S("no header, no answer"));
}

static void serve_request(void *owner, struct grpc_call *c, str message)
{
    struct err err;
    if (str_eq(message, S("deny"))) {
        grpc_finish(c, GRPC_PERMISSION_DENIED, S("100% \x01no\n"));
        return;
    }
    assert_true(grpc_send(c, message, &err));
    assert_true(grpc_send(c, S("two"), &err));
    if (str_eq(message, S("end")))
        grpc_finish(c, GRPC_OK, (str){0});
}

static void serve_gone(void *owner, struct grpc_call *c)
{
}

struct pair {
    struct grpc *server;
    struct grpc_client *client;
    struct heard heard;
};

static void pair_init(struct pair *p)
{
    static const struct grpc_ops server_ops = {serve_head, serve_request, serve_gone};
    *p = (struct pair){.server = grpc_new(NULL, &server_ops, p, 1000)};
    p->client = grpc_client_new(&OPS, &p->heard);
}

static void pair_fini(struct pair *p)
{
    grpc_client_free(p->client);
    grpc_free(p->server);
    buf_fini(&p->heard.messages);
}

/* Carries bytes both ways, `step` at a time, until nothing moves. */
static void carry(struct pair *p, size_t step)
{
    struct err err = {0};
    for (bool moved = true; moved;) {
        struct buf up = {0}, down = {.max = 1 << 20, .wipe = true};
        grpc_client_pull(p->client, &up);
        for (str s = buf_str(&up); s.n; s = str_skip(s, step))
            OK(grpc_feed(p->server, str_take(s, step), 1000, &err));
        grpc_pull(p->server, &down);
        for (str s = buf_str(&down); s.n; s = str_skip(s, step))
            OK(grpc_client_feed(p->client, str_take(s, step), &err));
        moved = buf_len(&up) || buf_len(&down);
        buf_fini(&up);
        buf_fini(&down);
    }
}

static void call(struct grpc_client *c, unsigned tag, const char *request, bool marked)
{
    struct err err = {0};
    static const struct grpc_field metadata = {S("workload.spiffe.io"), S("true")};
    OK(grpc_client_call(c, tag, S("/A/B"), &metadata, marked, str_z(request), &err));
}

static void test_calls(void **state)
{
    static const size_t STEPS[] = {1, 7, 1 << 20};
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        struct pair p;
        pair_init(&p);
        call(p.client, 1, "stay", true);
        carry(&p, STEPS[i]);
        assert_true(str_eq(buf_str(&p.heard.messages), S("1:stay;1:two;")));
        assert_int_equal(p.heard.ended, 0);
        call(p.client, 2, "end", true);
        carry(&p, STEPS[i]);
        assert_true(str_eq(buf_str(&p.heard.messages), S("1:stay;1:two;2:end;2:two;")));
        assert_int_equal(p.heard.ended, 1);
        assert_int_equal(p.heard.tag, 2);
        assert_int_equal(p.heard.status, GRPC_OK);
        call(p.client, 3, "deny", true);
        carry(&p, STEPS[i]);
        assert_int_equal(p.heard.status, GRPC_PERMISSION_DENIED);
        assert_string_equal(p.heard.text, "100% ?no?");
        call(p.client, 4, "end", false);
        carry(&p, STEPS[i]);
        assert_int_equal(p.heard.status, GRPC_INVALID_ARGUMENT);
        grpc_client_ping(p.client);
        carry(&p, STEPS[i]);
        assert_int_equal(p.heard.pongs, 1);
        pair_fini(&p);
    }
}

static void test_limits(void **state)
{
    struct pair p;
    struct err err = {0};
    pair_init(&p);
    for (unsigned i = 0; i < GRPC_CLIENT_CALLS_MAX; i++)
        call(p.client, i, "stay", true);
    NO(ERR_LIMIT, grpc_client_call(p.client, 9, S("/A/B"), NULL, 0, S("x"), &err));
    carry(&p, 1 << 20);
    static const char big[GRPC_CLIENT_REQUEST_BYTES_MAX + 1];
    NO(ERR_LIMIT, grpc_client_call(p.client, 9, S("/A/B"), NULL, 0, str_of(big, sizeof big), &err));
    pair_fini(&p);
}

/* ---- a server that answers as it likes ---- */

struct answer {
    const char *name;
    const char *head[8]; /* name, value, ... */
    const char *body;
    size_t body_n;
    const char *trailer[4];
    enum grpc_status want;
    const char *messages;
};
#define GRPC_HEAD                                                                                  \
    {                                                                                              \
        ":status", "200", "content-type", "application/grpc"                                       \
    }
#define OK_TRAILER                                                                                 \
    {                                                                                              \
        "grpc-status", "0"                                                                         \
    }

static const struct answer ANSWERS[] = {
    {"good", GRPC_HEAD, "\0\0\0\0\1x", 6, OK_TRAILER, GRPC_OK, "1:x;"},
    {"two at once", GRPC_HEAD, "\0\0\0\0\1x\0\0\0\0\0", 11, OK_TRAILER, GRPC_OK, "1:x;1:;"},
    {"trailers only",
     {":status", "200", "content-type", "application/grpc", "grpc-status", "12"},
     NULL,
     0,
     {NULL},
     GRPC_UNIMPLEMENTED,
     ""},
    {"a charset",
     {":status", "200", "content-type", "application/grpc;x"},
     "\0\0\0\0\1x",
     6,
     OK_TRAILER,
     GRPC_OK,
     "1:x;"},
    {"no status", GRPC_HEAD, "\0\0\0\0\1x", 6, {"a", "b"}, GRPC_UNAVAILABLE, "1:x;"},
    {"status as text", GRPC_HEAD, NULL, 0, {"grpc-status", "ok"}, GRPC_UNKNOWN, ""},
    {"status out of range", GRPC_HEAD, NULL, 0, {"grpc-status", "17"}, GRPC_UNKNOWN, ""},
    {"half a message", GRPC_HEAD, "\0\0\0\0\2x", 6, OK_TRAILER, GRPC_INTERNAL, ""},
    {"half a prefix", GRPC_HEAD, "\0\0\0", 3, OK_TRAILER, GRPC_INTERNAL, ""},
    {"compressed", GRPC_HEAD, "\1\0\0\0\1x", 6, OK_TRAILER, GRPC_INTERNAL, ""},
    {"compressed by its head",
     {":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip"},
     "\0\0\0\0\1x",
     6,
     OK_TRAILER,
     GRPC_INTERNAL,
     ""},
    {"too long", GRPC_HEAD, "\0\0\x10\0\1x", 6, OK_TRAILER, GRPC_INTERNAL, ""},
    {"as long as can be", GRPC_HEAD, "\0\xff\xff\xff\xffx", 6, OK_TRAILER, GRPC_INTERNAL, ""},
    {"a page",
     {":status", "200", "content-type", "text/html"},
     "<html>",
     6,
     OK_TRAILER,
     GRPC_INTERNAL,
     ""},
    {"no type", {":status", "200"}, "\0\0\0\0\1x", 6, OK_TRAILER, GRPC_INTERNAL, ""},
    {"not 200",
     {":status", "503", "content-type", "application/grpc"},
     "\0\0\0\0\1x",
     6,
     OK_TRAILER,
     GRPC_INTERNAL,
     ""},
};

struct raw { /* a session of nghttp2 that answers the first request */
    nghttp2_session *session;
    const struct answer *a;
    size_t sent;
    struct grpc_client *client;
    struct heard heard;
};

static size_t fields(nghttp2_nv *out, const char *const *names, size_t max)
{
    size_t n = 0;
    for (; n < max / 2 && names[2 * n]; n++)
        out[n] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)names[2 * n], (uint8_t *)(uintptr_t)names[2 * n + 1],
                         strlen(names[2 * n]), strlen(names[2 * n + 1]), 0};
    return n;
}

static ssize_t read_body(nghttp2_session *s, int32_t stream, uint8_t *out, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct raw *r = user;
    nghttp2_nv nv[2];
    if (r->a->body_n)
        memcpy(out, r->a->body, r->a->body_n);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(s, stream, nv, fields(nv, r->a->trailer, 4));
    return (ssize_t)r->a->body_n;
}

static int on_request(nghttp2_session *s, const nghttp2_frame *frame, void *user)
{
    struct raw *r = user;
    nghttp2_nv nv[4];
    const nghttp2_data_provider body = {.read_callback = read_body};
    bool only = !r->a->trailer[0];
    if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        nghttp2_submit_response(s, frame->hd.stream_id, nv, fields(nv, r->a->head, 8),
                                only ? NULL : &body);
    return 0;
}

static void answer_with(const struct answer *a)
{
    struct err err = {0};
    struct raw r = {.a = a};
    nghttp2_session_callbacks *cb;
    const uint8_t *data;
    ssize_t n;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_request);
    nghttp2_session_server_new(&r.session, cb, &r);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(r.session, 0, NULL, 0);
    r.client = grpc_client_new(&OPS, &r.heard);
    call(r.client, 1, "q", true);
    for (int round = 0; round < 6; round++) {
        struct buf up = {0};
        grpc_client_pull(r.client, &up);
        assert_true(nghttp2_session_mem_recv(r.session, (const uint8_t *)buf_str(&up).p,
                                             buf_len(&up)) >= 0);
        buf_fini(&up);
        while ((n = nghttp2_session_mem_send(r.session, &data)) > 0)
            OK(grpc_client_feed(r.client, str_of((const char *)data, (size_t)n), &err));
    }
    if (r.heard.ended != 1 || r.heard.status != a->want)
        fail_msg("%s: ended %u, status %d (%s), want %d", a->name, r.heard.ended,
                 (int)r.heard.status, r.heard.text, (int)a->want);
    if (!str_eq(buf_str(&r.heard.messages), str_z(a->messages)))
        fail_msg("%s: %.*s", a->name, STR(buf_str(&r.heard.messages)));
    buf_fini(&r.heard.messages);
    grpc_client_free(r.client);
    nghttp2_session_del(r.session);
}

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++)
        answer_with(&ANSWERS[i]);
}

/* Bytes that are no HTTP/2, or an end without an answer. */
static void test_broken(void **state)
{
    static const str BYTES[] = {S("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                S("\0\0\0\0\0\0\0\0\1xxxxxxxxxxx"),
                                S("\0\0\x08\x06\0\0\0\0\0abcdefgh")};
    for (size_t i = 0; i < sizeof BYTES / sizeof *BYTES; i++) {
        struct heard heard = {0};
        struct err err = {0};
        struct grpc_client *c = grpc_client_new(&OPS, &heard);
        call(c, 1, "q", true);
        struct buf out = {0};
        grpc_client_pull(c, &out);
        bool ok = grpc_client_feed(c, BYTES[i], &err);
        grpc_client_pull(c, &out);
        ok = ok && grpc_client_feed(c, S("\0\0\0"), &err);
        assert_true(buf_len(&heard.messages) == 0 && (!ok || heard.ended == 0));
        buf_fini(&out);
        buf_fini(&heard.messages);
        grpc_client_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
