/* digest: what an approval, a voucher and a record mean by "this call", and commitments that reveal
 * nothing.
 *
 * Every part goes in behind its length (8 bytes, big-endian), after a name of the purpose, so no
 * two different lists of parts give the same input. Pure, thread-safe. */
#pragma once
#include "crypto/hash.h"

/* SHA-256 over lp("ambit call v1") lp(task id) lp(binding) lp(tool) lp(arguments), lp(x) = u64be
 * length || x. `arguments` is the text that json_write_canonical() makes: the caller's duty, as two
 * spellings would be two calls. */
struct hash call_digest(str task, str binding, str tool, str arguments);

/* SHA-256(salt || u64be length || bytes). The salt is 32 random bytes, kept with the payload and
 * destroyed to erase it; without it the commitment says nothing even about guessable values. */
enum { SALT_LEN = 32 };
struct hash commitment(const uint8_t salt[SALT_LEN], str bytes);
/* True if that is what was committed to. */
bool commitment_is(const struct hash *c, const uint8_t salt[SALT_LEN], str bytes);
