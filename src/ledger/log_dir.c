#include "ledger/log_dir.h"
#include "base/arena.h"
#include "ledger/log_file.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A file that was read; the next of its kind takes its place. */
struct slot {
    struct tile t; /* width 0: none */
    struct arena mem;
    str bytes;
};

struct log_dir {
    int fd;
    struct arena memory; /* the checkpoint */
    str note;
    struct checkpoint head;
    struct slot bundle, level[TILE_LEVELS_MAX];
};

static bool read_head(struct log_dir *d, const struct note_verifier *log, struct err *err)
{
    struct note note;
    str origin, rest;
    if (!file_read(d->fd, "checkpoint", NOTE_BYTES_MAX, NULL, &d->memory, &d->note, err))
        return false;
    bool ok = log ? note_open(&d->memory, d->note, log, 1, &note, err)
                  : note_parse(&d->memory, d->note, &note, err);
    if (!ok)
        return err_in(err, "the file checkpoint");
    str_cut(note.text, '\n', &origin, &rest);
    if (!checkpoint_parse(note.text, log ? log->name : origin, &d->head, err))
        return err_in(err, "the file checkpoint");
    return true;
}

bool log_dir_open(const char *path, const struct note_verifier *log, struct log_dir **out,
                  struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "cannot open the folder %s", path);
    struct log_dir *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->fd = fd;
    if (!read_head(d, log, err)) {
        log_dir_close(d);
        return false;
    }
    *out = d;
    return true;
}

void log_dir_close(struct log_dir *d)
{
    if (!d)
        return;
    arena_fini(&d->memory);
    arena_fini(&d->bundle.mem);
    for (size_t i = 0; i < TILE_LEVELS_MAX; i++)
        arena_fini(&d->level[i].mem);
    close(d->fd);
    free(d);
}

const struct checkpoint *log_dir_head(const struct log_dir *d)
{
    return &d->head;
}

str log_dir_note(const struct log_dir *d)
{
    return d->note;
}

/* ---- files ---- */

static bool read_tile(struct log_dir *d, struct slot *s, const struct tile *t, str *out,
                      struct err *err)
{
    if (s->t.width != t->width || s->t.n != t->n) {
        s->t = (struct tile){0};
        arena_reset(&s->mem);
        if (!log_file_get(d->fd, t, &s->mem, &s->bytes, err))
            return false;
        s->t = *t;
    }
    *out = s->bytes;
    return true;
}

static bool read_bundle(struct log_dir *d, uint64_t n, str *out, struct err *err)
{
    struct tile t = {.entries = true, .n = n, .width = tile_width(0, n, d->head.size)};
    return read_tile(d, &d->bundle, &t, out, err);
}

bool log_dir_entry(struct log_dir *d, uint64_t index, str *out, struct err *err)
{
    str rest, entry = {0};
    if (index >= d->head.size)
        return err_notfound(err, "no entry %llu: the checkpoint covers %llu",
                            (unsigned long long)index, (unsigned long long)d->head.size);
    if (!read_bundle(d, index / TILE_WIDTH, &rest, err))
        return false;
    for (unsigned i = 0; i <= index % TILE_WIDTH; i++)
        if (!bundle_take(&rest, &entry))
            return err_input(err, "the bundle of entry %llu ends before it",
                             (unsigned long long)index);
    *out = entry;
    return true;
}

static bool node_of_tiles(void *arg, unsigned level, uint64_t index, struct hash *out,
                          struct err *err)
{
    struct log_dir *d = arg;
    struct tile t;
    unsigned first, count;
    str bytes;
    if (!tile_of_node(level, index, d->head.size, &t, &first, &count))
        return err_input(err, "the tree has no such node");
    if (!read_tile(d, &d->level[t.level], &t, &bytes, err))
        return false;
    *out = tile_root(bytes, first, count);
    return true;
}

struct merkle_source log_dir_source(struct log_dir *d)
{
    return (struct merkle_source){node_of_tiles, d};
}

bool log_dir_prove(struct log_dir *d, struct arena *a, uint64_t index, struct proof *out,
                   struct err *err)
{
    struct proof p = {.has_extra = true, .index = index, .note = d->note};
    struct merkle_source tiles = log_dir_source(d);
    str entry;
    if (!log_dir_entry(d, index, &entry, err) ||
        !merkle_inclusion(&tiles, index, d->head.size, &p.path, err))
        return false;
    p.extra = str_dup(a, entry);
    *out = p;
    return true;
}

/* ---- all of it ---- */

struct check {
    struct log_dir *d;
    struct log_dir_report *r;
};

static bool compare(void *arg, const struct tile *t, str bytes, struct err *err)
{
    struct check *c = arg;
    char path[TILE_PATH_SIZE];
    str there;
    c->r->files++;
    if (t->entries)
        return true; /* where the entries came from */
    if (!read_tile(c->d, &c->d->level[t->level], t, &there, err))
        return false;
    tile_path(t, path);
    return str_eq(there, bytes) || err_denied(err, "%s is not what the entries give", path);
}

static bool check_all(struct check *c, struct log_build *b, struct err *err)
{
    uint64_t size = c->d->head.size;
    for (uint64_t n = 0; n * TILE_WIDTH < size; n++) {
        str rest, entry;
        if (!read_bundle(c->d, n, &rest, err))
            return false;
        while (rest.n)
            if (!bundle_take(&rest, &entry) || !log_build_add(b, entry, err))
                return false;
    }
    if (!log_build_edge(b, err))
        return false;
    struct hash root = log_build_root(b);
    return hash_eq(&root, &c->d->head.root) ||
           err_denied(err, "the entries do not give the root that is signed");
}

bool log_dir_verify(struct log_dir *d, struct log_dir_report *out, struct err *err)
{
    struct log_dir_report r = {0};
    struct check c = {d, &r};
    struct log_build *b = log_build_new((struct log_sink){compare, &c});
    struct err bad = {0};
    r.ok = check_all(&c, b, &bad);
    r.entries = log_build_size(b);
    r.root = log_build_root(b);
    log_build_free(b);
    if (!r.ok && bad.kind == ERR_SYSTEM) {
        *err = bad;
        return false;
    }
    if (!r.ok)
        snprintf(r.problem, sizeof r.problem, "%s", bad.text);
    *out = r;
    return true;
}
