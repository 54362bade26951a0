#include "door/http_server.h"
#include "base/limits.h"

#include <stdlib.h>

enum { BODY_KEEP_BYTES = 16 << 10 };
enum client_state { CLIENT_IDLE = 0, CLIENT_READING, CLIENT_ANSWERING };

struct http_client {
    struct http_server_opts opts;
    struct conn *conn;
    uint64_t tag;
    struct http1 reader;
    struct buf body;
    struct http_request req;
    enum client_state state;
    bool streaming, finish, keep_alive;
    struct deferred next; /* looks for a further request once the callbacks are done */
};

static void read_on(struct http_client *c);

static void begin(struct http_client *c)
{
    arena_reset(&c->req.arena);
    c->req.owner = NULL;
    c->req.body = (str){0};
    if (c->body.cap > BODY_KEEP_BYTES)
        buf_fini(&c->body); /* one large request is no reason to hold its memory for good */
    buf_clear(&c->body);
    c->state = CLIENT_IDLE;
    c->streaming = false;
    http1_begin(&c->reader, &c->req.arena, false);
    conn_deadline(c->conn, IDLE_WAIT_MS_MAX, "request");
}

static void on_next(void *owner)
{
    struct http_client *c = owner;
    if (c->state == CLIENT_ANSWERING || conn_is_closing(c->conn))
        return;
    read_on(c);
}

/* The answer is out: either the connection goes on, or it ends. */
static void answered(struct http_client *c)
{
    if (!c->keep_alive || c->finish) {
        c->state = CLIENT_IDLE;
        conn_finish(c->conn);
        return;
    }
    begin(c);
    loop_defer(conn_loop(c->conn), &c->next, on_next, c);
}

static void write_head(struct http_client *c, const struct http_answer *a,
                       enum http_framing framing)
{
    struct buf out = {.max = HTTP_HEAD_BYTES_MAX};
    struct http_head head = {.status = a->status,
                             .framing = framing,
                             .length = a->body.n,
                             .keep_alive = c->keep_alive && !c->finish};
    struct err err;
    if (a->status == 204 || a->status == 304)
        head.framing = HTTP_BODY_NONE;
    if (a->content_type.n)
        fields_add(&c->req.arena, &head.fields, S("Content-Type"), a->content_type);
    for (size_t i = 0; i < a->fields_n; i++)
        fields_add(&c->req.arena, &head.fields, a->fields[i].name, a->fields[i].value);
    if (http1_write_response(&out, &head, &err))
        conn_write(c->conn, buf_str(&out));
    else
        conn_fail(c->conn, &err);
    buf_fini(&out);
}

void http_respond(struct http_request *r, const struct http_answer *a)
{
    struct http_client *c = r->client;
    write_head(c, a, HTTP_BODY_LENGTH);
    if (a->status != 204 && a->status != 304)
        conn_write(c->conn, a->body);
    answered(c);
}

void http_stream_begin(struct http_request *r, const struct http_answer *a)
{
    struct http_client *c = r->client;
    c->streaming = true;
    if (c->reader.head.minor == 0)
        c->keep_alive = false;
    write_head(c, a, HTTP_BODY_CHUNKED);
}

void http_stream_write(struct http_request *r, str bytes)
{
    struct http_client *c = r->client;
    struct buf out = {0};
    http1_write_chunk(&out, bytes);
    conn_write(c->conn, buf_str(&out));
    buf_fini(&out);
}

bool http_stream_full(const struct http_request *r)
{
    return conn_is_full(r->client->conn);
}

void http_stream_end(struct http_request *r)
{
    struct http_client *c = r->client;
    struct buf out = {0};
    http1_write_last_chunk(&out);
    conn_write(c->conn, buf_str(&out));
    buf_fini(&out);
    answered(c);
}

void http_cut(struct http_request *r)
{
    r->client->state = CLIENT_IDLE;
    conn_abort(r->client->conn);
}

/* ---- reading ---- */

