/* Stores of every earlier version, opened by today's code: the rows survive, the ledger verifies,
 * and an upgrade that is killed at any statement leaves a version and never something between.
 *
 * An old store is made of the migrations up to its version, with rows in every table: a ledger is
 * written by today's code, and the columns that the old tables have are copied from it. */
#define FIX_ROOT "/dev/shm"
#include "ledger/ledger_fix.h"
#include "store/check.h"
#include "store/store_private.h"

#include <sqlite3.h>
#include <sys/wait.h>

/* What a ledger alone leaves empty. */
static const char OTHERS[] =
    "INSERT INTO meta VALUES('origin', 'ambit.example/log');"
    "INSERT INTO hold(id, task, call, binding, tool, digest, args, effect, state, created_ms,"
    " expires_ms, policies) VALUES('h1', 't1', 'c9', 'desk', 'refund', 'd', '{}', 'transfer',"
    " 'pending', 1, 9, '[]');"
    "INSERT INTO pin VALUES('desk', 'refund', 'd', '{}', 'current', 5);"
    "INSERT INTO operator VALUES('anna', 'key', 5, 'bert');"
    "INSERT INTO passkey VALUES(x'01', 'anna', x'02', 3, 4, 5);"
    "INSERT INTO person_session VALUES(zeroblob(32), 'anna', 'passkey', 'a', 'b', 1, 2, 3);"
    "INSERT INTO invite VALUES(zeroblob(32), 'anna', 'bert', 1, 2);"
    "INSERT INTO evidence VALUES('h1', 'anna', 's', x'01', x'02', x'03', x'04', x'05', 6);"
    "INSERT INTO agent VALUES('desk', 'suspended', 'anna', 'odd', 7);"
    "INSERT INTO lease VALUES('t1', 'desk', 'edge', 'live', 1, 1, '');"
    "INSERT INTO receipt VALUES('r1', 'task', 't1', 'revoked', 'anna', 'why', 1, 'open', '');"
    "INSERT INTO receipt_task VALUES('t1', 'r1');"
    "INSERT INTO revoked VALUES('id', 'spiffe://td/a', 1, 0, 'anna', 'lost');";

static sqlite3 *db_open(const char *dir, const char *name)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", why, sql);
}

/* All that a query gives, as text. */
static void dump(sqlite3 *db, const char *sql, struct buf *out)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    while (sqlite3_step(st) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            const char *text = (const char *)sqlite3_column_text(st, i);
            buf_printf(out, "%s%s", i ? "|" : "", text ? text : "-");
        }
        buf_putc(out, '\n');
    }
    sqlite3_finalize(st);
}

/* ---- an old store ---- */

static void migrate_to(sqlite3 *db, int version)
{
    for (int i = 0; i < version; i++)
        run(db, STORE_MIGRATIONS[i]);
}

enum { TABLES_MAX = 64, NAME_MAX_BYTES = 64, COLUMNS_MAX_BYTES = 800 };
struct table {
    char name[NAME_MAX_BYTES], columns[COLUMNS_MAX_BYTES]; /* those that an old store has */
};

static size_t tables_of(sqlite3 *db, struct table out[TABLES_MAX])
{
    sqlite3_stmt *st;
    size_t n = 0;
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT t.name, (SELECT group_concat('\"' || c.name || '\"', ', ') FROM"
                           " pragma_table_info(t.name) c) FROM sqlite_schema t"
                           " WHERE t.type = 'table' ORDER BY t.name",
                           -1, &st, NULL),
        SQLITE_OK);
    for (; sqlite3_step(st) == SQLITE_ROW; n++) {
        assert_true(n < TABLES_MAX);
        snprintf(out[n].name, NAME_MAX_BYTES, "%s", (const char *)sqlite3_column_text(st, 0));
        snprintf(out[n].columns, COLUMNS_MAX_BYTES, "%s", (const char *)sqlite3_column_text(st, 1));
    }
    sqlite3_finalize(st);
    return n;
}

