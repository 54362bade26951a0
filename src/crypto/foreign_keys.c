/* Reading of JWK Sets of others: the part of foreign.h that strangers feed. */
#include "base/hex.h"
#include "crypto/foreign.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

/* What became of one entry. */
enum verdict { ENTRY_BAD = 0, ENTRY_PASSED_OVER, ENTRY_TAKEN };

/* ---- which key, and its algorithm ---- */

enum kind { KIND_NONE = 0, KIND_RSA, KIND_EC, KIND_ED25519 };
static const struct shape {
    const char *kty, *crv; /* crv NULL: has none */
    enum kind kind;
    const char *group;
    size_t field;
    unsigned algorithms;
} SHAPES[] = {
    {"RSA", NULL, KIND_RSA, NULL, 0, JWA_SET_RSA},
    {"EC", "P-256", KIND_EC, "P-256", 32, 1u << JWA_ES256},
    {"EC", "P-384", KIND_EC, "P-384", 48, 1u << JWA_ES384},
    {"EC", "P-521", KIND_EC, "P-521", 66, 1u << JWA_ES512},
    {"OKP", "Ed25519", KIND_ED25519, NULL, 32, 1u << JWA_EDDSA},
};

static const struct shape *shape_of(const json *jwk)
{
    str kty = json_get_str(jwk, S("kty")), crv = json_get_str(jwk, S("crv"));
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        if (str_eq(kty, str_z(SHAPES[i].kty)) &&
            (!SHAPES[i].crv || str_eq(crv, str_z(SHAPES[i].crv))))
            return &SHAPES[i];
    return NULL;
}

static bool is_for_signatures(const json *jwk, str use)
{
    const json *u = json_get(jwk, S("use")), *ops = json_get(jwk, S("key_ops")), *op;
    bool verify = !ops;
    if (use.n ? !str_eq(json_str(u), use) : u && !str_eq(json_str(u), S("sig")))
        return false;
    if (json_type(ops) == JSON_ARRAY)
        for (struct json_iter it = json_iter(ops); json_next(&it, NULL, &op);)
            verify |= str_eq(json_str(op), S("verify"));
    return verify;
}

static enum verdict choose_algorithm(const json *jwk, const struct shape *shape,
                                     const struct foreign_rules *rules, enum jwa *out,
                                     struct err *err)
{
    const json *v = json_get(jwk, S("alg"));
    enum jwa alg = jwa_parse(json_str(v));
    if (v && json_type(v) != JSON_STRING) {
        err_input(err, "alg is not a string");
        return ENTRY_BAD;
    }
    if (!v)
        for (unsigned i = JWA_NONE + 1; i < JWA_COUNT; i++)
            if (shape->algorithms == 1u << i)
                alg = (enum jwa)i;
    if (!v && shape->kind == KIND_RSA)
        alg = rules->rsa;
    if (alg == JWA_NONE || !(rules->algorithms & 1u << alg))
        return ENTRY_PASSED_OVER;
    if (!(shape->algorithms & 1u << alg)) {
        err_input(err, "alg %s is not one for a key of this kind", jwa_name(alg));
        return ENTRY_BAD;
    }
    *out = alg;
    return ENTRY_TAKEN;
}

/* ---- numbers ---- */

/* RFC 7518 section 6.2.1.2: as long as the field, leading zeros and all. */
static bool coordinate(struct arena *a, const json *jwk, str name, size_t field, uint8_t *out,
                       struct err *err)
{
    str bytes;
    if (!base64url_decode(a, json_get_str(jwk, name), &bytes) || bytes.n != field)
        return err_input(err, "%.*s is not %zu bytes of base64url", STR(name), field);
    memcpy(out, bytes.p, field);
    return true;
}

/* Base64urlUInt (RFC 7518 section 2): no leading zeros, so that a key has one spelling. */
static bool number(struct arena *a, const json *jwk, str name, size_t max, BIGNUM **out,
                   struct err *err)
{
    str bytes;
    if (!base64url_decode(a, json_get_str(jwk, name), &bytes) || bytes.n == 0 || bytes.n > max ||
        bytes.p[0] == 0)
        return err_input(err, "%.*s is not a number in base64url", STR(name));
    *out = BN_bin2bn((const unsigned char *)bytes.p, (int)bytes.n, NULL);
    if (!*out)
        abort();
    return true;
}

