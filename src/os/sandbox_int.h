/* sandbox_int: what the sandbox's files share. Private to src/os. */
#pragma once
#include "os/sandbox.h"
#include <linux/filter.h>
#include <seccomp.h>

/* ---- sandbox_landlock.c ---- */
/* A ruleset descriptor (close-on-exec), or -1 where the kernel has no Landlock or nothing is
 * restricted. */
MUST_USE bool landlock_prepare(const struct sandbox_files *files, const struct sandbox_net *net,
                               int *out_fd, struct err *err);
int landlock_enter(int fd); /* 0 or an errno; async-signal-safe */

/* ---- sandbox_roles.c: one table of system calls a role ---- */
struct syscall_set {
    const char *const *names; /* ends with NULL */
};
enum { ROLE_SETS_MAX = 8 };
struct role_profile {
    const char *name;
    bool is_inherited; /* by programs of others: the deny-list of children instead of the sets */
    struct syscall_set sets[ROLE_SETS_MAX];
    bool inet_sockets;   /* socket() for TCP as well as AF_UNIX */
    bool read_only_open; /* openat() without write, create, truncate */
    bool threads_only; /* clone() with CLONE_THREAD alone; clone3 answers ENOSYS, so that libc falls
                          back to it */
};
const struct role_profile *role_profile(enum os_role role); /* NULL if there is none */

/* ---- sandbox_seccomp.c ---- */
struct filter { /* owns prog */
    struct sock_filter *prog;
    unsigned short n;
};
MUST_USE bool filter_for_role(const struct role_profile *p, bool log_only, struct filter *out,
                              struct err *err);
MUST_USE bool filter_for_child(bool tcp_restricted, bool log_only, struct filter *out,
                               struct err *err);
int filter_enter(const struct filter *f); /* 0 or an errno; async-signal-safe */

/* ---- sandbox_trace.c: the log_only mode ---- */
/* SIGSYS prints the call and makes it from one place in our code, which the filter lets through. */
MUST_USE bool trace_install(const char *role, struct err *err);
/* Puts the exception for that place in front of a filter. */
void trace_exempt(struct filter *f);
