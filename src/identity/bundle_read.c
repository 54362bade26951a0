/* Reading of bundle documents: the part of bundle.h that strangers feed. */
#include "base/hex.h"
#include "identity/bundle.h"
#include "identity/cert.h"

static bool whole(const json *root, str name, int64_t absent, int64_t max, int64_t *out,
                  struct err *err)
{
    const json *v = json_get(root, name);
    int64_t n = absent;
    if (v && (!json_i64(v, &n) || n < 0 || n > max))
        return err_input(err, "%.*s is not a whole number in its range", STR(name));
    *out = n;
    return true;
}

/* RFC 7517 section 4.7: the key of the certificate is the key of the entry. */
static bool members_match(struct arena *a, const json *entry, str der, struct err *err)
{
    static const char *const MEMBERS[] = {"kty", "crv", "x", "y", "n", "e"};
    X509 *x;
    struct buf text = {0};
    const json *own;
    if (!cert_read(der, &x, err))
        return false;
    struct jw w = jw(&text);
    cert_write_jwk(&w, x, der);
    X509_free(x);
    bool ok = json_read(a, buf_str(&text), NULL, &own, err);
    buf_fini(&text);
    if (!ok)
        return false;
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        str name = str_z(MEMBERS[i]);
        if (!str_eq(json_get_str(entry, name), json_get_str(own, name)))
            return err_input(err, "an x509-svid entry whose key is not its certificate's");
    }
    return true;
}

static bool read_x509(struct arena *a, struct bundle *b, const json *entry, struct err *err)
{
    const json *x5c = json_get(entry, S("x5c")), *first = NULL;
    struct json_iter it = json_iter(x5c);
    if (x5c && json_type(x5c) != JSON_ARRAY)
        return err_input(err, "x5c is not a list");
    if (!json_next(&it, NULL, &first))
        return true; /* X509-SVID section 6.2: passed over */
    str der;
    if (!base64_decode(a, json_str(first), &der) || der.n == 0)
        return err_input(err, "x5c is not base64 of a certificate");
    if (!members_match(a, entry, der, err) || !bundle_add_x509(b, der, err))
        return err->kind == ERR_NOTFOUND; /* a kind that is not used here */
    return true;
}

static bool has_kid(const json *entry)
{
    return json_get_str(entry, S("kid")).n > 0;
}

/* keyset_read also takes keys without `use`, which must be passed over here; so it is shown only
 * those that are meant. */
static bool read_keyset(const struct json_iter *entries, str use, struct keyset *into,
                        struct err *err)
{
    struct buf text = {0};
    struct jw w = jw(&text);
    const json *entry;
    bool ok = true;
    jw_obj(&w);
    jw_key(&w, S("keys"));
    jw_arr(&w);
    for (struct json_iter it = *entries; ok && json_next(&it, NULL, &entry);) {
        if (!str_eq(json_get_str(entry, S("use")), use))
            continue;
        if (!has_kid(entry))
            ok = err_input(err, "an entry for %.*s has no kid", STR(use));
        jw_value(&w, entry);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    ok = ok && keyset_read(into, buf_str(&text), use, err);
    buf_fini(&text);
    return ok;
}

static bool add_all(struct bundle *b, const struct keyset *set,
                    bool (*add)(struct bundle *, const struct key *, str, struct err *),
                    struct err *err)
{
    for (size_t i = 0; i < set->n; i++)
        if (!add(b, set->items[i].key, str_of(set->items[i].kid, set->items[i].kid_n), err))
            return false;
    return true;
}

static bool read_entries(struct arena *a, struct bundle *b, const json *keys, struct err *err)
{
    struct keyset jwt = {0}, wit = {0};
    const struct json_iter entries = json_iter(keys);
    const json *entry;
    bool ok = true;
    for (struct json_iter it = entries; ok && json_next(&it, NULL, &entry);) {
        if (json_type(entry) != JSON_OBJECT)
            ok = err_input(err, "an entry of keys is not an object");
        else if (str_eq(json_get_str(entry, S("use")), S("x509-svid")))
            ok = read_x509(a, b, entry, err);
    }
    ok = ok && read_keyset(&entries, S("jwt-svid"), &jwt, err) &&
         read_keyset(&entries, S("wit-svid"), &wit, err) && add_all(b, &jwt, bundle_add_jwt, err) &&
         add_all(b, &wit, bundle_add_wit, err);
    keyset_fini(&jwt);
    keyset_fini(&wit);
    return ok;
}

static bool read_root(struct arena *a, struct bundle *b, const json *root, struct err *err)
{
    int64_t sequence, refresh_s;
    const json *keys = json_get(root, S("keys"));
    if (!whole(root, S("spiffe_sequence"), -1, INT64_MAX, &sequence, err) ||
        !whole(root, S("spiffe_refresh_hint"), 0, BUNDLE_REFRESH_S_MAX, &refresh_s, err))
        return false;
    if (json_type(keys) != JSON_ARRAY)
        return err_input(err, "no list named keys");
    if (json_count(keys) > BUNDLE_ENTRIES_MAX)
        return err_limit(err, "over %d keys", BUNDLE_ENTRIES_MAX);
    bundle_set_version(b, sequence, refresh_s);
    return read_entries(a, b, keys, err);
}

bool bundle_read(str trust_domain, str text, struct bundle **out, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const struct json_limits limits = {
        .bytes_max = BUNDLE_BYTES_MAX, .depth_max = 8, .values_max = 4096};
    const json *root;
    struct bundle *b;
    if (!bundle_new(trust_domain, &b, err))
        return false;
    if (json_read(&a, text, &limits, &root, err) && read_root(&a, b, root, err)) {
        *out = b;
        return true;
    }
    bundle_free(b);
    return err_in(err, "bundle");
}
