#include "os/sandbox_int.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#define SOCK_TYPE_BITS 0xfU /* the rest of socket()'s type are flags */

/* Rules are added until one fails; the failure is looked at once, by finish(). */
struct builder {
    scmp_filter_ctx ctx;
    int rc;
};

static void rule(struct builder *b, uint32_t action, const char *name, unsigned n,
                 const struct scmp_arg_cmp *args)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (b->rc == 0 && nr >= 0)
        b->rc = seccomp_rule_add_array(b->ctx, action, nr, n, args);
}

#define RULE(b, action, name, ...)                                                                 \
    rule((b), (action), (name),                                                                    \
         sizeof((struct scmp_arg_cmp[]){__VA_ARGS__}) / sizeof(struct scmp_arg_cmp),               \
         (struct scmp_arg_cmp[]){__VA_ARGS__})

static bool begin(struct builder *b, uint32_t otherwise, struct err *err)
{
    *b = (struct builder){.ctx = seccomp_init(otherwise)};
    if (!b->ctx)
        return err_system(err, "cannot make a system call filter");
    return true;
}

/* The compiled program, to be entered without any library call. */
static bool finish(struct builder *b, struct filter *out, struct err *err)
{
    struct filter f = {0};
    off_t size = 0;
    int fd = -1;
    if (b->rc == 0) {
        fd = memfd_create("filter", MFD_CLOEXEC);
        b->rc = fd < 0 ? -errno : seccomp_export_bpf(b->ctx, fd);
    }
    if (b->rc == 0) {
        size = lseek(fd, 0, SEEK_END);
        f.n = (unsigned short)((size_t)size / sizeof *f.prog);
        f.prog = malloc((size_t)size);
        if (!f.prog)
            abort();
        if (pread(fd, f.prog, (size_t)size, 0) != size)
            b->rc = -EIO;
    }
    if (fd >= 0)
        close(fd);
    seccomp_release(b->ctx);
    if (b->rc) {
        free(f.prog);
        errno = -b->rc;
        return err_system(err, "cannot compile a system call filter");
    }
    *out = f;
    return true;
}

/* ---- roles: an allow-list ---- */

static bool is_ruled(const struct role_profile *p, const char *name)
{
    if (strcmp(name, "socket") == 0)
        return true;
    if (p->read_only_open && (strcmp(name, "openat") == 0 || strcmp(name, "open") == 0))
        return true;
    return p->threads_only && (strcmp(name, "clone") == 0 || strcmp(name, "clone3") == 0);
}

