/* ledger/log_grow: the published log, a directory of tiles (C2SP tlog-tiles) that grows.
 *
 *     add, add, ... -> full bundles and tiles as they fill
 *     publish(note) -> what is not full at this size -> the file `checkpoint`
 *
 * Each file comes whole (file_write: temporary file, fsync, rename, fsync of the folder), and
 * `checkpoint` last, so whoever reads it finds all that it covers. When a tile is full, the
 * narrower ones of the same number are removed (C2SP tlog-tiles, "Partial Tiles").
 *
 * Opening reads the checkpoint and the tiles at the right edge, and takes the log up there if they
 * give the root that it claims; else it begins at 0 and all files are written again, to the same
 * bytes. The directory is not locked: one process at a time, which the caller sees to.
 *
 * Blocks on the disk. One thread. */
#pragma once
#include "ledger/log_build.h"

struct log_grow;

/* dir_fd is borrowed for the writer's life. origin: of the log; what lies there under another name
 * is written again. */
MUST_USE bool log_grow_open(int dir_fd, str origin, struct log_grow **out, struct err *err);
void log_grow_close(struct log_grow *w); /* NULL is fine */

/* Why what lay in the folder could not be taken up, and is written again; empty: it was. */
str log_grow_damage(const struct log_grow *w);
/* Entries that it has; the next one added gets this index. */
uint64_t log_grow_size(const struct log_grow *w);
/* ERR_SYSTEM: the disk; close it, nothing may be tried again. ERR_LIMIT: no entry of a log. */
MUST_USE bool log_grow_add(struct log_grow *w, str entry, struct err *err);
/* note: a signed checkpoint of exactly the present size and root (signatures are not looked at).
 * The same size again with other signatures replaces the file. ERR_DENIED: another root, so either
 * side has another history; ERR_INPUT: no checkpoint of this log and size; ERR_SYSTEM as above. */
MUST_USE bool log_grow_publish(struct log_grow *w, str note, struct err *err);
