#include "door/upstream.h"
#include "base/limits.h"

#include <stdlib.h>

struct post {
    struct upstream *u;
    struct conn *conn;
    struct list node; /* in u->idle while it waits */
    struct timer idle_timer;
    /* the request under way */
    bool busy, open, sent, done, is_sse, cancelled, complete;
    struct buf request; /* wiped once written */
    bool has_secret;
    struct post_ops ops;
    void *owner;
    int64_t wait_ms;
    struct http1 reader;
    struct arena arena;
    struct buf body;
    struct sse sse;
    bool sse_live;
    uint64_t bytes;
};

/* One child of the runner is to its client what a session is: its number travels in a field of its
 * own. */
#define SESSION_FIELD S("Mcp-Session-Id")
#define CHILD_FIELD   S("Ambit-Child")

static void end(struct post *p, const struct err *err);

/* ---- answers ---- */

static void give(struct post *p, str body)
{
    struct mcp_answer a = {.status = p->reader.head.status, .body = body};
    bool stdio = p->u->conf->kind == BINDING_STDIO;
    (void)fields_first(&p->reader.head.fields, S("Content-Type"), &a.content_type);
    (void)fields_first(&p->reader.head.fields, stdio ? CHILD_FIELD : SESSION_FIELD, &a.session);
    if (stdio && a.status == 409)
        a.status = 404; /* another child than the one that was initialised: the session is lost */
    if (p->done || p->ops.on_message(p->owner, &a))
        return;
    /* The owner has what it wanted. Reading to the end keeps the connection for the next request.
     */
    p->done = true;
    p->ops = (struct post_ops){0};
    p->owner = NULL;
    conn_resume(p->conn); /* nobody is left to resume it later */
    if (!p->complete)
        conn_deadline(p->conn, UPSTREAM_IDLE_MS, "end of the upstream's answer");
}

static bool on_head(struct post *p, struct err *err)
{
    const struct http_head *h = &p->reader.head;
    str type = {0};
    bool has_body = h->framing != HTTP_BODY_NONE && (h->framing != HTTP_BODY_LENGTH || h->length);
    (void)fields_first(&h->fields, S("Content-Type"), &type);
    p->is_sse = h->status == 200 && mcp_is_media_type(type, S("text/event-stream"));
    if (h->status == 200 && has_body && !p->is_sse &&
        !mcp_is_media_type(type, S("application/json")))
        return err_peer(err, "the upstream's answer is neither JSON nor an event stream by its "
                             "Content-Type");
    if (!p->is_sse)
        return true;
    sse_init(&p->sse, p->u->answer_bytes_max);
    p->sse_live = true;
    return http1_limit_body(&p->reader, UINT64_MAX, err);
}

static bool on_body(struct post *p, str data, struct err *err)
{
    p->bytes += data.n;
    if (!p->is_sse) {
        buf_put(&p->body, data);
        return !p->body.over ||
               err_limit(err, "the upstream's answer is over %zu bytes", p->u->answer_bytes_max);
    }
    while (data.n) {
        struct sse_event ev;
        size_t used;
        enum sse_step step = sse_read(&p->sse, data, &used, &ev, err);
        if (step == SSE_BAD)
            return false;
        if (step == SSE_EVENT && ev.data.n)
            give(p, ev.data);
        data = str_skip(data, used);
        if (step == SSE_MORE)
            break;
    }
    return true;
}

static void on_whole(struct post *p)
{
    p->complete = true;
    if (!p->is_sse)
        give(p, buf_str(&p->body));
    end(p, NULL);
}

static void read_on(struct post *p)
{
    struct err err;
    while (p->busy && !conn_is_closing(p->conn)) {
        str in = conn_in(p->conn), data;
        size_t used;
        enum http1_step step = http1_read(&p->reader, in, &used, &data, &err);
        bool ok = step != HTTP1_BAD;
        if (step == HTTP1_HEAD)
            ok = on_head(p, &err);
        else if (step == HTTP1_DATA)
            ok = on_body(p, data, &err);
        conn_consume(p->conn, used);
        if (step == HTTP1_BAD)
            (void)err_in(&err, "the upstream's answer");
        if (!ok) {
            end(p, &err);
            return;
        }
        if (step == HTTP1_END) {
            on_whole(p);
            return;
        }
        if (step == HTTP1_MORE)
            break;
    }
}

