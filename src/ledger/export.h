/* ledger/export: leaves as lines for other software, one line of JSON each.
 *
 * docs/formats/export.md describes both forms. JSON Lines keep the leaf as stored, so a reader can
 * hash it again. OCSF (version 1.9 of the Open Cybersecurity Schema Framework) is made from a table
 * by record type and state; a type that the table does not know becomes a base event, so nothing is
 * left out. Both append to `out`, and nothing when they fail. Pure; thread-safe. */
#pragma once
#include "base/json.h"
#include "store/read.h"

/* ERR_INPUT: the bytes are not those of the hash, or not one line of JSON. a: scratch. */
typedef bool export_fn(struct buf *out, struct arena *a, const struct store_leaf_row *row,
                       struct err *err);
MUST_USE bool export_jsonl(struct buf *out, struct arena *a, const struct store_leaf_row *row,
                           struct err *err);
MUST_USE bool export_ocsf(struct buf *out, struct arena *a, const struct store_leaf_row *row,
                          struct err *err);
/* The line that ends an export in JSON Lines: what the leaves can be held against. */
void export_checkpoint(struct buf *out, const struct store_checkpoint *c);

/* The leaf's JSON after the checks that every form needs. */
MUST_USE bool export_leaf(struct arena *a, const struct store_leaf_row *row, const json **out,
                          struct err *err);
