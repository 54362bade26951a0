/* `ambit run`: a process registers itself over the launch socket and then executes the agent's
 * program in its own place. So the process that core watches is the agent from its first
 * instruction, there is no moment between fork and registration, and exit status and signals need
 * nobody to pass them on.
 *
 *     connect -> {"agent": NAME}\n          (or {}: the only one that it may launch)
 *             <- {"agent", "instance", "spiffeId", "agentSocket", "workloadSocket"}\n
 *             <- or {"error": TEXT}\n
 *
 * The launch is the process's until it ends. Who may launch which agent is by the kernel's word on
 * the process that asks (agents.NAME.launch). */
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "identity/spiffe_id.h"
#include "role/core_attest.h"

#include <stdio.h>
#include <stdlib.h>

enum { LAUNCH_LINE_BYTES_MAX = 1024, LAUNCH_WAIT_MS = 10 * 1000, LAUNCH_CONNS_MAX = 64 };

struct launch_conn {
    struct core *core;
    struct conn *conn; /* NULL once it is gone */
    struct attest *attest;
    bool asked, attesting;
};

static str key_of(pid_t pid, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%ld", (long)pid));
}

/* ---- launches ---- */

static void launch_free(struct launch *l)
{
    attest_launch_over(l->core, l);
    watch_close(l->watch);
    peer_fini(&l->peer);
    free(l);
}

static void on_launch_end(void *owner, unsigned events)
{
    struct launch *l = owner;
    char room[24];
    (void)events;
    log_info("launch over", LOG_STR("agent", l->agent->name),
             LOG_STR("instance", str_z(l->instance)));
    map_del(&l->core->launches, key_of(l->peer.pid, room));
    launch_free(l);
}

static struct launch *launch_new(struct core *c, const struct attest *a, struct err *err)
{
    char room[24];
    if (map_count(&c->launches) >= LAUNCHES_MAX) {
        err_limit(err, "over %d programs are launched", LAUNCHES_MAX);
        return NULL;
    }
    struct launch *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct launch){.core = c, .agent = a->agent};
    struct id id = id_new('l');
    snprintf(l->instance, sizeof l->instance, "%s", id.s);
    if (!peer_of_child(a->peer.pid, a->peer.pidfd, &l->peer, err)) {
        free(l);
        return NULL;
    }
    if (!watch_new(c->env->loop, l->peer.pidfd, WATCH_READ, on_launch_end, l, &l->watch, err)) {
        peer_fini(&l->peer);
        free(l);
        return NULL;
    }
    struct launch *old = map_put(&c->launches, key_of(l->peer.pid, room), l);
    if (old)
        launch_free(old);
    return l;
}

static const struct launch *find(struct core *c, pid_t pid)
{
    char room[24];
    const struct launch *l = map_get(&c->launches, key_of(pid, room));
    return l && peer_is_alive(&l->peer) ? l : NULL;
}

/* Parents are never younger than their children: a number that was used again is. */
static const struct launch *of_ancestor(struct core *c, const struct peer *p)
{
    pid_t pid = p->pid, parent;
    uint64_t start, child_start = UINT64_MAX;
    struct err err;
    for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
        if (!process_parent(pid, &parent, &start, &err) || start > child_start)
            return NULL;
        const struct launch *l = i ? find(c, pid) : NULL;
        if (l)
            return l->agent->launch_descendants && l->peer.start_ticks == start && peer_is_alive(p)
                       ? l
                       : NULL;
        child_start = start;
        pid = parent;
    }
    return NULL;
}

const struct launch *launch_of(struct core *c, const struct peer *p)
{
    if (map_count(&c->launches) == 0)
        return NULL;
    const struct launch *l = find(c, p->pid);
    if (l)
        return l->peer.start_ticks == p->start_ticks ? l : NULL;
    return of_ancestor(c, p);
}

/* ---- the socket ---- */

static void reply(struct launch_conn *lc, struct buf *b)
{
    buf_put(b, S("\n"));
    if (lc->conn) {
        conn_write(lc->conn, buf_str(b));
        conn_finish(lc->conn);
    }
}

static void reply_error(struct launch_conn *lc, const char *why)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("error"), str_z(why));
    jw_end_obj(&w);
    reply(lc, &b);
    buf_fini(&b);
}

