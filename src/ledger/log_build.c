#include "ledger/log_build.h"

#include <stdlib.h>

struct log_build {
    struct log_sink sink;
    struct frontier tree;
    struct buf bundle;
    struct {
        uint64_t n;      /* of the tile that is being filled */
        unsigned hashes; /* in it */
        struct hash h[TILE_WIDTH];
    } level[TILE_LEVELS_MAX];
};

struct log_build *log_build_new(struct log_sink sink)
{
    struct log_build *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->sink = sink;
    b->bundle.max = TILE_BUNDLE_BYTES_MAX;
    return b;
}

void log_build_free(struct log_build *b)
{
    if (!b)
        return;
    buf_fini(&b->bundle);
    free(b);
}

uint64_t log_build_size(const struct log_build *b)
{
    return b->tree.size;
}

struct hash log_build_root(const struct log_build *b)
{
    return frontier_root(&b->tree);
}

/* The tile of a level as it stands, and at the bottom the bundle under it. */
static bool put_tile(struct log_build *b, unsigned level, struct err *err)
{
    unsigned width = b->level[level].hashes;
    struct tile t = {.level = level, .n = b->level[level].n, .width = width};
    struct tile bundle = {.entries = true, .n = t.n, .width = width};
    str hashes = str_of((const char *)b->level[level].h, (size_t)width * HASH_LEN);
    if (level == 0 && !b->sink.put(b->sink.arg, &bundle, buf_str(&b->bundle), err))
        return false;
    return b->sink.put(b->sink.arg, &t, hashes, err);
}

bool log_build_add(struct log_build *b, str entry, struct err *err)
{
    struct hash h = merkle_leaf(entry);
    if (!bundle_put(&b->bundle, entry, err) || !frontier_append(&b->tree, &h, err))
        return false;
    for (unsigned level = 0;; level++) {
        b->level[level].h[b->level[level].hashes++] = h;
        if (b->level[level].hashes < TILE_WIDTH)
            return true;
        if (!put_tile(b, level, err))
            return false;
        if (level == 0)
            buf_clear(&b->bundle);
        h = tile_root(str_of((const char *)b->level[level].h, TILE_BYTES_MAX), 0, TILE_WIDTH);
        b->level[level].hashes = 0;
        b->level[level].n++;
    }
}

bool log_build_edge(struct log_build *b, struct err *err)
{
    for (unsigned level = 0; level < TILE_LEVELS_MAX; level++)
        if (b->level[level].hashes && !put_tile(b, level, err))
            return false;
    return true;
}
