#include "role/runner.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct stdio_child_ops CHILD_OPS;

static struct start_trouble *trouble_of(struct program *p)
{
    return &p->runner->troubles[p->binding - p->runner->env->conf.bindings];
}

struct program *program_find(struct runner *r, str binding, str principal)
{
    LIST_EACH(&r->programs, it)
    {
        struct program *p = LIST_ENTRY(it, struct program, node);
        if (!p->gone && str_eq(p->binding->name, binding) && str_eq(str_z(p->principal), principal))
            return p;
    }
    return NULL;
}

/* ---- calls ---- */

static void call_unlink(struct call *call)
{
    list_remove(&call->node);
    call->program->calls_n--;
}

static void fail_calls(struct program *p, int status, str text)
{
    while (!list_is_empty(&p->calls)) {
        struct call *call = LIST_ENTRY(list_first(&p->calls), struct call, node);
        call_unlink(call);
        call_fail(call, status, text);
    }
}

static struct call *call_by_id(struct program *p, str text)
{
    uint64_t id;
    if (!str_to_u64(text, &id))
        return NULL;
    LIST_EACH(&p->calls, it)
    {
        struct call *call = LIST_ENTRY(it, struct call, node);
        if (call->id == id)
            return call;
    }
    return NULL;
}

/* An id that was given out once: its caller went away before the answer came. */
static bool was_given(const struct program *p, str text)
{
    uint64_t id;
    return str_to_u64(text, &id) && id > 0 && id < p->next_id;
}

/* ---- the end of a program ---- */

/* One STOP_CHILD that is to be acknowledged. */
struct stop {
    struct list node; /* in runner->stops */
    uint64_t id;
    uint32_t programs;
    char principal[65];
};

static bool is_there(const struct runner *r, str principal)
{
    for (const struct list *it = r->programs.next; it != &r->programs; it = it->next)
        if (str_eq(str_z(LIST_ENTRY(it, const struct program, node)->principal), principal))
            return true;
    return false;
}

/* Acknowledges the stops whose programs are all gone. */
static void tell_stopped(struct runner *r)
{
    LIST_EACH(&r->stops, it)
    {
        struct stop *s = LIST_ENTRY(it, struct stop, node);
        if (is_there(r, str_z(s->principal)))
            continue;
        if (r->core)
            role_send(r->core, MSG_CHILD_STOPPED, s->id,
                      &(struct msg_child_stopped){.programs = s->programs});
        list_remove(&s->node);
        free(s);
    }
}

static void program_free(struct program *p)
{
    timer_stop(&p->timer);
    list_remove(&p->node);
    p->runner->programs_n--;
    struct runner *r = p->runner;
    buf_fini(&p->early);
    free(p);
    tell_stopped(r);
    if (r->env->draining && r->programs_n == 0)
        role_drained(r->env);
}

static void note_trouble(struct program *p, str why)
{
    struct start_trouble *t = trouble_of(p);
    int64_t backoff = t->backoff_ms ? t->backoff_ms * 2 : START_BACKOFF_MS_MIN;
    t->backoff_ms = backoff > START_BACKOFF_MS_MAX ? START_BACKOFF_MS_MAX : backoff;
    t->until_ms = loop_now_ms(p->runner->loop) + t->backoff_ms;
    snprintf(t->why, sizeof t->why, "%.*s", STR(why));
}

static void on_child_end(void *owner, str why)
{
    struct program *p = owner;
    struct buf text = {.max = 4096};
    bool asked = p->gone; /* stopped by us, in order */
    p->gone = true;
    buf_printf(&text, "the program of server %.*s %.*s", STR(p->binding->name), STR(why));
    if (asked) {
        log_debug("child program ended", LOG_STR("server", p->binding->name));
    } else {
        log_warn("child program ended", LOG_STR("server", p->binding->name), LOG_STR("why", why));
        if (!p->answered && loop_now_ms(p->runner->loop) - p->started_ms < PROGRAM_YOUNG_MS)
            note_trouble(p, why);
    }
    fail_calls(p, 502, buf_str(&text));
    buf_fini(&text);
    program_free(p);
}

void program_stop(struct program *p, const char *text)
{
    p->gone = true;
    timer_stop(&p->timer);
    fail_calls(p, 502, str_z(text));
    if (p->child)
        stdio_child_stop(p->child);
    else
        program_free(p);
}

