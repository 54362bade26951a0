#include "os/peer.h"

#include "os/file.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* proc(5): fields 4 and 22 of /proc/PID/stat; the second field, in brackets, may hold anything, so
 * count from its end. */
static bool read_stat(pid_t pid, uint64_t *parent, uint64_t *start, struct err *err)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    ARENA_SCOPE struct arena a = {0};
    str s;
    if (!file_read(AT_FDCWD, path, 4096, NULL, &a, &s, err))
        return err_denied(err, "process %ld is gone", (long)pid);
    size_t at = s.n;
    while (at > 0 && s.p[at - 1] != ')')
        at--;
    str rest = str_trim(str_skip(s, at)), field = {0}, ppid = {0};
    for (int i = 3; i <= 22; i++) {
        str_cut(rest, ' ', &field, &rest);
        if (i == 4)
            ppid = field;
    }
    if (!str_to_u64(field, start) || !str_to_u64(ppid, parent))
        return err_system(err, "cannot read %s", path);
    return true;
}

static bool read_start(pid_t pid, uint64_t *out, struct err *err)
{
    uint64_t parent;
    return read_stat(pid, &parent, out, err);
}

bool process_parent(pid_t pid, pid_t *parent, uint64_t *start_ticks, struct err *err)
{
    uint64_t ppid, start;
    if (!read_stat(pid, &ppid, &start, err))
        return false;
    *parent = (pid_t)ppid;
    *start_ticks = start;
    return true;
}

bool peer_is_alive(const struct peer *p)
{
    struct pollfd f = {.fd = p->pidfd, .events = POLLIN};
    return p->pidfd >= 0 && poll(&f, 1, 0) == 0;
}

static bool gone(const struct peer *p, struct err *err)
{
    return err_denied(err, "process %ld is gone", (long)p->pid);
}

/* The pidfd is open before the start time is read, and the process alive after it: then both are of
 * the same one. */
static bool complete(struct peer *p, struct err *err)
{
    if (!read_start(p->pid, &p->start_ticks, err))
        return false;
    return peer_is_alive(p) || gone(p, err);
}

/* Before Linux 6.5: by number. That the number still names the process that connected shows in its
 * start time being the same before and after it was taken hold of; that it was not reused before is
 * beyond proof, so 6.5 is better. */
static bool hold_by_number(struct peer *p, struct err *err)
{
    uint64_t before;
    if (!read_start(p->pid, &before, err))
        return false;
    p->pidfd = os_pidfd_open(p->pid);
    if (p->pidfd < 0)
        return errno == ESRCH ? gone(p, err)
                              : err_system(err, "cannot hold on to process %ld", (long)p->pid);
    if (!complete(p, err))
        return false;
    return p->start_ticks == before || gone(p, err);
}

bool peer_attest(int sock, struct peer *out, struct err *err)
{
    struct ucred u;
    socklen_t n = sizeof u;
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &u, &n) != 0)
        return err_system(err, "cannot ask the kernel who connected");
    /* pid 0: the peer lives in a pid namespace that we cannot see into. */
    if (u.pid <= 0)
        return err_denied(err, "the kernel does not name the process that connected");
    struct peer p = {.pid = u.pid, .uid = u.uid, .gid = u.gid, .pidfd = -1};
    n = sizeof p.pidfd;
    bool ok;
    if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &p.pidfd, &n) == 0) {
        ok = complete(&p, err);
    } else {
        p.pidfd = -1;
        if (errno == ENOPROTOOPT)
            ok = hold_by_number(&p, err);
        else
            ok = errno == ESRCH || errno == EINVAL ? gone(&p, err)
                                                   : err_system(err, "cannot hold on to the peer");
    }
    if (!ok) {
        peer_fini(&p);
        return false;
    }
    *out = p;
    return true;
}

