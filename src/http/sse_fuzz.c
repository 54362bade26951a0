/* The first two bytes choose where the stream is cut: read whole, cut and byte by byte must give
 * the same events. Events written again (as far as they can be) must be read back. */
#include "http/sse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_BYTES_MAX = 300 };

static void note(struct buf *out, const struct sse_event *ev)
{
    buf_printf(out, "event %zu %zu %zu|", ev->name.n, ev->data.n, ev->id.n);
    buf_put(out, ev->name);
    buf_put(out, ev->data);
    buf_put(out, ev->id);
}

/* The writer leaves an empty id out; here it must take the place of the one before. */
static void write_again(struct buf *out, const struct sse_event *ev)
{
    struct err err;
    buf_put(out, S("id\n"));
    if (!sse_write(out, ev, &err))
        abort();
}

static void take(struct sse *s, str in, struct buf *said, struct buf *again)
{
    struct sse_event ev;
    struct err err;
    size_t used;
    enum sse_step step;
    do {
        char *exact = malloc(in.n + 1);
        if (!exact)
            abort();
        if (in.n)
            memcpy(exact, in.p, in.n);
        step = sse_read(s, str_of(exact, in.n), &used, &ev, &err);
        free(exact);
        in = str_skip(in, used);
        if (step == SSE_EVENT) {
            note(said, &ev);
            if (again)
                write_again(again, &ev);
        }
    } while (step == SSE_EVENT);
    if (step == SSE_MORE && in.n)
        abort();
    if (step == SSE_BAD && !s->bad)
        abort();
}

static void run(str in, size_t first, size_t step, size_t max, struct buf *said, struct buf *again)
{
    struct sse s;
    sse_init(&s, max);
    for (size_t n = first; in.n; n = step) {
        take(&s, str_take(in, n), said, again);
        in = str_skip(in, n);
    }
    if (s.bad)
        buf_put(said, S("BAD"));
    if (s.has_retry && !again)
        buf_u64(said, s.retry_ms);
    sse_fini(&s);
}

static void same(struct buf *x, struct buf *y)
{
    if (!str_eq(buf_str(x), buf_str(y)))
        abort();
    buf_fini(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 16 << 10)
        return 0;
    str in = str_of((const char *)data + 2, size - 2);
    size_t cut = 1 + (size_t)(data[0] << 8 | data[1]) % in.n;
    struct buf whole = {0}, split = {0}, drip = {0}, once = {0}, text = {0}, twice = {0};
    run(in, in.n, in.n, EVENT_BYTES_MAX, &whole, NULL);
    run(in, cut, in.n, EVENT_BYTES_MAX, &split, NULL);
    run(in, 1, 1, EVENT_BYTES_MAX, &drip, NULL);
    same(&whole, &split);
    same(&whole, &drip);
    run(in, in.n, in.n, 1 << 20, &once, &text);
    struct buf more = {0};
    run(buf_str(&text), SIZE_MAX, SIZE_MAX, 1 << 20, &twice, &more);
    same(&once, &twice);
    same(&text, &more);
    buf_fini(&whole);
    buf_fini(&once);
    buf_fini(&text);
    return 0;
}
