#include "os/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t size_max(void *arg, uint16_t type)
{
    (void)arg;
    return type % 8 == 0 ? 0 : 1U << type % 32;
}

/* A stream of frames: what is accepted lies within the input, keeps to the limits, is written back
 * to the same bytes, and does not depend on how much follows it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of((const char *)data, size);
    for (;;) {
        struct frame f = {0}, again = {0};
        struct err err;
        if (frame_read(in, size_max, NULL, &f, &err) != FRAME_OK)
            return 0;
        size_t n = frame_bytes(&f);
        if (n > in.n || f.payload.n > size_max(NULL, f.type) || size_max(NULL, f.type) == 0)
            abort();
        if (frame_read(str_take(in, n), size_max, NULL, &again, &err) != FRAME_OK ||
            frame_read(str_take(in, n - 1), size_max, NULL, &again, &err) != FRAME_MORE)
            abort();
        struct buf b = {.max = n};
        frame_write(&b, f.type, f.flags, f.id, f.payload);
        if (!str_eq(buf_str(&b), str_take(in, n)))
            abort();
        buf_fini(&b);
        in = str_skip(in, n);
    }
}
