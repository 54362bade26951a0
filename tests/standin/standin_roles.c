/* Roles that do nothing but live: for testing the supervisor and its channels without an edge or a
 * core. */
#include "role/role.h"

#include <stdlib.h>

struct standin {
    struct role_env *env;
};

static void *start(struct role_env *env, struct err *err)
{
    struct standin *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->env = env;
    return s;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    log_info("peer", LOG_STR("peer", str_z(role_name(peer))), LOG_NUM("peer_index", index));
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    log_info("peer lost", LOG_STR("peer", str_z(role_name(peer))), LOG_NUM("peer_index", index));
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    log_info("message", LOG_STR("peer", str_z(role_name(peer))), LOG_NUM("type", type));
}

static void on_drain(void *state)
{
    role_drained(((struct standin *)state)->env);
}

int role_core(void);
int role_edge(void);

#ifndef AMBIT_HAVE_REAL_CORE
int role_core(void)
{
    static const struct role_ops ops = {ROLE_CORE,    start,      on_peer,
                                        on_peer_lost, on_message, on_drain};
    return role_main(&ops);
}
#endif

#ifndef AMBIT_HAVE_REAL_EDGE
int role_edge(void)
{
    static const struct role_ops ops = {ROLE_EDGE,    start,      on_peer,
                                        on_peer_lost, on_message, on_drain};
    return role_main(&ops);
}
#endif
