/* drop: give up, for good, what a role does not need.
 *
 * Order matters and is kept inside: groups, gid, uid, proof that none of them comes back,
 * capabilities, no-new-privs, no core dumps and no ptrace by others (PR_SET_DUMPABLE 0). Every
 * failure is an error: the caller must end the process, because it may stand half-way. Called once,
 * at start, before any thread. */
#pragma once
#include "base/err.h"
#include <stdint.h>
#include <sys/types.h>

struct drop {
    bool set_ids; /* needs root: change to uid and gid, no supplementary groups; neither may be 0 */
    uid_t uid;
    gid_t gid;
    uint64_t keep_caps; /* 1 << CAP_...: kept all the same, for the one role that starts others */
};

MUST_USE bool drop_privileges(const struct drop *d, struct err *err);
/* Standard input becomes /dev/null. */
MUST_USE bool drop_stdin(struct err *err);
