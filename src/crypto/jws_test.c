#include "crypto/crypto_test.h"

static const int64_t NOW = 1790000000;

/* ---- making tokens that our own writer would not make ---- */

static str forge(struct arena *a, const struct key *key, str header, str payload)
{
    struct err err = {0};
    uint8_t sig[SIG_LEN];
    str text =
        str_fmt(a, "%.*s.%.*s", STR(base64url_dup(a, header)), STR(base64url_dup(a, payload)));
    OK(key_sign(key, text, sig, &err));
    return str_fmt(a, "%.*s.%.*s", STR(text), STR(base64url_dup(a, str_of((char *)sig, SIG_LEN))));
}

struct world {
    struct key *key;    /* private */
    struct keyset set;  /* its public half as "k1", and a stranger as "k2" */
    struct keyset lone; /* its public half without kid */
};

static void world_init(struct world *w)
{
    struct err err = {0};
    *w = (struct world){.key = new_key(KEY_ES256)};
    OK(keyset_add(&w->set, public_of(w->key), S("k1"), &err));
    OK(keyset_add(&w->set, new_key(KEY_ES256), S("k2"), &err)); /* private, to forge with */
    OK(keyset_add(&w->lone, public_of(w->key), (str){0}, &err));
}

static void world_fini(struct world *w)
{
    key_free(w->key);
    keyset_fini(&w->set);
    keyset_fini(&w->lone);
}

