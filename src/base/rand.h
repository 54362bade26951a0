/* rand: bytes from the kernel's generator, and ids made of them. Failure ends the process: nothing
 * in Ambit may go on with guessable ids. Thread-safe. */
#pragma once
#include "base/str.h"

void rand_bytes(void *p, size_t n);
/* The same for salts and ids, at most 512 bytes: one system call fills a pool that serves many;
 * nothing is handed out twice, and what was handed out is wiped from the pool. Not for keys, and
 * not in a process that forks and goes on in both. */
void rand_salt(void *p, size_t n);

/* An id is a prefix letter and 26 characters of Crockford base32: 48 bits of wall-clock
 * milliseconds and 80 random bits (the ULID layout), so ids sort by time and cannot be guessed. */
enum { ID_LEN = 27, ID_SIZE = 28 };
struct id {
    char s[ID_SIZE]; /* NUL-terminated */
};
/* prefix: 'c' call, 't' task, 'h' hold, 's' session, 'r' request ... */
struct id id_new(char prefix);
/* True if s has the form of an id with that prefix; says nothing of its existence. */
bool id_is_valid(str s, char prefix);
static inline str id_str(const struct id *id)
{
    return str_z(id->s);
}
