#include "role/state_dir.h"
#include "os/file.h"
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct role_uids role_uids_of(const struct conf *c)
{
    int64_t b = c->uid_base;
    if (geteuid() != 0 || b <= 0)
        return (struct role_uids){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return (struct role_uids){b, b + 1, b + 2, b + 3, b + 4, b + 5, b + 6, b + 7, b + 8, b + 9};
}

/* Roles with uids of their own, and agents, reach the sockets by path. */
static bool check_way_in(struct arena *a, str dir, struct err *err)
{
    for (size_t n = 1; n < dir.n; n++) {
        struct stat st;
        if (dir.p[n] != '/')
            continue;
        const char *parent = str_dup(a, str_take(dir, n)).p;
        if (stat(parent, &st) != 0)
            return err_system(err, "cannot look at %s", parent);
        if (!(st.st_mode & S_IXOTH))
            return err_input(err,
                             "the folder %s is closed to other users, so neither agents nor the "
                             "gateway's own users can reach the sockets in %.*s: put \"state\" "
                             "elsewhere (/var/lib/ambit, say), open the folder (chmod o+x %s), or "
                             "set \"uidBase\": 0 to run everything as one user",
                             parent, STR(dir), parent);
    }
    return true;
}

/* Everything below path, never through a symbolic link. uid -1: remove it (path itself stays). */
static bool walk(struct arena *a, str path, int64_t uid, struct err *err)
{
    char *roots[] = {arena_dup(a, path.p, path.n + 1), NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    bool ok = tree != NULL;
    for (FTSENT *e; ok && (e = fts_read(tree));) {
        if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
            ok = false;
        else if (uid >= 0)
            ok = e->fts_info == FTS_DP || lchown(e->fts_path, (uid_t)uid, (gid_t)uid) == 0;
        else
            ok = e->fts_info == FTS_D || e->fts_level == 0 || remove(e->fts_path) == 0;
    }
    if (!ok)
        err_system(err, "cannot %s what is in %.*s", uid >= 0 ? "give away" : "remove", STR(path));
    if (tree)
        fts_close(tree);
    return ok;
}

static bool open_folder(struct arena *a, str state, const char *name, mode_t mode, int64_t uid,
                        int *out_fd, struct err *err)
{
    struct stat st;
    const char *path = str_fmt(a, "%.*s/%s", STR(state), name).p;
    if (!file_mkdir(path, mode, err))
        return false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        err_system(err, "cannot open %s", path);
        goto fail;
    }
    if (uid >= 0 && st.st_uid != (uid_t)uid) {
        if (!walk(a, str_z(path), uid, err))
            goto fail;
    } else if (uid < 0 && st.st_uid != geteuid()) {
        err_denied(err,
                   "%s belongs to user %u: start as root with the \"uidBase\" it was made with, or "
                   "give the folder to this user",
                   path, (unsigned)st.st_uid);
        goto fail;
    }
    if ((st.st_mode & 07777) != mode && fchmod(fd, mode) != 0) {
        err_system(err, "cannot set the mode of %s", path);
        goto fail;
    }
    *out_fd = fd;
    return true;
fail:
    if (fd >= 0)
        close(fd);
    return false;
}

static bool open_root(struct arena *a, str dir, struct err *err)
{
    struct stat st;
    const char *path = str_dup(a, dir).p;
    if (!file_mkdir(path, 0711, err))
        return err_in(err, "the state folder");
    if (stat(path, &st) != 0)
        return err_system(err, "cannot look at %s", path);
    if (!(st.st_mode & S_IXOTH) && st.st_uid == geteuid() &&
        chmod(path, (st.st_mode & 07777) | 0011) != 0)
        return err_system(err, "cannot open %s to the users of its sockets", path);
    return true;
}

bool state_dir_open(struct arena *a, const struct conf *c, const struct role_uids *uids,
                    struct state_dir *out, struct err *err)
{
    struct state_dir d = {.lock_fd = -1};
    str dir = c->state_dir;
    int run_fd = -1, children_fd = -1;
    if (!open_root(a, dir, err) || (uids->core >= 0 && !check_way_in(a, dir, err)) ||
        !lock_take(str_fmt(a, "%.*s/lock", STR(dir)).p, &d.lock_fd, err))
        return false;
    if (!open_folder(a, dir, "store", 0700, uids->core, &d.store_fd, err) ||
        !open_folder(a, dir, "keys", 0700, uids->keeper, &d.keys_fd, err) ||
        !open_folder(a, dir, "secrets", 0700, uids->keeper, &d.secrets_fd, err) ||
        !open_folder(a, dir, "log", 0750, uids->publisher, &d.log_fd, err) ||
        !open_folder(a, dir, "run", 0711, -1, &run_fd, err) ||
        !open_folder(a, dir, "children", 0711, uids->runner, &children_fd, err))
        return false;
    close(run_fd);
    close(children_fd);
    if (!walk(a, str_fmt(a, "%.*s/children", STR(dir)), -1, err))
        return false;
    d.runner_socket = str_fmt(a, "%.*s/run/runner.sock", STR(dir));
    *out = d;
    return true;
}
