/* people: the persons of the configuration as they are now: their passkeys, the sessions in which
 * they are signed in, and the one-time links by which passkeys come in.
 *
 *     link -> [ceremony: register] -> passkey + session
 *             [ceremony: assert]   ->           session -> idle | too old | signed out | revoked
 *
 * There are no passwords. What a browser holds (a session, a link, a ceremony) is 256 random bits
 * that are never stored: memory and store have their SHA-256 only. A ceremony is one challenge, for
 * one purpose, used once, within CEREMONY_LIFE_MS. A session is bound to how the person signed in
 * and lives SIGNED_IN_LIFE_MS at most, SIGNED_IN_IDLE_MS without use.
 *
 * struct people is core's memory; the store is the truth. The functions here judge and prepare;
 * the caller writes (store/schema.h), and on commit calls the function that makes it so in memory.
 * One thread; time is given. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "people/passkey.h"
#include "store/read.h"

enum {
    SIGNED_IN_IDLE_MS = 30 * 60 * 1000,
    SIGNED_IN_LIFE_MS = 12 * 3600 * 1000,
    SESSION_STORE_MS = 60 * 1000, /* how stale the stored time of last use may be */
    SESSIONS_PER_PERSON_MAX = 32,
    PASSKEYS_PER_PERSON_MAX = 16,
    INVITE_LIFE_MS = 15 * 60 * 1000,
    INVITES_MAX = 64,
    CEREMONY_LIFE_MS = 5 * 60 * 1000,
    CEREMONIES_MAX = 1024,
    CHALLENGE_BYTES = 32,
    FAILURES_PER_MINUTE = 20, /* that are recorded */
    BEARER_TEXT = 43,         /* base64url of 32 bytes */
    AMR_BYTES_MAX = 128,
    NEXT_BYTES_MAX = 48,
};

/* 256 random bits as text: a session, a link or the handle of a ceremony, as its holder has it. */
struct bearer {
    char s[BEARER_TEXT + 1];
};
static inline str bearer_str(const struct bearer *b)
{
    return str_of(b->s, BEARER_TEXT);
}
/* A new one, and the hash by which we know it. */
void bearer_new(struct bearer *out, struct hash *hash);

struct passkey {
    const struct conf_person *person;
    str credential, cose; /* owned */
    struct cose_key key;
    uint32_t counter;
    int64_t added_ms, used_ms;
};

enum sign_in { SIGN_IN_NONE = 0, SIGN_IN_PASSKEY, SIGN_IN_OIDC };
str sign_in_name(enum sign_in method); /* "passkey", "oidc" */

struct person_session {
    struct hash hash;
    const struct conf_person *person;
    enum sign_in method;
    char amr[AMR_BYTES_MAX + 1]; /* RFC 8176 values, separated by blanks: "hwk user" */
    char acr[AMR_BYTES_MAX + 1];
    int64_t auth_ms; /* when the person was last verified */
    int64_t created_ms, used_ms, stored_ms;
};
bool session_has_amr(const struct person_session *s, str value);

enum ceremony_kind { CEREMONY_NONE = 0, CEREMONY_ENROL, CEREMONY_SIGN_IN, CEREMONY_OIDC };
struct ceremony {
    struct list node;
    struct hash hash; /* of its handle */
    enum ceremony_kind kind;
    uint8_t challenge[CHALLENGE_BYTES];
    const struct conf_person *person; /* of an enrolment */
    struct hash invite;
    struct bearer handle;          /* of a sign-in elsewhere, until it is told */
    char next[NEXT_BYTES_MAX + 1]; /* and where the browser goes afterwards: a page of the portal */
    int64_t expires_ms;
};

struct invite {
    struct hash hash;
    const struct conf_person *person;
    int64_t expires_ms;
};

struct people {
    const struct conf *conf;
    struct relying_party rp;
    struct map passkeys;   /* credential -> struct passkey */
    struct map sessions;   /* hash -> struct person_session */
    struct map invites;    /* hash -> struct invite */
    struct map ceremonies; /* hash -> struct ceremony */
    struct list by_age;    /* ceremonies, oldest first */
    int64_t failures_minute;
    unsigned failures;
    struct arena arena;
};

