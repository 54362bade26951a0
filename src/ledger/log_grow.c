#include "ledger/log_grow.h"
#include "crypto/note.h"
#include "ledger/log_file.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MODE = 0640 };

struct log_grow {
    int dir_fd;
    struct arena memory;
    str origin;
    struct log_build *build;
    uint64_t edge; /* the size whose edge is written */
    struct err damage;
};

static bool put(void *arg, const struct tile *t, str bytes, struct err *err)
{
    const struct log_grow *w = arg;
    return log_file_put(w->dir_fd, t, bytes, FILE_MODE, err) || err_in(err, "log");
}

static bool get(void *arg, const struct tile *t, struct arena *a, str *out, struct err *err)
{
    const struct log_grow *w = arg;
    return log_file_get(w->dir_fd, t, a, out, err);
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

/* False with *err where it cannot be told, or where what is there must not be built on. */
static bool resume(struct log_grow *w, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct checkpoint c;
    if (!read_checkpoint(w, &a, &c, err) || !log_build_resume(w->build, c.size, get, w, err))
        return false;
    struct hash root = log_build_root(w->build);
    w->edge = c.size;
    return hash_eq(&root, &c.root) ||
           err_input(err, "the tiles do not give the root of the checkpoint");
}

static bool take_up(struct log_grow *w, struct err *err)
{
    struct log_sink sink = {put, w};
    struct stat st;
    bool is_new =
        fstatat(w->dir_fd, "checkpoint", &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    w->build = log_build_new(sink);
    if (is_new || resume(w, &w->damage))
        return true;
    if (w->damage.kind == ERR_SYSTEM) { /* the disk: nothing is known of what it holds */
        *err = w->damage;
        return false;
    }
    log_build_free(w->build);
    w->build = log_build_new(sink);
    w->edge = 0;
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
