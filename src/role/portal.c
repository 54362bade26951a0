/* portal: the process that people reach with a browser: sign-in, consent, approvals. It shows and
 * asks; core decides. It keeps no state that matters (door/portal.h). */
#include "base/log.h"
#include "door/portal.h"
#include "net/chan.h"
#include "net/timer.h"
#include "role/role.h"

#include <stdlib.h>

enum { PORTAL_CONNS_MAX = 512, TICK_MS = 1000, DRAIN_STEPS_MAX = 10 };

struct portal {
    struct role_env *env;
    struct portal_door *door;
    struct chan *core;
    struct listener *listener;
    struct timer tick;
    unsigned drain_steps;
};

static bool ask(void *ctx, uint64_t id, const struct msg_people_ask *m)
{
    struct portal *p = ctx;
    if (p->core)
        role_send(p->core, MSG_PEOPLE_ASK, id, m);
    return p->core != NULL;
}

static void on_conn(void *owner, struct conn *conn)
{
    portal_door_serve(((struct portal *)owner)->door, conn);
}

static void on_tick(void *owner)
{
    struct portal *p = owner;
    portal_door_tick(p->door);
    if (p->env->draining && (!portal_door_busy(p->door) || ++p->drain_steps > DRAIN_STEPS_MAX))
        role_drained(p->env);
    else
        timer_start(&p->tick, p->env->loop, TICK_MS, on_tick, p);
}

/* The run of certificate and key; empty without TLS. */
static bool listen_on(struct portal *p, int fd, struct err *err)
{
    str run = p->env->setup.tls, cert, key;
    bool bad = false;
    struct tls *tls = NULL;
    if (unpack_str(&run, &cert, &bad) && unpack_str(&run, &key, &bad)) {
        struct tls_server_opts o = {.cert_pem = cert, .key_pem = key};
        if (!tls_server_new(&o, &tls, err))
            return err_in(err, "portal");
    }
    struct listen_opts o = {
        .conns_max = PORTAL_CONNS_MAX, .tls = tls, .on_conn = on_conn, .owner = p};
    bool ok = listener_adopt(p->env->loop, fd, &o, &p->listener, err);
    tls_unref(tls);
    return ok;
}

static void *start(struct role_env *env, struct err *err)
{
    struct portal *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->env = env;
    struct portal_door_opts o = {.loop = env->loop, .conf = &env->conf, .ask = ask, .ctx = p};
    p->door = portal_door_new(&o);
    for (size_t i = 0; i < env->listeners_n; i++)
        if (env->listeners[i].kind == LISTENER_PORTAL && !listen_on(p, env->listeners[i].fd, err))
            return NULL;
    timer_start(&p->tick, env->loop, TICK_MS, on_tick, p);
    return p;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct portal *p = state;
    (void)index;
    if (peer == ROLE_CORE) {
        p->core = chan;
        chan_wipe_after_use(chan); /* sessions pass here */
    }
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct portal *p = state;
    (void)peer;
    (void)index;
    if (p->core == chan) {
        p->core = NULL;
        portal_door_core_lost(p->door);
    }
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    struct portal *p = state;
    struct msg_text m;
    struct err err;
    (void)index;
    (void)fd;
    if (peer != ROLE_CORE || type != MSG_PEOPLE_ANSWER)
        return;
    if (message_unpack(MSG_PEOPLE_ANSWER, payload, &m, &err))
        portal_door_answer(p->door, id, m.text);
    else
        role_kill_peer(chan, &err);
}

static void on_drain(void *state)
{
    struct portal *p = state;
    listener_close(p->listener);
    p->listener = NULL;
    timer_start(&p->tick, p->env->loop, 1, on_tick, p);
}

int role_portal(void)
{
    static const struct role_ops ops = {.self = ROLE_PORTAL,
                                        .start = start,
                                        .on_peer = on_peer,
                                        .on_peer_lost = on_peer_lost,
                                        .on_message = on_message,
                                        .on_drain = on_drain};
    return role_main(&ops);
}
