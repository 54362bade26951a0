/* Any bytes as what a gRPC server sends to a client with two calls. Each call ends at most once, no
 * message is longer than it may be, and a connection that is over stays over. */
#include "identity/grpc_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    unsigned ended[3];
};

static void on_message(void *owner, unsigned tag, str message)
{
    struct heard *h = owner;
    if (h->ended[tag] || message.n > GRPC_CLIENT_MESSAGE_BYTES_MAX)
        abort();
}

static void on_end(void *owner, unsigned tag, enum grpc_status status, str text)
{
    struct heard *h = owner;
    if (h->ended[tag]++ || text.n > GRPC_STATUS_TEXT_BYTES_MAX || (unsigned)status > 16)
        abort();
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct grpc_client_ops ops = {on_message, on_end, NULL};
    struct heard heard = {0};
    struct err err;
    struct buf out = {0};
    struct grpc_client *c = grpc_client_new(&ops, &heard);
    if (!grpc_client_call(c, 1, S("/A/B"), NULL, 0, S(""), &err) ||
        !grpc_client_call(c, 2, S("/A/C"), NULL, 0, S("x"), &err))
        abort();
    grpc_client_pull(c, &out);
    str in = str_of((const char *)data, size);
    size_t half = size / 2;
    if (grpc_client_feed(c, str_take(in, half), &err)) {
        grpc_client_pull(c, &out);
        if (grpc_client_feed(c, str_skip(in, half), &err))
            grpc_client_pull(c, &out);
    }
    buf_fini(&out);
    grpc_client_free(c);
    return 0;
}
