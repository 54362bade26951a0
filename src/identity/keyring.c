#include "identity/keyring.h"

#include <assert.h>
#include <stdlib.h>

/* A key by the number that the state machine gave it. */
struct held {
    uint64_t id;
    struct key *key;
    struct key_id kid;
    str cert;                   /* malloc'd; empty for keys of tokens */
    struct x509_signer *signer; /* of a CA that may sign */
};

/* During a change, keys of before and after stand side by side. */
enum { HELD_MAX = 2 * CA_SLOTS_MAX };

struct keyring {
    char domain[TRUST_DOMAIN_BYTES_MAX + 1];
    size_t domain_n;
    struct ca ca;
    struct held held[HELD_MAX];
    unsigned n;
};

static str domain_of(const struct keyring *k)
{
    return str_of(k->domain, k->domain_n);
}

static struct held *find(const struct keyring *k, uint64_t id)
{
    for (unsigned i = 0; i < k->n; i++)
        if (k->held[i].id == id)
            return (struct held *)(uintptr_t)&k->held[i];
    return NULL;
}

static void held_fini(struct held *h)
{
    x509_signer_free(h->signer);
    key_free(h->key);
    free((char *)(uintptr_t)h->cert.p);
}

/* Forgets what the state machine does not know. */
static void prune(struct keyring *k)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < k->n; i++)
        if (ca_find(&k->ca, k->held[i].id))
            k->held[kept++] = k->held[i];
        else
            held_fini(&k->held[i]);
    k->n = kept;
}

bool keyring_new(str trust_domain, const struct ca_conf *conf, struct keyring **out,
                 struct err *err)
{
    struct ca ca;
    if (!trust_domain_is_valid(trust_domain))
        return err_input(err, "this is not a trust domain");
    if (!ca_init(&ca, conf, err))
        return false;
    struct keyring *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    memcpy(k->domain, trust_domain.p, trust_domain.n);
    k->domain_n = trust_domain.n;
    k->ca = ca;
    *out = k;
    return true;
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    for (unsigned i = 0; i < k->n; i++)
        held_fini(&k->held[i]);
    free(k);
}

/* ---- keeping a key ---- */

static str copy_of(str s)
{
    if (!s.n)
        return (str){0};
    char *p = malloc(s.n);
    if (!p)
        abort();
    memcpy(p, s.p, s.n);
    return str_of(p, s.n);
}

/* Takes key over, in success only. */
static bool hold(struct keyring *k, const struct ca_key *life, struct key *key, str cert,
                 struct err *err)
{
    assert(k->n < HELD_MAX);
    struct held h = {.id = life->id, .key = key, .kid = key_id(key)};
    if (cert.n && key_is_private(key) &&
        !x509_signer_new(&(struct x509_authority){key, cert}, &h.signer, err))
        return false;
    h.cert = copy_of(cert);
    k->held[k->n++] = h;
    return true;
}

static bool certify(struct keyring *k, struct arena *a, const struct ca_key *life,
                    const struct key *key, str *cert, struct err *err)
{
    const struct x509_span span = {life->made_s, life->end_s - life->made_s};
    if (life->kind == CA_ROOT)
        return x509_make_root(a, key, domain_of(k), span, cert, err);
    if (life->kind != CA_SIGNER)
        return true;
    const struct held *root = find(k, life->parent);
    if (!root)
        return err_notfound(err, "the root CA is not there");
    return x509_issue_signer(a, &(struct x509_authority){root->key, root->cert}, key, span, cert,
                             err);
}

static bool make(struct keyring *k, struct ca *next, enum ca_kind kind, int64_t now_s,
                 struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct ca_key life;
    struct key *key;
    str cert = {0};
    if (!ca_made(next, kind, now_s, &life, err) || !key_generate(KEY_ES256, &key, err))
        return false;
    if (certify(k, &a, &life, key, &cert, err) && hold(k, &life, key, cert, err))
        return true;
    key_free(key);
    return err_in(err, "%s", ca_kind_name(kind));
}

/* ---- the stored form: writing ---- */

#define MAGIC "ambit keyring 1\n"

static void put_u64(struct buf *b, uint64_t v)
{
    char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(v >> (56 - 8 * i));
    buf_put(b, str_of(bytes, sizeof bytes));
}

static void put_str(struct buf *b, str s)
{
    put_u64(b, s.n);
    buf_put(b, s);
}

