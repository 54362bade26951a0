/* The difference of two short texts, by lines: longest common subsequence, after what both begin
 * and end with has been set aside. Beyond DIFF_CELLS_MAX everything in between counts as changed.
 */
#include "cmd/print.h"

enum { DIFF_CELLS_MAX = 4 << 20, DIFF_CONTEXT = 3 };

struct lines {
    str *v;
    size_t n;
};

static struct lines lines_of(struct arena *a, str text)
{
    struct lines l = {0};
    size_t count = 1;
    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == '\n';
    l.v = ARENA_ARRAY(a, str, count);
    for (str rest = text; rest.n;)
        str_cut(rest, '\n', &l.v[l.n++], &rest);
    return l;
}

static void put(struct buf *out, char mark, str line)
{
    buf_putc(out, mark);
    buf_putc(out, ' ');
    buf_put(out, line);
    buf_putc(out, '\n');
}

/* The middles, by a table of the lengths of common subsequences of their ends. */
static void put_middle(struct buf *out, struct arena *a, struct lines x, struct lines y)
{
    size_t i = 0, j = 0, w = y.n + 1;
    if (x.n && y.n && x.n < DIFF_CELLS_MAX / y.n) {
        uint32_t *len = ARENA_ARRAY(a, uint32_t, (x.n + 1) * w);
        for (size_t r = x.n; r-- > 0;)
            for (size_t c = y.n; c-- > 0;) {
                uint32_t down = len[(r + 1) * w + c], right = len[r * w + c + 1];
                len[r * w + c] = str_eq(x.v[r], y.v[c]) ? len[(r + 1) * w + c + 1] + 1
                                 : down > right         ? down
                                                        : right;
            }
        while (i < x.n && j < y.n) {
            if (str_eq(x.v[i], y.v[j])) {
                put(out, ' ', x.v[i++]);
                j++;
            } else if (len[(i + 1) * w + j] >= len[i * w + j + 1]) {
                put(out, '-', x.v[i++]);
            } else {
                put(out, '+', y.v[j++]);
            }
        }
    }
    while (i < x.n)
        put(out, '-', x.v[i++]);
    while (j < y.n)
        put(out, '+', y.v[j++]);
}

void put_diff(struct buf *out, str before, str after)
{
    ARENA_SCOPE struct arena a = {0};
    struct lines x = lines_of(&a, before), y = lines_of(&a, after);
    size_t head = 0, tail = 0;
    while (head < x.n && head < y.n && str_eq(x.v[head], y.v[head]))
        head++;
    while (tail < x.n - head && tail < y.n - head &&
           str_eq(x.v[x.n - 1 - tail], y.v[y.n - 1 - tail]))
        tail++;
    size_t from = head > DIFF_CONTEXT ? head - DIFF_CONTEXT : 0;
    if (from)
        put(out, ' ', S("..."));
    for (size_t i = from; i < head; i++)
        put(out, ' ', x.v[i]);
    put_middle(out, &a, (struct lines){x.v + head, x.n - head - tail},
               (struct lines){y.v + head, y.n - head - tail});
    for (size_t i = 0; i < tail && i < DIFF_CONTEXT; i++)
        put(out, ' ', x.v[x.n - tail + i]);
    if (tail > DIFF_CONTEXT)
        put(out, ' ', S("..."));
}
