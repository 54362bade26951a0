/* The directory of tiles: written from entries and from the store, checked, and refused after any
 * change. */
#include "ledger/ledger_fix.h"
#include "ledger/log_dir.h"
#include "ledger/log_store.h"
#include "os/file.h"

#include <ftw.h>
#include <sys/stat.h>

struct bed {
    char dir[64];
    struct key *key;
    struct note_verifier v;
    struct err err;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int bed_up(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    snprintf(b->dir, sizeof b->dir, "/tmp/ambit-log-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    OK(b, key_generate(KEY_ED25519, &b->key, &b->err));
    OK(b, note_verifier(S("log.example/a"), NOTE_ED25519, b->key, &b->v, &b->err));
    *state = b;
    return 0;
}

static int bed_down(void **state)
{
    struct bed *b = *state;
    nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    key_free(b->key);
    free(b);
    return 0;
}

/* Entry i of the log called `salt`. */
static str entry(uint64_t i, uint64_t salt, char out[48])
{
    return str_of(out, (size_t)snprintf(out, 48, "entry %llu of %llu", (unsigned long long)i,
                                        (unsigned long long)salt));
}

static struct hash root_of(uint64_t size, uint64_t salt)
{
    struct err err;
    struct frontier f = {0};
    char text[48];
    for (uint64_t i = 0; i < size; i++) {
        struct hash h = merkle_leaf(entry(i, salt, text));
        assert_true(frontier_append(&f, &h, &err));
    }
    return frontier_root(&f);
}

static void note_of(struct bed *b, uint64_t size, const struct hash *root, struct buf *out)
{
    struct buf text = {0};
    struct checkpoint c = {S("log.example/a"), size, *root};
    OK(b, checkpoint_write(&c, &text, &b->err));
    OK(b, note_sign(buf_str(&text), b->v.name, b->key, out, &b->err));
    buf_fini(&text);
}

/* The first `size` entries into the directory; false as the writer said, with b->err. From entry
 * `forked` on they are those of another log. */
static bool publish_forked(struct bed *b, uint64_t size, uint64_t forked)
{
    struct log_writer *w;
    struct buf note = {0};
    struct frontier f = {0};
    bool ok = log_writer_open(b->dir, &w, &b->err);
    if (!ok)
        return false;
    for (uint64_t i = 0; ok && i < size; i++) {
        char text[48];
        str e = entry(i, i >= forked, text);
        struct hash h = merkle_leaf(e);
        ok = frontier_append(&f, &h, &b->err) && log_writer_add(w, e, &b->err);
    }
    if (ok) {
        struct hash root = frontier_root(&f);
        note_of(b, size, &root, &note);
        ok = log_writer_publish(w, buf_str(&note), &b->err);
    }
    buf_fini(&note);
    log_writer_close(w);
    return ok;
}

static bool publish(struct bed *b, uint64_t size)
{
    return publish_forked(b, size, UINT64_MAX);
}

/* Whether the directory passes; why not, in b->err. */
static bool verifies(struct bed *b)
{
    struct log_dir *d;
    struct log_dir_report r;
    if (!log_dir_open(b->dir, &b->v, &d, &b->err))
        return false;
    bool done = log_dir_verify(d, &r, &b->err);
    log_dir_close(d);
    return done && (r.ok || err_denied(&b->err, "%.300s", r.problem));
}

static bool there(struct bed *b, const char *path)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s/%s", b->dir, path);
    return access(whole, F_OK) == 0;
}

/* ---- writing ---- */

static void test_sizes(void **state)
{
    struct bed *b = *state;
    static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 511, 512, 600};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        OK(b, publish(b, sizes[i]));
        OK(b, publish(b, sizes[i])); /* again: nothing changes */
        OK(b, verifies(b));
    }
    assert_true(there(b, "tile/0/000"));
    assert_true(there(b, "tile/entries/001"));
    assert_true(there(b, "tile/entries/002.p/88"));
    assert_true(there(b, "tile/1/000.p/2"));
    assert_true(there(b, "tile/1/000.p/1")); /* of a published size, and no full tile yet */
    assert_false(there(b, "tile/0/000.p"));  /* the full one has replaced them */
    assert_false(there(b, "tile/entries/000.p"));
    assert_false(there(b, "tile/2"));
}

