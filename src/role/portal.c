/* portal: the process that people reach with a browser: sign-in, consent, approvals. It shows and
 * asks; core decides. It keeps no state that matters. */
#include "role/role.h"
#include "base/log.h"
#include "crypto/hash.h"

#include <stdlib.h>

struct portal {
    struct role_env *env;
    struct chan *core;
};

static void *start(struct role_env *env, struct err *err)
{
    struct portal *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    (void)err;
    p->env = env;
    return p;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct portal *p = state;
    if (peer == ROLE_CORE)
        p->core = chan;
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct portal *p = state;
    if (p->core == chan)
        p->core = NULL;
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
}

static void on_drain(void *state)
{
    role_drained(((struct portal *)state)->env);
}

int role_portal(void)
{
    static const struct role_ops ops = {ROLE_PORTAL,  start,      on_peer,
                                        on_peer_lost, on_message, on_drain};
    struct err err;
    if (!crypto_init(&err)) {
        log_error("cannot start", LOG_ERR(&err));
        return 1;
    }
    return role_main(&ops);
}
