/* Tokens that were made to deceive our own verifier (jws.h), line by line of
 * docs/identity-adversarial.md: the signature, the spelling, the key. foreign_test has the same for
 * keys of others. */
#include "crypto/crypto_test.h"

#include <openssl/ec.h>
#include <openssl/x509.h>

#define HEADER "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"
#define CLAIMS "{\"sub\":\"x\"}"

struct world {
    struct arena a;
    struct key *key; /* private, "k1" of the set */
    struct keyset set;
    str good;
};

/* One that the verifier takes, so that each refusal below is for what was changed. */
static void world_init(struct world *w)
{
    struct err err = {0};
    struct buf b = {0};
    struct jws jws;
    *w = (struct world){.key = new_key(KEY_ES256)};
    OK(keyset_add(&w->set, public_of(w->key), S("k1"), &err));
    OK(jws_sign(w->key, S("k1"), S("at+jwt"), S(CLAIMS), &b, &err));
    w->good = str_dup(&w->a, buf_str(&b));
    OK(jws_verify(&w->a, w->good, &w->set, S("at+jwt"), &jws, &err));
    buf_fini(&b);
}

static void world_fini(struct world *w)
{
    key_free(w->key);
    keyset_fini(&w->set);
    arena_fini(&w->a);
}

static void refused(struct world *w, const char *what, str token)
{
    struct err err = {0};
    struct jws jws;
    if (jws_verify(&w->a, token, &w->set, S("at+jwt"), &jws, &err))
        fail_msg("%s: accepted", what);
    if (err.kind == ERR_NONE || !err.text[0] || str_find(str_z(err.text), S("eyJ")) >= 0)
        fail_msg("%s: no reason, or one that quotes the token: %s", what, err.text);
}

static str b64(struct world *w, const void *p, size_t n)
{
    return base64url_dup(&w->a, str_of(p, n));
}

static str text_of(struct world *w, const char *header)
{
    return str_fmt(&w->a, "%.*s.%.*s", STR(base64url_dup(&w->a, str_z(header))),
                   STR(base64url_dup(&w->a, S(CLAIMS))));
}

static str with_sig(struct world *w, const char *header, const void *sig, size_t n)
{
    return str_fmt(&w->a, "%.*s.%.*s", STR(text_of(w, header)), STR(b64(w, sig, n)));
}

/* ---- the signature ---- */

