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

/* ---- taking up ---- */

/* Every node that a frontier asks for lies in the tiles of the edge. */
static bool edge_node(void *arg, unsigned level, uint64_t index, struct hash *out, struct err *err)
{
    const struct log_build *b = arg;
    unsigned at = level / TILE_HEIGHT, wide = 1u << level % TILE_HEIGHT;
    uint64_t first = index * wide;
    if (at >= TILE_LEVELS_MAX || first / TILE_WIDTH != b->level[at].n)
        return err_input(err, "the edge of the log has no such node");
    *out = tile_root(str_of((const char *)b->level[at].h, TILE_BYTES_MAX),
                     (unsigned)(first % TILE_WIDTH), wide);
    return true;
}

static bool resume_level(struct log_build *b, unsigned level, uint64_t size, log_tile_fn *read,
                         void *arg, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    uint64_t hashes = level * TILE_HEIGHT < 64 ? size >> level * TILE_HEIGHT : 0;
    struct tile t = {.level = level, .n = hashes / TILE_WIDTH, .width = hashes % TILE_WIDTH};
    str bytes;
    b->level[level].n = t.n;
    b->level[level].hashes = t.width;
    if (!t.width)
        return true;
    if (!read(arg, &t, &a, &bytes, err))
        return false;
    if (bytes.n != (size_t)t.width * HASH_LEN)
        return err_input(err, "a tile is not as long as it should be");
    memcpy(b->level[level].h, bytes.p, bytes.n);
    return true;
}

static bool resume_bundle(struct log_build *b, log_tile_fn *read, void *arg, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct tile t = {.entries = true, .n = b->level[0].n, .width = b->level[0].hashes};
    str rest, entry;
    if (!t.width)
        return true;
    if (!read(arg, &t, &a, &rest, err))
        return false;
    for (unsigned i = 0; i < t.width; i++) {
        if (!bundle_take(&rest, &entry))
            return err_input(err, "a bundle is cut short");
        struct hash h = merkle_leaf(entry);
        if (!hash_eq(&h, &b->level[0].h[i]))
            return err_input(err, "a bundle is not what its tile says");
        if (!bundle_put(&b->bundle, entry, err))
            return false;
    }
    return rest.n == 0 || err_input(err, "a bundle is too long");
}

bool log_build_resume(struct log_build *b, uint64_t size, log_tile_fn *read, void *arg,
                      struct err *err)
{
    struct merkle_source edge = {edge_node, b};
    for (unsigned level = 0; level < TILE_LEVELS_MAX; level++)
        if (!resume_level(b, level, size, read, arg, err))
            return false;
    return resume_bundle(b, read, arg, err) && merkle_frontier(&edge, size, &b->tree, err);
}