static void refuse(struct http_client *c, int status, const struct err *err)
{
    struct buf body = {0};
    buf_put(&body, str_z(err->text));
    buf_putc(&body, '\n');
    c->keep_alive = false;
    struct http_answer a = {.status = status ? status : 400,
                            .content_type = S("text/plain; charset=utf-8"),
                            .body = buf_str(&body)};
    write_head(c, &a, HTTP_BODY_LENGTH);
    conn_write(c->conn, a.body);
    buf_fini(&body);
    c->state = CLIENT_IDLE;
    conn_finish(c->conn);
}

static void on_head(struct http_client *c)
{
    c->state = CLIENT_READING;
    c->keep_alive = c->reader.head.keep_alive;
    conn_deadline(c->conn, BODY_WAIT_MS_MAX, "request body");
    if (c->reader.head.expect_continue)
        conn_write(c->conn, S("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void on_whole(struct http_client *c)
{
    c->state = CLIENT_ANSWERING;
    c->req.head = c->reader.head;
    c->req.body = buf_str(&c->body);
    conn_deadline(c->conn, 0, "answer");
    c->opts.ops->on_request(&c->req);
}

static void read_on(struct http_client *c)
{
    struct err err;
    while (c->state != CLIENT_ANSWERING && !conn_is_closing(c->conn)) {
        str in = conn_in(c->conn), data;
        size_t used;
        if (in.n == 0 && c->state == CLIENT_IDLE)
            return; /* past its head a message may end without another byte */
        if (c->state == CLIENT_IDLE && http1_is_idle(&c->reader))
            conn_deadline(c->conn, HEAD_WAIT_MS_MAX, "request head");
        enum http1_step step = http1_read(&c->reader, in, &used, &data, &err);
        if (step == HTTP1_DATA)
            buf_put(&c->body, data);
        conn_consume(c->conn, used);
        if (step == HTTP1_HEAD)
            on_head(c);
        else if (step == HTTP1_END)
            on_whole(c);
        else if (step == HTTP1_BAD)
            refuse(c, c->reader.status, &err);
        if (step == HTTP1_MORE)
            return;
    }
}

static void on_data(struct conn *conn)
{
    struct http_client *c = conn_owner(conn);
    if (c->state != CLIENT_ANSWERING)
        read_on(c);
}

static void on_drain(struct conn *conn)
{
    struct http_client *c = conn_owner(conn);
    if (c->state == CLIENT_ANSWERING && c->streaming && c->opts.ops->on_drain)
        c->opts.ops->on_drain(&c->req);
}

/* A client that closes its sending side while it waits has gone: no HTTP client of ours
 * half-closes. */
static void on_eof(struct conn *conn)
{
    conn_abort(conn);
}

static void on_close(struct conn *conn, const struct err *err)
{
    struct http_client *c = conn_owner(conn);
    (void)err;
    deferred_cancel(&c->next);
    if (c->state == CLIENT_ANSWERING)
        c->opts.ops->on_gone(&c->req);
    if (c->opts.ops->on_client_closed)
        c->opts.ops->on_client_closed(c);
    buf_fini(&c->body);
    arena_fini(&c->req.arena);
    free(c);
}

static const struct conn_ops OPS = {
    .on_data = on_data, .on_drain = on_drain, .on_eof = on_eof, .on_close = on_close};

struct http_client *http_serve(const struct http_server_opts *opts, struct conn *conn, uint64_t tag)
{
    struct http_client *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    struct http1_limits limits = http1_limits_default(HTTP1_REQUESTS);
    limits.body_bytes = opts->body_bytes_max;
    c->opts = *opts;
    c->conn = conn;
    c->tag = tag;
    c->req.client = c;
    c->body.max = opts->body_bytes_max;
    http1_init(&c->reader, HTTP1_REQUESTS, &limits);
    conn_set_owner(conn, &OPS, c);
    begin(c);
    return c;
}

uint64_t http_client_tag(const struct http_client *c)
{
    return c->tag;
}

void *http_client_owner(const struct http_client *c)
{
    return c->opts.owner;
}

struct conn *http_client_conn(const struct http_client *c)
{
    return c->conn;
}

void http_client_finish(struct http_client *c)
{
    c->finish = true;
    if (c->state != CLIENT_ANSWERING)
        conn_finish(c->conn);
}
