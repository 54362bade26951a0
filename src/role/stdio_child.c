#include "role/stdio_child.h"
#include "base/limits.h"
#include "base/log.h"
#include "ipc/pack.h"
#include "mcp/lines.h"
#include "net/timer.h"
#include "os/spawn.h"
#include "role/stdio_words.h"
#include "role/stdio_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TERM_AFTER_MS = 1000,
    KILL_AFTER_MS = 3000,
    READ_BYTES = 64 << 10,
    STREAMS = 3, /* standard input, output, error of the child */
};

struct stdio_child {
    struct loop *loop;
    const struct stdio_child_ops *ops;
    void *owner;
    str binding, scratch; /* in arena */
    struct arena arena;
    struct child process;
    struct watch *ended;
    int fds[STREAMS];
    struct watch *watches[STREAMS];
    struct buf to_child;
    struct mcp_lines lines;
    struct stdio_words words;
    struct timer stop_timer;
    struct deferred finished;
    const char *why;
    bool stopping, term_sent;
    int status;
};

static void close_stream(struct stdio_child *c, int i)
{
    watch_close(c->watches[i]);
    c->watches[i] = NULL;
    if (c->fds[i] >= 0)
        close(c->fds[i]);
    c->fds[i] = -1;
}

/* ---- the end ---- */

static void describe_end(struct stdio_child *c, struct buf *out)
{
    if (c->why)
        buf_printf(out, "was ended: %s", c->why);
    else if (c->stopping)
        buf_printf(out, "was stopped");
    else if (WIFSIGNALED(c->status))
        buf_printf(out, "was ended by signal %d (%s)", WTERMSIG(c->status),
                   strsignal(WTERMSIG(c->status)));
    else
        buf_printf(out, "ended with status %d", WEXITSTATUS(c->status));
    stdio_words_last(&c->words, out);
}

static void on_finished(void *owner)
{
    struct stdio_child *c = owner;
    struct buf why = {.max = 4096};
    describe_end(c, &why);
    c->ops->on_end(c->owner, buf_str(&why));
    buf_fini(&why);
    stdio_scratch_remove(c->scratch);
    buf_fini(&c->to_child);
    mcp_lines_fini(&c->lines);
    stdio_words_fini(&c->words);
    arena_fini(&c->arena);
    free(c);
}

static void drain_words(struct stdio_child *c);

static void on_process_end(void *owner, unsigned events)
{
    struct stdio_child *c = owner;
    /* What it started in its group goes with it; its number is ours until it is collected. */
    child_signal_group(&c->process, SIGKILL);
    if (!child_poll(&c->process, &c->status))
        return;
    watch_close(c->ended);
    c->ended = NULL; /* collected: there is nothing to signal any more */
    drain_words(c);
    for (int i = 0; i < STREAMS; i++)
        close_stream(c, i);
    timer_stop(&c->stop_timer);
    loop_defer(c->loop, &c->finished, on_finished, c);
}

static void on_stop_timer(void *owner)
{
    struct stdio_child *c = owner;
    child_signal_group(&c->process, c->term_sent ? SIGKILL : SIGTERM);
    if (!c->term_sent)
        timer_start(&c->stop_timer, c->loop, KILL_AFTER_MS - TERM_AFTER_MS, on_stop_timer, c);
    c->term_sent = true;
}

void stdio_child_stop(struct stdio_child *c)
{
    if (c->stopping || !c->ended)
        return;
    c->stopping = true;
    close_stream(c, 0);
    timer_start(&c->stop_timer, c->loop, TERM_AFTER_MS, on_stop_timer, c);
}

void stdio_child_kill(struct stdio_child *c, const char *why)
{
    if (!c->ended)
        return;
    if (!c->why)
        c->why = why;
    c->stopping = true;
    close_stream(c, 0);
    child_signal_group(&c->process, SIGKILL);
}

bool stdio_child_is_stopping(const struct stdio_child *c)
{
    return c->stopping;
}

/* ---- standard input ---- */

static void on_writable(void *owner, unsigned events)
{
    struct stdio_child *c = owner;
    while (buf_len(&c->to_child)) {
        str s = buf_str(&c->to_child);
        ssize_t n = write(c->fds[0], s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            /* It closed its input; it will end, or its calls run into their deadlines. */
            close_stream(c, 0);
            return;
        }
        buf_consume(&c->to_child, (size_t)n);
    }
    watch_set(c->watches[0], buf_len(&c->to_child) ? WATCH_WRITE : 0);
}

void stdio_child_send(struct stdio_child *c, str message)
{
    struct err err;
    if (c->stopping || c->fds[0] < 0)
        return;
    if (!mcp_line_put(&c->to_child, message, &err) || c->to_child.over) {
        stdio_child_kill(c, "it does not read what is sent to it");
        return;
    }
    watch_set(c->watches[0], WATCH_WRITE);
}

/* ---- standard output ---- */

static void hand_out(struct stdio_child *c)
{
    str line;
    while (!c->why && mcp_lines_next(&c->lines, &line))
        c->ops->on_line(c->owner, line);
}

static void on_silent(void *owner)
{
    stdio_child_kill(owner, "it closed its standard output");
}

