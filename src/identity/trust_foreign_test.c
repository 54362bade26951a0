/* Issuers elsewhere: Kubernetes, GitHub and SPIRE as they write, and everything that must not pass.
 */
#include "base/hex.h"
#include "identity/trust_test.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define CONF                                                                                       \
    "{\"trustDomain\":\"td\",\"policies\":[\"p\"],\"people\":{\"ann\":{\"roles\":[\"owner\"]}},"   \
    "\"issuers\":{"                                                                                \
    "\"far\":{\"trustDomain\":\"far\",\"bundleFile\":\"f\",\"maxAge\":\"1h\"},"                    \
    "\"deep\":{\"trustDomain\":\"deep\",\"bundleFile\":\"d\"},"                                    \
    "\"kube\":{\"oidc\":\"https://"                                                                \
    "kube\",\"jwksFile\":\"k\",\"audiences\":[\"ambit\",\"ambit2\"]},"                             \
    "\"git\":{\"oidc\":\"https://git/"                                                             \
    "\",\"jwksFile\":\"g\",\"algorithms\":[\"PS256\",\"ES256\"]}},"                                \
    "\"agents\":{"                                                                                 \
    "\"triage\":{\"owner\":\"ann\",\"proofs\":["                                                   \
    "{\"issuer\":\"far\",\"id\":\"spiffe://far/ns/ops/*\"},"                                       \
    "{\"issuer\":\"far\",\"id\":\"spiffe://far/exact\"},"                                          \
    "{\"issuer\":\"kube\",\"claims\":{\"sub\":\"system:serviceaccount:ops:triage\"},"              \
    "\"instance\":\"/kubernetes.io/pod/uid\"},"                                                    \
    "{\"issuer\":\"git\",\"claims\":{\"sub\":\"repo:o/x:ref:refs/heads/"                           \
    "*\",\"repository_id\":\"7\"},"                                                                \
    "\"instance\":\"run_id\"}]},"                                                                  \
    "\"deploy\":{\"owner\":\"ann\",\"proofs\":["                                                   \
    "{\"issuer\":\"far\",\"id\":\"spiffe://far/both\"},"                                           \
    "{\"issuer\":\"kube\",\"claims\":{\"/kubernetes.io/namespace\":\"prod\",\"n\":5,\"b\":true,"   \
    "\"/a~1b/c~0d\":\"x\"}}]},"                                                                    \
    "\"other\":{\"owner\":\"ann\",\"proofs\":[{\"issuer\":\"far\",\"id\":\"spiffe://far/"          \
    "bo*\"}]}}}"

struct world {
    struct arena a;
    struct conf conf;
    struct issuer own, far, deep;
    EVP_PKEY *kube, *git, *spire;
    struct trust *trust;
};

static str rsa_jwk(struct arena *a, EVP_PKEY *k, const char *more)
{
    unsigned char bytes[256];
    BIGNUM *n = NULL;
    EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_RSA_N, &n);
    BN_bn2binpad(n, bytes, 256);
    BN_free(n);
    return str_fmt(a, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%.*s\",%s}",
                   STR(base64url_dup(a, str_of((char *)bytes, 256))), more);
}

static str set_of(struct arena *a, str jwk)
{
    return str_fmt(a, "{\"keys\":[%.*s]}", STR(jwk));
}

/* A bundle that has an RSA key for tokens beside the rest. */
static str with_rsa(struct world *w, const struct issuer *i, int64_t sequence)
{
    str text = issuer_document(i, &w->a, sequence);
    str jwk = rsa_jwk(&w->a, w->spire, "\"use\":\"jwt-svid\",\"kid\":\"r1\"");
    return str_fmt(&w->a, "%.*s,%.*s]}", STR(str_take(text, text.n - 2)), STR(jwk));
}

static void take(struct world *w, const char *issuer, str document)
{
    struct err err = {0};
    bool changed = false;
    OK(trust_take(w->trust, str_z(issuer), document, NOW, &changed, &err));
    assert_true(changed);
}