void programs_stop_of(struct runner *r, uint64_t id, str task, bool at_once)
{
    struct stop *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->id = id;
    memcpy(s->principal, task.p, task.n < sizeof s->principal ? task.n : sizeof s->principal - 1);
    LIST_EACH(&r->programs, it)
    {
        struct program *p = LIST_ENTRY(it, struct program, node);
        if (!str_eq(str_z(p->principal), task))
            continue;
        s->programs++;
        if (at_once && p->child)
            stdio_child_kill(p->child, "was ended with its task");
        if (!p->gone)
            program_stop(p, "the task has ended");
    }
    if (id)
        list_append(&r->stops, &s->node);
    else
        free(s);
    tell_stopped(r);
}

void programs_core_lost(struct runner *r)
{
    LIST_EACH(&r->stops, it)
    {
        list_remove(it);
        free(LIST_ENTRY(it, struct stop, node));
    }
}

static void on_idle(void *owner)
{
    program_stop(owner, "the program was not in use");
}

static void rest(struct program *p)
{
    if (p->calls_n == 0 && !p->gone)
        timer_start(&p->timer, p->runner->loop, PROGRAM_IDLE_MS, on_idle, p);
}

/* ---- what a program says ---- */

static void garbage(struct program *p, const char *what)
{
    log_warn("child program sent what is not for it to send", LOG_STR("server", p->binding->name),
             LOG_STR("what", str_z(what)), LOG_NUM("count", p->garbage + 1));
    if (++p->garbage > PROGRAM_GARBAGE_MAX)
        stdio_child_kill(p->child, "it sent too much that is not MCP");
}

static void on_response(struct program *p, const struct rpc_message *m)
{
    struct call *call = call_by_id(p, m->id);
    struct buf out = {.max = HTTP_ANSWER_BYTES_MAX + (64 << 10)};
    if (!call) {
        if (!was_given(p, m->id))
            garbage(p, "an answer that nobody asked for");
        return;
    }
    p->answered = true;
    *trouble_of(p) = (struct start_trouble){0};
    call_unlink(call);
    if (m->kind == RPC_RESULT) {
        struct jw w = rpc_begin_result(&out, call->client_id);
        jw_value(&w, m->result);
        rpc_end(&w);
    } else {
        struct buf data = {0};
        if (m->error_data)
            json_write(&data, m->error_data);
        rpc_put_error_data(&out, call->client_id, m->code, m->error_text, buf_str(&data));
        buf_fini(&data);
    }
    if (out.over)
        call_fail(call, 502, S("the answer of the program is too large"));
    else
        call_answer(call, buf_str(&out));
    buf_fini(&out);
    rest(p);
}

/* What a server may ask of its client, this one does not offer. */
static void on_request(struct program *p, const struct rpc_message *m)
{
    struct buf out = {0};
    if (str_eq(m->method, S("ping"))) {
        struct jw w = rpc_begin_result(&out, m->id);
        jw_obj(&w);
        jw_end_obj(&w);
        rpc_end(&w);
    } else {
        rpc_put_error(&out, m->id, RPC_METHOD_NOT_FOUND, S("this gateway does not offer that"));
    }
    stdio_child_send(p->child, buf_str(&out));
    buf_fini(&out);
}

static void on_progress(struct program *p, const struct rpc_message *m)
{
    str token, name;
    const json *value;
    if (!rpc_id_text(&p->runner->scratch, json_get(m->params, S("progressToken")), &token))
        return;
    struct call *call = call_by_id(p, token);
    if (!call || !call->sse || !call->progress_token.n)
        return;
    struct buf out = {.max = HTTP_BODY_BYTES_MAX};
    struct jw w = rpc_begin_notification(&out, m->method);
    jw_obj(&w);
    jw_key(&w, S("progressToken"));
    jw_raw(&w, call->progress_token);
    for (struct json_iter it = json_iter(m->params); json_next(&it, &name, &value);)
        if (!str_eq(name, S("progressToken")))
            jw_kvalue(&w, name, value);
    jw_end_obj(&w);
    rpc_end(&w);
    if (!out.over)
        call_event(call, buf_str(&out));
    buf_fini(&out);
}

static void on_line(void *owner, str line)
{
    struct program *p = owner;
    struct rpc_message m;
    struct rpc_fault fault;
    struct err err;
    p->unheard = 0;
    arena_reset(&p->runner->scratch);
    if (!rpc_read(&p->runner->scratch, line, NULL, &m, &fault, &err)) {
        garbage(p, err.text);
        return;
    }
    if (m.kind == RPC_RESULT || m.kind == RPC_ERROR)
        on_response(p, &m);
    else if (m.kind == RPC_REQUEST)
        on_request(p, &m);
    else if (str_eq(m.method, S("notifications/progress")))
        on_progress(p, &m);
    /* Other notifications are for a client that keeps a session; nobody here does. */
}