static void reply_launched(struct launch_conn *lc, const struct launch *l)
{
    ARENA_SCOPE struct arena a = {0};
    const struct conf *conf = &lc->core->env->conf;
    struct buf b = {0};
    struct spiffe_id id = {0};
    struct err err;
    if (!spiffe_agent_make(&a, conf->trust_domain, l->agent->name, str_z(l->instance), &id, &err))
        log_warn("an agent has no SPIFFE ID", LOG_STR("agent", l->agent->name), LOG_ERR(&err));
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("agent"), l->agent->name);
    jw_kstr(&w, S("instance"), str_z(l->instance));
    jw_kstr(&w, S("spiffeId"), id.text);
    jw_kstr(&w, S("agentSocket"), conf->agent_socket);
    jw_kstr(&w, S("workloadSocket"), conf->workload_socket);
    jw_end_obj(&w);
    reply(lc, &b);
    buf_fini(&b);
}

static void on_known(void *owner, struct attest *a)
{
    struct launch_conn *lc = owner;
    struct err err = {0};
    struct launch *l = NULL;
    lc->attesting = false;
    if (!agents_may(&lc->core->gate.agents, a->agent->name, &err) ||
        !(l = launch_new(lc->core, a, &err))) {
        log_warn("launch refused", LOG_STR("agent", a->agent->name), LOG_ERR(&err));
        reply_error(lc, err.text);
    } else {
        log_info("program launched", LOG_STR("agent", l->agent->name),
                 LOG_STR("instance", str_z(l->instance)), LOG_NUM("pid", l->peer.pid),
                 LOG_NUM("uid", l->peer.uid));
        reply_launched(lc, l);
    }
    attest_free(a);
    if (!lc->conn)
        free(lc);
}

static void on_refused(void *owner, const char *why)
{
    struct launch_conn *lc = owner;
    lc->attesting = false;
    reply_error(lc, why);
    if (!lc->conn)
        free(lc);
}

static const struct attest_ops OPS = {on_known, on_refused, NULL};

static void on_line(struct launch_conn *lc, str line)
{
    ARENA_SCOPE struct arena a = {0};
    const json *v;
    struct err err;
    if (!json_read(&a, line, NULL, &v, &err) || json_type(v) != JSON_OBJECT) {
        reply_error(lc, "one JSON object on a line is wanted");
        return;
    }
    str agent = json_get_str(v, S("agent"));
    if (agent.n && !conf_agent(&lc->core->env->conf, agent)) {
        reply_error(lc, "there is no agent of this name in the configuration");
        return;
    }
    lc->attesting = true;
    attest_begin(lc->core, conn_fd(lc->conn), "launch", true, agent, &OPS, lc);
}

static void on_data(struct conn *conn)
{
    struct launch_conn *lc = conn_owner(conn);
    str in = conn_in(conn);
    ptrdiff_t end = str_find_char(in, '\n', 0);
    if (lc->asked || (end < 0 && in.n <= LAUNCH_LINE_BYTES_MAX))
        return;
    lc->asked = true;
    if (end < 0 || end > LAUNCH_LINE_BYTES_MAX)
        reply_error(lc, "the line is too long");
    else
        on_line(lc, str_take(in, (size_t)end));
}

static void on_close(struct conn *conn, const struct err *err)
{
    struct launch_conn *lc = conn_owner(conn);
    (void)err;
    lc->conn = NULL;
    if (!lc->attesting)
        free(lc);
}

/* Half a close is no end: the answer is still wanted. */
static void on_eof(struct conn *conn)
{
    struct launch_conn *lc = conn_owner(conn);
    if (!lc->asked)
        conn_finish(conn);
}

static const struct conn_ops CONN_OPS = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

static void on_launcher(void *owner, struct conn *conn)
{
    struct launch_conn *lc = calloc(1, sizeof *lc);
    if (!lc)
        abort();
    *lc = (struct launch_conn){.core = owner, .conn = conn};
    conn_set_owner(conn, &CONN_OPS, lc);
    conn_deadline(conn, LAUNCH_WAIT_MS, "request");
}

bool core_launch_listen(struct core *c, int fd, struct err *err)
{
    struct listen_opts o = {.conns_max = LAUNCH_CONNS_MAX,
                            .in_mark = 2 * LAUNCH_LINE_BYTES_MAX,
                            .on_conn = on_launcher,
                            .owner = c};
    return listener_adopt(c->env->loop, fd, &o, &c->launch, err);
}
