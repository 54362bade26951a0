/* Any bytes as a tlog-proof: refused, or written again to the same bytes. As an entry bundle: what
 * is taken from it is put together to the same bytes. */
#include "base/arena.h"
#include "ledger/proof.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct buf *b, str in)
{
    if (!str_eq(buf_str(b), in))
        abort();
    buf_fini(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct proof p;
    struct buf b = {0};
    str in = str_of((const char *)data, size), rest = in, entry;
    if (proof_read(&a, in, &p, &err)) {
        proof_write(&p, &b);
        same(&b, in);
    }
    while (bundle_take(&rest, &entry))
        if (!bundle_put(&b, entry, &err))
            abort();
    same(&b, str_take(in, in.n - rest.n));
    return 0;
}
