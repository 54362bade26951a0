#include "crypto/foreign.h"
#include "crypto/crypto_test.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* ---- signers, with OpenSSL alone ---- */

struct signer {
    enum jwa alg;
    const char *kid, *hash, *crv;
    EVP_PKEY *pkey;
    int field;
};

static EVP_PKEY *rsa_of(unsigned bits)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
}

enum { RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EDDSA, SIGNERS };
struct world {
    struct arena a;
    struct signer s[SIGNERS];
    EVP_PKEY *rsa;
    struct foreign_keys all;
};

static str b64(struct arena *a, const unsigned char *p, size_t n)
{
    return base64url_dup(a, str_of((const char *)p, n));
}

static str number(struct arena *a, EVP_PKEY *pkey, const char *param, int width)
{
    unsigned char bytes[1024];
    BIGNUM *v = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &v), 1);
    int n = BN_bn2binpad(v, bytes, width ? width : BN_num_bytes(v));
    BN_free(v);
    return b64(a, bytes, (size_t)n);
}

/* The members of the key itself. */
static str key_members(struct arena *a, EVP_PKEY *pkey, const char *crv, int field)
{
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA)
        return str_fmt(a, "\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"",
                       STR(number(a, pkey, OSSL_PKEY_PARAM_RSA_N, 0)),
                       STR(number(a, pkey, OSSL_PKEY_PARAM_RSA_E, 0)));
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519) {
        unsigned char raw[32];
        size_t n = sizeof raw;
        EVP_PKEY_get_raw_public_key(pkey, raw, &n);
        return str_fmt(a, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%.*s\"",
                       STR(b64(a, raw, n)));
    }
    return str_fmt(a, "\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%.*s\",\"y\":\"%.*s\"", crv,
                   STR(number(a, pkey, OSSL_PKEY_PARAM_EC_PUB_X, field)),
                   STR(number(a, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, field)));
}

static str jwk_of(struct arena *a, const struct signer *s)
{
    return str_fmt(a, "{%.*s,\"kid\":\"%s\",\"alg\":\"%s\",\"use\":\"sig\"}",
                   STR(key_members(a, s->pkey, s->crv, s->field)), s->kid, jwa_name(s->alg));
}

/* The signature of text, in the form of JWS. */
static str sign_raw(struct arena *a, const struct signer *s, const char *hash, str text)
{
    unsigned char sig[1024], raw[132] = {0};
    size_t n = sizeof sig;
    EVP_PKEY_CTX *p;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(ctx, &p, hash, NULL, NULL, s->pkey, NULL), 1);
    if (1u << s->alg & (1u << JWA_PS256 | 1u << JWA_PS384 | 1u << JWA_PS512)) {
        EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    if (!s->crv)
        return str_of(arena_dup(a, sig, n), n);
    const unsigned char *at = sig;
    ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &at, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(es), raw, s->field);
    BN_bn2binpad(ECDSA_SIG_get0_s(es), raw + s->field, s->field);
    ECDSA_SIG_free(es);
    return str_of(arena_dup(a, raw, 2 * (size_t)s->field), 2 * (size_t)s->field);
}

static str token_of(struct arena *a, const struct signer *s, const char *header)
{
    str text = str_fmt(a, "%.*s.%.*s", STR(base64url_dup(a, str_z(header))),
                       STR(base64url_dup(a, S("{\"a\":1}"))));
    return str_fmt(a, "%.*s.%.*s", STR(text), STR(base64url_dup(a, sign_raw(a, s, s->hash, text))));
}

