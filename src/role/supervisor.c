/* supervisor: `ambit serve`. It gives each role what it needs, then only watches and restarts.
 *
 * A seat is a place for one role process:
 *
 *     EMPTY -> (spawn) -> STARTING -> (READY) -> RUNNING -> (ends) -> WAITING -> (back-off) ->
 * STARTING
 *
 * Descriptors of a seat: its channel to us, its pidfd. Channels between two roles are socket pairs
 * made here, one end to each; when one of the two is restarted both get a new pair.
 *
 * Shutdown goes through the seats in stages (those who serve, runner, core, keeper): a stage is
 * told to drain, and the next begins when all of it has ended. What is left after DRAIN_WAIT_MS_MAX
 * is killed.
 *
 * A role that exits with ROLE_EXIT_CONFIG says that starting it again is of no use: all stop. */
#include "role/supervisor_seats.h"
#include "base/clock.h"
#include "base/limits.h"
#include "net/chan.h"
#include "net/loop.h"
#include "net/timer.h"
#include "os/fdpass.h"
#include "os/drop.h"
#include "os/sandbox.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKOFF_MS_MIN = 100, BACKOFF_MS_MAX = 5000, ALIVE_MS_ENOUGH = 10 * 1000 };

static const struct {
    enum role a, b;
} LINKS[] = {
    {ROLE_EDGE, ROLE_CORE},      {ROLE_EDGE, ROLE_KEEPER},   {ROLE_CORE, ROLE_KEEPER},
    {ROLE_CORE, ROLE_RUNNER},    {ROLE_RUNNER, ROLE_KEEPER}, {ROLE_CORE, ROLE_WORKLOAD},
    {ROLE_CORE, ROLE_PORTAL},    {ROLE_CORE, ROLE_FETCHER},  {ROLE_CORE, ROLE_WITNESS},
    {ROLE_CORE, ROLE_PUBLISHER},
};
static const enum role STAGES[] = {ROLE_PORTAL,  ROLE_EDGE,      ROLE_WORKLOAD,
                                   ROLE_FETCHER, ROLE_RUNNER,    ROLE_CORE,
                                   ROLE_WITNESS, ROLE_PUBLISHER, ROLE_KEEPER};
enum { STAGES_N = sizeof STAGES / sizeof STAGES[0] };

static void seat_start(struct seat *s);
static void stop_step(struct supervisor *sv);
static void stop_begin(struct supervisor *sv, int status);

static bool are_linked(enum role x, enum role y)
{
    for (size_t i = 0; i < sizeof LINKS / sizeof LINKS[0]; i++)
        if ((LINKS[i].a == x && LINKS[i].b == y) || (LINKS[i].a == y && LINKS[i].b == x))
            return true;
    return false;
}

/* ---- what a role says ---- */

static void log_ready(struct supervisor *sv)
{
    struct buf b = {0};
    const char *agent = "", *control = "";
    str metrics = {0};
    for (size_t i = 0; i < sv->listeners.n; i++) {
        const struct open_listener *l = &sv->listeners.list[i];
        if (l->kind == LISTENER_DOOR)
            buf_printf(&b, "%s%.*s", buf_len(&b) ? " " : "", STR(l->address));
        else if (l->kind == LISTENER_AGENT)
            agent = str_dup(&sv->arena, l->address).p;
        else if (l->kind == LISTENER_CONTROL)
            control = str_dup(&sv->arena, l->address).p;
        else if (l->kind == LISTENER_METRICS)
            metrics = l->address;
    }
    log_info("ready", LOG_STR("listen", buf_str(&b)), LOG_STR("agent", str_z(agent)),
             LOG_STR("control", str_z(control)), LOG_STR("metrics", metrics),
             LOG_NUM("ms", (clock_mono_us() - sv->material.started_us) / 1000));
    buf_fini(&b);
}

