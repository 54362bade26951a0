#include "os/file.h"

#include "base/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool meets(const struct stat *st, const struct file_rules *rules, const char *path,
                  struct err *err)
{
    if (!S_ISREG(st->st_mode))
        return err_denied(err, "%s is not a regular file", path);
    if (!rules || !rules->owner_only)
        return true;
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return err_denied(err, "%s belongs to user %u", path, (unsigned)st->st_uid);
    if (st->st_mode & 077)
        return err_denied(err, "%s can be used by others (mode %03o): chmod 600 it", path,
                          (unsigned)st->st_mode & 0777);
    return true;
}

/* Reads until the end, at most max bytes; the file may be of those that know no size. */
static bool read_all(int fd, const char *path, size_t max, size_t guess, struct arena *a, str *out,
                     struct err *err)
{
    size_t n = 0, cap = guess ? guess + 1 : 512; /* one more than said shows that it grew */
    if (cap > max)
        cap = max + 1;
    char *p = arena_alloc(a, cap + 1);
    for (;;) {
        if (n == cap) {
            if (n > max)
                break;
            size_t wider = cap > max / 2 ? max + 1 : 2 * cap;
            char *q = arena_alloc(a, wider + 1);
            memcpy(q, p, n);
            p = q;
            cap = wider;
        }
        ssize_t got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_system(err, "cannot read %s", path);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    if (n > max)
        return err_limit(err, "%s has more than %zu bytes", path, max);
    p[n] = 0;
    *out = str_of(p, n);
    return true;
}

bool file_read(int dirfd, const char *path, size_t max, const struct file_rules *rules,
               struct arena *a, str *out, struct err *err)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    if (!rules || !rules->follow)
        flags |= O_NOFOLLOW;
    int fd = openat(dirfd, path, flags);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return err_notfound(err, "%s is not there", path);
        if (errno == ELOOP)
            return err_denied(err, "%s is a symbolic link", path);
        return err_system(err, "cannot open %s", path);
    }
    struct stat st;
    bool ok = fstat(fd, &st) == 0 || err_system(err, "cannot look at %s", path);
    ok = ok && meets(&st, rules, path, err);
    if (ok && st.st_size > 0 && (uintmax_t)st.st_size > max)
        ok = err_limit(err, "%s has more than %zu bytes", path, max);
    ok = ok && read_all(fd, path, max, (size_t)st.st_size, a, out, err);
    close(fd);
    return ok;
}

static bool write_all(int fd, str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

/* The rename is on disk when its folder is. */
static bool sync_folder(int dirfd, const char *folder)
{
    int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

bool file_write(int dirfd, const char *path, str bytes, mode_t mode, struct err *err)
{
    enum { PATH_BYTES_MAX = 4000 };
    char tmp[PATH_BYTES_MAX + 64], folder[PATH_BYTES_MAX + 2];
    size_t n = strlen(path), cut = n;
    if (n == 0 || n > PATH_BYTES_MAX)
        return err_input(err, "a path has 1 to %d bytes", PATH_BYTES_MAX);
    while (cut && path[cut - 1] != '/')
        cut--;
    snprintf(folder, sizeof folder, "%.*s.", (int)cut, path);
    struct id id = id_new('f');
    snprintf(tmp, sizeof tmp, "%.*s.%s.tmp", (int)cut, path, id.s);
    int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_system(err, "cannot make a file beside %s", path);
    bool ok = write_all(fd, bytes) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    if (!ok)
        (void)err_system(err, "cannot write %s", path);
    if (close(fd) != 0 && ok)
        ok = err_system(err, "cannot write %s", path);
    if (ok && renameat(dirfd, tmp, dirfd, path) != 0)
        ok = err_system(err, "cannot put %s in place", path);
    if (!ok) {
        unlinkat(dirfd, tmp, 0);
        return false;
    }
    if (!sync_folder(dirfd, folder))
        return err_system(err, "cannot make sure that %s is on disk", path);
    return true;
}

bool file_mkdir(const char *path, mode_t mode, struct err *err)
{
    struct stat st;
    if (mkdir(path, 0700) == 0) {
        if (chmod(path, mode) != 0)
            return err_system(err, "cannot set the mode of %s", path);
        return true;
    }
    if (errno != EEXIST)
        return err_system(err, "cannot make the folder %s", path);
    if (stat(path, &st) != 0)
        return err_system(err, "cannot look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_input(err, "%s is there and is no folder", path);
    return true;
}
