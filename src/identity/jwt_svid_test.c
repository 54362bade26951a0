#include "base/hex.h"
#include "identity/identity_test.h"
#include "identity/jwt_svid.h"

static const int64_t NOW = 1790000000;

struct world {
    struct arena a;
    struct key *key, *other, *wit;
    struct bundles trusted; /* td: key as k1, wit as w1; other: other as k1 */
    struct spiffe_id id;
};

static struct key *new_key(void)
{
    struct err err = {0};
    struct key *k = NULL;
    OK(key_generate(KEY_ES256, &k, &err));
    return k;
}

static void world_init(struct world *w)
{
    struct err err = {0};
    struct bundle *b = NULL;
    *w = (struct world){.key = new_key(), .other = new_key(), .wit = new_key()};
    OK(bundle_new(S("td"), &b, &err));
    OK(bundle_add_jwt(b, w->key, S("k1"), &err));
    OK(bundle_add_wit(b, w->wit, S("w1"), &err));
    OK(bundles_put(&w->trusted, b, NULL, &err));
    OK(bundle_new(S("other"), &b, &err));
    OK(bundle_add_jwt(b, w->other, S("k1"), &err));
    OK(bundles_put(&w->trusted, b, NULL, &err));
    OK(spiffe_id_parse(S("spiffe://td/agent/triage/1"), &w->id, &err));
}

static void world_fini(struct world *w)
{
    key_free(w->key);
    key_free(w->other);
    key_free(w->wit);
    bundles_fini(&w->trusted);
    arena_fini(&w->a);
}

static str forge(struct arena *a, const struct key *key, str header, str payload)
{
    struct err err = {0};
    uint8_t sig[SIG_LEN];
    str text =
        str_fmt(a, "%.*s.%.*s", STR(base64url_dup(a, header)), STR(base64url_dup(a, payload)));
    OK(key_sign(key, text, sig, &err));
    return str_fmt(a, "%.*s.%.*s", STR(text), STR(base64url_dup(a, str_of((char *)sig, SIG_LEN))));
}

static void test_mint_and_verify(void **state)
{
    struct world w;
    struct err err = {0};
    struct jwt_svid svid;
    world_init(&w);
    struct buf b = {0};
    OK(jwt_svid_mint(w.key, S("k1"), &w.id, S("reports"), NOW, JWT_SVID_LIFE_S, &b, &err));
    str token = buf_str(&b), part, rest, body, text;
    OK(jwt_svid_verify(&w.a, token, &w.trusted, S("reports"), NOW, &svid, &err));
    assert_true(spiffe_id_eq(&svid.id, &w.id));
    assert_int_equal(svid.exp_s, NOW + 300);
    assert_int_equal(svid.iat_s, NOW);
    assert_true(str_cut(token, '.', &part, &rest));
    assert_true(str_cut(rest, '.', &body, &rest));
    assert_true(base64url_decode(&w.a, part, &text));
    assert_true(str_eq(text, S("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}")));
    assert_true(base64url_decode(&w.a, body, &text));
    assert_true(str_eq(text, S("{\"aud\":\"reports\",\"exp\":1790000300,\"iat\":1790000000,"
                               "\"sub\":\"spiffe://td/agent/triage/1\"}")));
    OK(jwt_svid_verify(&w.a, token, &w.trusted, S("reports"), NOW + 309, &svid, &err));
    NO(ERR_DENIED, jwt_svid_verify(&w.a, token, &w.trusted, S("reports"), NOW + 310, &svid, &err));
    NO(ERR_DENIED, jwt_svid_verify(&w.a, token, &w.trusted, S("reports"), NOW - 11, &svid, &err));
    static const str wrong[] = {S("report"), S("reports2"), S("Reports"), S(""), S("reports ")};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        NO(ERR_DENIED, jwt_svid_verify(&w.a, token, &w.trusted, wrong[i], NOW, &svid, &err));
    NO(ERR_NOTFOUND,
       jwt_svid_verify(&w.a, token, &(struct bundles){0}, S("reports"), NOW, &svid, &err));
    for (size_t i = 0; i < token.n; i++) {
        char *p = arena_dup(&w.a, token.p, token.n);
        assert_false(
            jwt_svid_verify(&w.a, str_take(token, i), &w.trusted, S("reports"), NOW, &svid, &err));
        p[i] ^= 1;
        assert_false(
            jwt_svid_verify(&w.a, str_of(p, token.n), &w.trusted, S("reports"), NOW, &svid, &err));
    }
    buf_fini(&b);
    world_fini(&w);
}

