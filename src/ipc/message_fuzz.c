/* Any type and payload: refused, or decoded and encoded again to the same bytes. */
#include "ipc/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union {
        struct msg_setup setup;
        struct msg_call call;
        struct msg_go go;
        struct msg_outcome outcome;
        struct msg_refused refused;
        char room[1024];
    } m = {0};
    struct err err;
    if (size < 1)
        return 0;
    str payload = str_of((const char *)data + 1, size - 1);
    if (!message_unpack((enum message_type)data[0], payload, &m, &err))
        return 0;
    struct buf again = {0};
    message_pack((enum message_type)data[0], &m, &again);
    if (!str_eq(buf_str(&again), payload))
        abort();
    buf_fini(&again);
    return 0;
}
