/* Any bytes, read as a DPoP proof: nothing crashes, and nothing without a good signature passes.
 * The input is tried as it is, and as the claims of a proof that is signed well. */
#include "call/dpop_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct key *key;
    ARENA_SCOPE struct arena a = {0};
    const str htu = S("https://gw.example/mcp");
    struct dpop_want w = {
        .htm = S("POST"), .htu = &htu, .htu_n = 1, .token = S("t"), .now_s = 1800000000};
    struct dpop_proof p;
    struct err err;
    str in = str_of((const char *)data, size);
    if (!key && !key_generate(KEY_ES256, &key, &err))
        abort();
    (void)!dpop_check(&a, in, &w, &p, &err);
    if (size > 2048)
        return 0;
    if (dpop_check(&a, dpop_sign(&a, key, dpop_header(&a, key), in), &w, &p, &err)) {
        check(p.jti.n > 0 && p.jti.n <= DPOP_JTI_BYTES_MAX);
        check(p.until_s > w.now_s && p.iat_s <= w.now_s + DPOP_AHEAD_S_MAX);
    }
    return 0;
}