static str header_of(struct arena *a, const char *alg, const char *kid)
{
    return str_fmt(a, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", alg, kid);
}

static str good_token(struct arena *a, const struct signer *s)
{
    return token_of(a, s, header_of(a, jwa_name(s->alg), s->kid).p);
}

static bool read_keys(struct arena *a, const char *entries, const struct foreign_rules *rules,
                      struct foreign_keys *out, struct err *err)
{
    static const struct foreign_rules any = {.algorithms = JWA_SET_ALL};
    return foreign_keys_read(str_fmt(a, "{\"keys\":[%s]}", entries), rules ? rules : &any, out,
                             err);
}

static void world_init(struct world *w)
{
    struct err err = {0};
    *w = (struct world){.rsa = rsa_of(2048)};
    const struct signer all[SIGNERS] = {
        {JWA_RS256, "rs256", "SHA256", NULL, w->rsa, 0},
        {JWA_RS384, "rs384", "SHA384", NULL, w->rsa, 0},
        {JWA_RS512, "rs512", "SHA512", NULL, w->rsa, 0},
        {JWA_PS256, "ps256", "SHA256", NULL, w->rsa, 0},
        {JWA_PS384, "ps384", "SHA384", NULL, w->rsa, 0},
        {JWA_PS512, "ps512", "SHA512", NULL, w->rsa, 0},
        {JWA_ES256, "es256", "SHA256", "P-256", EVP_EC_gen("P-256"), 32},
        {JWA_ES384, "es384", "SHA384", "P-384", EVP_EC_gen("P-384"), 48},
        {JWA_ES512, "es512", "SHA512", "P-521", EVP_EC_gen("P-521"), 66},
        {JWA_EDDSA, "eddsa", NULL, NULL, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), 0},
    };
    memcpy(w->s, all, sizeof all);
    struct buf b = {0};
    for (size_t i = 0; i < SIGNERS; i++) {
        buf_put(&b, i ? S(",") : S(""));
        buf_put(&b, jwk_of(&w->a, &w->s[i]));
    }
    OK(read_keys(&w->a, str_dup(&w->a, buf_str(&b)).p, NULL, &w->all, &err));
    assert_int_equal(w->all.n, SIGNERS);
    buf_fini(&b);
}

static void world_fini(struct world *w)
{
    foreign_keys_fini(&w->all);
    EVP_PKEY_free(w->rsa);
    for (size_t i = ES256; i < SIGNERS; i++)
        EVP_PKEY_free(w->s[i].pkey);
    arena_fini(&w->a);
}

static bool verify(struct world *w, str token, struct err *err)
{
    struct jws jws;
    return foreign_verify(&w->a, token, &w->all, S("JWT|"), &jws, err);
}

/* ---- tokens ---- */

static void test_names(void **state)
{
    for (unsigned i = JWA_NONE + 1; i < JWA_COUNT; i++)
        assert_int_equal(jwa_parse(str_z(jwa_name((enum jwa)i))), i);
    static const char *const NONE[] = {"none", "None", "HS256", "es256", "", "RS256 ", "ES521"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++)
        assert_int_equal(jwa_parse(str_z(NONE[i])), JWA_NONE);
}

/* Each algorithm, whole; and no bit of it may change. */
static void test_every_algorithm(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    for (size_t i = 0; i < SIGNERS; i++) {
        struct jws jws;
        str token = good_token(&w.a, &w.s[i]);
        OK(foreign_verify(&w.a, token, &w.all, S("JWT|"), &jws, &err));
        assert_true(str_eq(jws.payload, S("{\"a\":1}")));
        assert_true(str_eq(jws.kid, str_z(w.s[i].kid)));
        assert_true(str_eq(jws.typ, S("JWT")));
        NO(ERR_INPUT, foreign_verify(&w.a, token, &w.all, S("at+jwt"), &jws, &err));
        NO(ERR_INPUT, foreign_verify(&w.a, token, &w.all, S(""), &jws, &err));
        NO(ERR_NOTFOUND,
           foreign_verify(&w.a, token, &(struct foreign_keys){0}, S("JWT"), &jws, &err));
        for (size_t k = 0; k < token.n; k += 3) {
            char *p = arena_dup(&w.a, token.p, token.n);
            p[k] ^= 1;
            if (verify(&w, str_of(p, token.n), &err) || verify(&w, str_take(token, k), &err))
                fail_msg("%s: changed at %zu and accepted", w.s[i].kid, k);
        }
    }
    world_fini(&w);
}

