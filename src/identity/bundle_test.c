#include "base/hex.h"
#include "identity/forge_test.h"
#include "identity/x509_svid.h"

struct world {
    struct arena a;
    struct key *root, *jwt, *wit;
    str der;
    str x509, x509_rsa, x509_p521, jwt_jwk, wit_jwk; /* entries of a document */
};

static str jwk_text(struct arena *a, const struct key *k, str kid, str use)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    key_write_jwk(&w, k, kid, use);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static str b64(struct arena *a, str bytes, bool url)
{
    struct buf b = {0};
    if (url)
        base64url_encode(&b, bytes);
    else
        base64_encode(&b, bytes);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static str rsa_entry(struct arena *a)
{
    const struct forge ca = {.name = "rsa", GOOD_CA};
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    BIGNUM *n = NULL;
    unsigned char bytes[256];
    EVP_PKEY_get_bn_param(k, "n", &n);
    BN_bn2binpad(n, bytes, sizeof bytes);
    str modulus = b64(a, str_of((char *)bytes, sizeof bytes), true);
    str cert = b64(a, forge(a, &ca, k, NULL, NULL), false);
    str s = str_fmt(
        a,
        "{\"use\":\"x509-svid\",\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"AQAB\",\"x5c\":[\"%.*s\"]}",
        STR(modulus), STR(cert));
    BN_free(n);
    EVP_PKEY_free(k);
    return s;
}

static str p521_entry(struct arena *a)
{
    const struct forge ca = {.name = "p521", GOOD_CA};
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
    str cert = b64(a, forge(a, &ca, k, NULL, NULL), false);
    str s = str_fmt(a,
                    "{\"use\":\"x509-svid\",\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":"
                    "\"AA\",\"x5c\":[\"%.*s\"]}",
                    STR(cert));
    EVP_PKEY_free(k);
    return s;
}

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
    *w = (struct world){.root = new_key(), .jwt = new_key(), .wit = new_key()};
    OK(x509_make_root(&w->a, w->root, S("td"), (struct x509_span){FORGE_NOW, 3600}, &w->der, &err));
    str jwk = jwk_text(&w->a, w->root, (str){0}, S("x509-svid"));
    /* key_write_jwk names an alg; an authority has none, but a consumer does not mind. */
    w->x509 = str_fmt(&w->a, "%.*s,\"x5c\":[\"%.*s\"]}", (int)jwk.n - 1, jwk.p,
                      STR(b64(&w->a, w->der, false)));
    w->x509_rsa = rsa_entry(&w->a);
    w->x509_p521 = p521_entry(&w->a);
    w->jwt_jwk = jwk_text(&w->a, w->jwt, S("j1"), S("jwt-svid"));
    w->wit_jwk = jwk_text(&w->a, w->wit, S("w1"), S("wit-svid"));
}

static void world_fini(struct world *w)
{
    key_free(w->root);
    key_free(w->jwt);
    key_free(w->wit);
    arena_fini(&w->a);
}

static struct bundle *read_ok(str text)
{
    struct err err = {0};
    struct bundle *b = NULL;
    OK(bundle_read(S("td"), text, &b, &err));
    return b;
}

static void test_round_trip(void **state)
{
    struct world w;
    struct err err = {0};
    struct bundle *b = NULL;
    world_init(&w);
    OK(bundle_new(S("td"), &b, &err));
    assert_int_equal(bundle_sequence(b), -1);
    assert_int_equal(bundle_refresh_s(b), BUNDLE_REFRESH_S_DEFAULT);
    bundle_set_version(b, 7, 60);
    OK(bundle_add_x509(b, w.der, &err));
    OK(bundle_add_x509(b, w.der, &err));
    OK(bundle_add_jwt(b, w.jwt, S("j1"), &err));
    OK(bundle_add_wit(b, w.wit, S("w1"), &err));
    NO(ERR_INPUT, bundle_add_jwt(b, w.wit, S("j1"), &err));
    NO(ERR_INPUT, bundle_add_jwt(b, w.wit, S(""), &err));
    NO(ERR_INPUT, bundle_add_x509(b, S("no"), &err));
    struct buf out = {0}, again = {0};
    bundle_write(b, &out);
    assert_int_equal(str_find(buf_str(&out), S("\"d\"")), -1);
    struct bundle *r = read_ok(buf_str(&out));
    bundle_write(r, &again);
    assert_true(str_eq(buf_str(&out), buf_str(&again)));
    assert_true(bundle_same_keys(b, r));
    assert_int_equal(bundle_sequence(r), 7);
    assert_int_equal(bundle_refresh_s(r), 60);
    assert_int_equal(bundle_x509_count(r), 1);
    assert_true(str_eq(bundle_x509(r, 0), w.der));
    assert_true(key_same_public(keyset_find(bundle_jwt_keys(r), S("j1")), w.jwt));
    assert_true(key_same_public(keyset_find(bundle_wit_keys(r), S("w1")), w.wit));
    assert_false(key_is_private(keyset_find(bundle_jwt_keys(b), S("j1"))));
    assert_null(keyset_find(bundle_jwt_keys(r), S("w1")));
    NO(ERR_INPUT, bundle_read(S("TD"), buf_str(&out), &r, &err));
    bundle_free(b);
    bundle_free(r);
    buf_fini(&out);
    buf_fini(&again);
    world_fini(&w);
}

