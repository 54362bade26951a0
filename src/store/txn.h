/* store/txn: how a transaction is put together before it is submitted.
 *
 * A transaction is a list of steps, each a statement of store/schema.h with its parameters, and up
 * to STORE_LEAVES_MAX ledger leaves, which are appended after all steps have passed. Bytes are
 * copied in, so nothing needs to outlive the call. Use the typed functions of store/schema.h;
 * store_step is what they are made of.
 *
 * Going over a limit is remembered and reported by store_submit, so a run of steps needs one check.
 */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum {
    STORE_STEPS_MAX = 32,
    STORE_STEP_PARAMS_MAX = 16,
    STORE_PARAMS_MAX = 96, /* of all steps together */
    STORE_LEAVES_MAX = 4,
    STORE_LEAF_BYTES_MAX = 65535,   /* of tlog-tiles: an entry has a 16-bit length */
    STORE_TXN_BYTES_MAX = 24 << 20, /* all parameters and leaves */
};

struct store_txn;

/* When a step runs, and what it is when it changes nothing. */
enum store_when {
    STORE_PLAIN = 0, /* runs; may change nothing */
    STORE_MUST,      /* a guard: zero rows changed undoes the transaction */
    STORE_ON_GUARD,  /* runs only after a guard has refused, in the same commit */
};

enum store_param_kind { STORE_PARAM_NULL = 0, STORE_PARAM_I64, STORE_PARAM_STR, STORE_PARAM_BLOB };

struct store_param {
    enum store_param_kind kind;
    int64_t number;
    str bytes;
};

#define STORE_NULL    ((struct store_param){0})
#define STORE_I64(v)  ((struct store_param){.kind = STORE_PARAM_I64, .number = (v)})
#define STORE_STR(s)  ((struct store_param){.kind = STORE_PARAM_STR, .bytes = (s)})
#define STORE_BLOB(s) ((struct store_param){.kind = STORE_PARAM_BLOB, .bytes = (s)})
/* Absent text is NULL in the table. */
#define STORE_STR_OR_NULL(s)                                                                       \
    ((struct store_param){.kind = (s).n ? STORE_PARAM_STR : STORE_PARAM_NULL, .bytes = (s)})

/* stmt is an enum store_stmt of store/schema.h. A violated constraint counts as a guard that
 * refused. */
void store_step_params(struct store_txn *t, enum store_when when, unsigned stmt,
                       const struct store_param *params, size_t n);
#define store_step(t, when, stmt, ...)                                                             \
    store_step_params((t), (when), (stmt), (const struct store_param[]){__VA_ARGS__},              \
                      sizeof((const struct store_param[]){__VA_ARGS__}) /                          \
                          sizeof(struct store_param))

/* Appends a leaf. call and task are the ids it can be found by; empty: none. */
void store_leaf(struct store_txn *t, str body, str call, str task);
/* The leaf that is appended instead when a guard refuses: the refusal is recorded in the same
 * commit. */
void store_leaf_on_guard(struct store_txn *t, str body, str call, str task);
