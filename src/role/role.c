/* role: the life of a role process, the same for all.
 *
 *     exec -> waiting for SETUP ... START (phase SETUP, only the supervisor speaks)
 *          -> walls -> ops->start -> peers announced -> READY (phase RUN)
 *          -> [DRAIN -> ops->on_drain -> role_drained] -> DRAINED sent -> exit 0
 *
 * At any time: the supervisor's channel ends -> exit. A role never outlives its supervisor.
 *
 * A peer that breaks the rules loses its channel. If we are the more trusted of the two we accuse
 * it to the supervisor, which ends and restarts it; if it is the more trusted one, the fault is
 * taken to be ours and this process ends. */
#include "role/role.h"
#include "os/sandbox.h"
#include "role/walls.h"
#include "base/limits.h"
#include "base/list.h"
#include "crypto/hash.h"
#include "net/chan.h"
#include "net/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SUPERVISOR_FD = 3, PEERS_WAITING_MAX = 64, EXIT_BROKEN = 1 };

struct rt;

struct peer_link { /* one channel; freed in its on_close */
    struct list node;
    struct rt *rt;
    enum role role;
    uint32_t index;
    struct chan *chan;
    bool announced; /* on_peer was called */
};

struct waiting_peer { /* came before START */
    enum role role;
    uint32_t index;
    int fd;
};

struct rt {
    const struct role_ops *ops;
    struct role_env env;
    void *state;
    enum phase phase;
    bool have_setup, ended, drained;
    int status;
    struct peer_link sup;
    struct list peers;
    struct waiting_peer waiting[PEERS_WAITING_MAX];
    size_t waiting_n;
};

/* From most to least trusted: who is believed when two roles disagree. */
static unsigned trust(enum role r)
{
    static const unsigned char order[ROLE_COUNT] = {
        [ROLE_SUPERVISOR] = 5, [ROLE_KEEPER] = 4,   [ROLE_CORE] = 3,    [ROLE_RUNNER] = 2,
        [ROLE_WORKLOAD] = 1,   [ROLE_PORTAL] = 1,   [ROLE_FETCHER] = 1, [ROLE_WITNESS] = 2,
        [ROLE_EDGE] = 1,       [ROLE_PUBLISHER] = 1};
    return r < ROLE_COUNT ? order[r] : 0;
}

static void rt_end(struct rt *rt, int status)
{
    if (!rt->ended) {
        rt->ended = true;
        rt->status = status;
    }
    loop_stop(rt->env.loop);
}

/* ---- sending ---- */

void role_send_fd(struct chan *chan, enum message_type type, uint64_t id, const void *msg, int fd)
{
    const struct peer_link *p = chan_owner(chan);
    const struct message *m = message_find((uint16_t)type);
    assert(m && (m->from & 1u << p->rt->env.self) && (m->to & 1u << p->role));
    assert(m->with_fd == (fd >= 0));
    struct buf b = {.max = IPC_FRAME_BYTES_MAX};
    message_pack(type, msg, &b);
    if (b.over || buf_len(&b) > m->size_max) {
        log_error("message too large to send", LOG_STR("type", str_z(m->name)),
                  LOG_NUM("bytes", (int64_t)buf_len(&b)));
        if (fd >= 0)
            close(fd);
    } else {
        chan_send(chan, (uint16_t)type, id, buf_str(&b), fd);
    }
    /* It may have been a secret. */
    buf_wipe(&b);
}

void role_send(struct chan *chan, enum message_type type, uint64_t id, const void *msg)
{
    role_send_fd(chan, type, id, msg, -1);
}

void role_kill_peer(struct chan *chan, const struct err *why)
{
    struct peer_link *p = chan_owner(chan);
    struct rt *rt = p->rt;
    log_error("peer broke the rules", LOG_STR("peer", str_z(role_name(p->role))),
              LOG_NUM("index", p->index), LOG_ERR(why));
    chan_close(chan);
    if (trust(p->role) > trust(rt->env.self)) {
        rt_end(rt, EXIT_BROKEN);
        return;
    }
    struct msg_peer msg = {.role = (uint8_t)p->role, .index = p->index};
    if (rt->sup.chan)
        role_send(rt->sup.chan, MSG_ACCUSE, 0, &msg);
}

void role_drained(struct role_env *env)
{
    struct rt *rt = (struct rt *)(void *)((char *)env - offsetof(struct rt, env));
    struct msg_empty msg = {0};
    if (rt->drained)
        return;
    rt->drained = true;
    if (!rt->sup.chan)
        return;
    role_send(rt->sup.chan, MSG_DRAINED, 0, &msg);
    chan_close(rt->sup.chan); /* its end ends the loop */
}

/* ---- peers ---- */

static uint32_t link_size_max(void *arg, uint16_t type)
{
    const struct peer_link *p = arg;
    enum phase phase = p->role == ROLE_SUPERVISOR ? p->rt->phase : PHASE_RUN;
    return message_size_max(p->role, p->rt->env.self, phase, type);
}