static bool put_key(const struct keyring *k, struct buf *b, const struct ca_key *c, int64_t now_s,
                    struct err *err)
{
    const struct held *h = find(k, c->id);
    struct secret *private_half = NULL;
    uint8_t raw[KEY_RAW_MAX];
    assert(h);
    const uint64_t numbers[] = {c->id,
                                c->kind,
                                c->parent,
                                (uint64_t)c->made_s,
                                (uint64_t)c->use_from_s,
                                (uint64_t)c->use_until_s,
                                (uint64_t)c->end_s,
                                (uint64_t)c->gone_s};
    if (key_is_private(h->key) && ca_may_sign(c, now_s) &&
        !key_to_pkcs8(h->key, &private_half, err))
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        put_u64(b, numbers[i]);
    put_str(b, h->cert);
    put_str(b, secret_str(private_half));
    put_str(b, private_half ? (str){0} : str_of((const char *)raw, key_to_raw(h->key, raw)));
    secret_free(private_half);
    return true;
}

static bool save(const struct keyring *k, const struct ca *next, int64_t now_s,
                 const struct keyring_disk *disk, struct err *err)
{
    struct buf b = {.max = KEYRING_BYTES_MAX, .wipe = true};
    bool ok = true;
    buf_put(&b, S(MAGIC));
    put_str(&b, domain_of(k));
    put_u64(&b, (uint64_t)next->sequence);
    put_u64(&b, next->last_id);
    put_u64(&b, next->n);
    for (unsigned i = 0; ok && i < next->n; i++)
        ok = put_key(k, &b, &next->keys[i], now_s, err);
    if (ok && b.over)
        ok = err_limit(err, "the issuer's keys do not fit into %d bytes", KEYRING_BYTES_MAX);
    ok = ok && disk->save(disk->ctx, buf_str(&b), err);
    buf_wipe(&b);
    return ok;
}

/* ---- the stored form: reading ---- */

struct in {
    str rest;
    bool bad;
};

static uint64_t get_u64(struct in *in)
{
    uint64_t v = 0;
    if (in->rest.n < 8) {
        in->bad = true;
        return 0;
    }
    for (int i = 0; i < 8; i++)
        v = v << 8 | (unsigned char)in->rest.p[i];
    in->rest = str_skip(in->rest, 8);
    return v;
}

static str get_str(struct in *in)
{
    uint64_t n = get_u64(in);
    if (in->bad || n > in->rest.n) {
        in->bad = true;
        return (str){0};
    }
    str s = str_take(in->rest, (size_t)n);
    in->rest = str_skip(in->rest, (size_t)n);
    return s;
}

static bool damaged(struct err *err)
{
    return err_input(err, "not a keyring that was written here");
}

static bool get_key(struct in *in, struct keyring *k, struct err *err)
{
    struct ca_key c = {.id = get_u64(in)};
    uint64_t kind = get_u64(in);
    c.parent = get_u64(in);
    int64_t *const times[] = {&c.made_s, &c.use_from_s, &c.use_until_s, &c.end_s, &c.gone_s};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        *times[i] = (int64_t)get_u64(in);
    str cert = get_str(in), private_half = get_str(in), public_half = get_str(in);
    struct key *key;
    c.kind = (enum ca_kind)kind;
    if (in->bad || kind >= CA_KINDS || k->ca.n == CA_SLOTS_MAX ||
        (cert.n > 0) != (c.kind == CA_ROOT || c.kind == CA_SIGNER))
        return damaged(err);
    if (private_half.n ? !key_from_pkcs8(private_half, &key, err)
                       : !key_from_raw(KEY_ES256, public_half, &key, err))
        return false;
    if (key_alg(key) != KEY_ES256 || !hold(k, &c, key, cert, err)) {
        key_free(key);
        return damaged(err);
    }
    k->ca.keys[k->ca.n++] = c;
    return true;
}

static bool get_all(struct in *in, struct keyring *k, struct err *err)
{
    if (!str_starts(in->rest, S(MAGIC)))
        return damaged(err);
    in->rest = str_skip(in->rest, S(MAGIC).n);
    str domain = get_str(in);
    if (!in->bad && !str_eq(domain, domain_of(k)))
        return err_input(err,
                         "these are the issuer's keys of trust domain %.*s, and the configuration "
                         "says %.*s: change \"trustDomain\" back, or move the file away to begin "
                         "anew",
                         STR(domain), STR(domain_of(k)));
    k->ca.sequence = (int64_t)get_u64(in);
    k->ca.last_id = get_u64(in);
    uint64_t n = get_u64(in);
    for (uint64_t i = 0; !in->bad && i < n; i++)
        if (!get_key(in, k, err))
            return false;
    return in->bad || in->rest.n ? damaged(err) : ca_check(&k->ca, err);
}

