/* key_impl: what key.c, key_form.c and keyset.c share; nobody else includes it. */
#pragma once
#include "crypto/key.h"

#include <openssl/evp.h>

struct key {
    EVP_PKEY *pkey;
    enum key_alg alg;
    bool is_private;
    size_t raw_n;
    uint8_t raw[KEY_RAW_MAX]; /* the public key, as key_to_raw gives it */
};

/* Takes the reference over in every case: on failure it is freed. Checks kind, curve and, for keys
 * from outside, that the public point is on the curve and the private part belongs to it. */
MUST_USE bool key_adopt(EVP_PKEY *pkey, bool is_private, struct key **out, struct err *err);

/* As key_from_jwk, where the member `use` may also be that. */
MUST_USE bool key_from_jwk_use(const json *jwk, str use, struct key **out, struct err *err);
