#include "identity/grpc_int.h"
#include "base/list.h"

#include <assert.h>
#include <stdlib.h>

enum { PREFIX = 5, FRAME_HEAD = 9, PREFACE = 24 };
enum { FRAME_HEADERS = 1, FRAME_CONTINUATION = 9 };

struct bucket { /* thousandths of a token, so that a rate per second refills per millisecond */
    int64_t level, size, per_ms, at_ms;
};

/* Reads the frame heads of what comes in, ahead of nghttp2, so that each frame costs its price even
 * where nghttp2 drops it unseen. */
struct meter {
    size_t skip;   /* bytes until the next frame head */
    size_t head_n; /* of head */
    unsigned char head[FRAME_HEAD];
    size_t block_bytes; /* of the header block that is under way */
};

struct grpc_call {
    struct grpc *g;
    struct list node;
    int32_t id;
    void *data;
    struct buf in;     /* prefix and message so far */
    struct buf out;    /* messages with their prefixes */
    size_t front_left; /* of the message at the front of out, once a part of it has gone */
    uint64_t received, content_length;
    int64_t request_until_ms, timeout_ms; /* INT64_MAX: none */
    int64_t moved_ms;                     /* when out last moved or began */
    enum grpc_status status;
    struct buf text;
    bool headed, responded, finished, reset;
    bool ended; /* the status is with nghttp2 */
};

struct grpc {
    nghttp2_session *session;
    struct grpc_pages pages;
    const struct grpc_ops *ops;
    void *owner;
    struct grpc_limits limits;
    struct list calls;
    size_t call_count, out_bytes;
    struct head_read head;
    struct meter meter;
    struct bucket frames, aborts;
    int64_t now_ms, born_ms;
    struct buf *pulling;
    bool greeted, busy;
    bool over;   /* why says it; what nghttp2 still has is sent */
    bool broken; /* nghttp2 is of no more use */
    struct err why;
};

/* ---- ends ---- */

static void cut(struct grpc *g, uint32_t code, enum err_kind kind, const char *text)
{
    if (g->over)
        return;
    g->over = true;
    if (kind == ERR_LIMIT)
        (void)err_limit(&g->why, "%s", text);
    else
        (void)err_peer(&g->why, "%s", text);
    if (nghttp2_session_terminate_session(g->session, code) != 0)
        g->broken = true;
}

static bool bucket_take(struct bucket *b, int64_t now_ms)
{
    int64_t passed = now_ms - b->at_ms;
    b->at_ms = now_ms;
    if (passed > 0) {
        int64_t room = b->size - b->level;
        b->level += passed > room / b->per_ms ? room : passed * b->per_ms;
    }
    if (b->level < 1000)
        return false;
    b->level -= 1000;
    return true;
}

static void count_abort(struct grpc *g)
{
    if (!bucket_take(&g->aborts, g->now_ms))
        cut(g, NGHTTP2_ENHANCE_YOUR_CALM, ERR_LIMIT, "too many streams were reset");
}

static void drop_out(struct grpc_call *c)
{
    c->g->out_bytes -= buf_len(&c->out);
    buf_wipe(&c->out);
}

static void reset(struct grpc_call *c, uint32_t code)
{
    if (c->reset)
        return;
    c->reset = c->finished = true;
    drop_out(c);
    if (nghttp2_submit_rst_stream(c->g->session, NGHTTP2_FLAG_NONE, c->id, code) != 0)
        abort();
}

static void call_free(struct grpc_call *c)
{
    struct grpc *g = c->g;
    if (c->headed && g->ops->on_gone)
        g->ops->on_gone(g->owner, c);
    drop_out(c);
    buf_wipe(&c->in);
    buf_fini(&c->text);
    list_remove(&c->node);
    g->call_count--;
    free(c);
}

/* ---- answers ---- */