static void test_mint_refused(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    struct buf b = {0};
    struct spiffe_id domain = {.text = S("spiffe://td")}, broken = {.text = S("spiffe://td/a b")};
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &domain, S("a"), NOW, 300, &b, &err));
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &broken, S("a"), NOW, 300, &b, &err));
    NO(ERR_INPUT, jwt_svid_mint(w.key, S(""), &w.id, S("a"), NOW, 300, &b, &err));
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &w.id, S(""), NOW, 300, &b, &err));
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &w.id, S("\xff"), NOW, 300, &b, &err));
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &w.id, S("a"), NOW, 301, &b, &err));
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &w.id, S("a"), NOW, 0, &b, &err));
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &w.id, S("a"), INT64_MAX, 300, &b, &err));
    str big = str_of(arena_alloc(&w.a, JWT_SVID_AUD_BYTES_MAX + 1), JWT_SVID_AUD_BYTES_MAX + 1);
    NO(ERR_INPUT, jwt_svid_mint(w.key, S("k1"), &w.id, big, NOW, 300, &b, &err));
    assert_int_equal(buf_len(&b), 0);
    buf_fini(&b);
    world_fini(&w);
}

#define HEAD  "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"
#define SUB   "\"sub\":\"spiffe://td/x\""
#define REST  "\"aud\":\"a\",\"exp\":1790000100,\"iat\":1790000000"
#define PLAIN "{" SUB "," REST "}"
enum signer { BY_KEY, BY_OTHER, BY_WIT };
static const struct {
    const char *name, *header, *claims;
    enum signer by;
    enum err_kind kind;
} rows[] = {
    {"plain", HEAD, PLAIN, BY_KEY, ERR_NONE},
    {"no typ", "{\"alg\":\"ES256\",\"kid\":\"k1\"}", PLAIN, BY_KEY, ERR_NONE},
    {"JOSE", "{\"alg\":\"ES256\",\"typ\":\"JOSE\",\"kid\":\"k1\"}", PLAIN, BY_KEY, ERR_NONE},
    {"a list of one audience", HEAD, "{" SUB ",\"aud\":[\"a\"],\"exp\":1790000100}", BY_KEY,
     ERR_NONE},
    {"with iss and jti", HEAD, "{" SUB "," REST ",\"iss\":\"https://x\",\"jti\":\"1\"}", BY_KEY,
     ERR_NONE},
    {"no iat", HEAD, "{" SUB ",\"aud\":\"a\",\"exp\":1790000100}", BY_KEY, ERR_NONE},
    {"typ of a task token", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}", PLAIN, BY_KEY,
     ERR_INPUT},
    {"typ of a WIT", "{\"alg\":\"ES256\",\"typ\":\"wit+jwt\",\"kid\":\"k1\"}", PLAIN, BY_KEY,
     ERR_INPUT},
    {"typ in small letters", "{\"alg\":\"ES256\",\"typ\":\"jwt\",\"kid\":\"k1\"}", PLAIN, BY_KEY,
     ERR_INPUT},
    {"alg none", "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"k1\"}", PLAIN, BY_KEY, ERR_INPUT},
    {"RS256", "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}", PLAIN, BY_KEY, ERR_INPUT},
    {"ES384", "{\"alg\":\"ES384\",\"typ\":\"JWT\",\"kid\":\"k1\"}", PLAIN, BY_KEY, ERR_INPUT},
    {"HS256", "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}", PLAIN, BY_KEY, ERR_INPUT},
    {"jku", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jku\":\"https://x\"}", PLAIN, BY_KEY, ERR_INPUT},
    {"jwk", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"jwk\":{}}", PLAIN, BY_KEY, ERR_INPUT},
    {"crit", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":[\"x\"]}", PLAIN, BY_KEY, ERR_INPUT},
    {"a member more", "{\"alg\":\"ES256\",\"kid\":\"k1\",\"x\":\"y\"}", PLAIN, BY_KEY, ERR_INPUT},
    {"no kid", "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", PLAIN, BY_KEY, ERR_NOTFOUND},
    {"unknown kid", "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k2\"}", PLAIN, BY_KEY,
     ERR_NOTFOUND},
    {"a WIT key", "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"w1\"}", PLAIN, BY_WIT,
     ERR_NOTFOUND},
    {"a WIT key under our kid", HEAD, PLAIN, BY_WIT, ERR_DENIED},
    {"another domain's key", HEAD, PLAIN, BY_OTHER, ERR_DENIED},
    {"its own domain's key", HEAD, "{\"sub\":\"spiffe://other/x\"," REST "}", BY_OTHER, ERR_NONE},
    {"ours for another domain", HEAD, "{\"sub\":\"spiffe://other/x\"," REST "}", BY_KEY,
     ERR_DENIED},
    {"unknown domain", HEAD, "{\"sub\":\"spiffe://third/x\"," REST "}", BY_KEY, ERR_NOTFOUND},
    {"no sub", HEAD, "{" REST "}", BY_KEY, ERR_INPUT},
    {"sub without path", HEAD, "{\"sub\":\"spiffe://td\"," REST "}", BY_KEY, ERR_INPUT},
    {"sub of another kind", HEAD, "{\"sub\":\"alice\"," REST "}", BY_KEY, ERR_INPUT},
    {"sub a list", HEAD, "{\"sub\":[\"spiffe://td/x\"]," REST "}", BY_KEY, ERR_INPUT},
    {"sub twice", HEAD, "{" SUB "," SUB "," REST "}", BY_KEY, ERR_INPUT},
    {"sub in upper case", HEAD, "{\"sub\":\"spiffe://TD/x\"," REST "}", BY_KEY, ERR_INPUT},
    {"no aud", HEAD, "{" SUB ",\"exp\":1790000100}", BY_KEY, ERR_DENIED},
    {"aud of another", HEAD, "{" SUB ",\"aud\":\"b\",\"exp\":1790000100}", BY_KEY, ERR_DENIED},
    {"aud empty list", HEAD, "{" SUB ",\"aud\":[],\"exp\":1790000100}", BY_KEY, ERR_DENIED},
    {"aud of two", HEAD, "{" SUB ",\"aud\":[\"a\",\"b\"],\"exp\":1790000100}", BY_KEY, ERR_DENIED},
    {"aud the same twice", HEAD, "{" SUB ",\"aud\":[\"a\",\"a\"],\"exp\":1790000100}", BY_KEY,
     ERR_DENIED},
    {"aud an object", HEAD, "{" SUB ",\"aud\":{\"a\":1},\"exp\":1790000100}", BY_KEY, ERR_DENIED},
    {"no exp", HEAD, "{" SUB ",\"aud\":\"a\"}", BY_KEY, ERR_INPUT},
    {"exp a string", HEAD, "{" SUB ",\"aud\":\"a\",\"exp\":\"1790000100\"}", BY_KEY, ERR_INPUT},
    {"exp a float", HEAD, "{" SUB ",\"aud\":\"a\",\"exp\":1790000100.5}", BY_KEY, ERR_INPUT},
    {"exp 1e400", HEAD, "{" SUB ",\"aud\":\"a\",\"exp\":1e400}", BY_KEY, ERR_INPUT},
    {"exp negative", HEAD, "{" SUB ",\"aud\":\"a\",\"exp\":-1}", BY_KEY, ERR_INPUT},
    {"expired", HEAD, "{" SUB ",\"aud\":\"a\",\"exp\":1789999990}", BY_KEY, ERR_DENIED},
    {"for a year", HEAD, "{" SUB ",\"aud\":\"a\",\"exp\":1821536000}", BY_KEY, ERR_DENIED},
    {"not yet", HEAD, "{" SUB "," REST ",\"nbf\":1790000011}", BY_KEY, ERR_DENIED},
    {"claims a list", HEAD, "[]", BY_KEY, ERR_INPUT},
    {"claims empty", HEAD, "", BY_KEY, ERR_INPUT},
};

