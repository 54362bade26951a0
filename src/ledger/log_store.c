#include "ledger/log_store.h"
#include "base/arena.h"

#include <stdio.h>

/* ---- a directory ---- */

struct feed {
    struct log_writer *w;
    uint64_t next;
    bool ok;
    struct err *err;
};

static bool on_entry(void *arg, const struct store_leaf_row *row)
{
    struct feed *f = arg;
    f->ok = row->index == f->next ? log_writer_add(f->w, row->body, f->err)
                                  : err_input(f->err, "record %llu is missing in the store",
                                              (unsigned long long)f->next);
    f->next++;
    return f->ok;
}

static bool write_tiles(struct store_view *v, struct log_writer *w,
                        const struct store_checkpoint *c, struct err *err)
{
    struct feed f = {.w = w, .ok = true, .err = err};
    struct store_leaf_query q = {.to = (uint64_t)c->size};
    if (c->size > 0 && !store_read_leaves(v, &q, on_entry, &f, err))
        return false;
    return f.ok && log_writer_publish(w, c->note, err);
}

bool log_store_tiles(struct store_view *v, const char *path, uint64_t *out_size, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct store_checkpoint c;
    struct log_writer *w;
    if (!store_view_begin(v, err))
        return false;
    bool ok = store_read_checkpoint_last(v, &a, &c, err) && log_writer_open(path, &w, err);
    if (ok) {
        ok = write_tiles(v, w, &c, err);
        log_writer_close(w);
    }
    store_view_end(v);
    if (ok)
        *out_size = (uint64_t)c.size;
    return ok;
}

/* ---- proofs ---- */

static bool on_first(void *arg, const struct store_leaf_row *row)
{
    *(uint64_t *)arg = row->index;
    return false;
}

bool log_store_find_call(struct store_view *v, str call, uint64_t *out, struct err *err)
{
    uint64_t index = UINT64_MAX;
    struct store_leaf_query q = {.call = call, .limit = 1};
    if (!store_read_leaves(v, &q, on_first, &index, err))
        return false;
    if (index == UINT64_MAX)
        return err_notfound(err, "no record of call %.*s", STR(str_take(call, 64)));
    *out = index;
    return true;
}

/* The root of a run of leaves, from their stored hashes. */
struct run {
    struct frontier f;
    bool ok;
    struct err *err;
};

static bool on_hash(void *arg, const struct store_leaf_row *row)
{
    struct run *r = arg;
    struct hash h;
    if (row->hash.n != HASH_LEN)
        return r->ok = err_input(r->err, "record %llu has no hash in the store",
                                 (unsigned long long)row->index);
    memcpy(h.b, row->hash.p, HASH_LEN);
    return r->ok = frontier_append(&r->f, &h, r->err);
}

static bool node_of_rows(void *view, unsigned level, uint64_t index, struct hash *out,
                         struct err *err)
{
    struct run r = {.ok = true, .err = err};
    uint64_t from = index << level, n = UINT64_C(1) << level;
    struct store_leaf_query q = {.from = from, .to = from + n};
    if (!store_read_leaves(view, &q, on_hash, &r, err) || !r.ok)
        return false;
    if (r.f.size != n)
        return err_input(err, "a record between %llu and %llu is missing in the store",
                         (unsigned long long)from, (unsigned long long)(from + n));
    *out = frontier_root(&r.f);
    return true;
}

struct copy {
    struct arena *a;
    bool found;
    str body;
};

static bool on_body(void *arg, const struct store_leaf_row *row)
{
    struct copy *c = arg;
    c->found = true;
    c->body = str_dup(c->a, row->body);
    return false;
}

static bool prove(struct store_view *v, struct arena *a, uint64_t index, struct proof *out,
                  struct err *err)
{
    struct store_checkpoint c;
    struct copy entry = {.a = a};
    struct proof p = {.has_extra = true, .index = index};
    struct merkle_source rows = {node_of_rows, v};
    struct store_leaf_query q = {.from = index, .to = index + 1};
    if (!store_read_checkpoint_last(v, a, &c, err))
        return false;
    if (index >= (uint64_t)c.size)
        return err_notfound(err,
                            "no record %llu under the last checkpoint, which covers %lld; a new "
                            "one is covered within a second or two",
                            (unsigned long long)index, (long long)c.size);
    if (!store_read_leaves(v, &q, on_body, &entry, err))
        return false;
    if (!entry.found)
        return err_input(err, "record %llu is missing in the store", (unsigned long long)index);
    if (!merkle_inclusion(&rows, index, (uint64_t)c.size, &p.path, err))
        return false;
    p.extra = entry.body;
    p.note = c.note;
    *out = p;
    return true;
}

bool log_store_prove(struct store_view *v, struct arena *a, uint64_t index, struct proof *out,
                     struct err *err)
{
    if (!store_view_begin(v, err))
        return false;
    bool ok = prove(v, a, index, out, err);
    store_view_end(v);
    return ok;
}
