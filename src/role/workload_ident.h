/* workload_ident: what the workload role keeps for each identity: its leaf keys and SVIDs, shared
 * by all connections of that identity and gone with the last of them.
 *
 * A credential (X.509 or WIT) is made when it is first wanted and again at half its life, with a
 * new key each time; until the new one is there, the old one is served. JWT-SVIDs are kept, one for
 * each set of audiences, until half of theirs. Times are wall-clock seconds, given by the caller.
 * Private keys lie in buffers that are wiped. One thread. */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "crypto/key.h"

enum { IDENT_TOKENS_MAX = 16 };

enum cred_kind { CRED_X509 = 0, CRED_WIT, CRED_KINDS };

struct cred {
    struct buf svid; /* a chain, or a token */
    struct buf key;  /* PKCS#8, or a private JWK; wiped */
    int64_t fresh_until_s, not_after_s;
    struct key *coming;  /* asked for, not yet signed; NULL: none */
    struct list waiting; /* of the owner's: for what is coming */
};

struct ident_token {
    str audiences; /* as asked, in its own memory */
    struct buf token;
    int64_t fresh_until_s;
};

struct ident {
    str spiffe_id; /* in its own memory */
    size_t refs;
    struct cred creds[CRED_KINDS];
    struct ident_token tokens[IDENT_TOKENS_MAX];
    size_t next_token;
};

/* Found or made; one reference more. */
struct ident *ident_ref(struct map *idents, str spiffe_id);
/* The last one frees it; nobody may be waiting then. NULL is fine. */
void ident_unref(struct map *idents, struct ident *i);

bool cred_is_fresh(const struct cred *c, int64_t now_s);
bool cred_is_alive(const struct cred *c, int64_t now_s); /* may still be served */
/* A new key pair is coming; appends what core is to have signed: SubjectPublicKeyInfo, or a public
 * JWK. */
MUST_USE bool cred_begin(struct cred *c, enum cred_kind kind, struct buf *of, struct err *err);
/* It was signed. jitter: 0 to 99, shortens the half by up to a tenth, so that not all come at once.
 */
MUST_USE bool cred_finish(struct cred *c, enum cred_kind kind, str svid, int64_t not_after_s,
                          int64_t now_s, unsigned jitter, struct err *err);
void cred_cancel(struct cred *c); /* it was not */

/* Empty: none that is fresh. */
str ident_token(const struct ident *i, str audiences, int64_t now_s);
void ident_keep_token(struct ident *i, str audiences, str token, int64_t not_after_s,
                      int64_t now_s);