static void on_ready(struct seat *s)
{
    struct supervisor *sv = s->sv;
    s->state = SEAT_RUNNING;
    if (sv->was_ready)
        log_info("role is back", LOG_STR("of", str_z(role_name(s->role))),
                 LOG_NUM("index", s->index));
    for (size_t i = 0; i < sv->seats_n; i++)
        if (sv->seats[i].state != SEAT_RUNNING)
            return;
    if (!sv->was_ready)
        log_ready(sv);
    sv->was_ready = true;
}

/* A peer may accuse those it is above (role.c); whoever else is named stays. */
static void on_accuse(struct seat *s, str payload)
{
    struct msg_peer m;
    struct err err;
    if (!message_unpack(MSG_ACCUSE, payload, &m, &err))
        return;
    for (size_t i = 0; i < s->sv->seats_n; i++) {
        struct seat *t = &s->sv->seats[i];
        if (t->role != m.role || t->index != m.index || !seat_is_alive(t) ||
            !are_linked(s->role, t->role) || t->role == ROLE_KEEPER || t->role == s->role ||
            (t->role == ROLE_CORE && s->role != ROLE_KEEPER))
            continue;
        log_error("ending a role that broke the rules", LOG_STR("of", str_z(role_name(t->role))),
                  LOG_NUM("index", t->index), LOG_STR("accuser", str_z(role_name(s->role))));
        child_signal(&t->child, SIGKILL);
    }
}

static void on_frame(struct chan *ch, uint16_t type, uint64_t id, str payload, int fd)
{
    struct seat *s = chan_owner(ch);
    if (type == MSG_READY && s->state == SEAT_STARTING)
        on_ready(s);
    else if (type == MSG_ACCUSE)
        on_accuse(s, payload);
    /* DRAINED says no more than the exit that follows it. */
}

static void on_close(struct chan *ch, const struct err *err)
{
    struct seat *s = chan_owner(ch);
    if (s->chan != ch)
        return; /* of a process that is gone already */
    s->chan = NULL;
    if (err)
        log_error("channel to a role failed", LOG_STR("of", str_z(role_name(s->role))),
                  LOG_ERR(err));
    /* Without its channel it cannot be told anything. One that drained is about to exit by itself.
     */
    if (seat_is_alive(s) && (err || !s->sv->stopping))
        child_signal(&s->child, SIGKILL);
}

static uint32_t seat_size_max(void *arg, uint16_t type)
{
    const struct seat *s = arg;
    return message_size_max(s->role, ROLE_SUPERVISOR, PHASE_RUN, type);
}

static const struct chan_ops SEAT_OPS = {on_frame, on_close, seat_size_max};

/* ---- the end of a process ---- */

static void restart_later(struct seat *s)
{
    int64_t lived_ms = loop_now_ms(s->sv->loop) - s->started_ms;
    if (lived_ms >= ALIVE_MS_ENOUGH || s->backoff_ms == 0)
        s->backoff_ms = BACKOFF_MS_MIN;
    s->state = SEAT_WAITING;
    timer_start(&s->restart, s->sv->loop, s->backoff_ms, (void (*)(void *))seat_start, s);
    s->backoff_ms = s->backoff_ms * 2 > BACKOFF_MS_MAX ? BACKOFF_MS_MAX : s->backoff_ms * 2;
}

static void log_end(const struct seat *s, int status)
{
    if (WIFSIGNALED(status))
        log_error("role was ended by a signal", LOG_STR("of", str_z(role_name(s->role))),
                  LOG_NUM("index", s->index),
                  LOG_STR("signal", str_z(strsignal(WTERMSIG(status)))));
    else if (!s->sv->stopping || WEXITSTATUS(status) != 0)
        log_error("role ended", LOG_STR("of", str_z(role_name(s->role))),
                  LOG_NUM("index", s->index), LOG_NUM("status", WEXITSTATUS(status)));
}

