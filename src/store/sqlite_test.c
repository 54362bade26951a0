/* What is SQLite's alone: its WAL, its file, and who may open it. */
#include "store/sqlite_private.h"
#include "store/store_fix.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void test_wal_stays_short(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    f->opt.wal_pages_max = 50;
    fix_open(f);
    add_task(f, "t1", "", 100000);
    for (int i = 0; i < 600; i++) {
        struct store_txn *t = txn(f);
        store_task_debit(t, S("t1"), 0, 2000);
        store_leaf(t, S("some leaf"), S("c"), S("t1"));
        assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    }
    struct stat st;
    assert_int_equal(fstatat(f->fd, "ambit.db-wal", &st, 0), 0);
    assert_true(st.st_size < 100 * 4200);
    struct store_stats stats;
    store_stats(f->s, &stats);
    assert_true(stats.wal_copies > 10);
}

/* ---- who may open what ---- */

static void test_second_gateway_refused(void **state)
{
    struct fix *f = *state;
    struct store *other = NULL;
    struct toy_tree tree = {0};
    struct store_options opt = {.tree = {&tree, toy_restore, toy_append, toy_save}};
    assert_false(store_open(f->fd, &opt, &other, &f->err));
    assert_int_equal(f->err.kind, ERR_DENIED);
    assert_non_null(strstr(f->err.text, "another gateway uses this store"));
    fix_close(f);
    assert_true(store_open(f->fd, &opt, &other, &f->err));
    store_close(other);
}

static void overwrite(struct fix *f, off_t at, size_t n)
{
    int fd = openat(f->fd, "ambit.db", O_RDWR);
    char junk[512];
    memset(junk, 0x5a, sizeof junk);
    for (size_t i = 0; i < n; i += sizeof junk)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at + (off_t)i), sizeof junk);
    close(fd);
}

static void refuse(struct fix *f, const char *words)
{
    assert_false(store_open(f->fd, &f->opt, &f->s, &f->err));
    assert_int_equal(f->err.kind, ERR_INPUT);
    if (!strstr(f->err.text, words))
        fail_msg("want \"%s\" in: %s", words, f->err.text);
}

static void test_damaged_page_refused(void **state)
{
    struct fix *f = *state;
    for (int i = 0; i < 20; i++)
        add_task(f, (char[]){'a' + (char)i, 0}, "", 1);
    fix_close(f);
    overwrite(f, 2 * 4096, 3 * 4096);
    refuse(f, "ambit.db is damaged");
    refuse(f, "restore a backup");
}

static void test_damaged_header_refused(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    overwrite(f, 0, 512);
    refuse(f, "ambit.db is damaged");
}

static void test_lost_leaf_refused(void **state)
{
    struct fix *f = *state;
    add_task(f, "t1", "", 1);
    fix_close(f);
    char cmd[256];
    snprintf(cmd, sizeof cmd,
             "command -v sqlite3 >/dev/null && sqlite3 %s/ambit.db 'DELETE FROM leaf'", f->dir);
    if (system(cmd) != 0) {
        print_message("skipped: the sqlite3 program is not installed\n");
        skip();
    }
    refuse(f, "leaves");
}

static void test_foreign_and_newer_refused(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    char cmd[300];
    snprintf(cmd, sizeof cmd,
             "command -v sqlite3 >/dev/null && sqlite3 %s/ambit.db"
             " \"UPDATE meta SET value = '99' WHERE name = 'store.schema'\"",
             f->dir);
    if (system(cmd) != 0) {
        print_message("skipped: the sqlite3 program is not installed\n");
        skip();
    }
    refuse(f, "newer Ambit");
    snprintf(cmd, sizeof cmd, "sqlite3 %s/ambit.db 'PRAGMA application_id = 7' >/dev/null", f->dir);
    assert_int_equal(system(cmd), 0);
    refuse(f, "not a store of Ambit");
}

static void test_readonly_beside(void **state)
{
    struct fix *f = *state;
    add_task(f, "t1", "", 1);
    struct store_view *v = NULL;
    if (!store_open_readonly(f->dir, &v, &f->err))
        fail_msg("%s", f->err.text);
    assert_true(store_view_begin(v, &f->err));
    uint64_t n = 0;
    assert_true(store_read_leaves(v, &(struct store_leaf_query){0}, count_leaf, &n, &f->err));
    add_task(f, "t2", "", 1);
    uint64_t again = 0;
    assert_true(store_read_leaves(v, &(struct store_leaf_query){0}, count_leaf, &again, &f->err));
    store_view_end(v);
    assert_int_equal(n, 1);
    assert_int_equal(again, 1);
    n = 0;
    assert_true(store_read_leaves(v, &(struct store_leaf_query){0}, count_leaf, &n, &f->err));
    assert_int_equal(n, 2);
    store_view_close(v);
    assert_false(store_open_readonly("/tmp/ambit-no-such-directory", &v, &f->err));
}

