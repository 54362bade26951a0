#include "http/sse.h"
#include "http/chars.h"

void sse_init(struct sse *s, size_t event_bytes_max)
{
    /* Each data line costs its field name in the count and one LF in the buffer, so no buffer can
     * hold more. */
    size_t max = event_bytes_max ? event_bytes_max : 1;
    *s = (struct sse){.event_bytes_max = event_bytes_max,
                      .line = {.max = max},
                      .data = {.max = max},
                      .name = {.max = max},
                      .id = {.max = max}};
}

void sse_fini(struct sse *s)
{
    buf_fini(&s->line);
    buf_fini(&s->data);
    buf_fini(&s->name);
    buf_fini(&s->id);
}

/* ---- reading ---- */

static void set(struct buf *b, str value)
{
    buf_clear(b);
    buf_put(b, value);
}

static void on_event(struct sse *s, str value)
{
    set(&s->name, value);
}

static void on_data(struct sse *s, str value)
{
    buf_put(&s->data, value);
    buf_putc(&s->data, '\n');
}

static void on_id(struct sse *s, str value)
{
    if (str_find_char(value, 0, 0) < 0)
        set(&s->id, value);
}

static void on_retry(struct sse *s, str value)
{
    uint64_t ms = 0;
    if (value.n == 0 || !chars_all(value, CH_DIGIT))
        return;
    for (size_t i = 0; i < value.n; i++)
        if (__builtin_mul_overflow(ms, 10, &ms) ||
            __builtin_add_overflow(ms, (uint64_t)(value.p[i] - '0'), &ms))
            return;
    s->retry_ms = ms;
    s->has_retry = true;
}

static const struct {
    str name;
    void (*take)(struct sse *s, str value);
} known[] = {
    {{"data", 4}, on_data},
    {{"event", 5}, on_event},
    {{"id", 2}, on_id},
    {{"retry", 5}, on_retry},
};

/* Field names are compared exactly; one SP after the colon belongs to it. */
static void field(struct sse *s, str line)
{
    str name, value;
    str_cut(line, ':', &name, &value);
    if (value.n && value.p[0] == ' ')
        value = str_skip(value, 1);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_eq(known[i].name, name)) {
            known[i].take(s, value);
            return;
        }
}

/* True when the line ends an event that has data. */
static bool take_line(struct sse *s, str line)
{
    if (!s->begun && str_starts(line, S("\xef\xbb\xbf")))
        line = str_skip(line, 3);
    s->begun = true;
    if (line.n) {
        field(s, line);
        return false;
    }
    s->event_bytes = 0;
    if (buf_len(&s->data))
        return true;
    buf_clear(&s->name);
    return false;
}

/* Counts the next n bytes of a line of which `s->line` holds the beginning. */
static bool room_for(struct sse *s, str part)
{
    str old = buf_str(&s->line);
    char first = old.n ? old.p[0] : part.n ? part.p[0] : 0;
    size_t others = first == ':' ? 0 : s->event_bytes;
    return part.n <= s->event_bytes_max && old.n <= s->event_bytes_max - part.n &&
           others <= s->event_bytes_max - part.n - old.n;
}

static enum sse_step too_much(struct sse *s, struct err *err)
{
    s->bad = true;
    err_limit(err, "an event of the stream is over %zu bytes", s->event_bytes_max);
    return SSE_BAD;
}

/* Forgets the event that was given out by the last call. */
static void next_event(struct sse *s)
{
    if (!s->given)
        return;
    buf_clear(&s->data);
    buf_clear(&s->name);
    s->given = false;
}

static void give(struct sse *s, struct sse_event *ev)
{
    str data = buf_str(&s->data);
    s->given = true;
    *ev = (struct sse_event){
        .name = buf_str(&s->name),
        .data = str_take(data, data.n - 1),
        .id = buf_str(&s->id),
    };
}