static void on_output(void *owner, unsigned events)
{
    struct stdio_child *c = owner;
    struct err err;
    char piece[READ_BYTES];
    ssize_t n = read(c->fds[1], piece, sizeof piece);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        /* Most often it is ending, and how it ends says more. */
        close_stream(c, 1);
        if (!c->stopping)
            timer_start(&c->stop_timer, c->loop, TERM_AFTER_MS, on_silent, c);
        return;
    }
    if (!mcp_lines_feed(&c->lines, str_of(piece, (size_t)n), &err)) {
        close_stream(c, 1);
        stdio_child_kill(c, "it wrote a line that is too long");
        return;
    }
    hand_out(c);
}

/* ---- standard error ---- */

static void on_word(void *owner, str line)
{
    struct stdio_child *c = owner;
    log_debug("child program says", LOG_STR("server", c->binding), LOG_STR("line", line));
}

static void on_words(void *owner, unsigned events)
{
    struct stdio_child *c = owner;
    char piece[READ_BYTES];
    ssize_t n = read(c->fds[2], piece, sizeof piece);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        close_stream(c, 2);
    else
        stdio_words_feed(&c->words, str_of(piece, (size_t)n), on_word, c);
}

/* Its last words may still be in the pipe. */
static void drain_words(struct stdio_child *c)
{
    char piece[READ_BYTES];
    ssize_t n;
    if (c->fds[2] < 0)
        return;
    for (int i = 0; i < 16 && (n = read(c->fds[2], piece, sizeof piece)) > 0; i++)
        stdio_words_feed(&c->words, str_of(piece, (size_t)n), on_word, c);
    stdio_words_feed(&c->words, S("\n"), on_word, c);
}

/* ---- the start ---- */

static bool make_pipes(struct stdio_child *c, int theirs[STREAMS], struct err *err)
{
    for (int i = 0; i < STREAMS; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return err_system(err, "cannot make a pipe");
        int ours = i == 0 ? 1 : 0;
        c->fds[i] = ends[ours];
        theirs[i] = ends[!ours];
        if (fcntl(c->fds[i], F_SETFL, O_NONBLOCK) != 0)
            return err_system(err, "cannot set up a pipe");
    }
    return true;
}

static bool start(struct stdio_child *c, const struct stdio_child_spec *spec,
                  const int theirs[STREAMS], struct err *err)
{
    static const struct spawn_limit limits[] = {{RLIMIT_CORE, 0},
                                                {RLIMIT_NOFILE, 4096},
                                                {RLIMIT_NPROC, 8192},
                                                {RLIMIT_FSIZE, (rlim_t)4 << 30}};
    struct stdio_world world = {0};
    struct spawn_fd fds[] = {{theirs[0], 0}, {theirs[1], 1}, {theirs[2], 2}};
    bool ok = stdio_world_make(&world, spec, err);
    struct spawn s = {
        .path = world.program,
        .argv = world.argv,
        .env = world.env,
        .cwd = world.cwd,
        .fds = fds,
        .n_fds = STREAMS,
        .limits = limits,
        .n_limits = sizeof limits / sizeof limits[0],
        .set_ids = spec->uid >= 0,
        .uid = (uid_t)spec->uid,
        .gid = (gid_t)spec->uid,
        .in_child = sandbox_enter_in_child,
        .arg = world.sandbox,
    };
    ok = ok && spawn_start(&s, &c->process, err);
    stdio_world_fini(&world);
    return ok;
}

static bool hide_secrets(struct stdio_child *c, str run, struct err *err)
{
    str name, value;
    bool bad = false;
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &value, &bad))
        if (!stdio_words_hide(&c->words, value, err))
            return false;
    return !bad || err_peer(err, "secrets are not a run of names and values");
}

static bool watch_all(struct stdio_child *c, struct err *err)
{
    static const struct {
        unsigned events;
        void (*fn)(void *owner, unsigned events);
    } watches[STREAMS] = {{0, on_writable}, {WATCH_READ, on_output}, {WATCH_READ, on_words}};
    for (int i = 0; i < STREAMS; i++)
        if (!watch_new(c->loop, c->fds[i], watches[i].events, watches[i].fn, c, &c->watches[i],
                       err))
            return false;
    return watch_new(c->loop, c->process.pidfd, WATCH_READ, on_process_end, c, &c->ended, err);
}

bool stdio_child_new(struct loop *l, const struct stdio_child_spec *spec,
                     const struct stdio_child_ops *ops, void *owner, struct stdio_child **out,
                     struct err *err)
{
    struct stdio_child *c = calloc(1, sizeof *c);
    int theirs[STREAMS] = {-1, -1, -1};
    if (!c)
        abort();
    *c = (struct stdio_child){.loop = l,
                              .ops = ops,
                              .owner = owner,
                              .fds = {-1, -1, -1},
                              .process = {.pidfd = -1},
                              .to_child = {.max = STDIO_QUEUE_BYTES_MAX}};
    c->binding = str_dup(&c->arena, spec->binding->name);
    c->scratch = str_dup(&c->arena, spec->scratch);
    bool ok = hide_secrets(c, spec->secrets, err) && make_pipes(c, theirs, err) &&
              start(c, spec, theirs, err);
    for (int i = 0; i < STREAMS; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    if (ok && watch_all(c, err)) {
        *out = c;
        return true;
    }
    if (ok) { /* started, but it cannot be watched */
        int status;
        child_signal_group(&c->process, SIGKILL);
        child_wait(&c->process, &status);
    }
    for (int i = 0; i < STREAMS; i++)
        close_stream(c, i);
    stdio_scratch_remove(c->scratch);
    stdio_words_fini(&c->words);
    arena_fini(&c->arena);
    free(c);
    return false;
}
