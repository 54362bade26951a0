#include "identity/trust_test.h"
#include "base/hex.h"
#include "identity/revoked.h"
#include "identity/x509_svid.h"

#define AGENTS                                                                                     \
    "\"trustDomain\":\"td\",\"people\":{\"ann\":{\"roles\":[\"owner\"]}},\"agents\":{"             \
    "\"triage\":{\"owner\":\"ann\",\"bearer\":true},"                                              \
    "\"other.one\":{\"owner\":\"ann\",\"bearer\":true}}"

struct world {
    struct arena a;
    struct conf conf;
    struct issuer own, stranger;
    struct trust *trust;
};

static void world_init(struct world *w)
{
    struct err err = {0};
    *w = (struct world){0};
    conf_of(&w->a, S("{" AGENTS "}"), &w->conf);
    issuer_init(&w->own, &w->a, S("td"));
    issuer_init(&w->stranger, &w->a, S("td")); /* says it is the same trust domain */
    w->trust = trust_new(&w->conf);
    assert_null(trust_own(w->trust));
    OK(trust_set_own(w->trust, issuer_document(&w->own, &w->a, 1), (str){0}, 1, &err));
}

static void world_fini(struct world *w)
{
    trust_free(w->trust);
    issuer_fini(&w->own);
    issuer_fini(&w->stranger);
    arena_fini(&w->a);
}

static const str AUD = S("https://td/mcp");

static bool by_token(struct world *w, str token, struct proven *out, struct err *err)
{
    return trust_prove_jwt(w->trust, &w->a, token, &AUD, 1, NOW, out, err);
}

static bool by_chain(struct world *w, str chain, struct proven *out, struct err *err)
{
    return trust_prove_x509(w->trust, &w->a, chain, NOW, out, err);
}

static void is_str(str got, const char *want)
{
    if (!str_eq(got, str_z(want)))
        fail_msg("got \"%.*s\", want \"%s\"", STR(got), want);
}

/* What is in struct proven, for each way of proving. */
static void test_own(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    str chain = issuer_chain(&w.own, &w.a, S("/agent/triage/host-7"));
    OK(by_chain(&w, chain, &p, &err));
    is_str(p.agent, "triage");
    is_str(p.instance, "host-7");
    is_str(p.spiffe_id, "spiffe://td/agent/triage/host-7");
    is_str(p.subject, "spiffe://td/agent/triage/host-7");
    is_str(p.issuer, "td");
    is_str(p.token_id, "");
    assert_int_equal(p.method, PROVEN_X509_SVID);
    assert_int_equal(p.expires_ms, NOW + X509_LEAF_LIFE_S * 1000);
    str ders[2];
    size_t n;
    OK(x509_split(chain, ders, 2, &n, &err));
    struct hash leaf = sha256(ders[0]);
    assert_memory_equal(&p.cert, &leaf, sizeof leaf);

    OK(by_token(&w, issuer_token(&w.own, &w.a, S("/agent/other.one"), AUD), &p, &err));
    is_str(p.agent, "other.one");
    is_str(p.instance, "");
    is_str(p.spiffe_id, "spiffe://td/agent/other.one");
    assert_int_equal(p.method, PROVEN_JWT_SVID);
    assert_int_equal(p.expires_ms, NOW + JWT_SVID_LIFE_S * 1000);
    assert_memory_equal(&p.cert, &(struct hash){0}, sizeof p.cert);
    world_fini(&w);
}

/* Signed by the own issuer, and still no agent's. */
static void test_not_an_agent(void **state)
{
    static const str PATHS[] = {S("/agent/nobody/1"), S("/agent/triage/1/2"), S("/agent"),
                                S("/person/ann"),     S("/triage"),           S("/agents/triage/1"),
                                S("/agent/Triage/1"), S("/agent/triag"),      S("/agent/triage.x")};
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        NO(ERR_NOTFOUND, by_chain(&w, issuer_chain(&w.own, &w.a, PATHS[i]), &p, &err));
        NO(ERR_NOTFOUND, by_token(&w, issuer_token(&w.own, &w.a, PATHS[i], AUD), &p, &err));
    }
    char *longest = arena_alloc(&w.a, AGENT_PART_BYTES_MAX + 2);
    memset(longest, 'a', AGENT_PART_BYTES_MAX + 1);
    str path = str_fmt(&w.a, "/agent/triage/%s", longest);
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&w.own, &w.a, path, AUD), &p, &err));
    path.n--;
    OK(by_token(&w, issuer_token(&w.own, &w.a, path, AUD), &p, &err));
    world_fini(&w);
}

