/* crypto_test: what the unit tests of this folder share; included by them only. */
#pragma once
#include "base/hex.h"
#include "crypto/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* For calls that must work: prints why if they do not. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)
/* For calls that must be refused with that kind. */
#define NO(want, call)                                                                             \
    do {                                                                                           \
        err = (struct err){0};                                                                     \
        if (call)                                                                                  \
            fail_msg("%s: accepted", #call);                                                       \
        if (err.kind != (want) || !err.text[0])                                                    \
            fail_msg("%s: kind %d, %s", #call, (int)err.kind, err.text);                           \
    } while (0)

static inline str unhex(struct arena *a, const char *hex)
{
    str out;
    if (!hex_decode(a, str_z(hex), &out))
        fail_msg("bad hex in a test: %s", hex);
    return out;
}

static inline str hex_of(struct hash h)
{
    static _Thread_local char text[HASH_HEX_SIZE];
    return hash_hex(&h, text);
}

static inline struct key *new_key(enum key_alg alg)
{
    struct err err = {0};
    struct key *k = NULL;
    if (!key_generate(alg, &k, &err))
        fail_msg("%s", err.text);
    return k;
}

/* The public half alone. */
static inline struct key *public_of(const struct key *k)
{
    struct err err = {0};
    struct key *pub = NULL;
    uint8_t raw[KEY_RAW_MAX];
    size_t n = key_to_raw(k, raw);
    if (!key_from_raw(key_alg(k), str_of((const char *)raw, n), &pub, &err))
        fail_msg("%s", err.text);
    return pub;
}

/* A file of the third-party test data, into the arena; empty (and said so) where it is absent. */
static inline str shared_file(struct arena *a, const char *name)
{
    const char *root = getenv("AMBIT_SHARED");
    str path = str_fmt(a, "%s/%s", root ? root : "../shared", name);
    FILE *f = fopen(path.p, "rb");
    if (!f) {
        printf("SKIPPED: no %s (set AMBIT_SHARED to the folder of third-party test data)\n",
               path.p);
        return (str){0};
    }
    struct buf b = {0};
    size_t n;
    char chunk[4096];
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_put(&b, str_of(chunk, n));
    fclose(f);
    str text = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return text;
}
