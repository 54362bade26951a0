#include "crypto/hash.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

/* Written once, under pthread_once, and only read afterwards. */
static struct {
    EVP_MD *sha256;
    pthread_key_t context; /* of each thread, for sha256_parts */
    bool ok;
} algorithms;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void free_context(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void fetch(void)
{
    algorithms.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    algorithms.ok = algorithms.sha256 && pthread_key_create(&algorithms.context, free_context) == 0;
}

bool crypto_init(struct err *err)
{
    if (pthread_once(&fetched, fetch) != 0 || !algorithms.ok)
        return err_system(err, "OpenSSL offers no SHA-256: check its configuration");
    return true;
}

static const EVP_MD *md(void)
{
    struct err err;
    if (!crypto_init(&err))
        abort();
    return algorithms.sha256;
}

static void must(int ok)
{
    if (ok != 1)
        abort();
}

str hash_hex(const struct hash *h, char out[HASH_HEX_SIZE])
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_LEN; i++) {
        out[2 * i] = DIGITS[h->b[i] >> 4];
        out[2 * i + 1] = DIGITS[h->b[i] & 15];
    }
    out[2 * HASH_LEN] = 0;
    return str_of(out, 2 * HASH_LEN);
}

void sha256_begin(struct sha256 *s)
{
    s->ctx = EVP_MD_CTX_new();
    must(s->ctx != NULL);
    must(EVP_DigestInit_ex2(s->ctx, md(), NULL));
}

void sha256_add(struct sha256 *s, str bytes)
{
    if (bytes.n)
        must(EVP_DigestUpdate(s->ctx, bytes.p, bytes.n));
}

struct hash sha256_end(struct sha256 *s)
{
    struct hash h;
    must(EVP_DigestFinal_ex(s->ctx, h.b, NULL));
    sha256_drop(s);
    return h;
}

void sha256_drop(struct sha256 *s)
{
    EVP_MD_CTX_free(s->ctx);
    s->ctx = NULL;
}

struct hash sha256(str bytes)
{
    return sha256_parts(&bytes, 1);
}

/* One context for each thread: to make one costs as much as to hash a short text. */
static EVP_MD_CTX *own_context(void)
{
    const EVP_MD *sha = md();
    EVP_MD_CTX *ctx = pthread_getspecific(algorithms.context);
    if (!ctx) {
        ctx = EVP_MD_CTX_new();
        must(ctx != NULL);
        must(pthread_setspecific(algorithms.context, ctx) == 0);
    }
    must(EVP_DigestInit_ex2(ctx, sha, NULL));
    return ctx;
}

struct hash sha256_parts(const str *parts, size_t n)
{
    EVP_MD_CTX *ctx = own_context();
    struct hash h;
    for (size_t i = 0; i < n; i++)
        if (parts[i].n)
            must(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n));
    must(EVP_DigestFinal_ex(ctx, h.b, NULL));
    return h;
}

/* RFC 2104 over the hash above: OpenSSL's own HMAC looks its digest up by name on every call. */
static struct hash half(const uint8_t pad[64], uint8_t mask, const str *parts, size_t n)
{
    uint8_t block[64];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = pad[i] ^ mask;
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, str_of((const char *)block, sizeof block));
    for (size_t i = 0; i < n; i++)
        sha256_add(&s, parts[i]);
    crypto_wipe(block, sizeof block);
    return sha256_end(&s);
}

struct hash hmac_sha256_parts(str key, const str *parts, size_t n)
{
    uint8_t pad[64] = {0};
    if (key.n > sizeof pad) {
        struct hash short_key = sha256(key);
        memcpy(pad, short_key.b, HASH_LEN);
        crypto_wipe(&short_key, sizeof short_key);
    } else if (key.n) {
        memcpy(pad, key.p, key.n);
    }
    struct hash inner = half(pad, 0x36, parts, n);
    str inner_str = hash_str(&inner);
    struct hash outer = half(pad, 0x5c, &inner_str, 1);
    crypto_wipe(pad, sizeof pad);
    return outer;
}

struct hash hmac_sha256(str key, str bytes)
{
    return hmac_sha256_parts(key, &bytes, 1);
}

/* RFC 5869 over the HMAC above: OpenSSL's own looks its digest up by name on every call. */
void hkdf_sha256(str key, str salt, str info, void *out, size_t n)
{
    assert(n <= 255 * HASH_LEN);
    struct hash prk = hmac_sha256(salt, key), t;
    for (size_t at = 0, i = 1; at < n; i++) {
        char number = (char)i;
        const str parts[] = {i > 1 ? hash_str(&t) : (str){0}, info, str_of(&number, 1)};
        t = hmac_sha256_parts(hash_str(&prk), parts, 3);
        size_t part = n - at < HASH_LEN ? n - at : HASH_LEN;
        memcpy((char *)out + at, t.b, part);
        at += part;
    }
    crypto_wipe(&prk, sizeof prk);
    crypto_wipe(&t, sizeof t);
}

void crypto_wipe(void *p, size_t n)
{
    if (n)
        OPENSSL_cleanse(p, n);
}
