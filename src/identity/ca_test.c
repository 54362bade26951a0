#include "identity/identity_test.h"
#include "identity/ca.h"

/* ---- a generator that gives the same runs each time ---- */

static uint64_t seed;
static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}
static int64_t between(int64_t min, int64_t max)
{
    return min + (int64_t)(next_random() % (uint64_t)(max - min + 1));
}

/* ---- a world of issuer, consumers with old bundles, and SVIDs ---- */

enum { VERSIONS_MAX = 4096, SVIDS_MAX = 512 };
struct version {
    int64_t from_s, sequence;
    uint64_t ids[CA_SLOTS_MAX];
    unsigned n;
    uint64_t bundle; /* what it holds, summed up */
};
struct svid {
    uint64_t key; /* what must stand in the bundle */
    int64_t born_s, last_s;
    bool early;
};
struct world {
    struct ca ca;
    int64_t now_s, start_s;
    struct version versions[VERSIONS_MAX];
    unsigned n_versions;
    struct svid svids[SVIDS_MAX];
    unsigned n_svids;
    unsigned issued, early, checked;
};

/* Task and transaction keys are published beside the bundle, with no sequence. */
static void publish(struct world *w)
{
    struct version *last = w->n_versions ? &w->versions[w->n_versions - 1] : NULL;
    struct version v = {.from_s = w->now_s, .sequence = w->ca.sequence};
    for (unsigned i = 0; i < w->ca.n; i++)
        if (w->ca.keys[i].kind != CA_SIGNER) {
            v.ids[v.n] = w->ca.keys[i].id;
            v.bundle += ca_is_published(&w->ca.keys[i]) ? v.ids[v.n] : 0;
            v.n++;
        }
    if (last && last->n == v.n && memcmp(last->ids, v.ids, sizeof v.ids) == 0)
        return;
    assert_true(!last || w->ca.sequence >= last->sequence);
    assert_true(!last || v.bundle == last->bundle || w->ca.sequence > last->sequence);
    assert_true(w->n_versions < VERSIONS_MAX);
    w->versions[w->n_versions++] = v;
}

static void tend(struct world *w)
{
    struct err err = {0};
    struct ca_key k;
    enum ca_kind kind;
    while (ca_sweep(&w->ca, w->now_s, &k))
        assert_true(k.gone_s <= w->now_s);
    for (int i = 0; ca_due(&w->ca, w->now_s, &kind); i++) {
        assert_true(i < 2 * CA_KINDS);
        OK(ca_made(&w->ca, kind, w->now_s, &k, &err));
        assert_true(ca_may_sign(&k, w->now_s));
    }
    OK(ca_check(&w->ca, &err));
    assert_true(ca_wake_s(&w->ca, w->now_s) > w->now_s);
    publish(w);
}

static void add_svid(struct world *w, struct svid s)
{
    for (unsigned i = 0; i < w->n_svids; i++)
        if (w->svids[i].last_s < w->now_s)
            w->svids[i--] = w->svids[--w->n_svids];
    if (w->n_svids == SVIDS_MAX)
        return;
    w->svids[w->n_svids++] = s;
    w->issued++;
    w->early += s.early;
}

static const struct ca_key *find(const struct ca *ca, uint64_t id)
{
    for (unsigned i = 0; i < ca->n; i++)
        if (ca->keys[i].id == id)
            return &ca->keys[i];
    return NULL;
}

static void issue(struct world *w)
{
    struct ca_key k;
    assert_true(ca_current(&w->ca, CA_SIGNER, w->now_s, &k));
    const struct ca_key *root = find(&w->ca, k.parent);
    assert_non_null(root);
    struct svid leaf = {.key = k.parent,
                        .born_s = w->now_s,
                        .last_s = w->now_s + w->ca.conf.svid_life_s,
                        .early = k.early || root->use_from_s > k.made_s};
    assert_true(leaf.last_s <= k.end_s && k.end_s <= root->end_s); /* nothing is cut short */
    add_svid(w, leaf);
    for (int kind = CA_TOKEN; kind < CA_KINDS; kind++) {
        assert_true(ca_current(&w->ca, kind, w->now_s, &k));
        struct svid token = {.key = k.id,
                             .born_s = w->now_s,
                             .last_s = w->now_s + ca_signed_life_s(&w->ca.conf, kind),
                             .early = k.early};
        assert_true(token.last_s <= k.end_s);
        add_svid(w, token);
    }
}