static void world_init(struct world *w)
{
    struct err err = {0};
    *w = (struct world){.kube = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048),
                        .git = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048),
                        .spire = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)};
    conf_of(&w->a, S(CONF), &w->conf);
    issuer_init(&w->own, &w->a, S("td"));
    issuer_init(&w->far, &w->a, S("far"));
    issuer_init(&w->deep, &w->a, S("deep"));
    w->trust = trust_new(&w->conf);
    OK(trust_set_own(w->trust, issuer_document(&w->own, &w->a, 1), (str){0}, 1, &err));
    take(w, "far", with_rsa(w, &w->far, 5));
    take(w, "kube", set_of(&w->a, rsa_jwk(&w->a, w->kube, "\"alg\":\"RS256\",\"kid\":\"k1\"")));
    take(w, "git", set_of(&w->a, rsa_jwk(&w->a, w->git, "\"kid\":\"g1\",\"use\":\"sig\"")));
}

static void world_fini(struct world *w)
{
    trust_free(w->trust);
    issuer_fini(&w->own);
    issuer_fini(&w->far);
    issuer_fini(&w->deep);
    EVP_PKEY_free(w->kube);
    EVP_PKEY_free(w->git);
    EVP_PKEY_free(w->spire);
    arena_fini(&w->a);
}

/* PS256 if the header says so, else RS256. */
static str sign(struct arena *a, EVP_PKEY *k, const char *header, const char *claims)
{
    unsigned char sig[256];
    size_t n = sizeof sig;
    EVP_PKEY_CTX *p;
    str text = str_fmt(a, "%.*s.%.*s", STR(base64url_dup(a, str_z(header))),
                       STR(base64url_dup(a, str_z(claims))));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit_ex(ctx, &p, "SHA256", NULL, NULL, k, NULL);
    if (strstr(header, "PS256")) {
        EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    return str_fmt(a, "%.*s.%.*s", STR(text), STR(base64url_dup(a, str_of((char *)sig, n))));
}

static const str AUD[] = {S("https://td/mcp"), S("https://td/token")};

static bool by_token(struct world *w, str token, struct proven *out, struct err *err)
{
    return trust_prove_jwt(w->trust, &w->a, token, AUD, 2, NOW, out, err);
}

static void is_str(str got, const char *want)
{
    if (!str_eq(got, str_z(want)))
        fail_msg("got \"%.*s\", want \"%s\"", STR(got), want);
}

/* ---- SPIFFE ---- */

static void test_spiffe(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    str chain = issuer_chain(&w.far, &w.a, S("/ns/ops/pod-7"));
    OK(trust_prove_x509(w.trust, &w.a, chain, NOW, &p, &err));
    is_str(p.agent, "triage");
    is_str(p.instance, "pod-7");
    is_str(p.spiffe_id, "spiffe://td/agent/triage/pod-7");
    is_str(p.subject, "spiffe://far/ns/ops/pod-7");
    is_str(p.issuer, "far");
    OK(by_token(&w, issuer_token(&w.far, &w.a, S("/exact"), AUD[1]), &p, &err));
    is_str(p.agent, "triage");
    is_str(p.instance, "");
    is_str(p.spiffe_id, "spiffe://td/agent/triage");
    assert_int_equal(p.method, PROVEN_JWT_SVID);
    str claims =
        S("{\"sub\":\"spiffe://far/exact\",\"aud\":[\"https://td/mcp\"],\"exp\":1790000100,"
          "\"iss\":\"https://whatever\",\"jti\":\"j1\"}");
    OK(by_token(&w, sign(&w.a, w.spire, "{\"alg\":\"RS256\",\"kid\":\"r1\"}", claims.p), &p, &err));
    is_str(p.token_id, "j1");
    assert_int_equal(p.expires_ms, INT64_C(1790000100000));
    /* No agent, two agents, more segments than the pattern has. */
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&w.far, &w.a, S("/nobody"), AUD[0]), &p, &err));
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&w.far, &w.a, S("/ns/ops/a/b"), AUD[0]), &p, &err));
    NO(ERR_DENIED, by_token(&w, issuer_token(&w.far, &w.a, S("/both"), AUD[0]), &p, &err));
    assert_non_null(strstr(err.text, "deploy and agent other"));
    /* The own form of agents means nothing in another trust domain. */
    NO(ERR_NOTFOUND,
       by_token(&w, issuer_token(&w.far, &w.a, S("/agent/triage/1"), AUD[0]), &p, &err));
    world_fini(&w);
}

