/* A call that core has let go: credential, session, one POST, the answer relayed, the outcome told.
 * Exactly one outcome leaves for each GO, on every path. */
#include "door/mcp_int.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "crypto/hash.h"

#include <stdio.h>

enum {
    KEEP_ALIVE_MS = 15 * 1000,
    READY_FREE_MS = 100, /* so much of getting ready is not taken off the wait for the answer */
};

static void send_call(struct exchange *x);

/* ---- outcomes ---- */

/* Rows of a result: the elements of its longest array in structuredContent, else one. */
static int64_t rows_of(const json *result)
{
    const json *content = json_get(result, S("structuredContent")), *v;
    size_t rows = json_type(content) == JSON_ARRAY ? json_count(content) : 0;
    for (struct json_iter it = json_iter(content); json_next(&it, NULL, &v);)
        if (json_type(content) == JSON_OBJECT && json_type(v) == JSON_ARRAY && json_count(v) > rows)
            rows = json_count(v);
    return rows ? (int64_t)rows : 1;
}

static int64_t count_of(const json *usage, str name)
{
    int64_t n;
    return json_i64(json_get(usage, name), &n) && n > 0 && n < INT32_MAX ? n : 0;
}

/* Model tokens that a result reports: the total, or what went in and came out, in either naming. */
static int64_t tokens_of(const json *result)
{
    const json *usage = json_get(json_get(result, S("structuredContent")), S("usage"));
    if (!usage)
        usage = json_get(json_get(result, S("_meta")), S("usage"));
    int64_t total = count_of(usage, S("total_tokens"));
    return total
               ? total
               : count_of(usage, S("input_tokens")) + count_of(usage, S("output_tokens")) +
                     count_of(usage, S("prompt_tokens")) + count_of(usage, S("completion_tokens"));
}

/* result: NULL where there is none. */
static void tell(struct exchange *x, enum outcome status, str error, const struct hash *digest,
                 const json *result)
{
    struct msg_outcome m = {.call = x->call,
                            .status = (uint8_t)status,
                            .error = str_take(error, 200),
                            .upstream_us = x->sent_us ? clock_mono_us() - x->sent_us : 0,
                            .first_us = x->first_us ? x->first_us - x->sent_us : 0};
    if (digest)
        m.result_digest = hash_str(digest);
    if (result) {
        m.rows = rows_of(result);
        m.tokens = tokens_of(result);
    }
    m.bytes = x->post ? (int64_t)post_bytes(x->post) : 0;
    (void)x->door->o.send(x->door->o.ctx, ROLE_CORE, MSG_OUTCOME, 0, &m);
}

static void over(struct exchange *x)
{
    x->stage = STAGE_OVER;
    exchange_free(x);
}

static void end_as(struct exchange *x, enum outcome o, str advice, const struct err *err)
{
    struct buf text = {0};
    buf_put(&text, S("The call did not succeed: "));
    buf_put(&text, str_z(err->text));
    buf_put(&text, advice);
    x->door->counts.upstream_errors++;
    tell(x, o, str_z(err->text), NULL, NULL);
    exchange_answer_refused(x, buf_str(&text), S("error"), S("upstream"), (str){0});
    buf_fini(&text);
    over(x);
}

/* It failed on our side of the upstream. */
static void fail(struct exchange *x, const struct err *err)
{
    if (x->sent)
        end_as(x, OUTCOME_UNKNOWN,
               S(". It may have taken effect; check before you repeat it. The record says "
                 "unknown."),
               err);
    else
        end_as(x, OUTCOME_NOT_SENT, S(". Nothing was sent."), err);
}

/* The keeper or the opening of the session took all the time there was. */
static void on_not_ready(void *owner)
{
    struct err err = {0};
    err_peer(&err, "the way to the upstream was not ready in time");
    fail(owner, &err);
}

/* Its own clear word that it did not do it. */
static void turned_away(struct exchange *x)
{
    struct err err = {0};
    err_peer(&err, "the upstream does not accept the gateway's credential");
    end_as(x, OUTCOME_UPSTREAM_ERROR,
           S(". It was not carried out. Whoever runs the gateway has to renew that credential "
             "(ambit secret set)."),
           &err);
}

/* ---- towards the agent ---- */

static void on_keep_alive(void *owner);

static bool may_stream(const struct exchange *x)
{
    return x->http && x->req.accepts_sse && x->http->head.minor > 0; /* 1.0 knows no chunks */
}

static void begin_stream(struct exchange *x)
{
    static const struct field fields[] = {{S("Cache-Control"), S("no-store")},
                                          {S("X-Accel-Buffering"), S("no")}};
    if (x->streaming)
        return;
    struct http_answer a = {
        .status = 200, .content_type = S("text/event-stream"), .fields = fields, .fields_n = 2};
    http_stream_begin(x->http, &a);
    x->streaming = true;
    x->door->counts.streams++;
}

