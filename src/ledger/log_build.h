/* ledger/log_build: the tiles and bundles that a sequence of entries gives (C2SP tlog-tiles).
 *
 * A pure function of the entries: what is put out depends on them and on the sizes at which the
 * edge was asked for, never on time or on what lies in a directory. Who writes a directory and who
 * checks one both use it, the one to write each tile, the other to compare it. Full tiles come as
 * soon as they are complete, bundles before the hashes over them; log_build_edge puts out those
 * that are not full at the present size, which a checkpoint of that size needs.
 *
 * Memory: 64 KiB and one bundle. One thread at a time. */
#pragma once
#include "base/arena.h"
#include "ledger/tile.h"

/* bytes live for the call. False ends the building with that error. */
struct log_sink {
    bool (*put)(void *arg, const struct tile *t, str bytes, struct err *err);
    void *arg;
};

struct log_build;

struct log_build *log_build_new(struct log_sink sink);
void log_build_free(struct log_build *b); /* NULL is fine */
/* After a failure the only thing to do is to free it. */
MUST_USE bool log_build_add(struct log_build *b, str entry, struct err *err);
MUST_USE bool log_build_edge(struct log_build *b, struct err *err);
/* Takes up at a size that was reached before: the tiles at the right edge are read (into a; "not
 * there" is an error like another), and the bundle's entries must hash to the tile under them. The
 * caller compares the root with one that is signed: then the edge is what it was. On a new build
 * only; after a failure, free it. */
typedef bool log_tile_fn(void *arg, const struct tile *t, struct arena *a, str *out,
                         struct err *err);
MUST_USE bool log_build_resume(struct log_build *b, uint64_t size, log_tile_fn *read, void *arg,
                               struct err *err);
uint64_t log_build_size(const struct log_build *b);
struct hash log_build_root(const struct log_build *b);
