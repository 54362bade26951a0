/* The database file: how it is reached, how every connection is set up, whether it is sound and of
 * a version we know. */
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* SQLite would walk the path and resolve /proc/self/fd/N; we want the kernel to follow that link.
 */
static int keep_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    size_t len = strlen(name);
    if (len >= (size_t)n)
        return SQLITE_CANTOPEN;
    memcpy(out, name, len + 1);
    return SQLITE_OK;
}

/* SQLite's count of its memory costs a lock at each allocation, and nobody reads it. Refused once
 * SQLite runs. */
static void quiet(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool sqlite_file_init(struct sqlite_file *f, int dir_fd, struct err *err)
{
    f->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
    if (f->dir_fd < 0)
        return err_system(err, "store: keep the directory open");
    snprintf(f->name, sizeof f->name, "/proc/self/fd/%d/" SQLITE_STORE_FILE, f->dir_fd);
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", f->dir_fd);
    ssize_t n = readlink(link, f->shown, sizeof f->shown - sizeof "/" SQLITE_STORE_FILE);
    snprintf(f->shown + (n > 0 ? n : 0), sizeof "/" SQLITE_STORE_FILE, "/" SQLITE_STORE_FILE);

    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, quiet);
    if (sqlite3_initialize() != SQLITE_OK)
        return err_system(err, "store: SQLite does not start");
    sqlite3_vfs *base = sqlite3_vfs_find("unix");
    if (!base)
        return err_input(err, "store: this SQLite has no unix file system");
    f->vfs = *base;
    f->vfs.pNext = NULL;
    f->vfs.xFullPathname = keep_name;
    snprintf(f->vfs_name, sizeof f->vfs_name, "ambit-%p", (void *)f);
    f->vfs.zName = f->vfs_name;
    if (sqlite3_vfs_register(&f->vfs, 0) != SQLITE_OK)
        return err_system(err, "store: SQLite refuses our file system");
    return true;
}

void sqlite_file_fini(struct sqlite_file *f)
{
    if (f->vfs.zName)
        sqlite3_vfs_unregister(&f->vfs);
    if (f->dir_fd >= 0)
        close(f->dir_fd);
    f->dir_fd = -1;
    f->vfs.zName = NULL;
}

bool sqlite_file_error(const struct sqlite_file *f, sqlite3 *db, const char *doing, struct err *err)
{
    int rc = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    const char *text = db ? sqlite3_errmsg(db) : "out of memory";
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_input(err,
                         "%s is damaged (%s). Do not start on it: keep the directory aside and "
                         "restore a backup; `ambit ledger verify` says what of the copy is sound",
                         f->shown, text);
    case SQLITE_BUSY:
        return err_denied(err, "%s: %s: another program is writing to it", f->shown, doing);
    default:
        break;
    }
    errno = db ? sqlite3_system_errno(db) : 0;
    if (errno)
        return err_system(err, "%s: %s: %s (SQLite %d)", f->shown, doing, text, rc);
    *err = (struct err){.kind = ERR_SYSTEM}; /* SQLite had no errno: there is none to append */
    snprintf(err->text, sizeof err->text, "%s: %s: %s (SQLite %d)", f->shown, doing, text, rc);
    return false;
}

bool sqlite_file_exec(struct sqlite_file *f, sqlite3 *db, const char *sql, const char *doing,
                      struct err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_file_error(f, db, doing, err);
    return true;
}

bool sqlite_file_number(struct sqlite_file *f, sqlite3 *db, const char *sql, int64_t *out,
                        struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        sqlite_file_error(f, db, "read", err);
        sqlite3_finalize(st);
        return false;
    }
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return true;
}

/* What every connection has. A settings statement that SQLite does not know does nothing and says
 * nothing, so the ones that durability rests on are read back in set_journal. */
