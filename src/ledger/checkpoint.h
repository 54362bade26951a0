/* ledger/checkpoint: when the size and root of the log are signed and shown to the world.
 *
 * Format: C2SP tlog-checkpoint inside a signed note, Ed25519. Rhythm: 200 ms after the last one
 * when the log has grown by CHECKPOINT_BUSY_LEAVES or more, else 1 s; never without growth (each
 * published size costs others work).
 *
 *     idle --(due)--> checkpointer_begin: the text to sign --> keeper signs --> checkpointer_finish
 * --> idle
 *
 * checkpointer_finish stores the signed note in the database. Once that is committed,
 * checkpointer_size and checkpointer_note say so, and the publisher role shows it
 * (ledger/log_grow.h).
 *
 * Main thread only; reads through the store's view, so what is signed is always committed. */
#pragma once
#include "base/buf.h"
#include "store/store.h"

enum {
    CHECKPOINT_BUSY_LEAVES = 64,
    CHECKPOINT_BUSY_MS = 200,
    CHECKPOINT_IDLE_MS = 1000,
    CHECKPOINT_NOTE_BYTES_MAX = 4096,
};

struct checkpointer;

/* Takes up from the last stored checkpoint. origin is the log's name in the note (no white space,
 * no '+'). */
MUST_USE bool checkpointer_new(struct store *s, str origin, struct checkpointer **out,
                               struct err *err);
/* Not while the store may still run its callbacks: close the store first. NULL is fine. */
void checkpointer_free(struct checkpointer *p);

/* Milliseconds until it is due: 0 = now, -1 = nothing to publish (call again once the log has
 * grown). Cheap: ask after every store_collect, or set one timer by it. */
int64_t checkpointer_wait_ms(struct checkpointer *p, int64_t mono_ms);
/* The text to be signed, ending in a newline. Until finish or cancel, it is not due again. */
MUST_USE bool checkpointer_begin(struct checkpointer *p, int64_t mono_ms, struct buf *out_text,
                                 struct err *err);
/* note: that text and at least one signature line. False (ERR_PEER) if it is not the text asked
 * for. */
MUST_USE bool checkpointer_finish(struct checkpointer *p, str note, int64_t wall_ms,
                                  struct err *err);
/* The signer failed; it becomes due again after the idle time. */
void checkpointer_cancel(struct checkpointer *p, int64_t mono_ms);

/* What is signed and stored: its size (0: nothing), and the note (valid until the next call). */
uint64_t checkpointer_size(const struct checkpointer *p);
str checkpointer_note(const struct checkpointer *p);
/* Why the last attempt to store one failed; empty if it did not. */
str checkpointer_problem(const struct checkpointer *p);
