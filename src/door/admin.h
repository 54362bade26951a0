/* admin: the control door. People open and close tasks, decide holds, review pins, read traces.
 *
 * One JSON object a line in both directions over the control Unix socket, straight to core: no edge
 * is in between, so a compromised edge cannot speak in a person's name (ADR 0004).
 * docs/formats/control.md lists the methods. A connection is known by the kernel's credentials
 * (people[].uid), or by logging in with an operator key: an Ed25519 signature over the connection's
 * own nonce. uid 0 and the gateway's own uid are administrators, which lets them manage operators
 * and pins, not own tasks or approve.
 *
 * Every answer goes through admin_out.reply, possibly later; connections are named by number, so an
 * answer to one that is gone is dropped there. Core's main thread only. */
#pragma once
#include "call/gate.h"

enum { ADMIN_NONCE_LEN = 32 };

struct admin_peer {
    uint64_t conn;
    int64_t uid;
    const struct conf_person *person; /* NULL: not known as anybody */
    unsigned roles;                   /* of the person, and what the uid brings */
    bool by_key;                      /* logged in with an operator key */
    bool portal;                      /* asked by the portal, in the name of a browser */
    struct person_session *session;   /* of the browser; NULL: signed in as nobody */
    uint8_t nonce[ADMIN_NONCE_LEN];
};

/* What core lends to the door. */
struct admin_out {
    void *ctx;
    void (*reply)(void *ctx, uint64_t conn, str line);
    void (*secrets_changed)(void *ctx);
    void (*discover)(void *ctx, str binding); /* a person asks */
    void (*task_opened)(void *ctx);           /* its servers may be asked for their tools now */
    void (*status)(void *ctx, struct jw *w);  /* members of the status object */
    /* The built-in issuer: members of `identity.show`; a new key, NULL and why if there is none;
     * the list of revoked identities has changed. */
    void (*show_issuer)(void *ctx, struct jw *w);
    void (*rotate)(void *ctx, uint8_t kind, bool revoke,
                   void (*done)(void *arg, const struct msg_rotated *m, str why), void *arg);
    void (*identities_revoked)(void *ctx);
    /* A document from outside (role/core_int.h, core_fetch). */
    void (*fetch)(void *ctx, str source, enum fetch_what what, str url, str form,
                  void (*done)(void *arg, uint32_t status, str document, str why), void *arg);
};

struct admin {
    struct gate *g;
    struct map operators; /* name -> struct key */
    struct admin_out out;
    int64_t own_uid;
    str vkey; /* of the ledger, as the keeper gave it; empty until then */
};

MUST_USE bool admin_init(struct admin *ad, struct gate *g, const struct admin_out *out,
                         int64_t own_uid, struct err *err);
void admin_fini(struct admin *ad);
/* Fills in who a new connection is, and writes the greeting line (with its nonce) to be sent first.
 */
void admin_greet(struct admin *ad, uint64_t conn, int64_t uid, struct admin_peer *out,
                 struct buf *greeting);
void admin_line(struct admin *ad, struct admin_peer *peer, str line);
/* The same for a line that the portal hands on, in the name of the session that the browser holds
 * (which may be none). The portal is treated as hostile: it may ask only what the table of methods
 * opens to it, and decisions need a passkey's signature over exactly what is decided. */
void admin_portal_line(struct admin *ad, uint64_t conn, str session, str line);
/* Forgets sessions and links that are over, in memory and in the store; about once a minute. */
void admin_people_tick(struct admin *ad, int64_t now_ms);
/* A one-time link for a person, made without anybody asking (the first start); the URL lies in the
 * arena. It is durable once done(arg) has run. */
MUST_USE bool admin_first_invite(struct admin *ad, struct arena *a, const struct conf_person *who,
                                 str *url, store_done_fn *done, void *arg, struct err *err);

/* What an operator signs to log in, and to decide a hold. */
void admin_login_message(str nonce_hex, str operator_name, struct buf *out);
void admin_decision_message(str hold, const struct hash *digest, bool approve, struct buf *out);
