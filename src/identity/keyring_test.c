/* The ring with real keys: lives, the stored form, and a disk that fails at the wrong moment. */
#include "identity/identity_test.h"
#include "identity/jwt_svid.h"
#include "identity/keyring.h"

#define DAY_S 86400

struct disk {
    struct buf bytes;
    unsigned saves;
    bool fails;
};
static bool save(void *ctx, str bytes, struct err *err)
{
    struct disk *d = ctx;
    if (d->fails)
        return err_system(err, "disk full");
    buf_clear(&d->bytes);
    buf_put(&d->bytes, bytes);
    d->saves++;
    return true;
}

struct world {
    struct disk disk;
    struct keyring_disk ops;
    struct keyring *k;
    int64_t now_s;
    struct arena a;
    struct key *own;
    struct buf spki;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};
    struct ca_conf conf = ca_conf_default();
    bool changed = false;
    w->ops = (struct keyring_disk){&w->disk, save};
    w->now_s = 1790000000;
    OK(keyring_new(S("td.example"), &conf, &w->k, &err));
    OK(keyring_tend(w->k, w->now_s, &w->ops, &changed, &err));
    assert_true(changed);
    OK(key_generate(KEY_ES256, &w->own, &err));
    OK(key_to_spki(w->own, &w->spki, &err));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    keyring_free(w->k);
    key_free(w->own);
    buf_fini(&w->spki);
    buf_fini(&w->disk.bytes);
    arena_fini(&w->a);
    free(w);
    return 0;
}

static void reopen(struct world *w)
{
    struct err err = {0};
    struct ca_conf conf = ca_conf_default();
    struct keyring *again;
    OK(keyring_read(S("td.example"), &conf, buf_str(&w->disk.bytes), &again, &err));
    keyring_free(w->k);
    w->k = again;
}

static struct bundles trust_of(struct world *w)
{
    struct err err = {0};
    struct bundles set = {0};
    struct bundle *b;
    struct buf jwks = {0}, roots = {0};
    keyring_bundle(w->k, &jwks, &roots);
    OK(bundle_read(S("td.example"), buf_str(&jwks), &b, &err));
    size_t n;
    str parts[CA_KEYS_MAX];
    OK(x509_split(buf_str(&roots), parts, CA_KEYS_MAX, &n, &err));
    assert_int_equal(n, bundle_x509_count(b));
    for (size_t i = 0; i < n; i++)
        assert_true(str_eq(parts[i], bundle_x509(b, i)));
    OK(bundles_put(&set, b, NULL, &err));
    buf_fini(&jwks);
    buf_fini(&roots);
    return set;
}

static bool verifies(struct world *w, const struct bundles *set, str chain)
{
    struct err err = {0};
    str parts[2];
    size_t n;
    struct x509_svid svid;
    OK(x509_split(chain, parts, 2, &n, &err));
    assert_int_equal(n, 2);
    return x509_svid_verify(&w->a, parts, n, set, w->now_s, &svid, &err);
}

static str issue(struct world *w)
{
    struct err err = {0};
    str chain = {0};
    int64_t not_after_s = 0;
    OK(keyring_issue(w->k, &w->a, S("spiffe://td.example/agent/a"), buf_str(&w->spki), 3600,
                     w->now_s, &chain, &not_after_s, &err));
    assert_int_equal(not_after_s, w->now_s + 3600);
    return chain;
}

static uint64_t current(struct world *w, enum ca_kind kind)
{
    struct keyring_key k;
    assert_true(keyring_current(w->k, kind, w->now_s, &k));
    assert_true(str_eq(k.kid, keyring_kid(w->k, k.life.id)));
    return k.life.id;
}

static void tend(struct world *w, bool want_changed)
{
    struct err err = {0};
    bool changed = !want_changed;
    OK(keyring_tend(w->k, w->now_s, &w->ops, &changed, &err));
    assert_int_equal(changed, want_changed);
}

