/* Forks a process for each case, enters the sandbox there and tries one thing: what is forbidden
 * must fail, in the way the header promises, and what is needed must work. Prints one line a
 * failure and a count. */
#include "os/sandbox.h"
#include "os/spawn.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* What a try needs; made before the sandbox is entered. */
struct scene {
    char dir[64];             /* READ | WRITE in every policy below */
    char ro[80];              /* a file that may be read only */
    char secret[80];          /* a file outside every policy */
    int listener;             /* TCP on loopback */
    struct sockaddr_in at;    /* of it */
    struct sockaddr_in other; /* of a second listener, whose port no policy names */
    pid_t outsider;           /* a process outside */
};

/* 0, or an errno. */
typedef int attempt(const struct scene *s);

static int closing(int fd)
{
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int try_nothing(const struct scene *s)
{
    return 0;
}
static int try_read(const struct scene *s)
{
    return closing(open(s->ro, O_RDONLY | O_CLOEXEC));
}
static int try_read_secret(const struct scene *s)
{
    return closing(open(s->secret, O_RDONLY | O_CLOEXEC));
}
static int try_open_write(const struct scene *s)
{
    return closing(open(s->ro, O_WRONLY | O_CLOEXEC));
}
static int try_work_files(const struct scene *s)
{
    char a[100], b[100], buf[4096] = {1};
    snprintf(a, sizeof a, "%s/db", s->dir);
    snprintf(b, sizeof b, "%s/db2", s->dir);
    int fd = open(a, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
    if (fd < 0 || pwrite(fd, buf, sizeof buf, 0) != sizeof buf || fdatasync(fd) != 0 ||
        pread(fd, buf, 10, 0) != 10 || fcntl(fd, F_SETLK, &lock) != 0 || ftruncate(fd, 8192) != 0)
        return errno;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED || munmap(p, 4096) != 0 || fsync(fd) != 0)
        return errno;
    close(fd);
    if (rename(a, b) != 0 || unlink(b) != 0)
        return errno;
    return 0;
}
static void *thread_main(void *arg)
{
    return arg;
}
static int try_thread(const struct scene *s)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, thread_main, NULL);
    return rc ? rc : pthread_join(t, NULL);
}
static int try_fork(const struct scene *s)
{
    pid_t pid = fork();
    if (pid < 0)
        return errno;
    if (pid == 0)
        _exit(0);
    return waitpid(pid, NULL, 0) == pid ? 0 : errno;
}
static int try_exec(const struct scene *s)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno;
}
static int try_unix_socket(const struct scene *s)
{
    return closing(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int try_tcp_socket(const struct scene *s)
{
    return closing(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}
static int try_udp_socket(const struct scene *s)
{
    return closing(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}
static int try_raw_socket(const struct scene *s)
{
    return closing(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}
static int try_netlink(const struct scene *s)
{
    return closing(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}
static int connect_by(int protocol, const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return errno;
    int rc = connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 ? 0 : errno;
    close(fd);
    return rc;
}
static int try_connect(const struct scene *s)
{
    return connect_by(0, &s->at);
}
static int try_connect_other(const struct scene *s)
{
    return connect_by(IPPROTO_TCP, &s->other);
}
static int try_mptcp(const struct scene *s)
{
    return connect_by(IPPROTO_MPTCP, &s->other);
}
static int try_fastopen(const struct scene *s)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    ssize_t n = sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (const struct sockaddr *)&s->other,
                       sizeof s->other);
    int rc = n >= 0 ? 0 : errno;
    close(fd);
    return rc;
}
static int try_fastopen_msg(const struct scene *s)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    struct iovec iov = {(void *)(uintptr_t) "x", 1};
    struct sockaddr_in to = s->other;
    struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1};
    int rc = sendmsg(fd, &m, MSG_FASTOPEN | MSG_NOSIGNAL) >= 0 ? 0 : errno;
    close(fd);
    return rc;
}
static int try_fastopen_option(const struct scene *s)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        return errno;
    int rc = setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof one) == 0 ? 0 : errno;
    close(fd);
    return rc;
}
static int try_bind(const struct scene *s)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int rc = bind(fd, (struct sockaddr *)&any, sizeof any) == 0 ? 0 : errno;
    close(fd);
    return rc;
}
static int try_loop_calls(const struct scene *s)
{
    int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), p[2];
    struct epoll_event e = {.events = EPOLLIN};
    if (ep < 0 || ev < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e) != 0 ||
        epoll_wait(ep, &e, 1, 0) != 0 || pipe2(p, O_CLOEXEC) != 0 || write(p[1], "x", 1) != 1)
        return errno;
    void *m = malloc(4 << 20);
    if (!m)
        return ENOMEM;
    memset(m, 1, 4 << 20);
    free(m);
    return 0;
}
static int try_ptrace(const struct scene *s)
{
    return ptrace(PTRACE_ATTACH, s->outsider, NULL, NULL) == 0 ? 0 : errno;
}
static int try_unshare(const struct scene *s)
{
    return unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
}
static int try_clone_ns(const struct scene *s)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid > 0 ? 0 : errno;
}
static int try_io_uring(const struct scene *s)
{
    char params[120] = {0};
    return syscall(425, 1, params) >= 0 ? 0 : errno;
}
static int try_keyctl(const struct scene *s)
{
    return syscall(SYS_keyctl, 0, -3, 0) >= 0 ? 0 : errno;
}
static int try_bpf(const struct scene *s)
{
    char attr[64] = {0};
    return syscall(SYS_bpf, 0, attr, sizeof attr) >= 0 ? 0 : errno;
}
static int try_signal_outsider(const struct scene *s)
{
    return kill(s->outsider, 0) == 0 ? 0 : errno;
}
static int try_no_new_privs(const struct scene *s)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : EINVAL;
}

