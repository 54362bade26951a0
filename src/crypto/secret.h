/* secret: bytes that must not leave this process by accident.
 *
 * The bytes lie in pages of their own: locked against swapping where the limit on locked memory
 * allows, left out of core dumps (MADV_DONTDUMP), not inherited by a fork (MADV_WIPEONFORK), and
 * wiped when they are given back (a few wiped pages stay mapped for the next secrets). A secret
 * costs at least one page, so use it for keys and credentials, not for lists. Ownership: whoever
 * made it frees it. Threads: one writer, then any number of readers. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct secret {
    uint8_t *p;    /* never NULL */
    size_t n;      /* bytes in use */
    size_t mapped; /* bytes of the mapping */
    bool locked;   /* mlock succeeded */
};

/* n zero bytes to be filled in place, at most SEALED_BYTES_MAX (base/limits.h), else ERR_LIMIT. */
MUST_USE bool secret_new(size_t n, struct secret **out, struct err *err);
/* A copy; the caller wipes the original. */
MUST_USE bool secret_of(str bytes, struct secret **out, struct err *err);
/* NULL is fine. */
void secret_free(struct secret *s);
/* Valid until secret_free; never to be copied into an arena, a log or an error. Empty for NULL. */
static inline str secret_str(const struct secret *s)
{
    return s ? str_of((const char *)s->p, s->n) : (str){0};
}
/* Shortens; the bytes given up are wiped. n at most s->n. */
void secret_truncate(struct secret *s, size_t n);