static bool add_to_bundle(const struct keyring *k, struct bundle *b, const struct ca_key *c,
                          struct err *err)
{
    const struct held *h = find(k, c->id);
    if (c->kind == CA_ROOT)
        return bundle_add_x509(b, h->cert, err);
    if (c->kind == CA_TOKEN)
        return bundle_add_jwt(b, h->key, key_id_str(&h->kid), err);
    if (c->kind == CA_WIT)
        return bundle_add_wit(b, h->key, key_id_str(&h->kid), err);
    return true;
}

static bool make_bundle(const struct keyring *k, struct bundle **out, struct err *err)
{
    struct bundle *b = NULL;
    if (!bundle_new(domain_of(k), &b, err))
        return false;
    bundle_set_version(b, k->ca.sequence, k->ca.conf.refresh_s);
    for (unsigned i = 0; i < k->ca.n; i++)
        if (!add_to_bundle(k, b, &k->ca.keys[i], err)) {
            bundle_free(b);
            return false;
        }
    *out = b;
    return true;
}

bool keyring_read(str trust_domain, const struct ca_conf *conf, str bytes, struct keyring **out,
                  struct err *err)
{
    struct keyring *k;
    struct bundle *b = NULL;
    struct in in = {.rest = bytes};
    if (!keyring_new(trust_domain, conf, &k, err))
        return false;
    if (!get_all(&in, k, err) || !ca_set_conf(&k->ca, conf, err) || !make_bundle(k, &b, err)) {
        keyring_free(k);
        return false;
    }
    bundle_free(b);
    *out = k;
    return true;
}

/* ---- changes ---- */

/* What may not sign any more is kept as a public key. */
static void drop_private_halves(struct keyring *k, int64_t now_s)
{
    for (unsigned i = 0; i < k->ca.n; i++) {
        struct held *h = find(k, k->ca.keys[i].id);
        struct key *public_half;
        uint8_t raw[KEY_RAW_MAX];
        struct err err;
        if (!key_is_private(h->key) || ca_may_sign(&k->ca.keys[i], now_s))
            continue;
        size_t n = key_to_raw(h->key, raw);
        if (!key_from_raw(KEY_ES256, str_of((const char *)raw, n), &public_half, &err))
            continue; /* the next change tries again; on disk it is gone */
        x509_signer_free(h->signer);
        key_free(h->key);
        h->signer = NULL;
        h->key = public_half;
    }
}

/* Everything was worked out in `next`; the ring itself has only gained keys that nobody knows. */
static bool commit(struct keyring *k, const struct ca *next, int64_t now_s,
                   const struct keyring_disk *disk, struct err *err)
{
    bool ok = save(k, next, now_s, disk, err);
    if (ok) {
        k->ca = *next;
        drop_private_halves(k, now_s);
    }
    prune(k);
    return ok;
}

static bool fail(struct keyring *k)
{
    prune(k);
    return false;
}

static void take_out(struct ca *ca, uint64_t id)
{
    struct ca_key gone;
    while (ca_revoke(ca, id, &gone))
        ;
}

/* Keys whose time to sign is over, and one that should sign and cannot: a clock that was wrong took
 * its private half. */
static bool retire(const struct keyring *k, struct ca *next, int64_t now_s)
{
    bool changed = false;
    for (unsigned i = 0; i < k->ca.n; i++) {
        const struct ca_key *c = ca_find(next, k->ca.keys[i].id);
        if (!c || key_is_private(find(k, c->id)->key) == ca_may_sign(c, now_s))
            continue;
        changed = true;
        if (ca_may_sign(c, now_s))
            take_out(next, c->id);
        else
            ca_retire(next, c->id);
    }
    return changed;
}

static bool make_due(struct keyring *k, struct ca *next, int64_t now_s, bool *changed,
                     struct err *err)
{
    enum ca_kind kind;
    for (int i = 0; ca_due(next, now_s, &kind); i++) {
        if (i == CA_KINDS)
            return err_system(err, "the clock is wrong: keys are due without end");
        if (!make(k, next, kind, now_s, err))
            return false;
        *changed = true;
    }
    return true;
}

bool keyring_tend(struct keyring *k, int64_t now_s, const struct keyring_disk *disk, bool *changed,
                  struct err *err)
{
    struct ca next = k->ca;
    struct ca_key gone;
    bool any = retire(k, &next, now_s);
    while (ca_sweep(&next, now_s, &gone))
        any = true;
    if (!make_due(k, &next, now_s, &any, err))
        return fail(k);
    if (any && !commit(k, &next, now_s, disk, err))
        return false;
    *changed = any;
    return true;
}