static void on_peer_frame(struct chan *ch, uint16_t type, uint64_t id, str payload, int fd)
{
    struct peer_link *p = chan_owner(ch);
    const struct message *m = message_find(type);
    struct err err = {0};
    if (!m || m->with_fd != (fd >= 0)) {
        if (fd >= 0)
            close(fd);
        (void)!err_peer(&err, "a descriptor is missing or was not asked for");
        role_kill_peer(ch, &err);
        return;
    }
    p->rt->ops->on_message(p->rt->state, p->role, p->index, ch, type, id, payload, fd);
}

static void on_peer_close(struct chan *ch, const struct err *err)
{
    struct peer_link *p = chan_owner(ch);
    struct rt *rt = p->rt;
    if (p->announced && !rt->ended)
        rt->ops->on_peer_lost(rt->state, p->role, p->index, ch);
    if (err && (err->kind == ERR_PEER || err->kind == ERR_LIMIT) && !rt->ended)
        role_kill_peer(ch, err);
    list_remove(&p->node);
    free(p);
}

static const struct chan_ops PEER_OPS = {on_peer_frame, on_peer_close, link_size_max};

static void peer_open(struct rt *rt, enum role role, uint32_t index, int fd)
{
    struct err err;
    struct peer_link *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    *p = (struct peer_link){.rt = rt, .role = role, .index = index};
    if (!chan_new(rt->env.loop, fd, &PEER_OPS, p, &p->chan, &err)) {
        log_error("cannot open the channel to a peer", LOG_STR("peer", str_z(role_name(role))),
                  LOG_ERR(&err));
        free(p);
        rt_end(rt, EXIT_BROKEN);
        return;
    }
    list_append(&rt->peers, &p->node);
    p->announced = true;
    rt->ops->on_peer(rt->state, role, index, p->chan);
}

/* ---- the supervisor's messages ---- */

typedef bool on_setup_message(struct rt *rt, str payload, int fd, struct err *err);

static bool read_conf(struct rt *rt, struct err *err)
{
    struct role_env *env = &rt->env;
    struct conf_problems problems = {0};
    if (!conf_read(&env->arena, env->setup.config_name, env->setup.config_dir, env->setup.config,
                   &env->conf, &problems))
        return err_input(err, "the configuration does not read: %.*s",
                         STR(problems.n ? problems.list[0].text : S("no reason given")));
    size_t n = 0;
    bool bad = false;
    str run = env->setup.policies, name, text;
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &text, &bad))
        n++;
    if (bad)
        return err_peer(err, "policies are not a run of names and texts");
    run = env->setup.policies;
    env->conf.policies = ARENA_ARRAY(&env->arena, struct conf_policy_file, n);
    env->conf.policies_n = n;
    for (size_t i = 0; i < n; i++) {
        struct conf_policy_file *p = &env->conf.policies[i];
        (void)(unpack_str(&run, &p->name, &bad) && unpack_str(&run, &p->text, &bad));
    }
    return true;
}

static bool on_setup(struct rt *rt, str payload, int fd, struct err *err)
{
    if (rt->have_setup)
        return err_peer(err, "a second SETUP");
    /* The strs of the message live as long as the process. */
    str kept = str_dup(&rt->env.arena, payload);
    if (!message_unpack(MSG_SETUP, kept, &rt->env.setup, err))
        return false;
    rt->have_setup = true;
    rt->env.index = rt->env.setup.index;
    if (!read_conf(rt, err))
        return false;
    log_init(role_name(rt->env.self), rt->env.conf.log_level);
    return true;
}

static bool on_listener(struct rt *rt, str payload, int fd, struct err *err)
{
    struct msg_listener m;
    struct role_env *env = &rt->env;
    if (!message_unpack(MSG_LISTENER, payload, &m, err))
        return false;
    if (env->listeners_n == ROLE_LISTENERS_MAX)
        return err_limit(err, "over %d listeners", ROLE_LISTENERS_MAX);
    env->listeners[env->listeners_n++] =
        (struct role_listener){(enum listener_kind)m.kind, m.index, fd};
    return true;
}

static bool on_directory(struct rt *rt, str payload, int fd, struct err *err)
{
    struct msg_directory m;
    if (!message_unpack(MSG_DIRECTORY, payload, &m, err))
        return false;
    if (m.kind == DIRECTORY_NONE || m.kind >= ROLE_DIRECTORIES_MAX ||
        rt->env.directories[m.kind] >= 0)
        return err_peer(err, "directory kind %u is unknown or given twice", m.kind);
    rt->env.directories[m.kind] = fd;
    return true;
}

