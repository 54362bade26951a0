/* store/backend: what a kind of database does for the store; seen by this folder only.
 *
 * store_open.c and store_writer.c own the queue, the writer thread and the failed state; a backend
 * owns the connections, the statements and the tree's last committed state. To add one: fill a
 * struct store_backend, embed the three base structs below as first member of its own. Everything
 * else of the folder is the same for all: tables and statements (store_sql.c), steps, readings.
 *
 * Life: open -> view_of -> { run_group, upkeep } on the writer thread -> view_close -> close. */
#pragma once
#include "store/row.h"
#include "store/store.h"

struct store_db; /* the write side; the base of a backend's own */

struct store_backend {
    /* Connected and alone, sound (unless opt says not to look), of a known version, statements and
     * tree ready. On failure nothing is left open. */
    bool (*open)(int dir_fd, const struct store_options *opt, struct store_db **out,
                 struct err *err);
    /* Never waits for a commit and writes nothing more once the store has failed. */
    void (*close)(struct store_db *db, bool failed);
    /* Runs the list as one database transaction, each of them atomic on its own, and sets result.
     * False: the commit is not known to have happened; the store fails for good, err says why, and
     * results are the caller's to set. Writer thread. */
    bool (*run_group)(struct store_db *db, struct store_txn *group, struct err *err);
    /* What is to be done between groups, of which none is waited for. copied: the WAL was copied
     * back. False: the store fails. Writer thread. */
    bool (*upkeep)(struct store_db *db, bool *copied, struct err *err);

    /* A read connection for the main thread; it sees what is committed. */
    bool (*view_of)(struct store_db *db, struct store_view **out, struct err *err);
    /* One from outside: takes no lock, changes nothing. */
    bool (*view_beside)(const char *dir, struct store_view **out, struct err *err);
    void (*view_close)(struct store_view *v);
    /* Between these two, all readings see the same state. */
    bool (*view_begin)(struct store_view *v, struct err *err);
    void (*view_end)(struct store_view *v);
    bool (*walk)(struct store_view *v, const char *sql, const struct store_param *params, size_t n,
                 store_row_fn *row, void *ctx, struct err *err);
    str (*row_str)(const struct store_row *row, int col);
    int64_t (*row_i64)(const struct store_row *row, int col);
};

struct store_db {
    const struct store_backend *backend;
    uint64_t size; /* leaves in the tree as of the last commit */
};
struct store_view {
    const struct store_backend *backend;
};
struct store_row {
    const struct store_backend *backend;
};

extern const struct store_backend STORE_SQLITE; /* sqlite_writer.c */