/* The rows of these tables, without the store's own mark of its version. */
static void dump_tables(sqlite3 *db, const struct table *t, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        char sql[2 * COLUMNS_MAX_BYTES];
        snprintf(sql, sizeof sql, "SELECT %s FROM %s %s ORDER BY 1, 2", t[i].columns, t[i].name,
                 strcmp(t[i].name, "meta") == 0 ? "WHERE name NOT LIKE 'store.%'" : "");
        buf_printf(out, "%s\n", t[i].name);
        size_t head = buf_str(out).n;
        dump(db, sql, out);
        if (buf_str(out).n == head)
            fail_msg("%s has no row: fill it above", t[i].name);
    }
}

/* Today's store, closed, as "donor.db" beside its place. */
static void make_donor(struct fix *f)
{
    str parent = S("t1");
    char from[128], to[128];
    fix_task(f, "t1", NULL, 9);
    fix_task(f, "t2", &parent, 3);
    fix_submit(f, fix_intent(f, S("c1"), "t1", NULL, (str){0}));
    fix_submit(f, fix_intent(f, S("c2"), "t2", &parent, (str){0}));
    fix_submit(f, fix_outcome(f, S("c1"), "t1"));
    struct store_txn *t = store_txn_new(f->s);
    store_flush(f->s);
    uint64_t size = store_size(f->s);
    struct frontier tree = {0};
    ARENA_SCOPE struct arena a = {0};
    str bytes;
    OK(f, store_read_tree(store_view(f->s), &a, &size, &bytes, &f->err));
    OK(f, frontier_read(bytes, &tree, &f->err));
    struct checkpoint c = {
        .origin = S("ambit.example/log"), .size = size, .root = frontier_root(&tree)};
    struct buf text = {0}, note = {0};
    OK(f, checkpoint_write(&c, &text, &f->err));
    OK(f, note_sign(buf_str(&text), c.origin, f->key, &note, &f->err));
    store_checkpoint_insert(t, &(struct store_checkpoint){.size = (int64_t)size,
                                                          .root = hash_str(&c.root),
                                                          .note = buf_str(&note),
                                                          .at_ms = 8});
    fix_submit(f, t);
    buf_fini(&text);
    buf_fini(&note);
    fix_close(f);
    snprintf(from, sizeof from, "%s/ambit.db", f->dir);
    snprintf(to, sizeof to, "%s/donor.db", f->dir);
    sqlite3 *db = db_open(f->dir, "ambit.db");
    run(db, OTHERS);
    run(db, "PRAGMA journal_mode = DELETE");
    sqlite3_close(db);
    assert_int_equal(rename(from, to), 0);
}

/* Version `version`, with the donor's rows; what it holds goes to rows. */
static size_t make_old(struct fix *f, int version, struct table t[TABLES_MAX], struct buf *rows)
{
    char sql[256];
    unlinkat(f->fd, "ambit.db", 0);
    unlinkat(f->fd, "ambit.db-wal", 0);
    unlinkat(f->fd, "ambit.db-shm", 0);
    sqlite3 *db = db_open(f->dir, "ambit.db");
    run(db, "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x416d6274");
    migrate_to(db, version);
    size_t n = tables_of(db, t);
    snprintf(sql, sizeof sql, "ATTACH '%s/donor.db' AS donor", f->dir);
    run(db, sql);
    for (size_t i = 0; i < n; i++) {
        struct buf copy = {0};
        buf_printf(&copy, "INSERT INTO main.%s(%s) SELECT %s FROM donor.%s", t[i].name,
                   t[i].columns, t[i].columns, t[i].name);
        buf_putc(&copy, 0);
        run(db, buf_str(&copy).p);
        buf_fini(&copy);
    }
    snprintf(sql, sizeof sql, "UPDATE meta SET value = '%d' WHERE name = 'store.schema'", version);
    run(db, sql);
    run(db, "DETACH donor");
    dump_tables(db, t, n, rows);
    sqlite3_close(db);
    return n;
}