/* Every algorithm that a header can name, under every key: one of each row is right. */
static void test_one_key_one_algorithm(void **state)
{
    static const char *const NAMES[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
                                        "ES256", "ES384", "ES512", "EdDSA", "none",  "None",
                                        "NONE",  "HS256", "HS512", "ES521", "",      "rs256"};
    struct world w;
    struct err err = {0};
    world_init(&w);
    for (size_t signer = 0; signer < SIGNERS; signer++)
        for (size_t key = 0; key < SIGNERS; key++)
            for (size_t name = 0; name < sizeof NAMES / sizeof *NAMES; name++) {
                str header = header_of(&w.a, NAMES[name], w.s[key].kid);
                bool want = signer == key && name == key;
                if (verify(&w, token_of(&w.a, &w.s[signer], header.p), &err) != want)
                    fail_msg("signed %s under %s as %s: want %d", w.s[signer].kid, w.s[key].kid,
                             NAMES[name], want);
            }
    world_fini(&w);
}

/* HMAC keyed with what is public: the DER of the key, and its PEM. */
static void test_hmac_with_the_public_key(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    for (size_t i = 0; i < SIGNERS; i++) {
        unsigned char *der = NULL;
        int n = i2d_PUBKEY(w.s[i].pkey, &der);
        str text = str_fmt(&w.a, "%.*s.e30",
                           STR(base64url_dup(&w.a, header_of(&w.a, "HS256", w.s[i].kid))));
        unsigned char mac[64];
        size_t mac_n;
        assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, der, (size_t)n,
                                  (const unsigned char *)text.p, text.n, mac, sizeof mac, &mac_n));
        OPENSSL_free(der);
        NO(ERR_DENIED,
           verify(&w, str_fmt(&w.a, "%.*s.%.*s", STR(text), STR(b64(&w.a, mac, mac_n))), &err));
    }
    world_fini(&w);
}

/* Header and text: the rules of jws.h hold here too. %s: the kid of the key that signs. */
static const struct {
    const char *name, *header;
    bool ok;
} HEADERS[] = {
    {"no typ", "{\"alg\":\"RS256\",\"kid\":\"rs256\"}", true},
    {"x5t", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"x5t\":\"AA\"}", true},
    {"no kid", "{\"alg\":\"RS256\"}", false},
    {"empty kid", "{\"alg\":\"RS256\",\"kid\":\"\"}", false},
    {"kid of nobody", "{\"alg\":\"RS256\",\"kid\":\"rs25\"}", false},
    {"kid as path", "{\"alg\":\"RS256\",\"kid\":\"../../rs256\"}", false},
    {"kid as SQL", "{\"alg\":\"RS256\",\"kid\":\"' or '1'='1\"}", false},
    {"kid with NUL", "{\"alg\":\"RS256\",\"kid\":\"rs256\\u0000\"}", false},
    {"kid as list", "{\"alg\":\"RS256\",\"kid\":[\"rs256\"]}", false},
    {"no alg", "{\"kid\":\"rs256\"}", false},
    {"alg as number", "{\"alg\":1,\"kid\":\"rs256\"}", false},
    {"alg twice", "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"rs256\"}", false},
    {"kid twice", "{\"alg\":\"RS256\",\"kid\":\"es256\",\"kid\":\"rs256\"}", false},
    {"another typ", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"typ\":\"logout+jwt\"}", false},
    {"typ in capitals", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"typ\":\"jwt\"}", false},
    {"empty typ", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"typ\":\"\"}", false},
    {"crit", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"crit\":[\"exp\"]}", false},
    {"b64", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"b64\":false}", false},
    {"zip", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"zip\":\"DEF\"}", false},
    {"jku", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"jku\":\"https://x/\"}", false},
    {"x5u", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"x5u\":\"https://x/\"}", false},
    {"x5c", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"x5c\":[\"AA\"]}", false},
    {"jwk", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", false},
    {"not an object", "[\"alg\"]", false},
    {"a comment", "{\"alg\":\"RS256\",/**/\"kid\":\"rs256\"}", false},
    {"bad UTF-8", "{\"alg\":\"RS256\",\"kid\":\"rs256\",\"x5t\":\"\xff\"}", false},
};

static void test_headers(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++)
        if (verify(&w, token_of(&w.a, &w.s[RS256], HEADERS[i].header), &err) != HEADERS[i].ok)
            fail_msg("%s: want %d", HEADERS[i].name, HEADERS[i].ok);
    world_fini(&w);
}

