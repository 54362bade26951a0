/* runner: see runner.h. This file is the role: its listener, its peers, its end. */
#include "role/runner.h"
#include "crypto/hash.h"
#include "net/chan.h"

#include <stdlib.h>
#include <unistd.h>

enum { VOUCHERS_MAX = 1 << 17 }; /* of one voucher life; memory is taken as it is used */

static void on_secret(struct runner *r, uint64_t id, str payload)
{
    struct msg_secret m;
    struct err err;
    if (!message_unpack(MSG_SECRET, payload, &m, &err))
        role_kill_peer(r->keeper, &err);
    else
        programs_on_secret(r, id, true, m.values);
}

static void on_no_secret(struct runner *r, uint64_t id, str payload)
{
    struct msg_text m;
    struct err err;
    if (!message_unpack(MSG_NO_SECRET, payload, &m, &err))
        role_kill_peer(r->keeper, &err);
    else
        programs_on_secret(r, id, false, m.text);
}

static void on_stop_child(struct runner *r, uint64_t id, str payload)
{
    struct msg_stop_child m;
    struct err err;
    if (!message_unpack(MSG_STOP_CHILD, payload, &m, &err)) {
        log_error("unreadable message", LOG_ERR(&err));
        return;
    }
    programs_stop_of(r, id, m.task, m.at_once != 0);
}

static const struct {
    uint16_t type;
    void (*fn)(struct runner *r, uint64_t id, str payload);
} MESSAGES[] = {
    {MSG_SECRET, on_secret},
    {MSG_NO_SECRET, on_no_secret},
    {MSG_STOP_CHILD, on_stop_child},
};

static bool listen_for_edges(struct runner *r, struct err *err)
{
    struct listen_opts o = {.on_conn = runner_on_conn, .owner = r};
    for (size_t i = 0; i < r->env->listeners_n; i++)
        if (r->env->listeners[i].kind == LISTENER_RUNNER)
            return listener_adopt(r->loop, r->env->listeners[i].fd, &o, &r->listener, err);
    return err_peer(err, "the runner's socket was not handed over");
}

static void *start(struct role_env *env, struct err *err)
{
    struct runner *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->env = env;
    r->loop = env->loop;
    r->edge_uid = env->setup.uid >= 0 ? (uid_t)env->conf.uid_base : geteuid();
    r->troubles = ARENA_ARRAY(&env->arena, struct start_trouble, env->conf.bindings_n);
    list_init(&r->programs);
    list_init(&r->stops);
    if (!secret_of(env->setup.runner_key, &r->voucher_key, err) ||
        !voucher_used_new(VOUCHERS_MAX, &r->used, err) || !listen_for_edges(r, err))
        return NULL;
    crypto_wipe((void *)(uintptr_t)env->setup.runner_key.p, env->setup.runner_key.n);
    return r;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct runner *r = state;
    if (peer == ROLE_CORE)
        r->core = chan;
    if (peer != ROLE_KEEPER)
        return;
    chan_wipe_after_use(chan);
    r->keeper = chan;
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct runner *r = state;
    if (r->core == chan) {
        r->core = NULL;
        programs_core_lost(r);
    }
    if (r->keeper != chan)
        return;
    r->keeper = NULL;
    programs_keeper_lost(r);
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    for (size_t i = 0; i < sizeof MESSAGES / sizeof MESSAGES[0]; i++)
        if (MESSAGES[i].type == type)
            MESSAGES[i].fn(state, id, payload);
}

static void on_drain(void *state)
{
    struct runner *r = state;
    listener_close(r->listener);
    r->listener = NULL;
    if (r->programs_n == 0)
        role_drained(r->env);
    LIST_EACH(&r->programs, it)
    program_stop(LIST_ENTRY(it, struct program, node), "the gateway is stopping");
}

int role_runner(void)
{
    static const struct role_ops ops = {ROLE_RUNNER,  start,      on_peer,
                                        on_peer_lost, on_message, on_drain};
    return role_main(&ops);
}
