/* ledger/tile: where the hashes and entries of a log lie in a directory of tiles (C2SP tlog-tiles).
 *
 * A hash tile of level L holds up to 256 consecutive subtree roots of 256^L leaves each; a bundle
 * holds the entries under a tile of level 0. A tile that is not full is another file (".p/<width>")
 * than the full one, so that no file ever changes.
 *
 *     tile/<L>/<N>[.p/<W>]        W * 32 bytes
 *     tile/entries/<N>[.p/<W>]    W times: length (2 bytes, big-endian), entry
 *
 * N is written in groups of three digits, all but the last behind an 'x': 1234067 = x001/x234/067.
 * Sizes and indexes count leaves and stay below 2^63. Pure, no allocation; thread-safe. */
#pragma once
#include "crypto/merkle.h"

enum {
    TILE_HEIGHT = 8,
    TILE_WIDTH = 256,
    TILE_LEVELS_MAX = 8, /* of hash tiles, for sizes below 2^63 */
    TILE_BYTES_MAX = TILE_WIDTH * HASH_LEN,
    TILE_ENTRY_BYTES_MAX = 65535,
    TILE_BUNDLE_BYTES_MAX = TILE_WIDTH * (2 + TILE_ENTRY_BYTES_MAX),
    TILE_PATH_SIZE = 64, /* with the NUL */
};

struct tile {
    bool entries;   /* a bundle; its level is 0 */
    unsigned level; /* of tiles: 256^level leaves under each hash */
    uint64_t n;
    unsigned width; /* 1..256 */
};

/* Writes the path with a NUL and returns it without. */
str tile_path(const struct tile *t, char out[TILE_PATH_SIZE]);
/* How wide the n-th tile of that level is in a tree of that size; 0: there is none. */
unsigned tile_width(unsigned level, uint64_t n, uint64_t size);
/* The tile in which a node of the tree is found (a whole subtree of 2^level leaves that begins at
 * index * 2^level): as the root of *count hashes from *first on. False when the tree of that size
 * does not have the whole subtree. */
MUST_USE bool tile_of_node(unsigned level, uint64_t index, uint64_t size, struct tile *out,
                           unsigned *first, unsigned *count);
/* The root over `count` hashes from `first` on; count is a power of two and bytes hold them
 * (asserted). */
struct hash tile_root(str bytes, unsigned first, unsigned count);

/* Appends one entry in its bundle's form. ERR_LIMIT over TILE_ENTRY_BYTES_MAX. */
MUST_USE bool bundle_put(struct buf *bundle, str entry, struct err *err);
/* Takes the next entry off the front of *rest; false when what is left is no entry. */
MUST_USE bool bundle_take(str *rest, str *out);