static const struct stdio_child_ops CHILD_OPS = {on_line, on_child_end};

/* ---- what goes to a program ---- */

static void send_line(struct program *p, str line)
{
    if (p->child) {
        stdio_child_send(p->child, line);
        return;
    }
    buf_put(&p->early, line);
    buf_putc(&p->early, '\n');
}

static void put_meta(struct jw *w, const json *meta, const struct call *call)
{
    str name;
    const json *value;
    jw_obj(w);
    for (struct json_iter it = json_iter(meta); json_next(&it, &name, &value);)
        if (!str_eq(name, S("progressToken")))
            jw_kvalue(w, name, value);
    if (call->progress_token.n) {
        jw_key(w, S("progressToken"));
        jw_u64(w, call->id);
    }
    jw_end_obj(w);
}

void program_request(struct program *p, struct call *call, const struct rpc_message *m)
{
    struct buf out = {.max = STDIO_LINE_BYTES_MAX};
    char id[24];
    str name;
    const json *value;
    call->program = p;
    call->id = p->next_id++;
    list_append(&p->calls, &call->node);
    p->calls_n++;
    timer_stop(&p->timer);
    snprintf(id, sizeof id, "%" PRIu64, call->id);
    struct jw w = rpc_begin_request(&out, str_z(id), m->method);
    jw_obj(&w);
    for (struct json_iter it = json_iter(m->params); json_next(&it, &name, &value);) {
        jw_key(&w, name);
        if (str_eq(name, S("_meta")))
            put_meta(&w, value, call);
        else
            jw_value(&w, value);
    }
    jw_end_obj(&w);
    rpc_end(&w);
    if (out.over) {
        call_unlink(call);
        call_fail(call, 502, S("the request is too large for a line"));
    } else {
        send_line(p, buf_str(&out));
    }
    buf_fini(&out);
}

static void notify_cancelled(struct program *p, uint64_t id, str reason)
{
    struct buf out = {0};
    struct jw w = rpc_begin_notification(&out, S("notifications/cancelled"));
    jw_obj(&w);
    jw_key(&w, S("requestId"));
    jw_u64(&w, id);
    jw_kstr(&w, S("reason"), reason);
    jw_end_obj(&w);
    rpc_end(&w);
    send_line(p, buf_str(&out));
    buf_fini(&out);
}

/* The id named is the caller's. Where two callers used the same, neither is cancelled: a caller who
 * really goes away closes his connection. */
static void pass_cancelled(struct program *p, const struct rpc_message *m)
{
    str id;
    struct call *found = NULL;
    if (!rpc_id_text(&p->runner->scratch, json_get(m->params, S("requestId")), &id))
        return;
    LIST_EACH(&p->calls, it)
    {
        struct call *call = LIST_ENTRY(it, struct call, node);
        if (!str_eq(call->client_id, id))
            continue;
        if (found)
            return;
        found = call;
    }
    if (found)
        notify_cancelled(p, found->id, S("asked for by the client"));
}

void program_notify(struct program *p, const struct rpc_message *m)
{
    struct buf out = {.max = STDIO_LINE_BYTES_MAX};
    if (str_eq(m->method, S("notifications/cancelled"))) {
        arena_reset(&p->runner->scratch);
        pass_cancelled(p, m);
        return;
    }
    struct jw w = rpc_begin_notification(&out, m->method);
    if (m->params) {
        jw_value(&w, m->params);
    } else {
        jw_obj(&w);
        jw_end_obj(&w);
    }
    rpc_end(&w);
    if (!out.over)
        send_line(p, buf_str(&out));
    buf_fini(&out);
}

void program_cancel(struct call *call)
{
    struct program *p = call->program;
    call_unlink(call);
    notify_cancelled(p, call->id, S("nobody waits for it any more"));
    /* One slow call is no reason; several in a row without a word mean that it will not recover. */
    if (++p->unheard >= PROGRAM_UNHEARD_MAX && p->child)
        stdio_child_kill(p->child, "it answered nothing to several calls in a row");
    else
        rest(p);
}

/* ---- the start of a program ---- */