static void on_child_end(void *owner, unsigned events)
{
    struct seat *s = owner;
    struct supervisor *sv = s->sv;
    int status;
    if (!child_poll(&s->child, &status))
        return;
    watch_close(s->watch);
    s->watch = NULL;
    if (s->chan) {
        struct chan *old = s->chan;
        s->chan = NULL;
        chan_close(old);
    }
    log_end(s, status);
    s->state = SEAT_EMPTY;
    if (WIFEXITED(status) && WEXITSTATUS(status) == ROLE_EXIT_CONFIG && !sv->stopping) {
        log_error(
            "stopping: this role cannot run with the configuration it was given; mend what it "
            "reported and start again",
            LOG_STR("of", str_z(role_name(s->role))));
        stop_begin(sv, ROLE_EXIT_CONFIG);
    } else if (sv->stopping) {
        stop_step(sv);
    } else {
        restart_later(s);
    }
}

/* ---- the start of a process ---- */

static void send_copy_of(struct seat *s, enum message_type type, const void *msg, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (copy < 0) {
        log_error("out of descriptors", LOG_STR("of", str_z(role_name(s->role))));
        return;
    }
    seat_send(s, type, msg, copy);
}

/* SETUP, listeners, directories: what the role keeps through all its life. */
static void hand_over(struct seat *s)
{
    struct supervisor *sv = s->sv;
    struct msg_setup setup;
    material_setup(&sv->material, s->role, s->index, &setup);
    seat_send(s, MSG_SETUP, &setup, -1);
    for (size_t i = 0; i < sv->listeners.n; i++) {
        const struct open_listener *l = &sv->listeners.list[i];
        struct msg_listener m = {.kind = (uint8_t)l->kind, .index = l->index};
        if (listener_is_for(l, s->role, s->index))
            send_copy_of(s, MSG_LISTENER, &m, l->fd);
    }
    const struct {
        enum role role;
        enum directory_kind kind;
        int fd;
    } folders[] = {{ROLE_CORE, DIRECTORY_STORE, sv->state.store_fd},
                   {ROLE_KEEPER, DIRECTORY_KEYS, sv->state.keys_fd},
                   {ROLE_KEEPER, DIRECTORY_SECRETS, sv->state.secrets_fd},
                   {ROLE_PUBLISHER, DIRECTORY_LOG, sv->state.log_fd}};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct msg_directory m = {.kind = (uint8_t)folders[i].kind};
        if (folders[i].role == s->role)
            send_copy_of(s, MSG_DIRECTORY, &m, folders[i].fd);
    }
}

static void connect_seats(struct seat *x, struct seat *y)
{
    int pair[2];
    struct err err;
    struct msg_peer to_x = {.role = (uint8_t)y->role, .index = y->index};
    struct msg_peer to_y = {.role = (uint8_t)x->role, .index = x->index};
    if (!fdpass_pair(pair, &err)) {
        log_error("cannot connect two roles", LOG_ERR(&err));
        return;
    }
    seat_send(x, MSG_PEER, &to_x, pair[0]);
    seat_send(y, MSG_PEER, &to_y, pair[1]);
}

static bool seat_spawn(struct seat *s, struct err *err)
{
    int pair[2];
    if (!fdpass_pair(pair, err))
        return false;
    const char *const argv[] = {"ambit", "role", role_name(s->role), NULL};
    struct spawn_fd fds[] = {{pair[1], 3}, {STDERR_FILENO, STDERR_FILENO}};
    /* Sanitized builds need their options; others ignore them. */
    const char *env[] = {s->sv->sanitizer_env, NULL};
    struct spawn spawn = {.path = s->sv->program, .argv = argv, .env = env, .fds = fds, .n_fds = 2};
    bool ok = spawn_start(&spawn, &s->child, err);
    close(pair[1]);
    if (!ok) {
        close(pair[0]);
        return false;
    }
    s->state = SEAT_STARTING;
    s->started_ms = loop_now_ms(s->sv->loop);
    if (!watch_new(s->sv->loop, s->child.pidfd, WATCH_READ, on_child_end, s, &s->watch, err)) {
        close(pair[0]);
        return false;
    }
    if (!chan_new(s->sv->loop, pair[0], &SEAT_OPS, s, &s->chan, err))
        return false;
    chan_wipe_after_use(s->chan);
    return true;
}