/* Where the first CR or LF at or after `at` is, or in.n. *after_lf remembers where the next LF was
 * found (0: not yet), so that a stream of CRs is not searched again and again. */
static size_t line_end(str in, size_t at, size_t *after_lf)
{
    if (*after_lf <= at) {
        ptrdiff_t lf = str_find_char(in, '\n', at);
        *after_lf = (lf < 0 ? in.n : (size_t)lf) + 1;
    }
    ptrdiff_t cr = str_find_char(str_take(in, *after_lf - 1), '\r', at);
    return cr < 0 ? *after_lf - 1 : (size_t)cr;
}

/* The start of the line after the one that ends at `end`. */
static size_t next_line(str in, size_t end)
{
    bool both = in.p[end] == '\r' && end + 1 < in.n && in.p[end + 1] == '\n';
    return end + (both ? 2 : 1);
}

/* A whole line, the beginning of which may be in s->line. True when an event is complete. */
static bool whole_line(struct sse *s, str part)
{
    if (buf_len(&s->line)) {
        buf_put(&s->line, part);
        part = buf_str(&s->line);
    }
    if (part.n && part.p[0] != ':')
        s->event_bytes += part.n;
    bool complete = take_line(s, part);
    buf_clear(&s->line);
    return complete;
}

enum sse_step sse_read(struct sse *s, str in, size_t *used, struct sse_event *ev, struct err *err)
{
    size_t at = 0, after_lf = 0;
    *used = 0;
    if (s->bad)
        return too_much(s, err);
    next_event(s);
    if (in.n && s->after_cr) {
        s->after_cr = false;
        at = in.p[0] == '\n';
    }
    while (at < in.n) {
        size_t end = line_end(in, at, &after_lf);
        str part = str_of(in.p + at, end - at);
        if (!room_for(s, part))
            return too_much(s, err);
        if (end == in.n) {
            buf_put(&s->line, part);
            break;
        }
        at = next_line(in, end);
        s->after_cr = at == in.n && in.p[at - 1] == '\r';
        if (whole_line(s, part)) {
            *used = at;
            give(s, ev);
            return SSE_EVENT;
        }
    }
    *used = in.n;
    return SSE_MORE;
}

/* ---- writing ---- */

static bool one_line(str s)
{
    return str_find_char(s, '\r', 0) < 0 && str_find_char(s, '\n', 0) < 0;
}

static void put_line(struct buf *out, str name, str value)
{
    buf_put(out, name);
    buf_put(out, value);
    buf_putc(out, '\n');
}

static void put_data(struct buf *out, str data)
{
    size_t after_lf = 0;
    for (size_t at = 0;;) {
        size_t end = line_end(data, at, &after_lf);
        put_line(out, S("data: "), str_skip(str_take(data, end), at));
        if (end == data.n)
            return;
        at = next_line(data, end);
    }
}

bool sse_write(struct buf *out, const struct sse_event *ev, struct err *err)
{
    size_t before = buf_len(out);
    if (!one_line(ev->name) || !one_line(ev->id))
        return err_input(err, "an event's name or id holds a line end");
    if (str_find_char(ev->id, 0, 0) >= 0)
        return err_input(err, "an event's id holds NUL, so readers would ignore it");
    if (ev->name.n)
        put_line(out, S("event: "), ev->name);
    if (ev->id.n)
        put_line(out, S("id: "), ev->id);
    put_data(out, ev->data);
    buf_putc(out, '\n');
    if (out->over) {
        buf_truncate(out, before);
        return err_limit(err, "there is no room for an event of %zu bytes", ev->data.n);
    }
    return true;
}

void sse_write_keep_alive(struct buf *out)
{
    buf_put(out, S(":\n\n"));
}

void sse_write_retry(struct buf *out, uint64_t ms)
{
    buf_put(out, S("retry: "));
    buf_u64(out, ms);
    buf_put(out, S("\n\n"));
}