static bool launch(struct program *p, str secrets, struct err *err)
{
    struct runner *r = p->runner;
    char folder[40];
    snprintf(folder, sizeof folder, "%s", p->id.s);
    ARENA_SCOPE struct arena a = {0};
    struct stdio_child_spec spec = {
        .binding = p->binding,
        .conf_dir = r->env->conf.dir,
        .scratch = str_fmt(&a, "%.*s/children/%s", STR(r->env->conf.state_dir), folder),
        .uid = r->env->setup.child_uid,
        .secrets = secrets,
    };
    if (!stdio_child_new(r->loop, &spec, &CHILD_OPS, p, &p->child, err))
        return err_in(err, "cannot be started");
    p->started_ms = loop_now_ms(r->loop);
    str line, left = buf_str(&p->early);
    while (left.n && str_cut(left, '\n', &line, &left))
        stdio_child_send(p->child, line);
    buf_fini(&p->early);
    log_debug("child program started", LOG_STR("server", p->binding->name),
              LOG_STR("principal", str_z(p->principal)));
    return true;
}

static void on_secrets_late(void *owner)
{
    struct program *p = owner;
    p->gone = true;
    fail_calls(p, 503, S("the keeper did not answer in time"));
    program_free(p);
}

void programs_on_secret(struct runner *r, uint64_t release_id, bool released, str payload)
{
    LIST_EACH(&r->programs, it)
    {
        struct program *p = LIST_ENTRY(it, struct program, node);
        struct err err;
        if (p->child || p->release_id != release_id)
            continue;
        timer_stop(&p->timer);
        if (released && launch(p, payload, &err)) {
            rest(p);
            return;
        }
        p->gone = true;
        fail_calls(p, 503, released ? str_z(err.text) : payload);
        program_free(p);
        return;
    }
}

void programs_keeper_lost(struct runner *r)
{
    LIST_EACH(&r->programs, it)
    {
        struct program *p = LIST_ENTRY(it, struct program, node);
        if (p->child)
            continue;
        p->gone = true;
        fail_calls(p, 503, S("the keeper went away: try again"));
        program_free(p);
    }
}

static bool needs_secrets(const struct conf_binding *b)
{
    for (size_t i = 0; i < b->env_n; i++)
        if (b->env[i].secret.n)
            return true;
    return false;
}

static bool may_start(struct runner *r, const struct conf_binding *b, str secret_voucher,
                      int *out_status, struct err *err)
{
    const struct start_trouble *t = &r->troubles[b - r->env->conf.bindings];
    int64_t left_ms = t->until_ms - loop_now_ms(r->loop);
    *out_status = 503;
    if (r->env->draining)
        return err_limit(err, "the gateway is stopping");
    if (t->until_ms && left_ms > 0)
        return err_limit(err, "the program of server %.*s %s; it is tried again in %" PRId64 " ms",
                         STR(b->name), t->why, left_ms);
    if (r->programs_n >= PROGRAMS_MAX)
        return err_limit(err, "%d child programs are running: try again later", PROGRAMS_MAX);
    if (!needs_secrets(b))
        return true;
    if (!r->keeper)
        return err_peer(err, "the keeper is away: try again");
    *out_status = 403;
    return secret_voucher.n ||
           err_denied(err, "server %.*s needs secrets: a voucher for them is missing",
                      STR(b->name));
}

bool program_start(struct runner *r, const struct conf_binding *b, str principal,
                   str secret_voucher, struct program **out, int *out_status, struct err *err)
{
    if (!may_start(r, b, secret_voucher, out_status, err))
        return false;
    struct program *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    *p = (struct program){.runner = r, .binding = b, .id = id_new('p'), .next_id = 1};
    p->early.max = STDIO_QUEUE_BYTES_MAX;
    memcpy(p->principal, principal.p, principal.n);
    list_init(&p->calls);
    list_append(&r->programs, &p->node);
    r->programs_n++;
    if (needs_secrets(b)) {
        struct msg_release m = {.voucher = secret_voucher};
        p->release_id = ++r->release_id;
        role_send(r->keeper, MSG_RELEASE, p->release_id, &m);
        timer_start(&p->timer, r->loop, CORE_WAIT_MS_MAX, on_secrets_late, p);
    } else if (!launch(p, (str){0}, err)) {
        *out_status = 503;
        log_error("child program not started", LOG_STR("server", b->name), LOG_ERR(err));
        note_trouble(p, str_z(err->text));
        program_free(p);
        return false;
    }
    *out = p;
    return true;
}
