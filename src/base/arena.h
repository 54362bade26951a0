/* arena: memory that is given back all at once.
 *
 * One arena serves one request (or one configuration snapshot). Memory is 16-aligned and zeroed.
 * arena_alloc never returns NULL: a failed malloc ends the process (the supervisor restarts it).
 * Limits on what a stranger may make us allocate belong where his bytes are counted; arena_used()
 * lets that place ask. An arena belongs to one thread at a time. Secrets never live in one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct arena_chunk;
struct arena_cleanup;

struct arena {
    struct arena_chunk *head;       /* newest first; the arena owns all chunks */
    struct arena_cleanup *cleanups; /* run in reverse order of registration */
    size_t used;                    /* bytes handed out since the last reset */
};

/* The zero value is a valid empty arena. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_dup(struct arena *a, const void *p, size_t n);
/* fn(arg) runs at the next reset or fini. */
void arena_on_reset(struct arena *a, void (*fn)(void *arg), void *arg);
size_t arena_used(const struct arena *a);
/* Runs the clean-ups and forgets everything, keeping one chunk for the next use. */
void arena_reset(struct arena *a);
/* As reset, and gives all memory back. The arena is empty and usable again. */
void arena_fini(struct arena *a);

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc_array((a), (n), sizeof(type)))
/* n * size with the overflow checked. */
void *arena_alloc_array(struct arena *a, size_t n, size_t size);
/* Room in an array of count items for one more: a full one is copied to one twice as large (the old
 * one stays where it was). Arrays begin empty: NULL, 0, 0. */
#define ARENA_GROW(a, array, count, cap)                                                           \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) ? (cap)*2 : 4;                                                           \
            (array) = arena_grown((a), (array), sizeof *(array), (count), (cap));                  \
        }                                                                                          \
    } while (0)
void *arena_grown(struct arena *a, const void *old, size_t size, size_t count, size_t cap);

/* For a local arena: ARENA_SCOPE struct arena a = {0}; */
#define ARENA_SCOPE __attribute__((cleanup(arena_fini)))
