#include "crypto/seal.h"
#include "base/limits.h"
#include "base/rand.h"
#include "crypto/hash.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>

enum { MAGIC_LEN = 4, NONCE_LEN = 12, TAG_LEN = 16, HEAD_LEN = MAGIC_LEN + NONCE_LEN };
static const char MAGIC[MAGIC_LEN] = {'A', 'S', 'L', 1};

static bool labels_are_valid(str purpose, str name, const struct secret *master, struct err *err)
{
    if (purpose.n == 0 || purpose.n > SEAL_LABEL_BYTES_MAX || name.n == 0 ||
        name.n > SEAL_LABEL_BYTES_MAX)
        return err_input(err, "a seal needs a purpose and a name of 1 to %d bytes",
                         SEAL_LABEL_BYTES_MAX);
    if (!master || master->n != SEAL_MASTER_LEN)
        return err_input(err, "a master key has %d bytes", SEAL_MASTER_LEN);
    return true;
}

static void put_label(struct buf *b, str label)
{
    buf_putc(b, (char)(label.n >> 8));
    buf_putc(b, (char)label.n);
    buf_put(b, label);
}

/* Written once, under pthread_once, and only read afterwards: to look it up costs more than to
 * seal. */
static EVP_CIPHER *aes;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

/* A context with key, nonce and associated data in place. */
static EVP_CIPHER_CTX *begin(const struct secret *master, str purpose, str name,
                             const uint8_t nonce[NONCE_LEN], int encrypt)
{
    uint8_t key[32];
    if (pthread_once(&fetched, fetch) != 0 || !aes)
        return NULL;
    hkdf_sha256(secret_str(master), S("ambit seal v1"), purpose, key, sizeof key);
    struct buf aad = {0};
    buf_put(&aad, str_of(MAGIC, MAGIC_LEN));
    put_label(&aad, purpose);
    put_label(&aad, name);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    bool ok = ctx && EVP_CipherInit_ex2(ctx, aes, key, nonce, encrypt, NULL) == 1 &&
              EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)buf_str(&aad).p,
                               (int)buf_len(&aad)) == 1;
    crypto_wipe(key, sizeof key);
    buf_fini(&aad);
    if (!ok) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* The text in one step; an empty one needs none. */
static bool run(EVP_CIPHER_CTX *ctx, str in, uint8_t *out)
{
    int n = 0;
    return in.n == 0 ||
           (EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)in.p, (int)in.n) == 1 &&
            (size_t)n == in.n);
}

bool seal(const struct secret *master, str purpose, str name, str plain, struct buf *out,
          struct err *err)
{
    if (!labels_are_valid(purpose, name, master, err))
        return false;
    if (plain.n > SEALED_BYTES_MAX)
        return err_limit(err, "secret over %d bytes", SEALED_BYTES_MAX);
    uint8_t *p = (uint8_t *)buf_reserve(out, plain.n + SEAL_OVERHEAD);
    if (!p)
        return err_limit(err, "no room for a sealed secret");
    memcpy(p, MAGIC, MAGIC_LEN);
    rand_bytes(p + MAGIC_LEN, NONCE_LEN);
    EVP_CIPHER_CTX *ctx = begin(master, purpose, name, p + MAGIC_LEN, 1);
    uint8_t none[TAG_LEN];
    int n;
    bool ok = ctx && run(ctx, plain, p + HEAD_LEN) && EVP_CipherFinal_ex(ctx, none, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, p + HEAD_LEN + plain.n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        ERR_clear_error();
        return err_system(err, "OpenSSL sealed nothing");
    }
    buf_commit(out, plain.n + SEAL_OVERHEAD);
    return true;
}

bool seal_open(const struct secret *master, str purpose, str name, str sealed, struct secret **out,
               struct err *err)
{
    if (!labels_are_valid(purpose, name, master, err))
        return false;
    if (sealed.n < SEAL_OVERHEAD || sealed.n > SEALED_BYTES_MAX + SEAL_OVERHEAD ||
        memcmp(sealed.p, MAGIC, MAGIC_LEN) != 0)
        return err_input(err, "not a sealed secret of version 1");
    struct secret *plain;
    size_t n = sealed.n - SEAL_OVERHEAD;
    if (!secret_new(n, &plain, err))
        return false;
    const uint8_t *p = (const uint8_t *)sealed.p;
    uint8_t tag[TAG_LEN], none[TAG_LEN];
    memcpy(tag, p + HEAD_LEN + n, TAG_LEN);
    int last;
    EVP_CIPHER_CTX *ctx = begin(master, purpose, name, p + MAGIC_LEN, 0);
    bool ok = ctx && run(ctx, str_of(sealed.p + HEAD_LEN, n), plain->p) &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
              EVP_CipherFinal_ex(ctx, none, &last) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        secret_free(plain);
        ERR_clear_error();
        return err_denied(err, "the sealed secret was changed, or belongs to another key or name");
    }
    *out = plain;
    return true;
}