static bool set_common(struct sqlite_file *f, sqlite3 *db, struct err *err)
{
    sqlite3_busy_timeout(db, 2000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_extended_result_codes(db, 1);
    return sqlite_file_exec(f, db,
                            "PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY;"
                            "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;",
                            "set up", err);
}

static bool set_journal(struct sqlite_file *f, sqlite3 *db, struct err *err)
{
    if (!sqlite_file_exec(f, db,
                          "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                          "PRAGMA secure_delete = ON",
                          "set up the journal", err))
        return false;
    int64_t wal = 0, sync = 0, keys = 0;
    if (!sqlite_file_number(f, db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &wal,
                            err) ||
        !sqlite_file_number(f, db, "PRAGMA synchronous", &sync, err) ||
        !sqlite_file_number(f, db, "PRAGMA foreign_keys", &keys, err))
        return false;
    if (wal != 1 || sync < 2 || keys != 1)
        return err_input(err,
                         "%s: SQLite did not take the durable settings (wal %d, synchronous %d, "
                         "foreign keys %d); is the file system able to share memory?",
                         f->shown, (int)wal, (int)sync, (int)keys);
    return true;
}

/* SQLite would create it readable by all, and gives its helper files the same rights. */
static bool make_private(struct sqlite_file *f, struct err *err)
{
    int fd = openat(f->dir_fd, SQLITE_STORE_FILE,
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST || err_system(err, "%s: create", f->shown);
    close(fd); /* nobody holds SQLite's locks on it yet, which a close would drop */
    return true;
}

bool sqlite_file_connect(struct sqlite_file *f, bool writer, sqlite3 **out, struct err *err)
{
    sqlite3 *db = NULL;
    if (writer && !make_private(f, err))
        return false;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    bool ok = sqlite3_open_v2(f->name, &db, flags, f->vfs_name) == SQLITE_OK
                  ? true
                  : sqlite_file_error(f, db, "open", err);
    ok = ok && set_common(f, db, err);
    if (writer)
        ok = ok && set_journal(f, db, err);
    else
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (!ok) {
        sqlite3_close(db);
        return false;
    }
    *out = db;
    return true;
}

bool sqlite_file_check(struct sqlite_file *f, sqlite3 *db, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc != SQLITE_ROW) {
        sqlite_file_error(f, db, "check", err);
        sqlite3_finalize(st);
        return false;
    }
    const char *said = (const char *)sqlite3_column_text(st, 0);
    bool ok = said && strcmp(said, "ok") == 0;
    if (!ok)
        err_input(err,
                  "%s is damaged (%s). Do not start on it: keep the directory aside and restore a "
                  "backup; `ambit ledger verify` says what of the copy is sound",
                  f->shown, said ? said : "no answer");
    sqlite3_finalize(st);
    return ok;
}

/* ---- versions ---- */

static bool migrate_one(struct sqlite_file *f, sqlite3 *db, int64_t from, struct err *err)
{
    char mark[160];
    snprintf(mark, sizeof mark,
             "INSERT INTO meta(name, value) VALUES('store.schema', '%d')"
             " ON CONFLICT(name) DO UPDATE SET value = excluded.value; PRAGMA application_id = %d;",
             (int)from + 1, SQLITE_APPLICATION_ID);
    return sqlite_file_exec(f, db, "BEGIN IMMEDIATE", "migrate", err) &&
           sqlite_file_exec(f, db, STORE_MIGRATIONS[from], "migrate", err) &&
           sqlite_file_exec(f, db, mark, "migrate", err) &&
           sqlite_file_exec(f, db, "COMMIT", "migrate", err);
}

bool sqlite_file_migrate(struct sqlite_file *f, sqlite3 *db, bool writer, struct err *err)
{
    int64_t tables = 0, id = 0, version = 0;
    if (!sqlite_file_number(f, db, "SELECT count(*) FROM sqlite_schema", &tables, err) ||
        !sqlite_file_number(f, db, "PRAGMA application_id", &id, err))
        return false;
    if (tables && id != SQLITE_APPLICATION_ID)
        return err_input(err, "%s is not a store of Ambit; give another directory", f->shown);
    if (tables && !sqlite_file_number(f, db,
                                      "SELECT CAST(value AS INTEGER) FROM meta"
                                      " WHERE name = 'store.schema'",
                                      &version, err))
        return false;
    if (version > STORE_SCHEMA_VERSION)
        return err_input(err, "%s was written by a newer Ambit (schema %lld, this one knows %d)",
                         f->shown, (long long)version, STORE_SCHEMA_VERSION);
    if (!writer && version < STORE_SCHEMA_VERSION)
        return err_input(err, "%s has schema %lld; start the gateway once to bring it to %d",
                         f->shown, (long long)version, STORE_SCHEMA_VERSION);
    for (; version < STORE_SCHEMA_VERSION; version++)
        if (!migrate_one(f, db, version, err))
            return false;
    return true;
}