static const uint8_t ORDER[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* r + n and s + n name the same residues: written in 32 bytes they wrap, in 33 they are overlong.
 */
static void test_numbers_out_of_range(void **state)
{
    struct world w;
    struct err err = {0};
    uint8_t good[SIG_LEN];
    world_init(&w);
    OK(key_sign(w.key, text_of(&w, HEADER), good, &err));
    static const uint8_t zero[32] = {0}, one[32] = {[31] = 1};
    const struct {
        const char *name;
        const uint8_t *r, *s;
    } rows[] = {
        {"both zero", zero, zero},
        {"r zero", zero, good + 32},
        {"s zero", good, zero},
        {"r the order", ORDER, good + 32},
        {"s the order", good, ORDER},
        {"both the order", ORDER, ORDER},
        {"both one", one, one},
        {"r zero, s one", zero, one},
        {"r one, s the order", one, ORDER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t sig[SIG_LEN];
        memcpy(sig, rows[i].r, 32);
        memcpy(sig + 32, rows[i].s, 32);
        refused(&w, rows[i].name, with_sig(&w, HEADER, sig, sizeof sig));
    }
    uint8_t sum[SIG_LEN];
    memcpy(sum, good, sizeof sum);
    for (int i = 31, carry = 0; i >= 0; i--) {
        carry += good[32 + i] + ORDER[i];
        sum[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    refused(&w, "s plus the order", with_sig(&w, HEADER, sum, sizeof sum));
    world_fini(&w);
}

static void test_forms_of_a_signature(void **state)
{
    struct world w;
    struct err err = {0};
    uint8_t good[SIG_LEN], form[80] = {0};
    world_init(&w);
    OK(key_sign(w.key, text_of(&w, HEADER), good, &err));
    refused(&w, "no signature", with_sig(&w, HEADER, good, 0));
    refused(&w, "half of it", with_sig(&w, HEADER, good, 32));
    refused(&w, "a byte short", with_sig(&w, HEADER, good, 63));
    memcpy(form, good, 64);
    refused(&w, "a zero byte behind", with_sig(&w, HEADER, form, 65));
    memcpy(form + 1, good, 32);
    memcpy(form + 34, good + 32, 32);
    form[0] = form[33] = 0;
    refused(&w, "a zero byte before each number", with_sig(&w, HEADER, form, 66));
    /* DER, as OpenSSL makes it. */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    str text = text_of(&w, HEADER);
    size_t n = sizeof form;
    assert_true(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key_evp(w.key), NULL) == 1 &&
                EVP_DigestSign(ctx, form, &n, (const unsigned char *)text.p, text.n) == 1);
    EVP_MD_CTX_free(ctx);
    refused(&w, "DER", with_sig(&w, HEADER, form, n));
    world_fini(&w);
}

/* A symmetric algorithm, keyed with what everybody knows. */
static void test_hmac_with_our_public_key(void **state)
{
    struct world w;
    struct err err = {0};
    struct buf spki = {0};
    uint8_t raw[KEY_RAW_MAX], mac[EVP_MAX_MD_SIZE];
    size_t n;
    world_init(&w);
    OK(key_to_spki(w.set.items[0].key, &spki, &err));
    const str secrets[] = {buf_str(&spki), str_of((char *)raw, key_to_raw(w.set.items[0].key, raw)),
                           S("k1"), str_of("", 0)};
    static const char *const headers[] = {HEADER,
                                          "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        for (size_t k = 0; k < 2; k++) {
            str text = text_of(&w, headers[k]);
            assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secrets[i].p,
                                      secrets[i].n, (const unsigned char *)text.p, text.n, mac,
                                      sizeof mac, &n));
            refused(&w, headers[k], with_sig(&w, headers[k], mac, n));
            memcpy(mac + 32, mac, 32);
            refused(&w, headers[k], with_sig(&w, headers[k], mac, SIG_LEN));
        }
    buf_fini(&spki);
    world_fini(&w);
}

/* Keys of other curves and kinds never become ES256 keys, so nothing they signed verifies. */
static void test_keys_of_other_kinds(void **state)
{
    static const char *const curves[] = {"P-384", "P-521", "secp256k1"};
    struct err err = {0};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        EVP_PKEY *pkey = EVP_EC_gen(curves[i]);
        struct key *k;
        assert_non_null(pkey);
        NO(ERR_INPUT, key_from_evp(pkey, &k, &err));
        unsigned char *der = NULL;
        int n = i2d_PUBKEY(pkey, &der);
        NO(ERR_INPUT, key_from_spki(str_of((char *)der, (size_t)n), &k, &err));
        OPENSSL_free(der);
        EVP_PKEY_free(pkey);
    }
    struct keyset set = {0};
    /* A P-256 curve with the coordinates of a P-384 key. */
    NO(ERR_INPUT,
       keyset_read(&set,
                   S("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k1\",\"x\":"
                     "\"5m3KaAiwCRDlhT9pcUjZC1pETDBlPpJTS0iZJq9VDTHQcHZLcCc8QAVvs-4-G2d3\",\"y\":"
                     "\"5m3KaAiwCRDlhT9pcUjZC1pETDBlPpJTS0iZJq9VDTHQcHZLcCc8QAVvs-4-G2d3\"}]}"),
                   (str){0}, &err));
    assert_int_equal(set.n, 0);
}

/* ---- the spelling ---- */

/* The last character of a part carries bits that no byte has: all but one spelling of them. */
static void test_trailing_bits(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct world w;
    world_init(&w);
    for (int part = 0; part < 3; part++) {
        char *p = arena_dup(&w.a, w.good.p, w.good.n);
        size_t end = 0;
        for (int dots = 0; end < w.good.n && (dots += p[end] == '.') <= part; end++)
            ;
        char was = p[end - 1];
        for (size_t i = 0; i < 64; i++)
            if ((p[end - 1] = alphabet[i]) != was)
                refused(&w, "another last character", str_of(p, w.good.n));
    }
    world_fini(&w);
}