static void on_keep_alive(void *owner)
{
    struct exchange *x = owner;
    struct buf out = {0};
    if (!may_stream(x))
        return;
    begin_stream(x);
    sse_write_keep_alive(&out);
    http_stream_write(x->http, buf_str(&out));
    buf_fini(&out);
    timer_start(&x->timer, x->door->o.loop, KEEP_ALIVE_MS, on_keep_alive, x);
}

static void relay_progress(struct exchange *x, const json *params)
{
    struct buf note = {0}, out = {0};
    struct err err;
    if (may_stream(x) && mcp_put_progress(&note, &x->progress, params)) {
        begin_stream(x);
        if (sse_write(&out, &(struct sse_event){.data = buf_str(&note)}, &err))
            http_stream_write(x->http, buf_str(&out));
        if (http_stream_full(x->http) && x->post)
            post_pause(x->post);
    }
    buf_fini(&note);
    buf_fini(&out);
}

void call_drain(struct exchange *x)
{
    if (x->post)
        post_resume(x->post);
}

static void relay_result(struct exchange *x, const json *result)
{
    struct buf out = {.max = HTTP_ANSWER_BYTES_MAX + (1 << 20)};
    struct buf canonical = {.max = HTTP_ANSWER_BYTES_MAX + (1 << 20)};
    bool failed = json_bool(json_get(result, S("isError")));
    json_write(&canonical, result);
    struct hash digest = sha256(buf_str(&canonical));
    buf_fini(&canonical);
    x->progress.ended = true;
    tell(x, failed ? OUTCOME_UPSTREAM_ERROR : OUTCOME_OK, failed ? S("tool_error") : (str){0},
         &digest, result);
    if (x->http) {
        mcp_put_call_result(&out, &x->req, result);
        exchange_answer_json(x, buf_str(&out));
    }
    buf_fini(&out);
}

static void relay_error(struct exchange *x, const struct mcp_event *ev)
{
    struct buf out = {0};
    char code[40];
    snprintf(code, sizeof code, "jsonrpc %lld", (long long)ev->code);
    tell(x, OUTCOME_UPSTREAM_ERROR, str_z(code), NULL, NULL);
    if (x->http) {
        rpc_put_error(&out, x->req.id, ev->code, ev->text);
        exchange_answer_json(x, buf_str(&out));
    }
    buf_fini(&out);
}

/* ---- the upstream's answer ---- */

static void on_reply_end(void *owner, const struct err *err, bool sent)
{
    (void)owner;
    (void)err;
    (void)sent;
}

static bool on_reply_message(void *owner, const struct mcp_answer *a)
{
    (void)owner;
    (void)a;
    return false;
}

/* What an upstream asks of us is refused by the message that mcp/client.h made. */
static void send_reply(struct exchange *x, const struct mcp_out *out)
{
    static const struct post_ops ops = {on_reply_message, on_reply_end};
    struct err err;
    (void)job_post(&x->job, out, &ops, NULL, &err);
}

static int64_t left_ms(const struct exchange *x)
{
    int64_t ms = x->deadline_ms - loop_now_ms(x->door->o.loop);
    return ms > 0 ? ms : 1;
}

static void try_again(struct exchange *x)
{
    struct err err = {0};
    x->post = NULL;
    if (x->is_retry || !x->http) {
        /* Without the agent its arguments are gone too. */
        err_peer(&err,
                 x->http ? "the upstream lost its session twice" : "the upstream lost its session");
        fail(x, &err);
        return;
    }
    x->is_retry = true;
    x->stage = STAGE_SESSION;
    timer_start(&x->timer, x->door->o.loop, left_ms(x), on_not_ready, x);
    x->sent = false; /* a lost session means that it was not carried out */
    session_lost(x->job.session);
    session_want(&x->job);
}

static bool on_message(void *owner, const struct mcp_answer *answer)
{
    struct exchange *x = owner;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_event ev = {0};
    struct err err = {0};
    if (!x->first_us)
        x->first_us = clock_mono_us();
    if (!mcp_client_answer(&x->job.session->client, &a, &x->ex, answer, &ev, &err)) {
        if (err.kind == ERR_DENIED)
            turned_away(x);
        else
            fail(x, &err);
        return false;
    }
    switch (ev.kind) {
    case MCP_EV_PROGRESS:
        relay_progress(x, ev.params);
        return true;
    case MCP_EV_NOTICE:
        return true;
    case MCP_EV_REPLY:
        send_reply(x, &ev.reply);
        return true;
    case MCP_EV_LOST:
        try_again(x);
        return false;
    case MCP_EV_RELIST:
        err_peer(&err,
                 "the upstream's tool has changed its mirrored fields; it is read again soon");
        fail(x, &err);
        return false;
    case MCP_EV_RESULT:
        relay_result(x, ev.result);
        break;
    case MCP_EV_ERROR:
        relay_error(x, &ev);
        break;
    }
    over(x);
    return false;
}

static void on_end(void *owner, const struct err *err, bool sent)
{
    struct exchange *x = owner;
    struct err why = {0};
    x->sent = sent;
    if (err)
        why = *err;
    else
        err_peer(&why, "the upstream ended its answer without a result");
    fail(x, &why);
    (void)sent;
}

