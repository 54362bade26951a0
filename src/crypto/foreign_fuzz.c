/* Any bytes as a JWK Set of another issuer, and as a token under a set that is good. What is taken
 * obeys the rules that it was read under; nothing verifies that nobody signed; a set is the same as
 * itself read again. */
#include "crypto/foreign.h"

#include <openssl/evp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char GOOD[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"alg\":\"ES256\","
    "\"x\":\"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY\","
    "\"y\":\"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw\"}]}";

static void check(const struct foreign_keys *set, const struct foreign_rules *rules)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct foreign_key *k = &set->items[i];
        bool rsa = 1u << k->alg & JWA_SET_RSA;
        int bits = EVP_PKEY_get_bits(k->pkey);
        if (!(rules->algorithms & 1u << k->alg) || (set->n > 1 && k->kid_n == 0) ||
            (rsa && (bits < FOREIGN_RSA_BITS_MIN || bits > FOREIGN_RSA_BITS_MAX)) ||
            rsa != (EVP_PKEY_get_base_id(k->pkey) == EVP_PKEY_RSA))
            abort();
        for (size_t j = 0; j < i; j++)
            if (k->kid_n == set->items[j].kid_n && !memcmp(k->kid, set->items[j].kid, k->kid_n))
                abort();
    }
}

static void as_set(str in, const struct foreign_rules *rules)
{
    struct err err;
    struct foreign_keys set = {0}, again = {0};
    if (!foreign_keys_read(in, rules, &set, &err)) {
        if (set.n || set.items)
            abort();
        return;
    }
    check(&set, rules);
    if (!foreign_keys_read(in, rules, &again, &err) || !foreign_keys_same(&set, &again))
        abort();
    foreign_keys_fini(&set);
    foreign_keys_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct foreign_rules OIDC = {.algorithms = JWA_SET_ALL, .rsa = JWA_RS256},
                                      SVID = {.algorithms = JWA_SET_SVID, .use = S("jwt-svid")};
    ARENA_SCOPE struct arena a = {0};
    struct foreign_keys good = {0};
    struct jws jws;
    struct err err;
    str in = str_of((const char *)data, size);
    as_set(in, &OIDC);
    as_set(in, &SVID);
    if (!foreign_keys_read(str_z(GOOD), &OIDC, &good, &err) ||
        foreign_verify(&a, in, &good, S("JWT|"), &jws, &err))
        abort();
    foreign_keys_fini(&good);
    return 0;
}
