/* Any bytes as a token, as a proof of possession, as a header and as claims under a signature that
 * is good, and as a JWK Set. What is accepted must be what a second reading accepts, and its parts
 * must lie within limits. */
#include "crypto/jwt.h"
#include "base/hex.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct key *key;
static struct keyset lone;

static void begin(void)
{
    static const uint8_t DER[] = {
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
        0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27,
        0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
        0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
        0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20};
    struct err err;
    struct key *pub;
    uint8_t raw[KEY_RAW_MAX];
    if (!key_from_pkcs8(str_of((const char *)DER, sizeof DER), &key, &err))
        abort();
    size_t n = key_to_raw(key, raw);
    if (!key_from_raw(KEY_ES256, str_of((char *)raw, n), &pub, &err) ||
        !keyset_add(&lone, pub, (str){0}, &err))
        abort();
}

static void as_token(str in)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct jws jws;
    struct key *own;
    /* Nobody who lacks the key can write one. */
    if (jws_verify(&a, in, &lone, S("at+jwt|"), &jws, &err))
        abort();
    if (jws_verify_proof(&a, in, S("dpop+jwt"), &jws, &own, &err)) {
        if (key_is_private(own) || in.n > JWS_BYTES_MAX)
            abort();
        key_free(own);
    }
}

/* Signed as given: header is what precedes the first newline, claims the rest. */
static void as_signed(str in)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct jwt jwt;
    str header, claims;
    struct buf b = {0};
    uint8_t sig[SIG_LEN];
    if (in.n > JWS_BYTES_MAX || !str_cut(in, '\n', &header, &claims))
        return;
    base64url_encode(&b, header);
    buf_putc(&b, '.');
    base64url_encode(&b, claims);
    if (!key_sign(key, buf_str(&b), sig, &err) ||
        !jws_end(str_of((const char *)sig, SIG_LEN), &b, &err))
        abort();
    const struct jwt_want want = {.typ = S("at+jwt|"),
                                  .iss = S("i"),
                                  .aud = S("a"),
                                  .aud_list = true,
                                  .now_s = 1790000000,
                                  .skew_s = 5};
    if (jwt_verify(&a, buf_str(&b), &lone, &want, &jwt, &err) &&
        (jwt.exp_s <= want.now_s - want.skew_s || !str_eq(jwt.iss, want.iss) ||
         json_type(jwt.claims) != JSON_OBJECT))
        abort();
    buf_fini(&b);
}

static void as_set(str in)
{
    struct err err;
    struct keyset set = {0}, again = {0};
    if (keyset_read(&set, in, S("jwt-svid"), &err)) {
        struct buf b = {0};
        keyset_write(&set, &b);
        if (!keyset_read(&again, buf_str(&b), (str){0}, &err) || again.n != set.n)
            abort();
        buf_fini(&b);
    } else if (set.n) {
        abort();
    }
    keyset_fini(&set);
    keyset_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!key)
        begin();
    str in = str_of((const char *)data, size);
    as_token(in);
    as_signed(in);
    as_set(in);
    return 0;
}