#define NV(n, v, vn)                                                                               \
    (nghttp2_nv)                                                                                   \
    {                                                                                              \
        (uint8_t *)(uintptr_t)("" n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, (vn),              \
            NGHTTP2_NV_FLAG_NO_COPY_NAME                                                           \
    }

static size_t status_fields(struct grpc_call *c, nghttp2_nv *nv, char *digits)
{
    size_t n = 0;
    unsigned s = (unsigned)c->status;
    if (s >= 10)
        digits[n++] = (char)('0' + s / 10);
    digits[n++] = (char)('0' + s % 10);
    nv[0] = NV("grpc-status", digits, n);
    str text = buf_str(&c->text);
    if (!text.n)
        return 1;
    nv[1] = NV("grpc-message", text.p, text.n);
    return 2;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, id);
    if (!c)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t have = buf_len(&c->out);
    if (have && buf_len(c->g->pulling) >= GRPC_PULL_BYTES_HIGH)
        return NGHTTP2_ERR_PAUSE;
    if (have) {
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        return (ssize_t)(have < length ? have : length);
    }
    if (!c->finished || c->reset)
        return NGHTTP2_ERR_DEFERRED;
    nghttp2_nv nv[2];
    char digits[2];
    size_t n = status_fields(c, nv, digits);
    c->ended = true;
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(session, id, nv, n) == 0 ? 0
                                                           : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* n bytes leave the front of the queue: where in a message does that end? */
static void move_front(struct grpc_call *c, size_t n)
{
    for (str out = buf_str(&c->out); n;) {
        if (!c->front_left) {
            const unsigned char *p = (const unsigned char *)out.p;
            c->front_left =
                PREFIX + ((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4]);
        }
        size_t step = n < c->front_left ? n : c->front_left;
        c->front_left -= step;
        out = str_skip(out, step);
        n -= step;
    }
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t length, nghttp2_data_source *source, void *user)
{
    struct grpc *g = user;
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!c || !g->pulling || buf_len(&c->out) < length)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    buf_put(g->pulling, str_of((const char *)head, FRAME_HEAD));
    buf_put(g->pulling, str_take(buf_str(&c->out), length));
    move_front(c, length);
    buf_consume(&c->out, length);
    g->out_bytes -= length;
    c->moved_ms = g->now_ms;
    if (!buf_len(&c->out))
        buf_wipe(&c->out);
    return 0;
}

static void submit(struct grpc_call *c, const nghttp2_nv *nv, size_t n, bool with_data)
{
    nghttp2_data_provider data = {.source.ptr = c, .read_callback = on_read};
    c->responded = true;
    if (nghttp2_submit_response(c->g->session, c->id, nv, n, with_data ? &data : NULL) != 0)
        reset(c, NGHTTP2_INTERNAL_ERROR);
}

static void finish(struct grpc_call *c, str http, enum grpc_status status, str text)
{
    nghttp2_nv nv[5];
    char digits[2];
    if (c->finished)
        return;
    c->finished = true;
    c->status = status;
    head_put_text(&c->text, text);
    if (c->responded) {
        (void)nghttp2_session_resume_data(c->g->session, c->id);
        return;
    }
    nv[0] = NV(":status", http.p, http.n);
    nv[1] = NV("content-type", "application/grpc", 16);
    nv[2] = NV("grpc-accept-encoding", "identity", 8);
    c->ended = true;
    submit(c, nv, 3 + status_fields(c, nv + 3, digits), false);
}

void grpc_finish(struct grpc_call *c, enum grpc_status status, str text)
{
    finish(c, S("200"), status, text);
}

void grpc_revoke(struct grpc_call *c, enum grpc_status status, str text)
{
    if (c->reset || c->ended)
        return;
    if (c->front_left) {
        reset(c, status == GRPC_PERMISSION_DENIED ? NGHTTP2_INADEQUATE_SECURITY
                                                  : NGHTTP2_INTERNAL_ERROR);
        return;
    }
    drop_out(c);
    if (c->finished) {
        c->status = status;
        buf_clear(&c->text);
        head_put_text(&c->text, text);
    }
    finish(c, S("200"), status, text);
}

