#include "identity/grpc_client.h"
#include "identity/grpc_int.h"

#include <stdio.h>
#include <stdlib.h>

struct client_call {
    struct grpc_client *c;
    unsigned tag;
    int32_t stream; /* 0: free slot */
    struct buf request, in;
    size_t head_bytes;
    int status; /* grpc-status; -1: none yet */
    bool type_ok, broken;
    char text[GRPC_STATUS_TEXT_BYTES_MAX + 1];
};

struct grpc_client {
    const struct grpc_client_ops *ops;
    void *owner;
    nghttp2_session *session;
    struct grpc_pages pages;
    struct client_call calls[GRPC_CLIENT_CALLS_MAX];
};

enum { PREFIX = 5 }; /* compressed flag, length */

static struct client_call *call_of(struct grpc_client *c, int32_t stream)
{
    for (size_t i = 0; i < GRPC_CLIENT_CALLS_MAX; i++)
        if (stream > 0 && c->calls[i].stream == stream)
            return &c->calls[i];
    return NULL;
}

/* ---- answers ---- */

/* Why a call ends otherwise than the server says. */
static void break_off(struct client_call *k, const char *why)
{
    if (k->broken)
        return;
    k->broken = true;
    snprintf(k->text, sizeof k->text, "%s", why);
    nghttp2_submit_rst_stream(k->c->session, NGHTTP2_FLAG_NONE, k->stream, NGHTTP2_CANCEL);
}

static uint32_t big_endian(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void give_messages(struct client_call *k)
{
    for (str in = buf_str(&k->in); !k->broken && in.n >= PREFIX; in = buf_str(&k->in)) {
        size_t n = big_endian(in.p + 1);
        if (in.p[0] != 0) {
            break_off(k, "a compressed message, which was not asked for");
            return;
        }
        if (n > GRPC_CLIENT_MESSAGE_BYTES_MAX) {
            break_off(k, "a message that is too long");
            return;
        }
        if (in.n < PREFIX + n)
            return;
        k->c->ops->on_message(k->c->owner, k->tag, str_of(in.p + PREFIX, n));
        buf_consume(&k->in, PREFIX + n);
    }
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *data, size_t n,
                   void *user)
{
    struct client_call *k = call_of(user, stream);
    (void)s;
    (void)flags;
    if (!k || k->broken)
        return 0;
    if (!k->type_ok) {
        break_off(k, "the answer is not gRPC");
        return 0;
    }
    buf_put(&k->in, str_of((const char *)data, n));
    if (k->in.over)
        break_off(k, "a message that is too long");
    give_messages(k);
    return 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Percent-encoded (PROTOCOL-HTTP2.md, Status-Message); what a terminal should not see becomes '?'.
 */
static void keep_text(struct client_call *k, str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < GRPC_STATUS_TEXT_BYTES_MAX; i++) {
        char c = text.p[i];
        if (c == '%' && i + 2 < text.n && hex_digit(text.p[i + 1]) >= 0 &&
            hex_digit(text.p[i + 2]) >= 0) {
            c = (char)(hex_digit(text.p[i + 1]) << 4 | hex_digit(text.p[i + 2]));
            i += 2;
        }
        k->text[n++] = c >= 0x20 && c <= 0x7e ? c : '?';
    }
    k->text[n] = 0;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct client_call *k = call_of(user, frame->hd.stream_id);
    str key = str_of((const char *)name, name_n), v = str_of((const char *)value, value_n);
    uint64_t status;
    (void)s;
    (void)flags;
    if (!k || k->broken)
        return 0;
    k->head_bytes += name_n + value_n + 32;
    if (k->head_bytes > GRPC_CLIENT_HEAD_BYTES_MAX)
        break_off(k, "heads that are too long");
    else if (str_eq(key, S(":status")) && !str_eq(v, S("200")))
        break_off(k, "the answer is not gRPC: its status is not 200");
    else if (str_eq(key, S("content-type")))
        k->type_ok = str_eq(v, S("application/grpc")) || str_starts(v, S("application/grpc+")) ||
                     str_starts(v, S("application/grpc;"));
    else if (str_eq(key, S("grpc-encoding")) && !str_eq(v, S("identity")))
        break_off(k, "a compressed answer, which was not asked for");
    else if (str_eq(key, S("grpc-message")))
        keep_text(k, v);
    else if (str_eq(key, S("grpc-status")))
        k->status = str_to_u64(v, &status) && status <= 16 ? (int)status : GRPC_UNKNOWN;
    return 0;
}

static int on_stream_close(nghttp2_session *s, int32_t stream, uint32_t code, void *user)
{
    struct grpc_client *c = user;
    struct client_call *k = call_of(c, stream);
    (void)s;
    if (!k)
        return 0;
    enum grpc_status status = k->broken        ? GRPC_INTERNAL
                              : k->status >= 0 ? (enum grpc_status)k->status
                                               : GRPC_UNAVAILABLE;
    if (status == GRPC_OK && (code != NGHTTP2_NO_ERROR || buf_len(&k->in)))
        status = GRPC_INTERNAL; /* cut off in the middle of a message */
    k->stream = 0;
    buf_wipe(&k->in);
    buf_fini(&k->request);
    c->ops->on_end(c->owner, k->tag, status, str_z(k->text));
    return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *user)
{
    struct grpc_client *c = user;
    (void)s;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) && c->ops->on_pong)
        c->ops->on_pong(c->owner);
    return 0;
}

