#include "os/spawn.h"

#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child tells its parent through a close-on-exec pipe when it does not get as far as its
 * program. */
enum step {
    STEP_DONE = 0,
    STEP_SIGNALS,
    STEP_SESSION,
    STEP_FDS,
    STEP_LIMITS,
    STEP_CWD,
    STEP_IDS,
    STEP_PRIVILEGES,
    STEP_PARENT,
    STEP_SANDBOX,
    STEP_EXEC,
};
static const char *const STEP_TEXT[] = {
    [STEP_SIGNALS] = "cannot reset its signals",
    [STEP_SESSION] = "cannot have its own process group",
    [STEP_FDS] = "cannot arrange its descriptors",
    [STEP_LIMITS] = "cannot set its resource limits",
    [STEP_CWD] = "cannot enter its working folder",
    [STEP_IDS] = "cannot change to its user and group",
    [STEP_PRIVILEGES] = "cannot set no-new-privs",
    [STEP_PARENT] = "lost its parent",
    [STEP_SANDBOX] = "cannot enter its sandbox",
    [STEP_EXEC] = "cannot be executed",
};
struct report {
    int step, os;
};

/* ---- in the child: async-signal-safe calls only ---- */

static bool reset_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)sigaction(s, &dfl, NULL); /* EINVAL for those that libc keeps */
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* First all wanted descriptors move out of the way of the target numbers, then each to its place,
 * then all others close. The report pipe stays, above them. */
static bool arrange_fds(const struct spawn *s, int *report)
{
    int moved[SPAWN_FDS_MAX];
    int pipe_up = fcntl(*report, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
    if (pipe_up < 0)
        return false;
    *report = pipe_up;
    for (size_t i = 0; i < s->n_fds; i++)
        if ((moved[i] = fcntl(s->fds[i].fd, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX)) < 0)
            return false;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || (null = fcntl(null, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX)) < 0)
        return false;
    if (os_close_range(0, SPAWN_FDS_MAX - 1, 0) != 0)
        return false;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(null, fd) < 0)
            return false;
    for (size_t i = 0; i < s->n_fds; i++)
        if (dup2(moved[i], s->fds[i].as) < 0)
            return false;
    return os_close_range(SPAWN_FDS_MAX, ~0U, OS_CLOSE_RANGE_CLOEXEC) == 0;
}

static bool set_limits(const struct spawn *s)
{
    for (size_t i = 0; i < s->n_limits; i++) {
        struct rlimit r = {s->limits[i].value, s->limits[i].value};
        if (setrlimit((__rlimit_resource_t)s->limits[i].resource, &r) != 0)
            return false;
    }
    return true;
}

static bool set_ids(const struct spawn *s)
{
    return !s->set_ids || (setgroups(0, NULL) == 0 && setresgid(s->gid, s->gid, s->gid) == 0 &&
                           setresuid(s->uid, s->uid, s->uid) == 0);
}

/* After the ids, since changing those forgets it. The parent may have ended before it was set. */
static bool tie_to_parent(const struct spawn *s, pid_t parent)
{
    if (s->outlives_parent)
        return true;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return false;
    errno = ESRCH;
    return getppid() == parent;
}

static enum step run_steps(const struct spawn *s, pid_t parent, int *report)
{
    if (!reset_signals())
        return STEP_SIGNALS;
    if (s->new_session ? setsid() < 0 : setpgid(0, 0) != 0)
        return STEP_SESSION;
    if (!arrange_fds(s, report))
        return STEP_FDS;
    if (chdir(s->cwd ? s->cwd : "/") != 0)
        return STEP_CWD;
    if (!set_limits(s))
        return STEP_LIMITS;
    if (!set_ids(s))
        return STEP_IDS;
    if (!s->may_gain_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return STEP_PRIVILEGES;
    if (!tie_to_parent(s, parent))
        return STEP_PARENT;
    if (s->in_child && (errno = s->in_child(s->arg)) != 0)
        return STEP_SANDBOX;
    static const char *const NO_ENV[] = {NULL};
    execve(s->path, (char *const *)(uintptr_t)s->argv,
           (char *const *)(uintptr_t)(s->env ? s->env : NO_ENV));
    return STEP_EXEC;
}

static _Noreturn void be_child(const struct spawn *s, pid_t parent, int report)
{
    struct report r = {.step = run_steps(s, parent, &report)};
    r.os = errno;
    (void)!write(report, &r, sizeof r);
    _exit(127);
}

/* ---- in the parent ---- */

static bool check(const struct spawn *s, struct err *err)
{
    uint32_t taken = 0;
    if (!s->path || !s->argv || !s->argv[0])
        return err_input(err, "a program to start needs a path and its first argument");
    if (s->n_fds > SPAWN_FDS_MAX)
        return err_input(err, "at most %d descriptors can be handed to a program", SPAWN_FDS_MAX);
    for (size_t i = 0; i < s->n_fds; i++) {
        int as = s->fds[i].as;
        if (as < 0 || as >= SPAWN_FDS_MAX || (taken & 1U << as))
            return err_input(err, "descriptor number %d is given twice or out of range", as);
        taken |= 1U << as;
    }
    return true;
}

/* Nothing comes when execve worked: the kernel closes the pipe. */
static bool await_exec(const struct spawn *s, int report, struct err *err)
{
    struct report r;
    ssize_t n;
    do
        n = read(report, &r, sizeof r);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return true;
    if (n != sizeof r || r.step <= STEP_DONE || r.step > STEP_EXEC)
        return err_peer(err, "%s: ended before it was started", s->path);
    errno = r.os;
    return err_system(err, "%s: %s", s->path, STEP_TEXT[r.step]);
}

bool spawn_start(const struct spawn *s, struct child *out, struct err *err)
{
    int p[2];
    if (!check(s, err))
        return false;
    if (pipe2(p, O_CLOEXEC) != 0)
        return err_system(err, "%s: cannot make a pipe", s->path);
    /* No handler of ours may run in the child before its signals are reset. */
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        be_child(s, parent, p[1]);
    int fork_errno = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(p[1]);
    if (pid < 0) {
        close(p[0]);
        errno = fork_errno;
        return err_system(err, "%s: cannot fork", s->path);
    }
    struct child c = {.pid = pid, .pidfd = os_pidfd_open(pid)};
    bool ok = c.pidfd >= 0 || err_system(err, "%s: cannot hold on to the new process", s->path);
    if (!ok)
        kill(pid, SIGKILL);
    else
        ok = await_exec(s, p[0], err);
    close(p[0]);
    if (!ok) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        if (c.pidfd >= 0)
            close(c.pidfd);
        return false;
    }
    *out = c;
    return true;
}

/* ---- afterwards ---- */

static bool collect(struct child *c, int flags, int *out_status)
{
    pid_t got;
    if (c->pid <= 0)
        return false;
    do
        got = waitpid(c->pid, out_status, flags);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return false;
    if (got < 0)
        *out_status = 0; /* collected by somebody else: ended in any case */
    close(c->pidfd);
    *c = (struct child){.pidfd = -1};
    return true;
}

bool child_poll(struct child *c, int *out_status)
{
    return collect(c, WNOHANG, out_status);
}

void child_wait(struct child *c, int *out_status)
{
    (void)collect(c, 0, out_status);
}

void child_signal(const struct child *c, int sig)
{
    if (c->pid > 0)
        (void)os_pidfd_send_signal(c->pidfd, sig);
}

void child_signal_group(const struct child *c, int sig)
{
    if (c->pid > 0)
        (void)kill(-c->pid, sig);
}