bool grpc_send(struct grpc_call *c, str message, struct err *err)
{
    struct grpc *g = c->g;
    if (c->finished || g->over)
        return true;
    size_t add = message.n + PREFIX;
    if (message.n > g->limits.stream_out_bytes ||
        add > g->limits.stream_out_bytes + PREFIX - buf_len(&c->out)) {
        reset(c, NGHTTP2_ENHANCE_YOUR_CALM);
        return err_limit(err, "the peer does not read its stream");
    }
    if (add > g->limits.conn_out_bytes - g->out_bytes) {
        cut(g, NGHTTP2_ENHANCE_YOUR_CALM, ERR_LIMIT, "the peer does not read");
        *err = g->why;
        return false;
    }
    if (!buf_len(&c->out))
        c->moved_ms = g->now_ms;
    char prefix[PREFIX] = {0, (char)(message.n >> 24), (char)(message.n >> 16),
                           (char)(message.n >> 8), (char)message.n};
    buf_put(&c->out, str_of(prefix, PREFIX));
    buf_put(&c->out, message);
    g->out_bytes += add;
    if (c->responded) {
        (void)nghttp2_session_resume_data(g->session, c->id);
        return true;
    }
    const nghttp2_nv nv[] = {NV(":status", "200", 3), NV("content-type", "application/grpc", 16),
                             NV("grpc-accept-encoding", "identity", 8)};
    submit(c, nv, 3, true);
    return true;
}

/* ---- requests ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct grpc *g = user;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct grpc_call *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct grpc_call){.g = g, .id = frame->hd.stream_id, .timeout_ms = INT64_MAX};
    c->request_until_ms = g->now_ms + g->limits.request_ms;
    c->in = (struct buf){.max = PREFIX + g->limits.request_bytes, .wipe = true};
    c->out = (struct buf){.max = PREFIX + g->limits.stream_out_bytes, .wipe = true};
    c->text = (struct buf){.max = 3 * GRPC_STATUS_TEXT_BYTES_MAX};
    list_append(&g->calls, &c->node);
    g->call_count++;
    nghttp2_session_set_stream_user_data(session, c->id, c);
    head_begin(&g->head);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct grpc *g = user;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        head_field(&g->head, str_of((const char *)name, name_n),
                   str_of((const char *)value, value_n));
    return 0;
}

static void on_head(struct grpc_call *c)
{
    static const struct {
        str http;
        enum grpc_status status;
        str text;
    } faults[] = {
        [HEAD_TOO_LARGE] = {{"431", 3}, GRPC_RESOURCE_EXHAUSTED, {"headers too large", 17}},
        [HEAD_METHOD] = {{"405", 3}, GRPC_INVALID_ARGUMENT, {"the method must be POST", 23}},
        [HEAD_TYPE] = {{"415", 3},
                       GRPC_INVALID_ARGUMENT,
                       {"content-type must be application/grpc", 37}},
        [HEAD_TE] = {{"400", 3}, GRPC_INVALID_ARGUMENT, {"te must be trailers", 19}},
        [HEAD_ENCODING] = {{"200", 3}, GRPC_UNIMPLEMENTED, {"messages must not be compressed", 31}},
        [HEAD_TIMEOUT] = {{"200", 3}, GRPC_INVALID_ARGUMENT, {"grpc-timeout is malformed", 25}},
    };
    struct grpc *g = c->g;
    enum head_fault fault = head_end(&g->head);
    if (fault == HEAD_MALFORMED) {
        reset(c, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    if (fault != HEAD_OK) {
        finish(c, faults[fault].http, faults[fault].status, faults[fault].text);
        return;
    }
    c->content_length = g->head.content_length;
    if (g->head.head.timeout_ms >= 0)
        c->timeout_ms = g->now_ms + g->head.head.timeout_ms;
    c->headed = true;
    if (g->ops->on_head)
        g->ops->on_head(g->owner, c, &g->head.head);
}

/* What is wrong with the message so far; false: the call is answered. */
static bool check_message(struct grpc_call *c)
{
    str in = buf_str(&c->in);
    const unsigned char *p = (const unsigned char *)in.p;
    if (in.n < PREFIX)
        return true;
    size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (p[0])
        grpc_finish(c, GRPC_INTERNAL, S("a message is marked as compressed"));
    else if (n > c->g->limits.request_bytes)
        grpc_finish(c, GRPC_RESOURCE_EXHAUSTED, S("the request message is too large"));
    else if (in.n > PREFIX + n)
        grpc_finish(c, GRPC_INTERNAL, S("more than one request message"));
    return !c->finished;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t n, void *user)
{
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, id);
    if (!c || c->finished)
        return 0;
    str rest = str_of((const char *)data, n);
    c->received += n;
    if (c->received > c->content_length) {
        reset(c, NGHTTP2_PROTOCOL_ERROR);
        return 0;
    }
    if (buf_len(&c->in) < PREFIX) {
        str head = str_take(rest, PREFIX - buf_len(&c->in));
        buf_put(&c->in, head);
        rest = str_skip(rest, head.n);
        if (!check_message(c))
            return 0;
    }
    buf_put(&c->in, rest);
    if (c->in.over)
        grpc_finish(c, GRPC_INTERNAL, S("more than one request message"));
    else
        (void)check_message(c);
    return 0;
}