static void test_issue(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct bundles set = trust_of(w);
    str chain = issue(w);
    int64_t t;
    assert_true(verifies(w, &set, chain));
    bundles_fini(&set);
    const struct {
        const char *id;
        str spki;
        int64_t life_s;
        enum err_kind want;
    } bad[] = {
        {"spiffe://other.example/agent/a", buf_str(&w->spki), 60, ERR_DENIED},
        {"spiffe://td.example", buf_str(&w->spki), 60, ERR_INPUT},
        {"https://td.example/agent/a", buf_str(&w->spki), 60, ERR_INPUT},
        {"spiffe://td.example/agent/a", buf_str(&w->spki), 0, ERR_DENIED},
        {"spiffe://td.example/agent/a", buf_str(&w->spki), 3601, ERR_DENIED},
        {"spiffe://td.example/agent/a", buf_str(&w->spki), -1, ERR_DENIED},
        {"spiffe://td.example/agent/a", str_take(buf_str(&w->spki), 90), 60, ERR_INPUT},
        {"spiffe://td.example/agent/a", (str){0}, 60, ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        NO(bad[i].want, keyring_issue(w->k, &w->a, str_z(bad[i].id), bad[i].spki, bad[i].life_s,
                                      w->now_s, &chain, &t, &err));
    struct key *ed;
    struct buf spki = {0};
    OK(key_generate(KEY_ED25519, &ed, &err));
    OK(key_to_spki(ed, &spki, &err));
    NO(ERR_INPUT, keyring_issue(w->k, &w->a, S("spiffe://td.example/agent/a"), buf_str(&spki), 60,
                                w->now_s, &chain, &t, &err));
    key_free(ed);
    buf_fini(&spki);
}

/* Eight days at the instants the ring asks for, read back from its disk at each of them: a leaf of
 * each hour verifies for its life with the bundle of that moment. */
static void test_lives(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    const int64_t end_s = w->now_s + 8 * DAY_S;
    str chain = issue(w);
    int64_t issued_s = w->now_s;
    unsigned tended = 0;
    bool changed;
    while (w->now_s < end_s) {
        int64_t wake_s = keyring_wake_s(w->k, w->now_s), leaf_s = issued_s + 3599;
        w->now_s = wake_s < leaf_s ? wake_s : leaf_s;
        reopen(w);
        OK(keyring_tend(w->k, w->now_s, &w->ops, &changed, &err));
        tended += changed;
        struct bundles set = trust_of(w);
        assert_true(verifies(w, &set, chain));
        bundles_fini(&set);
        if (w->now_s == leaf_s) {
            chain = issue(w);
            issued_s = w->now_s;
        }
    }
    assert_in_range(tended, 60, 300);
    assert_true(buf_len(&w->disk.bytes) < 16 << 10);
}

static bool holds_private(struct world *w, str private_half)
{
    return str_find(buf_str(&w->disk.bytes), private_half) >= 0;
}

/* A private half leaves the disk when it may not sign any more, its public one stays. */
static void test_private_half_goes(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct keyring_key k;
    struct secret *der;
    assert_true(keyring_current(w->k, CA_TASK, w->now_s, &k));
    OK(key_to_pkcs8(k.key, &der, &err));
    str kid = str_dup(&w->a, k.kid);
    assert_true(holds_private(w, secret_str(der)));
    w->now_s = k.life.use_until_s;
    tend(w, true);
    assert_false(holds_private(w, secret_str(der)));
    struct buf jwks = {0};
    keyring_jwks(w->k, CA_TASK, &jwks);
    assert_true(str_find(buf_str(&jwks), kid) >= 0);
    assert_true(current(w, CA_TASK) != k.life.id);
    reopen(w);
    /* A clock that falls back to when it signed does not bring it back, nor leave us without. */
    w->now_s -= 3600;
    tend(w, true);
    assert_true(current(w, CA_TASK) != k.life.id);
    issue(w);
    buf_fini(&jwks);
    secret_free(der);
}

/* A disk that does not take it: the ring is as before, in memory and on disk. */
static void test_disk_fails(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    bool changed;
    struct buf before = {0}, after = {0}, roots = {0};
    w->disk.fails = true;
    w->now_s += DAY_S * 9 / 10; /* successors are due */
    uint64_t id = current(w, CA_TASK);
    keyring_bundle(w->k, &before, &roots);
    NO(ERR_SYSTEM, keyring_tend(w->k, w->now_s, &w->ops, &changed, &err));
    NO(ERR_SYSTEM, keyring_revoke(w->k, CA_TASK, w->now_s, &w->ops, &err));
    NO(ERR_SYSTEM, keyring_rotate(w->k, CA_TASK, w->now_s, &w->ops, &err));
    keyring_bundle(w->k, &after, &roots);
    assert_true(str_eq(buf_str(&before), buf_str(&after)));
    assert_int_equal(current(w, CA_TASK), id);
    issue(w);
    w->disk.fails = false;
    tend(w, true);
    tend(w, false);
    buf_clear(&after);
    keyring_bundle(w->k, &after, &roots);
    assert_false(str_eq(buf_str(&before), buf_str(&after)));
    buf_fini(&before);
    buf_fini(&after);
    buf_fini(&roots);
}

static void test_rotate_and_revoke(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    w->now_s += 3600;
    str chain = issue(w);
    for (int kind = 0; kind < CA_KINDS; kind++) {
        uint64_t was = current(w, kind);
        int64_t sequence = keyring_ca(w->k)->sequence;
        OK(keyring_rotate(w->k, kind, w->now_s, &w->ops, &err));
        assert_int_equal(current(w, kind), was); /* not before its lead */
        NO(ERR_DENIED, keyring_rotate(w->k, kind, w->now_s, &w->ops, &err));
        w->now_s += CA_LEAD_HINTS * 60;
        assert_true(current(w, kind) > was);
        struct bundles set = trust_of(w);
        assert_true(verifies(w, &set, chain));
        bundles_fini(&set);
        if (kind != CA_SIGNER && kind < CA_TASK)
            assert_true(keyring_ca(w->k)->sequence > sequence);
    }
    for (int kind = CA_TOKEN; kind < CA_KINDS; kind++) {
        uint64_t was = current(w, kind);
        OK(keyring_revoke(w->k, kind, w->now_s, &w->ops, &err));
        assert_true(current(w, kind) > was); /* at once */
        assert_int_equal(keyring_kid(w->k, was).n, 0);
    }
    issue(w); /* the others go on */
    int64_t sequence = keyring_ca(w->k)->sequence;
    OK(keyring_revoke(w->k, CA_SIGNER, w->now_s, &w->ops, &err));
    reopen(w);
    assert_true(keyring_ca(w->k)->sequence > sequence);
    struct bundles set = trust_of(w);
    assert_false(verifies(w, &set, chain));
    assert_true(verifies(w, &set, issue(w)));
    bundles_fini(&set);
}

static void test_damage(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct ca_conf conf = ca_conf_default();
    struct keyring *k = NULL;
    str good = buf_str(&w->disk.bytes);
    NO(ERR_INPUT, keyring_read(S("other.example"), &conf, good, &k, &err));
    assert_non_null(strstr(err.text, "td.example"));
    for (size_t n = 0; n < good.n; n++)
        NO(ERR_INPUT, keyring_read(S("td.example"), &conf, str_take(good, n), &k, &err));
    char *bytes = malloc(good.n + 1);
    memcpy(bytes, good.p, good.n);
    bytes[good.n] = 0;
    NO(ERR_INPUT, keyring_read(S("td.example"), &conf, str_of(bytes, good.n + 1), &k, &err));
    /* Whatever byte is changed: refused, or a ring that still holds together. */
    for (size_t i = 0; i < good.n; i += 3) {
        bytes[i] ^= 0x41;
        if (keyring_read(S("td.example"), &conf, str_of(bytes, good.n), &k, &err)) {
            struct buf jwks = {0}, roots = {0};
            keyring_bundle(k, &jwks, &roots);
            buf_fini(&jwks);
            buf_fini(&roots);
            keyring_free(k);
        }
        bytes[i] ^= 0x41;
    }
    free(bytes);
    conf.refresh_s = 0;
    NO(ERR_INPUT, keyring_read(S("td.example"), &conf, good, &k, &err));
    NO(ERR_INPUT, keyring_new(S("Not A Domain"), &conf, &k, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_issue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_private_half_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rotate_and_revoke, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