/* The bundle is picked by the trust domain in the ID, whoever signed. */
static void test_domains(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    struct issuer liar = w.far, thief = w.own;
    liar.trust_domain = S("td"); /* far's keys, for an agent of ours */
    thief.trust_domain = S("far");
    NO(ERR_DENIED, by_token(&w, issuer_token(&liar, &w.a, S("/agent/triage"), AUD[0]), &p, &err));
    NO(ERR_DENIED, by_token(&w, issuer_token(&thief, &w.a, S("/exact"), AUD[0]), &p, &err));
    /* A leaf of ours below far's authority. */
    str ders[2], mine[2];
    size_t n;
    OK(x509_split(issuer_chain(&w.own, &w.a, S("/agent/triage/1")), mine, 2, &n, &err));
    OK(x509_split(issuer_chain(&w.far, &w.a, S("/exact")), ders, 2, &n, &err));
    struct buf mixed = {0};
    buf_put(&mixed, ders[0]);
    buf_put(&mixed, mine[1]);
    NO(ERR_DENIED, trust_prove_x509(w.trust, &w.a, buf_str(&mixed), NOW, &p, &err));
    buf_fini(&mixed);
    /* Configured, and nothing fetched yet; and not configured. */
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&w.deep, &w.a, S("/x"), AUD[0]), &p, &err));
    NO(ERR_NOTFOUND,
       trust_prove_x509(w.trust, &w.a, issuer_chain(&w.deep, &w.a, S("/x")), NOW, &p, &err));
    liar = w.far;
    liar.trust_domain = S("unheard");
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&liar, &w.a, S("/x"), AUD[0]), &p, &err));
    world_fini(&w);
}

/* ---- OIDC ---- */

#define KUBE_HEAD "{\"alg\":\"RS256\",\"kid\":\"k1\"}"
#define KUBE_TIME "\"exp\":1790000100,\"iat\":1790000000,\"nbf\":1790000000"
#define KUBE                                                                                       \
    "{\"aud\":[\"ambit\"]," KUBE_TIME ",\"iss\":\"https://kube\",\"jti\":\"a-b\","                 \
    "\"kubernetes.io\":{\"namespace\":\"ops\",\"pod\":{\"name\":\"triage-x\",\"uid\":\"u-1\"}},"   \
    "\"sub\":\"system:serviceaccount:ops:triage\"}"
#define GIT                                                                                        \
    "{\"aud\":\"https://td/mcp\",\"exp\":1790000100,\"iss\":\"https://git/\",\"run_id\":\"99 1\"," \
    "\"repository_id\":\"7\",\"sub\":\"repo:o/x:ref:refs/heads/main\"}"

static void test_oidc(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    OK(by_token(&w, sign(&w.a, w.kube, KUBE_HEAD, KUBE), &p, &err));
    is_str(p.agent, "triage");
    is_str(p.instance, "u-1");
    is_str(p.spiffe_id, "spiffe://td/agent/triage/u-1");
    is_str(p.subject, "system:serviceaccount:ops:triage");
    is_str(p.issuer, "kube");
    is_str(p.token_id, "a-b");
    assert_int_equal(p.method, PROVEN_OIDC);
    /* Its JWK has no alg; the configuration names one RSA algorithm. An instance that is no
     * segment of a SPIFFE ID becomes its digest. */
    OK(by_token(&w, sign(&w.a, w.git, "{\"alg\":\"PS256\",\"kid\":\"g1\",\"typ\":\"JWT\"}", GIT),
                &p, &err));
    is_str(p.agent, "triage");
    is_str(p.instance, "sha256-68515357d36976e56e39b990bc4d6607");
    NO(ERR_DENIED,
       by_token(&w, sign(&w.a, w.git, "{\"alg\":\"RS256\",\"kid\":\"g1\"}", GIT), &p, &err));
    world_fini(&w);
}