static void on_end(struct grpc_call *c)
{
    struct grpc *g = c->g;
    c->request_until_ms = INT64_MAX;
    if (c->finished)
        return;
    if (c->content_length != UINT64_MAX && c->content_length != c->received) {
        reset(c, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    str in = buf_str(&c->in);
    const unsigned char *p = (const unsigned char *)in.p;
    if (in.n < PREFIX ||
        in.n - PREFIX != ((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4])) {
        grpc_finish(c, GRPC_INTERNAL,
                    in.n ? S("the request message is cut off") : S("no request message"));
        return;
    }
    if (g->ops->on_request)
        g->ops->on_request(g->owner, c, str_skip(in, PREFIX));
    buf_wipe(&c->in);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct grpc *g = user;
    struct grpc_call *c = NULL;
    if (frame->hd.stream_id)
        c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        g->greeted = true;
        return 0;
    case NGHTTP2_RST_STREAM:
        count_abort(g);
        return 0;
    case NGHTTP2_HEADERS:
        if (!c)
            return 0;
        if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
            reset(c, NGHTTP2_PROTOCOL_ERROR); /* requests have no trailers in gRPC */
            return 0;
        }
        on_head(c);
        head_fini(&g->head);
        break;
    case NGHTTP2_DATA:
        break;
    default:
        return 0;
    }
    if (c && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        on_end(c);
    return 0;
}

/* A whole answer before the whole request: the client is told to stop sending (RFC 9113 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct grpc *g = user;
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
        count_abort(g);
    if (frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0 &&
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_NO_ERROR) != 0)
        abort();
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, id);
    if (c) {
        nghttp2_session_set_stream_user_data(session, id, NULL);
        call_free(c);
    }
    return 0;
}

/* ---- the session ---- */

static void set_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
}

static void open_session(struct grpc *g)
{
    nghttp2_session_callbacks *cb;
    nghttp2_option *opt;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)g->limits.streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEAD_BYTES_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&opt) != 0)
        abort();
    set_callbacks(cb);
    nghttp2_option_set_no_http_messaging(opt, 1);
    nghttp2_option_set_no_closed_streams(opt, 1);
    nghttp2_option_set_max_outbound_ack(opt, GRPC_CONTROL_QUEUE_MAX);
    nghttp2_option_set_max_deflate_dynamic_table_size(opt, 0);
    nghttp2_mem mem = grpc_mem(&g->pages);
    if (nghttp2_session_server_new3(&g->session, cb, g, opt, &mem) != 0 ||
        nghttp2_submit_settings(g->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof settings[0]) != 0)
        abort();
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
}

static struct bucket bucket(int64_t burst, int64_t per_s, int64_t now_ms)
{
    return (struct bucket){burst * 1000, burst * 1000, per_s, now_ms};
}