bool keyring_rotate(struct keyring *k, enum ca_kind kind, int64_t now_s,
                    const struct keyring_disk *disk, struct err *err)
{
    struct ca next = k->ca;
    for (unsigned i = 0; i < next.n; i++)
        if (next.keys[i].kind == kind && next.keys[i].use_from_s > now_s)
            return err_denied(err, "the next %s is there already and waits to be used",
                              ca_kind_name(kind));
    return make(k, &next, kind, now_s, err) ? commit(k, &next, now_s, disk, err) : fail(k);
}

bool keyring_revoke(struct keyring *k, enum ca_kind kind, int64_t now_s,
                    const struct keyring_disk *disk, struct err *err)
{
    struct ca next = k->ca;
    bool changed;
    if (kind == CA_SIGNER)
        kind = CA_ROOT;
    for (unsigned i = 0; i < k->ca.n; i++)
        if (k->ca.keys[i].kind == kind)
            take_out(&next, k->ca.keys[i].id);
    return make_due(k, &next, now_s, &changed, err) ? commit(k, &next, now_s, disk, err) : fail(k);
}

int64_t keyring_wake_s(const struct keyring *k, int64_t now_s)
{
    return ca_wake_s(&k->ca, now_s);
}

/* ---- use ---- */

bool keyring_current(const struct keyring *k, enum ca_kind kind, int64_t now_s,
                     struct keyring_key *out)
{
    struct ca_key life;
    if (!ca_current(&k->ca, kind, now_s, &life))
        return false;
    const struct held *h = find(k, life.id);
    if (!key_is_private(h->key))
        return false;
    *out = (struct keyring_key){life, h->key, key_id_str(&h->kid)};
    return true;
}

bool keyring_issue(const struct keyring *k, struct arena *a, str spiffe_id, str spki,
                   int64_t life_s, int64_t now_s, str *chain, int64_t *not_after_s, struct err *err)
{
    struct spiffe_id id;
    struct ca_key life;
    struct key *subject;
    str leaf;
    if (!spiffe_id_parse_workload(spiffe_id, &id, err))
        return false;
    if (life_s < 1 || life_s > k->ca.conf.svid_life_s)
        return err_denied(err, "an X509-SVID lives 1 to %lld seconds",
                          (long long)k->ca.conf.svid_life_s);
    const struct held *by = ca_current(&k->ca, CA_SIGNER, now_s, &life) ? find(k, life.id) : NULL;
    if (!by || !by->signer)
        return err_notfound(err, "there is no signing CA");
    if (!key_from_spki(spki, &subject, err))
        return false;
    bool ok = x509_sign_leaf(a, by->signer, subject, &id, (str){0},
                             (struct x509_span){now_s, life_s}, &leaf, not_after_s, err);
    key_free(subject);
    if (!ok)
        return false;
    char *both = arena_alloc(a, leaf.n + by->cert.n);
    memcpy(both, leaf.p, leaf.n);
    memcpy(both + leaf.n, by->cert.p, by->cert.n);
    *chain = str_of(both, leaf.n + by->cert.n);
    return true;
}

/* ---- what others verify with ---- */

const struct ca *keyring_ca(const struct keyring *k)
{
    return &k->ca;
}

str keyring_kid(const struct keyring *k, uint64_t id)
{
    const struct held *h = find(k, id);
    return h ? key_id_str(&h->kid) : (str){0};
}

/* There is room: the state machine has fewer keys of a kind than a bundle may hold; and what is in
 * the ring was made here, or tried when it was read. */
void keyring_bundle(const struct keyring *k, struct buf *jwks, struct buf *roots)
{
    struct bundle *b = NULL;
    struct err err;
    bool ok = make_bundle(k, &b, &err);
    assert(ok);
    for (size_t i = 0; i < bundle_x509_count(b); i++)
        buf_put(roots, bundle_x509(b, i));
    bundle_write(b, jwks);
    bundle_free(b);
}

void keyring_jwks(const struct keyring *k, enum ca_kind kind, struct buf *out)
{
    struct jw w = jw(out);
    jw_obj(&w);
    jw_key(&w, S("keys"));
    jw_arr(&w);
    for (unsigned i = 0; i < k->ca.n; i++) {
        const struct held *h = find(k, k->ca.keys[i].id);
        if (k->ca.keys[i].kind == kind)
            key_write_jwk(&w, h->key, key_id_str(&h->kid), (str){0});
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
}
