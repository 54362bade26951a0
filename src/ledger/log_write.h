/* ledger/log_write: a directory of tiles, written from entries (C2SP tlog-tiles).
 *
 *     checkpoint                      the signed note that vouches for all the rest
 *     tile/<L>/<N>[.p/<W>]            see ledger/tile.h
 *     tile/entries/<N>[.p/<W>]
 *
 * The entries are given from the first on, whatever lies in the directory: a file that is there
 * with the right bytes stays, one with others is refused and never replaced, since nobody may see
 * a tile change. A directory is therefore made again, or brought up to date, by the same calls.
 * Each file is on disk under its name before the next is begun, and `checkpoint` is replaced last,
 * so whoever reads it at any moment, after a power cut too, finds every tile it needs. Partial
 * tiles are removed once the full one is there; those of other published sizes stay.
 *
 * Blocks on the disk. One writer a directory; one thread at a time. */
#pragma once
#include "ledger/log_build.h"

struct log_writer;

/* Makes the folder if it is not there (its parent must be). ERR_SYSTEM, or as log_dir_open where
 * the checkpoint in it cannot be read. */
MUST_USE bool log_writer_open(const char *path, struct log_writer **out, struct err *err);
void log_writer_close(struct log_writer *w); /* NULL is fine */
/* ERR_DENIED when the directory holds another log than these entries give. */
MUST_USE bool log_writer_add(struct log_writer *w, str entry, struct err *err);
/* note: a signed checkpoint of exactly the entries added. ERR_DENIED when its size or root are
 * others, or when the directory publishes a larger log. Signatures are not looked at: the caller
 * knows whose they are. */
MUST_USE bool log_writer_publish(struct log_writer *w, str note, struct err *err);
