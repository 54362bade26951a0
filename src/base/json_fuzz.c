/* Any bytes: either refused, or read, written canonically, read again and written to the same
 * bytes. */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct json_limits limits = {.bytes_max = 1 << 20, .depth_max = 32, .values_max = 10000};
    const json *v;
    struct err err;
    if (!json_read(&a, str_of((const char *)data, size), &limits, &v, &err))
        return 0;
    struct buf one = {0}, two = {0};
    json_write_canonical(&one, v);
    if (!json_read(&a, buf_str(&one), &limits, &v, &err))
        abort();
    json_write_canonical(&two, v);
    if (!str_eq(buf_str(&one), buf_str(&two)))
        abort();
    buf_fini(&one);
    buf_fini(&two);
    return 0;
}
