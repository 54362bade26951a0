/* What core has the witness look at: the program files of processes. */
#include "base/limits.h"
#include "base/log.h"
#include "role/core_attest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct looking {
    struct core *core;
    uint64_t id;
    look_done *done;
    void *arg;
    struct timer wait;
};

static str key_of(uint64_t id, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%llu", (unsigned long long)id));
}

static void end(struct looking *l, const struct msg_looked *m, const char *why)
{
    char room[24];
    map_del(&l->core->looks, key_of(l->id, room));
    timer_stop(&l->wait);
    l->done(l->arg, m, why);
    free(l);
}

/* It hangs on a file system that a stranger may own. It is ended and comes back. */
static void on_wait(void *owner)
{
    struct looking *l = owner;
    struct err err;
    struct chan *witness = l->core->witness;
    (void)err_peer(&err, "no look at a program within %d ms", LOOK_WAIT_MS_MAX);
    end(l, NULL, "the program file could not be looked at in time");
    if (witness)
        role_kill_peer(witness, &err);
}

void core_look(struct core *c, int pidfd, bool sha256, look_done *done, void *arg)
{
    char room[24];
    int copy = c->witness ? fcntl(pidfd, F_DUPFD_CLOEXEC, 3) : -1;
    if (copy < 0) {
        done(arg, NULL, "the program file cannot be looked at: the witness is restarting");
        return;
    }
    struct looking *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct looking){.core = c, .id = core_new_id(c), .done = done, .arg = arg};
    map_put(&c->looks, key_of(l->id, room), l);
    timer_start(&l->wait, c->env->loop, LOOK_WAIT_MS_MAX, on_wait, l);
    role_send_fd(c->witness, MSG_LOOK, l->id, &(struct msg_look){.sha256 = sha256}, copy);
}

void core_on_looked(struct core *c, uint64_t id, const struct msg_looked *m)
{
    char room[24];
    struct looking *l = map_get(&c->looks, key_of(id, room));
    if (l)
        end(l, m, NULL);
}

void core_witness_lost(struct core *c)
{
    str id;
    void *v;
    c->witness = NULL;
    for (;;) {
        size_t i = 0;
        if (!map_next(&c->looks, &i, &id, &v))
            return;
        end(v, NULL, "the program file could not be looked at: the witness has ended");
    }
}
