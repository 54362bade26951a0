/* ledger/verify: is the log what it claims to be? Works offline on a store opened read-only, beside
 * a running gateway or on a copy.
 *
 * Checked, in one pass over the leaves:
 *   - indexes run from 0 without a gap; each stored hash is that of its body;
 *   - the root recomputed at each stored checkpoint's size is the one it signs; its signature holds
 *     under the given verification key; sizes only grow; the last covers what it claims;
 *   - the stored frontier gives the recomputed root;
 *   - every leaf is canonical JSON of a known type and version with the fields that its type must
 * have;
 *   - each call has exactly one intent before at most one outcome, and those without one are open
 * in the table;
 *   - delegators are the agents for whom the parents were opened, one for each; no part of a call
 * takes longer than the whole;
 *   - every approval or denial names a hold opened earlier, an intent's approval was approved
 * earlier and is used once. The first problem is reported with the index of the leaf (or the size
 * of the checkpoint).
 *
 * Memory: about 100 bytes a call and 200 a task (ids are remembered). */
#pragma once
#include "store/read.h"

struct ledger_verify_options {
    str vkey; /* C2SP verification key, name+hash+key; empty: signatures are not checked, and the
                 report says so */
};

struct ledger_report {
    bool ok;
    bool signatures_checked;
    uint64_t leaves, checkpoints;
    uint64_t intents, outcomes, refusals, tasks, holds, approvals, denials, others;
    uint64_t open_calls;      /* intents without an outcome; no problem in itself */
    uint64_t unsigned_leaves; /* after the last checkpoint */
    uint8_t root[32];
    char problem[400];    /* empty when ok; for a person */
    bool problem_is_leaf; /* problem_at is a leaf's index; otherwise a checkpoint's size */
    uint64_t problem_at;
    /* The first open calls, NUL-terminated ids. */
    char open[16][32];
};

/* True when the check could be carried out, whatever its result: see out->ok. */
MUST_USE bool ledger_verify(struct store_view *v, const struct ledger_verify_options *opt,
                            struct ledger_report *out, struct err *err);