/* Claims in place of KUBE's; signed well. */
static const struct {
    const char *name, *claims;
    const char *agent; /* NULL: refused with kind */
    enum err_kind kind;
} CLAIMS[] = {
#define SUB "\"sub\":\"system:serviceaccount:ops:triage\","
#define ISS "\"iss\":\"https://kube\","
#define EXP "\"exp\":1790000100"
    {"least", "{" SUB ISS "\"aud\":\"ambit\"," EXP "}", "triage", 0},
    {"two audiences, both ours", "{" SUB ISS "\"aud\":[\"ambit\",\"ambit2\"]," EXP "}", "triage",
     0},
    {"one of them another's", "{" SUB ISS "\"aud\":[\"ambit\",\"vault\"]," EXP "}", NULL,
     ERR_DENIED},
    {"ours by default, not by configuration", "{" SUB ISS "\"aud\":\"https://td/mcp\"," EXP "}",
     NULL, ERR_DENIED},
    {"no audience", "{" SUB ISS EXP "}", NULL, ERR_DENIED},
    {"no audience in the list", "{" SUB ISS "\"aud\":[]," EXP "}", NULL, ERR_DENIED},
    {"audience as number", "{" SUB ISS "\"aud\":1," EXP "}", NULL, ERR_DENIED},
    {"audience as object", "{" SUB ISS "\"aud\":{\"a\":\"ambit\"}," EXP "}", NULL, ERR_DENIED},
    {"a number in the list", "{" SUB ISS "\"aud\":[\"ambit\",1]," EXP "}", NULL, ERR_DENIED},
    {"empty audience", "{" SUB ISS "\"aud\":\"\"," EXP "}", NULL, ERR_DENIED},
    {"another issuer", "{" SUB "\"iss\":\"https://kube/\",\"aud\":\"ambit\"," EXP "}", NULL,
     ERR_NOTFOUND},
    {"the other issuer's name",
     "{" SUB "\"iss\":\"https://git/\",\"aud\":\"https://td/mcp\"," EXP "}", NULL, ERR_NOTFOUND},
    {"no issuer", "{" SUB "\"aud\":\"ambit\"," EXP "}", NULL, ERR_NOTFOUND},
    {"issuer as list", "{" SUB "\"iss\":[\"https://kube\"],\"aud\":\"ambit\"," EXP "}", NULL,
     ERR_NOTFOUND},
    {"no sub", "{" ISS "\"aud\":\"ambit\"," EXP "}", NULL, ERR_INPUT},
    {"sub as number", "{\"sub\":1," ISS "\"aud\":\"ambit\"," EXP "}", NULL, ERR_INPUT},
    {"sub twice", "{" SUB SUB ISS "\"aud\":\"ambit\"," EXP "}", NULL, ERR_INPUT},
    {"another's sub",
     "{\"sub\":\"system:serviceaccount:ops:triage2\"," ISS "\"aud\":\"ambit\"," EXP "}", NULL,
     ERR_NOTFOUND},
    {"a SPIFFE ID of ours as sub",
     "{\"sub\":\"spiffe://td/agent/triage/1\"," ISS "\"aud\":\"https://td/mcp\"," EXP "}", NULL,
     ERR_INPUT},
    {"no exp", "{" SUB ISS "\"aud\":\"ambit\"}", NULL, ERR_INPUT},
    {"exp as string", "{" SUB ISS "\"aud\":\"ambit\",\"exp\":\"1790000100\"}", NULL, ERR_INPUT},
    {"exp as float", "{" SUB ISS "\"aud\":\"ambit\",\"exp\":1790000100.5}", NULL, ERR_INPUT},
    {"exp huge", "{" SUB ISS "\"aud\":\"ambit\",\"exp\":1e400}", NULL, ERR_INPUT},
    {"exp negative", "{" SUB ISS "\"aud\":\"ambit\",\"exp\":-1}", NULL, ERR_INPUT},
    {"expired", "{" SUB ISS "\"aud\":\"ambit\",\"exp\":1789999990}", NULL, ERR_DENIED},
    {"within the skew", "{" SUB ISS "\"aud\":\"ambit\",\"exp\":1789999991}", "triage", 0},
    {"a year long", "{" SUB ISS "\"aud\":\"ambit\",\"exp\":1821536000}", NULL, ERR_DENIED},
    {"not yet", "{" SUB ISS "\"aud\":\"ambit\"," EXP ",\"nbf\":1790000050}", NULL, ERR_DENIED},
    {"from the future", "{" SUB ISS "\"aud\":\"ambit\"," EXP ",\"iat\":1790000050}", NULL,
     ERR_DENIED},
    {"bound to a key", "{" SUB ISS "\"aud\":\"ambit\"," EXP ",\"cnf\":{\"jkt\":\"x\"}}", NULL,
     ERR_DENIED},
    {"a logout token", "{" SUB ISS "\"aud\":\"ambit\"," EXP ",\"events\":{}}", NULL, ERR_DENIED},
    {"by pointers",
     "{\"sub\":\"s\"," ISS "\"aud\":\"ambit\"," EXP
     ",\"kubernetes.io\":{\"namespace\":\"prod\"},\"n\":5,\"b\":true,\"a/b\":{\"c~d\":\"x\"}}",
     "deploy", 0},
    {"one of them missing",
     "{\"sub\":\"s\"," ISS "\"aud\":\"ambit\"," EXP
     ",\"kubernetes.io\":{\"namespace\":\"prod\"},\"n\":5,\"b\":true,\"a/b\":{}}",
     NULL, ERR_NOTFOUND},
    {"a number as text",
     "{\"sub\":\"s\"," ISS "\"aud\":\"ambit\"," EXP
     ",\"kubernetes.io\":{\"namespace\":\"prod\"},\"n\":\"5\",\"b\":true,\"a/b\":{\"c~d\":\"x\"}}",
     NULL, ERR_NOTFOUND},
    {"another number",
     "{\"sub\":\"s\"," ISS "\"aud\":\"ambit\"," EXP
     ",\"kubernetes.io\":{\"namespace\":\"prod\"},\"n\":5.0,\"b\":true,\"a/b\":{\"c~d\":\"x\"}}",
     NULL, ERR_NOTFOUND},
    {"a list that holds it",
     "{\"sub\":\"s\"," ISS "\"aud\":\"ambit\"," EXP
     ",\"kubernetes.io\":{\"namespace\":[\"prod\"]},\"n\":5,\"b\":true,\"a/b\":{\"c~d\":\"x\"}}",
     NULL, ERR_NOTFOUND},
    {"two agents",
     "{" SUB ISS "\"aud\":\"ambit\"," EXP
     ",\"kubernetes.io\":{\"namespace\":\"prod\"},\"n\":5,\"b\":true,\"a/b\":{\"c~d\":\"x\"}}",
     NULL, ERR_DENIED},
    {"claims that are a list", "[1]", NULL, ERR_INPUT},
    {"bad UTF-8", "{" SUB ISS "\"aud\":\"ambit\"," EXP ",\"x\":\"\xff\"}", NULL, ERR_INPUT},
    {"nested deep",
     "{" SUB ISS "\"aud\":\"ambit\"," EXP ",\"x\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", NULL,
     ERR_LIMIT},
};