/* Spawned, but not yet connected to the others nor told to START. */
static bool seat_open(struct seat *s)
{
    struct err err;
    if (!seat_spawn(s, &err)) {
        log_error("cannot start a role", LOG_STR("of", str_z(role_name(s->role))), LOG_ERR(&err));
        if (seat_is_alive(s))
            child_signal(&s->child, SIGKILL);
        else
            restart_later(s);
        return false;
    }
    hand_over(s);
    return true;
}

static void seat_start(struct seat *s)
{
    struct supervisor *sv = s->sv;
    struct msg_empty none = {0};
    if (sv->stopping || !seat_open(s))
        return;
    for (size_t i = 0; i < sv->seats_n; i++)
        if (seat_is_alive(&sv->seats[i]) && are_linked(s->role, sv->seats[i].role))
            connect_seats(s, &sv->seats[i]);
    seat_send(s, MSG_START, &none, -1);
}

/* All at once, so that nobody starts without his peers. */
static void start_all(struct supervisor *sv)
{
    struct msg_empty none = {0};
    bool open[SEATS_MAX] = {false};
    for (size_t i = 0; i < sv->seats_n; i++)
        open[i] = seat_open(&sv->seats[i]);
    for (size_t i = 0; i < sv->seats_n; i++)
        for (size_t k = 0; k < i; k++)
            if (open[i] && open[k] && are_linked(sv->seats[i].role, sv->seats[k].role))
                connect_seats(&sv->seats[i], &sv->seats[k]);
    for (size_t i = 0; i < sv->seats_n; i++)
        if (open[i])
            seat_send(&sv->seats[i], MSG_START, &none, -1);
}

/* ---- stopping ---- */

static void kill_all(void *owner)
{
    struct supervisor *sv = owner;
    log_warn("not everything had drained in time", LOG_NUM("ms", DRAIN_WAIT_MS_MAX));
    for (size_t i = 0; i < sv->seats_n; i++)
        if (seat_is_alive(&sv->seats[i]))
            child_signal(&sv->seats[i].child, SIGKILL);
}

static void stop_step(struct supervisor *sv)
{
    struct msg_empty none = {0};
    bool busy = false;
    while (!busy && sv->stage < STAGES_N) {
        for (size_t i = 0; i < sv->seats_n; i++) {
            struct seat *s = &sv->seats[i];
            if (s->role != STAGES[sv->stage] || !seat_is_alive(s))
                continue;
            busy = true;
            if (!s->told_to_drain)
                seat_send(s, MSG_DRAIN, &none, -1);
            s->told_to_drain = true;
        }
        sv->stage += !busy;
    }
    if (!busy)
        loop_stop(sv->loop);
}

static void stop_begin(struct supervisor *sv, int status)
{
    if (sv->stopping)
        return;
    sv->stopping = true;
    sv->status = status;
    log_info("stopping");
    for (size_t i = 0; i < sv->seats_n; i++)
        timer_stop(&sv->seats[i].restart);
    timer_start(&sv->drain, sv->loop, DRAIN_WAIT_MS_MAX, kill_all, sv);
    stop_step(sv);
}

static void on_signal(void *owner, int signo)
{
    struct supervisor *sv = owner;
    if (signo == SIGHUP)
        log_warn(
            "SIGHUP changes nothing: the configuration is read at start only; restart to apply a "
            "new one");
    else if (sv->stopping)
        kill_all(sv);
    else
        stop_begin(sv, 0);
}

/* ---- the whole ---- */

static bool open_signals(struct supervisor *sv, struct err *err)
{
    static const int signals[SIGNALS_N] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < SIGNALS_N; i++)
        if (!loop_signal_new(sv->loop, signals[i], on_signal, sv, &sv->signals[i], err))
            return false;
    return true;
}

static void add_seat(struct supervisor *sv, enum role role, uint32_t index)
{
    assert(sv->seats_n < SEATS_MAX);
    sv->seats[sv->seats_n++] = (struct seat){.sv = sv, .role = role, .index = index};
}

