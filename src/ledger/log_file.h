/* ledger/log_file: a tile or bundle as a file of a log's directory (C2SP tlog-tiles, "Partial
 * Tiles"). For those who write such a directory and those who read one.
 *
 * dir_fd is the directory, borrowed. Blocks on the disk. Thread-safe: no state. */
#pragma once
#include "base/arena.h"
#include "ledger/tile.h"

#include <sys/types.h>

/* The file whole and on disk under its name, and the folders on the way to it; a full one takes the
 * place of the narrower ones of its number, which are removed. What lay there is replaced. mode: of
 * the file; folders can also be entered by whoever may read it. ERR_SYSTEM. */
MUST_USE bool log_file_put(int dir_fd, const struct tile *t, str bytes, mode_t mode,
                           struct err *err);
/* Exactly as long as its width asks; where a narrow one is gone, the beginning of the full one.
 * ERR_NOTFOUND neither is there; ERR_INPUT it is not as long. */
MUST_USE bool log_file_get(int dir_fd, const struct tile *t, struct arena *a, str *out,
                           struct err *err);
