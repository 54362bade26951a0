/* Sets of public keys: the part of jws.h that says which key a token may name. */
#include "crypto/jws.h"
#include "crypto/key_impl.h"

bool keyset_add(struct keyset *set, struct key *key, str kid, struct err *err)
{
    if (set->n == KEYSET_KEYS_MAX)
        return err_limit(err, "over %d keys in a set", KEYSET_KEYS_MAX);
    if (key_alg(key) != KEY_ES256)
        return err_input(err, "only ES256 keys verify tokens");
    if (kid.n > JWS_KID_BYTES_MAX || !str_is_visible_ascii(kid))
        return err_input(err, "a key id is at most %d visible ASCII characters", JWS_KID_BYTES_MAX);
    if (set->n && (kid.n == 0 || set->items[0].kid_n == 0))
        return err_input(err, "a key without kid can only stand alone in its set");
    if (kid.n && keyset_find(set, kid))
        return err_input(err, "two keys have the same kid");
    struct keyset_item *item = &set->items[set->n++];
    *item = (struct keyset_item){.key = key, .kid_n = kid.n};
    if (kid.n)
        memcpy(item->kid, kid.p, kid.n);
    return true;
}

const struct key *keyset_find(const struct keyset *set, str kid)
{
    for (size_t i = 0; i < set->n; i++)
        if (str_eq(str_of(set->items[i].kid, set->items[i].kid_n), kid))
            return set->items[i].key;
    return NULL;
}

/* Members that are there and say that this key is for something else: it is passed over, not
 * refused. */
static bool is_for_others(const json *jwk, str use)
{
    const json *u = json_get(jwk, S("use")), *alg = json_get(jwk, S("alg"));
    if (json_type(u) == JSON_STRING && !str_eq(json_str(u), S("sig")) &&
        !(use.n && str_eq(json_str(u), use)))
        return true;
    return json_type(alg) == JSON_STRING && !str_eq(json_str(alg), S("ES256"));
}

static bool add_jwk(struct keyset *set, const json *jwk, str use, struct err *err)
{
    if (json_type(jwk) != JSON_OBJECT)
        return err_input(err, "a key is not an object");
    if (is_for_others(jwk, use) || !str_eq(json_get_str(jwk, S("kty")), S("EC")))
        return true;
    struct key *key;
    if (!key_from_jwk_use(jwk, use, &key, err))
        return err->kind == ERR_NOTFOUND; /* another curve */
    const json *kid = json_get(jwk, S("kid"));
    bool ok = kid && (json_type(kid) != JSON_STRING || json_str(kid).n == 0)
                  ? err_input(err, "a kid is not a string or is empty")
                  : keyset_add(set, key, json_str(kid), err);
    if (!ok)
        key_free(key);
    return ok;
}

static bool read_keys(struct keyset *set, const json *keys, str use, struct err *err)
{
    if (json_type(keys) != JSON_ARRAY)
        return err_input(err, "no list named keys");
    const json *jwk;
    for (struct json_iter it = json_iter(keys); json_next(&it, NULL, &jwk);)
        if (!add_jwk(set, jwk, use, err))
            return false;
    return true;
}

bool keyset_read(struct keyset *set, str text, str use, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const struct json_limits limits = {
        .bytes_max = KEYSET_BYTES_MAX, .depth_max = JWS_DEPTH_MAX, .values_max = 4096};
    const json *root;
    if (!json_read(&a, text, &limits, &root, err))
        return err_in(err, "jwk set");
    size_t before = set->n;
    if (read_keys(set, json_get(root, S("keys")), use, err))
        return true;
    while (set->n > before)
        key_free(set->items[--set->n].key);
    return err_in(err, "jwk set");
}

void keyset_write(const struct keyset *set, struct buf *out)
{
    struct jw w = jw(out);
    jw_obj(&w);
    jw_key(&w, S("keys"));
    jw_arr(&w);
    for (size_t i = 0; i < set->n; i++)
        key_write_jwk(&w, set->items[i].key, str_of(set->items[i].kid, set->items[i].kid_n),
                      (str){0});
    jw_end_arr(&w);
    jw_end_obj(&w);
}

void keyset_fini(struct keyset *set)
{
    for (size_t i = 0; i < set->n; i++)
        key_free(set->items[i].key);
    set->n = 0;
}