/* conf stays borrowed. Without a portal in it there is no relying party and nobody can sign in. */
void people_init(struct people *p, const struct conf *conf);
/* What the store knows of persons that the configuration still has; the rest is passed over. */
MUST_USE bool people_load(struct people *p, struct store_view *v, int64_t now_ms, struct err *err);
void people_fini(struct people *p);
/* Forgets what is over. */
void people_sweep(struct people *p, int64_t now_ms);
size_t people_passkeys_of(const struct people *p, const struct conf_person *who);
size_t people_sessions_of(const struct people *p, const struct conf_person *who);
/* Who is to hold the first passkey: the first administrator, else the first owner; NULL when
 * somebody has one already, or there is nobody. */
const struct conf_person *people_first(const struct people *p);
/* True if a failure may still be recorded in this minute. */
bool people_count_failure(struct people *p, int64_t now_ms);

/* ---- links ---- */
/* A new link for a person: the code, and what to store (hash in the arena). In force after
 * people_add_invite. */
MUST_USE bool people_invite(struct people *p, struct arena *a, const struct conf_person *who,
                            str by, int64_t now_ms, struct bearer *code, struct store_invite *row,
                            struct err *err);
void people_add_invite(struct people *p, const struct store_invite *row);
/* The link's URL; the code stands in the fragment, which browsers do not send. */
str people_invite_url(const struct people *p, struct arena *a, const struct bearer *code);

/* ---- ceremonies ---- */
/* Opens an enrolment by a link (not used up yet), or a sign-in. handle is the browser's. */
MUST_USE bool people_begin_enrol(struct people *p, str code, int64_t now_ms, struct bearer *handle,
                                 const struct ceremony **out, struct err *err);
MUST_USE bool people_begin_sign_in(struct people *p, int64_t now_ms, struct bearer *handle,
                                   const struct ceremony **out, struct err *err);
/* Ends the ceremony, whatever comes of it, and checks the browser's answer. */
MUST_USE bool people_finish_enrol(struct people *p, str handle, str credential, str authn_data,
                                  str client_data, int64_t now_ms, struct passkey **out,
                                  struct hash *invite, struct err *err);
MUST_USE bool people_finish_sign_in(struct people *p, str handle, const struct assertion *as,
                                    int64_t now_ms, struct passkey **out, uint32_t *counter,
                                    struct err *err);
/* The same for a sign-in at an OpenID provider (people/oidc.h). */
MUST_USE bool people_begin_oidc(struct people *p, str next, int64_t now_ms,
                                const struct ceremony **out, struct err *err);
MUST_USE bool people_take_oidc(struct people *p, str handle, int64_t now_ms, struct ceremony *out,
                               struct err *err);
/* A statement signed by this person with one of their passkeys. */
MUST_USE bool people_signed(struct people *p, const struct conf_person *who, str statement,
                            const struct assertion *as, struct passkey **out, uint32_t *counter,
                            struct err *err);
/* After the commit: takes it over, and the link is gone. */
void people_add_passkey(struct people *p, struct passkey *k, const struct hash *invite);
void passkey_free(struct passkey *k);
struct passkey *people_passkey(const struct people *p, str credential);
/* Forgets passkeys, sessions and links of a person. */
void people_revoke(struct people *p, const struct conf_person *who);

/* ---- sessions ---- */
/* A new one, not in force before people_add_session takes it over. id is the browser's. */
MUST_USE bool people_session_new(struct people *p, const struct conf_person *who,
                                 enum sign_in method, str amr, str acr, int64_t auth_ms,
                                 int64_t now_ms, struct bearer *id, struct person_session **out,
                                 struct err *err);
void people_add_session(struct people *p, struct person_session *s);
/* The session of this id, if it is still one; marks its use. NULL: sign in (again). */
struct person_session *people_session(struct people *p, str id, int64_t now_ms);
void people_end_session(struct people *p, const struct hash *hash);
