/* sandbox: the kernel's walls around a role or around a child program: Landlock for files, TCP
 * ports, signals and abstract sockets (landlock(7)); seccomp for system calls.
 *
 * A sandbox is prepared (allocates, opens paths, compiles the filter) and then entered. Entering is
 * async-signal-safe, so it can be done between fork and execve; it cannot be undone and reaches
 * every later child. For a process with threads, enter before the first thread. Zero denies: a
 * policy that names no paths permits none.
 *
 * Edge, core and keeper get an allow-list of system calls (tables in sandbox_roles.c); anything
 * else kills the process, or, when log_only is set, is printed on standard error ("sandbox: edge:
 * openat (257)") and goes ahead. Child programs of others get a deny-list, which fails with EPERM:
 * we cannot know what they need. So do runner and supervisor, whose filter every program they start
 * inherits; there log_only leaves the printing to the kernel's log. */
#pragma once
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum os_role {
    OS_ROLE_NONE = 0,
    OS_ROLE_EDGE,       /* sockets; no open for writing, no execve, no fork */
    OS_ROLE_CORE,       /* its files, Unix sockets handed to it, threads; no execve, no connect */
    OS_ROLE_KEEPER,     /* its files; no sockets made, no execve, no fork */
    OS_ROLE_WORKLOAD,   /* connections handed to it; no sockets made, no files */
    OS_ROLE_PORTAL,     /* accepts; no sockets made, no files */
    OS_ROLE_FETCHER,    /* connects to configured ports; no open for writing */
    OS_ROLE_PUBLISHER,  /* its folder; no socket */
    OS_ROLE_WITNESS,    /* /proc and program files, read only; no socket, no execve, no fork */
    OS_ROLE_RUNNER,     /* as child programs: they inherit its filter */
    OS_ROLE_SUPERVISOR, /* as child programs */
};
const char *os_role_name(enum os_role role);

enum { SANDBOX_READ = 1, SANDBOX_WRITE = 2, SANDBOX_EXEC = 4 };
struct sandbox_path {
    const char *path; /* file or folder with all below it; NULL: use fd */
    int fd;           /* borrowed while preparing; read only if path is NULL */
    unsigned
        access; /* SANDBOX_... ; WRITE includes create, rename, remove; it does not include READ */
    bool optional; /* absent is fine (otherwise an error) */
};

struct sandbox_files {
    bool unrestricted; /* Landlock does not govern files */
    const struct sandbox_path *paths;
    size_t n_paths;
};

struct sandbox_net {
    bool
        tcp_unrestricted; /* otherwise only the ports below; none = no TCP bind or connect at all */
    const uint16_t *bind_ports;
    size_t n_bind_ports;
    const uint16_t *connect_ports;
    size_t n_connect_ports;
    bool signals_unrestricted;  /* otherwise only to processes of the same sandbox */
    bool abstract_unrestricted; /* otherwise no abstract Unix sockets made outside */
};

struct sandbox; /* owned by whoever prepared it; entering does not use it up */

/* What the kernel can do: 0 = no Landlock, else its ABI (files from 1, TCP from 4, scopes from 6).
 * What the kernel lacks is left out; ask here and report it. */
int sandbox_landlock_abi(void);

/* From now on io_uring is "not there" for this process and what it starts. To be called before a
 * loop is made: a ring set up beforehand would go around every filter entered later, and newer
 * libuv makes one for each loop without asking. Sets no-new-privs. */
MUST_USE bool sandbox_forbid_io_uring(struct err *err);

/* Walls for this process in a role. */
MUST_USE bool sandbox_prepare_role(enum os_role role, const struct sandbox_files *files,
                                   const struct sandbox_net *net, bool log_only,
                                   struct sandbox **out, struct err *err);
/* Walls for a child program of others (struct spawn's in_child = sandbox_enter_in_child). Where TCP
 * is restricted, the two ways round Landlock's rule are closed as well: MPTCP sockets, and data in
 * the first packet (MSG_FASTOPEN, TCP_FASTOPEN_CONNECT); UDP, raw, netlink and packet sockets are
 * refused too. */
MUST_USE bool sandbox_prepare_child(const struct sandbox_files *files,
                                    const struct sandbox_net *net, struct sandbox **out,
                                    struct err *err);
/* Sets no-new-privs and enters: Landlock, then seccomp. After an error the process must end. */
MUST_USE bool sandbox_enter(const struct sandbox *s, struct err *err);
/* The same for spawn; arg is the struct sandbox; 0 or an errno. */
int sandbox_enter_in_child(void *arg);
void sandbox_free(struct sandbox *s);
