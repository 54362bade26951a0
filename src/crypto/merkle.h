/* merkle: the SHA-256 Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1, which C2SP
 * tlog-tiles uses too.
 *
 * leaf = SHA-256(00 || bytes), node = SHA-256(01 || left || right), the root of nothing = SHA-256
 * of nothing. A tree grows through its frontier: the roots of the complete subtrees that make it
 * up, largest first, one for each one-bit of its size. Proofs are made over a callback, so tiles,
 * rows and arrays serve alike. All sizes and indexes count leaves and stay below 2^63. Pure, no
 * allocation; a frontier belongs to one thread at a time. */
#pragma once
#include "base/buf.h"
#include "crypto/hash.h"

enum {
    MERKLE_LEVELS_MAX = 63,
    MERKLE_PROOF_MAX = 64, /* hashes */
};
#define MERKLE_SIZE_MAX INT64_MAX

struct hash merkle_leaf(str bytes);
struct hash merkle_node(const struct hash *left, const struct hash *right);

/* Zero value = the empty tree. peaks[0..popcount(size)) are in use. */
struct frontier {
    uint64_t size;
    struct hash peaks[MERKLE_LEVELS_MAX];
};
/* Amortised one node hash. ERR_LIMIT at MERKLE_SIZE_MAX. */
MUST_USE bool frontier_append(struct frontier *f, const struct hash *leaf, struct err *err);
struct hash frontier_root(const struct frontier *f);
/* Stored form: size as 8 bytes big-endian, then the peaks. Reading demands exactly that length. */
void frontier_write(const struct frontier *f, struct buf *out);
MUST_USE bool frontier_read(str bytes, struct frontier *out, struct err *err);

/* Where hashes come from: the root of the complete subtree of 2^level leaves that begins at leaf
 * index * 2^level. It is asked only for subtrees inside the tree size at hand. */
struct merkle_source {
    bool (*node)(void *arg, unsigned level, uint64_t index, struct hash *out, struct err *err);
    void *arg;
};
/* A source for those who have leaf hashes only; node costs 2^level calls of leaf. Use as
 * struct merkle_source s = {merkle_node_of_leaves, &leaves}. */
struct merkle_leaves {
    bool (*leaf)(void *arg, uint64_t index, struct hash *out, struct err *err);
    void *arg;
};
bool merkle_node_of_leaves(void *leaves, unsigned level, uint64_t index, struct hash *out,
                           struct err *err);

struct merkle_proof {
    size_t n;
    struct hash h[MERKLE_PROOF_MAX];
};
/* RFC 9162 2.1.1: the root of the first `size` leaves. */
MUST_USE bool merkle_root(const struct merkle_source *src, uint64_t size, struct hash *out,
                          struct err *err);
/* The frontier of the first `size` leaves, to resume from stored hashes. */
MUST_USE bool merkle_frontier(const struct merkle_source *src, uint64_t size, struct frontier *out,
                              struct err *err);
/* RFC 9162 2.1.3.1; index < size. At most 2 * 63 calls of the source. */
MUST_USE bool merkle_inclusion(const struct merkle_source *src, uint64_t index, uint64_t size,
                               struct merkle_proof *out, struct err *err);
/* RFC 9162 2.1.4.1; old <= size. Empty for old = 0 (anything extends nothing) and old = size. */
MUST_USE bool merkle_consistency(const struct merkle_source *src, uint64_t old, uint64_t size,
                                 struct merkle_proof *out, struct err *err);

/* RFC 9162 2.1.3.2. ERR_DENIED when the proof does not lead to the root. */
MUST_USE bool merkle_check_inclusion(const struct merkle_proof *proof, const struct hash *leaf,
                                     uint64_t index, uint64_t size, const struct hash *root,
                                     struct err *err);
/* RFC 9162 2.1.4.2. For old = 0 the proof must be empty and old_root that of the empty tree. */
MUST_USE bool merkle_check_consistency(const struct merkle_proof *proof, uint64_t old,
                                       uint64_t size, const struct hash *old_root,
                                       const struct hash *root, struct err *err);
