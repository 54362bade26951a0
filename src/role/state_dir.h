/* state_dir: the folder in which a gateway keeps what must outlive it, and who may enter which
 * part.
 *
 *     state/            0711  the sockets of agents and operators are here by default
 *     state/lock              one gateway at a time (os/lock.h)
 *     state/store/      0700  core: database, ledger
 *     state/keys/       0700  keeper: signing keys, the key that seals secrets
 *     state/secrets/    0700  keeper: sealed secrets, one file each
 *     state/log/        0750  publisher: the log, for whoever is let in (its group, a web server)
 *     state/run/        0711  the runner's socket
 *     state/children/   0711  runner: a scratch folder for each child program, emptied at start
 *
 * Used by the supervisor, at start, before it gives up its privileges. */
#pragma once
#include "base/arena.h"
#include "conf/conf.h"
#include <sys/types.h>

/* Who is who when started as root with a uidBase; otherwise every uid is -1: stay. */
struct role_uids {
    int64_t edge, core, keeper, runner, child, workload, portal, fetcher, witness, publisher;
};
struct role_uids role_uids_of(const struct conf *c);

struct state_dir { /* owns the descriptors, for the life of the process */
    int lock_fd, store_fd, keys_fd, secrets_fd, log_fd;
    str runner_socket;
};

/* ERR_DENIED if another gateway has the folder. */
MUST_USE bool state_dir_open(struct arena *a, const struct conf *c, const struct role_uids *uids,
                             struct state_dir *out, struct err *err);