static bool prepare(struct supervisor *sv, const struct supervisor_options *o, struct err *err)
{
    struct conf *c = &sv->conf;
    int abi = sandbox_landlock_abi();
    if (abi == 0 && !o->allow_unsandboxed)
        return err_system(err, "this kernel has no Landlock, so files could not be walled off: use "
                               "Linux 5.13 or later, or say --allow-unsandboxed");
    if (abi == 0)
        log_warn("this kernel has no Landlock: roles and child programs can reach files that they "
                 "should not");
    if (c->edges > SEATS_MAX - SEATS_OTHERS)
        return err_input(err, "\"edges\" is %u; at most %d", c->edges, SEATS_MAX - SEATS_OTHERS);
    sv->material.uids = role_uids_of(c);
    if (!state_dir_open(&sv->arena, c, &sv->material.uids, &sv->state, err))
        return false;
    sv->material.runner_socket = sv->state.runner_socket;
    if (!material_gather(&sv->arena, c, sv->config_text, &sv->material, err) ||
        !listeners_open(&sv->arena, c, &sv->material.uids, sv->state.runner_socket, &sv->listeners,
                        err))
        return false;
    add_seat(sv, ROLE_KEEPER, 0);
    add_seat(sv, ROLE_CORE, 0);
    add_seat(sv, ROLE_RUNNER, 0);
    add_seat(sv, ROLE_PUBLISHER, 0);
    if (c->workload_socket.n)
        add_seat(sv, ROLE_WORKLOAD, 0);
    if (c->portal.address.n)
        add_seat(sv, ROLE_PORTAL, 0);
    if (c->fetches)
        add_seat(sv, ROLE_FETCHER, 0);
    if (conf_looks(c))
        add_seat(sv, ROLE_WITNESS, 0);
    for (uint32_t i = 0; i < (c->edges ? c->edges : 1); i++)
        add_seat(sv, ROLE_EDGE, i);
    return sandbox_forbid_io_uring(err) && loop_new(&sv->loop, err) && open_signals(sv, err) &&
           supervisor_drop(sv, err);
}

static void finish(struct supervisor *sv)
{
    listeners_close(&sv->listeners);
    material_fini(&sv->material);
    if (sv->loop) {
        timer_stop(&sv->drain);
        for (size_t i = 0; i < SIGNALS_N; i++)
            if (sv->signals[i])
                loop_signal_close(sv->signals[i]);
        loop_free(sv->loop);
    }
    if (sv->state.lock_fd > 0)
        close(sv->state.lock_fd);
    arena_fini(&sv->arena);
    free(sv);
}

static bool load(struct supervisor *sv, const char *path)
{
    struct conf_problems problems = {0};
    struct buf text = {0};
    bool ok = conf_load(&sv->arena, path, &sv->conf, &sv->config_text, &problems);
    conf_problems_print(&problems, str_z(path), &text);
    fprintf(stderr, "%.*s", STR(buf_str(&text)));
    buf_fini(&text);
    return ok;
}

int supervisor_main(const struct supervisor_options *options)
{
    struct err err = {0};
    struct supervisor *sv = calloc(1, sizeof *sv);
    if (!sv)
        abort();
    log_init("supervisor", LOG_INFO);
    sv->material.started_us = clock_mono_us();
    sv->program = "/proc/self/exe";
#ifdef AMBIT_SANITIZED
    sv->sanitizer_env = "ASAN_OPTIONS=detect_leaks=0";
#endif
    if (!load(sv, options->config_path)) {
        finish(sv);
        return ROLE_EXIT_CONFIG;
    }
    log_init("supervisor", sv->conf.log_level);
    if (!prepare(sv, options, &err)) {
        log_error("cannot start", LOG_ERR(&err));
        finish(sv);
        return err.kind == ERR_INPUT ? ROLE_EXIT_CONFIG : 1;
    }
    start_all(sv);
    loop_run(sv->loop);
    int status = sv->status;
    log_info("stopped");
    finish(sv);
    return status;
}
