/* Proofs: made over a source of subtree hashes, checked step by step as RFC 9162 writes them. */
#include "crypto/merkle.h"

/* ---- making ---- */

/* The root of leaves begin..end-1, where begin is a multiple of the largest power of two below the
 * length: what a proof needs for the ragged right edge. */
static bool range_root(const struct merkle_source *src, uint64_t begin, uint64_t end,
                       struct hash *out, struct err *err)
{
    struct frontier f = {.size = end - begin};
    uint64_t at = begin;
    for (unsigned n = 0, level = MERKLE_LEVELS_MAX; level-- > 0;) {
        if (!(f.size >> level & 1))
            continue;
        if (!src->node(src->arg, level, at >> level, &f.peaks[n++], err))
            return false;
        at += UINT64_C(1) << level;
    }
    *out = frontier_root(&f);
    return true;
}

/* The largest power of two below n; n > 1. */
static uint64_t split_of(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* A proof is found from the root down and sent from the leaf up. */
static void reverse(struct merkle_proof *p)
{
    for (size_t i = 0; i < p->n / 2; i++) {
        struct hash h = p->h[i];
        p->h[i] = p->h[p->n - 1 - i];
        p->h[p->n - 1 - i] = h;
    }
}

bool merkle_inclusion(const struct merkle_source *src, uint64_t index, uint64_t size,
                      struct merkle_proof *out, struct err *err)
{
    if (size > MERKLE_SIZE_MAX || index >= size)
        return err_input(err, "no leaf with that index in a tree of that size");
    struct merkle_proof p = {0};
    for (uint64_t begin = 0, end = size; end - begin > 1;) {
        uint64_t mid = begin + split_of(end - begin);
        bool left = index < mid;
        if (!range_root(src, left ? mid : begin, left ? end : mid, &p.h[p.n++], err))
            return false;
        if (left)
            end = mid;
        else
            begin = mid;
    }
    reverse(&p);
    *out = p;
    return true;
}

bool merkle_consistency(const struct merkle_source *src, uint64_t old, uint64_t size,
                        struct merkle_proof *out, struct err *err)
{
    if (size > MERKLE_SIZE_MAX || old > size)
        return err_input(err, "a tree does not extend a larger one");
    struct merkle_proof p = {0};
    if (old == 0 || old == size) {
        *out = p;
        return true;
    }
    uint64_t begin = 0, end = size;
    while (old != end) {
        uint64_t mid = begin + split_of(end - begin);
        bool left = old <= mid;
        if (!range_root(src, left ? mid : begin, left ? end : mid, &p.h[p.n++], err))
            return false;
        if (left)
            end = mid;
        else
            begin = mid;
    }
    /* The old tree itself is known to the reader only if it is the subtree we ended on. */
    if (begin != 0 && !range_root(src, begin, end, &p.h[p.n++], err))
        return false;
    reverse(&p);
    *out = p;
    return true;
}

/* ---- checking ---- */

static bool refuse(struct err *err)
{
    return err_denied(err, "the Merkle proof does not fit the tree");
}

bool merkle_check_inclusion(const struct merkle_proof *proof, const struct hash *leaf,
                            uint64_t index, uint64_t size, const struct hash *root, struct err *err)
{
    if (size > MERKLE_SIZE_MAX || index >= size || proof->n > MERKLE_PROOF_MAX)
        return refuse(err);
    uint64_t fn = index, sn = size - 1;
    struct hash r = *leaf;
    for (size_t i = 0; i < proof->n; i++) {
        if (sn == 0)
            return refuse(err);
        if ((fn & 1) || fn == sn) {
            r = merkle_node(&proof->h[i], &r);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = merkle_node(&r, &proof->h[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return (sn == 0 && hash_eq(&r, root)) || refuse(err);
}

/* Sizes for which nothing is proved step by step; *done says that *ok is the answer. */
static bool check_edge(const struct merkle_proof *proof, uint64_t old, uint64_t size,
                       const struct hash *old_root, const struct hash *root, bool *ok)
{
    if (size > MERKLE_SIZE_MAX || old > size || proof->n > MERKLE_PROOF_MAX) {
        *ok = false;
        return true;
    }
    if (old != 0 && old != size)
        return false;
    struct hash empty = sha256((str){0});
    *ok = proof->n == 0 && (old != 0 || hash_eq(old_root, &empty)) &&
          (old != size || hash_eq(old_root, root));
    return true;
}

bool merkle_check_consistency(const struct merkle_proof *proof, uint64_t old, uint64_t size,
                              const struct hash *old_root, const struct hash *root, struct err *err)
{
    bool ok;
    if (check_edge(proof, old, size, old_root, root, &ok))
        return ok || refuse(err);
    if (proof->n == 0)
        return refuse(err);
    uint64_t fn = old - 1, sn = size - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    /* A power of two: the old root opens the proof unsaid. */
    bool whole = (old & (old - 1)) == 0;
    size_t i = whole ? 0 : 1;
    struct hash fr = whole ? *old_root : proof->h[0], sr = fr;
    for (; i < proof->n; i++) {
        if (sn == 0)
            return refuse(err);
        if ((fn & 1) || fn == sn) {
            fr = merkle_node(&proof->h[i], &fr);
            sr = merkle_node(&proof->h[i], &sr);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = merkle_node(&sr, &proof->h[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return (sn == 0 && hash_eq(&fr, old_root) && hash_eq(&sr, root)) || refuse(err);
}
