/* store_fix: a store in a temporary directory with a tree in name only, for the tests of this
 * folder. */
#pragma once
#include "store/read.h"
#include "store/store.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* A tree in name only: the "hash" is the index and the first bytes, the frontier a running sum. */
struct toy_tree {
    uint64_t size, sum;
};

static inline bool toy_restore(void *ctx, uint64_t size, str frontier, struct err *err)
{
    struct toy_tree *t = ctx;
    t->size = size;
    t->sum = 0;
    if (size == 0)
        return true;
    if (frontier.n != sizeof t->sum)
        return err_input(err, "toy frontier of %zu bytes", frontier.n);
    memcpy(&t->sum, frontier.p, sizeof t->sum);
    return true;
}

static inline void toy_append(void *ctx, str body, uint64_t *out_index,
                              uint8_t out[STORE_HASH_BYTES])
{
    struct toy_tree *t = ctx;
    memset(out, 0, STORE_HASH_BYTES);
    memcpy(out, &t->size, sizeof t->size);
    memcpy(out + 8, body.p, body.n < 24 ? body.n : 24);
    for (size_t i = 0; i < body.n; i++)
        t->sum = t->sum * 31 + (uint8_t)body.p[i];
    *out_index = t->size++;
}

static inline size_t toy_save(void *ctx, uint64_t *out_size, uint8_t out[STORE_FRONTIER_BYTES_MAX])
{
    struct toy_tree *t = ctx;
    *out_size = t->size;
    memcpy(out, &t->sum, sizeof t->sum);
    return sizeof t->sum;
}

struct fix {
    char dir[80];
    int fd;
    struct toy_tree tree;
    struct store_options opt;
    struct store *s;
    struct err err;
};

static inline void fix_open(struct fix *f)
{
    f->opt.tree = (struct store_tree_ops){&f->tree, toy_restore, toy_append, toy_save};
    if (!store_open(f->fd, &f->opt, &f->s, &f->err))
        fail_msg("%s", f->err.text);
}

static inline void fix_close(struct fix *f)
{
    store_close(f->s);
    f->s = NULL;
}

static inline int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/ambit-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_true(store_dir_open(f->dir, true, &f->fd, &f->err));
    fix_open(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fix *f = *state;
    store_close(f->s);
    DIR *d = opendir(f->dir);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(f->dir);
    close(f->fd);
    free(f);
    return 0;
}

struct got {
    unsigned done, committed, guarded, failed;
    struct store_result last;
    char why[400];
};

static inline void on_done(void *arg, const struct store_result *r)
{
    struct got *g = arg;
    g->done++;
    g->committed += r->outcome == STORE_COMMITTED;
    g->guarded += r->outcome == STORE_GUARDED;
    g->failed += r->outcome == STORE_FAILED;
    g->last = *r;
    if (r->err)
        snprintf(g->why, sizeof g->why, "%s", r->err->text);
}

static inline void submit(struct fix *f, struct store_txn *t, struct got *g)
{
    if (!store_submit(f->s, t, on_done, g, &f->err))
        fail_msg("%s", f->err.text);
}

/* Submits and waits for all. */
static inline struct store_result run(struct fix *f, struct store_txn *t)
{
    struct got g = {0};
    submit(f, t, &g);
    store_flush(f->s);
    assert_int_equal(g.done, 1);
    return g.last;
}

static inline struct store_txn *txn(struct fix *f)
{
    return store_txn_new(f->s);
}

static inline void add_task(struct fix *f, const char *id, const char *parent, int64_t calls)
{
    struct store_task row = {.id = str_z(id),
                             .parent = str_z(parent),
                             .owner = S("anna"),
                             .agent = S("spiffe://x/agent/a"),
                             .purpose = S("tidy up"),
                             .grants = S("[]"),
                             .opened_ms = 1000,
                             .deadline_ms = 9000,
                             .calls_left = calls};
    struct store_txn *t = txn(f);
    store_task_insert(t, &row);
    store_leaf(t, S("{\"type\":\"task_open\"}"), (str){0}, row.id);
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
}

static inline int64_t calls_left(struct fix *f, const char *id)
{
    ARENA_SCOPE struct arena a = {0};
    struct store_task row = {0};
    if (!store_read_task(store_view(f->s), &a, str_z(id), &row, &f->err))
        fail_msg("%s", f->err.text);
    return row.calls_left;
}

static inline bool count_leaf(void *arg, const struct store_leaf_row *row)
{
    uint64_t *next = arg;
    assert_int_equal(row->index, *next);
    ++*next;
    return true;
}

static inline uint64_t leaves(struct fix *f)
{
    uint64_t n = 0;
    assert_true(store_read_leaves(store_view(f->s), &(struct store_leaf_query){0}, count_leaf, &n,
                                  &f->err));
    return n;
}

#define STORE_CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
