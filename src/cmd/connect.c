/* `ambit connect`: a stdio MCP server for any client, that is the gateway. It holds no secret: the
 * gateway knows it by the kernel's word on this process.
 *
 * Each message of the client is one POST on a connection of its own over the agent socket; answers
 * are written as they come. A legacy session that the gateway has forgotten (it was restarted) is
 * opened again with the client's own initialize, unseen by the client. Standard output carries
 * protocol and nothing else; nothing that passes is logged. */
#include "cmd/cli.h"
#include "base/list.h"
#include "base/limits.h"
#include "cmd/relay.h"
#include "http/http1.h"
#include "http/sse.h"
#include "mcp/field.h"
#include "mcp/lines.h"
#include "net/conn.h"
#include "net/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FLYING_MAX = 16,
    QUEUED_MAX = 64,
    END_WAIT_MS = 10 * 1000,
    DELETE_WAIT_MS = 2 * 1000,
};

enum post_kind { POST_RELAYED = 1, POST_REOPEN, POST_DELETE };

/* One message of the client on its way. */
struct post {
    struct list node; /* queued or flying */
    struct relay *relay;
    enum post_kind kind;
    struct arena arena;
    struct relay_message m;
    struct conn *conn;
    struct http1 http;
    struct buf body;
    struct sse sse;
    bool is_stream, answered, second_try, had_session;
    bool sent; /* the gateway may have it */
};

struct relay {
    struct loop *loop;
    struct addr addr;
    char path_text[ADDR_TEXT_SIZE];
    struct relay_target target; /* session and version live in session_arena */
    struct arena session_arena;
    struct mcp_lines in;
    struct watch *watch; /* of standard input; NULL: it is read directly */
    bool direct, eof, ended, failed;
    struct list queued, flying;
    size_t queued_n, flying_n;
    struct post *opener; /* an initialize under way: the others wait for its session */
    struct buf initialize;
    bool lost; /* the session is gone at the gateway; open it again before the next message */
    struct timer end_timer;
    struct deferred pump;
};

static void pump_soon(struct relay *r);

/* ---- standard output ---- */

static void write_out(str s)
{
    while (s.n) {
        ssize_t n = write(STDOUT_FILENO, s.p, s.n);
        if (n > 0) {
            s = str_skip(s, (size_t)n);
        } else if (errno == EAGAIN) { /* it may share the description of a watched input */
            struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            exit(EXIT_FAILED); /* nobody listens any more */
        }
    }
}

static void say_error(str id, enum rpc_code code, str text)
{
    struct buf out = {0};
    rpc_put_error(&out, id, code, text);
    buf_putc(&out, '\n');
    write_out(buf_str(&out));
    buf_fini(&out);
}

/* ---- the life of a post ---- */

static struct post *post_new(struct relay *r, enum post_kind kind)
{
    struct post *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->relay = r;
    p->kind = kind;
    return p;
}

static void post_queue(struct post *p)
{
    list_append(&p->relay->queued, &p->node);
    p->relay->queued_n++;
}

static const struct conn_ops NOBODY = {0};

/* Off the connection and out of the flying ones, to be freed or to be tried again. */
static void post_land(struct post *p)
{
    struct relay *r = p->relay;
    if (p->conn) {
        conn_set_owner(p->conn, &NOBODY, NULL);
        conn_abort(p->conn);
        p->conn = NULL;
    }
    if (p->is_stream)
        sse_fini(&p->sse);
    p->is_stream = false;
    buf_fini(&p->body);
    list_remove(&p->node);
    r->flying_n--;
    if (r->opener == p)
        r->opener = NULL;
    pump_soon(r);
}

static void post_free(struct post *p)
{
    post_land(p);
    arena_fini(&p->arena);
    free(p);
}

