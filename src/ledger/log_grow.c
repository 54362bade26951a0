#include "ledger/log_grow.h"
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

struct log_grow {
    int dir_fd;
    struct arena memory;
    str origin;
    struct log_build *build;
    uint64_t edge; /* the size whose edge is written */
    struct err damage;
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
    struct log_grow *w = arg;
    char path[TILE_PATH_SIZE];
    (void)tile_path(t, path);
    if (!make_folders(w->dir_fd, path, err) || !file_write(w->dir_fd, path, bytes, FILE_MODE, err))
        return err_in(err, "log");
    if (t->width == TILE_WIDTH)
        remove_partial(w->dir_fd, path);
    return true;
}

/* ---- taking up ---- */

static bool read_checkpoint(struct log_grow *w, struct arena *a, struct checkpoint *out,
                            struct err *err)
{
    str text;
    struct note note;
    return file_read(w->dir_fd, "checkpoint", NOTE_BYTES_MAX, NULL, a, &text, err) &&
           note_parse(a, text, &note, err) && checkpoint_parse(note.text, w->origin, out, err);
}

static bool read_file(struct log_grow *w, const struct tile *t, struct arena *a, str *out,
                      struct err *err)
{
    char path[TILE_PATH_SIZE];
    (void)tile_path(t, path);
    return file_read(w->dir_fd, path, t->entries ? TILE_BUNDLE_BYTES_MAX : TILE_BYTES_MAX, NULL, a,
                     out, err);
}

/* The first `width` of a full tile or bundle. */
static str narrow(const struct tile *t, str full)
{
    str rest = full, entry;
    if (!t->entries)
        return str_take(full, (size_t)t->width * HASH_LEN);
    for (unsigned i = 0; i < t->width && bundle_take(&rest, &entry); i++)
        ;
    return str_take(full, full.n - rest.n);
}

/* A tile as it is at this size; where it has become full meanwhile, that one serves. */
static bool read_tile(void *arg, const struct tile *t, struct arena *a, str *out, struct err *err)
{
    struct tile full = *t;
    full.width = TILE_WIDTH;
    if (read_file(arg, t, a, out, err))
        return true;
    if (err->kind != ERR_NOTFOUND || !read_file(arg, &full, a, out, err))
        return false;
    *out = narrow(t, *out);
    return true;
}

static bool take_up(struct log_grow *w, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct checkpoint c = {0};
    struct log_sink sink = {put, w};
    w->build = log_build_new(sink);
    if (!read_checkpoint(w, &a, &c, err)) {
        /* Nothing there, or nothing that can be read: from the beginning. */
        if (err->kind == ERR_INPUT)
            w->damage = *err;
        return err->kind == ERR_NOTFOUND || err->kind == ERR_INPUT;
    }
    if (log_build_resume(w->build, c.size, read_tile, w, &w->damage)) {
        struct hash root = log_build_root(w->build);
        if (hash_eq(&root, &c.root)) {
            w->edge = c.size;
            return true;
        }
        (void)err_denied(&w->damage, "the tiles do not give the root of the checkpoint");
    }
    log_build_free(w->build);
    w->build = log_build_new(sink);
    return true;
}

bool log_grow_open(int dir_fd, str origin, struct log_grow **out, struct err *err)
{
    struct log_grow *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->dir_fd = dir_fd;
    w->origin = str_dup(&w->memory, origin);
    if (!take_up(w, err)) {
        log_grow_close(w);
        return false;
    }
    *out = w;
    return true;
}

void log_grow_close(struct log_grow *w)
{
    if (!w)
        return;
    log_build_free(w->build);
    arena_fini(&w->memory);
    free(w);
}

/* ---- growing ---- */

str log_grow_damage(const struct log_grow *w)
{
    return w->damage.kind ? str_z(w->damage.text) : (str){0};
}

uint64_t log_grow_size(const struct log_grow *w)
{
    return log_build_size(w->build);
}

bool log_grow_add(struct log_grow *w, str entry, struct err *err)
{
    return log_build_add(w->build, entry, err);
}

bool log_grow_publish(struct log_grow *w, str text, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct note note;
    struct checkpoint c;
    struct hash root = log_build_root(w->build);
    if (!note_parse(&a, text, &note, err) || !checkpoint_parse(note.text, w->origin, &c, err))
        return false;
    if (c.size != log_build_size(w->build))
        return err_input(err, "the checkpoint is of size %llu, the log of size %llu",
                         (unsigned long long)c.size, (unsigned long long)log_build_size(w->build));
    if (!hash_eq(&root, &c.root))
        return err_denied(err,
                          "the signed root is not that of the %llu leaves that were sent: "
                          "nothing is published; keep the folder and the database as they are "
                          "and compare them with `ambit ledger verify`",
                          (unsigned long long)c.size);
    if (w->edge != c.size && !log_build_edge(w->build, err))
        return false;
    w->edge = c.size;
    return file_write(w->dir_fd, "checkpoint", text, FILE_MODE, err);
}
