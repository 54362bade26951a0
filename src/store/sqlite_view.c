/* Reading from SQLite: a read-only connection. NO_CKPT_ON_CLOSE (sqlite_file.c) keeps it from ever
 * writing, also at its end. */
#include "store/sqlite_private.h"

#include <stdlib.h>
#include <unistd.h>

struct sqlite_view {
    struct store_view base; /* first */
    struct sqlite_file *file;
    struct sqlite_file own; /* where it is not the store's */
    sqlite3 *db;
};

struct sqlite_row {
    struct store_row base; /* first */
    sqlite3_stmt *st;
};

static struct sqlite_view *view_new(void)
{
    struct sqlite_view *v = calloc(1, sizeof *v);
    if (!v)
        abort();
    v->base.backend = &STORE_SQLITE;
    v->own.dir_fd = -1;
    return v;
}

static bool view_init(struct sqlite_view *v, struct sqlite_file *f, struct err *err)
{
    v->file = f;
    return sqlite_file_connect(f, false, &v->db, err);
}

void sqlite_view_close(struct store_view *base)
{
    struct sqlite_view *v = (struct sqlite_view *)base;
    sqlite3_close(v->db);
    sqlite_file_fini(&v->own);
    free(v);
}

bool sqlite_view_of(struct store_db *db, struct store_view **out, struct err *err)
{
    struct sqlite_view *v = view_new();
    if (!view_init(v, &((struct sqlite_db *)db)->file, err)) {
        sqlite_view_close(&v->base);
        return false;
    }
    *out = &v->base;
    return true;
}

bool sqlite_view_beside(const char *dir, struct store_view **out, struct err *err)
{
    int fd = -1;
    if (!store_dir_open(dir, false, &fd, err))
        return false;
    if (faccessat(fd, SQLITE_STORE_FILE, R_OK, 0) != 0) {
        close(fd);
        return err_system(err, "store: %s/" SQLITE_STORE_FILE, dir);
    }
    struct sqlite_view *v = view_new();
    bool ok = sqlite_file_init(&v->own, fd, err) && view_init(v, &v->own, err) &&
              sqlite_file_migrate(&v->own, v->db, false, err);
    close(fd);
    if (!ok) {
        sqlite_view_close(&v->base);
        return false;
    }
    *out = &v->base;
    return true;
}

bool sqlite_view_begin(struct store_view *base, struct err *err)
{
    struct sqlite_view *v = (struct sqlite_view *)base;
    return sqlite_file_exec(v->file, v->db, "BEGIN; SELECT count(*) FROM meta", "begin to read",
                            err);
}

void sqlite_view_end(struct store_view *base)
{
    sqlite3_exec(((struct sqlite_view *)base)->db, "COMMIT", NULL, NULL, NULL);
}

/* ---- walking ---- */

static void bind_all(sqlite3_stmt *st, const struct store_param *params, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct store_param *p = &params[i];
        if (p->kind == STORE_PARAM_I64)
            sqlite3_bind_int64(st, (int)i + 1, p->number);
        else if (p->kind == STORE_PARAM_STR)
            sqlite3_bind_text(st, (int)i + 1, p->bytes.p ? p->bytes.p : "", (int)p->bytes.n,
                              SQLITE_STATIC);
        else if (p->kind == STORE_PARAM_BLOB)
            sqlite3_bind_blob(st, (int)i + 1, p->bytes.p ? p->bytes.p : "", (int)p->bytes.n,
                              SQLITE_STATIC);
    }
}

bool sqlite_walk(struct store_view *base, const char *sql, const struct store_param *params,
                 size_t n, store_row_fn *row, void *ctx, struct err *err)
{
    struct sqlite_view *v = (struct sqlite_view *)base;
    struct sqlite_row at = {.base.backend = &STORE_SQLITE};
    if (sqlite3_prepare_v2(v->db, sql, -1, &at.st, NULL) != SQLITE_OK)
        return sqlite_file_error(v->file, v->db, "read", err);
    bind_all(at.st, params, n);
    int rc;
    while ((rc = sqlite3_step(at.st)) == SQLITE_ROW)
        if (!row(ctx, &at.base))
            break;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (!ok)
        sqlite_file_error(v->file, v->db, "read", err);
    sqlite3_finalize(at.st);
    return ok;
}

str sqlite_row_str(const struct store_row *row, int col)
{
    sqlite3_stmt *st = ((const struct sqlite_row *)row)->st;
    const void *p = sqlite3_column_blob(st, col);
    return str_of(p, (size_t)sqlite3_column_bytes(st, col));
}

int64_t sqlite_row_i64(const struct store_row *row, int col)
{
    return sqlite3_column_int64(((const struct sqlite_row *)row)->st, col);
}
