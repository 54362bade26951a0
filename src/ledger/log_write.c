#include "ledger/log_write.h"
#include "base/arena.h"
#include "ledger/log_dir.h"
#include "ledger/log_file.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0644, FOLDER_MODE = 0755 };

struct log_writer {
    int fd;
    struct log_build *build;
    struct arena scratch;     /* one file's */
    struct checkpoint before; /* what the directory publishes; size 0: nothing */
};

/* A file that is there stays, and must be what the log gives. */
static bool put_file(void *arg, const struct tile *t, str bytes, struct err *err)
{
    struct log_writer *w = arg;
    char path[TILE_PATH_SIZE];
    struct err absent = {0};
    str there;
    tile_path(t, path);
    arena_reset(&w->scratch);
    if (!file_read(w->fd, path, TILE_BUNDLE_BYTES_MAX, NULL, &w->scratch, &there, &absent)) {
        if (absent.kind == ERR_NOTFOUND)
            return log_file_put(w->fd, t, bytes, FILE_MODE, err);
        *err = absent;
        return false;
    }
    return str_eq(there, bytes) ||
           err_denied(err,
                      "%s holds other bytes than the log gives: the directory is of another log, "
                      "or was changed; name an empty one",
                      path);
}

/* ---- the log ---- */

/* What is published already, and must be continued. */
static bool read_before(struct log_writer *w, const char *path, struct err *err)
{
    struct log_dir *d;
    struct err bad = {0};
    if (!log_dir_open(path, NULL, &d, &bad)) {
        if (bad.kind == ERR_NOTFOUND)
            return true;
        *err = bad;
        return false;
    }
    w->before = (struct checkpoint){.size = log_dir_head(d)->size, .root = log_dir_head(d)->root};
    log_dir_close(d);
    return true;
}

bool log_writer_open(const char *path, struct log_writer **out, struct err *err)
{
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
        return err_system(err, "cannot make the folder %s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "cannot open the folder %s", path);
    struct log_writer *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->fd = fd;
    if (!read_before(w, path, err)) {
        log_writer_close(w);
        return false;
    }
    w->build = log_build_new((struct log_sink){put_file, w});
    *out = w;
    return true;
}

void log_writer_close(struct log_writer *w)
{
    if (!w)
        return;
    log_build_free(w->build);
    arena_fini(&w->scratch);
    close(w->fd);
    free(w);
}

bool log_writer_add(struct log_writer *w, str entry, struct err *err)
{
    if (!log_build_add(w->build, entry, err))
        return false;
    struct hash root;
    if (log_build_size(w->build) != w->before.size)
        return true;
    root = log_build_root(w->build);
    return hash_eq(&root, &w->before.root) ||
           err_denied(err,
                      "the directory publishes another log: its checkpoint of %llu entries has "
                      "another root; keep it as evidence and name an empty directory",
                      (unsigned long long)w->before.size);
}

bool log_writer_publish(struct log_writer *w, str note, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct note parsed;
    struct checkpoint c;
    uint64_t size = log_build_size(w->build);
    struct hash root = log_build_root(w->build);
    str origin, rest;
    if (!note_parse(&a, note, &parsed, err))
        return err_in(err, "the checkpoint");
    str_cut(parsed.text, '\n', &origin, &rest);
    if (!checkpoint_parse(parsed.text, origin, &c, err))
        return err_in(err, "the checkpoint");
    if (c.size != size || !hash_eq(&c.root, &root))
        return err_denied(err,
                          "the checkpoint is for %llu entries; these %llu have another size or "
                          "root and are not published",
                          (unsigned long long)c.size, (unsigned long long)size);
    if (size < w->before.size)
        return err_denied(err,
                          "the directory publishes %llu entries and the log has %llu: it was cut "
                          "back or restored from an old copy; nothing is published",
                          (unsigned long long)w->before.size, (unsigned long long)size);
    return log_build_edge(w->build, err) && file_write(w->fd, "checkpoint", note, FILE_MODE, err);
}
