/* voucher: core's word to the keeper or the runner that one thing may be done once, for one call,
 * soon.
 *
 * Fixed layout, version 1, VOUCHER_LEN bytes:
 *
 *     0   1  version 01
 *     1   1  kind
 *     2  27  call id ('c' and 26 characters, base/rand.h)
 *    29  32  digest of the request it is for (crypto/digest.h)
 *    61   8  expiry, wall-clock milliseconds, big-endian: dead from then on
 *    69   1  length of the binding's name (1..64)
 *    70  64  binding's name, filled up with zeros
 *   134   1  length of the secret's name (0..64; at least 1 where the kind is for a secret, 0 for a
 * stdio call) 135  64  secret's name, filled up with zeros 199  32  HMAC-SHA-256(key, "ambit
 * voucher v1" 00 || bytes 0..198)
 *
 * Names are visible ASCII. There is one encoding of a voucher; anything else is refused. The key
 * (32 bytes) is known to core and to the one role that checks. mint and check are pure and
 * thread-safe; a voucher_used belongs to one thread. */
#pragma once
#include "base/rand.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

enum {
    VOUCHER_LEN = 231,
    VOUCHER_KEY_LEN = 32,
    VOUCHER_NAME_BYTES_MAX = 64,
};

enum voucher_kind {
    VOUCHER_NONE = 0,
    VOUCHER_SECRET_EDGE = 1,   /* the keeper releases a secret to an edge */
    VOUCHER_SECRET_RUNNER = 2, /* the keeper releases a secret to the runner */
    VOUCHER_STDIO_CALL = 3,    /* the runner passes one call to a stdio server */
};

struct voucher {
    enum voucher_kind kind;
    str call; /* ID_LEN bytes */
    str binding;
    str secret; /* empty for VOUCHER_STDIO_CALL */
    struct hash request;
    int64_t expires_ms;
};

MUST_USE bool voucher_mint(const struct secret *key, const struct voucher *v,
                           uint8_t out[VOUCHER_LEN], struct err *err);
/* The MAC first, in constant time; then the form; then the time. Refused: expired, or expiring more
 * than VOUCHER_LIFE_MS (base/limits.h) after now, so that a checker need remember used ones no
 * longer than that. The strs in *out borrow bytes. The caller still compares kind, binding, request
 * and secret with what it is asked to do, and takes it from its voucher_used. */
MUST_USE bool voucher_check(const struct secret *key, str bytes, int64_t now_ms,
                            struct voucher *out, struct err *err);

/* The vouchers already used: (call, kind, secret), each remembered until its expiry. At most
 * 34 bytes for each of `capacity`, touched only as needed. Entries leave in the order they came,
 * once dead; when all room is taken, further vouchers are refused (ERR_LIMIT). It keeps the latest
 * time it has seen, so a clock set back revives nothing. */
struct voucher_used;
MUST_USE bool voucher_used_new(size_t capacity, struct voucher_used **out, struct err *err);
void voucher_used_free(struct voucher_used *u);
/* True exactly once for a checked voucher; ERR_DENIED the second time or when expired. */
MUST_USE bool voucher_used_take(struct voucher_used *u, const struct voucher *v, int64_t now_ms,
                                struct err *err);
size_t voucher_used_count(
    const struct voucher_used *u); /* entries held, dead ones not yet swept included */
