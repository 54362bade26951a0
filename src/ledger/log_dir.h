/* ledger/log_dir: reads a directory of tiles (C2SP tlog-tiles), whoever wrote it.
 *
 * Nothing in it is believed but what the checkpoint's root proves: log_dir_verify computes
 * everything again, and what log_dir_entry and log_dir_source give is to be checked by a proof.
 * Where a partial tile is gone, the full one that replaced it serves.
 *
 * Errors: ERR_NOTFOUND where a file that must be there is not, ERR_INPUT where it cannot be what it
 * should be, ERR_DENIED where a signature or hash does not hold. Memory: one tile a level and one
 * bundle (up to 17 MiB). One thread at a time. */
#pragma once
#include "ledger/log_build.h"
#include "ledger/proof.h"

struct log_dir;

/* Reads the checkpoint, once: later growth is not seen. log: who must have signed it; NULL: its
 * form alone is checked. */
MUST_USE bool log_dir_open(const char *path, const struct note_verifier *log, struct log_dir **out,
                           struct err *err);
void log_dir_close(struct log_dir *d); /* NULL is fine */
const struct checkpoint *log_dir_head(const struct log_dir *d);
str log_dir_note(const struct log_dir *d); /* the checkpoint as signed */

/* The bytes live until the next call for an entry. index < the checkpoint's size. */
MUST_USE bool log_dir_entry(struct log_dir *d, uint64_t index, str *out, struct err *err);
/* Subtree hashes inside the checkpoint's size, for proofs. */
struct merkle_source log_dir_source(struct log_dir *d);
/* The proof of an entry under the checkpoint, with the entry as its extra data; all of it in the
 * arena but the note, which is the directory's. */
MUST_USE bool log_dir_prove(struct log_dir *d, struct arena *a, uint64_t index, struct proof *out,
                            struct err *err);

struct log_dir_report {
    bool ok;
    uint64_t entries;  /* that were hashed */
    uint64_t files;    /* that were compared, the checkpoint not counted */
    struct hash root;  /* of those entries */
    char problem[400]; /* empty when ok; for a person */
};
/* Every entry hashed, every tile computed again and compared byte by byte, the root against the
 * checkpoint's. True when that could be carried out, whatever the result: see out->ok. ERR_SYSTEM
 * otherwise. */
MUST_USE bool log_dir_verify(struct log_dir *d, struct log_dir_report *out, struct err *err);
