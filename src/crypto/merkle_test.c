#include "crypto/crypto_test.h"
#include "crypto/merkle.h"

enum { SIZES = 300 };

static struct hash leaves[SIZES];

static bool get_leaf(void *arg, uint64_t index, struct hash *out, struct err *err)
{
    /* A source is never asked for what lies outside the tree. */
    if (index >= *(uint64_t *)arg)
        return err_input(err, "leaf %llu is outside", (unsigned long long)index);
    *out = leaves[index];
    return true;
}

/* The definition of RFC 9162 section 2.1.1, word for word, as the oracle; what was computed once is
 * remembered. */
static struct hash naive_root(size_t begin, size_t end)
{
    static struct hash known[SIZES + 1][SIZES + 1];
    static bool is_known[SIZES + 1][SIZES + 1];
    if (begin == end)
        return sha256((str){0});
    if (end - begin == 1)
        return leaves[begin];
    if (is_known[begin][end])
        return known[begin][end];
    size_t k = 1;
    while (k * 2 < end - begin)
        k *= 2;
    struct hash l = naive_root(begin, begin + k), r = naive_root(begin + k, end);
    is_known[begin][end] = true;
    return known[begin][end] = merkle_node(&l, &r);
}

static bool get_node(void *arg, unsigned level, uint64_t index, struct hash *out, struct err *err)
{
    uint64_t size = *(uint64_t *)arg;
    if (level > 8 || (index + 1) << level > size)
        return err_input(err, "subtree %u, %llu is outside", level, (unsigned long long)index);
    *out = naive_root(index << level, (index + 1) << level);
    return true;
}

/* RFC 9162 sections 2.1.3.1 and 2.1.4.1 as written. */
static void naive_path(size_t m, size_t begin, size_t end, struct merkle_proof *p)
{
    if (end - begin == 1)
        return;
    size_t k = 1;
    while (k * 2 < end - begin)
        k *= 2;
    bool left = m < begin + k;
    naive_path(m, left ? begin : begin + k, left ? begin + k : end, p);
    p->h[p->n++] = left ? naive_root(begin + k, end) : naive_root(begin, begin + k);
}

static void naive_subproof(size_t m, size_t begin, size_t end, bool whole, struct merkle_proof *p)
{
    if (m == end) {
        if (!whole)
            p->h[p->n++] = naive_root(begin, end);
        return;
    }
    size_t k = 1;
    while (k * 2 < end - begin)
        k *= 2;
    bool left = m <= begin + k;
    naive_subproof(m, left ? begin : begin + k, left ? begin + k : end, left && whole, p);
    p->h[p->n++] = left ? naive_root(begin + k, end) : naive_root(begin, begin + k);
}

static bool proof_eq(const struct merkle_proof *a, const struct merkle_proof *b)
{
    return a->n == b->n && memcmp(a->h, b->h, a->n * sizeof *a->h) == 0;
}

