#include "role/workload_ident.h"
#include "base/hex.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { JITTER_PARTS = 1000 };

static str copy_of(str s)
{
    char *p = malloc(s.n + 1);
    if (!p)
        abort();
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return str_of(p, s.n);
}

struct ident *ident_ref(struct map *idents, str spiffe_id)
{
    struct ident *i = map_get(idents, spiffe_id);
    if (!i) {
        i = calloc(1, sizeof *i);
        if (!i)
            abort();
        i->spiffe_id = copy_of(spiffe_id);
        for (int k = 0; k < CRED_KINDS; k++) {
            i->creds[k].key.wipe = true;
            list_init(&i->creds[k].waiting);
        }
        map_put(idents, spiffe_id, i);
    }
    i->refs++;
    return i;
}

void ident_unref(struct map *idents, struct ident *i)
{
    if (!i || --i->refs)
        return;
    map_del(idents, i->spiffe_id);
    for (int k = 0; k < CRED_KINDS; k++) {
        assert(list_is_empty(&i->creds[k].waiting));
        cred_cancel(&i->creds[k]);
        buf_fini(&i->creds[k].svid);
        buf_wipe(&i->creds[k].key);
    }
    for (size_t k = 0; k < IDENT_TOKENS_MAX; k++) {
        free((void *)(uintptr_t)i->tokens[k].audiences.p);
        buf_wipe(&i->tokens[k].token);
    }
    free((void *)(uintptr_t)i->spiffe_id.p);
    free(i);
}

/* ---- credentials ---- */

bool cred_is_fresh(const struct cred *c, int64_t now_s)
{
    return buf_len(&c->svid) && now_s < c->fresh_until_s;
}

bool cred_is_alive(const struct cred *c, int64_t now_s)
{
    return buf_len(&c->svid) && now_s < c->not_after_s;
}

static bool put_spki(const struct key *k, struct buf *out, struct err *err)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key_evp(k), &der);
    if (n <= 0)
        return err_system(err, "cannot write a public key");
    buf_put(out, str_of((const char *)der, (size_t)n));
    OPENSSL_free(der);
    return true;
}

static void put_public_jwk(const struct key *k, struct buf *out)
{
    struct jw w = jw(out);
    key_write_jwk(&w, k, (str){0}, (str){0});
}

/* RFC 7518 section 6.2.2: d is the private number, here 32 bytes. It is not in the key's own JWK
 * writer, which knows public keys only. */
static bool put_private_jwk(const struct key *k, struct buf *out, struct err *err)
{
    uint8_t raw[KEY_RAW_MAX], d[32];
    BIGNUM *number = NULL;
    if (key_to_raw(k, raw) != 65 || EVP_PKEY_get_bn_param(key_evp(k), "priv", &number) != 1 ||
        BN_bn2binpad(number, d, sizeof d) != (int)sizeof d) {
        BN_clear_free(number);
        return err_system(err, "cannot write a private key");
    }
    BN_clear_free(number);
    buf_put(out, S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\""));
    base64url_encode(out, str_of((const char *)raw + 1, 32));
    buf_put(out, S("\",\"y\":\""));
    base64url_encode(out, str_of((const char *)raw + 33, 32));
    buf_put(out, S("\",\"d\":\""));
    base64url_encode(out, str_of((const char *)d, sizeof d));
    buf_put(out, S("\"}"));
    crypto_wipe(d, sizeof d);
    return true;
}

static bool put_pkcs8(const struct key *k, struct buf *out, struct err *err)
{
    struct secret *der;
    if (!key_to_pkcs8(k, &der, err))
        return false;
    buf_put(out, secret_str(der));
    secret_free(der);
    return true;
}

bool cred_begin(struct cred *c, enum cred_kind kind, struct buf *of, struct err *err)
{
    struct key *k;
    assert(!c->coming);
    if (!key_generate(KEY_ES256, &k, err))
        return false;
    if (kind == CRED_X509 && !put_spki(k, of, err)) {
        key_free(k);
        return false;
    }
    if (kind == CRED_WIT)
        put_public_jwk(k, of);
    c->coming = k;
    return true;
}

bool cred_finish(struct cred *c, enum cred_kind kind, str svid, int64_t not_after_s, int64_t now_s,
                 unsigned jitter, struct err *err)
{
    struct buf key = {.wipe = true};
    assert(c->coming);
    bool ok =
        kind == CRED_X509 ? put_pkcs8(c->coming, &key, err) : put_private_jwk(c->coming, &key, err);
    cred_cancel(c);
    if (!ok) {
        buf_wipe(&key);
        return false;
    }
    buf_wipe(&c->key);
    c->key = key;
    buf_clear(&c->svid);
    buf_put(&c->svid, svid);
    int64_t half_s = (not_after_s - now_s) / 2;
    c->fresh_until_s = now_s + half_s - half_s * (int64_t)(jitter % 100) / JITTER_PARTS;
    c->not_after_s = not_after_s;
    return true;
}

void cred_cancel(struct cred *c)
{
    key_free(c->coming);
    c->coming = NULL;
}

/* ---- tokens ---- */

str ident_token(const struct ident *i, str audiences, int64_t now_s)
{
    for (size_t k = 0; k < IDENT_TOKENS_MAX; k++) {
        const struct ident_token *t = &i->tokens[k];
        if (buf_len(&t->token) && now_s < t->fresh_until_s && str_eq(t->audiences, audiences))
            return buf_str(&t->token);
    }
    return (str){0};
}

static struct ident_token *slot_for(struct ident *i, str audiences)
{
    for (size_t k = 0; k < IDENT_TOKENS_MAX; k++)
        if (i->tokens[k].audiences.p && str_eq(i->tokens[k].audiences, audiences))
            return &i->tokens[k];
    return &i->tokens[i->next_token++ % IDENT_TOKENS_MAX];
}

void ident_keep_token(struct ident *i, str audiences, str token, int64_t not_after_s, int64_t now_s)
{
    struct ident_token *t = slot_for(i, audiences);
    str name = copy_of(audiences); /* may be what is replaced */
    free((void *)(uintptr_t)t->audiences.p);
    buf_wipe(&t->token);
    t->audiences = name;
    t->token.wipe = true;
    buf_put(&t->token, token);
    t->fresh_until_s = now_s + (not_after_s - now_s) / 2;
}
