/* ledger/tree: the Merkle tree (RFC 6962 hashing, as C2SP tlog-tiles) behind the store's leaves.
 *
 * The store knows no hashing; it is handed these operations at open and keeps the frontier (the
 * roots of the complete subtrees) in its table, in the same transaction as the leaves. */
#pragma once
#include "store/read.h"
#include "store/store.h"

struct ledger_tree;

struct ledger_tree *ledger_tree_new(void);
/* After the store that uses it is closed. NULL is fine. */
void ledger_tree_free(struct ledger_tree *t);
struct store_tree_ops ledger_tree_ops(struct ledger_tree *t);

/* Size and root as committed. The empty tree has the root SHA-256(""). */
MUST_USE bool ledger_root(struct store_view *v, uint64_t *out_size,
                          uint8_t out_root[STORE_HASH_BYTES], struct err *err);
