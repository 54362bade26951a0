#include "role/workload_bundles.h"
#include "ipc/pack.h"

#include <stdlib.h>

static void put_keys(struct buf *out, const struct keyset *keys, str use)
{
    struct jw w = jw(out);
    jw_obj(&w);
    jw_key(&w, S("keys"));
    jw_arr(&w);
    for (size_t i = 0; i < keys->n; i++)
        key_write_jwk(&w, keys->items[i].key, str_of(keys->items[i].kid, keys->items[i].kid_n),
                      use);
    jw_end_arr(&w);
    jw_end_obj(&w);
}

static str keys_of(struct arena *a, const struct keyset *keys, str use)
{
    struct buf b = {0};
    put_keys(&b, keys, use);
    str text = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return text;
}

static str certificates_of(struct arena *a, const struct bundle *b)
{
    struct buf der = {0};
    for (size_t i = 0; i < bundle_x509_count(b); i++)
        buf_put(&der, bundle_x509(b, i));
    str all = str_dup(a, buf_str(&der));
    buf_fini(&der);
    return all;
}

/* While they are read. */
struct lists {
    struct bundles set;
    struct arena arena;
    struct proto_pair x509[BUNDLES_MAX], jwt[BUNDLES_MAX], wit[BUNDLES_MAX];
    size_t n;
};

static bool read_bundle(struct lists *l, str domain, str document, struct err *err)
{
    struct bundle *b;
    if (l->n == BUNDLES_MAX)
        return err_limit(err, "over %d trust domains", BUNDLES_MAX);
    if (!bundle_read(domain, document, &b, err))
        return err_in(err, "bundle of %.*s", STR(domain));
    str name = str_fmt(&l->arena, "spiffe://%.*s", STR(domain));
    l->x509[l->n] = (struct proto_pair){name, certificates_of(&l->arena, b)};
    l->jwt[l->n] = (struct proto_pair){name, keys_of(&l->arena, bundle_jwt_keys(b), S("jwt-svid"))};
    l->wit[l->n] = (struct proto_pair){name, keys_of(&l->arena, bundle_wit_keys(b), S("wit-svid"))};
    l->n++;
    if (bundles_put(&l->set, b, NULL, err))
        return true;
    bundle_free(b);
    return false;
}

static struct proto_pairs pairs_dup(struct arena *a, const struct proto_pair *from, size_t n)
{
    struct proto_pair *to = ARENA_ARRAY(a, struct proto_pair, n);
    memcpy(to, from, n * sizeof *to);
    return (struct proto_pairs){to, n};
}

static void take_over(struct workload_bundles *b, struct lists *l)
{
    workload_bundles_fini(b);
    b->set = l->set;
    b->arena = l->arena;
    b->x509 = pairs_dup(&b->arena, l->x509, l->n);
    b->jwt = pairs_dup(&b->arena, l->jwt, l->n);
    b->wit = pairs_dup(&b->arena, l->wit, l->n);
    b->own_x509 = l->x509[0].value;
    b->foreign_x509 = (struct proto_pairs){b->x509.at + 1, l->n - 1};
}

bool workload_bundles_read(struct workload_bundles *b, str run, struct err *err)
{
    str domain, document;
    bool bad = false, ok = true;
    struct lists *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    while (ok && unpack_str(&run, &domain, &bad) && unpack_str(&run, &document, &bad))
        ok = read_bundle(l, domain, document, err);
    if (ok && (bad || l->n == 0))
        ok = err_peer(err, "bundles are not a run of trust domains and documents");
    if (ok) {
        take_over(b, l);
    } else {
        bundles_fini(&l->set);
        arena_fini(&l->arena);
    }
    free(l);
    return ok;
}

void workload_bundles_fini(struct workload_bundles *b)
{
    bundles_fini(&b->set);
    arena_fini(&b->arena);
    *b = (struct workload_bundles){0};
}
