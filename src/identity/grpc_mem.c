/* Where nghttp2 gets its memory. Each session holds one buffer of 16 KiB for a frame to be sent, of
 * which control frames and the heads of DATA use the first bytes only (what DATA holds passes it
 * by). From malloc all of it would stay resident as soon as its place has been used before; pages
 * of its own that are never touched cost nothing, and once everything is sent the touched one is
 * given back too: 27 KB an idle connection become 11. */
#include "identity/grpc_int.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { PAGED_MIN = 12 << 10, BEFORE = 16 };

struct block { /* before each piece of memory that is not in pages of its own */
    size_t n;
};
_Static_assert(sizeof(struct block) <= BEFORE, "the block's head must keep the alignment");

static void *get_pages(struct grpc_pages *pages, size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        abort();
    *pages = (struct grpc_pages){p, n};
    return p;
}

/* A failure ends the process, as everywhere. */
static void *get(size_t n, void *user)
{
    struct grpc_pages *pages = user;
    if (n > SIZE_MAX - BEFORE)
        abort();
    if (n >= PAGED_MIN && !pages->at)
        return get_pages(pages, n);
    struct block *b = malloc(n + BEFORE);
    if (!b)
        abort();
    b->n = n;
    return (char *)b + BEFORE;
}

static size_t size_of(const void *p, const struct grpc_pages *pages)
{
    return p == pages->at ? pages->n : ((const struct block *)((const char *)p - BEFORE))->n;
}

static void give_back(void *p, void *user)
{
    struct grpc_pages *pages = user;
    if (!p)
        return;
    if (p != pages->at) {
        free((char *)p - BEFORE);
        return;
    }
    if (munmap(pages->at, pages->n) != 0)
        abort();
    *pages = (struct grpc_pages){0};
}

static void *get_zeroed(size_t count, size_t size, void *user)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        abort();
    return memset(get(n, user), 0, n);
}

static void *resize(void *p, size_t n, void *user)
{
    if (!p)
        return get(n, user);
    size_t old = size_of(p, user);
    void *made = get(n, user);
    memcpy(made, p, old < n ? old : n);
    give_back(p, user);
    return made;
}

nghttp2_mem grpc_mem(struct grpc_pages *pages)
{
    return (nghttp2_mem){pages, get, give_back, get_zeroed, resize};
}

void grpc_mem_idle(const struct grpc_pages *pages)
{
    if (pages->at)
        (void)madvise(pages->at, pages->n, MADV_DONTNEED);
}
