#include "identity/bundle.h"
#include "identity/cert.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>

struct bundle {
    char trust_domain[TRUST_DOMAIN_BYTES_MAX + 1];
    size_t trust_domain_n;
    int64_t sequence; /* -1: none */
    int64_t refresh_s;
    struct arena mem; /* the DER */
    X509_STORE *store;
    struct {
        X509 *x;
        str der;
    } certs[BUNDLE_CERTS_MAX];
    size_t n_certs;
    struct keyset jwt, wit;
};

bool bundle_new(str trust_domain, struct bundle **out, struct err *err)
{
    if (!trust_domain_is_valid(trust_domain))
        return err_input(err, "bundle: this is not a trust domain");
    struct bundle *b = calloc(1, sizeof *b);
    X509_STORE *store = X509_STORE_new();
    if (!b || !store)
        abort();
    memcpy(b->trust_domain, trust_domain.p, trust_domain.n);
    b->trust_domain_n = trust_domain.n;
    b->sequence = -1;
    b->store = store;
    *out = b;
    return true;
}

void bundle_free(struct bundle *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_certs; i++)
        X509_free(b->certs[i].x);
    X509_STORE_free(b->store);
    keyset_fini(&b->jwt);
    keyset_fini(&b->wit);
    arena_fini(&b->mem);
    free(b);
}

/* ---- filling ---- */

static bool has_cert(const struct bundle *b, str der)
{
    for (size_t i = 0; i < b->n_certs; i++)
        if (str_eq(b->certs[i].der, der))
            return true;
    return false;
}

static bool keep_cert(struct bundle *b, X509 *x, str der, struct err *err)
{
    if (!cert_check_ca(x, err))
        return false;
    if (b->n_certs == BUNDLE_CERTS_MAX)
        return err_limit(err, "bundle: over %d certificates", BUNDLE_CERTS_MAX);
    if (X509_STORE_add_cert(b->store, x) != 1) {
        ERR_clear_error();
        return err_system(err, "bundle: OpenSSL did not take a certificate");
    }
    b->certs[b->n_certs].x = x;
    b->certs[b->n_certs++].der = str_dup(&b->mem, der);
    return true;
}

bool bundle_add_x509(struct bundle *b, str der, struct err *err)
{
    X509 *x;
    if (has_cert(b, der))
        return true;
    if (!cert_read(der, &x, err))
        return false;
    if (keep_cert(b, x, der, err))
        return true;
    X509_free(x);
    return false;
}

static bool add_key(struct keyset *set, const struct key *key, str kid, struct err *err)
{
    uint8_t raw[KEY_RAW_MAX];
    size_t n = key_to_raw(key, raw);
    struct key *copy;
    if (kid.n == 0)
        return err_input(err, "bundle: a key needs a kid");
    if (!key_from_raw(key_alg(key), str_of((const char *)raw, n), &copy, err))
        return false;
    if (keyset_add(set, copy, kid, err))
        return true;
    key_free(copy);
    return false;
}

bool bundle_add_jwt(struct bundle *b, const struct key *key, str kid, struct err *err)
{
    return add_key(&b->jwt, key, kid, err);
}

bool bundle_add_wit(struct bundle *b, const struct key *key, str kid, struct err *err)
{
    return add_key(&b->wit, key, kid, err);
}

void bundle_set_version(struct bundle *b, int64_t sequence, int64_t refresh_s)
{
    assert(sequence >= -1 && refresh_s >= 0 && refresh_s <= BUNDLE_REFRESH_S_MAX);
    b->sequence = sequence;
    b->refresh_s = refresh_s;
}

/* ---- looking ---- */

str bundle_trust_domain(const struct bundle *b)
{
    return str_of(b->trust_domain, b->trust_domain_n);
}

int64_t bundle_sequence(const struct bundle *b)
{
    return b->sequence;
}

int64_t bundle_refresh_s(const struct bundle *b)
{
    return b->refresh_s ? b->refresh_s : BUNDLE_REFRESH_S_DEFAULT;
}

size_t bundle_x509_count(const struct bundle *b)
{
    return b->n_certs;
}

