/* A bundle document: what is read is written in one form, which reads as the same bundle. */
#include "identity/bundle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct bundle *b = NULL, *again = NULL;
    struct bundles set = {0};
    bool changed = true;
    if (!bundle_read(S("td"), str_of((const char *)data, size), &b, &err)) {
        if (b || err.kind == ERR_NONE || !err.text[0])
            abort();
        return 0;
    }
    struct buf text = {0}, second = {0};
    bundle_write(b, &text);
    if (!bundle_read(S("td"), buf_str(&text), &again, &err) || !bundle_same_keys(b, again) ||
        bundle_sequence(b) != bundle_sequence(again) ||
        bundle_refresh_s(b) != bundle_refresh_s(again))
        abort();
    bundle_write(again, &second);
    if (!str_eq(buf_str(&text), buf_str(&second)))
        abort();
    if (!bundles_put(&set, b, NULL, &err) || !bundles_put(&set, again, &changed, &err) || changed)
        abort();
    bundles_fini(&set);
    buf_fini(&text);
    buf_fini(&second);
    return 0;
}