static bool version_has(const struct version *v, uint64_t id)
{
    for (unsigned i = 0; i < v->n; i++)
        if (v->ids[i] == id)
            return true;
    return false;
}

static const struct version *version_at(const struct world *w, int64_t t)
{
    for (unsigned i = w->n_versions; i-- > 0;)
        if (w->versions[i].from_s <= t)
            return &w->versions[i];
    return NULL;
}

/* Every SVID that is alive, with the bundle of now and with older ones up to the lead. */
static void check_all(struct world *w)
{
    int64_t lead_s = CA_LEAD_HINTS * w->ca.conf.refresh_s;
    const int64_t lags[] = {0, 1, w->ca.conf.refresh_s, between(0, lead_s), lead_s};
    for (unsigned i = 0; i < w->n_svids; i++) {
        const struct svid *s = &w->svids[i];
        if (s->last_s < w->now_s || s->born_s > w->now_s)
            continue;
        for (size_t j = 0; j < sizeof lags / sizeof *lags; j++) {
            const struct version *v = version_at(w, w->now_s - lags[j]);
            if (s->early && (!v || v->from_s < s->born_s - lead_s || lags[j]))
                continue;
            w->checked++;
            if (!v || !version_has(v, s->key))
                fail_msg("at %lld: an SVID of %lld does not verify with the bundle of %lld s ago",
                         (long long)w->now_s, (long long)s->born_s, (long long)lags[j]);
        }
    }
}

static void random_conf(struct ca_conf *c)
{
    static const int64_t refresh[] = {1, 5, 60, 300};
    struct ca ca;
    struct err err;
    do {
        c->refresh_s = refresh[between(0, 3)];
        int64_t lead = CA_LEAD_HINTS * c->refresh_s;
        c->svid_life_s = between(1, 40 * lead);
        c->jwt_life_s = between(1, 20 * lead);
        c->wit_life_s = between(1, 20 * lead);
        c->task_life_s = between(1, 20 * lead);
        c->txn_life_s = between(1, 20 * lead);
        for (int kind = CA_TOKEN; kind < CA_KINDS; kind++)
            c->life_s[kind] = between(8, 60) * lead;
        c->life_s[CA_SIGNER] = c->svid_life_s + between(8, 60) * lead;
        c->life_s[CA_ROOT] = c->life_s[CA_SIGNER] + between(8, 60) * lead;
    } while (!ca_init(&ca, c, &err));
}

static int64_t least_slack(const struct ca *ca)
{
    int64_t least = ca_slack_s(ca, CA_ROOT);
    for (int kind = 1; kind < CA_KINDS; kind++)
        if (ca_slack_s(ca, kind) < least)
            least = ca_slack_s(ca, kind);
    return least;
}

static void begin(struct world *w, const struct ca_conf *conf)
{
    struct err err = {0};
    *w = (struct world){.now_s = 1790000000, .start_s = 1790000000};
    OK(ca_init(&w->ca, conf, &err));
}

/* The issuer is tended as late as it may be, or whenever it asks; SVIDs are issued and checked at
 * any instant. */