/* ---- the cases ---- */

enum { KILLED = -1 };
enum { CHILD = 100 };     /* a program of others, all of TCP restricted to one port */
enum { CHILD_NET = 101 }; /* the same with TCP left free */

struct trial {
    int walls; /* enum os_role, CHILD, CHILD_NET */
    const char *what;
    attempt *fn;
    int want; /* 0, an errno, or KILLED */
};

static const struct trial TRIALS[] = {
    {OS_ROLE_EDGE, "do nothing", try_nothing, 0},
    {OS_ROLE_EDGE, "run a loop", try_loop_calls, 0},
    {OS_ROLE_EDGE, "read a file it was given", try_read, 0},
    {OS_ROLE_EDGE, "read another file", try_read_secret, EACCES},
    {OS_ROLE_EDGE, "open for writing", try_open_write, KILLED},
    {OS_ROLE_EDGE, "connect", try_connect, 0},
    {OS_ROLE_EDGE, "connect to another port", try_connect_other, EACCES},
    {OS_ROLE_EDGE, "make a Unix socket", try_unix_socket, 0},
    {OS_ROLE_EDGE, "make a UDP socket", try_udp_socket, KILLED},
    {OS_ROLE_EDGE, "make an MPTCP socket", try_mptcp, KILLED},
    {OS_ROLE_EDGE, "make a netlink socket", try_netlink, KILLED},
    {OS_ROLE_EDGE, "execve", try_exec, KILLED},
    {OS_ROLE_EDGE, "fork", try_fork, KILLED},
    {OS_ROLE_EDGE, "start a thread", try_thread, KILLED},
    {OS_ROLE_EDGE, "ptrace", try_ptrace, KILLED},
    {OS_ROLE_EDGE, "io_uring", try_io_uring, KILLED},
    {OS_ROLE_CORE, "run a loop", try_loop_calls, 0},
    {OS_ROLE_CORE, "keep a database", try_work_files, 0},
    {OS_ROLE_CORE, "write a file it may only read", try_open_write, EACCES},
    {OS_ROLE_CORE, "read another file", try_read_secret, EACCES},
    {OS_ROLE_CORE, "start a thread", try_thread, 0},
    {OS_ROLE_CORE, "fork", try_fork, KILLED},
    {OS_ROLE_CORE, "execve", try_exec, KILLED},
    {OS_ROLE_CORE, "make a TCP socket", try_tcp_socket, KILLED},
    {OS_ROLE_CORE, "make a Unix socket", try_unix_socket, KILLED},
    {OS_ROLE_CORE, "ptrace", try_ptrace, KILLED},
    {OS_ROLE_KEEPER, "run a loop", try_loop_calls, 0},
    {OS_ROLE_KEEPER, "keep a file", try_work_files, 0},
    {OS_ROLE_KEEPER, "make a Unix socket", try_unix_socket, KILLED},
    {OS_ROLE_KEEPER, "make a TCP socket", try_tcp_socket, KILLED},
    {OS_ROLE_KEEPER, "bind", try_bind, KILLED},
    {OS_ROLE_KEEPER, "fork", try_fork, KILLED},
    {OS_ROLE_KEEPER, "execve", try_exec, KILLED},
    {OS_ROLE_KEEPER, "ptrace", try_ptrace, KILLED},
    {OS_ROLE_RUNNER, "fork", try_fork, 0},
    {OS_ROLE_RUNNER, "start a thread", try_thread, 0},
    {OS_ROLE_RUNNER, "ptrace", try_ptrace, EPERM},
    {OS_ROLE_RUNNER, "unshare", try_unshare, EPERM},
    {OS_ROLE_SUPERVISOR, "fork", try_fork, 0},
    {OS_ROLE_SUPERVISOR, "bpf", try_bpf, EPERM},
    {CHILD, "know that it gains no privileges", try_no_new_privs, 0},
    {CHILD, "work in its folder", try_work_files, 0},
    {CHILD, "read what it may", try_read, 0},
    {CHILD, "read another file", try_read_secret, EACCES},
    {CHILD, "write what it may only read", try_open_write, EACCES},
    {CHILD, "execve what it may not", try_exec, EACCES},
    {CHILD, "fork", try_fork, 0},
    {CHILD, "start a thread", try_thread, 0},
    {CHILD, "connect to its port", try_connect, 0},
    {CHILD, "connect to another port", try_connect_other, EACCES},
    {CHILD, "reach it by MPTCP", try_mptcp, EPERM},
    {CHILD, "reach it by a first packet with data", try_fastopen, EPERM},
    {CHILD, "the same by sendmsg", try_fastopen_msg, EPERM},
    {CHILD, "the same by socket option", try_fastopen_option, EPERM},
    {CHILD, "bind", try_bind, EACCES},
    {CHILD, "make a UDP socket", try_udp_socket, EPERM},
    {CHILD, "make a raw socket", try_raw_socket, EPERM},
    {CHILD, "make a netlink socket", try_netlink, EPERM},
    {CHILD, "make a Unix socket", try_unix_socket, 0},
    {CHILD, "signal a process outside", try_signal_outsider, EPERM},
    {CHILD, "ptrace", try_ptrace, EPERM},
    {CHILD, "unshare", try_unshare, EPERM},
    {CHILD, "clone into a namespace", try_clone_ns, EPERM},
    {CHILD, "io_uring", try_io_uring, EPERM},
    {CHILD, "keyctl", try_keyctl, EPERM},
    {CHILD, "bpf", try_bpf, EPERM},
    {CHILD_NET, "connect anywhere", try_connect_other, 0},
    {CHILD_NET, "make a UDP socket", try_udp_socket, 0},
    {CHILD_NET, "ptrace", try_ptrace, EPERM},
};

