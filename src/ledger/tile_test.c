#include "base/arena.h"
#include "base/hex.h"
#include "ledger/log_build.h"
#include "ledger/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- paths and widths ---- */

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        struct tile t;
        const char *path;
    } cases[] = {
        {{.level = 0, .n = 0, .width = 256}, "tile/0/000"},
        {{.level = 0, .n = 273, .width = 112}, "tile/0/273.p/112"},
        {{.level = 2, .n = 0, .width = 1}, "tile/2/000.p/1"},
        {{.level = 7, .n = 999, .width = 256}, "tile/7/999"},
        {{.entries = true, .n = 1000, .width = 255}, "tile/entries/x001/000.p/255"},
        {{.entries = true, .n = 1234067, .width = 256}, "tile/entries/x001/x234/067"},
        {{.entries = true, .n = (uint64_t)INT64_MAX / 256, .width = 255},
         "tile/entries/x036/x028/x797/x018/x963/967.p/255"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[TILE_PATH_SIZE];
        str path = tile_path(&cases[i].t, out);
        assert_string_equal(out, cases[i].path);
        assert_int_equal(path.n, strlen(out));
    }
}

static void test_widths(void **state)
{
    (void)state;
    static const struct {
        unsigned level;
        uint64_t n, size;
        unsigned width;
    } cases[] = {
        {0, 0, 0, 0},         {0, 0, 1, 1},           {0, 0, 256, 256},
        {0, 1, 256, 0},       {1, 0, 255, 0},         {1, 0, 256, 1},
        {0, 272, 70000, 256}, {0, 273, 70000, 112},   {0, 274, 70000, 0},
        {1, 0, 70000, 256},   {1, 1, 70000, 17},      {1, 2, 70000, 0},
        {2, 0, 70000, 1},     {2, 1, 70000, 0},       {3, 0, 70000, 0},
        {8, 0, INT64_MAX, 0}, {7, 0, INT64_MAX, 127}, {0, UINT64_MAX, INT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(tile_width(cases[i].level, cases[i].n, cases[i].size), cases[i].width);
}

static void test_nodes_outside(void **state)
{
    (void)state;
    struct tile t;
    unsigned first, count;
    assert_false(tile_of_node(0, 0, 0, &t, &first, &count));
    assert_false(tile_of_node(0, 5, 5, &t, &first, &count));
    assert_false(tile_of_node(3, 1, 15, &t, &first, &count));
    assert_false(tile_of_node(63, 0, INT64_MAX, &t, &first, &count));
    assert_false(tile_of_node(0, 0, UINT64_MAX, &t, &first, &count));
    assert_true(tile_of_node(62, 0, INT64_MAX, &t, &first, &count));
    assert_int_equal(t.level, 7);
    assert_int_equal(count, 64);
    assert_true(tile_of_node(3, 1, 16, &t, &first, &count));
    assert_int_equal(first, 8);
    assert_int_equal(t.width, 16);
}

static void test_bundles(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf b = {0};
    char *large = calloc(1, TILE_ENTRY_BYTES_MAX + 1);
    assert_true(bundle_put(&b, S("ab"), &err));
    assert_true(bundle_put(&b, S(""), &err));
    assert_true(bundle_put(&b, str_of(large, TILE_ENTRY_BYTES_MAX), &err));
    assert_false(bundle_put(&b, str_of(large, TILE_ENTRY_BYTES_MAX + 1), &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    str rest = buf_str(&b), e;
    assert_memory_equal(rest.p, "\0\2ab\0\0\xff\xff", 8);
    assert_true(bundle_take(&rest, &e) && str_eq(e, S("ab")));
    assert_true(bundle_take(&rest, &e) && e.n == 0);
    str cut = str_take(rest, rest.n - 1);
    assert_false(bundle_take(&cut, &e));
    assert_true(bundle_take(&rest, &e) && e.n == TILE_ENTRY_BYTES_MAX && rest.n == 0);
    rest = S("\0");
    assert_false(bundle_take(&rest, &e));
    buf_fini(&b);
    free(large);
}

/* ---- tiles against a tree of leaves ---- */

enum { SIZE_MAX_TESTED = 300 };

static str entry(uint64_t i, char out[32])
{
    return str_of(out, (size_t)snprintf(out, 32, "entry %llu", (unsigned long long)i));
}

/* Tiles as they were put out, by path. */
struct memory {
    struct arena a;
    struct put {
        struct put *next;
        str path, bytes;
    } * first;
    uint64_t size; /* for nodes */
    size_t n;
};

static bool remember(void *arg, const struct tile *t, str bytes, struct err *err)
{
    (void)err;
    struct memory *m = arg;
    char path[TILE_PATH_SIZE];
    struct put *p = ARENA_NEW(&m->a, struct put);
    *p = (struct put){m->first, str_dup(&m->a, tile_path(t, path)), str_dup(&m->a, bytes)};
    m->first = p;
    m->n++;
    return true;
}

static bool node_of_tiles(void *arg, unsigned level, uint64_t index, struct hash *out,
                          struct err *err)
{
    struct memory *m = arg;
    struct tile t;
    unsigned first, count;
    char path[TILE_PATH_SIZE];
    if (!tile_of_node(level, index, m->size, &t, &first, &count))
        return err_input(err, "no such node");
    str want = tile_path(&t, path);
    for (struct put *p = m->first; p; p = p->next) {
        if (!str_eq(p->path, want))
            continue;
        if (p->bytes.n != (size_t)t.width * HASH_LEN)
            return err_input(err, "%s has another width", path);
        *out = tile_root(p->bytes, first, count);
        return true;
    }
    return err_input(err, "%s was not put out", path);
}

static bool leaf_of_entries(void *arg, uint64_t index, struct hash *out, struct err *err)
{
    (void)arg;
    (void)err;
    char text[32];
    *out = merkle_leaf(entry(index, text));
    return true;
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s", err.text);                                                              \
    } while (0)

static void check_size(struct memory *m, const struct hash *roots, uint64_t size)
{
    struct err err = {0};
    struct merkle_source tiles = {node_of_tiles, m};
    struct hash root;
    m->size = size;
    OK(merkle_root(&tiles, size, &root, &err));
    assert_memory_equal(root.b, roots[size].b, HASH_LEN);
    for (uint64_t i = 0; i < size; i++) {
        struct merkle_proof p;
        char text[32];
        struct hash leaf = merkle_leaf(entry(i, text));
        OK(merkle_inclusion(&tiles, i, size, &p, &err));
        OK(merkle_check_inclusion(&p, &leaf, i, size, &root, &err));
        if (p.n) {
            p.h[i % p.n].b[i % HASH_LEN] ^= 1;
            assert_false(merkle_check_inclusion(&p, &leaf, i, size, &root, &err));
        }
        OK(merkle_consistency(&tiles, i, size, &p, &err));
        OK(merkle_check_consistency(&p, i, size, &roots[i], &root, &err));
    }
}

static void test_every_size(void **state)
{
    (void)state;
    struct err err = {0};
    struct merkle_leaves leaves = {leaf_of_entries, NULL};
    struct merkle_source naive = {merkle_node_of_leaves, &leaves};
    struct hash roots[SIZE_MAX_TESTED + 1];
    for (uint64_t size = 0; size <= SIZE_MAX_TESTED; size++)
        OK(merkle_root(&naive, size, &roots[size], &err));
    struct memory m = {0};
    struct log_build *b = log_build_new((struct log_sink){remember, &m});
    for (uint64_t size = 0; size <= SIZE_MAX_TESTED; size++) {
        char text[32];
        if (size)
            OK(log_build_add(b, entry(size - 1, text), &err));
        struct hash root = log_build_root(b);
        assert_int_equal(log_build_size(b), size);
        assert_memory_equal(root.b, roots[size].b, HASH_LEN);
        OK(log_build_edge(b, &err));
        if (size % 16 < 2 || size >= 255)
            check_size(&m, roots, size);
    }
    log_build_free(b);
    arena_fini(&m.a);
}

/* The specification's example: 273 full tiles of level 0 and one of 112, one full of level 1 and
 * one of 17, one of level 2 with one hash. */
static void test_size_of_the_specification(void **state)
{
    (void)state;
    struct err err = {0};
    struct memory m = {.size = 70000};
    struct log_build *b = log_build_new((struct log_sink){remember, &m});
    char text[32];
    for (uint64_t i = 0; i < m.size; i++)
        OK(log_build_add(b, entry(i, text), &err));
    OK(log_build_edge(b, &err));
    assert_int_equal(m.n, 2 * (273 + 1) + 1 + 1 + 1);
    struct hash root, want = log_build_root(b);
    struct merkle_source tiles = {node_of_tiles, &m};
    OK(merkle_root(&tiles, m.size, &root, &err));
    assert_memory_equal(root.b, want.b, HASH_LEN);
    struct merkle_proof p;
    struct hash leaf = merkle_leaf(entry(69999, text));
    OK(merkle_inclusion(&tiles, 69999, m.size, &p, &err));
    OK(merkle_check_inclusion(&p, &leaf, 69999, m.size, &root, &err));
    log_build_free(b);
    arena_fini(&m.a);
}

/* RFC 6962 trees over the eight inputs that Certificate Transparency's tests use. */
static void test_known_roots(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *root;
    } cases[] = {
        {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"606162636465666768696a6b6c6d6e6f",
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct memory m = {0};
    struct log_build *b = log_build_new((struct log_sink){remember, &m});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        str bytes;
        char hex[HASH_HEX_SIZE];
        assert_true(hex_decode(&a, str_z(cases[i].hex), &bytes));
        OK(log_build_add(b, bytes, &err));
        struct hash root = log_build_root(b);
        hash_hex(&root, hex);
        assert_string_equal(hex, cases[i].root);
    }
    log_build_free(b);
    arena_fini(&m.a);
}

/* ---- proofs as text ---- */

struct signer {
    struct key *key;
    struct note_verifier v;
    struct buf note;
};

static void sign(struct signer *s, str origin, uint64_t size, const struct hash *root)
{
    struct err err = {0};
    struct buf text = {0};
    struct checkpoint c = {origin, size, *root};
    if (!s->key) {
        OK(key_generate(KEY_ED25519, &s->key, &err));
        OK(note_verifier(S("log.example/a"), NOTE_ED25519, s->key, &s->v, &err));
    }
    buf_clear(&s->note);
    OK(checkpoint_write(&c, &text, &err));
    OK(note_sign(buf_str(&text), S("log.example/a"), s->key, &s->note, &err));
    buf_fini(&text);
}

static void signer_fini(struct signer *s)
{
    key_free(s->key);
    buf_fini(&s->note);
}

static void make_proof(struct signer *s, uint64_t index, uint64_t size, struct proof *out)
{
    struct err err = {0};
    struct merkle_leaves leaves = {leaf_of_entries, NULL};
    struct merkle_source naive = {merkle_node_of_leaves, &leaves};
    struct hash root;
    *out = (struct proof){.index = index};
    OK(merkle_root(&naive, size, &root, &err));
    OK(merkle_inclusion(&naive, index, size, &out->path, &err));
    sign(s, S("log.example/a"), size, &root);
    out->note = buf_str(&s->note);
}

static void test_proof_round_trip(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct signer s = {0};
    for (uint64_t size = 1; size < 20; size++) {
        for (uint64_t i = 0; i < size; i++) {
            struct proof p, q;
            struct checkpoint c;
            struct buf b = {0}, again = {0};
            char text[32];
            make_proof(&s, i, size, &p);
            p.has_extra = i % 2;
            p.extra = p.has_extra ? entry(i, text) : (str){0};
            proof_write(&p, &b);
            OK(proof_read(&a, buf_str(&b), &q, &err));
            proof_write(&q, &again);
            assert_true(str_eq(buf_str(&b), buf_str(&again)));
            assert_true(str_eq(q.extra, p.extra));
            OK(proof_check(&a, &q, entry(i, text), &s.v, &c, &err));
            assert_int_equal(c.size, size);
            assert_false(proof_check(&a, &q, S("another entry"), &s.v, &c, &err));
            q.index ^= 1;
            assert_false(size > 1 && proof_check(&a, &q, entry(i, text), &s.v, &c, &err));
            buf_fini(&b);
            buf_fini(&again);
        }
    }
    signer_fini(&s);
}

static void test_proof_of_another_log(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct signer s = {0}, other = {0};
    struct proof p;
    struct checkpoint c;
    char text[32];
    make_proof(&s, 2, 5, &p);
    make_proof(&other, 2, 5, &p);
    assert_false(proof_check(&a, &p, entry(2, text), &s.v, &c, &err));
    /* Signed by the right key, in the name of another log. */
    struct hash root = {0};
    make_proof(&s, 0, 1, &p);
    root = merkle_leaf(entry(0, text));
    sign(&s, S("log.example/b"), 1, &root);
    p.note = buf_str(&s.note);
    assert_false(proof_check(&a, &p, entry(0, text), &s.v, &c, &err));
    signer_fini(&s);
    signer_fini(&other);
}

/* Every byte of a proof changed, and every prefix of it: none passes. */
static void test_proof_bytes(void **state)
{
    (void)state;
    struct err err = {0};
    struct signer s = {0};
    struct proof p, q;
    struct checkpoint c;
    struct buf b = {0};
    char text[32];
    make_proof(&s, 3, 11, &p);
    proof_write(&p, &b);
    char *bytes = b.mem + b.start;
    for (size_t i = 0; i < buf_len(&b); i++) {
        ARENA_SCOPE struct arena a = {0};
        bytes[i] ^= 1;
        assert_false(proof_read(&a, buf_str(&b), &q, &err) &&
                     proof_check(&a, &q, entry(3, text), &s.v, &c, &err));
        bytes[i] ^= 1;
        assert_false(proof_read(&a, str_take(buf_str(&b), i), &q, &err) &&
                     proof_check(&a, &q, entry(3, text), &s.v, &c, &err));
    }
    buf_fini(&b);
    signer_fini(&s);
}

#define HEAD "c2sp.org/tlog-proof@v1\n"
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
static void test_hostile_proofs(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        HEAD,
        HEAD "index 0",
        HEAD "index 0\n",
        HEAD "index 00\n\nx",
        HEAD "index -1\n\nx",
        HEAD "index +1\n\nx",
        HEAD "index  1\n\nx",
        HEAD "index 9223372036854775807\n\nx",
        HEAD "index 18446744073709551616\n\nx",
        HEAD "index\n\nx",
        HEAD "Index 0\n\nx",
        HEAD "extra \n\nx",
        HEAD "extra !\nindex 0\n\nx",
        HEAD "extra YQ\nindex 0\n\nx",
        HEAD "extra YQ==\nextra YQ==\nindex 0\n\nx",
        HEAD "index 0\nextra YQ==\n\nx",
        HEAD "index 0\nYQ==\n\nx",
        HEAD "index 0\n" HASH,
        HEAD "index 0\r\n\r\nx",
    };
    struct err err = {0};
    struct proof p;
    struct buf b = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        if (proof_read(&a, str_z(bad[i]), &p, &err))
            fail_msg("read: %s", bad[i]);
    }
    ARENA_SCOPE struct arena a = {0};
    for (int n = 62; n < 66; n++) {
        buf_clear(&b);
        buf_put(&b, S(HEAD "index 0\n"));
        for (int i = 0; i < n; i++)
            buf_put(&b, S(HASH));
        buf_put(&b, S("\nnote"));
        assert_int_equal(proof_read(&a, buf_str(&b), &p, &err), n <= 63);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_nodes_outside),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_size_of_the_specification),
        cmocka_unit_test(test_known_roots),
        cmocka_unit_test(test_proof_round_trip),
        cmocka_unit_test(test_proof_of_another_log),
        cmocka_unit_test(test_proof_bytes),
        cmocka_unit_test(test_hostile_proofs),
    };
    return cmocka_run_group_tests_name("ledger/tile", tests, NULL, NULL);
}
