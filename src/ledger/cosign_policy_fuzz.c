/* Any bytes as a log policy: refused, or written to a text that parses to the same text; and one
 * more cosignature never undoes a quorum. */
#include "ledger/cosign_policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quorum(const struct cosign_policy *p)
{
    uint64_t set = 0;
    bool met = witness_policy_met(p, 0);
    if (met != p->no_quorum)
        abort();
    for (size_t i = 0; i < p->n_witnesses; i++) {
        set |= 1ull << i;
        bool now = witness_policy_met(p, set);
        if (met && !now)
            abort();
        met = now;
    }
    if (!met)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    const struct cosign_policy *p, *again;
    struct buf first = {0}, second = {0};
    if (!cosign_policy_parse(&a, str_of((const char *)data, size), &p, &err))
        return 0;
    check_quorum(p);
    cosign_policy_write(p, &first);
    if (!cosign_policy_parse(&a, buf_str(&first), &again, &err))
        abort();
    cosign_policy_write(again, &second);
    if (!str_eq(buf_str(&first), buf_str(&second)))
        abort();
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
