/* ledger/recover: after a start, every call that was left open is settled, visibly.
 *
 * A call that has an intent and no outcome was interrupted: nobody knows whether it happened. Each
 * gets an outcome `unknown` with reason "restart", built from its intent, and then one `start`
 * record is appended with the count. Runs before the gateway accepts anything; blocks until
 * committed. */
#pragma once
#include "ledger/record.h"
#include "store/store.h"

/* r->recovered is filled in here; out_recovered may be NULL. */
MUST_USE bool ledger_recover(struct store *s, const struct record_start *r, size_t *out_recovered,
                             struct err *err);
