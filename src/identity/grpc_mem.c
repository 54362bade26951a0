/* Where nghttp2 gets its memory. Each session holds one buffer of 16 KiB for a frame to be sent, of
 * which control frames and the heads of DATA use the first bytes only (what DATA holds passes it
 * by). From malloc all of it would stay resident as soon as its place has been used before; pages
 * of its own that are never touched cost nothing: 27 KB an idle connection become 15. */
#include "identity/grpc_int.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { PAGED_MIN = 12 << 10 };

struct block { /* before each piece of memory */
    size_t n;
    bool paged;
};
enum { BEFORE = 16 };
_Static_assert(sizeof(struct block) <= BEFORE, "the block's head must keep the alignment");

/* A failure ends the process, as everywhere. */
static void *get(size_t n, void *user)
{
    bool paged = n >= PAGED_MIN;
    struct block *b;
    if (n > SIZE_MAX - BEFORE)
        abort();
    if (paged)
        b = mmap(NULL, n + BEFORE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else
        b = malloc(n + BEFORE);
    if (!b || b == MAP_FAILED)
        abort();
    *b = (struct block){n, paged};
    return (char *)b + BEFORE;
}

static void give_back(void *p, void *user)
{
    if (!p)
        return;
    struct block *b = (struct block *)(void *)((char *)p - BEFORE);
    if (!b->paged)
        free(b);
    else if (munmap(b, b->n + BEFORE) != 0)
        abort();
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
    size_t old = ((struct block *)(void *)((char *)p - BEFORE))->n;
    void *made = get(n, user);
    memcpy(made, p, old < n ? old : n);
    give_back(p, user);
    return made;
}

const nghttp2_mem grpc_mem = {NULL, get, give_back, get_zeroed, resize};
