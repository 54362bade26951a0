#include "role/stdio_words.h"

/* A whole line is held so that a secret is never cut in two before it is looked for. */
enum { LINE_BYTES_MAX = 32 << 10 };

bool stdio_words_hide(struct stdio_words *w, str secret, struct err *err)
{
    if (w->secrets_n == WORDS_SECRETS_MAX)
        return err_limit(err, "over %d secrets for one program", WORDS_SECRETS_MAX);
    if (!secret_of(secret, &w->secrets[w->secrets_n], err))
        return false;
    w->secrets_n++;
    return true;
}

/* Length of the secret that begins here, longest first; 0 if none does. */
static size_t secret_at(const struct stdio_words *w, str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < w->secrets_n; i++) {
        str s = secret_str(w->secrets[i]);
        if (s.n > longest && str_starts(text, s))
            longest = s.n;
    }
    return longest;
}

void stdio_words_clean(const struct stdio_words *w, str text, struct buf *out)
{
    while (text.n) {
        size_t n = secret_at(w, text);
        if (n) {
            buf_put(out, S("[secret]"));
        } else {
            unsigned char c = (unsigned char)text.p[0];
            buf_putc(out, c < 0x20 || c >= 0x7f ? '?' : (char)c);
            n = 1;
        }
        text = str_skip(text, n);
    }
}

static void end_line(struct stdio_words *w, void (*on_line)(void *owner, str line), void *owner)
{
    struct buf clean = {.max = LINE_BYTES_MAX * 8};
    stdio_words_clean(w, buf_str(&w->line), &clean);
    str s = str_trim(buf_str(&clean));
    if (s.n) {
        str kept = str_take(s, WORD_BYTES_MAX);
        memcpy(w->kept[w->next], kept.p, kept.n);
        w->kept[w->next][kept.n] = 0;
        w->next = (w->next + 1) % WORDS_KEPT;
        if (on_line)
            on_line(owner, s);
    }
    buf_fini(&clean);
    buf_wipe(&w->line);
    w->skipping = false;
}

void stdio_words_feed(struct stdio_words *w, str bytes, void (*on_line)(void *owner, str line),
                      void *owner)
{
    str head, rest;
    for (bool whole = true; whole && bytes.n; bytes = rest) {
        whole = str_cut(bytes, '\n', &head, &rest);
        size_t room = LINE_BYTES_MAX - buf_len(&w->line);
        if (!w->skipping)
            buf_put(&w->line, str_take(head, room));
        if (head.n > room)
            w->skipping = true;
        if (whole)
            end_line(w, on_line, owner);
    }
}

void stdio_words_last(const struct stdio_words *w, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < WORDS_KEPT; i++) {
        str s = str_z(w->kept[(w->next + i) % WORDS_KEPT]);
        if (!s.n)
            continue;
        buf_put(out, any ? S(" | ") : S("; it said: "));
        buf_put(out, s);
        any = true;
    }
}

void stdio_words_fini(struct stdio_words *w)
{
    for (size_t i = 0; i < w->secrets_n; i++)
        secret_free(w->secrets[i]);
    w->secrets_n = 0;
    buf_wipe(&w->line);
}