static bool prepare(const struct trial *t, const struct scene *s, bool log_only,
                    struct sandbox **out, struct err *err)
{
    const struct sandbox_path paths[] = {
        {.path = s->dir, .access = SANDBOX_READ | SANDBOX_WRITE},
        {.path = s->ro, .access = SANDBOX_READ},
        {.path = "/no/such/folder", .access = SANDBOX_READ, .optional = true},
    };
    struct sandbox_files files = {.paths = paths, .n_paths = 3};
    uint16_t port = ntohs(s->at.sin_port);
    struct sandbox_net net = {.connect_ports = &port, .n_connect_ports = 1};
    if (t->walls == CHILD_NET)
        net.tcp_unrestricted = true;
    if (t->walls >= CHILD)
        return sandbox_prepare_child(&files, &net, out, err);
    return sandbox_prepare_role((enum os_role)t->walls, &files, &net, log_only, out, err);
}

/* The result of the attempt as want, or the signal as 1000 + n. */
static int run_trial(const struct trial *t, const struct scene *s, bool log_only)
{
    struct sandbox *walls;
    struct err err;
    if (!prepare(t, s, log_only, &walls, &err)) {
        printf("%s\n", err.text);
        return 2000;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (!sandbox_enter(walls, &err)) {
            fprintf(stderr, "%s\n", err.text);
            _exit(255);
        }
        _exit(t->fn(s));
    }
    sandbox_free(walls);
    int st;
    waitpid(pid, &st, 0);
    if (WIFSIGNALED(st))
        return WTERMSIG(st) == SIGSYS ? KILLED : 1000 + WTERMSIG(st);
    return WEXITSTATUS(st);
}

static int listen_on_loopback(struct sockaddr_in *out)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) != 0 || listen(fd, 100) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &n) != 0)
        abort();
    *out = at;
    return fd;
}

static void make_file(const char *path)
{
    if (closing(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) != 0)
        abort();
}

