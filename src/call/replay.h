/* replay: what may be used once and has been, for as long as it could be used again (RFC 9449
 * section 11.1).
 *
 * An entry is a digest under a key of this process and the second at which it stops to matter. It
 * is kept at least that long: nothing is ever dropped to make room. When `max` live entries are
 * there, taking fails closed (ERR_LIMIT). 32 bytes an entry; the table grows by doubling and is
 * cleaned of dead entries before it grows. Owned by whoever made it; one thread. Restarting loses
 * it, so what it guards must not outlive the process (DPoP: server nonces do not). */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct replay; /* opaque */

struct replay *replay_new(size_t max);
void replay_free(struct replay *r); /* NULL is fine */
/* Takes (who, what) for the first time. ERR_DENIED: it was taken before and still matters.
 * ERR_LIMIT: full. */
MUST_USE bool replay_take(struct replay *r, str who, str what, int64_t now_s, int64_t until_s,
                          struct err *err);
size_t replay_count(const struct replay *r); /* entries held, dead ones not yet cleaned included */
