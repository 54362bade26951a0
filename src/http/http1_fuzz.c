/* The first byte chooses the role (and whether a HEAD is answered), the next two where the message
 * is cut. Read whole, cut and byte by byte must agree; what is accepted must survive being written
 * and read again. */
#include "http/http1_probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct probe *x, const struct probe *y, bool exactly)
{
    if (x->last != y->last || (exactly && x->left != y->left && x->last == HTTP1_END) ||
        !str_eq(buf_str(&x->said), buf_str(&y->said)))
        abort();
}

static void rewrite(struct arena *a, const struct probe *whole, enum http1_role role, bool to_head,
                    const struct http1_limits *limits, size_t chunk)
{
    struct buf out = {0};
    struct err err;
    struct probe again;
    struct http1_limits wide = *limits;
    wide.head_bytes += 200; /* the writer may add spaces, a phrase and "Connection: close" */
    wide.fields += 1;
    if (!probe_write(whole, role, chunk, &out, &err))
        abort();
    probe_run(&again, a, role, to_head, &wide, buf_str(&out), SIZE_MAX, 0);
    same(whole, &again, false);
    if (again.left != 0)
        abort();
    probe_fini(&again);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 16 << 10)
        return 0;
    enum http1_role role = data[0] & 1 ? HTTP1_RESPONSES : HTTP1_REQUESTS;
    bool to_head = (data[0] & 3) == 3;
    str msg = str_of((const char *)data + 3, size - 3);
    size_t cut = msg.n ? (size_t)(data[1] << 8 | data[2]) % msg.n : 0;
    struct http1_limits limits = {
        .head_bytes = 2000, .target_bytes = 500, .fields = 20, .body_bytes = 1000};
    ARENA_SCOPE struct arena a = {0};
    struct probe whole, split, drip;
    probe_run(&whole, &a, role, to_head, &limits, msg, SIZE_MAX, 0);
    probe_run(&split, &a, role, to_head, &limits, msg, cut, 0);
    probe_run(&drip, &a, role, to_head, &limits, msg, 1, 1);
    same(&whole, &split, true);
    same(&whole, &drip, true);
    if (whole.last == HTTP1_END)
        rewrite(&a, &whole, role, to_head, &limits, 1 + cut % 7);
    probe_fini(&whole);
    probe_fini(&split);
    probe_fini(&drip);
    return 0;
}
