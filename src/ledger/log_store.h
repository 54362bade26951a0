/* ledger/log_store: the published log out of the store: the last checkpoint's entries as a
 * directory of tiles, and proofs under it.
 *
 * Reads one state of the database, also beside a running gateway, and changes nothing in it. */
#pragma once
#include "ledger/log_write.h"
#include "ledger/proof.h"
#include "store/read.h"

/* Brings the directory to the store's last checkpoint. *out_size: how many entries it publishes.
 * ERR_NOTFOUND before the first checkpoint; otherwise as log_write.h. */
MUST_USE bool log_store_tiles(struct store_view *v, const char *path, uint64_t *out_size,
                              struct err *err);
/* The index of the first record of a call (its intent or refusal). ERR_NOTFOUND. */
MUST_USE bool log_store_find_call(struct store_view *v, str call, uint64_t *out, struct err *err);
/* The proof of an entry, with the entry as its extra data, under the last checkpoint. ERR_NOTFOUND
 * when that does not cover it. Reads every leaf hash under the checkpoint. */
MUST_USE bool log_store_prove(struct store_view *v, struct arena *a, uint64_t index,
                              struct proof *out, struct err *err);
