/* ca: when the keys of the built-in issuer are made, published, used, and forgotten.
 *
 * A state machine without clock, keys or I/O: the caller tells it the time, does what is due, and
 * asks which key to use. Six kinds of key, each going through the same life:
 *
 *      made               use_from            use_until             gone
 *       |  published,        |  signs           |  signs nothing,      |  not published,
 *       |  signs nothing     |                  |  private half gone   |  forgotten
 *       +------ lead --------+------------------+- what it signed dies-+
 *
 *   CA_ROOT    signs signing CAs; stands in the bundle as x509-svid.
 *   CA_SIGNER  signs leaves; is sent with them, so the bundle does not hold it.
 *   CA_TOKEN   signs JWT-SVIDs; stands in the bundle as jwt-svid.
 *   CA_WIT     signs WIT-SVIDs; stands in the bundle as wit-svid.
 *   CA_TASK    signs task tokens, CA_TXN transaction tokens; each stands in a JWK Set of its own.
 *
 * The promise, as long as ca_due is obeyed within ca_slack_s: an SVID that is alive verifies with
 * the bundle of this instant and with every bundle that was published in the last CA_LEAD_HINTS
 * refresh hints, so a consumer may miss a refresh without harm. It holds since a key signs only
 * after it has been published that long, and leaves the bundle only when nothing it signed can be
 * alive.
 *
 * There are exceptions, each better than no SVIDs: the first key ever, the first after the machine
 * was off for so long that no key was left, and the next key when ca_revoke takes the current one
 * away. They are used before their time, and ca_current says so (`early`).
 *
 * A clock that is wrong is survived, not believed: a key made more than CA_SKEW_S in the future is
 * neither used nor counted until that time comes, and only what is past its end is forgotten.
 *
 * The state is plain data, to be stored whole after ca_init, ca_made, ca_sweep and ca_revoke and
 * before anyone sees what changed. One thread at a time. */
#pragma once
#include "base/err.h"

#include <stdint.h>

enum ca_kind {
    CA_ROOT = 0,
    CA_SIGNER,
    CA_TOKEN,
    CA_WIT,
    CA_TASK,
    CA_TXN,
    CA_KINDS,
};
const char *ca_kind_name(enum ca_kind kind);

enum {
    CA_KEYS_MAX = 16, /* of one kind at a time */
    CA_SLOTS_MAX = CA_KINDS * CA_KEYS_MAX,
    CA_LEAD_HINTS = 3, /* refresh hints between the making of a key and its first use */
    CA_SKEW_S = 60,    /* a key stays that much longer: clocks of verifiers may be behind */
    CA_REFRESH_S_MIN = 1,
    CA_REFRESH_S_MAX = 24 * 3600,
    CA_LIFE_S_MAX = 20 * 365 * 24 * 3600,
};

/* Lives, in seconds. */
struct ca_conf {
    int64_t life_s[CA_KINDS]; /* of a CA certificate; of a token key: how long it signs */
    int64_t svid_life_s;      /* of a leaf */
    int64_t jwt_life_s, wit_life_s, task_life_s, txn_life_s; /* the longest of each kind of token */
    int64_t refresh_s;                                       /* the hint in the bundle */
};
/* Root 365 d, all other keys 24 h, X509-SVID and WIT-SVID 1 h, JWT-SVID and task token 5 min,
 * transaction token 2 min, refresh hint 60 s. */
struct ca_conf ca_conf_default(void);
/* How long what a key of that kind signs may live. */
int64_t ca_signed_life_s(const struct ca_conf *c, enum ca_kind kind);

struct ca_key {
    uint64_t id; /* from 1, never used twice; the caller's name for key and certificate. 0: none */
    enum ca_kind kind;
    bool early;          /* only from ca_current: use_from_s is not yet reached */
    uint64_t parent;     /* of a signer: the root that signed it */
    int64_t made_s;      /* in the bundle since then */
    int64_t use_from_s;  /* signs from here on ... */
    int64_t use_until_s; /* ... and not any more at this second */
    int64_t end_s;       /* the end of its certificate; of a token key: when its last token dies */
    int64_t gone_s;
};

/* The zero value is nothing; ca_init makes it usable. */
struct ca {
    struct ca_conf conf;
    struct ca_key keys[CA_SLOTS_MAX]; /* oldest first */
    unsigned n;
    uint64_t last_id;
    int64_t sequence; /* of the bundle; grows by one whenever what it holds changes */
};

/* ERR_INPUT for lives that leave no room for an overlap: each kind must sign for at least eight
 * leads of CA_LEAD_HINTS refresh hints, and of no kind may more than CA_KEYS_MAX be needed at a
 * time. A CA signs for its life without that of what it signs. */
MUST_USE bool ca_init(struct ca *ca, const struct ca_conf *conf, struct err *err);
/* Other lives for a state that is there: keys of tokens stay long enough for tokens of the new
 * life, CAs stop signing early enough for certificates of the new life, as far as they can. Errors
 * as ca_init; then nothing has changed. */
MUST_USE bool ca_set_conf(struct ca *ca, const struct ca_conf *conf, struct err *err);
/* Judges a state that was read back. ERR_INPUT: not one that these functions made. */
MUST_USE bool ca_check(const struct ca *ca, struct err *err);

/* A kind of which a key must be made now, in the order in which they need each other; then call
 * ca_made, and ask again. False: nothing to do before ca_wake_s. */
bool ca_due(const struct ca *ca, int64_t now_s, enum ca_kind *kind);
/* Enters a key of that kind, which the caller makes or has made. Certificates are valid until
 * end_s exactly, a signer's is signed by the root `parent`. ERR_LIMIT: no slot, sweep first.
 * ERR_NOTFOUND: a signer without a root to sign it. ERR_INPUT: a time out of range. */
MUST_USE bool ca_made(struct ca *ca, enum ca_kind kind, int64_t now_s, struct ca_key *out,
                      struct err *err);
/* Takes out one key that is gone, for the caller to destroy; call it until it says false. */
bool ca_sweep(struct ca *ca, int64_t now_s, struct ca_key *out);
/* Takes a key out at once, so that what it signed is dead for whoever has the new bundle; of a root
 * first the signers below it. One key for each call; false when id is not there (any more). Leaves
 * of a revoked signer stay alive for others until they expire or the root is revoked too. */
bool ca_revoke(struct ca *ca, uint64_t id, struct ca_key *out);

/* Its private half is gone: it signs nothing any more, whatever the clock may say later. */
void ca_retire(struct ca *ca, uint64_t id);

/* The key that signs at this instant: of those that may, the one made last. False: none, see
 * ca_due. */
bool ca_current(const struct ca *ca, enum ca_kind kind, int64_t now_s, struct ca_key *out);
/* Whether the bundle holds it, for as long as it stands in `keys`. */
bool ca_is_published(const struct ca_key *key);
const struct ca_key *ca_find(const struct ca *ca, uint64_t id); /* NULL: not there (any more) */
/* Whether the private half may still be needed. */
bool ca_may_sign(const struct ca_key *key, int64_t now_s);
/* The first instant after now_s at which ca_due, ca_current or ca_sweep may say something new. */
int64_t ca_wake_s(const struct ca *ca, int64_t now_s);
/* How late ca_due may be obeyed for a kind without a key being used early. */
int64_t ca_slack_s(const struct ca *ca, enum ca_kind kind);
