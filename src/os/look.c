#include "os/look.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FUSE_MAGIC = 0x65735546, PATH_ROOM = 4096 };

static bool gone(long pid, struct err *err)
{
    return err_denied(err, "process %ld is gone", pid);
}

static bool is_alive(int pidfd)
{
    struct pollfd f = {.fd = pidfd, .events = POLLIN};
    return poll(&f, 1, 0) == 0;
}

/* proc(5), fdinfo of a pidfd: "Pid:" is its number in our namespace, -1 once collected, 0 if it has
 * none here. */
static bool pid_of(int pidfd, long *out, struct err *err)
{
    char path[64];
    ARENA_SCOPE struct arena a = {0};
    str rest, line;
    uint64_t pid = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    if (!file_read(AT_FDCWD, path, 4096, NULL, &a, &rest, err))
        return false;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (str_starts(line, S("Pid:\t")) && !str_to_u64(str_skip(line, 5), &pid))
            return err_denied(err, "the process is gone");
    }
    if (pid == 0 || pid > INT32_MAX)
        return err_denied(err, "the descriptor names no process that can be seen from here");
    *out = (long)pid;
    return true;
}

static bool open_folder(struct look *l, struct err *err)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%ld", l->pid);
    l->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (l->folder < 0)
        return gone(l->pid, err);
    return is_alive(l->pidfd) || gone(l->pid, err);
}

static bool not_seen(const struct look *l, struct err *err)
{
    if (errno == ENOENT || errno == ESRCH)
        return gone(l->pid, err);
    if (errno == EACCES || errno == EPERM)
        return err_denied(err, "the program of process %ld cannot be seen from here", l->pid);
    return err_system(err, "cannot see the program of process %ld", l->pid);
}

/* Without opening the file itself: that is for after the file system is known. */
static bool stat_program(struct look *l, struct err *err)
{
    struct statfs fs;
    int fd = openat(l->folder, "exe", O_PATH | O_CLOEXEC);
    if (fd < 0)
        return not_seen(l, err);
    bool ok = fstatfs(fd, &fs) == 0 || err_system(err, "cannot see a program's file system");
    if (ok && fs.f_type == FUSE_MAGIC)
        ok = err_denied(err, "the program of process %ld is on a FUSE file system", l->pid);
    ok = ok && (fstat(fd, &l->st) == 0 || err_system(err, "cannot see a program file"));
    close(fd);
    return ok;
}

static bool same_mounts(const struct look *l)
{
    struct stat theirs, ours;
    return fstatat(l->folder, "ns/mnt", &theirs, 0) == 0 && stat("/proc/self/ns/mnt", &ours) == 0 &&
           theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static bool is_same_file(const struct stat *x, const struct stat *y)
{
    return x->st_dev == y->st_dev && x->st_ino == y->st_ino;
}

static void read_path(struct look *l, struct arena *a)
{
    char room[PATH_ROOM];
    struct stat here;
    ssize_t n = readlinkat(l->folder, "exe", room, sizeof room - 1);
    if (n <= 0 || n == sizeof room - 1 || room[0] != '/') {
        l->why_no_path = "the program has no path that can be named";
        return;
    }
    room[n] = 0;
    str path = str_of(room, (size_t)n);
    if (str_ends(path, S(" (deleted)")))
        l->why_no_path = "the program file was removed or replaced";
    else if (!same_mounts(l) && (stat(room, &here) != 0 || !is_same_file(&here, &l->st)))
        l->why_no_path = "the program runs among mounts of its own, and its path is another file "
                         "here";
    else
        l->path = str_dup(a, path);
}

bool look_open(int pidfd, struct arena *a, struct look *out, struct err *err)
{
    struct look l = {.pidfd = pidfd, .folder = -1};
    if (!pid_of(pidfd, &l.pid, err))
        return false;
    if (!open_folder(&l, err) || !stat_program(&l, err)) {
        look_close(&l);
        return false;
    }
    read_path(&l, a);
    if (!look_confirm(&l, err)) {
        look_close(&l);
        return false;
    }
    *out = l;
    return true;
}

static bool other_program(const struct look *l, struct err *err)
{
    return err_denied(err, "process %ld has executed another program meanwhile", l->pid);
}

bool look_file(const struct look *l, int *out_fd, struct err *err)
{
    struct stat st;
    int fd = openat(l->folder, "exe", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno == EACCES
                   ? err_denied(err, "the program file of process %ld may not be read", l->pid)
                   : not_seen(l, err);
    if (fstat(fd, &st) != 0 || !is_same_file(&st, &l->st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return other_program(l, err);
    }
    *out_fd = fd;
    return true;
}

bool look_confirm(const struct look *l, struct err *err)
{
    struct stat st;
    if (fstatat(l->folder, "exe", &st, 0) != 0)
        return not_seen(l, err);
    if (!is_same_file(&st, &l->st))
        return other_program(l, err);
    return is_alive(l->pidfd) || gone(l->pid, err);
}

void look_close(struct look *l)
{
    if (l->folder > 0)
        close(l->folder);
    l->folder = -1;
}
