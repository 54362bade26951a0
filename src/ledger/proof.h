/* ledger/proof: that an entry is in the log, as one file that is checked without a network (C2SP
 * tlog-proof, "c2sp.org/tlog-proof@v1").
 *
 *     c2sp.org/tlog-proof@v1
 *     extra <base64>              optional, vouched for by nothing
 *     index <decimal>
 *     <base64 of a hash>          0 to 63 times, from the leaf's sibling upwards
 *
 *     <checkpoint, a signed note>
 *
 * Ours carry the entry itself as the extra data. That is safe because the check hashes it: an entry
 * that was changed does not lead to the root that is signed.
 *
 * Paths are made and checked by crypto/merkle.h (RFC 9162 2.1.3) over any source of subtree hashes:
 * rows (ledger/log_store.h) or tiles (ledger/log_dir.h). Pure; thread-safe. */
#pragma once
#include "crypto/note.h"
#include "ledger/tile.h"

enum {
    /* extra in base64, the path, the note, and the lines' words */
    PROOF_BYTES_MAX =
        4 * (TILE_ENTRY_BYTES_MAX + 2) / 3 + MERKLE_PROOF_MAX * 45 + NOTE_BYTES_MAX + 128,
};

struct proof {
    bool has_extra;
    str extra;
    uint64_t index;
    struct merkle_proof path;
    str note;
};

void proof_write(const struct proof *p, struct buf *out);
/* Form only; strict: what is read is written again to the same bytes. extra is in the arena, note
 * borrows text. */
MUST_USE bool proof_read(struct arena *a, str text, struct proof *out, struct err *err);

/* The whole check: `log` signed the note, the note is a checkpoint of the log of that name, and the
 * path leads from the entry to its root. *out borrows from the proof and the arena. ERR_DENIED or
 * ERR_INPUT says what does not hold. */
MUST_USE bool proof_check(struct arena *a, const struct proof *p, str entry,
                          const struct note_verifier *log, struct checkpoint *out, struct err *err);