/* Another issuer that claims the trust domain; a trust domain that nobody configured; time. */
static void test_strangers(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p = {.agent = S("as it was")};
    struct issuer far;
    str path = S("/agent/triage/1");
    world_init(&w);
    issuer_init(&far, &w.a, S("far"));
    NO(ERR_DENIED, by_chain(&w, issuer_chain(&w.stranger, &w.a, path), &p, &err));
    NO(ERR_DENIED, by_token(&w, issuer_token(&w.stranger, &w.a, path, AUD), &p, &err));
    NO(ERR_NOTFOUND, by_chain(&w, issuer_chain(&far, &w.a, path), &p, &err));
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&far, &w.a, path, AUD), &p, &err));
    /* A good chain behind a leaf of somebody else, and the other way round. */
    str mine = issuer_chain(&w.own, &w.a, path), ders[2];
    size_t n;
    OK(x509_split(issuer_chain(&w.stranger, &w.a, path), ders, 2, &n, &err));
    struct buf b = {0};
    buf_put(&b, ders[0]);
    buf_put(&b, mine);
    NO(ERR_DENIED, by_chain(&w, buf_str(&b), &p, &err));
    buf_fini(&b);
    NO(ERR_INPUT, by_chain(&w, (str){0}, &p, &err));
    NO(ERR_INPUT, by_chain(&w, str_take(mine, mine.n - 1), &p, &err));
    NO(ERR_DENIED, trust_prove_x509(w.trust, &w.a, mine, NOW + 3600 * 1000, &p, &err));
    OK(trust_prove_x509(w.trust, &w.a, mine, NOW + 3599 * 1000, &p, &err));
    str token = issuer_token(&w.own, &w.a, path, AUD);
    NO(ERR_DENIED, trust_prove_jwt(w.trust, &w.a, token, &AUD, 1, NOW + 400 * 1000, &p, &err));
    issuer_fini(&far);
    world_fini(&w);
}

static void test_audiences(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    const str several[] = {S("https://td/token"), AUD, S("")};
    str path = S("/agent/triage/1"), token = issuer_token(&w.own, &w.a, path, AUD);
    OK(trust_prove_jwt(w.trust, &w.a, token, several, 3, NOW, &p, &err));
    NO(ERR_DENIED, trust_prove_jwt(w.trust, &w.a, token, several, 1, NOW, &p, &err));
    NO(ERR_INPUT, trust_prove_jwt(w.trust, &w.a, token, several, 0, NOW, &p, &err));
    NO(ERR_INPUT,
       trust_prove_jwt(w.trust, &w.a, token, several, TRUST_AUDIENCES_MAX + 1, NOW, &p, &err));
    NO(ERR_DENIED, by_token(&w, issuer_token(&w.own, &w.a, path, S("https://td/mcp/x")), &p, &err));
    NO(ERR_LIMIT, by_token(&w, str_of(arena_alloc(&w.a, 1 << 20), 1 << 20), &p, &err));
    static const str BROKEN[] = {S(""),      S("."),           S(".."),
                                 S("a.b.c"), S("e30.e30.e30"), S("e30.W10.")};
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++)
        if (by_token(&w, BROKEN[i], &p, &err))
            fail_msg("%.*s accepted", STR(BROKEN[i]));
    world_fini(&w);
}