/* RFC 7515 appendix A.3. */
static void test_rfc7515(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct keyset set = {0};
    OK(keyset_read(&set,
                   S("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
                     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"),
                   (str){0}, &err));
    str token =
        S("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF"
          "tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5d"
          "jxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    struct jws jws;
    OK(jws_verify(&a, token, &set, S("JWT|"), &jws, &err));
    assert_true(str_starts(jws.payload, S("{\"iss\":\"joe\",\r\n")));
    NO(ERR_INPUT, jws_verify(&a, token, &set, S("JWT"), &jws, &err));
    keyset_fini(&set);
}

/* RFC 9449 section 4.1: a proof that carries its key. As a token it is refused. */
static void test_rfc9449(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    str proof = S(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0"
        "VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10"
        "NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoi"
        "UE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-"
        "GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg");
    struct jws jws;
    struct key *key;
    OK(jws_verify_proof(&a, proof, S("dpop+jwt"), &jws, &key, &err));
    struct key_id id = key_id(key);
    assert_true(str_eq(key_id_str(&id), S("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")));
    struct keyset lone = {0};
    OK(keyset_add(&lone, key, (str){0}, &err));
    NO(ERR_INPUT, jws_verify(&a, proof, &lone, S("dpop+jwt"), &jws, &err));
    NO(ERR_INPUT, jws_verify_proof(&a, proof, S("at+jwt"), &jws, &key, &err));
    struct world w;
    world_init(&w);
    struct buf b = {0};
    OK(jws_sign(w.key, S("k1"), S("dpop+jwt"), S("{}"), &b, &err));
    NO(ERR_INPUT, jws_verify_proof(&a, buf_str(&b), S("dpop+jwt"), &jws, &key, &err));
    struct buf jwk = {0};
    struct jw jw1 = jw(&jwk);
    key_write_jwk(&jw1, w.key, (str){0}, (str){0});
    str own = str_fmt(&a, "{\"alg\":\"ES256\",\"typ\":\"p\",\"jwk\":%.*s}", STR(buf_str(&jwk)));
    str kid = str_fmt(&a, "{\"alg\":\"ES256\",\"typ\":\"p\",\"kid\":\"k\",\"jwk\":%.*s}",
                      STR(buf_str(&jwk)));
    struct key *again;
    OK(jws_verify_proof(&a, forge(&a, w.key, own, S("{}")), S("p"), &jws, &again, &err));
    key_free(again);
    NO(ERR_INPUT, jws_verify_proof(&a, forge(&a, w.key, kid, S("{}")), S("p"), &jws, &again, &err));
    NO(ERR_DENIED, jws_verify_proof(&a, forge(&a, w.set.items[1].key, own, S("{}")), S("p"), &jws,
                                    &again, &err));
    buf_fini(&jwk);
    buf_fini(&b);
    world_fini(&w);
    keyset_fini(&lone);
}

static void test_sign_and_verify(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct world w;
    world_init(&w);
    struct buf b = {0};
    buf_put(&b, S("before "));
    OK(jws_sign(w.key, S("k1"), S("at+jwt"), S("any bytes \0 at all"), &b, &err));
    str token = str_skip(buf_str(&b), 7);
    struct jws jws;
    OK(jws_verify(&a, token, &w.set, S("at+jwt"), &jws, &err));
    assert_true(str_eq(jws.payload, S("any bytes \0 at all")));
    assert_true(str_eq(jws.kid, S("k1")) && str_eq(jws.typ, S("at+jwt")));
    assert_ptr_equal(jws.key, w.set.items[0].key);
    OK(jws_verify(&a, token, &w.lone, S("JWT|at+jwt"), &jws, &err));
    static const str wrong[] = {S(""),       S("|"),        S("at"),
                                S("AT+JWT"), S("at+jwt2|"), S("application/at+jwt")};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        NO(ERR_INPUT, jws_verify(&a, token, &w.set, wrong[i], &jws, &err));
    NO(ERR_NOTFOUND, jws_verify(&a, token, &(struct keyset){0}, S("at+jwt"), &jws, &err));
    struct key *ed = new_key(KEY_ED25519), *pub = public_of(w.key);
    size_t before = buf_len(&b);
    NO(ERR_INPUT, jws_sign(ed, S("k1"), S("at+jwt"), S("{}"), &b, &err));
    NO(ERR_INPUT, jws_sign(pub, S("k1"), S("at+jwt"), S("{}"), &b, &err));
    NO(ERR_INPUT, jws_sign(w.key, S("k1"), S(""), S("{}"), &b, &err));
    NO(ERR_INPUT, jws_sign(w.key, S("k 1"), S("at+jwt"), S("{}"), &b, &err));
    str large = str_of(arena_alloc(&a, JWS_BYTES_MAX), JWS_BYTES_MAX);
    NO(ERR_LIMIT, jws_sign(w.key, S("k1"), S("at+jwt"), large, &b, &err));
    assert_int_equal(buf_len(&b), before);
    NO(ERR_LIMIT,
       jws_verify(&a, str_of(large.p, JWS_BYTES_MAX + 1), &w.set, S("at+jwt"), &jws, &err));
    key_free(ed);
    key_free(pub);
    buf_fini(&b);
    world_fini(&w);
}

/* One token has one spelling: a change of any byte, and every cut, is refused. */
static void test_each_byte(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct world w;
    world_init(&w);
    struct buf b = {0};
    struct jws jws;
    OK(jws_sign(w.key, S("k1"), S("at+jwt"), S("{\"sub\":\"x\"}"), &b, &err));
    str good = buf_str(&b);
    char *p = arena_dup(&a, good.p, good.n);
    static const char other[] = {'A', '=', '\n', '.', '\0', '/', '+', ' '};
    for (size_t i = 0; i < good.n; i++) {
        for (size_t j = 0; j < sizeof other; j++) {
            p[i] = other[j];
            if (p[i] != good.p[i])
                assert_false(jws_verify(&a, str_of(p, good.n), &w.set, S("at+jwt"), &jws, &err));
        }
        p[i] = (char)(good.p[i] ^ 1);
        assert_false(jws_verify(&a, str_of(p, good.n), &w.set, S("at+jwt"), &jws, &err));
        p[i] = good.p[i];
        assert_false(jws_verify(&a, str_take(good, i), &w.set, S("at+jwt"), &jws, &err));
    }
    static const char *const tails[] = {".", "=", "==", "A", "AAAA", ".AAAA", " ", "\n"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        str t = str_fmt(&a, "%.*s%s", STR(good), tails[i]);
        assert_false(jws_verify(&a, t, &w.set, S("at+jwt"), &jws, &err));
    }
    OK(jws_verify(&a, good, &w.set, S("at+jwt"), &jws, &err));
    buf_fini(&b);
    world_fini(&w);
}

/* Headers under a signature that is good: only the first rows may pass. */
static const struct {
    const char *name;
    str header;
    enum err_kind kind;
} header_rows[] = {
    {"plain", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_NONE},
    {"another order, a thumbprint",
     S("{\"kid\":\"k1\",\"x5t#S256\":\"AA\",\"typ\":\"at+jwt\",\"alg\":\"ES256\"}"), ERR_NONE},
    {"alg none", S("{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"alg NONE", S("{\"alg\":\"NONE\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"alg missing", S("{\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"alg empty", S("{\"alg\":\"\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"alg list", S("{\"alg\":[\"ES256\"],\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"alg lower", S("{\"alg\":\"es256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"alg with NUL", S("{\"alg\":\"ES256\\u0000\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"HS256", S("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"ES384", S("{\"alg\":\"ES384\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"ES256K", S("{\"alg\":\"ES256K\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"EdDSA", S("{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"alg twice", S("{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"),
     ERR_INPUT},
    {"crit",
     S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"crit\":[\"exp\"],\"exp\":1}"),
     ERR_INPUT},
    {"crit empty", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"crit\":[]}"),
     ERR_INPUT},
    {"b64 false", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"b64\":false}"),
     ERR_INPUT},
    {"b64 true", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"b64\":true}"),
     ERR_INPUT},
    {"zip", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"zip\":\"DEF\"}"), ERR_INPUT},
    {"jku", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"jku\":\"https://x\"}"),
     ERR_INPUT},
    {"x5u", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"x5u\":\"https://x\"}"),
     ERR_INPUT},
    {"x5c", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"x5c\":[\"AA\"]}"), ERR_INPUT},
    {"jwk", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"jwk\":{}}"), ERR_INPUT},
    {"nested token", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"cty\":\"JWT\"}"),
     ERR_INPUT},
    {"enc", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\",\"enc\":\"A256GCM\"}"),
     ERR_INPUT},
    {"kid missing", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}"), ERR_NOTFOUND},
    {"kid empty", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"\"}"), ERR_NOTFOUND},
    {"kid number", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":1}"), ERR_INPUT},
    {"kid path", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"../../k1\"}"), ERR_NOTFOUND},
    {"kid SQL", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"x' OR 'k1'='k1\"}"),
     ERR_NOTFOUND},
    {"kid with NUL", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\\u0000\"}"),
     ERR_NOTFOUND},
    {"kid of another key", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k2\"}"), ERR_DENIED},
    {"typ missing", S("{\"alg\":\"ES256\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"typ empty", S("{\"alg\":\"ES256\",\"typ\":\"\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"typ of an ID token", S("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"typ of a proof", S("{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"kid\":\"k1\"}"), ERR_INPUT},
    {"typ with our separator", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt|x\",\"kid\":\"k1\"}"),
     ERR_INPUT},
    {"white space after", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}x"), ERR_INPUT},
    {"array", S("[\"ES256\"]"), ERR_INPUT},
    {"nothing", S(""), ERR_INPUT},
    {"bad UTF-8", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\xff\"}"), ERR_INPUT},
    {"a bell", S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\x07\"}"), ERR_INPUT},
};

