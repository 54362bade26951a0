/* store_check (store/check.h): the place, then the file, then what its rows say of each other. */
#include "store/sqlite_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct check {
    struct sqlite_file file;
    sqlite3 *db;
    store_check_fn *each;
    void *arg;
};

static void say(struct check *c, bool ok, const char *name, const char *text)
{
    c->each(c->arg, ok ? STORE_CHECK_OK : STORE_CHECK_BAD, name, text);
}

/* ---- the file ---- */

/* Every row of the query is a complaint of that weight; the first is shown. */
static void ask_sqlite(struct check *c, enum store_verdict weight, const char *name,
                       const char *sql, const char *fine)
{
    sqlite3_stmt *st = NULL;
    struct err err;
    char text[STORE_CHECK_TEXT_MAX];
    int rc = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_DONE) {
        say(c, true, name, fine);
    } else if (rc == SQLITE_ROW) {
        const char *first = (const char *)sqlite3_column_text(st, 0);
        snprintf(text, sizeof text, "%.200s%s", first ? first : "?",
                 weight == STORE_CHECK_BAD ? ". Keep the directory aside and restore a backup"
                                           : "");
        c->each(c->arg, weight, name, text);
    } else {
        sqlite_file_error(&c->file, c->db, "check", &err);
        snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, err.text);
        say(c, false, name, text);
    }
    sqlite3_finalize(st);
}

/* ---- the schema ---- */

static const char SCHEMA_SQL[] = "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema"
                                 " WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name";

static bool same(sqlite3_stmt *a, sqlite3_stmt *b, int col)
{
    const char *x = (const char *)sqlite3_column_text(a, col);
    const char *y = (const char *)sqlite3_column_text(b, col);
    return x && y && strcmp(x, y) == 0;
}

/* Walks both lists in step; false with the first difference in text. */
static bool same_schema(sqlite3_stmt *is, sqlite3_stmt *should, char text[STORE_CHECK_TEXT_MAX])
{
    for (;;) {
        int a = sqlite3_step(is), b = sqlite3_step(should);
        if (a == SQLITE_DONE && b == SQLITE_DONE)
            return true;
        bool both = a == SQLITE_ROW && b == SQLITE_ROW;
        if (both && same(is, should, 0) && same(is, should, 1))
            continue;
        sqlite3_stmt *odd = a == SQLITE_ROW ? is : should;
        const char *name = (const char *)sqlite3_column_text(odd, 0);
        snprintf(text, STORE_CHECK_TEXT_MAX,
                 "the tables are not those that Ambit made, beginning with %.100s: another program "
                 "has changed them. Restore a backup",
                 name ? name : "?");
        return false;
    }
}

/* What the migrations make, in memory. */
static bool make_model(sqlite3 **out)
{
    bool ok = sqlite3_open(":memory:", out) == SQLITE_OK;
    for (unsigned i = 0; ok && i < STORE_SCHEMA_VERSION; i++)
        ok = sqlite3_exec(*out, STORE_MIGRATIONS[i], NULL, NULL, NULL) == SQLITE_OK;
    return ok;
}

static void check_schema(struct check *c)
{
    char text[STORE_CHECK_TEXT_MAX] = "as Ambit made it";
    sqlite3 *model = NULL;
    sqlite3_stmt *is = NULL, *should = NULL;
    bool ok = make_model(&model) &&
              sqlite3_prepare_v2(c->db, SCHEMA_SQL, -1, &is, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(model, SCHEMA_SQL, -1, &should, NULL) == SQLITE_OK;
    if (!ok)
        snprintf(text, sizeof text, "the schema cannot be read");
    say(c, ok && same_schema(is, should, text), "schema", text);
    sqlite3_finalize(is);
    sqlite3_finalize(should);
    sqlite3_close(model);
}

/* ---- what the rows say of each other ---- */

/* Each gives a line for each row that contradicts another. Those that a closing of many tasks
 * passes through, transaction by transaction, are warnings: asked again a moment later, they are
 * gone. */
static const struct {
    enum store_verdict weight;
    const char *name, *sql, *fine;
} ROWS[] = {
    {STORE_CHECK_BAD, "integrity",
     "SELECT integrity_check FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok'",
     "every page and index is sound"},
    {STORE_CHECK_BAD, "references",
     "SELECT 'a row of ' || \"table\" || ' names what is not there' FROM"
     " pragma_foreign_key_check",
     "every row finds what it names"},
    {STORE_CHECK_BAD, "leaves",
     "SELECT 'the tree covers ' || coalesce(max(size), 0) || ' leaves and '"
     " || (SELECT count(*) FROM leaf) || ' are there' FROM tree"
     " HAVING coalesce(max(size), 0) <> (SELECT count(*) FROM leaf)"
     " OR coalesce(max(size), 0) <> (SELECT coalesce(max(idx) + 1, 0) FROM leaf)",
     "as many as the tree covers, without a gap"},
    {STORE_CHECK_BAD, "tasks",
     "SELECT 'task ' || t.id || ' has no state' FROM task t"
     " LEFT JOIN task_state s ON s.id = t.id WHERE s.id IS NULL"
     " UNION ALL SELECT 'task ' || s.id || ' is over and has no time of it' FROM task_state s"
     " WHERE s.closed_ms IS NULL AND s.state IN ('completed', 'revoked', 'expired', 'cascaded')",
     "every task has a state, and an end if it is over"},
    {STORE_CHECK_WARN, "cascades",
     "SELECT 'task ' || t.id || ' is open below one that is closed' FROM task t"
     " JOIN task_state s ON s.id = t.id JOIN task_state p ON p.id = t.parent"
     " WHERE s.closed_ms IS NULL AND p.closed_ms IS NOT NULL",
     "no task is open below one that is closed"},
    {STORE_CHECK_WARN, "holds",
     "SELECT 'hold ' || h.id || ' waits for a task that is over' FROM hold h"
     " JOIN task_state s ON s.id = h.task"
     " WHERE h.state IN ('pending', 'approved') AND s.closed_ms IS NOT NULL",
     "none waits for a task that is over"},
    {STORE_CHECK_BAD, "calls",
     "SELECT 'call ' || o.id || ' is open and has no record' FROM open_call o"
     " WHERE NOT EXISTS (SELECT 1 FROM leaf l WHERE l.call = o.id)",
     "every open one has its intent"},
};

static void check_rows(struct check *c)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        ask_sqlite(c, ROWS[i].weight, ROWS[i].name, ROWS[i].sql, ROWS[i].fine);
}

/* ---- all of it ---- */

static void check_file(struct check *c)
{
    struct err err = {0};
    if (!sqlite_file_connect(&c->file, false, &c->db, &err) ||
        !sqlite_file_migrate(&c->file, c->db, false, &err)) {
        say(c, false, "version", err.text);
        return;
    }
    say(c, true, "version", "the one that this program knows");
    check_schema(c);
    check_rows(c);
}

bool store_check(const char *dir, store_check_fn *each, void *arg, struct err *err)
{
    struct check c = {.file.dir_fd = -1, .each = each, .arg = arg};
    int fd = -1;
    if (!store_dir_open(dir, false, &fd, err))
        return false;
    bool ok = faccessat(fd, SQLITE_STORE_FILE, R_OK, 0) == 0 ||
              err_system(err, "store: %s/" SQLITE_STORE_FILE, dir);
    ok = ok && sqlite_file_init(&c.file, fd, err);
    if (ok && sqlite_place(fd, each, arg))
        check_file(&c);
    sqlite3_close(c.db);
    sqlite_file_fini(&c.file);
    close(fd);
    return ok;
}