str bundle_x509(const struct bundle *b, size_t i)
{
    assert(i < b->n_certs);
    return b->certs[i].der;
}

const struct keyset *bundle_jwt_keys(const struct bundle *b)
{
    return &b->jwt;
}

const struct keyset *bundle_wit_keys(const struct bundle *b)
{
    return &b->wit;
}

X509_STORE *bundle_store(const struct bundle *b)
{
    return b->store;
}

static bool same_keyset(const struct keyset *a, const struct keyset *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct key *k = keyset_find(b, str_of(a->items[i].kid, a->items[i].kid_n));
        if (!k || !key_same_public(k, a->items[i].key))
            return false;
    }
    return true;
}

/* Neither holds a certificate or a kid twice, so equal numbers and one direction are enough. */
bool bundle_same_keys(const struct bundle *a, const struct bundle *b)
{
    if (a->n_certs != b->n_certs)
        return false;
    for (size_t i = 0; i < a->n_certs; i++)
        if (!has_cert(b, a->certs[i].der))
            return false;
    return same_keyset(&a->jwt, &b->jwt) && same_keyset(&a->wit, &b->wit);
}

/* ---- writing ---- */

static void write_keyset(struct jw *w, const struct keyset *set, str use)
{
    for (size_t i = 0; i < set->n; i++)
        key_write_jwk(w, set->items[i].key, str_of(set->items[i].kid, set->items[i].kid_n), use);
}

void bundle_write(const struct bundle *b, struct buf *out)
{
    struct jw w = jw(out);
    jw_obj(&w);
    if (b->sequence >= 0)
        jw_ki64(&w, S("spiffe_sequence"), b->sequence);
    if (b->refresh_s > 0)
        jw_ki64(&w, S("spiffe_refresh_hint"), b->refresh_s);
    jw_key(&w, S("keys"));
    jw_arr(&w);
    for (size_t i = 0; i < b->n_certs; i++)
        cert_write_jwk(&w, b->certs[i].x, b->certs[i].der);
    write_keyset(&w, &b->jwt, S("jwt-svid"));
    write_keyset(&w, &b->wit, S("wit-svid"));
    jw_end_arr(&w);
    jw_end_obj(&w);
}

/* ---- sets ---- */

static bool may_follow(const struct bundle *old, const struct bundle *b, struct err *err)
{
    if (old->sequence < 0 || b->sequence > old->sequence)
        return true;
    if (b->sequence < 0)
        return err_denied(err, "bundle of %s: has no sequence, where the one before had",
                          b->trust_domain);
    if (b->sequence < old->sequence)
        return err_denied(err, "bundle of %s: sequence %lld is older than %lld, which is in force",
                          b->trust_domain, (long long)b->sequence, (long long)old->sequence);
    return bundle_same_keys(old, b)
               ? true
               : err_denied(err, "bundle of %s: other keys under the sequence %lld, which is known",
                            b->trust_domain, (long long)b->sequence);
}

bool bundles_put(struct bundles *set, struct bundle *b, bool *changed, struct err *err)
{
    str name = bundle_trust_domain(b);
    struct bundle *old = map_get(&set->by_domain, name);
    if (old && !may_follow(old, b, err))
        return false;
    if (!old && map_count(&set->by_domain) >= BUNDLES_MAX)
        return err_limit(err, "over %d trust domains", BUNDLES_MAX);
    if (changed)
        *changed = !old || !bundle_same_keys(old, b);
    map_put(&set->by_domain, name, b);
    bundle_free(old);
    return true;
}

const struct bundle *bundles_get(const struct bundles *set, str trust_domain)
{
    return map_get(&set->by_domain, trust_domain);
}

bool bundles_remove(struct bundles *set, str trust_domain)
{
    struct bundle *b = map_del(&set->by_domain, trust_domain);
    bundle_free(b);
    return b != NULL;
}

void bundles_fini(struct bundles *set)
{
    str name;
    void *b;
    for (size_t i = 0; map_next(&set->by_domain, &i, &name, &b);)
        bundle_free(b);
    map_fini(&set->by_domain);
    *set = (struct bundles){0};
}