/* Keys of a defective library, whose modulus is a power of 65537 modulo every small prime (Nemec et
 * al., The Return of Coppersmith's Attack, 2017). Others pass all of these with chance 2^-28. */
static bool is_roca(const BIGNUM *n)
{
    static const uint8_t PRIMES[] = {
        3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
        73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    for (size_t i = 0; i < sizeof PRIMES; i++) {
        unsigned p = PRIMES[i], power = 1, rest = (unsigned)BN_mod_word(n, p);
        do
            power = power * 65537 % p;
        while (power != 1 && power != rest);
        if (power != rest)
            return false;
    }
    return true;
}

/* ---- keys ---- */

static EVP_PKEY *of_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static enum verdict rsa_key(struct arena *a, const json *jwk, EVP_PKEY **out, struct err *err)
{
    BIGNUM *n = NULL, *e = NULL;
    enum verdict v = ENTRY_BAD;
    if (number(a, jwk, S("n"), FOREIGN_RSA_BITS_MAX / 8, &n, err) &&
        number(a, jwk, S("e"), 8, &e, err)) {
        int bits = BN_num_bits(n);
        v = ENTRY_PASSED_OVER;
        if (bits >= FOREIGN_RSA_BITS_MIN && BN_is_odd(n) && BN_is_odd(e) && BN_num_bits(e) > 16 &&
            !is_roca(n)) {
            OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
            OSSL_PARAM *params = NULL;
            if (b && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) == 1)
                params = OSSL_PARAM_BLD_to_param(b);
            *out = params ? of_params("RSA", params) : NULL;
            OSSL_PARAM_free(params);
            OSSL_PARAM_BLD_free(b);
            v = *out ? ENTRY_TAKEN : ENTRY_BAD;
            if (!*out)
                err_input(err, "not an RSA key");
        }
    }
    BN_free(n);
    BN_free(e);
    return v;
}

static bool ec_key(struct arena *a, const json *jwk, const struct shape *shape, EVP_PKEY **out,
                   struct err *err)
{
    uint8_t point[1 + 2 * 66] = {4};
    size_t field = shape->field;
    if (!coordinate(a, jwk, S("x"), field, point + 1, err) ||
        !coordinate(a, jwk, S("y"), field, point + 1 + field, err))
        return false;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                         (char *)(uintptr_t)shape->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * field),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pkey = of_params("EC", params);
    EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
    bool ok = ctx && EVP_PKEY_public_check_quick(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok) {
        EVP_PKEY_free(pkey);
        return err_input(err, "not a point on %s", shape->group);
    }
    *out = pkey;
    return true;
}

static bool ed25519_key(struct arena *a, const json *jwk, EVP_PKEY **out, struct err *err)
{
    uint8_t raw[32];
    if (!coordinate(a, jwk, S("x"), sizeof raw, raw, err))
        return false;
    *out = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, raw, sizeof raw);
    return *out || err_input(err, "not an Ed25519 key");
}

static enum verdict make_key(struct arena *a, const json *jwk, const struct shape *shape,
                             EVP_PKEY **out, struct err *err)
{
    enum verdict v = ENTRY_BAD;
    switch (shape->kind) {
    case KIND_NONE:
        break;
    case KIND_RSA:
        v = rsa_key(a, jwk, out, err);
        break;
    case KIND_EC:
        v = ec_key(a, jwk, shape, out, err) ? ENTRY_TAKEN : ENTRY_BAD;
        break;
    case KIND_ED25519:
        v = ed25519_key(a, jwk, out, err) ? ENTRY_TAKEN : ENTRY_BAD;
        break;
    }
    ERR_clear_error();
    return v;
}

/* ---- entries ---- */