static void test_no_gap(void **state)
{
    struct world *w = malloc(sizeof *w);
    unsigned checked = 0;
    assert_non_null(w);
    for (int run = 0; run < 300; run++) {
        struct ca_conf conf;
        seed = 0x9e3779b97f4a7c15u + (uint64_t)run;
        random_conf(&conf);
        begin(w, &conf);
        bool prompt = run % 2;
        int64_t slack_s = least_slack(&w->ca), tended_s = w->now_s;
        tend(w);
        while (w->n_versions < VERSIONS_MAX / 64 && w->issued < 6000) {
            int64_t wake = prompt ? ca_wake_s(&w->ca, w->now_s) : tended_s + slack_s;
            w->now_s += between(1, slack_s / 2 + 1);
            if (w->now_s >= wake) {
                w->now_s = wake;
                tended_s = wake;
                tend(w);
            }
            issue(w);
            check_all(w);
            if (w->svids[w->n_svids - 1].early)
                assert_true(w->now_s < w->start_s + CA_LEAD_HINTS * conf.refresh_s);
        }
        checked += w->checked;
    }
    print_message("%u verifications of live SVIDs\n", checked);
    free(w);
}

/* The times of the defaults, as an operator would want to know them. */
static void test_defaults(void **state)
{
    static struct world w;
    struct err err = {0};
    struct ca_conf conf = ca_conf_default();
    struct ca_key root, signer, token;
    enum ca_kind kind;
    begin(&w, &conf);
    assert_int_equal(w.ca.sequence, 0);
    assert_false(ca_current(&w.ca, CA_SIGNER, w.now_s, &signer));
    NO(ERR_NOTFOUND, ca_made(&w.ca, CA_SIGNER, w.now_s, &signer, &err));
    const enum ca_kind order[] = {CA_ROOT, CA_SIGNER, CA_TOKEN, CA_WIT, CA_TASK, CA_TXN};
    for (int i = 0; i < CA_KINDS; i++) {
        assert_true(ca_due(&w.ca, w.now_s, &kind));
        assert_int_equal(kind, order[i]);
        OK(ca_made(&w.ca, kind, w.now_s, &root, &err));
    }
    assert_false(ca_due(&w.ca, w.now_s, &kind));
    assert_int_equal(w.ca.sequence, 3);
    assert_true(ca_current(&w.ca, CA_ROOT, w.now_s, &root));
    assert_true(ca_current(&w.ca, CA_SIGNER, w.now_s, &signer) && signer.early);
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &token) && token.early);
    assert_int_equal(signer.parent, root.id);
    assert_int_equal(root.end_s, w.now_s + 365 * 86400);
    assert_int_equal(signer.end_s, w.now_s + 86400);
    assert_int_equal(signer.use_until_s, w.now_s + 23 * 3600);
    assert_int_equal(token.use_until_s, w.now_s + 86400);
    assert_int_equal(token.end_s, w.now_s + 86400 + 300);
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s + 180, &token) && !token.early);
    assert_int_equal(ca_wake_s(&w.ca, w.now_s), w.now_s + 180);
    /* The next signer: in the last quarter of 23 h, used three minutes later. */
    int64_t at = w.now_s + 23 * 3600 * 3 / 4;
    assert_false(ca_due(&w.ca, at - 1, &kind));
    assert_true(ca_due(&w.ca, at, &kind) && kind == CA_SIGNER);
    struct ca_key next, used;
    OK(ca_made(&w.ca, CA_SIGNER, at, &next, &err));
    assert_true(ca_current(&w.ca, CA_SIGNER, at + 179, &used) && used.id == signer.id);
    assert_true(ca_current(&w.ca, CA_SIGNER, at + 180, &used) && used.id == next.id);
    assert_int_equal(w.ca.sequence, 3); /* signers are not in the bundle */
    assert_false(ca_sweep(&w.ca, signer.gone_s - 1, &used));
    assert_true(ca_sweep(&w.ca, signer.gone_s, &used) && used.id == signer.id);
}

