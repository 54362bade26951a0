/* revoked: identities that a person has declared dead before their time.
 *
 *     kind          name                                     what it takes away
 *     id            a SPIFFE ID                              it and everything below it
 *     certificate   SHA-256 of the DER, 64 hex digits        one certificate
 *     serial        hex digits without leading zeros         certificates of that serial number
 *     key           the id of a key of an issuer: `kid` of   all that was signed with it
 *                   a JWK; of a CA its SubjectKeyIdentifier
 *                   in hex
 *
 * In force from at_ms until until_ms (0: until it is lifted). Short lives do the rest: what is
 * bounded by the life of an SVID need not stay. At most REVOKED_MAX entries; the empty list costs
 * nothing to ask, another one a look-up for each segment of a path.
 *
 * Owns its entries. The caller keeps them (store) and gives the time. One thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

enum { REVOKED_MAX = 100000, REVOKED_NAME_BYTES_MAX = 2048, REVOKED_REASON_BYTES_MAX = 500 };

enum revoked_kind {
    REVOKED_NONE = 0,
    REVOKED_ID,
    REVOKED_CERTIFICATE,
    REVOKED_SERIAL,
    REVOKED_KEY,
    REVOKED_KINDS,
};
str revoked_kind_name(enum revoked_kind kind);
enum revoked_kind revoked_kind_parse(str s); /* REVOKED_NONE if unknown */

struct revoked_entry {
    enum revoked_kind kind;
    str name;
    int64_t at_ms, until_ms; /* until 0: no end */
    str by, reason;          /* reason may be empty */
};

/* Zero value = nothing is revoked. */
struct revoked {
    struct map entries; /* "<kind> <name>" -> struct revoked_entry */
};
static inline bool revoked_is_empty(const struct revoked *r)
{
    return map_count(&r->entries) == 0;
}
/* The name in the one spelling that is compared. ERR_INPUT: not a name of that kind. */
MUST_USE bool revoked_name(struct arena *a, enum revoked_kind kind, str text, str *out,
                           struct err *err);
/* Copies; one of that kind and name is replaced. ERR_INPUT: the name is none, or not spelled as
 * revoked_name does. ERR_LIMIT: sweep, or lift some. */
MUST_USE bool revoked_put(struct revoked *r, const struct revoked_entry *e, struct err *err);
bool revoked_lift(struct revoked *r, enum revoked_kind kind, str name); /* false: not there */
void revoked_sweep(struct revoked *r, int64_t now_ms); /* forgets what is past its end */
/* for (size_t i = 0; (e = revoked_next(r, &i));) */
const struct revoked_entry *revoked_next(const struct revoked *r, size_t *i);
void revoked_fini(struct revoked *r);

/* ---- asking ---- */
/* False, and who revoked it and when (ERR_DENIED). Empty names are not revoked. */
MUST_USE bool revoked_check_id(const struct revoked *r, str spiffe_id, int64_t now_ms,
                               struct err *err);
MUST_USE bool revoked_check(const struct revoked *r, enum revoked_kind kind, str name,
                            int64_t now_ms, struct err *err);