/* One signature, other spellings of it. */
static void test_spellings(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    for (size_t i = 0; i < SIGNERS; i++) {
        str t = good_token(&w.a, &w.s[i]);
        const str others[] = {
            str_fmt(&w.a, "%.*s=", STR(t)),           str_fmt(&w.a, "%.*s ", STR(t)),
            str_fmt(&w.a, " %.*s", STR(t)),           str_fmt(&w.a, "%.*s\n", STR(t)),
            str_fmt(&w.a, "%.*s.", STR(t)),           str_fmt(&w.a, "%.*s.AA.AA", STR(t)),
            str_fmt(&w.a, "%.*sAAAA", STR(t)),        str_fmt(&w.a, "%.*s%%41", STR(t)),
            str_fmt(&w.a, "{\"a\":\"%.*s\"}", STR(t))};
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            if (verify(&w, others[k], &err))
                fail_msg("%s: spelling %zu accepted", w.s[i].kid, k);
    }
    /* ECDSA: as DER, and numbers out of range. */
    for (size_t i = ES256; i <= ES512; i++) {
        struct signer der = w.s[i];
        size_t n = 2 * (size_t)der.field;
        der.crv = NULL;
        assert_false(verify(&w, good_token(&w.a, &der), &err));
        str t = good_token(&w.a, &w.s[i]), head;
        head = str_take(t, t.n - (n * 4 + 2) / 3);
        static const int FILLS[] = {0x00, 0xff};
        for (size_t k = 0; k < 2; k++) {
            unsigned char sig[132];
            memset(sig, FILLS[k], n);
            NO(ERR_DENIED,
               verify(&w, str_fmt(&w.a, "%.*s%.*s", STR(head), STR(b64(&w.a, sig, n))), &err));
        }
    }
    char *big = arena_alloc(&w.a, 1 << 20);
    memset(big, 'A', 1 << 20);
    NO(ERR_LIMIT, verify(&w, str_of(big, 1 << 20), &err));
    world_fini(&w);
}

/* PSS with another salt, or another hash below. */
static void test_pss_parameters(void **state)
{
    struct world w;
    struct err err = {0};
    world_init(&w);
    for (size_t i = PS256; i <= PS512; i++)
        for (int salt = 0; salt < 3; salt++) {
            str text = str_fmt(
                &w.a, "%.*s.e30",
                STR(base64url_dup(&w.a, header_of(&w.a, jwa_name(w.s[i].alg), w.s[i].kid))));
            unsigned char sig[256];
            size_t n = sizeof sig;
            EVP_PKEY_CTX *p;
            EVP_MD_CTX *ctx = EVP_MD_CTX_new();
            EVP_DigestSignInit_ex(ctx, &p, w.s[i].hash, NULL, NULL, w.rsa, NULL);
            EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(p, salt == 0   ? 0
                                                : salt == 1 ? 20
                                                            : RSA_PSS_SALTLEN_DIGEST);
            if (salt == 2)
                EVP_PKEY_CTX_set_rsa_mgf1_md(p, EVP_sha1());
            EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n);
            EVP_MD_CTX_free(ctx);
            NO(ERR_DENIED,
               verify(&w, str_fmt(&w.a, "%.*s.%.*s", STR(text), STR(b64(&w.a, sig, n))), &err));
        }
    world_fini(&w);
}

/* ---- sets ---- */

enum fate { BAD, OVER, TAKEN };
#define EC256                                                                                      \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY\","      \
    "\"y\":\"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw\""