static void test_conf(void **state)
{
    struct ca ca = {0};
    struct err err = {0};
    const struct ca_conf good = ca_conf_default();
    OK(ca_init(&ca, &good, &err));
    NO(ERR_INPUT, ca_init(&ca, &(struct ca_conf){0}, &err));
    struct ca_conf bad[16];
    for (size_t i = 0; i < 16; i++)
        bad[i] = good;
    bad[0].refresh_s = 0;
    bad[1].refresh_s = CA_REFRESH_S_MAX + 1;
    bad[2].refresh_s = 3600; /* no room in 24 h */
    bad[3].svid_life_s = 0;
    bad[4].svid_life_s = 86400;
    bad[5].jwt_life_s = -1;
    bad[6].life_s[CA_ROOT] = 86400;
    bad[7].life_s[CA_ROOT] = CA_LIFE_S_MAX + 1LL;
    bad[8].life_s[CA_SIGNER] = 3600;
    bad[9].life_s[CA_TOKEN] = 1439;
    bad[10].life_s[CA_TOKEN] = INT64_MAX;
    bad[11].svid_life_s = INT64_MIN;
    bad[12].wit_life_s = 0;
    bad[13].task_life_s = 20 * 86400; /* 29 keys at a time */
    bad[14].txn_life_s = INT64_MAX;
    bad[15].life_s[CA_TASK] = 0;
    for (size_t i = 0; i < 16; i++)
        NO(ERR_INPUT, ca_init(&ca, &bad[i], &err));
    assert_int_equal(ca.conf.refresh_s, 60);
}

static void test_damage(void **state)
{
    static struct world w;
    struct err err = {0};
    struct ca_conf conf = ca_conf_default();
    begin(&w, &conf);
    tend(&w);
    OK(ca_check(&w.ca, &err));
    struct ca bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = w.ca;
    bad[0].n = CA_SLOTS_MAX + 1;
    bad[1].keys[1].id = bad[1].keys[0].id;
    bad[2].keys[0].kind = CA_KINDS;
    bad[3].keys[0].gone_s = 0;
    bad[4].sequence = -1;
    bad[5].keys[2].id = bad[5].last_id + 1;
    bad[6].keys[1].parent = 0;
    bad[7].keys[0].use_until_s = bad[7].keys[0].end_s + 1;
    for (size_t i = 0; i < 8; i++)
        NO(ERR_INPUT, ca_check(&bad[i], &err));
    while (w.ca.n < CA_SLOTS_MAX)
        OK(ca_made(&w.ca, CA_TOKEN, w.now_s, &(struct ca_key){0}, &err));
    NO(ERR_LIMIT, ca_made(&w.ca, CA_TOKEN, w.now_s, &(struct ca_key){0}, &err));
    NO(ERR_INPUT, ca_made(&w.ca, CA_TOKEN, -1, &(struct ca_key){0}, &err));
    NO(ERR_INPUT, ca_made(&w.ca, CA_TOKEN, INT64_MAX, &(struct ca_key){0}, &err));
}

/* Off for longer than every key lives: it goes on at once, and what was forgotten stays so. */
static void test_long_absence(void **state)
{
    static struct world w;
    struct ca_conf conf = ca_conf_default();
    struct ca_key k;
    begin(&w, &conf);
    tend(&w);
    w.now_s += 7 * 86400;
    tend(&w);
    assert_true(ca_current(&w.ca, CA_SIGNER, w.now_s, &k) && k.early && k.made_s == w.now_s);
    assert_true(ca_current(&w.ca, CA_ROOT, w.now_s, &k) && !k.early);
    issue(&w);
    w.now_s += 800 * 86400;
    tend(&w);
    assert_int_equal(w.ca.n, CA_KINDS);
    issue(&w);
}

