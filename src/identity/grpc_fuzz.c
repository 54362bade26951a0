/* Any bytes after a client's preface, whole and cut in two, to the Workload API: every
 * call that was asked for goes, queues stay within their limits, and both readings ask for the
 * same. Byte 0 is where the input is cut, byte 1 what the owner does. */
#include "identity/workload_api.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    size_t asks, gone;
    unsigned mode;
};

static enum workload_peer who(void *owner)
{
    return WORKLOAD_KNOWN;
}

static void on_ask(void *owner, struct workload_call *c, enum workload_method m,
                   const union workload_ask *ask)
{
    struct run *r = owner;
    struct err err;
    const struct proto_pair bundle = {S("spiffe://a"), S("b")};
    const union workload_answer a = {.jwt_bundles = {.bundles = {&bundle, 1}}};
    r->asks += ask != NULL;
    if (m == WORKLOAD_FETCH_JWT_BUNDLES || m == WORKLOAD_FETCH_WIT_BUNDLES) {
        if (!workload_answer(c, &a, &err) && err.kind != ERR_LIMIT)
            abort();
    } else if (r->mode & 1) {
        workload_refuse(c, GRPC_UNAVAILABLE, S("\n%"));
    }
}

static void on_gone(void *owner, struct workload_call *c)
{
    ((struct run *)owner)->gone++;
}

static size_t run(str in, size_t cut, unsigned mode)
{
    static const struct workload_ops ops = {who, on_ask, on_gone};
    static const struct workload_opts opts = {.wit = true};
    struct run r = {.mode = mode};
    struct buf out = {.max = GRPC_PULL_BYTES_HIGH + (32 << 10), .wipe = true};
    struct err err;
    struct workload_conn *w = workload_new(&opts, &ops, &r, 0);
    bool ok = workload_feed(w, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), 1, &err) &&
              workload_feed(w, str_take(in, cut), 1, &err) &&
              workload_feed(w, str_skip(in, cut), 1, &err);
    if (ok && mode & 2) {
        workload_rotate(w, ~0u, 1, 1);
        ok = workload_tick(w, mode & 4 ? 20000 : 2, &err);
    }
    if (ok && mode & 8)
        workload_end(w);
    workload_pull(w, &out);
    if (out.over || workload_streams(w) > GRPC_STREAMS_MAX)
        abort();
    workload_free(w);
    if (r.asks != r.gone)
        abort();
    buf_wipe(&out);
    return r.asks;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    str in = str_of((const char *)data + 2, size - 2);
    size_t cut = in.n ? data[0] * in.n / 256 : 0;
    size_t asks = run(in, cut, data[1]);
    if (asks != run(in, in.n, data[1]))
        abort();
    return 0;
}