/* ---- the connection ---- */

static void forget_request(struct post *p)
{
    buf_fini(&p->request);
    buf_fini(&p->body);
    if (p->sse_live)
        sse_fini(&p->sse);
    p->sse_live = false;
    arena_reset(&p->arena);
}

static void on_idle_end(void *owner)
{
    struct post *p = owner;
    conn_abort(p->conn);
}

static bool is_reusable(const struct post *p)
{
    return p->complete && p->reader.head.keep_alive && conn_in(p->conn).n == 0 &&
           !conn_is_closing(p->conn) && !conn_is_eof(p->conn) && p->u->idle_n < UPSTREAM_IDLE_MAX;
}

static void end(struct post *p, const struct err *err)
{
    struct post_ops ops = p->ops;
    void *owner = p->owner;
    bool sent = p->sent;
    p->busy = false;
    conn_deadline(p->conn, 0, "answer");
    bool keep = !err && is_reusable(p);
    forget_request(p);
    if (keep) {
        list_prepend(&p->u->idle, &p->node);
        p->u->idle_n++;
        timer_start(&p->idle_timer, p->u->loop, UPSTREAM_IDLE_MS, on_idle_end, p);
    } else if (!conn_is_closing(p->conn)) {
        conn_abort(p->conn);
    }
    if (ops.on_end)
        ops.on_end(owner, err, sent);
}

static void leave_idle(struct post *p)
{
    if (!list_is_linked(&p->node))
        return;
    list_remove(&p->node);
    p->u->idle_n--;
    timer_stop(&p->idle_timer);
}

static void send_request(struct post *p)
{
    p->sent = true;
    if (p->has_secret)
        conn_write_secret(p->conn, buf_str(&p->request));
    else
        conn_write(p->conn, buf_str(&p->request));
    buf_fini(&p->request);
    conn_deadline(p->conn, p->wait_ms, "upstream answer");
}

static void on_open(struct conn *conn)
{
    struct post *p = conn_owner(conn);
    p->open = true;
    if (p->busy)
        send_request(p);
}

static void on_data(struct conn *conn)
{
    struct post *p = conn_owner(conn);
    if (p->busy)
        read_on(p);
    else
        conn_abort(conn); /* nobody asked: whatever it says, it is not an answer */
}

static void on_eof(struct conn *conn)
{
    struct post *p = conn_owner(conn);
    struct err err;
    if (!p->busy) {
        conn_abort(conn);
        return;
    }
    read_on(p);
    if (!p->busy)
        return;
    if (http1_eof(&p->reader, &err) == HTTP1_END) {
        on_whole(p);
        return;
    }
    struct err cut = {0};
    err_peer(&cut, "the upstream closed the connection before its answer was complete");
    end(p, &cut);
}

static void on_close(struct conn *conn, const struct err *err)
{
    struct post *p = conn_owner(conn);
    struct err gone = {0};
    leave_idle(p);
    if (p->busy && !p->cancelled) {
        err_peer(&gone, "%s", err ? err->text : "the upstream closed the connection");
        struct post_ops ops = p->ops;
        void *owner = p->owner;
        p->busy = false;
        forget_request(p);
        if (ops.on_end)
            ops.on_end(owner, &gone, p->sent);
    }
    forget_request(p);
    arena_fini(&p->arena);
    free(p);
}

