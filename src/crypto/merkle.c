#include "crypto/merkle.h"

static struct hash prefixed(char prefix, str a, str b)
{
    const str parts[] = {str_of(&prefix, 1), a, b};
    return sha256_parts(parts, 3);
}

struct hash merkle_leaf(str bytes)
{
    return prefixed(0, bytes, (str){0});
}

struct hash merkle_node(const struct hash *left, const struct hash *right)
{
    return prefixed(1, hash_str(left), hash_str(right));
}

static unsigned peaks_of(uint64_t size)
{
    return (unsigned)__builtin_popcountll(size);
}

bool frontier_append(struct frontier *f, const struct hash *leaf, struct err *err)
{
    if (f->size >= MERKLE_SIZE_MAX)
        return err_limit(err, "the tree is full");
    unsigned n = peaks_of(f->size);
    struct hash h = *leaf;
    /* Like adding one to a binary number: every trailing one-bit is a peak that is joined. */
    for (uint64_t size = f->size; size & 1; size >>= 1)
        h = merkle_node(&f->peaks[--n], &h);
    f->peaks[n] = h;
    f->size++;
    return true;
}

struct hash frontier_root(const struct frontier *f)
{
    unsigned n = peaks_of(f->size);
    if (n == 0)
        return sha256((str){0});
    struct hash root = f->peaks[--n];
    while (n)
        root = merkle_node(&f->peaks[--n], &root);
    return root;
}

void frontier_write(const struct frontier *f, struct buf *out)
{
    uint8_t size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)(f->size >> (56 - 8 * i));
    buf_put(out, str_of((const char *)size, sizeof size));
    buf_put(out, str_of((const char *)f->peaks, peaks_of(f->size) * sizeof *f->peaks));
}

bool frontier_read(str bytes, struct frontier *out, struct err *err)
{
    if (bytes.n < 8)
        return err_input(err, "frontier: under 8 bytes");
    uint64_t size = 0;
    for (int i = 0; i < 8; i++)
        size = size << 8 | (uint8_t)bytes.p[i];
    if (size > MERKLE_SIZE_MAX || bytes.n != 8 + peaks_of(size) * sizeof *out->peaks)
        return err_input(err, "frontier: its length does not fit its size");
    *out = (struct frontier){.size = size};
    memcpy(out->peaks, bytes.p + 8, bytes.n - 8);
    return true;
}

bool merkle_frontier(const struct merkle_source *src, uint64_t size, struct frontier *out,
                     struct err *err)
{
    if (size > MERKLE_SIZE_MAX)
        return err_limit(err, "no tree is that large");
    struct frontier f = {.size = size};
    uint64_t begin = 0;
    for (unsigned n = 0, level = MERKLE_LEVELS_MAX; level-- > 0;) {
        if (!(size >> level & 1))
            continue;
        if (!src->node(src->arg, level, begin >> level, &f.peaks[n++], err))
            return false;
        begin += UINT64_C(1) << level;
    }
    *out = f;
    return true;
}

bool merkle_root(const struct merkle_source *src, uint64_t size, struct hash *out, struct err *err)
{
    struct frontier f;
    if (!merkle_frontier(src, size, &f, err))
        return false;
    *out = frontier_root(&f);
    return true;
}

bool merkle_node_of_leaves(void *leaves, unsigned level, uint64_t index, struct hash *out,
                           struct err *err)
{
    const struct merkle_leaves *l = leaves;
    struct frontier f = {0};
    for (uint64_t i = index << level, end = (index + 1) << level; i < end; i++) {
        struct hash leaf;
        if (!l->leaf(l->arg, i, &leaf, err) || !frontier_append(&f, &leaf, err))
            return false;
    }
    *out = f.peaks[0];
    return true;
}