static bool on_peer(struct rt *rt, str payload, int fd, struct err *err)
{
    struct msg_peer m;
    if (!message_unpack(MSG_PEER, payload, &m, err))
        return false;
    if (m.role >= ROLE_COUNT)
        return err_peer(err, "no such role");
    if (rt->phase == PHASE_RUN) {
        peer_open(rt, (enum role)m.role, m.index, fd);
        return true;
    }
    if (rt->waiting_n == PEERS_WAITING_MAX)
        return err_limit(err, "over %d peers", PEERS_WAITING_MAX);
    rt->waiting[rt->waiting_n++] = (struct waiting_peer){(enum role)m.role, m.index, fd};
    return true;
}

static bool on_start(struct rt *rt, str payload, int fd, struct err *err)
{
    struct msg_empty ready = {0};
    if (!rt->have_setup)
        return err_peer(err, "START before SETUP");
    rt->phase = PHASE_RUN;
    if (!walls_enter(&rt->env, err))
        return false;
    rt->state = rt->ops->start(&rt->env, err);
    if (!rt->state)
        return false;
    for (size_t i = 0; i < rt->waiting_n; i++)
        peer_open(rt, rt->waiting[i].role, rt->waiting[i].index, rt->waiting[i].fd);
    role_send(rt->sup.chan, MSG_READY, 0, &ready);
    return true;
}

static bool on_drain(struct rt *rt, str payload, int fd, struct err *err)
{
    if (rt->env.draining)
        return true;
    rt->env.draining = true;
    if (rt->phase == PHASE_SETUP)
        rt_end(rt, 0);
    else if (rt->ops->on_drain)
        rt->ops->on_drain(rt->state);
    else
        role_drained(&rt->env);
    return true;
}

static const struct {
    uint16_t type;
    on_setup_message *fn;
} SUPERVISOR_MESSAGES[] = {
    {MSG_SETUP, on_setup}, {MSG_LISTENER, on_listener}, {MSG_DIRECTORY, on_directory},
    {MSG_PEER, on_peer},   {MSG_START, on_start},       {MSG_DRAIN, on_drain},
};

static void on_supervisor_frame(struct chan *ch, uint16_t type, uint64_t id, str payload, int fd)
{
    struct rt *rt = ((struct peer_link *)chan_owner(ch))->rt;
    const struct message *m = message_find(type);
    struct err err = {0};
    bool ok = m && m->with_fd == (fd >= 0);
    if (!ok)
        (void)!err_peer(&err, "a descriptor is missing or was not asked for");
    for (size_t i = 0; ok && i < sizeof SUPERVISOR_MESSAGES / sizeof SUPERVISOR_MESSAGES[0]; i++)
        if (SUPERVISOR_MESSAGES[i].type == type)
            ok = SUPERVISOR_MESSAGES[i].fn(rt, payload, fd, &err);
    if (ok)
        return;
    log_error("cannot start", LOG_ERR(&err));
    rt_end(rt, err.kind == ERR_INPUT ? ROLE_EXIT_CONFIG : EXIT_BROKEN);
}

static void on_supervisor_close(struct chan *ch, const struct err *err)
{
    struct rt *rt = ((struct peer_link *)chan_owner(ch))->rt;
    rt->sup.chan = NULL;
    if (!rt->drained)
        log_error("the supervisor is gone", LOG_STR("error", str_z(err ? err->text : "end")));
    rt_end(rt, rt->drained ? 0 : EXIT_BROKEN);
}

static const struct chan_ops SUPERVISOR_OPS = {on_supervisor_frame, on_supervisor_close,
                                               link_size_max};

int role_main(const struct role_ops *ops)
{
    struct err err;
    struct rt *rt = calloc(1, sizeof *rt);
    if (!rt)
        abort();
    *rt = (struct rt){.ops = ops, .phase = PHASE_SETUP, .status = EXIT_BROKEN};
    rt->env.self = ops->self;
    for (size_t i = 0; i < ROLE_DIRECTORIES_MAX; i++)
        rt->env.directories[i] = -1;
    list_init(&rt->peers);
    log_init(role_name(ops->self), LOG_INFO);
    /* The supervisor decides when a role ends; a terminal's Ctrl-C reaches it too. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    rt->sup = (struct peer_link){.rt = rt, .role = ROLE_SUPERVISOR};
    if (!crypto_init(&err)) {
        log_error("cannot start", LOG_ERR(&err));
        return EXIT_BROKEN;
    }
    if (!sandbox_forbid_io_uring(&err) || !loop_new(&rt->env.loop, &err) ||
        !chan_new(rt->env.loop, SUPERVISOR_FD, &SUPERVISOR_OPS, &rt->sup, &rt->sup.chan, &err)) {
        log_error("cannot start: this is started by `ambit serve` only", LOG_ERR(&err));
        return EXIT_BROKEN;
    }
    chan_wipe_after_use(rt->sup.chan); /* SETUP holds keys */
    loop_run(rt->env.loop);
    /* The process ends here: its memory and descriptors go with it. */
    return rt->status;
}
