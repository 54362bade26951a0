/* store: the one file in which a gateway remembers, and the one thread that writes it.
 *
 * A store is a directory with `lock`, `ambit.db` and SQLite's two helper files. The thread that
 * opens it
 * ("the main thread") builds transactions (store/txn.h, store/schema.h), submits them and collects
 * their results; a writer thread that the store starts owns the write connection, takes everything
 * that is queued, commits it as ONE database transaction with ONE fsync, and hands the results
 * back. There is no artificial delay: a group is what arrived while the last commit ran (at most
 * STORE_GROUP_MAX).
 *
 * Each submitted transaction is atomic on its own: when one of its guards finds nothing to change,
 * that transaction (only) is undone, and its refusal is recorded in the same commit. Order is that
 * of submission.
 *
 * Durability: WAL with synchronous=FULL. A result of STORE_COMMITTED means that the fsync returned.
 * Failure: any error of the disk or of the commit is final. Nothing is retried (after a failed
 * fsync the kernel may have dropped the pages): the store enters the failed state, everything
 * queued and everything submitted later gets STORE_FAILED, and its owner is expected to exit and
 * recover from disk.
 *
 * Threads: every function here belongs to the main thread. SQLite 3.40 has the WAL-reset race
 * between two connections that write or checkpoint; therefore only the writer does either, and the
 * read connection of the main thread (store/read.h) is read-only. One process at a time: the
 * directory is locked. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "store/txn.h"

enum {
    STORE_GROUP_MAX = 1024,                  /* transactions in one commit */
    STORE_FRONTIER_BYTES_MAX = 64 * 32 + 64, /* 64 subtree hashes and room for a header */
    STORE_HASH_BYTES = 32,
};

/* What turns leaves into a tree; given by src/ledger (ledger/tree.h), so that the store knows
 * nothing of hashing. After open, all of it is called on the writer thread only. */
struct store_tree_ops {
    void *ctx;
    /* Continue from what save wrote; size 0 with an empty frontier is the empty tree. Also used to
     * go back to the state of the last commit. */
    bool (*restore)(void *ctx, uint64_t size, str frontier, struct err *err);
    /* The next leaf: its index and hash. Cannot fail. */
    void (*append)(void *ctx, str body, uint64_t *out_index, uint8_t out_hash[STORE_HASH_BYTES]);
    /* Writes the present state; returns its length. */
    size_t (*save)(void *ctx, uint64_t *out_size, uint8_t out[STORE_FRONTIER_BYTES_MAX]);
};

struct store_options {
    struct store_tree_ops tree; /* append NULL: a store without leaves (tests) */
    size_t cache_kib;           /* page cache of the write connection; 0: 16 MiB */
    size_t wal_pages_max; /* the writer copies the WAL back once it is longer; 0: 1000 (4 MB) */
    bool skip_check;      /* no quick_check at start (it reads the whole file) */
};

struct store;
struct store_view;

/* The directory's descriptor, to be opened while the process may still reach it; created (0700) if
 * asked. */
MUST_USE bool store_dir_open(const char *path, bool create, int *out_fd, struct err *err);

/* Opens or creates the store in the directory dir_fd (borrowed for the call). Only that descriptor
 * is used from here on, no path: a process that has dropped its rights may still be unable to walk
 * the parents. Needs /proc. The files belong to whoever opens first: open either always before
 * rights are dropped or always after. Reads the whole file once (quick_check: about 5 s a GB from
 * the disk) unless skip_check. Errors: ERR_DENIED another gateway has it; ERR_INPUT the file is
 * corrupt, or written by a newer version; ERR_SYSTEM anything of the machine. */
MUST_USE bool store_open(int dir_fd, const struct store_options *opt, struct store **out,
                         struct err *err);
/* Commits what is queued, runs the remaining done callbacks, ends the writer, gives back the lock.
 * NULL is fine. */
void store_close(struct store *s);

/* ---- the life of a transaction (how to build one: store/txn.h) ---- */

/* An empty one, from the store's pool; ends by store_submit or store_txn_drop. */
struct store_txn *store_txn_new(struct store *s);
void store_txn_drop(struct store *s, struct store_txn *t);

enum store_outcome {
    STORE_FAILED =
        0,         /* nothing of it is stored, as far as anyone may assume; the store has failed */
    STORE_GUARDED, /* a guard refused: undone; its on-guard steps and leaf are committed */
    STORE_COMMITTED, /* durable */
};

struct store_result {
    enum store_outcome outcome;
    unsigned step;         /* STORE_GUARDED: which step, counted from 0 in order of adding */
    uint64_t first_leaf;   /* index of its first leaf; they are consecutive */
    unsigned leaves;       /* how many it appended (an on-guard leaf counts) */
    const struct err *err; /* STORE_FAILED: why; valid during the callback */
};

/* Runs on the main thread, from store_collect or store_close; may submit again. */
typedef void store_done_fn(void *arg, const struct store_result *r);

/* Takes t and queues it; done(arg) will run exactly once (done may be NULL). False (ERR_LIMIT) only
 * when t went over a limit while it was built: then t is dropped and done does not run. */
MUST_USE bool store_submit(struct store *s, struct store_txn *t, store_done_fn *done, void *arg,
                           struct err *err);

/* Readable (poll) when there is something to collect. */
int store_notify_fd(const struct store *s);
/* Runs done for all that is finished; returns how many. Never blocks. */
size_t store_collect(struct store *s);
/* Waits until all that was submitted is finished and collected (start-up, tests). */
void store_flush(struct store *s);

/* Leaves in the tree, as far as results have been collected (at open: what is committed). */
uint64_t store_size(const struct store *s);

/* True once a commit has failed. */
bool store_failed(const struct store *s);
/* Why; empty if it has not. */
str store_failure(const struct store *s);

/* The read-only connection for store/read.h; owned by the store. It sees what is committed. */
struct store_view *store_view(struct store *s);

struct store_stats {
    uint64_t groups, txns, guarded, leaves, wal_copies;
    uint64_t group_largest;
    uint64_t writer_cpu_us; /* of the writer thread so far */
};
void store_stats(struct store *s, struct store_stats *out);