static void test_claims(void **state)
{
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < sizeof CLAIMS / sizeof *CLAIMS; i++) {
        struct err err = {0};
        struct proven p;
        bool ok = by_token(&w, sign(&w.a, w.kube, KUBE_HEAD, CLAIMS[i].claims), &p, &err);
        if (ok != (CLAIMS[i].agent != NULL) || (!ok && err.kind != CLAIMS[i].kind))
            fail_msg("%s: %s (kind %d)", CLAIMS[i].name, ok ? "accepted" : err.text, (int)err.kind);
        if (ok)
            is_str(p.agent, CLAIMS[i].agent);
    }
    world_fini(&w);
}

/* Well-formed claims under a header or a key that must not do. */
static void test_keys(void **state)
{
    static const struct {
        const char *name, *header;
        enum err_kind kind;
    } rows[] = {
        {"no kid", "{\"alg\":\"RS256\"}", ERR_NOTFOUND},
        {"another issuer's kid", "{\"alg\":\"RS256\",\"kid\":\"g1\"}", ERR_NOTFOUND},
        {"PS under RS", "{\"alg\":\"PS256\",\"kid\":\"k1\"}", ERR_DENIED},
        {"none", "{\"alg\":\"none\",\"kid\":\"k1\"}", ERR_DENIED},
        {"JOSE", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JOSE\"}", ERR_INPUT},
        {"an access token", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}", ERR_INPUT},
        {"a transaction token", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"txntoken+jwt\"}",
         ERR_INPUT},
        {"a DPoP proof", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"dpop+jwt\"}", ERR_INPUT},
        {"a WIT-SVID", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"wit+jwt\"}", ERR_INPUT},
        {"crit", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"crit\":[\"x\"]}", ERR_INPUT},
    };
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (by_token(&w, sign(&w.a, w.kube, rows[i].header, KUBE), &p, &err) ||
            err.kind != rows[i].kind)
            fail_msg("%s: kind %d, %s", rows[i].name, (int)err.kind, err.text);
    assert_true(trust_wanted(w.trust, 2)); /* kube: somebody named a key that it does not have */
    assert_false(trust_wanted(w.trust, 2));
    NO(ERR_DENIED, by_token(&w, sign(&w.a, w.git, KUBE_HEAD, KUBE), &p, &err));
    for (size_t i = 0; i < trust_issuers(w.trust); i++)
        assert_false(trust_wanted(w.trust, i)); /* a wrong signature is no reason */
    /* Rotated out: the old key verifies no more. */
    take(&w, "kube", set_of(&w.a, rsa_jwk(&w.a, w.git, "\"alg\":\"RS256\",\"kid\":\"k2\"")));
    NO(ERR_NOTFOUND, by_token(&w, sign(&w.a, w.kube, KUBE_HEAD, KUBE), &p, &err));
    OK(by_token(&w, sign(&w.a, w.git, "{\"alg\":\"RS256\",\"kid\":\"k2\"}", KUBE), &p, &err));
    take(&w, "kube", S("{\"keys\":[]}"));
    NO(ERR_NOTFOUND, by_token(&w, sign(&w.a, w.kube, KUBE_HEAD, KUBE), &p, &err));
    world_fini(&w);
}