/* log_only lets everything happen, and says what. */
static bool test_log_only(const struct scene *s)
{
    static const struct trial T = {OS_ROLE_KEEPER, "make a socket, traced", try_unix_socket, 0};
    int p[2];
    char got[400] = {0};
    if (pipe2(p, O_CLOEXEC) != 0)
        abort();
    int keep = dup(2);
    dup2(p[1], 2);
    int rc = run_trial(&T, s, true);
    dup2(keep, 2);
    close(keep);
    close(p[1]);
    (void)!read(p[0], got, sizeof got - 1);
    close(p[0]);
#if defined(__x86_64__)
    bool ok = rc == 0 && strstr(got, "sandbox: keeper: socket (41)\n");
#else
    bool ok = strstr(got, "sandbox: keeper: socket");
#endif
    if (!ok)
        printf("FAILED: log_only: result %d, printed \"%s\"\n", rc, got);
    return ok;
}

/* A real program in a child's walls. */
static bool test_spawn_inside(const struct scene *s)
{
    struct sandbox_path paths[] = {
        {.path = "/usr", .access = SANDBOX_READ | SANDBOX_EXEC},
        {.path = "/bin", .access = SANDBOX_READ | SANDBOX_EXEC},
        {.path = "/lib", .access = SANDBOX_READ | SANDBOX_EXEC},
        {.path = "/lib64", .access = SANDBOX_READ | SANDBOX_EXEC, .optional = true},
        {.path = "/etc/ld.so.cache", .access = SANDBOX_READ, .optional = true},
        {.path = s->dir, .access = SANDBOX_READ | SANDBOX_WRITE}};
    struct sandbox_files files = {.paths = paths, .n_paths = 6};
    struct sandbox_net net = {0};
    struct sandbox *walls;
    struct err err;
    struct child c;
    char line[300];
    snprintf(line, sizeof line, "echo x > %s/made && rm %s/made && ! cat %s 2>/dev/null && exit 42",
             s->dir, s->dir, s->secret);
    const char *argv[] = {"sh", "-c", line, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct spawn sp = {
        .path = "/bin/sh", .argv = argv, .env = env, .in_child = sandbox_enter_in_child};
    if (!sandbox_prepare_child(&files, &net, &walls, &err)) {
        printf("FAILED: %s\n", err.text);
        return false;
    }
    sp.arg = walls;
    bool ok = spawn_start(&sp, &c, &err);
    sandbox_free(walls);
    if (!ok) {
        printf("FAILED: %s\n", err.text);
        return false;
    }
    int st;
    child_wait(&c, &st);
    if (!WIFEXITED(st) || WEXITSTATUS(st) != 42) {
        printf("FAILED: a shell in its sandbox: status %x\n", (unsigned)st);
        return false;
    }
    return true;
}

int main(void)
{
    struct scene s = {.dir = "/tmp/sandbox_test.XXXXXX"};
    if (!mkdtemp(s.dir))
        abort();
    snprintf(s.ro, sizeof s.ro, "%s.ro", s.dir);
    snprintf(s.secret, sizeof s.secret, "%s.secret", s.dir);
    make_file(s.ro);
    make_file(s.secret);
    s.listener = listen_on_loopback(&s.at);
    int other = listen_on_loopback(&s.other);
    s.outsider = fork();
    if (s.outsider == 0) {
        pause();
        _exit(0);
    }
    unsigned failed = 0, done = 0, skipped = 0;
    int abi = sandbox_landlock_abi();
    printf("Landlock ABI %d\n", abi);
    for (size_t i = 0; i < sizeof TRIALS / sizeof TRIALS[0]; i++) {
        const struct trial *t = &TRIALS[i];
        if ((t->want == EACCES && abi < 4) || (t->fn == try_signal_outsider && abi < 6)) {
            skipped++;
            continue;
        }
        int got = run_trial(t, &s, false);
        done++;
        if (got != t->want) {
            failed++;
            printf("FAILED: walls %d: %s: got %d (%s), want %d\n", t->walls, t->what, got,
                   got > 0 && got < 200 ? strerror(got) : "-", t->want);
        }
    }
    failed += !test_log_only(&s);
    failed += abi >= 1 && !test_spawn_inside(&s);
    done += 2;
    kill(s.outsider, SIGKILL);
    waitpid(s.outsider, NULL, 0);
    close(s.listener);
    close(other);
    unlink(s.ro);
    unlink(s.secret);
    rmdir(s.dir);
    if (skipped)
        printf("%u skipped: this kernel's Landlock is too old for them\n", skipped);
    printf("%u passed, %u failed\n", done - failed, failed);
    return failed != 0;
}
