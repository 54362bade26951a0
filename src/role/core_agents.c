/* The agent socket: core accepts, asks the kernel who it is, and hands the connection to an edge.
 * What the edge asks later in this connection's name is judged by its number, so an edge cannot
 * claim an identity. */
#include "base/log.h"
#include "net/chan.h"
#include "role/core_attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct agent_conn {
    struct core *core;
    int fd; /* until it is handed over */
    int64_t conn;
    uint32_t edge;
    struct attest *attest;
};

static str key_of(int64_t n, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%lld", (long long)n));
}

static void forget(struct agent_conn *ac)
{
    char room[24];
    map_del(&ac->core->agent_conns, key_of(ac->conn, room));
    attest_free(ac->attest);
    if (ac->fd >= 0)
        close(ac->fd);
    free(ac);
}

static void on_over(void *owner, struct attest *a, const char *why)
{
    struct agent_conn *ac = owner;
    (void)a, (void)why;
    gate_conn_closed(&ac->core->gate, ac->conn);
    forget(ac);
}

static void on_refused(void *owner, const char *why)
{
    struct agent_conn *ac = owner;
    (void)why;
    close(ac->fd);
    free(ac);
}

static void on_known(void *owner, struct attest *a)
{
    struct agent_conn *ac = owner;
    struct core *c = ac->core;
    struct core_edge *edge = core_any_edge(c);
    char room[24];
    ac->attest = a;
    ac->conn = (int64_t)++c->next_conn;
    map_put(&c->agent_conns, key_of(ac->conn, room), ac);
    if (!edge) {
        log_warn("no edge to take an agent's connection", LOG_STR("agent", a->agent->name));
        forget(ac);
        return;
    }
    ac->edge = edge->life;
    struct attested who = {.conn = ac->conn, .edge = edge->life, .agent = a->agent};
    snprintf(who.instance, sizeof who.instance, "%s", a->instance);
    gate_attest(&c->gate, &who);
    struct msg_conn m = {.conn = who.conn, .agent = a->agent->name};
    role_send_fd(edge->chan, MSG_CONN, 0, &m, ac->fd);
    ac->fd = -1;
}

static const struct attest_ops OPS = {on_known, on_refused, on_over};

static void on_agent(void *owner, int fd, const struct addr *from)
{
    struct core *c = owner;
    struct agent_conn *ac = calloc(1, sizeof *ac);
    (void)from;
    if (!ac)
        abort();
    *ac = (struct agent_conn){.core = c, .fd = fd};
    attest_begin(c, fd, "agent", false, (str){0}, &OPS, ac);
}

void core_agents_conn_closed(struct core *c, uint32_t life, int64_t conn)
{
    char room[24];
    struct agent_conn *ac = map_get(&c->agent_conns, key_of(conn, room));
    gate_conn_dropped(&c->gate, life, conn);
    if (ac && ac->edge == life)
        forget(ac);
}

void core_agents_edge_lost(struct core *c, uint32_t life)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&c->agent_conns, &i, &key, &v);)
        if (((struct agent_conn *)v)->edge == life)
            forget(v);
}

bool core_agents_listen(struct core *c, int fd, struct err *err)
{
    struct listen_opts o = {.on_fd = on_agent, .owner = c};
    return listener_adopt(c->env->loop, fd, &o, &c->agents, err);
}
