/* publisher: the process that writes the published log, and nothing else: `<state>/log`, a C2SP
 * tlog-tiles directory (ledger/log_grow.h) that anybody may verify, copy or serve.
 *
 *     start -> HAVE(what the folder holds, verified) -> LEAVES ... each answered by HAVE
 *           -> CHECKPOINT -> tiles, then the file `checkpoint` -> PUBLISHED
 *
 * It computes every hash itself, so the root that the keeper has signed is computed twice, from the
 * same leaves, by two processes; where they differ nothing is published, and core is told.
 *
 * An error of the disk ends the process: nothing is written twice after a failed fsync. The next
 * one looks at what the folder truly holds, and core sends the rest again out of the database,
 * which is the truth. Calls do not wait for any of this. */
#include "role/role.h"
#include "base/log.h"
#include "ledger/log_grow.h"
#include "net/chan.h"

#include <stdlib.h>

struct publisher {
    struct chan *core;
    struct log_grow *log;
};

static void say_have(struct publisher *p)
{
    struct msg_log_have m = {.size = (int64_t)log_grow_size(p->log)};
    role_send(p->core, MSG_LOG_HAVE, 0, &m);
}

static void die(const struct err *err)
{
    log_error("the log could not be written; calls go on, and it is taken up again from the "
              "database",
              LOG_ERR(err));
    exit(1);
}

/* False: core broke the rules. */
static bool on_leaves(struct publisher *p, str payload, struct err *err)
{
    struct msg_log_leaves m;
    if (!message_unpack(MSG_LOG_LEAVES, payload, &m, err))
        return false;
    if (m.first != (int64_t)log_grow_size(p->log))
        return err_peer(err, "leaves out of order");
    while (m.entries.n) {
        const uint8_t *b = (const uint8_t *)m.entries.p;
        size_t n = m.entries.n < 2 ? 0 : (size_t)(b[0] << 8 | b[1]);
        if (m.entries.n < 2 || m.entries.n - 2 < n)
            return err_peer(err, "a leaf is cut short");
        struct err disk = {0};
        if (!log_grow_add(p->log, str_of(m.entries.p + 2, n), &disk))
            die(&disk);
        m.entries = str_skip(m.entries, n + 2);
    }
    say_have(p);
    return true;
}

static bool on_checkpoint(struct publisher *p, str payload, struct err *err)
{
    struct msg_log_checkpoint m;
    if (!message_unpack(MSG_LOG_CHECKPOINT, payload, &m, err))
        return false;
    struct err why = {0};
    struct msg_log_published done = {.size = m.size};
    if (!log_grow_publish(p->log, m.note, &why)) {
        if (why.kind == ERR_SYSTEM)
            die(&why);
        done.why = str_z(why.text);
    }
    role_send(p->core, MSG_LOG_PUBLISHED, 0, &done);
    return true;
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    struct publisher *p = state;
    struct err err = {0};
    (void)peer, (void)index, (void)id, (void)fd;
    bool ok =
        type == MSG_LOG_LEAVES ? on_leaves(p, payload, &err) : on_checkpoint(p, payload, &err);
    if (!ok)
        role_kill_peer(chan, &err);
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct publisher *p = state;
    (void)index;
    if (peer != ROLE_CORE)
        return;
    p->core = chan;
    say_have(p);
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct publisher *p = state;
    (void)peer, (void)index;
    if (p->core == chan)
        p->core = NULL;
}

static void *start(struct role_env *env, struct err *err)
{
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    if (!log_grow_open(env->directories[DIRECTORY_LOG], env->conf.origin, &p->log, err)) {
        free(p);
        return NULL;
    }
    if (log_grow_damage(p->log).n)
        log_error("the published log was damaged, or somebody changed it: it is written again from "
                  "the database",
                  LOG_STR("found", log_grow_damage(p->log)));
    return p;
}

int role_publisher(void)
{
    static const struct role_ops ops = {.self = ROLE_PUBLISHER,
                                        .start = start,
                                        .on_peer = on_peer,
                                        .on_peer_lost = on_peer_lost,
                                        .on_message = on_message};
    return role_main(&ops);
}