/* ---- tests ---- */

static void on_answer(void *arg, enum store_verdict verdict, const char *name, const char *text)
{
    if (verdict == STORE_CHECK_BAD)
        fail_msg("%s: %s", name, text);
    ++*(unsigned *)arg;
}

static void same_rows(struct fix *f, const struct table *t, size_t n, const struct buf *rows)
{
    struct buf now = {0};
    sqlite3 *db = db_open(f->dir, "ambit.db");
    dump_tables(db, t, n, &now);
    sqlite3_close(db);
    if (!str_eq(buf_str(&now), buf_str(rows)))
        fail_msg("were:\n%.*s\nare:\n%.*s", STR(buf_str(rows)), STR(buf_str(&now)));
    buf_fini(&now);
}

static void test_every_version(void **state)
{
    struct fix *f = *state;
    make_donor(f);
    for (int version = 1; version < STORE_SCHEMA_VERSION; version++) {
        struct table t[TABLES_MAX];
        struct buf rows = {0};
        unsigned asked = 0;
        size_t n = make_old(f, version, t, &rows);
        fix_open(f);
        fix_close(f);
        same_rows(f, t, n, &rows);
        fix_sound(f);
        OK(f, store_check(f->dir, on_answer, &asked, &f->err));
        assert_true(asked > 10);
        buf_fini(&rows);
    }
    fix_open(f);
}

/* Ends the process at the n-th statement of the connection that is opened next. */
static int statements_left;
static int on_statement(unsigned event, void *ctx, void *statement, void *sql)
{
    if (--statements_left == 0)
        _exit(9);
    return 0;
}

static int watch(sqlite3 *db, const char **why, const void *api)
{
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

/* True if the child was killed before it was done. */
static bool open_and_die(struct fix *f, int statement)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        statements_left = statement;
        sqlite3_auto_extension((void (*)(void))watch);
        fix_open(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
    return WEXITSTATUS(status) == 9;
}

/* The tables are those of exactly the version that the store says it has. */
static int version_of(struct fix *f)
{
    static const char tables[] = "SELECT name, sql FROM sqlite_schema ORDER BY name";
    struct buf is = {0}, should = {0}, said = {0};
    sqlite3 *db = db_open(f->dir, "ambit.db"), *model = NULL;
    dump(db, "SELECT value FROM meta WHERE name = 'store.schema'", &said);
    buf_putc(&said, 0);
    int version = atoi(buf_str(&said).p);
    assert_int_equal(sqlite3_open(":memory:", &model), SQLITE_OK);
    migrate_to(model, version);
    dump(db, tables, &is);
    dump(model, tables, &should);
    if (!str_eq(buf_str(&is), buf_str(&should)))
        fail_msg("version %d is not whole:\n%.*s", version, STR(buf_str(&is)));
    sqlite3_close(db);
    sqlite3_close(model);
    buf_fini(&is);
    buf_fini(&should);
    buf_fini(&said);
    return version;
}

static void test_killed_at_each_statement(void **state)
{
    struct fix *f = *state;
    struct table t[TABLES_MAX];
    unsigned seen = 0;
    int kills = 0;
    make_donor(f);
    for (bool killed = true; killed; kills++) {
        struct buf rows = {0};
        size_t n = make_old(f, 1, t, &rows);
        killed = open_and_die(f, kills + 1);
        seen |= 1u << version_of(f);
        same_rows(f, t, n, &rows);
        fix_open(f);
        fix_close(f);
        assert_int_equal(version_of(f), STORE_SCHEMA_VERSION);
        same_rows(f, t, n, &rows);
        fix_sound(f);
        buf_fini(&rows);
    }
    assert_true(kills > 40);
    assert_int_equal(seen, (1u << (STORE_SCHEMA_VERSION + 1)) - 2); /* each version once at least */
    fix_open(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fix_set_up, fix_tear_down)
    const struct CMUnitTest tests[] = {T(test_every_version), T(test_killed_at_each_statement)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
