#include "mcp/text.h"

str mcp_text_take(str s, size_t max)
{
    if (s.n <= max)
        return s;
    size_t n = max;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return str_take(s, n);
}

/* Bytes of the well-formed code point at the start of s; 0 if there is none. */
static size_t code_point(str s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (str_is_utf8(str_take(s, n)))
            return n;
    return 0;
}

static bool is_control(str cp)
{
    unsigned char c = (unsigned char)cp.p[0];
    return c < 0x20 || c == 0x7f || (cp.n == 2 && c == 0xc2 && (unsigned char)cp.p[1] < 0xa0);
}

void mcp_put_text(struct jw *w, str s, size_t max, bool lines)
{
    struct buf clean = {.max = max + 4};
    while (s.n) {
        size_t n = code_point(s);
        str cp = str_take(s, n ? n : 1);
        if (buf_len(&clean) + cp.n > max)
            break;
        if (n == 0)
            buf_putc(&clean, '?');
        else if (is_control(cp) && !(lines && cp.p[0] == '\n'))
            buf_putc(&clean, ' ');
        else
            buf_put(&clean, cp);
        s = str_skip(s, cp.n);
    }
    jw_str(w, buf_str(&clean));
    buf_fini(&clean);
}
