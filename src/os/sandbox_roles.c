#include "os/sandbox_int.h"

#include <stddef.h>

/* What each role may ask of the kernel: sets of system calls by purpose, and the roles that have
 * them. Names that this machine lacks are skipped, so one table serves x86-64 and arm64. Argument
 * rules (which socket, which open) are in sandbox_seccomp.c. */

#define SET(...)                                                                                   \
    {                                                                                              \
        (const char *const[])                                                                      \
        {                                                                                          \
            __VA_ARGS__, NULL                                                                      \
        }                                                                                          \
    }

/* A process that computes, allocates, waits and ends. */
#define RUN                                                                                        \
    SET("brk", "mmap", "mremap", "mprotect", "munmap", "madvise", "rt_sigreturn", "rt_sigaction",  \
        "rt_sigprocmask", "rt_sigtimedwait", "sigaltstack", "futex", "restart_syscall", "exit",    \
        "exit_group", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",             \
        "gettimeofday", "time", "getrandom", "getpid", "gettid", "getppid", "getuid", "geteuid",   \
        "getgid", "getegid", "getcpu", "sched_yield", "sched_getaffinity", "membarrier", "rseq",   \
        "set_robust_list", "tgkill", "uname", "sysinfo", "getrusage", "times", "mlock", "mlock2",  \
        "munlock")

/* Descriptors that are there already. */
#define DESCRIPTORS                                                                                \
    SET("read", "write", "readv", "writev", "close", "close_range", "dup", "dup2", "dup3",         \
        "fcntl", "ioctl", "fstat", "newfstatat", "statx", "lseek", "poll", "ppoll",                \
        "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2",     \
        "pipe2", "timerfd_create", "timerfd_settime")

/* Sockets that are there already, and their messages. */
#define MESSAGES                                                                                   \
    SET("recvfrom", "sendto", "recvmsg", "sendmsg", "sendmmsg", "recvmmsg", "shutdown",            \
        "getsockopt", "getsockname", "getpeername")

#define ACCEPT  SET("accept", "accept4", "setsockopt", "listen")
#define CONNECT SET("socket", "connect", "bind", "setsockopt")
#define PAIRS   SET("socketpair", "setsockopt")

#define OPEN_FILES                                                                                 \
    SET("openat", "open", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "stat",   \
        "lstat", "getdents64", "pread64", "preadv", "fadvise64", "fstatfs", "statfs", "getcwd")

/* SQLite and the tiles of the ledger. */
#define WRITE_FILES                                                                                \
    SET("pwrite64", "pwritev", "fsync", "fdatasync", "sync_file_range", "ftruncate", "fallocate",  \
        "msync", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat",      \
        "rmdir", "flock", "fchmod", "fchown", "utimensat", "link", "linkat", "umask")

#define THREADS SET("clone", "clone3", "prctl", "set_tid_address")

static const struct role_profile ROLES[] = {
    [OS_ROLE_EDGE] = {.name = "edge",
                      .sets = {RUN, DESCRIPTORS, MESSAGES, ACCEPT, CONNECT, OPEN_FILES},
                      .inet_sockets = true,
                      .read_only_open = true},
    [OS_ROLE_CORE] = {.name = "core",
                      .sets = {RUN, DESCRIPTORS, MESSAGES, ACCEPT, PAIRS, OPEN_FILES, WRITE_FILES,
                               THREADS},
                      .threads_only = true},
    [OS_ROLE_KEEPER] = {.name = "keeper",
                        .sets = {RUN, DESCRIPTORS, MESSAGES, OPEN_FILES, WRITE_FILES}},
    [OS_ROLE_WORKLOAD] = {.name = "workload",
                          .sets = {RUN, DESCRIPTORS, MESSAGES, SET("setsockopt")}},
    [OS_ROLE_PORTAL] = {.name = "portal", .sets = {RUN, DESCRIPTORS, MESSAGES, ACCEPT}},
    [OS_ROLE_FETCHER] = {.name = "fetcher",
                         .sets = {RUN, DESCRIPTORS, MESSAGES, CONNECT, OPEN_FILES},
                         .inet_sockets = true,
                         .read_only_open = true},
    [OS_ROLE_PUBLISHER] = {.name = "publisher",
                           .sets = {RUN, DESCRIPTORS, MESSAGES, OPEN_FILES, WRITE_FILES}},
    /* No Landlock is around it: the kernel lets nobody inside one look at a process outside. */
    [OS_ROLE_WITNESS] = {.name = "witness",
                         .sets = {RUN, DESCRIPTORS, MESSAGES, OPEN_FILES},
                         .read_only_open = true},
    /* Programs of others are started by these two and inherit their filter: what they do not need,
       anybody might. */
    [OS_ROLE_RUNNER] = {.name = "runner", .is_inherited = true},
    [OS_ROLE_SUPERVISOR] = {.name = "supervisor", .is_inherited = true},
};

const struct role_profile *role_profile(enum os_role role)
{
    if (role <= OS_ROLE_NONE || (size_t)role >= sizeof ROLES / sizeof ROLES[0])
        return NULL;
    return &ROLES[role];
}

const char *os_role_name(enum os_role role)
{
    const struct role_profile *p = role_profile(role);
    return p ? p->name : "none";
}