/* Runs fn in a child; its exit status. */
static int in_child(int (*fn)(struct fix *f), struct fix *f)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn(f));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_as_nobody(struct fix *f)
{
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 2;
    if (access(f->dir, X_OK) == 0)
        return 3; /* the parent was to be closed to us */
    struct store *s = NULL;
    if (!store_open(f->fd, &f->opt, &s, &f->err)) {
        fprintf(stderr, "%s\n", f->err.text);
        return 4;
    }
    struct store_txn *t = store_txn_new(s);
    store_leaf(t, S("as nobody"), (str){0}, (str){0});
    struct got g = {0};
    if (!store_submit(s, t, on_done, &g, &f->err))
        return 5;
    store_flush(s);
    uint64_t n = 0;
    if (!store_read_leaves(store_view(s), &(struct store_leaf_query){0}, count_leaf, &n, &f->err))
        return 6;
    store_close(s);
    return g.committed == 1 && n == 1 ? 0 : 7;
}

/* The directory is reached by its descriptor alone: its parent is closed to the user we become. */
static void test_without_a_path(void **state)
{
    struct fix *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: needs root to become another user\n");
        skip();
    }
    fix_close(f);
    struct fix inner = *f;
    snprintf(inner.dir, sizeof inner.dir, "%.60s/in", f->dir);
    assert_true(store_dir_open(inner.dir, true, &inner.fd, &f->err));
    assert_int_equal(chown(inner.dir, 65534, 65534), 0);
    assert_int_equal(chmod(f->dir, 0700), 0);
    inner.opt.tree.ctx = &inner.tree;
    inner.tree = (struct toy_tree){0};
    int rc = in_child(open_as_nobody, &inner);
    DIR *d = opendir(inner.dir);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(inner.dir);
    close(inner.fd);
    assert_int_equal(rc, 0);
}

/* ---- versions ---- */

/* What a store of the first version holds: one row of each table that later ones make anew or
 * change. */
static const char FIRST_ROWS[] =
    "INSERT INTO task VALUES('t1', NULL, 'anna', 'spiffe://x/agent/a', 'tidy up', '[]', 1000);"
    "INSERT INTO task VALUES('t2', 't1', 'anna', 'spiffe://x/agent/b', 'help', '[]', 1001);"
    "INSERT INTO task_state VALUES('t1', 'active', 9000, 5, 1, NULL, NULL);"
    "INSERT INTO task_state VALUES('t2', 'revoked', 9000, 3, 0, 2000, 'owner');"
    "INSERT INTO hold VALUES('h1', 't1', 'c1', 'b', 'x', 'dig', '{}', 'write', 'pending', 1, 5000,"
    "  NULL, NULL, '[]');"
    "INSERT INTO leaf VALUES(0, zeroblob(32), x'62', 'c1', 't1');"
    "INSERT INTO tree VALUES(1, 1, zeroblob(8));"
    "INSERT INTO open_call VALUES('c1', 't1', 1);";

