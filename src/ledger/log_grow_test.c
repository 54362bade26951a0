#include "ledger/log_grow.h"
#include "crypto/note.h"
#include "os/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ORIGIN S("t.example/log")
#define OK(f, x)                                                                                   \
    do {                                                                                           \
        if (!(x))                                                                                  \
            fail_msg("%s", (f)->err.text);                                                         \
    } while (0)

struct fix {
    char dir[64];
    int fd;
    struct err err;
    struct log_grow *w;
};

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/log_grow.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->fd = open(f->dir, O_RDONLY | O_DIRECTORY);
    OK(f, log_grow_open(f->fd, ORIGIN, &f->w, &f->err));
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    log_grow_close(f->w);
    close(f->fd);
    assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(f);
    return 0;
}

static str entry_of(uint64_t i, char room[40])
{
    return str_of(room, (size_t)snprintf(room, 40, "entry %llu", (unsigned long long)i));
}

static struct hash root_of(uint64_t size)
{
    struct frontier t = {0};
    struct err err;
    char room[40];
    for (uint64_t i = 0; i < size; i++) {
        struct hash h = merkle_leaf(entry_of(i, room));
        assert_true(frontier_append(&t, &h, &err));
    }
    return frontier_root(&t);
}

/* A note with a signature line that nobody checks here. */
static void note_of(uint64_t size, const struct hash *root, struct buf *out)
{
    struct err err;
    struct checkpoint c = {.origin = ORIGIN, .size = size, .root = *root};
    buf_clear(out);
    assert_true(checkpoint_write(&c, out, &err));
    buf_put(out, S("\n\xe2\x80\x94 t.example/log AAAAAAAA\n"));
}

static void grow(struct fix *f, uint64_t to)
{
    char room[40];
    for (uint64_t i = log_grow_size(f->w); i < to; i++)
        OK(f, log_grow_add(f->w, entry_of(i, room), &f->err));
}

static bool publish(struct fix *f, uint64_t size)
{
    struct buf note = {0};
    struct hash root = root_of(size);
    note_of(size, &root, &note);
    bool ok = log_grow_publish(f->w, buf_str(&note), &f->err);
    buf_fini(&note);
    return ok;
}

static void reopen(struct fix *f)
{
    log_grow_close(f->w);
    OK(f, log_grow_open(f->fd, ORIGIN, &f->w, &f->err));
}

/* ---- every file that a log of this size must have, with these bytes ---- */

static bool compare(void *arg, const struct tile *t, str bytes, struct err *err)
{
    struct fix *f = arg;
    ARENA_SCOPE struct arena a = {0};
    char path[TILE_PATH_SIZE];
    str found;
    (void)tile_path(t, path);
    OK(f, file_read(f->fd, path, TILE_BUNDLE_BYTES_MAX, NULL, &a, &found, err));
    assert_true(str_eq(found, bytes));
    return true;
}

static void check(struct fix *f, uint64_t size)
{
    struct log_build *b = log_build_new((struct log_sink){compare, f});
    char room[40];
    for (uint64_t i = 0; i < size; i++)
        OK(f, log_build_add(b, entry_of(i, room), &f->err));
    OK(f, log_build_edge(b, &f->err));
    log_build_free(b);
}

static void test_grows_over_restarts(void **state)
{
    static const uint64_t SIZES[] = {1,   2,   3,     255,   256,   257,  511,
                                     512, 700, 65535, 65536, 65537, 66000};
    struct fix *f = *state;
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        grow(f, SIZES[i]);
        OK(f, publish(f, SIZES[i]));
        reopen(f);
        assert_int_equal(log_grow_size(f->w), SIZES[i]);
        if (SIZES[i] < 1000 || i + 1 == sizeof SIZES / sizeof SIZES[0])
            check(f, SIZES[i]);
    }
    assert_int_equal(faccessat(f->fd, "tile/0/000.p", F_OK, 0), -1); /* full meanwhile */
    assert_int_equal(faccessat(f->fd, "tile/0/257.p/208", F_OK, 0), 0);
}

static void test_what_was_not_published_is_sent_again(void **state)
{
    struct fix *f = *state;
    grow(f, 300);
    OK(f, publish(f, 300));
    grow(f, 700);
    reopen(f);
    assert_int_equal(log_grow_size(f->w), 300);
    grow(f, 700);
    OK(f, publish(f, 700));
    check(f, 700);
}

static void test_refuses_another_root_and_size(void **state)
{
    struct fix *f = *state;
    struct buf note = {0};
    grow(f, 5);
    struct hash root = root_of(4);
    note_of(5, &root, &note);
    assert_false(log_grow_publish(f->w, buf_str(&note), &f->err));
    assert_int_equal(f->err.kind, ERR_DENIED);
    note_of(4, &root, &note);
    assert_false(log_grow_publish(f->w, buf_str(&note), &f->err));
    assert_int_equal(f->err.kind, ERR_INPUT);
    assert_false(log_grow_publish(f->w, S("nothing"), &f->err));
    assert_int_equal(faccessat(f->fd, "checkpoint", F_OK, 0), -1);
    buf_fini(&note);
}

static void flip(struct fix *f, const char *path, off_t at)
{
    char c = 0;
    int fd = openat(f->fd, path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

/* What it would build on is looked at; where it is not sound the whole is written again. */
static void test_a_damaged_edge_is_built_anew(void **state)
{
    static const struct {
        const char *path;
        off_t at;
    } ROWS[] = {{"tile/0/001.p/44", 40},
                {"tile/1/000.p/1", 3},
                {"tile/entries/001.p/44", 7},
                {"checkpoint", 20}};
    struct fix *f = *state;
    grow(f, 300);
    OK(f, publish(f, 300));
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        flip(f, ROWS[i].path, ROWS[i].at);
        reopen(f);
        assert_int_equal(log_grow_size(f->w), 0);
        assert_true(log_grow_damage(f->w).n > 0);
        grow(f, 300);
        OK(f, publish(f, 300));
        check(f, 300);
        reopen(f);
        assert_int_equal(log_grow_size(f->w), 300);
        assert_int_equal(log_grow_damage(f->w).n, 0);
    }
    assert_int_equal(unlinkat(f->fd, "tile/1/000.p/1", 0), 0);
    reopen(f);
    assert_int_equal(log_grow_size(f->w), 0);
}

/* As when the configuration's trust domain was changed: the tiles are the same, the name is not. */
static void test_another_origin_is_written_again(void **state)
{
    struct fix *f = *state;
    struct log_grow *other;
    grow(f, 300);
    OK(f, publish(f, 300));
    OK(f, log_grow_open(f->fd, S("other.example/log"), &other, &f->err));
    assert_int_equal(log_grow_size(other), 0);
    assert_true(log_grow_damage(other).n > 0);
    log_grow_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grows_over_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_not_published_is_sent_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_another_root_and_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_edge_is_built_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_origin_is_written_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