static void test_full_tile_serves_for_the_partial(void **state)
{
    struct bed *b = *state;
    ARENA_SCOPE struct arena a = {0};
    struct hash root = root_of(300, 0);
    struct buf note = {0};
    OK(b, publish(b, 300));
    OK(b, publish(b, 600));
    note_of(b, 300, &root, &note);
    int fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OK(b, file_write(fd, "checkpoint", buf_str(&note), 0644, &b->err));
    close(fd);
    OK(b, verifies(b)); /* tile/0/001.p/44 out of tile/0/001 */
    struct log_dir *d;
    struct proof p;
    struct checkpoint c;
    OK(b, log_dir_open(b->dir, &b->v, &d, &b->err));
    OK(b, log_dir_prove(d, &a, 299, &p, &b->err));
    OK(b, proof_check(&a, &p, p.extra, &b->v, &c, &b->err));
    assert_false(log_dir_prove(d, &a, 300, &p, &b->err));
    assert_int_equal(b->err.kind, ERR_NOTFOUND);
    log_dir_close(d);
    buf_fini(&note);
}

static void test_forks_are_not_written(void **state)
{
    struct bed *b = *state;
    OK(b, publish(b, 300));
    /* Cut back. */
    assert_false(publish(b, 299));
    assert_int_equal(b->err.kind, ERR_DENIED);
    /* Another past: in a full tile, in the published edge. */
    assert_false(publish_forked(b, 400, 0));
    assert_int_equal(b->err.kind, ERR_DENIED);
    assert_false(publish_forked(b, 400, 299));
    assert_int_equal(b->err.kind, ERR_DENIED);
    assert_non_null(strstr(b->err.text, "another root"));
    assert_false(publish_forked(b, 300, 299));
    OK(b, verifies(b));
    /* Another future is nobody's business yet. */
    OK(b, publish_forked(b, 400, 300));
    OK(b, verifies(b));
}

static void test_note_must_fit(void **state)
{
    struct bed *b = *state;
    struct log_writer *w;
    struct buf note = {0};
    char text[48];
    struct hash root = root_of(1, 1);
    note_of(b, 1, &root, &note); /* of another entry */
    OK(b, log_writer_open(b->dir, &w, &b->err));
    OK(b, log_writer_add(w, entry(0, 0, text), &b->err));
    assert_false(log_writer_publish(w, buf_str(&note), &b->err));
    assert_int_equal(b->err.kind, ERR_DENIED);
    assert_false(log_writer_publish(w, S("no note"), &b->err));
    assert_false(there(b, "checkpoint"));
    log_writer_close(w);
    buf_fini(&note);
}

/* ---- checking ---- */

static struct bed *flipped; /* for nftw, which has no argument */
static unsigned flips;

static int flip_in_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F)
        return 0;
    const off_t at[] = {0, st->st_size / 2, st->st_size - 1};
    for (size_t i = 0; i < 3; i++) {
        char c, changed;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &c, 1, at[i]), 1);
        changed = (char)(c ^ 1);
        assert_int_equal(pwrite(fd, &changed, 1, at[i]), 1);
        if (verifies(flipped))
            fail_msg("%s with byte %lld changed passes", path, (long long)at[i]);
        assert_int_equal(pwrite(fd, &c, 1, at[i]), 1);
        close(fd);
        flips++;
    }
    return 0;
}

static int hide_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F)
        return 0;
    char aside[200];
    snprintf(aside, sizeof aside, "%s/aside", flipped->dir);
    assert_int_equal(rename(path, aside), 0);
    if (verifies(flipped))
        fail_msg("without %s it passes", path);
    assert_int_equal(rename(aside, path), 0);
    char last;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &last, 1, st->st_size - 1), 1);
    assert_int_equal(ftruncate(fd, st->st_size - 1), 0);
    if (verifies(flipped))
        fail_msg("%s without its last byte passes", path);
    assert_int_equal(pwrite(fd, &last, 1, st->st_size - 1), 1);
    assert_int_equal(ftruncate(fd, st->st_size + 1), 0);
    if (verifies(flipped))
        fail_msg("%s with a byte more passes", path);
    assert_int_equal(ftruncate(fd, st->st_size), 0);
    close(fd);
    return 0;
}

static void test_flipped_bytes(void **state)
{
    struct bed *b = flipped = *state;
    OK(b, publish(b, 600));
    nftw(b->dir, flip_in_file, 16, FTW_PHYS);
    /* 3 bundles, 3 tiles of level 0, 1 of level 1, the checkpoint */
    assert_int_equal(flips, 3 * 8);
    OK(b, verifies(b));
}

static void test_missing_files(void **state)
{
    struct bed *b = flipped = *state;
    OK(b, publish(b, 600));
    nftw(b->dir, hide_file, 16, FTW_PHYS);
    OK(b, verifies(b));
}