/* A file as the gateway of that version left it. */
static void make_version(struct fix *f, unsigned version)
{
    char path[128], mark[160];
    sqlite3 *db = NULL;
    static const char *const names[] = {"ambit.db", "ambit.db-wal", "ambit.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlinkat(f->fd, names[i], 0);
    snprintf(path, sizeof path, "%s/ambit.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned i = 0; i < version; i++) {
        assert_int_equal(sqlite3_exec(db, STORE_MIGRATIONS[i], NULL, NULL, NULL), SQLITE_OK);
        if (i == 0 && sqlite3_exec(db, FIRST_ROWS, NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s", sqlite3_errmsg(db));
    }
    snprintf(mark, sizeof mark,
             "INSERT INTO meta VALUES('store.schema', '%u'); PRAGMA application_id = %d", version,
             SQLITE_APPLICATION_ID);
    assert_int_equal(sqlite3_exec(db, mark, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void holds_first_rows(struct fix *f)
{
    ARENA_SCOPE struct arena a = {0};
    struct store_task t;
    struct store_hold h;
    struct store_view *v = store_view(f->s);
    assert_true(store_read_task(v, &a, S("t1"), &t, &f->err));
    assert_true(str_eq(t.state, S("active")) && str_eq(t.opened_by, S("")));
    assert_int_equal(t.calls_left, 5);
    assert_int_equal(t.children, 1);
    assert_true(t.left.bytes == STORE_UNBOUNDED && t.left.rows == STORE_UNBOUNDED);
    assert_true(t.left.tokens == STORE_UNBOUNDED && t.left.money == STORE_UNBOUNDED);
    assert_true(store_read_task(v, &a, S("t2"), &t, &f->err));
    assert_true(str_eq(t.state, S("revoked")) && str_eq(t.reason, S("owner")));
    assert_true(str_eq(t.parent, S("t1")) && t.closed_ms == 2000);
    assert_true(store_read_hold(v, &a, S("h1"), &h, &f->err));
    assert_true(str_eq(h.state, S("pending")) && str_eq(h.approvers, S("[]")));
    assert_int_equal(leaves(f), 1);
    struct store_txn *w = txn(f);
    store_task_debit(w, S("t1"), 0, 2000);
    store_hold_decide(w, S("h1"), S("approved"), S("anna"), 100);
    store_open_call_delete(w, S("c1"));
    store_leaf(w, S("next"), S("c1"), S("t1"));
    struct store_result r = run(f, w);
    assert_int_equal(r.outcome, STORE_COMMITTED);
    assert_int_equal(r.first_leaf, 1);
}

/* Each version there ever was is brought to the present one, with what it held. */
static void test_every_version_is_brought_forward(void **state)
{
    struct fix *f = *state;
    for (unsigned version = 1; version <= STORE_SCHEMA_VERSION; version++) {
        struct store_view *v = NULL;
        fix_close(f);
        f->tree = (struct toy_tree){0};
        make_version(f, version);
        if (version < STORE_SCHEMA_VERSION) {
            assert_false(store_open_readonly(f->dir, &v, &f->err));
            assert_non_null(strstr(f->err.text, "start the gateway once"));
        }
        fix_open(f);
        holds_first_rows(f);
        assert_true(store_open_readonly(f->dir, &v, &f->err));
        store_view_close(v);
    }
}

/* ---- a full disk ---- */

static int fill_the_disk(struct fix *f)
{
    struct rlimit small = {1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0)
        return 2;
    f->tree = (struct toy_tree){0};
    struct store *s = NULL;
    if (!store_open(f->fd, &f->opt, &s, &f->err))
        return 3;
    static char body[8000];
    memset(body, 'b', sizeof body);
    struct got g = {0};
    for (int i = 0; i < 1000; i++) {
        struct store_txn *t = store_txn_new(s);
        store_leaf(t, str_of(body, sizeof body), (str){0}, (str){0});
        if (!store_submit(s, t, on_done, &g, &f->err))
            return 4;
        store_flush(s);
        if (!g.failed && store_failed(s) && s)
            return 5;
    }
    if (g.failed == 0 || !store_failed(s) || g.done != 1000 || store_failure(s).n == 0)
        return 6;
    if (g.committed + g.failed != 1000 || g.last.outcome != STORE_FAILED || !g.why[0])
        return 7;
    int fd = openat(f->fd, "acknowledged", O_WRONLY | O_CREAT, 0600);
    if (write(fd, &g.committed, sizeof g.committed) != sizeof g.committed)
        return 8;
    store_close(s);
    return 0;
}

static void test_full_disk(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    assert_int_equal(in_child(fill_the_disk, f), 0);
    unsigned acknowledged = 0;
    int fd = openat(f->fd, "acknowledged", O_RDONLY);
    assert_int_equal(read(fd, &acknowledged, sizeof acknowledged), sizeof acknowledged);
    close(fd);
    f->tree = (struct toy_tree){0};
    fix_open(f);
    assert_true(acknowledged > 10);
    /* exactly: the one that failed was rolled back, its frames have no commit mark */
    assert_int_equal(leaves(f), acknowledged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_CASE(test_wal_stays_short),
        STORE_CASE(test_second_gateway_refused),
        STORE_CASE(test_damaged_page_refused),
        STORE_CASE(test_damaged_header_refused),
        STORE_CASE(test_lost_leaf_refused),
        STORE_CASE(test_foreign_and_newer_refused),
        STORE_CASE(test_every_version_is_brought_forward),
        STORE_CASE(test_readonly_beside),
        STORE_CASE(test_without_a_path),
        STORE_CASE(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
