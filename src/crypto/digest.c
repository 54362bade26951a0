#include "crypto/digest.h"

static void put_length(uint8_t out[8], size_t n)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
}

struct hash call_digest(str task, str binding, str tool, str arguments)
{
    const str parts[] = {S("ambit call v1"), task, binding, tool, arguments};
    struct sha256 s;
    sha256_begin(&s);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint8_t length[8];
        put_length(length, parts[i].n);
        sha256_add(&s, str_of((const char *)length, sizeof length));
        sha256_add(&s, parts[i]);
    }
    return sha256_end(&s);
}

struct hash commitment(const uint8_t salt[SALT_LEN], str bytes)
{
    uint8_t length[8];
    put_length(length, bytes.n);
    const str parts[] = {str_of((const char *)salt, SALT_LEN),
                         str_of((const char *)length, sizeof length), bytes};
    return sha256_parts(parts, 3);
}

bool commitment_is(const struct hash *c, const uint8_t salt[SALT_LEN], str bytes)
{
    struct hash h = commitment(salt, bytes);
    return hash_eq(c, &h);
}
