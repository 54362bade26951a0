/* dpop_test: makes DPoP proofs as a client does, for the tests of this folder. */
#pragma once
#include "base/hex.h"
#include "call/dpop.h"
#include "crypto/jws.h"

#include <stdlib.h>

/* A proof with this header and these claims, signed by key. */
static inline str dpop_sign(struct arena *a, const struct key *key, str header, str claims)
{
    struct buf b = {0};
    struct err err;
    uint8_t sig[SIG_LEN];
    base64url_encode(&b, header);
    buf_putc(&b, '.');
    base64url_encode(&b, claims);
    if (!key_sign(key, buf_str(&b), sig, &err) ||
        !jws_end(str_of((const char *)sig, SIG_LEN), &b, &err))
        abort();
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static inline str dpop_jwk(struct arena *a, const struct key *key)
{
    uint8_t raw[KEY_RAW_MAX];
    key_to_raw(key, raw);
    return str_fmt(a, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                   STR(base64url_dup(a, str_of((const char *)raw + 1, 32))),
                   STR(base64url_dup(a, str_of((const char *)raw + 33, 32))));
}

static inline str dpop_header(struct arena *a, const struct key *key)
{
    return str_fmt(a, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":%.*s}",
                   STR(dpop_jwk(a, key)));
}

/* An honest proof. token empty: none; nonce empty: none. */
static inline str dpop_make(struct arena *a, const struct key *key, str jti, str htm, str htu,
                            str token, str nonce, int64_t iat_s)
{
    str more = {0};
    if (token.n) {
        struct hash h = sha256(token);
        more = str_fmt(a, ",\"ath\":\"%.*s\"", STR(base64url_dup(a, hash_str(&h))));
    }
    if (nonce.n)
        more = str_fmt(a, "%.*s,\"nonce\":\"%.*s\"", STR(more), STR(nonce));
    return dpop_sign(
        a, key, dpop_header(a, key),
        str_fmt(a, "{\"jti\":\"%.*s\",\"htm\":\"%.*s\",\"htu\":\"%.*s\",\"iat\":%lld%.*s}",
                STR(jti), STR(htm), STR(htu), (long long)iat_s, STR(more)));
}
