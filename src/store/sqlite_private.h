/* sqlite_private: what the sqlite_*.c files share; no other file knows SQLite. */
#pragma once
#include "store/store_private.h"

#include <sqlite3.h>

#define SQLITE_STORE_FILE "ambit.db"
enum { SQLITE_APPLICATION_ID = 0x416d6274 }; /* "Ambt": the file says whose it is */

/* ---- the file (sqlite_file.c) ---- */

/* A SQLite file system that leaves names alone: SQLite's own would resolve /proc/self/fd/N/ambit.db
 * to the real path, whose parents we may not be able to walk. */
struct sqlite_file {
    int dir_fd;      /* ours */
    char name[48];   /* /proc/self/fd/N/ambit.db */
    char shown[256]; /* for messages: where it was when we opened it */
    char vfs_name[32];
    sqlite3_vfs vfs;
};
MUST_USE bool sqlite_file_init(struct sqlite_file *f, int dir_fd, struct err *err);
void sqlite_file_fini(struct sqlite_file *f);
/* Connects with the settings that every connection has. writer: may write, create and lock. */
MUST_USE bool sqlite_file_connect(struct sqlite_file *f, bool writer, sqlite3 **out,
                                  struct err *err);
/* Raises what SQLite says; damage comes as ERR_INPUT with what to do. */
bool sqlite_file_error(const struct sqlite_file *f, sqlite3 *db, const char *doing,
                       struct err *err);
/* Runs SQL that returns nothing. */
MUST_USE bool sqlite_file_exec(struct sqlite_file *f, sqlite3 *db, const char *sql,
                               const char *doing, struct err *err);
/* The first column of the first row as a number; 0 when there is no row. */
MUST_USE bool sqlite_file_number(struct sqlite_file *f, sqlite3 *db, const char *sql, int64_t *out,
                                 struct err *err);
/* That this file is a store of a version we know; writer: also sets it up or brings it up to date.
 */
MUST_USE bool sqlite_file_migrate(struct sqlite_file *f, sqlite3 *db, bool writer, struct err *err);
MUST_USE bool sqlite_file_check(struct sqlite_file *f, sqlite3 *db, struct err *err);

/* ---- writing (sqlite_writer.c) ---- */

/* Made by the main thread; the writer thread's own once that has started. */
struct sqlite_db {
    struct store_db base; /* first */
    struct sqlite_file file;
    int lock_fd;
    sqlite3 *db;
    sqlite3_stmt *stmts[STORE_STMTS];
    sqlite3_stmt *begin, *commit, *rollback, *mark, *unmark, *back;
    struct store_tree_ops tree;
    /* The tree as of the last commit (with base.size), to go back to. */
    size_t frontier_n;
    uint8_t frontier[STORE_FRONTIER_BYTES_MAX];
    bool careful; /* this pass sets a savepoint for each transaction */
    size_t wal_pages_max;
    int wal_pages; /* as of the last commit */
};

/* ---- opening and closing (sqlite_open.c) ---- */

bool sqlite_open(int dir_fd, const struct store_options *opt, struct store_db **out,
                 struct err *err);
void sqlite_close(struct store_db *db, bool failed);

/* ---- reading (sqlite_view.c) ---- */

bool sqlite_view_of(struct store_db *db, struct store_view **out, struct err *err);
bool sqlite_view_beside(const char *dir, struct store_view **out, struct err *err);
void sqlite_view_close(struct store_view *v);
bool sqlite_view_begin(struct store_view *v, struct err *err);
void sqlite_view_end(struct store_view *v);
bool sqlite_walk(struct store_view *v, const char *sql, const struct store_param *params, size_t n,
                 store_row_fn *row, void *ctx, struct err *err);
str sqlite_row_str(const struct store_row *row, int col);
int64_t sqlite_row_i64(const struct store_row *row, int col);