/* ---- documents ---- */

static struct trust_state state_of(const struct world *w, const char *name, int64_t now_ms)
{
    struct trust_state s = {0};
    for (size_t i = 0; i < trust_issuers(w->trust); i++) {
        trust_state(w->trust, i, now_ms, &s);
        if (str_eq(s.issuer->name, str_z(name)))
            return s;
    }
    fail_msg("no issuer %s", name);
    return s;
}

static void test_age(void **state)
{
    static const int64_t MINUTE = 60 * 1000;
    struct world w;
    struct err err = {0};
    struct proven p;
    world_init(&w);
    str chain = issuer_chain(&w.far, &w.a, S("/exact"));
    assert_int_equal(state_of(&w, "deep", NOW).age, TRUST_WAITING);
    assert_int_equal(state_of(&w, "deep", NOW).confirmed_ms, -1);
    struct trust_state s = state_of(&w, "far", NOW);
    assert_int_equal(s.sequence, 5);
    assert_int_equal(s.certificates, 1);
    assert_int_equal(s.keys, 2);
    assert_int_equal(s.refresh_s, 60);
    assert_int_equal(s.age, TRUST_CURRENT);
    assert_int_equal(state_of(&w, "far", NOW + 3 * MINUTE).age, TRUST_CURRENT);
    assert_int_equal(state_of(&w, "far", NOW + 3 * MINUTE + 1).age, TRUST_LATE);
    assert_int_equal(state_of(&w, "far", NOW + 60 * MINUTE - 1).age, TRUST_LATE);
    assert_int_equal(state_of(&w, "far", NOW + 60 * MINUTE).age, TRUST_STALE);
    assert_int_equal(state_of(&w, "far", NOW - 61 * MINUTE).age, TRUST_STALE);
    assert_int_equal(state_of(&w, "kube", NOW + 60 * MINUTE).age, TRUST_LATE);
    /* The leaf is good for an hour, the bundle was confirmed half a second after its issue. */
    bool changed = true;
    OK(trust_take(w.trust, S("far"), with_rsa(&w, &w.far, 5), NOW - 30 * MINUTE, &changed, &err));
    assert_false(changed);
    OK(trust_prove_x509(w.trust, &w.a, chain, NOW + 30 * MINUTE - 1, &p, &err));
    NO(ERR_DENIED, trust_prove_x509(w.trust, &w.a, chain, NOW + 30 * MINUTE, &p, &err));
    assert_null(trust_bundle(w.trust, S("far"), NOW + 30 * MINUTE));
    assert_non_null(trust_bundle(w.trust, S("far"), NOW));
    assert_non_null(trust_bundle(w.trust, S("td"), NOW + 300 * MINUTE));
    assert_null(trust_bundle(w.trust, S("deep"), NOW));
    /* A failed fetch says so and changes nothing else. */
    trust_missed(w.trust, S("far"), S("no answer"), NOW);
    is_str(state_of(&w, "far", NOW).problem, "no answer");
    OK(trust_prove_x509(w.trust, &w.a, chain, NOW, &p, &err));
    OK(trust_take(w.trust, S("far"), with_rsa(&w, &w.far, 5), NOW, &changed, &err));
    is_str(state_of(&w, "far", NOW).problem, "");
    world_fini(&w);
}