/* ---- life ---- */

struct grpc_client *grpc_client_new(const struct grpc_client_ops *ops, void *owner)
{
    nghttp2_session_callbacks *cb;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_CLIENT_HEAD_BYTES_MAX},
    };
    struct grpc_client *c = calloc(1, sizeof *c);
    if (!c || nghttp2_session_callbacks_new(&cb) != 0)
        abort();
    *c = (struct grpc_client){.ops = ops, .owner = owner};
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_mem mem = grpc_mem(&c->pages);
    if (nghttp2_session_client_new3(&c->session, cb, c, NULL, &mem) != 0 ||
        nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof *settings) != 0)
        abort();
    nghttp2_session_callbacks_del(cb);
    return c;
}

void grpc_client_free(struct grpc_client *c)
{
    static const struct grpc_client_ops silent;
    if (!c)
        return;
    for (size_t i = 0; i < GRPC_CLIENT_CALLS_MAX; i++) {
        c->calls[i].stream = 0;
        buf_wipe(&c->calls[i].in);
        buf_fini(&c->calls[i].request);
    }
    c->ops = &silent;
    nghttp2_session_del(c->session);
    free(c);
}

/* ---- calls ---- */

static ssize_t read_request(nghttp2_session *s, int32_t stream, uint8_t *out, size_t max,
                            uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct client_call *k = source->ptr;
    str left = buf_str(&k->request);
    size_t n = left.n < max ? left.n : max;
    (void)s;
    (void)stream;
    (void)user;
    if (n)
        memcpy(out, left.p, n);
    buf_consume(&k->request, n);
    if (buf_len(&k->request) == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv nv(str name, str value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.p,
                        .namelen = name.n,
                        .value = (uint8_t *)(uintptr_t)value.p,
                        .valuelen = value.n};
}

bool grpc_client_call(struct grpc_client *c, unsigned tag, str path,
                      const struct grpc_field *metadata, size_t n, str request, struct err *err)
{
    enum { OWN = 7, MORE = 8 };
    nghttp2_nv head[OWN + MORE] = {
        nv(S(":method"), S("POST")),         nv(S(":scheme"), S("http")),
        nv(S(":authority"), S("localhost")), nv(S(":path"), path),
        nv(S("te"), S("trailers")),          nv(S("content-type"), S("application/grpc")),
        nv(S("user-agent"), S("ambit")),
    };
    struct client_call *k = NULL;
    for (size_t i = 0; i < GRPC_CLIENT_CALLS_MAX && !k; i++)
        if (!c->calls[i].stream)
            k = &c->calls[i];
    if (!k || n > MORE || request.n > GRPC_CLIENT_REQUEST_BYTES_MAX)
        return err_limit(err, "gRPC: too many calls on one connection, or too long a request");
    for (size_t i = 0; i < n; i++)
        head[OWN + i] = nv(metadata[i].name, metadata[i].value);
    *k = (struct client_call){
        .c = c, .tag = tag, .status = -1, .in.max = GRPC_CLIENT_MESSAGE_BYTES_MAX + (64 << 10)};
    k->in.wipe = true;
    const char prefix[PREFIX] = {0, 0, 0, (char)(request.n >> 8), (char)request.n};
    buf_put(&k->request, str_of(prefix, PREFIX));
    buf_put(&k->request, request);
    const nghttp2_data_provider body = {.source.ptr = k, .read_callback = read_request};
    k->stream = nghttp2_submit_request(c->session, NULL, head, OWN + n, &body, NULL);
    if (k->stream > 0)
        return true;
    k->stream = 0;
    buf_fini(&k->request);
    return err_peer(err, "gRPC: no more calls on this connection");
}

void grpc_client_ping(struct grpc_client *c)
{
    nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
}

/* ---- bytes ---- */

bool grpc_client_feed(struct grpc_client *c, str in, struct err *err)
{
    ssize_t n = nghttp2_session_mem_recv(c->session, (const uint8_t *)in.p, in.n);
    if (n < 0)
        return err_peer(err, "gRPC: %s", nghttp2_strerror((int)n));
    if (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session))
        return err_peer(err, "gRPC: the server ended the connection");
    return true;
}

void grpc_client_pull(struct grpc_client *c, struct buf *out)
{
    const uint8_t *data;
    for (ssize_t n; (n = nghttp2_session_mem_send(c->session, &data)) > 0;)
        buf_put(out, str_of((const char *)data, (size_t)n));
}