static const struct conn_ops OPS = {
    .on_open = on_open, .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

/* ---- writing a request ---- */

/* At least what http1_write_request writes of it. */
static size_t head_bytes(const struct http_head *head)
{
    size_t n = 512 + head->target.n + head->host.n;
    for (size_t i = 0; i < head->fields.n; i++)
        n += head->fields.v[i].name.n + head->fields.v[i].value.n + 4;
    return n;
}

static bool write_request(struct post *p, const struct post_request *req, struct err *err)
{
    struct upstream *u = p->u;
    struct http_head head = {.method = req->method,
                             .target = u->target,
                             .host = u->host,
                             .framing = HTTP_BODY_LENGTH,
                             .length = req->out->body.n,
                             .keep_alive = true};
    struct fields *f = &head.fields;
    if (req->principal.n)
        head.target = str_fmt(&p->arena, "/%.*s/%.*s", STR(u->conf->name), STR(req->principal));
    fields_add(&p->arena, f, S("Content-Type"), S("application/json"));
    fields_add(&p->arena, f, S("Accept"), S("application/json, text/event-stream"));
    fields_add(&p->arena, f, S("Accept-Encoding"), S("identity"));
    for (size_t i = 0; i < u->conf->headers_n; i++)
        if (!u->conf->headers[i].secret.n)
            fields_add(&p->arena, f, u->conf->headers[i].name, u->conf->headers[i].literal);
    for (size_t i = 0; i < req->out->field_count; i++) {
        str name = req->out->fields[i].name;
        if (u->conf->kind == BINDING_STDIO && str_eq_nocase(name, SESSION_FIELD))
            name = CHILD_FIELD;
        if (!str_eq_nocase(name, S("Content-Type")) && !str_eq_nocase(name, S("Accept")))
            fields_add(&p->arena, f, name, req->out->fields[i].value);
    }
    /* Secrets get memory of their own, so that all of it can be wiped. */
    struct buf values[8] = {0};
    size_t n = req->secrets_n < 8 ? req->secrets_n : 8;
    for (size_t i = 0; i < n; i++) {
        values[i].wipe = true;
        (void)buf_reserve(&values[i], req->secrets[i].prefix.n + req->secrets[i].value.n + 1);
        buf_put(&values[i], req->secrets[i].prefix);
        buf_put(&values[i], req->secrets[i].value);
        fields_add(&p->arena, f, req->secrets[i].name, buf_str(&values[i]));
    }
    p->has_secret = n > 0;
    (void)buf_reserve(&p->request, head_bytes(&head) + req->out->body.n);
    bool ok = http1_write_request(&p->request, &head, err);
    for (size_t i = 0; i < n; i++)
        buf_fini(&values[i]);
    buf_put(&p->request, req->out->body);
    return ok;
}

static struct post *take_idle(struct upstream *u)
{
    while (!list_is_empty(&u->idle)) {
        struct post *p = LIST_ENTRY(list_first(&u->idle), struct post, node);
        leave_idle(p);
        if (!conn_is_closing(p->conn) && !conn_is_eof(p->conn))
            return p;
    }
    return NULL;
}

static struct post *connect_new(struct upstream *u, struct err *err)
{
    struct post *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    struct conn_opts opts = {.tls = u->tls, .tls_name = u->tls_name};
    p->u = u;
    if (!conn_connect(u->loop, &u->addr, &opts, &OPS, p, &p->conn, err)) {
        free(p);
        return NULL;
    }
    return p;
}

struct post *upstream_post(struct upstream *u, const struct post_request *req, struct err *err)
{
    struct http1_limits limits = http1_limits_default(HTTP1_RESPONSES);
    struct post *p = take_idle(u);
    if (!p && !(p = connect_new(u, err)))
        return NULL;
    p->ops = *req->ops;
    p->owner = req->owner;
    p->wait_ms = req->wait_ms;
    p->busy = true;
    p->sent = p->done = p->is_sse = p->complete = false;
    p->request.wipe = true;
    p->bytes = 0;
    p->body.max = u->answer_bytes_max;
    limits.body_bytes = u->answer_bytes_max;
    http1_init(&p->reader, HTTP1_RESPONSES, &limits);
    http1_begin(&p->reader, &p->arena, false);
    if (!write_request(p, req, err)) {
        p->busy = false;
        conn_abort(p->conn);
        return NULL;
    }
    if (p->open)
        send_request(p);
    return p;
}

void post_cancel(struct post *p)
{
    p->cancelled = true;
    p->busy = false;
    conn_abort(p->conn);
}

void post_pause(struct post *p)
{
    conn_pause(p->conn);
}

void post_resume(struct post *p)
{
    conn_resume(p->conn);
}

uint64_t post_bytes(const struct post *p)
{
    return p->bytes;
}

void upstream_init(struct upstream *u, struct loop *loop, const struct conf_binding *conf)
{
    *u = (struct upstream){.conf = conf, .loop = loop};
    list_init(&u->idle);
}

void upstream_fini(struct upstream *u)
{
    LIST_EACH(&u->idle, it)
    conn_abort(LIST_ENTRY(it, struct post, node)->conn);
    tls_unref(u->tls);
}
