/* Any bytes as a sealed secret: refused. Any bytes as a secret: sealed, opened, the same; with one
 * byte changed, refused. */
#include "crypto/seal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secret *master;
    struct err err;
    struct secret *out;
    struct buf b = {0};
    str in = str_of((const char *)data, size);
    if (!master && !secret_new(SEAL_MASTER_LEN, &master, &err))
        abort();
    if (seal_open(master, S("p"), S("n"), in, &out, &err))
        abort();
    if (!seal(master, S("p"), S("n"), in, &b, &err)) {
        if (err.kind != ERR_LIMIT)
            abort();
        return 0;
    }
    if (!seal_open(master, S("p"), S("n"), buf_str(&b), &out, &err) || !str_eq(secret_str(out), in))
        abort();
    secret_free(out);
    size_t at = size ? data[0] % buf_len(&b) : 0;
    b.mem[b.start + at] ^= (char)(1 << at % 8);
    if (seal_open(master, S("p"), S("n"), buf_str(&b), &out, &err))
        abort();
    buf_fini(&b);
    return 0;
}
