/* The whole of it with real keys: an issuer that rotates, and a consumer whose bundle is as old as
 * it may be, reads documents, and merges them by sequence. */
#include "identity/ca.h"
#include "identity/identity_test.h"
#include "identity/jwt_svid.h"
#include "identity/x509_svid.h"

enum { KEYS_MAX = 512, LIVE_MAX = 64, DOCUMENTS_MAX = 512 };
struct live {
    str chain[2];
    str token;
    int64_t leaf_dead_s, token_dead_s;
};
struct document {
    int64_t from_s;
    str text;
};
struct world {
    struct arena a;
    struct ca ca;
    int64_t now_s;
    struct key *keys[KEYS_MAX]; /* by the id of the state machine */
    str certs[KEYS_MAX];
    struct document documents[DOCUMENTS_MAX];
    unsigned n_documents;
    struct live live[LIVE_MAX];
    unsigned n_live;
    int64_t sequence;
    unsigned verified, rotations;
};

static str kid_of(struct world *w, uint64_t id)
{
    struct key_id thumbprint = key_id(w->keys[id]);
    return str_dup(&w->a, key_id_str(&thumbprint));
}

static void make_key(struct world *w, enum ca_kind kind)
{
    struct err err = {0};
    struct ca_key k;
    OK(ca_made(&w->ca, kind, w->now_s, &k, &err));
    assert_true(k.id < KEYS_MAX);
    OK(key_generate(KEY_ES256, &w->keys[k.id], &err));
    const struct x509_span span = {w->now_s, k.end_s - w->now_s};
    if (kind == CA_ROOT) {
        OK(x509_make_root(&w->a, w->keys[k.id], S("td"), span, &w->certs[k.id], &err));
    } else if (kind == CA_SIGNER) {
        const struct x509_authority root = {w->keys[k.parent], w->certs[k.parent]};
        OK(x509_issue_signer(&w->a, &root, w->keys[k.id], span, &w->certs[k.id], &err));
    }
    w->rotations++;
}

static void publish(struct world *w)
{
    struct err err = {0};
    struct bundle *b = NULL;
    struct buf text = {0};
    OK(bundle_new(S("td"), &b, &err));
    bundle_set_version(b, w->ca.sequence, w->ca.conf.refresh_s);
    for (unsigned i = 0; i < w->ca.n; i++) {
        const struct ca_key *k = &w->ca.keys[i];
        if (k->kind == CA_ROOT)
            OK(bundle_add_x509(b, w->certs[k->id], &err));
        else if (k->kind == CA_TOKEN)
            OK(bundle_add_jwt(b, w->keys[k->id], kid_of(w, k->id), &err));
    }
    bundle_write(b, &text);
    bundle_free(b);
    assert_true(w->n_documents < DOCUMENTS_MAX);
    w->documents[w->n_documents++] =
        (struct document){.from_s = w->now_s, .text = str_dup(&w->a, buf_str(&text))};
    buf_fini(&text);
    w->sequence = w->ca.sequence;
}

static void tend(struct world *w)
{
    struct ca_key k;
    enum ca_kind kind;
    while (ca_sweep(&w->ca, w->now_s, &k)) {
        key_free(w->keys[k.id]);
        w->keys[k.id] = NULL;
    }
    while (ca_due(&w->ca, w->now_s, &kind))
        make_key(w, kind);
    if (w->ca.sequence != w->sequence)
        publish(w);
}

static void issue(struct world *w)
{
    struct err err = {0};
    struct ca_key k;
    struct spiffe_id id;
    struct live l = {0};
    struct buf token = {0};
    struct key *own;
    OK(spiffe_agent_make(&w->a, S("td"), S("triage"), S("1"), &id, &err));
    assert_true(ca_current(&w->ca, CA_SIGNER, w->now_s, &k));
    const struct x509_authority signer = {w->keys[k.id], w->certs[k.id]};
    OK(key_generate(KEY_ES256, &own, &err));
    OK(x509_issue_leaf(&w->a, &signer, own, &id, (str){0},
                       (struct x509_span){w->now_s, w->ca.conf.svid_life_s}, &l.chain[0], &err));
    key_free(own);
    l.chain[1] = w->certs[k.id];
    l.leaf_dead_s = w->now_s + w->ca.conf.svid_life_s;
    assert_true(ca_current(&w->ca, CA_TOKEN, w->now_s, &k));
    OK(jwt_svid_mint(w->keys[k.id], kid_of(w, k.id), &id, S("a"), w->now_s, w->ca.conf.jwt_life_s,
                     &token, &err));
    l.token = str_dup(&w->a, buf_str(&token));
    l.token_dead_s = w->now_s + w->ca.conf.jwt_life_s;
    buf_fini(&token);
    w->live[w->n_live++ % LIVE_MAX] = l;
}

/* What a consumer that looked last at that time holds. */
static void consume(struct world *w, struct bundles *set, int64_t looked_s)
{
    struct err err = {0};
    struct bundle *b = NULL;
    for (unsigned i = 0; i < w->n_documents && w->documents[i].from_s <= looked_s; i++)
        if (i + 2 >= w->n_documents || w->documents[i + 2].from_s > looked_s) {
            OK(bundle_read(S("td"), w->documents[i].text, &b, &err));
            OK(bundles_put(set, b, NULL, &err));
        }
}

static void check(struct world *w, int64_t lag_s)
{
    struct err err = {0};
    struct bundles set = {0};
    ARENA_SCOPE struct arena a = {0};
    consume(w, &set, w->now_s - lag_s);
    for (unsigned i = 0; i < LIVE_MAX && i < w->n_live; i++) {
        struct x509_svid x;
        struct jwt_svid j;
        const struct live *l = &w->live[i];
        if (w->now_s < l->leaf_dead_s) {
            OK(x509_svid_verify(&a, l->chain, 2, &set, w->now_s, &x, &err));
            assert_int_equal(x.dead_s, l->leaf_dead_s);
            w->verified++;
        }
        if (w->now_s < l->token_dead_s) {
            OK(jwt_svid_verify(&a, l->token, &set, S("a"), w->now_s, &j, &err));
            w->verified++;
        }
    }
    bundles_fini(&set);
}

static void test_eight_days(void **state)
{
    static struct world w;
    struct err err = {0};
    struct ca_conf conf = ca_conf_default();
    conf.life_s[CA_ROOT] = 2 * 86400; /* so that roots come and go too */
    w.now_s = 1790000000;
    const int64_t end_s = w.now_s + 8 * 86400;
    OK(ca_init(&w.ca, &conf, &err));
    tend(&w);
    const int64_t settled_s = w.now_s + CA_LEAD_HINTS * conf.refresh_s;
    int64_t issue_s = w.now_s;
    while (w.now_s < end_s) {
        int64_t wake_s = ca_wake_s(&w.ca, w.now_s);
        w.now_s = wake_s < issue_s ? wake_s : issue_s;
        tend(&w);
        if (w.now_s == issue_s) {
            issue(&w);
            issue_s += 2300;
        }
        check(&w, 0);
        if (w.now_s > settled_s + conf.svid_life_s)
            check(&w, CA_LEAD_HINTS * conf.refresh_s);
    }
    assert_in_range(w.rotations, 55, 80);
    assert_true(w.ca.n <= 20);
    print_message("%u keys, %u documents, %u verifications\n", w.rotations, w.n_documents,
                  w.verified);
    for (unsigned i = 0; i < KEYS_MAX; i++)
        key_free(w.keys[i]);
    arena_fini(&w.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_eight_days)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