struct grpc *grpc_new(const struct grpc_limits *limits, const struct grpc_ops *ops, void *owner,
                      int64_t now_ms)
{
    static const struct grpc_limits none;
    const struct grpc_limits *l = limits ? limits : &none;
    struct grpc *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    *g = (struct grpc){
        .ops = ops,
        .owner = owner,
        .now_ms = now_ms,
        .born_ms = now_ms,
        .meter.skip = PREFACE,
        .frames = bucket(GRPC_FRAMES_BURST, GRPC_FRAMES_PER_S, now_ms),
        .aborts = bucket(GRPC_ABORTS_BURST, GRPC_ABORTS_PER_S, now_ms),
        .limits = {
            .streams = l->streams ? l->streams : GRPC_STREAMS_MAX,
            .request_bytes = l->request_bytes ? l->request_bytes : GRPC_REQUEST_BYTES_MAX,
            .stream_out_bytes =
                l->stream_out_bytes ? l->stream_out_bytes : GRPC_STREAM_OUT_BYTES_MAX,
            .conn_out_bytes = l->conn_out_bytes ? l->conn_out_bytes : GRPC_CONN_OUT_BYTES_MAX,
            .request_ms = l->request_ms ? l->request_ms : GRPC_REQUEST_WAIT_MS_MAX,
            .stall_ms = l->stall_ms ? l->stall_ms : GRPC_STALL_WAIT_MS_MAX,
        }};
    list_init(&g->calls);
    open_session(g);
    return g;
}

void grpc_free(struct grpc *g)
{
    if (!g)
        return;
    assert(!g->busy);
    nghttp2_session_del(g->session);
    g->over = g->broken = true;
    LIST_EACH(&g->calls, it)
    LIST_ENTRY(it, struct grpc_call, node)->finished = true;
    LIST_EACH(&g->calls, it)
    call_free(LIST_ENTRY(it, struct grpc_call, node));
    head_fini(&g->head);
    free(g);
}

/* How many bytes of in may go to nghttp2; with *why, the connection is to be cut after them, so
 * that what came before is served however it was split. */
static size_t meter_read(struct grpc *g, str in, const char **why)
{
    struct meter *m = &g->meter;
    size_t at = 0;
    *why = NULL;
    while (at < in.n) {
        if (m->skip) {
            size_t step = in.n - at < m->skip ? in.n - at : m->skip;
            m->skip -= step;
            at += step;
            continue;
        }
        m->head[m->head_n++] = (unsigned char)in.p[at++];
        if (m->head_n < FRAME_HEAD)
            continue;
        m->head_n = 0;
        m->skip = (size_t)m->head[0] << 16 | (size_t)m->head[1] << 8 | m->head[2];
        if (m->head[3] == FRAME_HEADERS)
            m->block_bytes = m->skip;
        else if (m->head[3] == FRAME_CONTINUATION)
            m->block_bytes += m->skip;
        if (!bucket_take(&g->frames, g->now_ms))
            *why = "too many frames";
        else if (m->block_bytes > GRPC_BLOCK_BYTES_MAX)
            *why = "a header block is too large";
        if (*why)
            return at - 1;
    }
    return at;
}

static bool refuse(const struct grpc *g, struct err *err)
{
    *err = g->why;
    return false;
}

bool grpc_feed(struct grpc *g, str in, int64_t now_ms, struct err *err)
{
    assert(!g->busy);
    if (g->over)
        return refuse(g, err);
    g->now_ms = now_ms;
    g->busy = true;
    const char *why;
    size_t n = meter_read(g, in, &why);
    ssize_t took = nghttp2_session_mem_recv(g->session, (const uint8_t *)in.p, n);
    g->busy = false;
    if (took == NGHTTP2_ERR_NOMEM)
        abort();
    if (took < 0) {
        cut(g, NGHTTP2_PROTOCOL_ERROR, ERR_PEER, nghttp2_strerror((int)took));
        g->broken = true;
    } else if (why) {
        cut(g, NGHTTP2_ENHANCE_YOUR_CALM, ERR_LIMIT, why);
    } else if (nghttp2_session_get_outbound_queue_size(g->session) > GRPC_CONTROL_QUEUE_MAX) {
        cut(g, NGHTTP2_ENHANCE_YOUR_CALM, ERR_LIMIT, "the peer does not read");
    }
    return !g->over || refuse(g, err);
}

