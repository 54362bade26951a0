/* peer: who is at the other end of a Unix socket, in the kernel's words (unix(7)).
 *
 * SO_PEERCRED names the process that connected and SO_PEERPIDFD (Linux 6.5) holds on to it, so a
 * number used again, or a socket inherited by a child after the attested process ended, does not
 * pass for it. Where the option is missing the pidfd is opened by number and the start time
 * compared before and after. The process found is not proven to be the one that writes now; end the
 * stream when the pidfd becomes readable. Everything read from /proc is re-checked for liveness
 * afterwards. Thread-safe: no state. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include <sys/types.h>

enum { PEER_GROUPS_MAX = 1024 };

struct peer { /* owns pidfd */
    pid_t pid;
    uid_t uid;
    gid_t gid;
    int pidfd;            /* close-on-exec; readable (poll) when the process has ended */
    uint64_t start_ticks; /* start time since boot in clock ticks: with pid, a name that is not used
                             again */
};

/* Fails (ERR_DENIED) if the process is gone. */
MUST_USE bool peer_attest(int sock, struct peer *out, struct err *err);
/* The same facts of a process we started ourselves. pidfd is duplicated. */
MUST_USE bool peer_of_child(pid_t pid, int pidfd, struct peer *out, struct err *err);
bool peer_is_alive(const struct peer *p);
/* Path of the program file as the kernel sees it. ERR_DENIED if it was removed or the process is
 * gone. Needs the same uid or root. */
MUST_USE bool peer_exe_path(const struct peer *p, struct arena *a, str *out, struct err *err);
/* The program file itself, open for reading (to be hashed); the caller closes it. */
MUST_USE bool peer_exe_open(const struct peer *p, int *out_fd, struct err *err);
/* Its cgroup (v2) path, such as /system.slice/agent.service; empty where there is none. */
MUST_USE bool peer_cgroup(const struct peer *p, struct arena *a, str *out, struct err *err);
/* Its supplementary groups as they were when it connected (SO_PEERGROUPS). ERR_LIMIT over
 * PEER_GROUPS_MAX. */
MUST_USE bool peer_groups(int sock, struct arena *a, gid_t **out, size_t *n, struct err *err);
/* The effective ids that it has now; those in *p are of when it connected. */
MUST_USE bool peer_ids_now(const struct peer *p, uid_t *uid, gid_t *gid, struct err *err);
/* The n-th ancestor's number is found by asking again. Nothing is held: compare start times, a
 * parent is never younger than its child, or a number that was used again passes for it. */
MUST_USE bool process_parent(pid_t pid, pid_t *parent, uint64_t *start_ticks, struct err *err);
void peer_fini(struct peer *p); /* closes the pidfd; harmless twice */
