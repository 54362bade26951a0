/* spawn: start a program with exactly what it is given.
 *
 * The child has the arguments, environment, working folder and descriptors named here and nothing
 * else: every other descriptor is closed, signals are at their defaults and unblocked, groups are
 * cleared where ids change, and it can gain no privileges. Standard descriptors that the map does
 * not name are /dev/null. No shell, no PATH search. A failure at any step, execve included, is
 * reported by spawn_start itself as an error that names the step. For single-threaded roles
 * (between fork and execve only async-signal-safe calls are made). */
#pragma once
#include "base/err.h"
#include <sys/resource.h>
#include <sys/types.h>

enum { SPAWN_FDS_MAX = 32 };

struct spawn_fd {
    int fd; /* in this process; stays open here */
    int as; /* number in the child, < SPAWN_FDS_MAX */
};
struct spawn_limit {
    int resource; /* RLIMIT_... */
    rlim_t value; /* soft and hard */
};

struct spawn {
    const char *path;           /* absolute, or relative to cwd */
    const char *const *argv;    /* ends with NULL */
    const char *const *env;     /* ends with NULL; NULL = empty */
    const char *cwd;            /* NULL = "/" */
    const struct spawn_fd *fds; /* each `as` at most once */
    size_t n_fds;
    const struct spawn_limit *limits;
    size_t n_limits;
    bool new_session;     /* setsid; otherwise a process group of its own */
    bool outlives_parent; /* otherwise SIGKILL when the starting thread ends (PR_SET_PDEATHSIG) */
    bool set_ids;         /* change to uid and gid, and clear the supplementary groups */
    uid_t uid;
    gid_t gid;
    bool may_gain_privileges; /* otherwise PR_SET_NO_NEW_PRIVS */
    /* Runs in the child last of all, before execve: async-signal-safe calls only. 0 or an errno. */
    int (*in_child)(void *arg);
    void *arg;
};

struct child {
    pid_t pid;
    int pidfd; /* close-on-exec; readable when the child has ended */
};

MUST_USE bool spawn_start(const struct spawn *s, struct child *out, struct err *err);
/* True if the child has ended: collects it, sets *out_status (as wait(2)) and closes the pidfd.
 * Never blocks. */
bool child_poll(struct child *c, int *out_status);
/* As child_poll, but waits. */
void child_wait(struct child *c, int *out_status);
/* To the child alone, by its pidfd: cannot hit a stranger that got the number later. */
void child_signal(const struct child *c, int sig);
/* To its whole process group; only while the child is not collected. */
void child_signal_group(const struct child *c, int sig);
