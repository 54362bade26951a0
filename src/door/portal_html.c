/* HTML: written once, escaped always. */
#include "door/portal_int.h"

#include <stdlib.h>

static void put_escaped(struct buf *b, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&':
            buf_put(b, S("&amp;"));
            break;
        case '<':
            buf_put(b, S("&lt;"));
            break;
        case '>':
            buf_put(b, S("&gt;"));
            break;
        case '"':
            buf_put(b, S("&quot;"));
            break;
        case '\'':
            buf_put(b, S("&#39;"));
            break;
        default:
            buf_putc(b, s.p[i]);
        }
    }
}

/* What a stranger wrote may hold characters that hide, or that turn the order of text around:
 * shown as they are numbered, so that what is read is what is there. */
static size_t hidden_char(str s, uint32_t *code)
{
    const uint8_t *p = (const uint8_t *)s.p;
    if (p[0] < 0x20 || p[0] == 0x7f) {
        *code = p[0];
        return p[0] == '\n' || p[0] == '\t' ? 0 : 1;
    }
    if (s.n >= 2 && p[0] == 0xc2 && (p[1] < 0xa0 || p[1] == 0xad)) {
        *code = p[1];
        return 2;
    }
    if (s.n < 3 || p[0] < 0xe0 || p[0] > 0xef)
        return 0;
    uint32_t c = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
    *code = c;
    bool hides = (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                 (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x061c || c == 0x180e;
    return hides ? 3 : 0;
}

static void put_text(struct buf *b, str s)
{
    while (s.n) {
        uint32_t code;
        size_t n = hidden_char(s, &code);
        if (n)
            buf_printf(b, "\\u%04x", code);
        else
            put_escaped(b, str_take(s, n = 1));
        s = str_skip(s, n);
    }
}

void html_put(struct buf *b, const char *format, const str *texts, size_t n)
{
    size_t used = 0;
    for (const char *p = format; *p; p++) {
        if (*p != '$') {
            buf_putc(b, *p);
            continue;
        }
        if (used == n)
            abort();
        put_text(b, texts[used++]);
    }
    if (used != n)
        abort();
}

void html_begin(struct visit *v, struct buf *b, const char *title, const char *script, str person)
{
    b->max = 20 << 20;
    HTML(b,
         "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>$ - Ambit</title>"
         "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"csrf\" content=\"$\">"
         "<link rel=\"stylesheet\" href=\"/portal.css\"><script src=\"/portal.js\" defer></script>"
         "</head><body data-page=\"$\"><header><a href=\"/\">Ambit</a>",
         str_z(title), v->csrf, str_z(script));
    if (person.n)
        HTML(b,
             "<nav><a href=\"/holds\">Approvals</a> <a href=\"/tasks\">Tasks</a></nav>"
             "<form method=\"post\" action=\"/signout\"><span id=\"person\">$</span>"
             "<input type=\"hidden\" name=\"csrf\" value=\"$\"><button>Sign out</button></form>",
             person, v->csrf);
    HTML(b, "</header><main><h1>$</h1><p id=\"say\" role=\"status\"></p>", str_z(title));
}

void html_end(struct buf *b)
{
    buf_put(b, S("</main></body></html>\n"));
}
