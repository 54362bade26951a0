#include "crypto/voucher.h"
#include "base/limits.h"

enum {
    AT_VERSION = 0,
    AT_KIND = 1,
    AT_CALL = 2,
    AT_REQUEST = AT_CALL + ID_LEN,
    AT_EXPIRY = AT_REQUEST + HASH_LEN,
    AT_BINDING = AT_EXPIRY + 8,
    AT_SECRET = AT_BINDING + 1 + VOUCHER_NAME_BYTES_MAX,
    AT_MAC = AT_SECRET + 1 + VOUCHER_NAME_BYTES_MAX,
    VERSION = 1,
};
_Static_assert(AT_MAC + HASH_LEN == VOUCHER_LEN, "the layout in the header");

static struct hash mac(const struct secret *key, const uint8_t *bytes)
{
    const str parts[] = {S("ambit voucher v1\0"), str_of((const char *)bytes, AT_MAC)};
    return hmac_sha256_parts(secret_str(key), parts, 2);
}

static bool key_is_valid(const struct secret *key, struct err *err)
{
    if (!key || key->n != VOUCHER_KEY_LEN)
        return err_input(err, "a voucher key has %d bytes", VOUCHER_KEY_LEN);
    return true;
}

static bool name_is_valid(str s)
{
    return s.n <= VOUCHER_NAME_BYTES_MAX && str_is_visible_ascii(s);
}

/* What both sides hold a voucher to, whoever made it. */
static bool fields_are_valid(const struct voucher *v, struct err *err)
{
    bool for_secret = v->kind == VOUCHER_SECRET_EDGE || v->kind == VOUCHER_SECRET_RUNNER;
    if (!for_secret && v->kind != VOUCHER_STDIO_CALL)
        return err_input(err, "voucher: unknown kind");
    if (!id_is_valid(v->call, 'c'))
        return err_input(err, "voucher: no call id");
    if (v->binding.n == 0 || !name_is_valid(v->binding))
        return err_input(err, "voucher: no binding's name");
    if (!name_is_valid(v->secret) || (v->secret.n != 0) != for_secret)
        return err_input(err, "voucher: a secret's name is missing or out of place");
    if (v->expires_ms <= 0)
        return err_input(err, "voucher: no expiry");
    return true;
}

static void put_name(uint8_t *at, str name)
{
    at[0] = (uint8_t)name.n;
    if (name.n)
        memcpy(at + 1, name.p, name.n);
}

/* False unless what follows the name is zeros. */
static bool get_name(const uint8_t *at, str *out)
{
    if (at[0] > VOUCHER_NAME_BYTES_MAX)
        return false;
    for (size_t i = at[0]; i < VOUCHER_NAME_BYTES_MAX; i++)
        if (at[1 + i])
            return false;
    *out = str_of((const char *)at + 1, at[0]);
    return true;
}

bool voucher_mint(const struct secret *key, const struct voucher *v, uint8_t out[VOUCHER_LEN],
                  struct err *err)
{
    if (!key_is_valid(key, err) || !fields_are_valid(v, err))
        return false;
    memset(out, 0, VOUCHER_LEN);
    out[AT_VERSION] = VERSION;
    out[AT_KIND] = (uint8_t)v->kind;
    memcpy(out + AT_CALL, v->call.p, ID_LEN);
    memcpy(out + AT_REQUEST, v->request.b, HASH_LEN);
    for (int i = 0; i < 8; i++)
        out[AT_EXPIRY + i] = (uint8_t)((uint64_t)v->expires_ms >> (56 - 8 * i));
    put_name(out + AT_BINDING, v->binding);
    put_name(out + AT_SECRET, v->secret);
    struct hash h = mac(key, out);
    memcpy(out + AT_MAC, h.b, HASH_LEN);
    return true;
}

static bool read_fields(const uint8_t *p, struct voucher *v, struct err *err)
{
    uint64_t expiry = 0;
    for (int i = 0; i < 8; i++)
        expiry = expiry << 8 | p[AT_EXPIRY + i];
    *v = (struct voucher){.kind = p[AT_KIND],
                          .call = str_of((const char *)p + AT_CALL, ID_LEN),
                          .expires_ms = (int64_t)expiry};
    memcpy(v->request.b, p + AT_REQUEST, HASH_LEN);
    if (p[AT_VERSION] != VERSION || !get_name(p + AT_BINDING, &v->binding) ||
        !get_name(p + AT_SECRET, &v->secret))
        return err_input(err, "voucher: not of version %d", VERSION);
    return fields_are_valid(v, err);
}

bool voucher_check(const struct secret *key, str bytes, int64_t now_ms, struct voucher *out,
                   struct err *err)
{
    if (!key_is_valid(key, err))
        return false;
    if (bytes.n != VOUCHER_LEN)
        return err_input(err, "a voucher has %d bytes", VOUCHER_LEN);
    const uint8_t *p = (const uint8_t *)bytes.p;
    struct hash h = mac(key, p);
    if (!str_eq_secret(hash_str(&h), str_skip(bytes, AT_MAC)))
        return err_denied(err, "voucher: not minted for this process");
    struct voucher v;
    if (!read_fields(p, &v, err))
        return false;
    if (now_ms >= v.expires_ms)
        return err_denied(err, "voucher: expired");
    if (now_ms < 0 || v.expires_ms - now_ms > VOUCHER_LIFE_MS)
        return err_denied(err, "voucher: valid for longer than vouchers are");
    *out = v;
    return true;
}
