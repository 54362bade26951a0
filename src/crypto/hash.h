/* hash: SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869), and wiping.
 *
 * The algorithms are fetched from OpenSSL once a process and never change afterwards, because a
 * fetch costs more than hashing a record. crypto_init() does that fetch where its failure can be
 * reported; a role calls it before it enters its sandbox. A process that never called it gets the
 * fetch at its first use. Apart from crypto_init nothing here fails: a library that cannot hash, or
 * an empty heap, ends the process, since nothing in Ambit may go on without its hashes.
 * Thread-safe; a struct sha256 belongs to one thread at a time. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { HASH_LEN = 32 };

/* By value everywhere; memcmp or hash_eq compares. */
struct hash {
    uint8_t b[HASH_LEN];
};

static inline str hash_str(const struct hash *h)
{
    return str_of((const char *)h->b, HASH_LEN);
}
/* Time does not depend on the contents. */
static inline bool hash_eq(const struct hash *a, const struct hash *b)
{
    return str_eq_secret(hash_str(a), hash_str(b));
}
enum { HASH_HEX_SIZE = 65 };
/* Lower-case hex with a NUL; returns out without the NUL. */
str hash_hex(const struct hash *h, char out[HASH_HEX_SIZE]);

/* Idempotent. Fails (ERR_SYSTEM) when OpenSSL lacks an algorithm that Ambit uses. */
MUST_USE bool crypto_init(struct err *err);

struct hash sha256(str bytes);
/* Of the parts one after another, with nothing between them: callers bring their own framing. */
struct hash sha256_parts(const str *parts, size_t n);

/* Incremental: begin, add..., then end or drop, each of which frees. */
struct sha256 {
    struct evp_md_ctx_st *ctx;
};
void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, str bytes);
struct hash sha256_end(struct sha256 *s);
void sha256_drop(struct sha256 *s); /* safe after end and on a zero value */

struct hash hmac_sha256(str key, str bytes);
struct hash hmac_sha256_parts(str key, const str *parts, size_t n);
/* n bytes of key material into out; n at most 255 * 32 (asserted). An empty salt is RFC 5869's
 * string of zeros. */
void hkdf_sha256(str key, str salt, str info, void *out, size_t n);

/* Zeroes memory in a way the compiler keeps. NULL and 0 are fine. */
void crypto_wipe(void *p, size_t n);
