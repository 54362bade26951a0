#include "ledger/tree.h"
#include "crypto/merkle.h"

#include <stdlib.h>

struct ledger_tree {
    struct frontier frontier;
    struct buf text; /* for saving */
};

static bool tree_restore(void *ctx, uint64_t size, str bytes, struct err *err)
{
    struct ledger_tree *t = ctx;
    struct frontier f = {0};
    if (bytes.n && !frontier_read(bytes, &f, err))
        return err_in(err, "the ledger's tree");
    if (f.size != size)
        return err_input(err, "the ledger's tree: the frontier is of another size");
    t->frontier = f;
    return true;
}

static void tree_append(void *ctx, str body, uint64_t *out_index, uint8_t out[STORE_HASH_BYTES])
{
    struct ledger_tree *t = ctx;
    struct err err = {0};
    struct hash h = merkle_leaf(body);
    *out_index = t->frontier.size;
    if (!frontier_append(&t->frontier, &h, &err))
        abort(); /* 2^63 leaves */
    memcpy(out, h.b, sizeof h.b);
}

static size_t tree_save(void *ctx, uint64_t *out_size, uint8_t out[STORE_FRONTIER_BYTES_MAX])
{
    struct ledger_tree *t = ctx;
    buf_clear(&t->text);
    frontier_write(&t->frontier, &t->text);
    str s = buf_str(&t->text);
    memcpy(out, s.p, s.n);
    *out_size = t->frontier.size;
    return s.n;
}

struct ledger_tree *ledger_tree_new(void)
{
    struct ledger_tree *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->text.max = STORE_FRONTIER_BYTES_MAX;
    return t;
}

void ledger_tree_free(struct ledger_tree *t)
{
    if (!t)
        return;
    buf_fini(&t->text);
    free(t);
}

struct store_tree_ops ledger_tree_ops(struct ledger_tree *t)
{
    return (struct store_tree_ops){t, tree_restore, tree_append, tree_save};
}

bool ledger_root(struct store_view *v, uint64_t *out_size, uint8_t out_root[STORE_HASH_BYTES],
                 struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct ledger_tree t = {0};
    str bytes = {0};
    uint64_t size = 0;
    if (!store_read_tree(v, &a, &size, &bytes, err) || !tree_restore(&t, size, bytes, err))
        return false;
    struct hash root = frontier_root(&t.frontier);
    memcpy(out_root, root.b, sizeof root.b);
    *out_size = size;
    return true;
}
