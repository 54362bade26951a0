/* For the tests of grpc: a server beside the client of grpc_test.h. */
#pragma once
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

static inline void on_head(void *owner, struct grpc_call *c, const struct grpc_head *head)
{
    struct app *app = owner;
    app->last = c;
    app->timeout_ms = head->timeout_ms;
    buf_printf(&app->log, "head %.*s %zu; ", STR(head->path), head->n);
    if (str_eq(head->path, S("/deny")))
        grpc_finish(c, GRPC_PERMISSION_DENIED, S("no: 100% \xc3\xa9\n"));
}

static inline void on_request(void *owner, struct grpc_call *c, str message)
{
    struct app *app = owner;
    struct err err;
    buf_printf(&app->log, "request %.*s; ", STR(message));
    assert_true(grpc_send(c, message, &err));
    if (app->last == c)
        grpc_call_set_data(c, app);
}

static inline void on_gone(void *owner, struct grpc_call *c)
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

static inline void on_request_once(void *owner, struct grpc_call *c, str message)
{
    on_request(owner, c, message);
    grpc_finish(c, GRPC_OK, (str){0});
}

__attribute__((unused)) static const struct grpc_ops unary = {on_head, on_request_once, on_gone};
__attribute__((unused)) static const struct grpc_ops stream = {on_head, on_request, on_gone};

static inline void app_open(struct app *app, const struct grpc_ops *ops,
                            const struct grpc_limits *limits)
{
    *app = (struct app){0};
    app->g = grpc_new(limits, ops, app, 0);
}

static inline void app_close(struct app *app)
{
    grpc_free(app->g);
    buf_fini(&app->log);
}

static inline bool feed(struct app *app, struct client *c, int64_t now)
{
    struct err err;
    bool ok = grpc_feed(app->g, buf_str(&c->in), now, &err);
    buf_clear(&c->in);
    return ok;
}

static inline void pull(struct app *app, struct client *c)
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
static inline str heard(struct app *app, struct client *c)
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

static inline void open_stream(struct app *app, struct client *c, const struct grpc_limits *limits)
{
    app_open(app, &stream, limits);
    put_preface(&c->in);
    put_call(&c->in, 1, S("/watch"), (str){0}, (str){0}, S("hi"));
    assert_true(feed(app, c, 1));
    assert_non_null(app->last);
}

/* A stream whose answer so far the client has taken and forgotten. */
static inline void read_stream(struct app *app, struct client *c, const struct grpc_limits *limits)
{
    open_stream(app, c, limits);
    pull(app, c);
}
