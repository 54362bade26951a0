/* Connections of the runner: HTTP/1.1, one request at a time, kept alive. */
#include "role/runner.h"
#include "base/limits.h"
#include "http/sse.h"

#include <stdlib.h>
#include <sys/socket.h>

struct rconn {
    struct runner *runner;
    struct conn *conn;
    struct http1 http;
    struct arena arena;
    struct buf body;
    struct call call;
    bool waiting;   /* for the answer of a program */
    bool streaming; /* its events have begun */
    bool reading;   /* on_data is at work: no second one inside */
};

static void next_request(struct rconn *rc);
static void read_requests(struct rconn *rc);

static struct rconn *rconn_of(struct call *call)
{
    return (struct rconn *)(void *)((char *)call - offsetof(struct rconn, call));
}

/* ---- out ---- */

static void write_head(struct rconn *rc, int status, str type, enum http_framing framing,
                       uint64_t length)
{
    struct buf out = {0};
    struct err err;
    struct http_head head = {.status = status, .framing = framing, .length = length};
    bool keep = rc->http.head.keep_alive;
    head.keep_alive = keep;
    if (type.n)
        fields_add(&rc->arena, &head.fields, S("Content-Type"), type);
    if (rc->call.program)
        fields_add(&rc->arena, &head.fields, S("Ambit-Child"), id_str(&rc->call.program->id));
    if (http1_write_response(&out, &head, &err))
        conn_write(rc->conn, buf_str(&out));
    else
        conn_fail(rc->conn, &err);
    buf_fini(&out);
}

static void finish(struct rconn *rc)
{
    bool keep = rc->http.head.keep_alive;
    rc->waiting = rc->streaming = false;
    rc->call = (struct call){0};
    if (!keep) {
        conn_finish(rc->conn);
        return;
    }
    next_request(rc);
    if (!rc->reading)
        read_requests(rc);
}

static void answer(struct rconn *rc, int status, str message)
{
    write_head(rc, status, message.n ? S("application/json") : (str){0}, HTTP_BODY_LENGTH,
               message.n);
    conn_write(rc->conn, message);
    finish(rc);
}

static void write_event(struct rconn *rc, str message)
{
    struct buf event = {0}, chunk = {0};
    struct sse_event ev = {.data = message};
    struct err err;
    if (!rc->streaming)
        write_head(rc, 200, S("text/event-stream"), HTTP_BODY_CHUNKED, 0);
    rc->streaming = true;
    if (sse_write(&event, &ev, &err)) {
        http1_write_chunk(&chunk, buf_str(&event));
        conn_write(rc->conn, buf_str(&chunk));
    } else {
        conn_fail(rc->conn, &err);
    }
    buf_fini(&event);
    buf_fini(&chunk);
}

void call_event(struct call *call, str message)
{
    write_event(rconn_of(call), message);
}

static void end_events(struct rconn *rc, str message)
{
    struct buf last = {0};
    write_event(rc, message);
    http1_write_last_chunk(&last);
    conn_write(rc->conn, buf_str(&last));
    buf_fini(&last);
    finish(rc);
}

void call_answer(struct call *call, str message)
{
    struct rconn *rc = rconn_of(call);
    if (call->sse)
        end_events(rc, message);
    else
        answer(rc, 200, message);
}

void call_fail(struct call *call, int status, str text)
{
    struct rconn *rc = rconn_of(call);
    struct buf out = {0};
    rpc_put_error(&out, call->client_id, status >= 500 ? RPC_INTERNAL_ERROR : RPC_INVALID_REQUEST,
                  text);
    /* A status that is on its way cannot be taken back; the error stands in the stream. */
    if (rc->streaming)
        end_events(rc, buf_str(&out));
    else
        answer(rc, status, buf_str(&out));
    buf_fini(&out);
}

/* ---- in ---- */

static void next_request(struct rconn *rc)
{
    buf_clear(&rc->body);
    arena_reset(&rc->arena);
    http1_begin(&rc->http, &rc->arena, false);
    conn_deadline(rc->conn, IDLE_WAIT_MS_MAX, "request");
}

static void on_request(struct rconn *rc)
{
    struct request q = {.head = &rc->http.head, .body = buf_str(&rc->body)};
    struct err err = {0};
    int status = 400;
    (void)fields_first(&rc->http.head.fields, S("Accept"), &q.accept);
    conn_deadline(rc->conn, 0, NULL);
    /* Set before: the call may fail while it is passed on. */
    rc->waiting = true;
    switch (request_take(rc->runner, &rc->arena, &q, &rc->call, &status, &err)) {
    case VERDICT_WAIT:
        break;
    case VERDICT_ACCEPTED:
        answer(rc, 202, (str){0});
        break;
    case VERDICT_REFUSED:
        log_debug("request refused", LOG_NUM("status", status), LOG_ERR(&err));
        call_fail(&rc->call, status, str_z(err.text));
        break;
    }
}

static void refuse(struct rconn *rc, const struct err *err)
{
    struct http_head none = {0};
    rc->http.head = none; /* closes: what follows cannot be told apart */
    struct buf out = {0};
    rpc_put_error(&out, (str){0}, RPC_INVALID_REQUEST, str_z(err->text));
    answer(rc, rc->http.status, buf_str(&out));
    buf_fini(&out);
}

static void read_requests(struct rconn *rc)
{
    rc->reading = true;
    while (!rc->waiting && !conn_is_closing(rc->conn)) {
        size_t used;
        str data;
        struct err err;
        enum http1_step step = http1_read(&rc->http, conn_in(rc->conn), &used, &data, &err);
        if (step == HTTP1_DATA)
            buf_put(&rc->body, data);
        conn_consume(rc->conn, used);
        if (step == HTTP1_BAD)
            refuse(rc, &err);
        else if (step == HTTP1_END)
            on_request(rc);
        else if (step == HTTP1_MORE)
            break;
    }
    rc->reading = false;
}

static void on_data(struct conn *c)
{
    struct rconn *rc = conn_owner(c);
    if (!rc->reading)
        read_requests(rc);
}

static void on_close(struct conn *c, const struct err *err)
{
    struct rconn *rc = conn_owner(c);
    if (list_is_linked(&rc->call.node))
        program_cancel(&rc->call);
    buf_fini(&rc->body);
    arena_fini(&rc->arena);
    free(rc);
}

void runner_on_conn(void *owner, struct conn *c)
{
    static const struct conn_ops ops = {.on_data = on_data, .on_close = on_close};
    struct runner *r = owner;
    struct ucred who;
    socklen_t n = sizeof who;
    if (getsockopt(conn_fd(c), SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || who.uid != r->edge_uid) {
        log_warn("a stranger at the runner's socket", LOG_NUM("uid", n ? (int64_t)who.uid : -1));
        return; /* nobody owns it: it is dropped */
    }
    struct rconn *rc = calloc(1, sizeof *rc);
    if (!rc)
        abort();
    rc->runner = r;
    rc->conn = c;
    struct http1_limits limits = http1_limits_default(HTTP1_REQUESTS);
    limits.body_bytes = r->env->conf.request_bytes_max + (64 << 10);
    rc->body.max = limits.body_bytes;
    http1_init(&rc->http, HTTP1_REQUESTS, &limits);
    conn_set_owner(c, &ops, rc);
    next_request(rc);
}