static void test_headers(void **state)
{
    struct world w;
    world_init(&w);
    for (size_t i = 0; i < sizeof header_rows / sizeof *header_rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct jws jws;
        str token = forge(&a, w.key, header_rows[i].header, S("{}"));
        bool ok = jws_verify(&a, token, &w.set, S("at+jwt"), &jws, &err);
        if (ok != (header_rows[i].kind == ERR_NONE) || err.kind != header_rows[i].kind)
            fail_msg("%s: %s (kind %d)", header_rows[i].name, ok ? "accepted" : err.text, err.kind);
    }
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct jws jws;
    /* A demand of nothing is not a demand for no typ; an empty typ is not an absent one. */
    str no_typ = forge(&a, w.key, S("{\"alg\":\"ES256\",\"kid\":\"k1\"}"), S("{}"));
    str empty_typ = forge(&a, w.key, S("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"\"}"), S("{}"));
    OK(jws_verify(&a, no_typ, &w.set, S("JWT|"), &jws, &err));
    NO(ERR_INPUT, jws_verify(&a, no_typ, &w.set, S(""), &jws, &err));
    NO(ERR_INPUT, jws_verify(&a, empty_typ, &w.set, S("JWT|"), &jws, &err));
    char *spaces = arena_alloc(&a, JWS_HEADER_BYTES_MAX);
    memset(spaces, ' ', JWS_HEADER_BYTES_MAX);
    str big = str_fmt(&a, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}%.*s",
                      JWS_HEADER_BYTES_MAX, spaces);
    NO(ERR_LIMIT, jws_verify(&a, forge(&a, w.key, big, S("{}")), &w.set, S("at+jwt"), &jws, &err));
    world_fini(&w);
}

/* ---- sets ---- */

#define EC1                                                                                        \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\","      \
    "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\""
