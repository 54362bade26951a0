#include "identity/workload_api.h"
#include "base/list.h"

#include <assert.h>
#include <stdlib.h>

struct workload_call {
    struct workload_conn *w;
    struct grpc_call *grpc;
    struct list node;
    void *data;
    enum workload_method method;
    int64_t answer_by_ms; /* INT64_MAX: nothing is asked */
    int64_t push_at_ms;   /* INT64_MAX: no push is due */
    bool asked;           /* on_ask was called at least once */
    bool over;
};

struct workload_conn {
    struct grpc *grpc;
    const struct workload_ops *ops;
    void *owner;
    struct list calls;
    size_t count;
    int64_t now_ms, answer_ms;
    bool wit, ended;
};

static void finish(struct workload_call *c, enum grpc_status status, str text)
{
    c->over = true;
    c->answer_by_ms = c->push_at_ms = INT64_MAX;
    grpc_revoke(c->grpc, status, text);
}

/* Refuses unless somebody is known at the other end now. */
static bool is_known(const struct workload_conn *w, enum grpc_status *status, str *text)
{
    enum workload_peer who = w->ended ? WORKLOAD_NOBODY : w->ops->who(w->owner);
    if (who == WORKLOAD_KNOWN)
        return true;
    bool wait = who == WORKLOAD_NOT_READY;
    *status = wait ? GRPC_UNAVAILABLE : GRPC_PERMISSION_DENIED;
    *text = wait ? S("not ready yet, try again") : S("no identity issued");
    return false;
}

static void ask(struct workload_call *c, const union workload_ask *what)
{
    struct workload_conn *w = c->w;
    enum grpc_status status;
    str text;
    c->push_at_ms = INT64_MAX;
    if (!is_known(w, &status, &text)) {
        finish(c, status, text);
        return;
    }
    c->asked = true;
    c->answer_by_ms = w->now_ms + w->answer_ms;
    w->ops->on_ask(w->owner, c, c->method, what);
}

/* ---- requests ---- */

/* SPIFFE Workload Endpoint, section 3: against requests that somebody else was made to send. */
static bool has_security_header(const struct grpc_head *head)
{
    size_t seen = 0, good = 0;
    for (size_t i = 0; i < head->n; i++)
        if (str_eq(head->fields[i].name, S("workload.spiffe.io"))) {
            seen++;
            good += str_eq(head->fields[i].value, S("true"));
        }
    return seen == 1 && good == 1;
}

static void on_head(void *owner, struct grpc_call *grpc, const struct grpc_head *head)
{
    struct workload_conn *w = owner;
    enum workload_method m;
    enum grpc_status status;
    str text;
    if (!has_security_header(head)) {
        grpc_finish(grpc, GRPC_INVALID_ARGUMENT,
                    S("metadata workload.spiffe.io must be given once, as true"));
        return;
    }
    if (!workload_method_find(head->path, &m) || (workload_methods[m].is_wit && !w->wit)) {
        grpc_finish(grpc, GRPC_UNIMPLEMENTED, S("no such method here"));
        return;
    }
    if (!is_known(w, &status, &text)) {
        grpc_finish(grpc, status, text);
        return;
    }
    struct workload_call *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct workload_call){
        .w = w, .grpc = grpc, .method = m, .answer_by_ms = INT64_MAX, .push_at_ms = INT64_MAX};
    list_append(&w->calls, &c->node);
    w->count++;
    grpc_call_set_data(grpc, c);
}

static void on_request(void *owner, struct grpc_call *grpc, str message)
{
    struct workload_call *c = grpc_call_data(grpc);
    union workload_ask what = {0};
    struct err err;
    ARENA_SCOPE struct arena a = {0};
    if (!proto_decode(&a, workload_methods[c->method].ask, message, &what, &err) ||
        !workload_check_ask(c->method, &what, &err)) {
        finish(c, GRPC_INVALID_ARGUMENT, str_z(err.text));
        return;
    }
    ask(c, &what);
}

static void on_gone(void *owner, struct grpc_call *grpc)
{
    struct workload_call *c = grpc_call_data(grpc);
    if (!c)
        return;
    c->over = true;
    if (c->asked && c->w->ops->on_gone)
        c->w->ops->on_gone(c->w->owner, c);
    list_remove(&c->node);
    c->w->count--;
    free(c);
}

/* ---- answers ---- */

static bool send(struct workload_call *c, const union workload_answer *answer, struct err *err)
{
    struct buf b = {.max = GRPC_STREAM_OUT_BYTES_MAX, .wipe = true};
    bool ok = proto_encode(workload_methods[c->method].answer, answer, &b, err);
    if (!ok)
        finish(c, GRPC_INTERNAL, S("the answer is too large"));
    else if (!(ok = grpc_send(c->grpc, buf_str(&b), err)))
        c->over = true;
    buf_wipe(&b);
    return ok;
}