static void test_sequence(void **state)
{
    struct world w;
    struct err err = {0};
    struct proven p;
    bool changed;
    world_init(&w);
    struct issuer next;
    issuer_init(&next, &w.a, S("far"));
    NO(ERR_DENIED, trust_take(w.trust, S("far"), with_rsa(&w, &w.far, 4), NOW + 1, &changed, &err));
    assert_non_null(strstr(state_of(&w, "far", NOW).problem.p, "older"));
    assert_int_equal(state_of(&w, "far", NOW).confirmed_ms, NOW);
    NO(ERR_DENIED, trust_take(w.trust, S("far"), with_rsa(&w, &next, 5), NOW, &changed, &err));
    /* The same certificates and sequence, without the RSA key for tokens. */
    NO(ERR_DENIED,
       trust_take(w.trust, S("far"), issuer_document(&w.far, &w.a, 5), NOW, &changed, &err));
    NO(ERR_DENIED,
       trust_take(w.trust, S("far"), issuer_document(&w.far, &w.a, -1), NOW, &changed, &err));
    NO(ERR_INPUT, trust_take(w.trust, S("far"), S("<html>"), NOW, &changed, &err));
    NO(ERR_NOTFOUND, trust_take(w.trust, S("nobody"), S("{\"keys\":[]}"), NOW, &changed, &err));
    OK(by_token(&w, issuer_token(&w.far, &w.a, S("/exact"), AUD[0]), &p, &err));
    OK(trust_take(w.trust, S("far"), issuer_document(&next, &w.a, 6), NOW, &changed, &err));
    assert_true(changed);
    NO(ERR_DENIED, by_token(&w, issuer_token(&w.far, &w.a, S("/exact"), AUD[0]), &p, &err));
    OK(by_token(&w, issuer_token(&next, &w.a, S("/exact"), AUD[0]), &p, &err));
    /* Redacted: everything is revoked. */
    OK(trust_take(w.trust, S("far"), S("{\"keys\":[],\"spiffe_sequence\":7}"), NOW, &changed,
                  &err));
    NO(ERR_NOTFOUND, by_token(&w, issuer_token(&next, &w.a, S("/exact"), AUD[0]), &p, &err));
    issuer_fini(&next);
    world_fini(&w);
}

/* For a person's ID token: any sub, the audience asked for. */
static void test_verify_oidc(void **state)
{
    struct world w;
    struct err err = {0};
    struct jwt jwt;
    world_init(&w);
    const str client = S("portal");
    str token =
        sign(&w.a, w.kube, KUBE_HEAD,
             "{\"sub\":\"ann@x\",\"iss\":\"https://kube\",\"aud\":\"portal\",\"nonce\":\"n\","
             "\"exp\":1790000100}");
    OK(trust_verify_oidc(w.trust, &w.a, token, S("https://kube"), &client, 1, NOW, &jwt, &err));
    is_str(jwt.sub, "ann@x");
    is_str(json_get_str(jwt.claims, S("nonce")), "n");
    NO(ERR_NOTFOUND,
       trust_verify_oidc(w.trust, &w.a, token, S("https://git/"), &client, 1, NOW, &jwt, &err));
    NO(ERR_NOTFOUND, trust_verify_oidc(w.trust, &w.a, token, S(""), &client, 1, NOW, &jwt, &err));
    NO(ERR_DENIED,
       trust_verify_oidc(w.trust, &w.a, token, S("https://kube"), AUD, 2, NOW, &jwt, &err));
    NO(ERR_INPUT,
       trust_verify_oidc(w.trust, &w.a, token, S("https://kube"), AUD, 0, NOW, &jwt, &err));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spiffe),   cmocka_unit_test(test_domains),
        cmocka_unit_test(test_oidc),     cmocka_unit_test(test_claims),
        cmocka_unit_test(test_keys),     cmocka_unit_test(test_age),
        cmocka_unit_test(test_sequence), cmocka_unit_test(test_verify_oidc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
