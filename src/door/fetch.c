#include "door/fetch.h"
#include "http/http1.h"

#include <stdlib.h>

struct fetch {
    struct conn *conn;
    struct fetch_ops ops;
    void *owner;
    struct buf request, body;
    struct http1 reader;
    struct arena arena;
    bool done, any_status;
    int64_t give_up_ms;
};

/* ---- the end ---- */

static void finish(struct fetch *f, const struct err *err)
{
    struct fetch_ops ops = f->ops;
    if (f->done)
        return;
    f->done = true;
    ops.on_end(f->owner, f->reader.head.status, err ? (str){0} : buf_str(&f->body), err);
    if (!conn_is_closing(f->conn))
        conn_abort(f->conn);
}

static void on_close(struct conn *conn, const struct err *err)
{
    struct fetch *f = conn_owner(conn);
    struct err gone = {0};
    if (!f->done) {
        f->done = true;
        err_peer(&gone, "%s", err ? err->text : "the server closed the connection");
        f->ops.on_end(f->owner, 0, (str){0}, &gone);
    }
    buf_wipe(&f->request);
    buf_fini(&f->body);
    arena_fini(&f->arena);
    free(f);
}

void fetch_cancel(struct fetch *f)
{
    f->done = true;
    conn_abort(f->conn);
}

/* ---- the answer ---- */

static bool on_head(const struct fetch *f, struct err *err)
{
    int status = f->reader.head.status;
    if (status == 200 || f->any_status)
        return true;
    if (status >= 300 && status < 400)
        return err_peer(err,
                        "the server redirects (%d), which is not followed: configure the URL "
                        "where the document is",
                        status);
    return err_peer(err, "the server answered %d", status);
}

static void on_whole(struct fetch *f)
{
    struct err err = {0};
    if (f->reader.head.framing == HTTP_BODY_UNTIL_CLOSE) {
        err_peer(&err, "the server did not say how long its answer is");
        finish(f, &err);
        return;
    }
    finish(f, NULL);
}

static void on_data(struct conn *conn)
{
    struct fetch *f = conn_owner(conn);
    struct err err;
    while (!f->done && !conn_is_closing(conn)) {
        str data;
        size_t used;
        enum http1_step step = http1_read(&f->reader, conn_in(conn), &used, &data, &err);
        bool ok = step != HTTP1_BAD && (step != HTTP1_HEAD || on_head(f, &err));
        if (step == HTTP1_DATA)
            buf_put(&f->body, data);
        conn_consume(conn, used);
        if (!ok)
            finish(f, &err);
        else if (step == HTTP1_END)
            on_whole(f);
        else if (step == HTTP1_MORE)
            return;
    }
}

static void on_eof(struct conn *conn)
{
    struct fetch *f = conn_owner(conn);
    struct err err = {0};
    on_data(conn);
    if (f->done)
        return;
    if (http1_eof(&f->reader, &err) == HTTP1_END) {
        on_whole(f);
        return;
    }
    err_peer(&err, "the server closed the connection before its answer was complete");
    finish(f, &err);
}

/* ---- the request ---- */

static void on_open(struct conn *conn)
{
    struct fetch *f = conn_owner(conn);
    int64_t left_ms = f->give_up_ms - loop_now_ms(conn_loop(conn));
    conn_deadline(conn, left_ms > 1 ? left_ms : 1, "answer of the server");
    conn_write_secret(conn, buf_str(&f->request));
    buf_wipe(&f->request);
}

static const struct conn_ops OPS = {
    .on_open = on_open, .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

static bool write_request(struct fetch *f, const struct fetch_request *req, struct err *err)
{
    bool post = req->form.n > 0;
    struct http_head head = {.method = post ? S("POST") : S("GET"),
                             .target = req->target,
                             .host = req->host,
                             .framing = post ? HTTP_BODY_LENGTH : HTTP_BODY_NONE,
                             .length = req->form.n};
    fields_add(&f->arena, &head.fields, S("Accept"), S("application/json"));
    fields_add(&f->arena, &head.fields, S("Accept-Encoding"), S("identity"));
    fields_add(&f->arena, &head.fields, S("User-Agent"), S("ambit"));
    if (post)
        fields_add(&f->arena, &head.fields, S("Content-Type"),
                   S("application/x-www-form-urlencoded"));
    if (!http1_write_request(&f->request, &head, err))
        return false;
    buf_put(&f->request, req->form);
    return true;
}

bool fetch_start(struct loop *l, const struct fetch_request *req, const struct fetch_ops *ops,
                 void *owner, struct fetch **out, struct err *err)
{
    struct http1_limits limits = http1_limits_default(HTTP1_RESPONSES);
    struct fetch *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    *f = (struct fetch){.ops = *ops,
                        .owner = owner,
                        .any_status = req->any_status,
                        .request.wipe = true,
                        .body.max = FETCH_BYTES_MAX};
    limits.body_bytes = FETCH_BYTES_MAX;
    http1_init(&f->reader, HTTP1_RESPONSES, &limits);
    http1_begin(&f->reader, &f->arena, false);
    int64_t wait_ms = req->wait_ms ? req->wait_ms : FETCH_WAIT_MS_MAX;
    struct conn_opts opts = {.tls = req->tls,
                             .tls_name = req->tls_uri.n ? (str){0} : req->tls_name,
                             .tls_uri = req->tls_uri,
                             .connect_ms = wait_ms};
    if (!write_request(f, req, err) || !conn_connect(l, req->to, &opts, &OPS, f, &f->conn, err)) {
        buf_wipe(&f->request);
        arena_fini(&f->arena);
        free(f);
        return false;
    }
    f->give_up_ms = loop_now_ms(l) + wait_ms;
    *out = f;
    return true;
}