static const struct {
    const char *name;
    str text;
    int keys; /* -1: refused */
} set_rows[] = {
    {"empty", S("{\"keys\":[]}"), 0},
    {"one without kid", S("{\"keys\":[{" EC1 "}]}"), 1},
    {"two", S("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" EC1 ",\"kid\":\"b\"}]}"), 2},
    {"others are passed over",
     S("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\"},{\"kty\":\"oct\",\"k\":\"AA\"},{" EC1
       ",\"kid\":\"a\"},{" EC1 ",\"kid\":\"b\",\"use\":\"enc\"},{\"kty\":\"EC\",\"crv\":\"P-384\"},"
       "{" EC1 ",\"alg\":\"ECDH-ES\",\"kid\":\"c\"},{" EC1
       ",\"use\":\"jwt-svid\",\"kid\":\"d\"}]}"),
     2},
    {"duplicate kid", S("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" EC1 ",\"kid\":\"a\"}]}"), -1},
    {"without kid beside another", S("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" EC1 "}]}"), -1},
    {"another beside one without kid", S("{\"keys\":[{" EC1 "},{" EC1 ",\"kid\":\"a\"}]}"), -1},
    {"kid empty", S("{\"keys\":[{" EC1 ",\"kid\":\"\"}]}"), -1},
    {"kid number", S("{\"keys\":[{" EC1 ",\"kid\":7}]}"), -1},
    {"kid with a space", S("{\"keys\":[{" EC1 ",\"kid\":\"a b\"}]}"), -1},
    {"a private key", S("{\"keys\":[{" EC1 ",\"kid\":\"a\",\"d\":\"AA\"}]}"), -1},
    {"a broken key", S("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}"),
     -1},
    {"no keys", S("{}"), -1},
    {"keys is an object", S("{\"keys\":{}}"), -1},
    {"a key that is a string", S("{\"keys\":[\"x\"]}"), -1},
    {"not JSON", S("{\"keys\":[}"), -1},
};

static void test_sets(void **state)
{
    for (size_t i = 0; i < sizeof set_rows / sizeof *set_rows; i++) {
        struct err err = {0};
        struct keyset set = {0}, again = {0};
        bool ok = keyset_read(&set, set_rows[i].text, S("jwt-svid"), &err);
        if (ok != (set_rows[i].keys >= 0) || (ok && (int)set.n != set_rows[i].keys))
            fail_msg("%s: %zu keys, %s", set_rows[i].name, set.n, err.text);
        if (!ok)
            assert_int_equal(set.n, 0);
        struct buf b = {0};
        keyset_write(&set, &b);
        OK(keyset_read(&again, buf_str(&b), (str){0}, &err));
        assert_int_equal(again.n, set.n);
        for (size_t j = 0; j < set.n; j++)
            assert_true(key_same_public(set.items[j].key, again.items[j].key) &&
                        strcmp(set.items[j].kid, again.items[j].kid) == 0);
        buf_fini(&b);
        keyset_fini(&set);
        keyset_fini(&again);
    }
    struct err err = {0};
    struct keyset full = {0};
    struct key *k = new_key(KEY_ES256), *ed = new_key(KEY_ED25519);
    NO(ERR_INPUT, keyset_add(&full, ed, S("a"), &err));
    for (int i = 0; i < KEYSET_KEYS_MAX; i++) {
        char kid[16];
        snprintf(kid, sizeof kid, "k%d", i);
        OK(keyset_add(&full, public_of(k), str_z(kid), &err));
    }
    NO(ERR_LIMIT, keyset_add(&full, k, S("one-more"), &err));
    keyset_fini(&full);
    key_free(k);
    key_free(ed);
}

/* ---- claims ---- */

