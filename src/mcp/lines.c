#include "mcp/lines.h"

#include "base/limits.h"

#define BOM S("\xef\xbb\xbf")
enum { UNREAD_BYTES_MAX = 1 << 20 }; /* fed ahead of what was taken, beyond one line */

static size_t line_max(const struct mcp_lines *l)
{
    return l->line_max ? l->line_max : STDIO_LINE_BYTES_MAX;
}

/* The line handed out last is only now given up, since the caller could look at it until here. */
static void forget_taken(struct mcp_lines *l)
{
    buf_consume(&l->in, l->taken);
    l->taken = 0;
}

/* Measures lines as they arrive, so that one over the limit is never kept in full. CR counts as
 * line end. */
static bool measure(struct mcp_lines *l, str bytes)
{
    for (const char *nl; bytes.n && (nl = memchr(bytes.p, '\n', bytes.n));) {
        size_t n = (size_t)(nl - bytes.p);
        bool cr = n ? nl[-1] == '\r' : l->ends_in_cr;
        if (l->partial + n - cr > line_max(l))
            return false;
        l->partial = 0;
        l->ends_in_cr = false;
        bytes = str_skip(bytes, n + 1);
    }
    l->partial += bytes.n;
    if (bytes.n)
        l->ends_in_cr = bytes.p[bytes.n - 1] == '\r';
    return l->partial <= line_max(l) + 1;
}

bool mcp_lines_feed(struct mcp_lines *l, str bytes, struct err *err)
{
    forget_taken(l);
    l->in.max = line_max(l) + UNREAD_BYTES_MAX;
    if (!l->bad && measure(l, bytes)) {
        buf_put(&l->in, bytes);
        l->bad = l->in.over;
    } else {
        l->bad = true;
    }
    return !l->bad || err_peer(err, "the server wrote a line over %zu bytes", line_max(l));
}

bool mcp_lines_next(struct mcp_lines *l, str *line)
{
    for (;;) {
        forget_taken(l);
        str in = buf_str(&l->in);
        const char *nl = in.n ? memchr(in.p, '\n', in.n) : NULL;
        if (!nl)
            return false;
        str s = str_of(in.p, (size_t)(nl - in.p));
        l->taken = s.n + 1;
        if (!l->begun && str_starts(s, BOM))
            s = str_skip(s, BOM.n);
        l->begun = true;
        if (str_ends(s, S("\r")))
            s.n--;
        if (str_trim(s).n) {
            *line = s;
            return true;
        }
    }
}

bool mcp_lines_is_clean(const struct mcp_lines *l)
{
    return !l->bad && buf_len(&l->in) == l->taken;
}

void mcp_lines_fini(struct mcp_lines *l)
{
    buf_fini(&l->in);
    *l = (struct mcp_lines){.line_max = l->line_max};
}

bool mcp_line_put(struct buf *out, str message, struct err *err)
{
    if (message.n == 0 || str_find_char(message, '\n', 0) >= 0 ||
        str_find_char(message, '\r', 0) >= 0)
        return err_input(err, "a message for stdio must be one line that is not empty");
    buf_put(out, message);
    buf_putc(out, '\n');
    return true;
}