/* The keeper's bundle is what counts, whole; a broken one changes nothing. */
static void test_own_bundle(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    str path = S("/agent/triage/1"), mine = issuer_chain(&w.own, &w.a, path),
        theirs = issuer_chain(&w.stranger, &w.a, path);
    NO(ERR_INPUT, trust_set_own(w.trust, S("{}"), (str){0}, 2, &err));
    NO(ERR_INPUT, trust_set_own(w.trust, S("{\"keys\":[]}"), S("0"), 2, &err));
    OK(by_chain(&w, mine, &p, &err));
    assert_int_equal(bundle_sequence(trust_own(w.trust)), 1);
    OK(trust_set_own(w.trust, (str){0}, w.stranger.root_der, 0, &err));
    assert_int_equal(bundle_sequence(trust_own(w.trust)), 0);
    NO(ERR_DENIED, by_chain(&w, mine, &p, &err));
    OK(by_chain(&w, theirs, &p, &err));
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&w.own, &w.a, path, AUD), &p, &err));
    OK(trust_set_own(w.trust, S("{\"keys\":[]}"), (str){0}, 3, &err));
    NO(ERR_DENIED, by_chain(&w, theirs, &p, &err));
    world_fini(&w);
}

/* Each way of revoking ends exactly the proofs that it names. */
static void test_revoked(void **state)
{
    struct world w;
    struct err err = {0};
    struct revoked r = {0};
    struct proven p;
    struct x509_svid svid;
    str ders[4];
    size_t n;
    char hex[HASH_HEX_SIZE];
    world_init(&w);
    trust_set_revoked(w.trust, &r);
    str path = S("/agent/triage/1"), chain = issuer_chain(&w.own, &w.a, path),
        token = issuer_token(&w.own, &w.a, path, AUD);
    OK(x509_split(chain, ders, 4, &n, &err));
    struct bundles own = {0};
    struct bundle *b;
    OK(bundle_read(S("td"), issuer_document(&w.own, &w.a, 1), &b, &err));
    OK(bundles_put(&own, b, NULL, &err));
    OK(x509_svid_verify(&w.a, ders, n, &own, NOW / 1000, &svid, &err));
    assert_true(svid.signers_n >= 1 && svid.serial.n > 20);
    OK(by_token(&w, token, &p, &err));
    ARENA_SCOPE struct arena a = {0};
    str head, rest, kid;
    const json *h;
    assert_true(str_cut(token, '.', &head, &rest) && base64url_decode(&a, head, &head));
    OK(json_read(&a, head, NULL, &h, &err));
    kid = json_get_str(h, S("kid"));
    const struct {
        enum revoked_kind kind;
        str name;
        bool ends_chain, ends_token;
    } cases[] = {
        {REVOKED_ID, S("spiffe://td/agent/triage/1"), true, true},
        {REVOKED_ID, S("spiffe://td/agent/triage"), true, true},
        {REVOKED_ID, S("spiffe://td"), true, true},
        {REVOKED_ID, S("spiffe://td/agent/triage/2"), false, false},
        {REVOKED_ID, S("spiffe://td/agent/other.one"), false, false},
        {REVOKED_CERTIFICATE, hash_hex(&svid.thumbprint, hex), true, false},
        {REVOKED_SERIAL, svid.serial, true, false},
        {REVOKED_SERIAL, S("abcdef"), false, false},
        {REVOKED_KEY, svid.signers[0], true, false},
        {REVOKED_KEY, svid.signers[svid.signers_n - 1], true, false},
        {REVOKED_KEY, kid, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct revoked_entry e = {
            .kind = cases[i].kind, .name = cases[i].name, .at_ms = NOW, .by = S("eve")};
        OK(revoked_put(&r, &e, &err));
        if (by_chain(&w, chain, &p, &err) == cases[i].ends_chain ||
            by_token(&w, token, &p, &err) == cases[i].ends_token)
            fail_msg("case %zu", i);
        assert_true(revoked_lift(&r, e.kind, e.name));
        OK(by_chain(&w, chain, &p, &err));
        OK(by_token(&w, token, &p, &err));
    }
    revoked_fini(&r);
    bundles_fini(&own);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),        cmocka_unit_test(test_not_an_agent),
        cmocka_unit_test(test_strangers),  cmocka_unit_test(test_audiences),
        cmocka_unit_test(test_own_bundle), cmocka_unit_test(test_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