static bool read_ids(struct peer *p, struct err *err)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)p->pid);
    ARENA_SCOPE struct arena a = {0};
    str rest, line;
    if (!file_read(AT_FDCWD, path, 64 << 10, NULL, &a, &rest, err))
        return gone(p, err);
    uint64_t id[2] = {0};
    bool has[2] = {false, false};
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        for (int i = 0; i < 2; i++) {
            if (!str_starts(line, i ? S("Gid:\t") : S("Uid:\t")))
                continue;
            str real, effective;
            str_cut(str_skip(line, 5), '\t', &real, &line);
            str_cut(line, '\t', &effective, &line);
            has[i] = str_to_u64(effective, &id[i]) && id[i] <= UINT32_MAX;
        }
    }
    if (!has[0] || !has[1])
        return err_system(err, "cannot read %s", path);
    p->uid = (uid_t)id[0];
    p->gid = (gid_t)id[1];
    return true;
}

bool peer_ids_now(const struct peer *p, uid_t *uid, gid_t *gid, struct err *err)
{
    struct peer now = *p;
    if (!read_ids(&now, err))
        return false;
    if (!peer_is_alive(p))
        return gone(p, err);
    *uid = now.uid;
    *gid = now.gid;
    return true;
}

bool peer_groups(int sock, struct arena *a, gid_t **out, size_t *n, struct err *err)
{
    gid_t *groups = arena_alloc(a, PEER_GROUPS_MAX * sizeof *groups);
    socklen_t len = PEER_GROUPS_MAX * sizeof *groups;
    if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
        return errno == ERANGE
                   ? err_limit(err, "the process is in over %d groups", (int)PEER_GROUPS_MAX)
                   : err_system(err, "cannot ask the kernel for the peer's groups");
    *out = groups;
    *n = len / sizeof *groups;
    return true;
}

bool peer_of_child(pid_t pid, int pidfd, struct peer *out, struct err *err)
{
    struct peer p = {.pid = pid, .pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3)};
    if (p.pidfd < 0)
        return err_system(err, "cannot keep hold of process %ld", (long)pid);
    if (!read_ids(&p, err) || !complete(&p, err)) {
        peer_fini(&p);
        return false;
    }
    *out = p;
    return true;
}

bool peer_exe_path(const struct peer *p, struct arena *a, str *out, struct err *err)
{
    char link[40], path[4096];
    snprintf(link, sizeof link, "/proc/%ld/exe", (long)p->pid);
    ssize_t n = readlink(link, path, sizeof path);
    if (n < 0)
        return errno == ENOENT || errno == ESRCH
                   ? gone(p, err)
                   : err_system(err, "cannot see the program of process %ld", (long)p->pid);
    if (!peer_is_alive(p))
        return gone(p, err);
    str s = str_of(path, (size_t)n);
    if (s.n == sizeof path || s.n == 0 || s.p[0] != '/')
        return err_denied(err, "the program of process %ld has no path that can be named",
                          (long)p->pid);
    if (str_ends(s, S(" (deleted)")))
        return err_denied(err, "the program file of process %ld was removed or replaced",
                          (long)p->pid);
    *out = str_dup(a, s);
    return true;
}

bool peer_exe_open(const struct peer *p, int *out_fd, struct err *err)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/%ld/exe", (long)p->pid);
    int fd = open(link, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ESRCH
                   ? gone(p, err)
                   : err_system(err, "cannot open the program of process %ld", (long)p->pid);
    if (!peer_is_alive(p)) {
        close(fd);
        return gone(p, err);
    }
    *out_fd = fd;
    return true;
}

/* cgroups(7): the line of version 2 begins with "0::". */
bool peer_cgroup(const struct peer *p, struct arena *a, str *out, struct err *err)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%ld/cgroup", (long)p->pid);
    str rest, line, found = {0};
    if (!file_read(AT_FDCWD, path, 64 << 10, NULL, a, &rest, err))
        return gone(p, err);
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (str_starts(line, S("0::")))
            found = str_skip(line, 3);
    }
    if (!peer_is_alive(p))
        return gone(p, err);
    *out = found;
    return true;
}

void peer_fini(struct peer *p)
{
    if (p->pidfd >= 0)
        close(p->pidfd);
    p->pidfd = -1;
}