static const struct {
    const char *name, *jwk;
    enum fate fate;
} ENTRIES[] = {
    {"plain", "{" EC256 "}", TAKEN},
    {"with all", "{" EC256 ",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"a\"}", TAKEN},
    {"key_ops", "{" EC256 ",\"key_ops\":[\"sign\",\"verify\"]}", TAKEN},
    {"members that nobody knows", "{" EC256 ",\"x-tenant\":{\"a\":[1]}}", TAKEN},
    {"for encryption", "{" EC256 ",\"use\":\"enc\"}", OVER},
    {"use as list", "{" EC256 ",\"use\":[\"sig\"]}", OVER},
    {"for others", "{" EC256 ",\"use\":\"jwt-svid\"}", OVER},
    {"no verify", "{" EC256 ",\"key_ops\":[\"deriveKey\"]}", OVER},
    {"key_ops as text", "{" EC256 ",\"key_ops\":\"verify\"}", OVER},
    {"alg for encryption", "{" EC256 ",\"alg\":\"ECDH-ES\"}", OVER},
    {"alg of another curve", "{" EC256 ",\"alg\":\"ES384\"}", BAD},
    {"alg of RSA", "{" EC256 ",\"alg\":\"RS256\"}", BAD},
    {"alg as number", "{" EC256 ",\"alg\":256}", BAD},
    {"private", "{" EC256 ",\"d\":\"AA\"}", BAD},
    {"symmetric", "{\"kty\":\"oct\",\"k\":\"AAAA\"}", BAD},
    {"symmetric without its key", "{\"kty\":\"oct\"}", BAD},
    {"kid empty", "{" EC256 ",\"kid\":\"\"}", BAD},
    {"kid as number", "{" EC256 ",\"kid\":1}", BAD},
    {"kid with blank", "{" EC256 ",\"kid\":\"a b\"}", BAD},
    {"not an object", "[]", BAD},
    {"another curve", "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}", OVER},
    {"another type", "{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AA\"}", OVER},
    {"off the curve",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY\","
     "\"y\":\"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgm0\"}",
     BAD},
    {"short coordinate", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", BAD},
    {"RSA without e", "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"AQAB\"}", BAD},
    {"RSA with zeros before n",
     "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"AAEAAQ\",\"e\":\"AQAB\"}", BAD},
    {"RSA of 24 bits", "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", OVER},
};

static void test_entries(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    for (size_t i = 0; i < sizeof ENTRIES / sizeof *ENTRIES; i++) {
        struct err err = {0};
        struct foreign_keys set = {0};
        bool ok = read_keys(&a, ENTRIES[i].jwk, NULL, &set, &err);
        enum fate fate = !ok ? BAD : set.n ? TAKEN : OVER;
        if (fate != ENTRIES[i].fate || set.n + set.passed_over != (ok ? 1 : 0))
            fail_msg("%s: %d, want %d (%s)", ENTRIES[i].name, fate, ENTRIES[i].fate, err.text);
        foreign_keys_fini(&set);
    }
    static const char *const TEXTS[] = {
        "", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}", "null", "{\"keys\":[]}x"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct err err = {0};
        struct foreign_keys set = {0};
        static const struct foreign_rules any = {.algorithms = JWA_SET_ALL};
        NO(ERR_INPUT, foreign_keys_read(str_z(TEXTS[i]), &any, &set, &err));
    }
}

/* What the configuration of the issuer decides. */
static void test_rules(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct foreign_keys set = {0};
    EVP_PKEY *big = rsa_of(2048), *small = rsa_of(1024);
    str named = str_fmt(&a, "{%.*s,\"kid\":\"a\",\"alg\":\"PS256\"}",
                        STR(key_members(&a, big, NULL, 0))),
        bare = str_fmt(&a, "{%.*s,\"kid\":\"b\"}", STR(key_members(&a, big, NULL, 0))),
        weak = str_fmt(&a, "{%.*s,\"kid\":\"c\",\"alg\":\"RS256\"}",
                       STR(key_members(&a, small, NULL, 0)));
    static const struct foreign_rules any = {.algorithms = JWA_SET_ALL},
                                      rs = {.algorithms = JWA_SET_ALL, .rsa = JWA_RS256},
                                      none = {0}, ec = {.algorithms = JWA_SET_EC},
                                      svid = {.algorithms = JWA_SET_SVID, .use = S("jwt-svid")};
    const struct {
        const struct foreign_rules *rules;
        str jwk;
        enum jwa want;
    } rows[] = {
        {&any, named, JWA_PS256},
        {&any, bare, JWA_NONE},
        {&rs, bare, JWA_RS256},
        {&rs, named, JWA_PS256},
        {&ec, named, JWA_NONE},
        {&none, named, JWA_NONE},
        {&any, weak, JWA_NONE},
        {&rs, weak, JWA_NONE},
        {&svid, named, JWA_NONE},
        {&svid, S("{" EC256 "}"), JWA_NONE},
        {&svid, S("{" EC256 ",\"use\":\"sig\"}"), JWA_NONE},
        {&svid, S("{" EC256 ",\"use\":\"x509-svid\"}"), JWA_NONE},
        {&svid, S("{" EC256 ",\"use\":\"jwt-svid\"}"), JWA_ES256},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OK(read_keys(&a, str_dup(&a, rows[i].jwk).p, rows[i].rules, &set, &err));
        enum jwa got = set.n ? set.items[0].alg : JWA_NONE;
        if (got != rows[i].want)
            fail_msg("row %zu: %s, want %s", i, jwa_name(got), jwa_name(rows[i].want));
        foreign_keys_fini(&set);
    }
    EVP_PKEY_free(big);
    EVP_PKEY_free(small);
}

static void test_several(void **state)
{
    struct world w;
    struct err err = {0};
    struct foreign_keys set = {0}, other = {0};
    struct jws jws;
    world_init(&w);
    /* A kid twice, even of one key. */
    NO(ERR_INPUT, read_keys(&w.a,
                            str_fmt(&w.a, "%.*s,%.*s", STR(jwk_of(&w.a, &w.s[ES256])),
                                    STR(jwk_of(&w.a, &w.s[ES256])))
                                .p,
                            NULL, &set, &err));
    /* A lone key without kid verifies whatever kid the token names; beside another it is nobody. */
    str token = token_of(&w.a, &w.s[ES256], "{\"alg\":\"ES256\",\"kid\":\"whatever\"}");
    str bare = str_fmt(&w.a, "{%.*s}", STR(key_members(&w.a, w.s[ES256].pkey, "P-256", 32)));
    OK(read_keys(&w.a, bare.p, NULL, &set, &err));
    OK(foreign_verify(&w.a, token, &set, S("|"), &jws, &err));
    OK(read_keys(&w.a, str_fmt(&w.a, "%.*s,%.*s", STR(bare), STR(jwk_of(&w.a, &w.s[RS256]))).p,
                 NULL, &other, &err));
    assert_int_equal(other.n, 1);
    assert_int_equal(other.passed_over, 1);
    NO(ERR_NOTFOUND, foreign_verify(&w.a, token, &other, S("|"), &jws, &err));
    assert_false(foreign_keys_same(&set, &other));
    assert_true(foreign_keys_same(&set, &set));
    foreign_keys_fini(&set);
    foreign_keys_fini(&other);
    /* Too many. */
    struct buf b = {0};
    for (int i = 0; i <= FOREIGN_KEYS_MAX; i++)
        buf_printf(&b, "%s{" EC256 ",\"kid\":\"k%d\"}", i ? "," : "", i);
    NO(ERR_LIMIT, read_keys(&w.a, str_dup(&w.a, buf_str(&b)).p, NULL, &set, &err));
    buf_fini(&b);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_every_algorithm),
        cmocka_unit_test(test_one_key_one_algorithm),
        cmocka_unit_test(test_hmac_with_the_public_key),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_pss_parameters),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