void grpc_pull(struct grpc *g, struct buf *out)
{
    const uint8_t *p;
    ssize_t n = 1;
    assert(!g->busy);
    g->busy = true;
    g->pulling = out;
    while (!g->broken && buf_len(out) < GRPC_PULL_BYTES_HIGH) {
        size_t before = buf_len(out);
        n = nghttp2_session_mem_send(g->session, &p);
        if (n == NGHTTP2_ERR_NOMEM)
            abort();
        if (n < 0)
            g->broken = true;
        else
            buf_put(out, str_of((const char *)p, (size_t)n));
        if (n <= 0 && buf_len(out) == before) {
            grpc_mem_idle(&g->pages); /* nothing is half sent */
            break;
        }
    }
    g->pulling = NULL;
    g->busy = false;
    if (g->broken || (!g->over && !nghttp2_session_want_read(g->session)))
        cut(g, NGHTTP2_NO_ERROR, ERR_PEER, "the HTTP/2 session is over");
}

bool grpc_is_done(const struct grpc *g)
{
    return g->broken || (g->over && !nghttp2_session_want_write(g->session));
}

/* ---- time ---- */

static int64_t call_deadline(const struct grpc_call *c)
{
    int64_t at = INT64_MAX;
    if (!c->finished) {
        at = c->request_until_ms;
        if (c->timeout_ms < at)
            at = c->timeout_ms;
    }
    if (buf_len(&c->out) && c->moved_ms + c->g->limits.stall_ms < at)
        at = c->moved_ms + c->g->limits.stall_ms;
    return at;
}

int64_t grpc_deadline(const struct grpc *g)
{
    int64_t at = g->greeted ? INT64_MAX : g->born_ms + g->limits.request_ms;
    if (g->over)
        return INT64_MAX;
    LIST_EACH(&g->calls, it)
    {
        int64_t mine = call_deadline(LIST_ENTRY(it, struct grpc_call, node));
        at = mine < at ? mine : at;
    }
    return at;
}

bool grpc_tick(struct grpc *g, int64_t now_ms, struct err *err)
{
    assert(!g->busy);
    g->now_ms = now_ms;
    if (!g->greeted && now_ms >= g->born_ms + g->limits.request_ms)
        cut(g, NGHTTP2_SETTINGS_TIMEOUT, ERR_PEER, "no HTTP/2 preface came");
    if (g->over)
        return refuse(g, err);
    LIST_EACH(&g->calls, it)
    {
        struct grpc_call *c = LIST_ENTRY(it, struct grpc_call, node);
        if (now_ms < call_deadline(c))
            continue;
        if (buf_len(&c->out) && now_ms >= c->moved_ms + g->limits.stall_ms)
            reset(c, NGHTTP2_ENHANCE_YOUR_CALM);
        else
            grpc_finish(c, GRPC_DEADLINE_EXCEEDED, S("the deadline has passed"));
    }
    return true;
}

void grpc_shutdown(struct grpc *g)
{
    if (!g->over && nghttp2_submit_goaway(g->session, NGHTTP2_FLAG_NONE,
                                          nghttp2_session_get_last_proc_stream_id(g->session),
                                          NGHTTP2_NO_ERROR, NULL, 0) != 0)
        abort();
}

size_t grpc_calls(const struct grpc *g)
{
    return g->call_count;
}

size_t grpc_out_bytes(const struct grpc *g)
{
    return g->out_bytes;
}

void *grpc_call_data(const struct grpc_call *c)
{
    return c->data;
}

void grpc_call_set_data(struct grpc_call *c, void *data)
{
    c->data = data;
}
