/* fetcher: the process that gets documents from outside for core: key sets, trust bundles,
 * discovery. It connects to what the configuration names, and believes nothing: core judges what it
 * brings. */
#include "role/role.h"
#include "base/log.h"
#include "crypto/hash.h"

#include <stdlib.h>

struct fetcher {
    struct role_env *env;
    struct chan *core;
};

static void *start(struct role_env *env, struct err *err)
{
    struct fetcher *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    (void)err;
    f->env = env;
    return f;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct fetcher *f = state;
    if (peer == ROLE_CORE)
        f->core = chan;
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct fetcher *f = state;
    if (f->core == chan)
        f->core = NULL;
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
}

static void on_drain(void *state)
{
    role_drained(((struct fetcher *)state)->env);
}

int role_fetcher(void)
{
    static const struct role_ops ops = {ROLE_FETCHER, start,      on_peer,
                                        on_peer_lost, on_message, on_drain};
    struct err err;
    if (!crypto_init(&err)) {
        log_error("cannot start", LOG_ERR(&err));
        return 1;
    }
    return role_main(&ops);
}