static void test_revoke(void **state)
{
    static struct world w;
    struct ca_conf conf = ca_conf_default();
    struct ca_key k, root, signer, gone;
    enum ca_kind kind;
    begin(&w, &conf);
    tend(&w);
    assert_true(ca_current(&w.ca, CA_ROOT, w.now_s, &root));
    assert_true(ca_current(&w.ca, CA_SIGNER, w.now_s, &signer));
    int64_t sequence = w.ca.sequence;
    assert_true(ca_revoke(&w.ca, root.id, &gone) && gone.id == signer.id);
    assert_true(ca_revoke(&w.ca, root.id, &gone) && gone.id == root.id);
    assert_false(ca_revoke(&w.ca, root.id, &gone));
    assert_false(ca_revoke(&w.ca, 0, &gone));
    assert_int_equal(w.ca.sequence, sequence + 1);
    assert_false(ca_current(&w.ca, CA_SIGNER, w.now_s, &k));
    assert_true(ca_due(&w.ca, w.now_s, &kind) && kind == CA_ROOT);
    tend(&w);
    assert_true(ca_current(&w.ca, CA_SIGNER, w.now_s, &k) && k.id > signer.id);
    /* With a successor waiting, that one is taken before its time. */
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s + 200, &k) && !k.early);
    w.now_s += 86400 * 3 / 4;
    tend(&w);
    assert_true(ca_revoke(&w.ca, k.id, &gone));
    uint64_t revoked = k.id;
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &k) && k.early && k.id > revoked);
}

/* A clock that falls back keeps the keys and makes others; one that jumped ahead and was mended
 * leaves keys that wait for their time. */
static void test_wrong_clock(void **state)
{
    static struct world w;
    struct ca_conf conf = ca_conf_default();
    struct ca_key before, k;
    enum ca_kind kind;
    begin(&w, &conf);
    tend(&w);
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &before));
    assert_false(ca_due(&w.ca, w.now_s - 5, &kind)); /* a second or five do not matter */
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s - 5, &k) && k.id == before.id);
    int64_t now_s = w.now_s;
    w.now_s = 1000;
    tend(&w);
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &k) && k.id != before.id);
    w.now_s = now_s + 300;
    tend(&w);
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &k) && k.id == before.id);
    assert_int_equal(w.ca.n, CA_KINDS);
    w.now_s = now_s + 3000LL * 86400;
    tend(&w);
    w.now_s = now_s + 300;
    tend(&w);
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &k) && k.made_s == w.now_s);
    issue(&w);
    assert_int_equal(w.ca.n, 2 * CA_KINDS);
}

/* Lives changed by the operator: what is there keeps its promise for what is signed from now on. */
static void test_other_lives(void **state)
{
    static struct world w;
    struct err err = {0};
    struct ca_conf conf = ca_conf_default();
    struct ca_key k, after;
    begin(&w, &conf);
    tend(&w);
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &k));
    conf.jwt_life_s = 3600;
    conf.svid_life_s = 4 * 3600;
    OK(ca_set_conf(&w.ca, &conf, &err));
    OK(ca_check(&w.ca, &err));
    assert_true(ca_current(&w.ca, CA_TOKEN, w.now_s, &after));
    assert_int_equal(after.end_s, k.end_s + 3300);
    assert_int_equal(after.gone_s, after.end_s + 1 + CA_SKEW_S);
    assert_true(ca_current(&w.ca, CA_SIGNER, w.now_s, &after));
    assert_int_equal(after.use_until_s, after.end_s - 4 * 3600);
    /* A leaf that could live longer than its signer: one that signs for no time any more. */
    conf.life_s[CA_SIGNER] = 4 * 86400;
    conf.svid_life_s = 2 * 86400;
    conf.wit_life_s = 60;
    OK(ca_set_conf(&w.ca, &conf, &err));
    OK(ca_check(&w.ca, &err));
    conf.refresh_s = 0;
    NO(ERR_INPUT, ca_set_conf(&w.ca, &conf, &err));
    assert_int_equal(w.ca.conf.refresh_s, 60);
    w.now_s += 300;
    tend(&w);
    assert_true(ca_current(&w.ca, CA_SIGNER, w.now_s, &after));
    assert_int_equal(after.made_s, w.now_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_gap),       cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_conf),         cmocka_unit_test(test_damage),
        cmocka_unit_test(test_long_absence), cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_wrong_clock),  cmocka_unit_test(test_other_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