bool workload_answer(struct workload_call *c, const union workload_answer *answer, struct err *err)
{
    if (c->over)
        return true;
    c->answer_by_ms = INT64_MAX;
    if (!workload_check_answer(c->method, answer, err)) {
        if (err->kind == ERR_NOTFOUND)
            finish(c, GRPC_PERMISSION_DENIED, S("no identity issued"));
        else
            finish(c, GRPC_INTERNAL, S("no usable answer"));
        return false;
    }
    if (!send(c, answer, err))
        return false;
    if (!workload_methods[c->method].is_stream) {
        c->over = true;
        grpc_finish(c->grpc, GRPC_OK, (str){0});
    }
    return true;
}

void workload_refuse(struct workload_call *c, enum grpc_status status, str text)
{
    if (!c->over)
        finish(c, status, text);
}

void workload_rotate(struct workload_conn *w, unsigned methods, int64_t now_ms, int64_t jitter_ms)
{
    LIST_EACH(&w->calls, it)
    {
        struct workload_call *c = LIST_ENTRY(it, struct workload_call, node);
        int64_t at = now_ms + jitter_ms;
        if (c->asked && !c->over && workload_methods[c->method].is_stream &&
            methods & 1u << c->method && at < c->push_at_ms)
            c->push_at_ms = at;
    }
}

void workload_end(struct workload_conn *w)
{
    w->ended = true;
    LIST_EACH(&w->calls, it)
    {
        struct workload_call *c = LIST_ENTRY(it, struct workload_call, node);
        finish(c, GRPC_PERMISSION_DENIED, S("the identity has ended"));
    }
    grpc_shutdown(w->grpc);
}

/* ---- the connection ---- */

struct workload_conn *workload_new(const struct workload_opts *opts, const struct workload_ops *ops,
                                   void *owner, int64_t now_ms)
{
    static const struct grpc_ops grpc_ops = {on_head, on_request, on_gone};
    static const struct workload_opts none;
    const struct workload_opts *o = opts ? opts : &none;
    struct workload_conn *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    *w = (struct workload_conn){.ops = ops,
                                .owner = owner,
                                .now_ms = now_ms,
                                .wit = o->wit,
                                .answer_ms = o->answer_ms ? o->answer_ms : WORKLOAD_ANSWER_WAIT_MS};
    list_init(&w->calls);
    w->grpc = grpc_new(&o->grpc, &grpc_ops, w, now_ms);
    return w;
}

void workload_free(struct workload_conn *w)
{
    if (!w)
        return;
    grpc_free(w->grpc);
    assert(list_is_empty(&w->calls));
    free(w);
}

bool workload_feed(struct workload_conn *w, str in, int64_t now_ms, struct err *err)
{
    w->now_ms = now_ms;
    return grpc_feed(w->grpc, in, now_ms, err);
}

void workload_pull(struct workload_conn *w, struct buf *out)
{
    grpc_pull(w->grpc, out);
}

bool workload_is_done(const struct workload_conn *w)
{
    return grpc_is_done(w->grpc);
}

/* A push waits while the last ask is unanswered: the answer to come may be older than what changed.
 */
static int64_t call_deadline(const struct workload_call *c)
{
    return c->answer_by_ms != INT64_MAX ? c->answer_by_ms : c->push_at_ms;
}

bool workload_tick(struct workload_conn *w, int64_t now_ms, struct err *err)
{
    w->now_ms = now_ms;
    LIST_EACH(&w->calls, it)
    {
        struct workload_call *c = LIST_ENTRY(it, struct workload_call, node);
        if (c->over || now_ms < call_deadline(c))
            continue;
        if (c->answer_by_ms != INT64_MAX)
            finish(c, GRPC_UNAVAILABLE, S("the issuer does not answer"));
        else
            ask(c, NULL);
    }
    return grpc_tick(w->grpc, now_ms, err);
}

int64_t workload_deadline(const struct workload_conn *w)
{
    int64_t at = grpc_deadline(w->grpc);
    LIST_EACH(&w->calls, it)
    {
        int64_t mine = call_deadline(LIST_ENTRY(it, struct workload_call, node));
        at = mine < at ? mine : at;
    }
    return at;
}

size_t workload_streams(const struct workload_conn *w)
{
    return w->count;
}

void *workload_call_data(const struct workload_call *c)
{
    return c->data;
}

void workload_call_set_data(struct workload_call *c, void *data)
{
    c->data = data;
}
