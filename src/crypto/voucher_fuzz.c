/* Any bytes as a voucher: refused. The same bytes under a good MAC: refused, or minted again from
 * its fields to the same bytes, and used once. */
#include "crypto/voucher.h"
#include "base/limits.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secret *key;
static struct voucher_used *used;

static void as_minted(const uint8_t *data, size_t size)
{
    uint8_t bytes[VOUCHER_LEN] = {0}, again[VOUCHER_LEN];
    struct err err;
    struct voucher v;
    memcpy(bytes, data, size < VOUCHER_LEN - HASH_LEN ? size : VOUCHER_LEN - HASH_LEN);
    const str parts[] = {S("ambit voucher v1\0"), str_of((char *)bytes, VOUCHER_LEN - HASH_LEN)};
    struct hash mac = hmac_sha256_parts(secret_str(key), parts, 2);
    memcpy(bytes + VOUCHER_LEN - HASH_LEN, mac.b, HASH_LEN);
    int64_t expiry = 0;
    for (int i = 0; i < 8; i++)
        expiry = (int64_t)((uint64_t)expiry << 8 | bytes[61 + i]);
    int64_t now = expiry > 0 ? expiry - 1 : 0;
    if (!voucher_check(key, str_of((char *)bytes, VOUCHER_LEN), now, &v, &err))
        return;
    if (!voucher_mint(key, &v, again, &err) || memcmp(bytes, again, VOUCHER_LEN) != 0)
        abort();
    (void)!voucher_used_take(used, &v, now, &err);
    if (voucher_used_take(used, &v, now, &err))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct voucher v;
    if (!key && (!secret_new(VOUCHER_KEY_LEN, &key, &err) || !voucher_used_new(64, &used, &err)))
        abort();
    if (voucher_check(key, str_of((const char *)data, size), 1790000000000, &v, &err))
        abort();
    as_minted(data, size);
    return 0;
}