#define GOOD "\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":1790000100"
static const struct {
    const char *name;
    str claims;
    enum err_kind kind;
} claim_rows[] = {
    {"least", S("{" GOOD "}"), ERR_NONE},
    {"all",
     S("{" GOOD
       ",\"nbf\":1790000000,\"iat\":1790000000,\"sub\":\"o\",\"jti\":\"j\",\"client_id\":\"c\","
       "\"act\":{\"sub\":\"a\"},\"cnf\":{\"jkt\":\"x\"},\"authorization_details\":[],\"task\":{}}"),
     ERR_NONE},
    {"iat within the skew", S("{" GOOD ",\"iat\":1790000005}"), ERR_NONE},
    {"dead at exp plus skew", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":1789999995}"),
     ERR_DENIED},
    {"alive within the skew", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":1789999996}"),
     ERR_NONE},
    {"exp missing", S("{\"iss\":\"https://i\",\"aud\":\"https://g\"}"), ERR_INPUT},
    {"exp string", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":\"1790000100\"}"),
     ERR_INPUT},
    {"exp float", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":1790000100.5}"),
     ERR_INPUT},
    {"exp 1e400", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":1e400}"), ERR_INPUT},
    {"exp 1.79e9", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":1.7900001e9}"),
     ERR_INPUT},
    {"exp negative", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":-1}"), ERR_INPUT},
    {"exp beyond year 9999",
     S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":253402300800}"), ERR_INPUT},
    {"exp null", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":null}"), ERR_INPUT},
    {"exp true", S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":true}"), ERR_INPUT},
    {"exp beyond 64 bits",
     S("{\"iss\":\"https://i\",\"aud\":\"https://g\",\"exp\":18446744073709551616}"), ERR_INPUT},
    {"nbf ahead", S("{" GOOD ",\"nbf\":1790000006}"), ERR_DENIED},
    {"nbf negative", S("{" GOOD ",\"nbf\":-1790000000}"), ERR_INPUT},
    {"iat negative", S("{" GOOD ",\"iat\":-1}"), ERR_INPUT},
    {"nbf string", S("{" GOOD ",\"nbf\":\"0\"}"), ERR_INPUT},
    {"iat ahead", S("{" GOOD ",\"iat\":1790000006}"), ERR_DENIED},
    {"life too long", S("{" GOOD ",\"iat\":1789999000}"), ERR_DENIED},
    {"aud list", S("{\"iss\":\"https://i\",\"aud\":[\"https://g\"],\"exp\":1790000100}"),
     ERR_DENIED},
    {"aud object", S("{\"iss\":\"https://i\",\"aud\":{},\"exp\":1790000100}"), ERR_DENIED},
    {"aud longer", S("{\"iss\":\"https://i\",\"aud\":\"https://g/\",\"exp\":1790000100}"),
     ERR_DENIED},
    {"aud case", S("{\"iss\":\"https://i\",\"aud\":\"https://G\",\"exp\":1790000100}"), ERR_DENIED},
    {"aud missing", S("{\"iss\":\"https://i\",\"exp\":1790000100}"), ERR_DENIED},
    {"aud empty", S("{\"iss\":\"https://i\",\"aud\":\"\",\"exp\":1790000100}"), ERR_INPUT},
    {"iss other", S("{\"iss\":\"https://j\",\"aud\":\"https://g\",\"exp\":1790000100}"),
     ERR_DENIED},
    {"iss missing", S("{\"aud\":\"https://g\",\"exp\":1790000100}"), ERR_DENIED},
    {"iss list", S("{\"iss\":[\"https://i\"],\"aud\":\"https://g\",\"exp\":1790000100}"),
     ERR_INPUT},
    {"sub number", S("{" GOOD ",\"sub\":1}"), ERR_INPUT},
    {"act string", S("{" GOOD ",\"act\":\"a\"}"), ERR_INPUT},
    {"cnf list", S("{" GOOD ",\"cnf\":[]}"), ERR_INPUT},
    {"details object", S("{" GOOD ",\"authorization_details\":{}}"), ERR_INPUT},
    {"duplicate member", S("{" GOOD ",\"exp\":1790000100}"), ERR_INPUT},
    {"duplicate deep down", S("{" GOOD ",\"act\":{\"sub\":\"a\",\"sub\":\"b\"}}"), ERR_INPUT},
    {"deep", S("{" GOOD ",\"x\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}"), ERR_LIMIT},
    {"NUL after", S("{" GOOD "}\0"), ERR_INPUT},
    {"bad UTF-8", S("{" GOOD ",\"sub\":\"\xff\"}"), ERR_INPUT},
    {"not an object", S("[]"), ERR_INPUT},
    {"nothing", S(""), ERR_INPUT},
};

