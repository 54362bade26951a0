#include "ledger/tile.h"

#include <stdio.h>
#include <stdlib.h>

str tile_path(const struct tile *t, char out[TILE_PATH_SIZE])
{
    enum { GROUPS_MAX = 7 };
    unsigned groups[GROUPS_MAX], n = 0;
    uint64_t rest = t->n;
    do {
        groups[n++] = (unsigned)(rest % 1000);
        rest /= 1000;
    } while (rest);
    int at = t->entries ? snprintf(out, TILE_PATH_SIZE, "tile/entries/")
                        : snprintf(out, TILE_PATH_SIZE, "tile/%u/", t->level);
    while (--n)
        at += snprintf(out + at, (size_t)(TILE_PATH_SIZE - at), "x%03u/", groups[n]);
    at += snprintf(out + at, (size_t)(TILE_PATH_SIZE - at), "%03u", groups[0]);
    if (t->width < TILE_WIDTH)
        at += snprintf(out + at, (size_t)(TILE_PATH_SIZE - at), ".p/%u", t->width);
    return str_of(out, (size_t)at);
}

unsigned tile_width(unsigned level, uint64_t n, uint64_t size)
{
    if (level >= TILE_LEVELS_MAX)
        return 0;
    uint64_t hashes = size >> (TILE_HEIGHT * level), full = hashes / TILE_WIDTH;
    if (n > full)
        return 0;
    return n < full ? TILE_WIDTH : (unsigned)(hashes % TILE_WIDTH);
}

bool tile_of_node(unsigned level, uint64_t index, uint64_t size, struct tile *out, unsigned *first,
                  unsigned *count)
{
    if (level >= MERKLE_LEVELS_MAX || size > MERKLE_SIZE_MAX || index >= size >> level)
        return false;
    unsigned inside = level % TILE_HEIGHT;
    uint64_t begin = index << inside; /* in hashes of the tile's level */
    struct tile t = {.level = level / TILE_HEIGHT, .n = begin / TILE_WIDTH};
    t.width = tile_width(t.level, t.n, size);
    *out = t;
    *first = (unsigned)(begin % TILE_WIDTH);
    *count = 1U << inside;
    return true;
}

struct hash tile_root(str bytes, unsigned first, unsigned count)
{
    struct hash h[TILE_WIDTH];
    if (count == 0 || (count & (count - 1)) || count > TILE_WIDTH ||
        bytes.n / HASH_LEN < first + count)
        abort(); /* the caller's bug */
    memcpy(h, bytes.p + (size_t)first * HASH_LEN, (size_t)count * HASH_LEN);
    for (; count > 1; count /= 2)
        for (unsigned i = 0; i < count / 2; i++)
            h[i] = merkle_node(&h[2 * i], &h[2 * i + 1]);
    return h[0];
}

bool bundle_put(struct buf *bundle, str entry, struct err *err)
{
    if (entry.n > TILE_ENTRY_BYTES_MAX)
        return err_limit(err, "an entry of %zu bytes; a log's entry has at most %d", entry.n,
                         TILE_ENTRY_BYTES_MAX);
    buf_putc(bundle, (char)(entry.n >> 8));
    buf_putc(bundle, (char)(entry.n & 0xff));
    buf_put(bundle, entry);
    return true;
}

bool bundle_take(str *rest, str *out)
{
    if (rest->n < 2)
        return false;
    size_t n = (size_t)((uint8_t)rest->p[0] << 8 | (uint8_t)rest->p[1]);
    if (rest->n - 2 < n)
        return false;
    *out = str_of(rest->p + 2, n);
    *rest = str_skip(*rest, 2 + n);
    return true;
}