/* What an authority of another curve becomes, written and read again. */
static void test_p384(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct bundle *b = NULL, *again = NULL;
    struct buf text = {0};
    const struct forge ca = {.name = "p384", GOOD_CA};
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    OK(bundle_new(S("td"), &b, &err));
    OK(bundle_add_x509(b, forge(&a, &ca, k, NULL, NULL), &err));
    bundle_write(b, &text);
    assert_true(str_find(buf_str(&text), S("\"crv\":\"P-384\"")) > 0);
    OK(bundle_read(S("td"), buf_str(&text), &again, &err));
    assert_int_equal(bundle_x509_count(again), 1);
    assert_true(bundle_same_keys(b, again));
    EVP_PKEY_free(k);
    buf_fini(&text);
    bundle_free(b);
    bundle_free(again);
}

/* Documents; $X, $R, $P, $J, $W stand for the entries of the world. counts -1: refused. */
static const struct {
    const char *name, *text;
    int x509, jwt, wit;
} rows[] = {
    {"empty", "{\"keys\":[]}", 0, 0, 0},
    {"all", "{\"keys\":[$X,$R,$J,$W],\"spiffe_sequence\":0}", 2, 1, 1},
    {"the same twice", "{\"keys\":[$X,$X]}", 1, 0, 0},
    {"members of others", "{\"keys\":[$J],\"x\":{\"y\":[1.5]}}", 0, 1, 0},
    {"no use", "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"a\"}]}", 0, 0, 0},
    {"unknown use", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"ssh-svid\"}]}", 0, 0, 0},
    {"use in other letters", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"JWT-SVID\"}]}", 0, 0, 0},
    {"use sig", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"sig\",\"kid\":\"a\"}]}", 0, 0, 0},
    {"a kind not used here", "{\"keys\":[$P,$X]}", 1, 0, 0},
    {"RSA for tokens",
     "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"jwt-svid\",\"kid\":\"a\",\"n\":\"AA\",\"e\":\"AQAB\"}]"
     "}",
     0, 0, 0},
    {"no x5c", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"x509-svid\"}]}", 0, 0, 0},
    {"x5c empty", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[]}]}", 0, 0, 0},
    {"x5c a string", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":\"AA\"}]}", -1, 0,
     0},
    {"x5c not base64", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[\"A-_A\"]}]}", -1,
     0, 0},
    {"x5c not a certificate",
     "{\"keys\":[{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[\"AAAA\"]}]}", -1, 0, 0},
    {"x5c a number", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"x509-svid\",\"x5c\":[1]}]}", -1, 0, 0},
    {"no kid", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"jwt-svid\"}]}", -1, 0, 0},
    {"kid a number", "{\"keys\":[{\"kty\":\"EC\",\"use\":\"jwt-svid\",\"kid\":1}]}", -1, 0, 0},
    {"a kid twice", "{\"keys\":[$J,$J]}", -1, 0, 0},
    {"a broken key",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"use\":\"jwt-svid\","
     "\"kid\":\"a\"}]}",
     -1, 0, 0},
    {"no keys", "{\"spiffe_sequence\":1}", -1, 0, 0},
    {"keys an object", "{\"keys\":{}}", -1, 0, 0},
    {"an entry that is a string", "{\"keys\":[\"x\"]}", -1, 0, 0},
    {"a list", "[]", -1, 0, 0},
    {"nothing", "", -1, 0, 0},
    {"bytes after", "{\"keys\":[]}x", -1, 0, 0},
    {"keys twice", "{\"keys\":[],\"keys\":[]}", -1, 0, 0},
    {"sequence a string", "{\"keys\":[],\"spiffe_sequence\":\"1\"}", -1, 0, 0},
    {"sequence negative", "{\"keys\":[],\"spiffe_sequence\":-1}", -1, 0, 0},
    {"sequence a float", "{\"keys\":[],\"spiffe_sequence\":1.0}", -1, 0, 0},
    {"sequence an exponent", "{\"keys\":[],\"spiffe_sequence\":1e3}", -1, 0, 0},
    {"sequence over 63 bits", "{\"keys\":[],\"spiffe_sequence\":9223372036854775808}", -1, 0, 0},
    {"hint negative", "{\"keys\":[],\"spiffe_refresh_hint\":-60}", -1, 0, 0},
    {"hint over a year", "{\"keys\":[],\"spiffe_refresh_hint\":99999999}", -1, 0, 0},
    {"hint null", "{\"keys\":[],\"spiffe_refresh_hint\":null}", -1, 0, 0},
};

