/* store_check, and what store_open refuses of it: a sound store, then one fault each. */
#include "store/check.h"
#include "store/sqlite_private.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fix {
    char dir[64];
    int fd;
    struct err err;
    struct buf bad, warned; /* names of the answers, in order */
    unsigned fine;
};

static bool open_store(struct fix *f)
{
    struct store *s = NULL;
    bool ok = store_open(f->fd, &(struct store_options){0}, &s, &f->err);
    store_close(s);
    return ok;
}

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    *state = f;
    snprintf(f->dir, sizeof f->dir, "/tmp/ambit-check-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_true(store_dir_open(f->dir, false, &f->fd, &f->err));
    if (!open_store(f))
        fail_msg("%s", f->err.text);
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -r %s", f->dir);
    (void)!system(cmd);
    close(f->fd);
    buf_fini(&f->bad);
    buf_fini(&f->warned);
    free(f);
    return 0;
}

static void on_answer(void *arg, enum store_verdict v, const char *name, const char *text)
{
    struct fix *f = arg;
    assert_true(strlen(text) > 0);
    if (v == STORE_CHECK_OK)
        f->fine++;
    else if (strcmp(name, "filesystem") != 0 && strcmp(name, "space") != 0)
        buf_printf(v == STORE_CHECK_BAD ? &f->bad : &f->warned, "%s ", name);
}

static void change(struct fix *f, const char *sql)
{
    char path[128], *why = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/ambit.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

static void expect(struct fix *f, const char *bad, const char *warned)
{
    buf_clear(&f->bad);
    buf_clear(&f->warned);
    f->fine = 0;
    if (!store_check(f->dir, on_answer, f, &f->err))
        fail_msg("%s", f->err.text);
    if (!str_eq(buf_str(&f->bad), str_z(bad)) || !str_eq(buf_str(&f->warned), str_z(warned)))
        fail_msg("bad: %.*s; warned: %.*s", STR(buf_str(&f->bad)), STR(buf_str(&f->warned)));
}

static void refused(struct fix *f, const char *text)
{
    assert_false(open_store(f));
    if (!strstr(f->err.text, text))
        fail_msg("%s", f->err.text);
}

static void test_sound(void **state)
{
    expect(*state, "", "");
    assert_true(((struct fix *)*state)->fine >= 11);
}

static void test_rows(void **state)
{
    static const char A[] = "INSERT INTO task(id, owner, agent, purpose, grants, opened_ms)"
                            " VALUES('a', 'o', 'g', 'p', '[]', 1);";
    static const struct {
        const char *sql, *undo, *bad, *warned;
    } cases[] = {
        {"", "DELETE FROM task", "tasks ", ""},
        {"INSERT INTO task_state(id, state, deadline_ms, calls_left, children, until_ms, "
         "bytes_left,"
         " rows_left, tokens_left, money_left) VALUES('a', 'revoked', 1, 1, 0, 0, 1, 1, 1, 1);",
         "", "tasks ", ""},
        {"UPDATE task_state SET closed_ms = 5; INSERT INTO task(id, parent, owner, agent, purpose,"
         " grants, opened_ms) VALUES('b', 'a', 'o', 'g', 'p', '[]', 1);"
         "INSERT INTO task_state SELECT 'b', 'active', 1, 1, 0, NULL, NULL, 0, 1, 1, 1, 1;",
         "DELETE FROM task_state WHERE id = 'b'; DELETE FROM task WHERE id = 'b'", "", "cascades "},
        {"INSERT INTO hold(id, task, call, binding, tool, digest, args, effect, state, created_ms,"
         " expires_ms, policies) VALUES('h', 'a', 'c', 'b', 't', 'd', '{}', 'e', 'pending', 1, 2,"
         " '[]');",
         "DELETE FROM hold", "", "holds "},
        {"PRAGMA foreign_keys = OFF; INSERT INTO task(id, parent, owner, agent, purpose, grants,"
         " opened_ms) VALUES('z', 'gone', 'o', 'g', 'p', '[]', 1); INSERT INTO task_state SELECT "
         "'z',"
         " state, 1, 1, 0, 5, NULL, 0, 1, 1, 1, 1 FROM task_state WHERE id = 'a';",
         "DELETE FROM task_state WHERE id = 'z'; DELETE FROM task WHERE id = 'z'", "references ",
         ""},
        {"INSERT INTO open_call VALUES('c', 'a', 1);", "DELETE FROM open_call", "calls ", ""},
        {"INSERT INTO leaf VALUES(0, zeroblob(32), x'7b7d', NULL, NULL);", "DELETE FROM leaf",
         "leaves ", ""},
        {"CREATE INDEX mine ON task(owner);", "DROP INDEX mine", "schema ", ""},
    };
    struct fix *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (i < 2)
            change(f, A);
        change(f, cases[i].sql);
        expect(f, cases[i].bad, cases[i].warned);
        change(f, cases[i].undo);
    }
    expect(f, "", "");
}

static void test_journal_changed(void **state)
{
    struct fix *f = *state;
    change(f, "PRAGMA journal_mode = DELETE");
    expect(f, "journal ", "");
    refused(f, "no WAL any more");
    change(f, "PRAGMA journal_mode = WAL");
    assert_true(open_store(f));
}

static void test_links_and_owners(void **state)
{
    struct fix *f = *state;
    assert_int_equal(linkat(f->fd, "ambit.db", f->fd, "other", 0), 0);
    expect(f, "files ", "");
    refused(f, "second name");
    assert_int_equal(unlinkat(f->fd, "ambit.db", 0), 0);
    assert_int_equal(symlinkat("other", f->fd, "ambit.db"), 0);
    refused(f, "is a link");
    assert_int_equal(unlinkat(f->fd, "ambit.db", 0), 0);
    assert_int_equal(renameat(f->fd, "other", f->fd, "ambit.db"), 0);
    assert_int_equal(fchmod(f->fd, 0755), 0);
    assert_int_equal(fchmodat(f->fd, "ambit.db", 0644, 0), 0);
    expect(f, "", "files ");
    assert_true(open_store(f));
    if (geteuid() != 0)
        return;
    assert_int_equal(fchownat(f->fd, "ambit.db", 1, 1, 0), 0);
    expect(f, "files ", "");
    refused(f, "belongs to user 1");
}

static void test_file_systems(void **state)
{
    static const struct {
        uint32_t magic;
        enum store_verdict verdict;
    } cases[] = {{0x6969, STORE_CHECK_BAD},          {0xff534d42, STORE_CHECK_BAD},
                 {0xfe534d42, STORE_CHECK_BAD},      {0x01021997, STORE_CHECK_BAD},
                 {0x65735546, STORE_CHECK_WARN},     {0x01021994, STORE_CHECK_WARN},
                 {0xef53 /* ext4 */, STORE_CHECK_OK}};
    char text[STORE_CHECK_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sqlite_file_system(cases[i].magic, text), cases[i].verdict);
}

static void test_nothing_there(void **state)
{
    struct fix *f = *state;
    assert_int_equal(unlinkat(f->fd, "ambit.db", 0), 0);
    assert_false(store_check(f->dir, on_answer, f, &f->err));
    assert_false(store_check("/nonexistent", on_answer, f, &f->err));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_sound),           T(test_rows),
        T(test_journal_changed), T(test_links_and_owners),
        T(test_file_systems),    T(test_nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