static void test_hostile_directories(void **state)
{
    struct bed *b = *state;
    struct log_dir *d;
    struct buf note = {0};
    struct hash root = {0};
    int fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_false(log_dir_open(b->dir, NULL, &d, &b->err));
    assert_int_equal(b->err.kind, ERR_NOTFOUND);
    /* As large as can be, with nothing behind it. */
    note_of(b, INT64_MAX, &root, &note);
    OK(b, file_write(fd, "checkpoint", buf_str(&note), 0644, &b->err));
    assert_false(verifies(b));
    assert_non_null(strstr(b->err.text, "tile/entries/000 is not there"));
    /* Not signed by the one who is asked for. */
    struct key *other;
    struct note_verifier v;
    OK(b, key_generate(KEY_ED25519, &other, &b->err));
    OK(b, note_verifier(S("log.example/a"), NOTE_ED25519, other, &v, &b->err));
    assert_false(log_dir_open(b->dir, &v, &d, &b->err));
    key_free(other);
    buf_fini(&note);
    close(fd);
}

/* ---- out of the store ---- */

static void sign_checkpoint(struct fix *f)
{
    struct buf text = {0}, note = {0};
    struct checkpoint c = {.origin = f->verifier.name};
    OK(f, ledger_root(store_view(f->s), &c.size, c.root.b, &f->err));
    OK(f, checkpoint_write(&c, &text, &f->err));
    OK(f, note_sign(buf_str(&text), f->verifier.name, f->key, &note, &f->err));
    struct store_txn *t = store_txn_new(f->s);
    struct store_checkpoint row = {
        .size = (int64_t)c.size, .root = hash_str(&c.root), .note = buf_str(&note), .at_ms = 1};
    store_checkpoint_insert(t, &row);
    fix_submit(f, t);
    store_flush(f->s);
    buf_fini(&text);
    buf_fini(&note);
}

static void test_store(void **state)
{
    struct fix *f = *state;
    struct bed b = {.key = f->key, .v = f->verifier};
    struct store_view *v;
    uint64_t size = 0, at = 0;
    ARENA_SCOPE struct arena a = {0};
    snprintf(b.dir, sizeof b.dir, "%.50s/log", f->dir);
    OK(f, store_open_readonly(f->dir, &v, &f->err));
    assert_false(log_store_tiles(v, b.dir, &size, &f->err));
    assert_int_equal(f->err.kind, ERR_NOTFOUND); /* no checkpoint yet */
    fix_task(f, "t1", NULL, 1000);
    for (int i = 0; i < 150; i++) {
        char call[16];
        snprintf(call, sizeof call, "c%d", i);
        fix_submit(f, fix_intent(f, str_z(call), "t1", NULL, (str){0}));
        fix_submit(f, fix_outcome(f, str_z(call), "t1"));
    }
    store_flush(f->s);
    sign_checkpoint(f);
    fix_submit(f, fix_intent(f, S("late"), "t1", NULL, (str){0})); /* under no checkpoint */
    store_flush(f->s);
    OK(f, log_store_tiles(v, b.dir, &size, &f->err));
    assert_int_equal(size, 301);
    OK(&b, verifies(&b));
    struct log_dir *d;
    OK(f, log_dir_open(b.dir, &b.v, &d, &f->err));
    for (uint64_t i = 0; i < size; i += 7) {
        struct proof rows, tiles;
        struct checkpoint c;
        OK(f, log_store_prove(v, &a, i, &rows, &f->err));
        OK(f, log_dir_prove(d, &a, i, &tiles, &f->err));
        OK(f, proof_check(&a, &rows, rows.extra, &b.v, &c, &f->err));
        assert_true(str_eq(rows.extra, tiles.extra) && str_eq(rows.note, tiles.note));
        assert_int_equal(rows.path.n, tiles.path.n);
        assert_memory_equal(rows.path.h, tiles.path.h, rows.path.n * HASH_LEN);
    }
    log_dir_close(d);
    OK(f, log_store_find_call(v, S("c149"), &at, &f->err));
    assert_int_equal(at, 299);
    assert_false(log_store_find_call(v, S("c150"), &at, &f->err));
    OK(f, log_store_find_call(v, S("late"), &at, &f->err));
    struct proof none;
    assert_false(log_store_prove(v, &a, at, &none, &f->err));
    assert_int_equal(f->err.kind, ERR_NOTFOUND);
    store_view_close(v);
    nftw(b.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
#define IN_BED(t) cmocka_unit_test_setup_teardown(t, bed_up, bed_down)
    const struct CMUnitTest tests[] = {
        IN_BED(test_sizes),
        IN_BED(test_full_tile_serves_for_the_partial),
        IN_BED(test_forks_are_not_written),
        IN_BED(test_note_must_fit),
        IN_BED(test_flipped_bytes),
        IN_BED(test_missing_files),
        IN_BED(test_hostile_directories),
        cmocka_unit_test_setup_teardown(test_store, fix_set_up, fix_tear_down),
    };
    return cmocka_run_group_tests_name("ledger/log", tests, NULL, NULL);
}