static void send_call(struct exchange *x)
{
    static const struct post_ops ops = {on_message, on_end};
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct mcp_out out = {0};
    struct mcp_call call = {.tool = known_tool(x->door, &a, x->job.up->conf->name, x->tool),
                            .arguments = x->req.arguments,
                            .agent_meta = x->req.meta,
                            .wants_progress = x->progress.token.n > 0,
                            .is_retry = x->is_retry};
    if (!mcp_client_call(&x->job.session->client, &a, &call, &x->ex, &out, &err)) {
        fail(x, &err);
        return;
    }
    x->stage = STAGE_SENT;
    if (left_ms(x) + READY_FREE_MS < x->job.wait_ms)
        x->job.wait_ms = left_ms(x);
    x->sent_us = clock_mono_us();
    x->first_us = 0;
    x->post = job_post(&x->job, &out, &ops, x, &err);
    if (!x->post) {
        fail(x, &err);
        return;
    }
    x->sent = true;
    timer_start(&x->timer, x->door->o.loop, KEEP_ALIVE_MS, on_keep_alive, x);
}

/* ---- from GO to the POST ---- */

static void on_session(struct job *j, const struct err *err)
{
    struct exchange *x = (struct exchange *)(void *)((char *)j - offsetof(struct exchange, job));
    if (err)
        fail(x, err);
    else
        send_call(x);
}

static void on_secret(struct job *j, const struct err *err)
{
    struct exchange *x = (struct exchange *)(void *)((char *)j - offsetof(struct exchange, job));
    if (err) {
        fail(x, err);
        return;
    }
    x->stage = STAGE_SESSION;
    session_want(j);
}

void call_go(struct exchange *x, const struct msg_go *m)
{
    struct mcp_door *d = x->door;
    struct err err = {0};
    const struct conf_binding *b = conf_binding(d->o.conf, m->binding);
    x->call = str_dup(&x->arena, m->call);
    x->task = str_dup(&x->arena, m->task);
    x->tool = str_dup(&x->arena, m->tool);
    if (!b || b->kind == BINDING_INTERNAL) {
        err_peer(&err, "core named a binding that is not known here");
        fail(x, &err);
        return;
    }
    bool stdio = b->kind == BINDING_STDIO;
    x->job = (struct job){.door = d,
                          .up = &d->o.upstreams[b - d->o.conf->bindings],
                          .principal = x->task,
                          .wait_ms = m->answer_wait_ms,
                          .on_session = on_session,
                          .on_secret = on_secret,
                          .txn = str_dup(&x->arena, m->txn),
                          .secrets = {.wipe = true, .max = 64 << 10}};
    if (stdio) {
        x->job.voucher = base64url_dup(&x->arena, m->voucher);
        x->job.run_voucher = base64url_dup(&x->arena, m->run_voucher);
    }
    if (!x->http) { /* the agent left while core decided */
        tell(x, OUTCOME_NOT_SENT, S("agent_gone"), NULL, NULL);
        over(x);
        return;
    }
    if (x->cancel_asked) {
        err_denied(&err, "it was ended: cancelled");
        fail(x, &err);
        return;
    }
    ARENA_SCOPE struct arena a = {0};
    if (!exchange_params_agree(x, known_tool(d, &a, b->name, x->tool))) {
        tell(x, OUTCOME_NOT_SENT, S("its fields differ from its arguments"), NULL, NULL);
        over(x);
        return;
    }
    x->stage = STAGE_SECRET;
    x->deadline_ms = loop_now_ms(d->o.loop) + m->answer_wait_ms;
    timer_start(&x->timer, d->o.loop, m->answer_wait_ms, on_not_ready, x);
    job_release(&x->job, stdio ? (str){0} : m->voucher);
}

/* ---- ends from outside ---- */

static void cancel_upstream(struct exchange *x)
{
    static const struct post_ops ops = {on_reply_message, on_reply_end};
    ARENA_SCOPE struct arena a = {0};
    struct mcp_out out = {0};
    struct err err;
    if (x->job.session &&
        mcp_client_cancel(&x->job.session->client, &a, &x->ex, S("cancelled"), &out))
        (void)job_post(&x->job, &out, &ops, NULL, &err);
    if (x->post)
        post_cancel(x->post);
    x->post = NULL;
}

void call_cancel(struct exchange *x, const char *reason)
{
    struct err err = {0};
    if (x->stage == STAGE_ASKED || x->stage == STAGE_OVER || !x->call.n)
        return;
    if (x->stage == STAGE_SENT)
        cancel_upstream(x);
    err_denied(&err, "it was ended: %s", reason);
    fail(x, &err);
}

/* Modern agents cancel by leaving; a legacy agent's broken connection is no cancel, so its call is
 * finished for the record. */
void call_gone(struct exchange *x)
{
    if (x->stage == STAGE_SENT && !x->req.modern) {
        if (x->post)
            post_resume(x->post);
        return;
    }
    call_cancel(x, "the agent left");
}