/* Members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2, 6.4). */
static bool is_secret(const json *jwk)
{
    static const char *const PARTS[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        if (json_get(jwk, str_z(PARTS[i])))
            return true;
    return str_eq(json_get_str(jwk, S("kty")), S("oct"));
}

static bool read_kid(const json *jwk, str *out, struct err *err)
{
    const json *kid = json_get(jwk, S("kid"));
    str s = json_str(kid);
    if (kid && (s.n == 0 || s.n > JWS_KID_BYTES_MAX || !str_is_visible_ascii(s)))
        return err_input(err, "a kid is not 1 to %d visible ASCII characters", JWS_KID_BYTES_MAX);
    *out = s;
    return true;
}

static bool has_kid(const struct foreign_keys *set, str kid)
{
    for (size_t i = 0; i < set->n; i++)
        if (str_eq(str_of(set->items[i].kid, set->items[i].kid_n), kid))
            return true;
    return false;
}

static enum verdict add_entry(struct foreign_keys *set, struct arena *a, const json *jwk,
                              const struct foreign_rules *rules, struct err *err)
{
    struct foreign_key key = {0};
    str kid = {0};
    if (json_type(jwk) != JSON_OBJECT || is_secret(jwk)) {
        err_input(err, "an entry is not an object, or holds a secret key");
        return ENTRY_BAD;
    }
    const struct shape *shape = shape_of(jwk);
    if (!shape || !is_for_signatures(jwk, rules->use))
        return ENTRY_PASSED_OVER;
    if (!read_kid(jwk, &kid, err))
        return ENTRY_BAD;
    enum verdict v = choose_algorithm(jwk, shape, rules, &key.alg, err);
    if (v == ENTRY_TAKEN)
        v = make_key(a, jwk, shape, &key.pkey, err);
    if (v != ENTRY_TAKEN)
        return v;
    if (has_kid(set, kid) && kid.n)
        err_input(err, "two keys have the same kid");
    else if (set->n == FOREIGN_KEYS_MAX)
        err_limit(err, "over %d keys", FOREIGN_KEYS_MAX);
    else {
        key.kid_n = kid.n;
        if (kid.n)
            memcpy(key.kid, kid.p, kid.n);
        set->items[set->n++] = key;
        return ENTRY_TAKEN;
    }
    EVP_PKEY_free(key.pkey);
    return ENTRY_BAD;
}

/* A token could not say which of several it means. */
static void drop_nameless(struct foreign_keys *set)
{
    size_t kept = 0, n = set->n;
    for (size_t i = 0; n > 1 && i < n; i++) {
        if (set->items[i].kid_n) {
            set->items[kept++] = set->items[i];
            continue;
        }
        EVP_PKEY_free(set->items[i].pkey);
        set->passed_over++;
    }
    if (n > 1)
        set->n = kept;
}

bool foreign_keys_read(str text, const struct foreign_rules *rules, struct foreign_keys *out,
                       struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const struct json_limits limits = {
        .bytes_max = FOREIGN_BYTES_MAX, .depth_max = JWS_DEPTH_MAX, .values_max = 8192};
    struct foreign_keys set = {.items = calloc(FOREIGN_KEYS_MAX, sizeof *set.items)};
    const json *root, *jwk;
    if (!set.items)
        abort();
    bool ok = json_read(&a, text, &limits, &root, err);
    const json *keys = ok ? json_get(root, S("keys")) : NULL;
    if (ok && json_type(keys) != JSON_ARRAY)
        ok = err_input(err, "no list named keys");
    for (struct json_iter it = json_iter(keys); ok && json_next(&it, NULL, &jwk);) {
        enum verdict v = add_entry(&set, &a, jwk, rules, err);
        set.passed_over += v == ENTRY_PASSED_OVER;
        ok = v != ENTRY_BAD;
    }
    if (!ok) {
        foreign_keys_fini(&set);
        return err_in(err, "JWK Set");
    }
    drop_nameless(&set);
    *out = set;
    return true;
}

void foreign_keys_fini(struct foreign_keys *set)
{
    for (size_t i = 0; i < set->n; i++)
        EVP_PKEY_free(set->items[i].pkey);
    free(set->items);
    *set = (struct foreign_keys){0};
}

static bool same_key(const struct foreign_key *a, const struct foreign_key *b)
{
    bool same = a->alg == b->alg && EVP_PKEY_eq(a->pkey, b->pkey) == 1;
    ERR_clear_error();
    return same;
}

bool foreign_keys_same(const struct foreign_keys *a, const struct foreign_keys *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        bool found = false;
        for (size_t j = 0; j < b->n && !found; j++)
            found = a->items[i].kid_n == b->items[j].kid_n &&
                    memcmp(a->items[i].kid, b->items[j].kid, a->items[i].kid_n) == 0 &&
                    same_key(&a->items[i], &b->items[j]);
        if (!found)
            return false;
    }
    return true;
}
