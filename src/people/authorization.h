/* authorization: what a client asks an owner for at the authorization endpoint (RFC 6749 section
 * 4.1, RFC 7636, RFC 8252, RFC 9207, RFC 9396, RFC 9700), and the codes that come of it.
 *
 *     read -> pending -> consented -> code -> redeemed (-> used again: the task is to be revoked)
 *        |         |-> declined | too old
 *        |-> refused: shown to the person, or told to the client
 *
 * A client is an agent that the configuration gives redirect URIs. Of whatever a browser may have
 * been made to send, only what is checked here counts: the redirect URI is one of the agent's,
 * compared byte by byte (but for the port of a loopback address); before that is known nothing is
 * ever sent to it. PKCE with S256 must be there. What is wanted is one task of type ambit_task.
 *
 * The owner consents to a statement: one text that names everything the code will be good for. It
 * holds the request's id and a nonce, so no two are alike.
 *
 * State lives in core's memory and ends with it: a code that is lost is asked for again. One
 * thread; time is given. */
#pragma once
#include "base/rand.h"
#include "people/people.h"

enum {
    AUTHORIZATION_LIFE_MS = 10 * 60 * 1000, /* from the request to the owner's decision */
    CODE_LIFE_MS = 60 * 1000,
    CODE_REMEMBERED_MS = 10 * 60 * 1000, /* how long a second use is noticed */
    AUTHORIZATIONS_MAX = 1024,
    AUTHORIZATION_STATE_BYTES_MAX = 512,
    AUTHORIZATION_DETAILS_BYTES_MAX = 16 << 10,
    VERIFIER_BYTES_MIN = 43, /* RFC 7636 section 4.1 */
    VERIFIER_BYTES_MAX = 128,
};

struct authorization {
    struct list node;
    struct id id;
    const struct conf_agent *agent;
    str client_id;    /* spiffe://<trust domain>/agent/<name> */
    str redirect_uri; /* as it came */
    str state, resource, challenge, jkt;
    str nonce; /* random, of the statement */
    str task;  /* canonical JSON of the ambit_task object, without its type */
    int64_t created_ms, expires_ms;
    bool decided;
    /* once consented */
    str owner;
    bool has_code, redeemed;
    bool poisoned; /* its code came twice */
    struct hash code;
    int64_t code_expires_ms;
    struct id opened; /* the task; empty until it is open */
    struct arena arena;
};

struct authorizations {
    struct map by_id;   /* id -> struct authorization */
    struct map by_code; /* hash -> the same */
    struct list by_age;
};
void authorizations_init(struct authorizations *as);
void authorizations_fini(struct authorizations *as);
void authorizations_sweep(struct authorizations *as, int64_t now_ms);

/* Why a request was not taken. redirect: the client is told there, by these; empty: only the person
 * may be told, since whose address it is was not proven. */
struct authorization_refusal {
    str redirect, state;
    const char *code; /* RFC 6749 section 4.1.2.1 */
};
/* params: one JSON object of strings, the request's parameters. On success the request waits for
 * its owner. err says why not, to a person; refusal is filled in then. */
MUST_USE bool authorization_read(struct authorizations *as, const struct conf *conf,
                                 const json *params, int64_t now_ms, struct arena *a,
                                 struct authorization **out, struct authorization_refusal *refusal,
                                 struct err *err);
/* One that waits for its owner's decision. */
struct authorization *authorization_find(const struct authorizations *as, str id, int64_t now_ms,
                                         struct err *err);
/* The text that the owner's passkey signs. */
void authorization_statement(const struct authorization *z, bool consent, struct buf *out);

/* The owner consented: makes the code, single use, CODE_LIFE_MS. */
void authorization_consent(struct authorizations *as, struct authorization *z, str owner,
                           int64_t now_ms, struct bearer *code);
void authorization_decline(struct authorizations *as, struct authorization *z);
/* Where the browser goes next: redirect URI with code (or error), state and iss (RFC 9207). */
str authorization_redirect(struct arena *a, str redirect_uri, str state, str issuer, str code,
                           const char *error);

/* At the token endpoint. Everything must be as it was when the owner consented. */
struct code_use {
    str code, client_id, redirect_uri, verifier;
    str resource; /* empty: not named */
    str jkt;      /* of the DPoP proof; empty: none */
};
/* ERR_INPUT or ERR_DENIED: invalid_grant. A code is spent by its first use, good or bad. *replayed:
 * it was used before: whatever task it opened (z->opened) is to be revoked. */
MUST_USE bool authorization_use(struct authorizations *as, const struct code_use *use,
                                int64_t now_ms, struct authorization **out, bool *replayed,
                                struct err *err);
