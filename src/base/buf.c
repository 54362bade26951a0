#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static size_t limit(const struct buf *b)
{
    return b->max ? b->max : BUF_MAX_DEFAULT;
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t len = buf_len(b);
    if (n > limit(b) || len > limit(b) - n) {
        b->over = true;
        return NULL;
    }
    if (n <= b->cap - b->end)
        return b->mem + b->end;
    if (b->start && (len + n <= b->cap / 2 || len == 0)) {
        memmove(b->mem, b->mem + b->start, len);
        b->start = 0;
        b->end = len;
        if (n <= b->cap - b->end)
            return b->mem + b->end;
    }
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->end < n)
        cap *= 2;
    char *mem = b->wipe ? malloc(cap) : realloc(b->mem, cap);
    if (!mem)
        abort();
    if (b->wipe && b->mem) {
        memcpy(mem, b->mem, b->end);
        explicit_bzero(b->mem, b->cap);
        free(b->mem);
    }
    b->mem = mem;
    b->cap = cap;
    return b->mem + b->end;
}

void buf_commit(struct buf *b, size_t n)
{
    if (n > b->cap - b->end)
        abort();
    b->end += n;
}

void buf_put(struct buf *b, str s)
{
    if (s.n == 0)
        return;
    char *p = buf_reserve(b, s.n);
    if (!p)
        return;
    memcpy(p, s.p, s.n);
    b->end += s.n;
}

void buf_putc(struct buf *b, char c)
{
    buf_put(b, str_of(&c, 1));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char small[512];
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    if ((size_t)n < sizeof small) {
        buf_put(b, str_of(small, (size_t)n));
        return;
    }
    char *p = buf_reserve(b, (size_t)n + 1);
    if (!p)
        return;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->end += (size_t)n;
}

void buf_u64(struct buf *b, uint64_t v)
{
    char tmp[20];
    size_t i = sizeof tmp;
    do
        tmp[--i] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    buf_put(b, str_of(tmp + i, sizeof tmp - i));
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_putc(b, '-');
    buf_u64(b, v < 0 ? ~(uint64_t)v + 1 : (uint64_t)v);
}

static void buf_empty(struct buf *b)
{
    if (b->wipe && b->mem)
        explicit_bzero(b->mem, b->cap);
    b->start = b->end = 0;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n > buf_len(b))
        abort();
    b->start += n;
    if (b->start == b->end)
        buf_empty(b);
}

void buf_truncate(struct buf *b, size_t n)
{
    if (n > buf_len(b))
        abort();
    b->end = b->start + n;
}

void buf_clear(struct buf *b)
{
    buf_empty(b);
    b->over = false;
}

void buf_fini(struct buf *b)
{
    if (b->wipe && b->mem)
        explicit_bzero(b->mem, b->cap);
    free(b->mem);
    *b = (struct buf){.max = b->max, .wipe = b->wipe};
}

void buf_wipe(struct buf *b)
{
    if (b->mem)
        explicit_bzero(b->mem, b->cap);
    buf_fini(b);
}
