#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum {
    CHUNK_MIN = 4096,
    ALIGN = 16,
    HUGE_PAGE = 2 << 20,
    CHUNK_MAX = 2 * HUGE_PAGE, /* with its head; a single larger thing has a chunk of its own */
};

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of data */
    size_t used;
    size_t pad;
    char data[];
};
_Static_assert(sizeof(struct arena_chunk) % ALIGN == 0, "chunk data must be aligned");

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*fn)(void *arg);
    void *arg;
};

/* Large chunks ask for huge pages: what looks things up all over a large arena (policies, entities)
 * otherwise waits for page tables more than for memory. */
static void *chunk_memory(size_t n)
{
    void *p = n < HUGE_PAGE ? malloc(n) : aligned_alloc(HUGE_PAGE, n);
    if (!p)
        abort();
    if (n >= HUGE_PAGE)
        madvise(p, n, MADV_HUGEPAGE);
    return p;
}

static struct arena_chunk *chunk_new(size_t want)
{
    size_t size = want < CHUNK_MIN ? CHUNK_MIN : want;
    size_t n = sizeof(struct arena_chunk) + size;
    if (n > HUGE_PAGE)
        n = (n + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    struct arena_chunk *c = chunk_memory(n);
    size = n - sizeof *c;
    *c = (struct arena_chunk){.size = size};
    POISON(c->data, size);
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        abort();
    size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (need == 0)
        need = ALIGN;
    struct arena_chunk *c = a->head;
    if (!c || c->size - c->used < need) {
        size_t grow = c ? c->size * 2 : CHUNK_MIN;
        if (grow > CHUNK_MAX - sizeof *c)
            grow = CHUNK_MAX - sizeof *c;
        c = chunk_new(need > grow ? need : grow);
        c->next = a->head;
        a->head = c;
    }
    void *p = c->data + c->used;
    c->used += need;
    a->used += need;
    UNPOISON(p, n ? n : 1);
    memset(p, 0, n);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        abort();
    return arena_alloc(a, total);
}

void *arena_grown(struct arena *a, const void *old, size_t size, size_t count, size_t cap)
{
    void *bigger = arena_alloc_array(a, cap, size);
    if (count)
        memcpy(bigger, old, count * size);
    return bigger;
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
    void *copy = arena_alloc(a, n);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

void arena_on_reset(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct arena_cleanup *c = ARENA_NEW(a, struct arena_cleanup);
    *c = (struct arena_cleanup){a->cleanups, fn, arg};
    a->cleanups = c;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}

static void run_cleanups(struct arena *a)
{
    while (a->cleanups) {
        struct arena_cleanup *c = a->cleanups;
        a->cleanups = c->next;
        c->fn(c->arg);
    }
}

static void free_chunks(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *next = c->next;
        UNPOISON(c->data, c->size);
        free(c);
        c = next;
    }
}

void arena_reset(struct arena *a)
{
    run_cleanups(a);
    struct arena_chunk *keep = a->head;
    if (keep) {
        free_chunks(keep->next);
        keep->next = NULL;
        keep->used = 0;
        POISON(keep->data, keep->size);
    }
    a->used = 0;
}

void arena_fini(struct arena *a)
{
    run_cleanups(a);
    free_chunks(a->head);
    *a = (struct arena){0};
}