static void allow_sockets(struct builder *b, const struct role_profile *p)
{
    RULE(b, SCMP_ACT_ALLOW, "socket", SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
    static const unsigned INET[] = {AF_INET, AF_INET6};
    static const unsigned PROTOCOL[] = {0, IPPROTO_TCP};
    for (unsigned i = 0; p->inet_sockets && i < 2; i++)
        for (unsigned j = 0; j < 2; j++)
            RULE(b, SCMP_ACT_ALLOW, "socket", SCMP_A0_32(SCMP_CMP_EQ, INET[i]),
                 SCMP_A1_32(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, SOCK_STREAM),
                 SCMP_A2_32(SCMP_CMP_EQ, PROTOCOL[j]));
}

static void allow_ruled(struct builder *b, const struct role_profile *p, const char *name)
{
    if (strcmp(name, "socket") == 0) {
        allow_sockets(b, p);
    } else if (strncmp(name, "open", 4) == 0) {
        unsigned writes = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
        if (strcmp(name, "openat") == 0)
            RULE(b, SCMP_ACT_ALLOW, name, SCMP_A2_32(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
        else
            RULE(b, SCMP_ACT_ALLOW, name, SCMP_A1_32(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
    } else if (strcmp(name, "clone") == 0) {
        RULE(b, SCMP_ACT_ALLOW, name,
             SCMP_A0_32(SCMP_CMP_MASKED_EQ, (uint32_t)CLONE_THREAD, (uint32_t)CLONE_THREAD));
    } else {
        /* Its flags lie in memory, where a filter cannot see them; libc then uses clone. */
        rule(b, SCMP_ACT_ERRNO(ENOSYS), name, 0, NULL);
    }
}

bool filter_for_role(const struct role_profile *p, bool log_only, struct filter *out,
                     struct err *err)
{
    struct builder b;
    if (p->is_inherited)
        return filter_for_child(false, log_only, out, err);
    if (!begin(&b, log_only ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS, err))
        return false;
    for (unsigned s = 0; s < ROLE_SETS_MAX && p->sets[s].names; s++)
        for (const char *const *n = p->sets[s].names; *n; n++) {
            if (is_ruled(p, *n))
                allow_ruled(&b, p, *n);
            else
                rule(&b, SCMP_ACT_ALLOW, *n, 0, NULL);
        }
    if (!finish(&b, out, err))
        return false;
    if (log_only)
        trace_exempt(out);
    return true;
}

/* ---- child programs: a deny-list ---- */

static const char *const CHILD_DENIED[] = {
    /* other processes */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    /* the kernel itself */
    "bpf", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "create_module", "perf_event_open", "userfaultfd", "syslog", "lookup_dcookie", "iopl", "ioperm",
    "acct", "reboot", "swapon", "swapoff", "quotactl", "quotactl_fd", "nfsservctl", "settimeofday",
    "clock_settime", "clock_adjtime", "adjtimex", "stime", "sethostname", "setdomainname",
    "vhangup",
    /* keys */
    "keyctl", "add_key", "request_key",
    /* mounts and namespaces */
    "mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "setns", "unshare", "open_by_handle_at",
    "name_to_handle_at",
    /* a second way to every other call */
    "io_uring_setup", "io_uring_enter", "io_uring_register", "personality", "modify_ldt", "uselib",
    NULL};

static const unsigned NAMESPACES[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                      CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};

/* Landlock governs TCP by bind(2) and connect(2) of TCP sockets alone. MPTCP sockets are not TCP
 * sockets to it, and a first packet with data connects without connect(2); UDP and the rest it does
 * not know at all. */
static void deny_around_tcp(struct builder *b, uint32_t no)
{
    for (unsigned family = 0; family < AF_MAX; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
            RULE(b, no, "socket", SCMP_A0_32(SCMP_CMP_EQ, family));
    RULE(b, no, "socket", SCMP_A0_32(SCMP_CMP_GE, AF_MAX));
    static const unsigned INET[] = {AF_INET, AF_INET6};
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned type = 0; type <= SOCK_TYPE_BITS; type++)
            if (type != SOCK_STREAM)
                RULE(b, no, "socket", SCMP_A0_32(SCMP_CMP_EQ, INET[i]),
                     SCMP_A1_32(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, type));
        RULE(b, no, "socket", SCMP_A0_32(SCMP_CMP_EQ, INET[i]),
             SCMP_A2_32(SCMP_CMP_GT, IPPROTO_TCP));
        for (unsigned protocol = 1; protocol < IPPROTO_TCP; protocol++)
            RULE(b, no, "socket", SCMP_A0_32(SCMP_CMP_EQ, INET[i]),
                 SCMP_A2_32(SCMP_CMP_EQ, protocol));
    }
    RULE(b, no, "sendto", SCMP_A3_32(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    RULE(b, no, "sendmsg", SCMP_A2_32(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    RULE(b, no, "sendmmsg", SCMP_A3_32(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    RULE(b, no, "setsockopt", SCMP_A1_32(SCMP_CMP_EQ, IPPROTO_TCP),
         SCMP_A2_32(SCMP_CMP_EQ, TCP_FASTOPEN_CONNECT));
}

bool filter_for_child(bool tcp_restricted, bool log_only, struct filter *out, struct err *err)
{
    const uint32_t no = log_only ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EPERM);
    struct builder b;
    if (!begin(&b, SCMP_ACT_ALLOW, err))
        return false;
    /* Calls by another architecture's numbers (32 bit on 64) would pass unread. */
    b.rc = seccomp_attr_set(b.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (const char *const *n = CHILD_DENIED; *n; n++)
        rule(&b, no, *n, 0, NULL);
    for (size_t i = 0; i < sizeof NAMESPACES / sizeof NAMESPACES[0]; i++)
        RULE(&b, no, "clone", SCMP_A0_32(SCMP_CMP_MASKED_EQ, NAMESPACES[i], NAMESPACES[i]));
    rule(&b, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    /* Typing into the terminal of whoever started us. */
    static const unsigned TIOCSTI_CALL = 0x5412, TIOCLINUX_CALL = 0x541c;
    RULE(&b, no, "ioctl", SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI_CALL));
    RULE(&b, no, "ioctl", SCMP_A1_32(SCMP_CMP_EQ, TIOCLINUX_CALL));
    if (tcp_restricted)
        deny_around_tcp(&b, no);
    return finish(&b, out, err);
}

int filter_enter(const struct filter *f)
{
    struct sock_fprog prog = {.len = f->n, .filter = f->prog};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0 ? 0 : errno;
}

bool sandbox_forbid_io_uring(struct err *err)
{
    static const int calls[] = {SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
                                SCMP_SYS(io_uring_register)};
    if (syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno == ENOSYS)
        return true; /* an older kernel, or a parent has done it */
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int rc = ctx ? 0 : -ENOMEM;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0] && rc == 0; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), calls[i], 0);
    if (rc == 0)
        rc = seccomp_load(ctx);
    seccomp_release(ctx);
    errno = -rc;
    return rc == 0 || err_system(err, "io_uring cannot be closed off");
}