static void test_rows(void **state)
{
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct jwt_svid svid;
        const struct key *by = rows[i].by == BY_KEY     ? w.key
                               : rows[i].by == BY_OTHER ? w.other
                                                        : w.wit;
        str token = forge(&w.a, by, str_z(rows[i].header), str_z(rows[i].claims));
        bool ok = jwt_svid_verify(&w.a, token, &w.trusted, S("a"), NOW, &svid, &err);
        if (ok != (rows[i].kind == ERR_NONE) || err.kind != rows[i].kind)
            fail_msg("%s: %s (kind %d)", rows[i].name, ok ? "accepted" : err.text, err.kind);
    }
    struct err err = {0};
    struct jwt_svid svid;
    str good = forge(&w.a, w.key, S(HEAD), S(PLAIN));
    static const char *const bad[] = {
        "", ".", "..", "...", "a.b", "{\"payload\":\"\"}", "a.b.c.d.e", "%.e30.x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        NO(ERR_INPUT, jwt_svid_verify(&w.a, str_z(bad[i]), &w.trusted, S("a"), NOW, &svid, &err));
    static const char *const tails[] = {".", "=", ".x", " ", "\n", "A"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        NO(ERR_INPUT, jwt_svid_verify(&w.a, str_fmt(&w.a, "%.*s%s", STR(good), tails[i]),
                                      &w.trusted, S("a"), NOW, &svid, &err));
    str big = str_of(arena_alloc(&w.a, 1 << 20), 1 << 20);
    NO(ERR_LIMIT, jwt_svid_verify(&w.a, big, &w.trusted, S("a"), NOW, &svid, &err));
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mint_and_verify),
        cmocka_unit_test(test_mint_refused),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