static void post_fail(struct post *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void post_fail(struct post *p, const char *fmt, ...)
{
    va_list ap;
    char text[500];
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (p->kind == POST_RELAYED && p->m.rpc.kind == RPC_REQUEST && !p->answered)
        say_error(p->m.rpc.id, RPC_INTERNAL_ERROR, str_z(text));
    post_free(p);
}

static void post_unreachable(struct post *p, const struct err *err)
{
    const char *why = err ? err->text : "the connection was closed";
    if (p->sent)
        post_fail(
            p,
            "Ambit ended the connection before it answered (%s). What was asked may have been "
            "done: the owner sees it with `ambit trace`.",
            why);
    else
        post_fail(p,
                  "Ambit could not be reached at %s: %s. Nothing was sent. Is `ambit serve` "
                  "running? Try again.",
                  p->relay->path_text, why);
}

/* ---- what came back ---- */

static void take_session(struct post *p)
{
    struct relay *r = p->relay;
    str id = {0}, version = relay_revision(&p->arena, buf_str(&p->body));
    arena_reset(&r->session_arena);
    r->target.session = r->target.version = (str){0};
    if (p->http.head.status != 200 || !version.n)
        return;
    if (fields_first(&p->http.head.fields, S("Mcp-Session-Id"), &id))
        r->target.session = str_dup(&r->session_arena, id);
    r->target.version = str_dup(&r->session_arena, version);
}

/* The gateway does not know the session: it is opened again, and this is said again, once. */
static bool try_again(struct post *p)
{
    struct relay *r = p->relay;
    if (p->http.head.status != 404 || !p->had_session || p->second_try || !buf_len(&r->initialize))
        return false;
    post_land(p);
    p->second_try = true;
    p->sent = false;
    r->lost = true;
    list_prepend(&r->queued, &p->node);
    r->queued_n++;
    return true;
}

static void post_done(struct post *p)
{
    struct buf out = {0};
    int status = p->http.head.status;
    if (p->kind == POST_REOPEN || relay_is_initialize(&p->m))
        take_session(p);
    if (p->kind != POST_RELAYED || p->m.rpc.kind != RPC_REQUEST || p->answered) {
        if (p->kind == POST_RELAYED && try_again(p))
            return;
        post_free(p);
        return;
    }
    if (try_again(p))
        return;
    if (p->is_stream)
        post_fail(p, "The gateway ended the answer before it was complete.");
    else if (relay_put_line(buf_str(&p->body), p->m.rpc.id, true, &out) == RELAY_ANSWER)
        p->answered = true;
    else
        post_fail(p,
                  "The gateway answered HTTP %d (%.*s) without a message that could be passed on.",
                  status, STR(http_reason(status)));
    if (buf_len(&out)) {
        write_out(buf_str(&out));
        post_free(p);
    }
    buf_fini(&out);
}

static void stream_data(struct post *p, str data)
{
    struct sse_event ev;
    struct err err;
    size_t used;
    while (sse_read(&p->sse, data, &used, &ev, &err) == SSE_EVENT) {
        struct buf out = {0};
        data = str_skip(data, used);
        if (ev.data.n && p->kind == POST_RELAYED && !p->answered &&
            relay_put_line(ev.data, p->m.rpc.id, false, &out) == RELAY_ANSWER)
            p->answered = true;
        write_out(buf_str(&out));
        buf_fini(&out);
    }
}

static void take_head(struct post *p)
{
    str type = {0};
    struct err err;
    fields_first(&p->http.head.fields, S("Content-Type"), &type);
    p->is_stream = p->http.head.status == 200 && mcp_is_media_type(type, S("text/event-stream"));
    if (!p->is_stream)
        return;
    sse_init(&p->sse, SSE_EVENT_BYTES_MAX);
    (void)!http1_limit_body(&p->http, UINT64_MAX, &err);
}

/* False when the post is gone. */
static bool post_step(struct post *p, enum http1_step step, str data, const struct err *err)
{
    switch (step) {
    case HTTP1_HEAD:
        take_head(p);
        return true;
    case HTTP1_DATA:
        if (p->is_stream)
            stream_data(p, data);
        else
            buf_put(&p->body, data);
        return true;
    case HTTP1_END:
        post_done(p);
        return false;
    case HTTP1_BAD:
        post_fail(p, "The gateway's answer could not be read: %s.", err->text);
        return false;
    default:
        return true;
    }
}

static void on_data(struct conn *c)
{
    struct post *p = conn_owner(c);
    enum http1_step step;
    do {
        struct err err;
        size_t used;
        str data;
        step = http1_read(&p->http, conn_in(c), &used, &data, &err);
        if (!post_step(p, step, data, &err))
            return;
        conn_consume(c, used);
    } while (step != HTTP1_MORE);
}

static void on_open(struct conn *c)
{
    struct post *p = conn_owner(c);
    p->sent = true;
}

static void on_eof(struct conn *c)
{
    struct post *p = conn_owner(c);
    struct err err;
    enum http1_step step = http1_eof(&p->http, &err);
    if (step == HTTP1_END)
        post_done(p);
    else
        post_unreachable(p, NULL);
}

static void on_close(struct conn *c, const struct err *err)
{
    struct post *p = conn_owner(c);
    p->conn = NULL;
    post_unreachable(p, err);
}

static const struct conn_ops OPS = {
    .on_open = on_open, .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

/* ---- sending ---- */

static bool put_post(struct post *p, struct buf *out, struct err *err)
{
    struct relay *r = p->relay;
    p->had_session = r->target.session.n && !p->m.modern && !relay_is_initialize(&p->m);
    return p->kind == POST_DELETE ? relay_put_delete(&p->arena, &r->target, out, err)
                                  : relay_put_request(&p->arena, &r->target, &p->m, out, err);
}

static void post_start(struct post *p)
{
    struct relay *r = p->relay;
    struct conn_opts opts = {.out_max = STDIO_LINE_BYTES_MAX + (1 << 20)};
    struct http1_limits limits = http1_limits_default(HTTP1_RESPONSES);
    struct buf out = {.max = STDIO_LINE_BYTES_MAX + (256 << 10)};
    struct err err;
    list_append(&r->flying, &p->node);
    r->flying_n++;
    if (relay_is_initialize(&p->m) && p->kind != POST_DELETE)
        r->opener = p;
    http1_init(&p->http, HTTP1_RESPONSES, &limits);
    http1_begin(&p->http, &p->arena, false);
    p->body.max = HTTP_ANSWER_BYTES_MAX;
    if (!put_post(p, &out, &err)) {
        post_fail(p, "The message cannot be passed on: %s.", err.text);
    } else if (!conn_connect(r->loop, &r->addr, &opts, &OPS, p, &p->conn, &err)) {
        p->conn = NULL;
        post_unreachable(p, &err);
    } else {
        conn_write(p->conn, buf_str(&out));
        if (p->kind == POST_DELETE)
            conn_deadline(p->conn, DELETE_WAIT_MS, "answer");
    }
    buf_fini(&out);
}

static void reopen(struct relay *r)
{
    struct post *p = post_new(r, POST_REOPEN);
    struct rpc_fault fault;
    struct err err;
    r->lost = false;
    if (!relay_read(&p->arena, buf_str(&r->initialize), &p->m, &fault, &err))
        abort(); /* it was read before */
    post_start(p);
}

/* ---- from the client ---- */

/* What is still queued is dropped. On its way, a modern request is cancelled by closing its
 * connection, a legacy one by telling the gateway. Nothing is answered to it any more. */
static bool cancel_one(struct relay *r, struct post *p, bool queued)
{
    if (queued) {
        r->queued_n--;
        r->flying_n++; /* post_land takes it back */
    } else if (!p->m.modern) {
        p->answered = true;
        return false;
    }
    post_free(p);
    return true;
}

/* True: the message needs no relaying. */
static bool cancel(struct relay *r, const struct relay_message *m)
{
    struct list *const lists[] = {&r->queued, &r->flying};
    if (!m->cancels.n)
        return false;
    for (size_t i = 0; i < 2; i++)
        LIST_EACH(lists[i], it)
        {
            struct post *p = LIST_ENTRY(it, struct post, node);
            if (p->kind == POST_RELAYED && str_eq(p->m.rpc.id, m->cancels))
                return cancel_one(r, p, lists[i] == &r->queued);
        }
    return r->target.session.n == 0;
}

static void take_line(struct relay *r, str line)
{
    struct post *p = post_new(r, POST_RELAYED);
    struct rpc_fault fault = {0};
    struct err err;
    bool ok = relay_read(&p->arena, line, &p->m, &fault, &err);
    if (!ok)
        say_error(fault.id, fault.code ? fault.code : RPC_PARSE_ERROR, str_z(err.text));
    if (!ok || cancel(r, &p->m)) {
        arena_fini(&p->arena);
        free(p);
        return;
    }
    if (relay_is_initialize(&p->m)) {
        r->initialize.max = STDIO_LINE_BYTES_MAX;
        buf_clear(&r->initialize);
        buf_put(&r->initialize, p->m.line);
        r->lost = false;
    }
    post_queue(p);
}

static void on_end_of_input(struct relay *r);

/* One read. False: nothing came (yet, or any more). */
static bool read_in(struct relay *r)
{
    static const size_t piece = 64 << 10;
    char *room = malloc(piece);
    struct err err;
    if (!room)
        abort();
    ssize_t n = read(STDIN_FILENO, room, piece);
    bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (n > 0 && !mcp_lines_feed(&r->in, str_of(room, (size_t)n), &err)) {
        say_error((str){0}, RPC_INVALID_REQUEST,
                  S("A message is over 16 MiB; where the next one begins cannot be known."));
        r->failed = true;
        n = 0;
    }
    free(room);
    if (n <= 0 && !again)
        on_end_of_input(r);
    return n > 0;
}

static void on_stdin(void *owner, unsigned events)
{
    struct relay *r = owner;
    (void)events;
    if (!r->eof)
        read_in(r);
    pump_soon(r);
}

/* ---- what is next ---- */

static void stop_reading(struct relay *r)
{
    r->eof = true;
    watch_close(r->watch);
    r->watch = NULL;
}

static void on_end_wait(void *owner)
{
    struct relay *r = owner;
    LIST_EACH(&r->queued, it)
    {
        struct post *p = LIST_ENTRY(it, struct post, node);
        r->queued_n--;
        r->flying_n++;
        post_fail(p, "The input ended before this was sent.");
    }
    while (!list_is_empty(&r->flying))
        post_fail(LIST_ENTRY(r->flying.next, struct post, node),
                  "The input ended, and no answer came in the time left. What was asked may have "
                  "been done.");
}

static void on_end_of_input(struct relay *r)
{
    stop_reading(r);
    timer_start(&r->end_timer, r->loop, END_WAIT_MS, on_end_wait, r);
}

/* Everything is answered: the session is ended, then nothing is left and the loop returns. */
static void end(struct relay *r)
{
    timer_stop(&r->end_timer);
    if (r->ended || !r->target.session.n)
        return;
    r->ended = true;
    post_start(post_new(r, POST_DELETE));
}

static void fill_queue(struct relay *r)
{
    str line;
    while (r->queued_n < QUEUED_MAX) {
        if (mcp_lines_next(&r->in, &line))
            take_line(r, line);
        else if (!r->direct || r->eof || !read_in(r))
            break;
    }
    if (r->watch)
        watch_set(r->watch, r->queued_n < QUEUED_MAX ? WATCH_READ : 0);
}

static void pump(void *owner)
{
    struct relay *r = owner;
    fill_queue(r);
    if (r->lost && !r->opener)
        reopen(r);
    while (!list_is_empty(&r->queued) && r->flying_n < FLYING_MAX && !r->opener) {
        struct post *p = LIST_ENTRY(r->queued.next, struct post, node);
        /* An initialize changes the session: what was said before it is over first. */
        if (relay_is_initialize(&p->m) && r->flying_n)
            break;
        list_remove(&p->node);
        r->queued_n--;
        post_start(p);
        fill_queue(r);
    }
    if (r->eof && !r->flying_n && list_is_empty(&r->queued))
        end(r);
}

static void pump_soon(struct relay *r)
{
    loop_defer(r->loop, &r->pump, pump, r);
}

/* ---- the command ---- */

static const struct opt OPTS[] = {
    {"task", 0, OPT_VALUE, "TASK", "the task to work on (default: the agent's only open one)"},
    {"endpoint", 0, OPT_VALUE, "BINDING", "only the tools of this server, under their own names"},
    {"socket", 0, OPT_VALUE, "PATH", "agent socket; then no configuration is needed"},
    {0}};

static int run(struct relay *r, struct cli *c)
{
    signal(SIGPIPE, SIG_IGN);
    list_init(&r->queued);
    list_init(&r->flying);
    if (!loop_new(&r->loop, &c->err))
        return cli_failed(c);
    struct err err;
    int flags = fcntl(STDIN_FILENO, F_GETFL); /* watching changes them, also for who shares it */
    r->direct = !watch_new(r->loop, STDIN_FILENO, WATCH_READ, on_stdin, r, &r->watch, &err);
    pump_soon(r);
    loop_run(r->loop);
    loop_free(r->loop);
    if (flags >= 0)
        fcntl(STDIN_FILENO, F_SETFL, flags);
    mcp_lines_fini(&r->in);
    buf_fini(&r->initialize);
    arena_fini(&r->session_arena);
    return r->failed ? EXIT_FAILED : 0;
}

static int connect_cmd(struct cli *c)
{
    struct relay r = {.in = {.line_max = STDIO_LINE_BYTES_MAX}};
    str socket = args_get(&c->args, "socket"), binding = args_get(&c->args, "endpoint");
    r.target.task = args_get(&c->args, "task");
    r.target.path = binding.n ? str_fmt(&c->arena, "/mcp/%.*s", STR(binding)) : S("/mcp");
    if (binding.n && !conf_name_is_valid(binding))
        return cli_usage(c, "--endpoint needs the name of a server of \"mcpServers\"");
    if (r.target.task.n && !str_is_visible_ascii(r.target.task))
        return cli_usage(c, "--task needs the id of a task");
    if (!socket.n) {
        int status = cli_conf(c, false);
        if (status) {
            fprintf(stderr, "ambit connect: --socket PATH goes without a configuration\n");
            return status;
        }
        socket = c->conf.agent_socket;
    }
    if (!addr_unix(socket, &r.addr, &c->err))
        return cli_failed(c);
    addr_text(&r.addr, r.path_text);
    return run(&r, c);
}

static const struct verb CONNECT[] = {
    {NULL, HAS_CONF, 0, 0, "[--task TASK] [--endpoint BINDING] [--socket PATH]",
     "A stdio MCP server that any client can start; it is the gateway, and holds no secret.",
     "ambit connect --socket /run/ambit/agent.sock", OPTS, connect_cmd},
};

int cmd_connect(int argc, char **argv)
{
    return verbs_run("connect", CONNECT, 1, argc, argv);
}