static void test_claims(void **state)
{
    struct world w;
    world_init(&w);
    const struct jwt_want want = {.typ = S("at+jwt"),
                                  .iss = S("https://i"),
                                  .aud = S("https://g"),
                                  .now_s = NOW,
                                  .skew_s = 5,
                                  .life_s_max = 0};
    for (size_t i = 0; i < sizeof claim_rows / sizeof *claim_rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        struct jwt jwt;
        struct jwt_want mine = want;
        if (str_starts(str_z(claim_rows[i].name), S("life")))
            mine.life_s_max = 300;
        str token = forge(&a, w.key, S("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"),
                          claim_rows[i].claims);
        bool ok = jwt_verify(&a, token, &w.set, &mine, &jwt, &err);
        if (ok != (claim_rows[i].kind == ERR_NONE) || err.kind != claim_rows[i].kind)
            fail_msg("%s: %s (kind %d)", claim_rows[i].name, ok ? "accepted" : err.text, err.kind);
    }
    world_fini(&w);
}

/* What the caller leaves out denies; what he allows is allowed and no more. */
static void test_wants(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct jwt jwt;
    struct world w;
    world_init(&w);
    struct buf b = {0};
    OK(jwt_sign(w.key, S("k1"), S("at+jwt"),
                S("{\"iss\":\"https://i\",\"aud\":\"https://"
                  "g\",\"exp\":1790000100,\"sub\":\"o\",\"jti\":\"j\"}"),
                &b, &err));
    str token = buf_str(&b);
    const struct jwt_want good = {
        .typ = S("at+jwt"), .iss = S("https://i"), .aud = S("https://g"), .now_s = NOW};
    OK(jwt_verify(&a, token, &w.set, &good, &jwt, &err));
    assert_true(str_eq(jwt.sub, S("o")) && str_eq(jwt.jti, S("j")) && jwt.exp_s == NOW + 100 &&
                jwt.iat_s == -1 && jwt.nbf_s == -1 && !jwt.act && !jwt.client_id.n);
    assert_true(str_eq(json_get_str(jwt.claims, S("iss")), S("https://i")));
    struct jwt_want v = good;
    v.typ = (str){0};
    NO(ERR_INPUT, jwt_verify(&a, token, &w.set, &v, &jwt, &err));
    v = good, v.iss = (str){0};
    NO(ERR_DENIED, jwt_verify(&a, token, &w.set, &v, &jwt, &err));
    v.iss_any = true;
    OK(jwt_verify(&a, token, &w.set, &v, &jwt, &err));
    v = good, v.aud = (str){0};
    NO(ERR_DENIED, jwt_verify(&a, token, &w.set, &v, &jwt, &err));
    v = good, v.now_s = 0;
    NO(ERR_INPUT, jwt_verify(&a, token, &w.set, &v, &jwt, &err));
    v = good, v.skew_s = JWT_SKEW_S_MAX + 1;
    NO(ERR_INPUT, jwt_verify(&a, token, &w.set, &v, &jwt, &err));
    v = good, v.life_s_max = 1000;
    NO(ERR_DENIED, jwt_verify(&a, token, &w.set, &v, &jwt, &err));
    NO(ERR_INPUT, jwt_sign(w.key, S("k1"), S("at+jwt"), S("[]"), &b, &err));
    NO(ERR_INPUT, jwt_sign(w.key, S("k1"), S("at+jwt"), S("{\"a\":1,\"a\":1}"), &b, &err));
    buf_fini(&b);
    world_fini(&w);
}

static void test_aud_list(void **state)
{
    static const struct {
        str aud;
        bool ok;
    } rows[] = {
        {S("[\"https://g\"]"), true},
        {S("[\"x\",\"https://g\"]"), true},
        {S("\"https://g\""), true},
        {S("[]"), false},
        {S("[\"x\"]"), false},
        {S("[\"https://g\",1]"), false},
        {S("[[\"https://g\"]]"), false},
        {S("{\"a\":\"https://g\"}"), false},
        {S("[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","
           "\"a\",\"a\",\"https://g\"]"),
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err = {0};
        const json *claims;
        struct jwt jwt = {0};
        const struct jwt_want want = {
            .iss_any = true, .aud = S("https://g"), .aud_list = true, .now_s = NOW};
        OK(jwt_payload(&a, str_fmt(&a, "{\"exp\":1790000100,\"aud\":%.*s}", STR(rows[i].aud)),
                       &claims, &err));
        assert_int_equal(jwt_check(claims, &want, &jwt, &err), rows[i].ok);
        if (rows[i].ok)
            assert_true(str_eq(jwt.aud, S("https://g")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7515),         cmocka_unit_test(test_rfc9449),
        cmocka_unit_test(test_sign_and_verify), cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_headers),         cmocka_unit_test(test_sets),
        cmocka_unit_test(test_claims),          cmocka_unit_test(test_wants),
        cmocka_unit_test(test_aud_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