static void test_other_serialisations(void **state)
{
    struct world w;
    world_init(&w);
    str parts[3], rest = w.good;
    for (int i = 0; i < 3; i++) {
        ptrdiff_t dot = str_find(rest, S("."));
        parts[i] = dot < 0 ? rest : str_take(rest, (size_t)dot);
        rest = dot < 0 ? (str){0} : str_skip(rest, (size_t)dot + 1);
    }
    refused(&w, "flattened JSON",
            str_fmt(&w.a, "{\"payload\":\"%.*s\",\"protected\":\"%.*s\",\"signature\":\"%.*s\"}",
                    STR(parts[1]), STR(parts[0]), STR(parts[2])));
    refused(&w, "general JSON",
            str_fmt(&w.a,
                    "{\"payload\":\"%.*s\",\"signatures\":[{\"protected\":\"%.*s\","
                    "\"signature\":\"%.*s\"}]}",
                    STR(parts[1]), STR(parts[0]), STR(parts[2])));
    refused(&w, "five parts",
            str_fmt(&w.a, "%.*s.%.*s.%.*s.%.*s.%.*s", STR(parts[0]), STR(parts[1]), STR(parts[2]),
                    STR(parts[1]), STR(parts[2])));
    refused(&w, "detached payload", str_fmt(&w.a, "%.*s..%.*s", STR(parts[0]), STR(parts[2])));
    refused(&w, "no signature", str_fmt(&w.a, "%.*s.%.*s.", STR(parts[0]), STR(parts[1])));
    refused(&w, "two parts", str_fmt(&w.a, "%.*s.%.*s", STR(parts[0]), STR(parts[1])));
    refused(&w, "with its scheme", str_fmt(&w.a, "Bearer %.*s", STR(w.good)));
    refused(&w, "only dots", S(".."));
    refused(&w, "nothing", S(""));
    world_fini(&w);
}

static void test_a_token_of_a_megabyte(void **state)
{
    struct world w;
    world_init(&w);
    size_t n = 1 << 20;
    char *p = arena_alloc(&w.a, n);
    memset(p, 'A', n);
    refused(&w, "a million letters", str_of(p, n));
    memset(p, '.', n);
    refused(&w, "a million dots", str_of(p, n));
    memset(p, 'A', n);
    memcpy(p, w.good.p, w.good.n);
    refused(&w, "a good token and a tail", str_of(p, n));
    world_fini(&w);
}

/* ---- the key ---- */

/* The same kid in two sets (another tenant's, or the one before the rotation) is two keys. */
static void test_kid_of_another_set(void **state)
{
    struct world w;
    struct err err = {0};
    struct keyset tenant = {0};
    struct jws jws;
    world_init(&w);
    OK(keyset_add(&tenant, new_key(KEY_ES256), S("k1"), &err));
    NO(ERR_DENIED, jws_verify(&w.a, w.good, &tenant, S("at+jwt"), &jws, &err));
    keyset_fini(&tenant);
    OK(keyset_add(&tenant, public_of(w.key), S("k0"), &err));
    NO(ERR_NOTFOUND, jws_verify(&w.a, w.good, &tenant, S("at+jwt"), &jws, &err));
    keyset_fini(&tenant);
    NO(ERR_NOTFOUND, jws_verify(&w.a, w.good, &tenant, S("at+jwt"), &jws, &err));
    world_fini(&w);
}

/* A key for something else is not in the set: encryption, another use, another algorithm. */
static void test_use_of_a_key(void **state)
{
    static const char *const members[] = {
        "\"use\":\"enc\"",  "\"use\":\"x509-svid\"",  "\"use\":\"wit-svid\"",
        "\"use\":\"\"",     "\"alg\":\"ES384\"",      "\"alg\":\"ECDH-ES\"",
        "\"alg\":\"none\"", "\"key_ops\":[\"sign\"]", "\"key_ops\":[]",
    };
    struct world w;
    struct err err = {0};
    struct jws jws;
    world_init(&w);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        uint8_t raw[KEY_RAW_MAX];
        struct keyset set = {0};
        key_to_raw(w.key, raw);
        str text =
            str_fmt(&w.a,
                    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k1\",%s,\"x\":\"%.*s\","
                    "\"y\":\"%.*s\"}]}",
                    members[i], STR(b64(&w, raw + 1, 32)), STR(b64(&w, raw + 33, 32)));
        if (keyset_read(&set, text, (str){0}, &err) &&
            jws_verify(&w.a, w.good, &set, S("at+jwt"), &jws, &err))
            fail_msg("%s: accepted", members[i]);
        keyset_fini(&set);
    }
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_out_of_range),
        cmocka_unit_test(test_forms_of_a_signature),
        cmocka_unit_test(test_hmac_with_our_public_key),
        cmocka_unit_test(test_keys_of_other_kinds),
        cmocka_unit_test(test_trailing_bits),
        cmocka_unit_test(test_other_serialisations),
        cmocka_unit_test(test_a_token_of_a_megabyte),
        cmocka_unit_test(test_kid_of_another_set),
        cmocka_unit_test(test_use_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