static str fill(struct world *w, const char *text)
{
    struct buf b = {0};
    for (const char *p = text; *p; p++) {
        if (*p != '$') {
            buf_putc(&b, *p);
            continue;
        }
        p++;
        buf_put(&b, *p == 'X'   ? w->x509
                    : *p == 'R' ? w->x509_rsa
                    : *p == 'P' ? w->x509_p521
                    : *p == 'J' ? w->jwt_jwk
                                : w->wit_jwk);
    }
    str s = str_dup(&w->a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static void test_rows(void **state)
{
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        struct bundle *b = NULL;
        bool ok = bundle_read(S("td"), fill(&w, rows[i].text), &b, &err);
        if (ok != (rows[i].x509 >= 0))
            fail_msg("%s: %s", rows[i].name, ok ? "accepted" : err.text);
        if (ok) {
            assert_int_equal(bundle_x509_count(b), rows[i].x509);
            assert_int_equal(bundle_jwt_keys(b)->n, rows[i].jwt);
            assert_int_equal(bundle_wit_keys(b)->n, rows[i].wit);
        } else {
            assert_null(b);
        }
        bundle_free(b);
    }
    world_fini(&w);
}

/* Entries that only a careless reader takes: a certificate of another key, of no CA, two of them.
 */
static void test_entries(void **state)
{
    struct world w;
    struct err err = {0};
    struct bundle *b = NULL;
    world_init(&w);
    str cert = b64(&w.a, w.der, false), other = jwk_text(&w.a, w.jwt, (str){0}, S("x509-svid"));
    str swapped = str_fmt(&w.a, "{\"keys\":[%.*s,\"x5c\":[\"%.*s\"]}]}", (int)other.n - 1, other.p,
                          STR(cert));
    NO(ERR_INPUT, bundle_read(S("td"), swapped, &b, &err));
    const struct x509_authority root = {w.root, w.der};
    struct spiffe_id id;
    str leaf;
    OK(spiffe_id_parse(S("spiffe://td/x"), &id, &err));
    OK(x509_issue_leaf(&w.a, &root, w.jwt, &id, (str){0}, (struct x509_span){FORGE_NOW, 60}, &leaf,
                       &err));
    str no_ca = str_fmt(&w.a, "{\"keys\":[%.*s,\"x5c\":[\"%.*s\"]}]}", (int)other.n - 1, other.p,
                        STR(b64(&w.a, leaf, false)));
    NO(ERR_DENIED, bundle_read(S("td"), no_ca, &b, &err));
    str own = jwk_text(&w.a, w.root, (str){0}, S("x509-svid"));
    str two = str_fmt(&w.a, "{\"keys\":[%.*s,\"x5c\":[\"%.*s\",\"?\"]}]}", (int)own.n - 1, own.p,
                      STR(cert));
    OK(bundle_read(S("td"), two, &b, &err));
    assert_int_equal(bundle_x509_count(b), 1);
    bundle_free(b);
    b = NULL;
    struct buf many = {0};
    buf_put(&many, S("{\"keys\":["));
    for (int i = 0; i <= BUNDLE_ENTRIES_MAX; i++)
        buf_printf(&many, "%s{\"kty\":\"x\"}", i ? "," : "");
    buf_put(&many, S("]}"));
    NO(ERR_LIMIT, bundle_read(S("td"), buf_str(&many), &b, &err));
    buf_clear(&many);
    while (buf_len(&many) <= BUNDLE_BYTES_MAX)
        buf_put(&many, S("                                "));
    NO(ERR_LIMIT, bundle_read(S("td"), buf_str(&many), &b, &err));
    buf_fini(&many);
    world_fini(&w);
}

/* Whole documents only: every cut and many changes of one byte. */
static void test_each_byte(void **state)
{
    struct world w;
    world_init(&w);
    str text = fill(&w, "{\"spiffe_sequence\":3,\"keys\":[$X,$J]}");
    char *p = arena_dup(&w.a, text.p, text.n);
    struct bundle *good = read_ok(text);
    for (size_t i = 0; i < text.n; i++) {
        struct err err;
        struct bundle *b = NULL;
        assert_false(bundle_read(S("td"), str_take(text, i), &b, &err));
        p[i] = (char)(text.p[i] ^ 1);
        /* What is still accepted has no key that was not there. */
        if (bundle_read(S("td"), str_of(p, text.n), &b, &err)) {
            for (size_t j = 0; j < bundle_x509_count(b); j++)
                assert_int_equal(bundle_x509(b, j).n, w.der.n);
            const struct keyset *keys = bundle_jwt_keys(b);
            for (size_t j = 0; j < keys->n; j++)
                assert_true(key_same_public(keys->items[j].key, w.jwt));
            bundle_free(b);
        }
        p[i] = text.p[i];
    }
    bundle_free(good);
    world_fini(&w);
}

static const struct {
    const char *name, *before, *after;
    enum err_kind kind;
    bool changed;
} merge_rows[] = {
    {"newer", "{\"keys\":[$X],\"spiffe_sequence\":1}", "{\"keys\":[$J],\"spiffe_sequence\":2}",
     ERR_NONE, true},
    {"newer, same keys", "{\"keys\":[$X],\"spiffe_sequence\":1}",
     "{\"keys\":[$X],\"spiffe_sequence\":9}", ERR_NONE, false},
    {"the same again, in another order", "{\"keys\":[$X,$R,$J],\"spiffe_sequence\":1}",
     "{\"keys\":[$J,$R,$X],\"spiffe_sequence\":1}", ERR_NONE, false},
    {"everything revoked", "{\"keys\":[$X,$J],\"spiffe_sequence\":1}",
     "{\"keys\":[],\"spiffe_sequence\":2}", ERR_NONE, true},
    {"older", "{\"keys\":[],\"spiffe_sequence\":2}", "{\"keys\":[$X],\"spiffe_sequence\":1}",
     ERR_DENIED, false},
    {"older, same keys", "{\"keys\":[$X],\"spiffe_sequence\":2}",
     "{\"keys\":[$X],\"spiffe_sequence\":1}", ERR_DENIED, false},
    {"same number, other keys", "{\"keys\":[],\"spiffe_sequence\":2}",
     "{\"keys\":[$X],\"spiffe_sequence\":2}", ERR_DENIED, false},
    {"number gone", "{\"keys\":[],\"spiffe_sequence\":2}", "{\"keys\":[$X]}", ERR_DENIED, false},
    {"never numbers", "{\"keys\":[$X]}", "{\"keys\":[$J]}", ERR_NONE, true},
    {"numbers begin", "{\"keys\":[$X]}", "{\"keys\":[$J],\"spiffe_sequence\":0}", ERR_NONE, true},
};

static void test_merge(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    for (size_t i = 0; i < sizeof merge_rows / sizeof *merge_rows; i++) {
        struct bundles set = {0};
        bool changed = false;
        OK(bundles_put(&set, read_ok(fill(&w, merge_rows[i].before)), &changed, &err));
        assert_true(changed);
        const struct bundle *before = bundles_get(&set, S("td"));
        struct bundle *after = read_ok(fill(&w, merge_rows[i].after));
        err = (struct err){0};
        bool ok = bundles_put(&set, after, &changed, &err);
        if (ok != (merge_rows[i].kind == ERR_NONE) || err.kind != merge_rows[i].kind ||
            (ok && changed != merge_rows[i].changed))
            fail_msg("%s: %s, changed %d", merge_rows[i].name, ok ? "taken" : err.text, changed);
        assert_ptr_equal(bundles_get(&set, S("td")), ok ? after : before);
        if (!ok)
            bundle_free(after);
        bundles_fini(&set);
    }
    world_fini(&w);
}

static void test_set(void **state)
{
    struct err err = {0};
    struct bundles set = {0};
    struct bundle *b = NULL;
    assert_null(bundles_get(&set, S("td")));
    assert_false(bundles_remove(&set, S("td")));
    for (int i = 0; i < BUNDLES_MAX; i++) {
        ARENA_SCOPE struct arena a = {0};
        OK(bundle_new(str_fmt(&a, "td%d", i), &b, &err));
        OK(bundles_put(&set, b, NULL, &err));
    }
    OK(bundle_new(S("td"), &b, &err));
    NO(ERR_LIMIT, bundles_put(&set, b, NULL, &err));
    assert_true(bundles_remove(&set, S("td7")));
    assert_null(bundles_get(&set, S("td7")));
    OK(bundles_put(&set, b, NULL, &err));
    assert_ptr_equal(bundles_get(&set, S("td")), b);
    assert_null(bundles_get(&set, S("TD")));
    assert_true(str_eq(bundle_trust_domain(b), S("td")));
    bundles_fini(&set);
    bundles_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_p384),
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_entries),
        cmocka_unit_test(test_each_byte),  cmocka_unit_test(test_merge),
        cmocka_unit_test(test_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
