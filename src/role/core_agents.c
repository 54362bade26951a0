/* The agent socket: core accepts, asks the kernel who it is, and hands the connection to an edge.
 * What the edge asks later in this connection's name is judged by its number, so an edge cannot
 * claim an identity. */
#include "role/core_int.h"
#include "base/log.h"
#include "os/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct agent_conn {
    struct core *core;
    struct peer peer;
    int64_t conn;
    struct watch *watch; /* on the process: its identity dies with it */
};

/* Every selector that is set must match. */
static bool matches(const struct conf_agent *agent, const struct peer *peer)
{
    return agent->attestable && (agent->uid < 0 || agent->uid == (int64_t)peer->uid) &&
           (agent->gid < 0 || agent->gid == (int64_t)peer->gid);
}

static const struct conf_agent *agent_of(const struct conf *conf, const struct peer *peer,
                                         size_t *matching)
{
    const struct conf_agent *found = NULL;
    *matching = 0;
    for (size_t i = 0; i < conf->agents_n; i++)
        if (matches(&conf->agents[i], peer)) {
            found = &conf->agents[i];
            ++*matching;
        }
    return *matching == 1 ? found : NULL;
}

static void on_process_end(void *owner, unsigned events)
{
    struct agent_conn *ac = owner;
    (void)events;
    gate_conn_closed(&ac->core->gate, ac->conn);
    watch_close(ac->watch);
    peer_fini(&ac->peer);
    free(ac);
}

static void hand_over(struct core *c, int fd, struct peer *peer, const struct conf_agent *agent)
{
    struct err err;
    struct core_edge *edge = core_any_edge(c);
    struct attested who = {.conn = (int64_t)++c->next_conn, .agent = agent};
    if (!edge) {
        log_warn("no edge to take an agent's connection", LOG_STR("agent", agent->name));
        close(fd);
        peer_fini(peer);
        return;
    }
    who.edge = edge->life;
    snprintf(who.instance, sizeof who.instance, "pid-%d", (int)peer->pid);
    struct agent_conn *ac = calloc(1, sizeof *ac);
    if (!ac)
        abort();
    *ac = (struct agent_conn){.core = c, .peer = *peer, .conn = who.conn};
    if (!watch_new(c->env->loop, peer->pidfd, WATCH_READ, on_process_end, ac, &ac->watch, &err)) {
        log_error("agent's process cannot be watched", LOG_ERR(&err));
        close(fd);
        peer_fini(peer);
        free(ac);
        return;
    }
    gate_attest(&c->gate, &who);
    struct msg_conn m = {.conn = who.conn, .agent = agent->name};
    role_send_fd(edge->chan, MSG_CONN, 0, &m, fd);
    log_info("agent attested", LOG_STR("agent", agent->name), LOG_NUM("pid", peer->pid),
             LOG_NUM("uid", peer->uid));
}

static void on_agent(void *owner, int fd, const struct addr *from)
{
    struct core *c = owner;
    struct peer peer;
    struct err err;
    size_t matching;
    (void)from;
    if (!peer_attest(fd, &peer, &err)) {
        log_warn("agent connection refused", LOG_ERR(&err));
        close(fd);
        return;
    }
    const struct conf_agent *agent = agent_of(&c->env->conf, &peer, &matching);
    if (agent) {
        hand_over(c, fd, &peer, agent);
        return;
    }
    log_warn(matching ? "agent connection refused: several agents match the process"
                      : "agent connection refused: no agent matches the process",
             LOG_NUM("pid", peer.pid), LOG_NUM("uid", peer.uid));
    peer_fini(&peer);
    close(fd);
}

bool core_agents_listen(struct core *c, int fd, struct err *err)
{
    struct listen_opts o = {.on_fd = on_agent, .owner = c};
    return listener_adopt(c->env->loop, fd, &o, &c->agents, err);
}
