#include "ledger/log_write.h"
#include "crypto/note.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0640, FOLDER_MODE = 0750 };

struct log_writer {
    int dir_fd;
    struct arena memory;
    str origin;
    struct log_build *build;
};

/* ---- files ---- */

/* The folders on the way to path, made durable one by one. */
static bool make_folders(int dir_fd, char *path, struct err *err)
{
    for (char *p = path; (p = strchr(p, '/')); p++) {
        *p = 0;
        bool made = mkdirat(dir_fd, path, FOLDER_MODE) == 0;
        bool ok = made || errno == EEXIST || err_system(err, "log: create the folder %s", path);
        *p = '/';
        if (!ok)
            return false;
        if (made && fsync(dir_fd) != 0)
            return err_system(err, "log: fsync of the folder");
    }
    return true;
}

/* "<full>.p/" and what is in it. Left-overs do no harm, so failing to remove them is no error. */
static void remove_partial(int dir_fd, const char *full)
{
    char path[TILE_PATH_SIZE + 8];
    snprintf(path, sizeof path, "%s.p", full);
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            (void)unlinkat(fd, e->d_name, 0);
    closedir(d);
    (void)unlinkat(dir_fd, path, AT_REMOVEDIR);
}

static bool put(void *arg, const struct tile *t, str bytes, struct err *err)
{
    struct log_writer *w = arg;
    char path[TILE_PATH_SIZE];
    (void)tile_path(t, path);
    if (faccessat(w->dir_fd, path, F_OK, 0) == 0 && t->width < TILE_WIDTH)
        return true; /* published before, and no such file ever changes */
    if (!make_folders(w->dir_fd, path, err) ||
        !file_write(w->dir_fd, path, bytes, FILE_MODE, err))
        return err_in(err, "log");
    if (t->width == TILE_WIDTH)
        remove_partial(w->dir_fd, path);
    return true;
}

/* ---- taking up ---- */

static bool read_checkpoint(struct log_writer *w, struct arena *a, struct checkpoint *out,
                            struct err *err)
{
    str text;
    struct note note;
    return file_read(w->dir_fd, "checkpoint", NOTE_BYTES_MAX, NULL, a, &text, err) &&
           note_parse(a, text, &note, err) && checkpoint_parse(note.text, w->origin, out, err);
}

/* A tile as it is at this size; the full one serves for a narrower one. */
static bool read_tile(void *arg, const struct tile *t, struct arena *a, str *out, struct err *err)
{
    struct log_writer *w = arg;
    char path[TILE_PATH_SIZE];
    (void)tile_path(t, path);
    return file_read(w->dir_fd, path, t->entries ? TILE_BUNDLE_BYTES_MAX : TILE_BYTES_MAX, NULL, a,
                     out, err);
}

static bool take_up(struct log_writer *w, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct checkpoint c = {0};
    struct log_sink sink = {put, w};
    w->build = log_build_new(sink);
    if (!read_checkpoint(w, &a, &c, err)) {
        /* Nothing there, or nothing that can be read: from the beginning. */
        return err->kind == ERR_NOTFOUND || err->kind == ERR_INPUT;
    }
    struct err why = {0};
    if (log_build_resume(w->build, c.size, read_tile, w, &why)) {
        struct hash root = log_build_root(w->build);
        if (hash_eq(&root, &c.root))
            return true;
    }
    log_build_free(w->build);
    w->build = log_build_new(sink);
    return true;
}