/* The leaves and roots that the Certificate Transparency reference tests use. */
static void test_known_roots(void **state)
{
    static const struct {
        const char *leaf, *root;
    } rows[] = {
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
    struct frontier f = {0};
    assert_true(str_eq(hex_of(frontier_root(&f)),
                       S("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct hash leaf = merkle_leaf(unhex(&a, rows[i].leaf));
        OK(frontier_append(&f, &leaf, &err));
        assert_true(str_eq(hex_of(frontier_root(&f)), str_z(rows[i].root)));
    }
}

static void make_leaves(void)
{
    for (uint32_t i = 0; i < SIZES; i++)
        leaves[i] = merkle_leaf(str_of((char *)&i, sizeof i));
}

static void test_frontier(void **state)
{
    make_leaves();
    struct frontier f = {0};
    for (uint64_t size = 0; size <= SIZES; size++) {
        struct err err = {0};
        struct merkle_leaves l = {get_leaf, &size};
        struct merkle_source src = {merkle_node_of_leaves, &l};
        struct hash want = naive_root(0, size), got = frontier_root(&f), made;
        assert_true(hash_eq(&want, &got));
        OK(merkle_root(&src, size, &made, &err));
        assert_true(hash_eq(&want, &made));
        struct frontier resumed, read;
        OK(merkle_frontier(&src, size, &resumed, &err));
        struct buf b = {0};
        frontier_write(&f, &b);
        OK(frontier_read(buf_str(&b), &read, &err));
        got = frontier_root(&read);
        assert_true(hash_eq(&want, &got));
        got = frontier_root(&resumed);
        assert_true(hash_eq(&want, &got));
        if (size)
            NO(ERR_INPUT, frontier_read(str_take(buf_str(&b), buf_len(&b) - 1), &read, &err));
        buf_putc(&b, 0);
        NO(ERR_INPUT, frontier_read(buf_str(&b), &read, &err));
        buf_fini(&b);
        if (size < SIZES)
            OK(frontier_append(&f, &leaves[size], &err));
    }
    struct err err = {0};
    NO(ERR_INPUT, frontier_read(S("\xff\xff\xff\xff\xff\xff\xff\xff"), &f, &err));
    struct frontier full = {.size = MERKLE_SIZE_MAX};
    NO(ERR_LIMIT, frontier_append(&full, &leaves[0], &err));
}

/* Every index of every size: the proof is the oracle's, it is accepted, and no neighbour of it is.
 */
static void test_inclusion(void **state)
{
    make_leaves();
    for (uint64_t size = 1; size <= SIZES; size++) {
        struct err err = {0};
        struct merkle_source src = {get_node, &size};
        struct hash root = naive_root(0, size);
        for (uint64_t i = 0; i < size; i++) {
            struct merkle_proof want = {0}, p;
            naive_path(i, 0, size, &want);
            OK(merkle_inclusion(&src, i, size, &p, &err));
            assert_true(proof_eq(&want, &p));
            OK(merkle_check_inclusion(&p, &leaves[i], i, size, &root, &err));
            assert_false(
                merkle_check_inclusion(&p, &leaves[(i + 1) % SIZES], i, size, &root, &err));
            if (size > 1)
                assert_false(
                    merkle_check_inclusion(&p, &leaves[i], (i + 1) % size, size, &root, &err));
            p.n++;
            NO(ERR_DENIED, merkle_check_inclusion(&p, &leaves[i], i, size, &root, &err));
            p.n -= 2;
            if (size > 1)
                NO(ERR_DENIED, merkle_check_inclusion(&p, &leaves[i], i, size, &root, &err));
            p.n++;
            if (p.n) {
                p.h[p.n / 2].b[7] ^= 1;
                NO(ERR_DENIED, merkle_check_inclusion(&p, &leaves[i], i, size, &root, &err));
            }
        }
        struct merkle_proof p;
        NO(ERR_INPUT, merkle_inclusion(&src, size, size, &p, &err));
    }
}

static void check_consistency(uint64_t old, uint64_t size)
{
    struct err err = {0};
    struct merkle_source src = {get_node, &size};
    struct hash root = naive_root(0, size), old_root = naive_root(0, old);
    struct merkle_proof want = {0}, p;
    if (old)
        naive_subproof(old, 0, size, true, &want);
    OK(merkle_consistency(&src, old, size, &p, &err));
    assert_true(proof_eq(&want, &p));
    OK(merkle_check_consistency(&p, old, size, &old_root, &root, &err));
    struct hash wrong = root;
    wrong.b[0] ^= 1;
    NO(ERR_DENIED, merkle_check_consistency(&p, old, size, &wrong, &root, &err));
    if (old)
        NO(ERR_DENIED, merkle_check_consistency(&p, old, size, &old_root, &wrong, &err));
    p.n++;
    NO(ERR_DENIED, merkle_check_consistency(&p, old, size, &old_root, &root, &err));
    p.n--;
    /* Which hash is bent goes round with the old size, so each place is met in each size. */
    if (p.n) {
        p.h[old % p.n].b[old % 32] ^= 0x10;
        NO(ERR_DENIED, merkle_check_consistency(&p, old, size, &old_root, &root, &err));
        p.h[old % p.n].b[old % 32] ^= 0x10;
    }
    if (p.n) {
        p.n--;
        NO(ERR_DENIED, merkle_check_consistency(&p, old, size, &old_root, &root, &err));
    }
}

static void test_consistency(void **state)
{
    make_leaves();
    for (uint64_t size = 0; size <= SIZES; size++) {
        for (uint64_t old = 0; old <= size; old++)
            check_consistency(old, size);
        struct err err = {0};
        struct merkle_proof p;
        struct merkle_source src = {0};
        NO(ERR_INPUT, merkle_consistency(&src, size + 1, size, &p, &err));
    }
}

/* Sizes at the far end, where shifts overflow: checkers must end and refuse. */
static void test_extremes(void **state)
{
    struct err err = {0};
    struct merkle_proof p = {.n = MERKLE_PROOF_MAX};
    struct hash h = {{0}};
    static const uint64_t sizes[] = {0,         1, UINT64_C(1) << 62, INT64_MAX, UINT64_C(1) << 63,
                                     UINT64_MAX};
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 6; j++) {
            NO(ERR_DENIED, merkle_check_inclusion(&p, &h, sizes[i], sizes[j], &h, &err));
            NO(ERR_DENIED, merkle_check_consistency(&p, sizes[i], sizes[j], &h, &h, &err));
        }
    /* The root itself offered as a leaf: the path would have to be longer. */
    p.n = 0;
    NO(ERR_DENIED, merkle_check_inclusion(&p, &h, 0, 2, &h, &err));
    struct frontier f;
    NO(ERR_INPUT, frontier_read(S("\x80\0\0\0\0\0\0\0"
                                  "0123456789abcdef0123456789abcdef"),
                                &f, &err));
    p.n = SIZE_MAX;
    NO(ERR_DENIED, merkle_check_inclusion(&p, &h, 0, 2, &h, &err));
    NO(ERR_DENIED, merkle_check_consistency(&p, 1, 2, &h, &h, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_roots), cmocka_unit_test(test_frontier),
        cmocka_unit_test(test_inclusion),   cmocka_unit_test(test_consistency),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
