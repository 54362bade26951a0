/* workload: the process that serves the SPIFFE Workload API, over connections that core accepted
 * and attested. It holds the leaf keys of what is connected to it, and nothing else. */
#include "role/role.h"
#include "base/log.h"
#include "crypto/hash.h"

#include <stdlib.h>

struct workload {
    struct role_env *env;
    struct chan *core;
};

static void *start(struct role_env *env, struct err *err)
{
    struct workload *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    (void)err;
    w->env = env;
    return w;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct workload *w = state;
    if (peer == ROLE_CORE)
        w->core = chan;
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct workload *w = state;
    if (w->core == chan)
        w->core = NULL;
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
}

static void on_drain(void *state)
{
    role_drained(((struct workload *)state)->env);
}

int role_workload(void)
{
    static const struct role_ops ops = {ROLE_WORKLOAD, start,      on_peer,
                                        on_peer_lost,  on_message, on_drain};
    struct err err;
    if (!crypto_init(&err)) {
        log_error("cannot start", LOG_ERR(&err));
        return 1;
    }
    return role_main(&ops);
}
