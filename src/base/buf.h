/* buf: a growable byte buffer that is born with a maximum.
 *
 * Bytes are appended at the end and consumed from the front (both amortised O(1)). Going over `max`
 * does not abort: the append is dropped whole and `over` is set and stays set, so a run of appends
 * can be checked once at its end. The zero value with a max is ready: struct buf b = {.max = 4096};
 * max 0 means BUF_MAX_DEFAULT. Owns its memory; belongs to one thread at a time. */
#pragma once
#include "base/str.h"

enum { BUF_MAX_DEFAULT = 64 << 20 };

struct buf {
    char *mem;
    size_t start, end, cap;
    size_t max;
    bool over;
    bool wipe; /* for secrets: memory is wiped when it is emptied, moved or freed */
};

void buf_put(struct buf *b, str s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_u64(struct buf *b, uint64_t v); /* in decimal */
void buf_i64(struct buf *b, int64_t v);
/* Room for n bytes to be written by the caller, then buf_commit(written); NULL (and over) past max.
 */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
/* What is in it; valid until the next append. */
static inline str buf_str(const struct buf *b)
{
    return (str){b->mem ? b->mem + b->start : NULL, b->end - b->start};
}
static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}
void buf_consume(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t n); /* keeps the first n bytes */
void buf_clear(struct buf *b);              /* empty, memory kept, over cleared */
void buf_fini(struct buf *b);               /* memory freed; max and wipe kept */
/* As fini, but the memory is wiped first. */
void buf_wipe(struct buf *b);
