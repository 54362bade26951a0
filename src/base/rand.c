#include "base/rand.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *p, size_t n)
{
    char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        n -= (size_t)got;
    }
}

void rand_salt(void *p, size_t n)
{
    static _Thread_local unsigned char pool[512];
    static _Thread_local size_t left;
    if (n > sizeof pool)
        abort();
    if (left < n) {
        rand_bytes(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= n;
    memcpy(p, pool + left, n);
    memset(pool + left, 0, n);
}

static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct id id_new(char prefix)
{
    unsigned char bytes[16];
    uint64_t ms = (uint64_t)clock_wall_ms();
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
    rand_salt(bytes + 6, 10);
    struct id id = {0};
    id.s[0] = prefix;
    unsigned __int128 v = 0;
    for (int i = 0; i < 16; i++)
        v = v << 8 | bytes[i];
    for (int i = 0; i < 26; i++)
        id.s[1 + i] = ALPHABET[(unsigned)(v >> (5 * (25 - i))) & 31];
    return id;
}

bool id_is_valid(str s, char prefix)
{
    if (s.n != ID_LEN || s.p[0] != prefix)
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i] == 0 || !strchr(ALPHABET, s.p[i]))
            return false;
    return true;
}
