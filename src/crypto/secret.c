#include "crypto/secret.h"
#include "base/limits.h"
#include "crypto/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Wiped single pages, kept mapped and locked: a secret that lives for one request would otherwise
 * cost five system calls and a page fault. */
enum { SPARES_MAX = 8 };
static _Thread_local struct secret *spares[SPARES_MAX];
static _Thread_local unsigned spares_n;

bool secret_new(size_t n, struct secret **out, struct err *err)
{
    if (n > SEALED_BYTES_MAX)
        return err_limit(err, "secret over %d bytes", SEALED_BYTES_MAX);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped = (n / page + 1) * page;
    if (mapped == page && spares_n) {
        *out = spares[--spares_n];
        (*out)->n = n;
        return true;
    }
    void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return err_system(err, "memory for a secret");
    struct secret *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    *s = (struct secret){.p = p, .n = n, .mapped = mapped, .locked = mlock(p, mapped) == 0};
    /* Advice that an old kernel lacks leaves the secret as safe as ordinary memory; nothing to
     * report. */
    (void)madvise(p, mapped, MADV_DONTDUMP);
    (void)madvise(p, mapped, MADV_WIPEONFORK);
    *out = s;
    return true;
}

bool secret_of(str bytes, struct secret **out, struct err *err)
{
    struct secret *s;
    if (!secret_new(bytes.n, &s, err))
        return false;
    if (bytes.n)
        memcpy(s->p, bytes.p, bytes.n);
    *out = s;
    return true;
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    crypto_wipe(s->p, s->mapped);
    if (s->mapped == (size_t)sysconf(_SC_PAGESIZE) && spares_n < SPARES_MAX) {
        spares[spares_n++] = s;
        return;
    }
    munmap(s->p, s->mapped);
    free(s);
}

void secret_truncate(struct secret *s, size_t n)
{
    assert(n <= s->n);
    crypto_wipe(s->p + n, s->n - n);
    s->n = n;
}
