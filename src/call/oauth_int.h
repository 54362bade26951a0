/* oauth_int: what the files of the authorization server share. */
#pragma once
#include "call/oauth.h"
#include "call/replay.h"

struct oauth {
    struct replay *replay;
    struct dpop_nonces nonces;
    struct map proofs;  /* digest -> struct kept_proof (oauth_proofs.c) */
    struct map revoked; /* jti -> struct revoked_token (oauth_revoked.c) */
};

/* One request while it is judged. Whatever ends it answers: oauth_error, oauth_reply, or the
 * issuing that oauth_issue has begun. */
struct oauth_request {
    struct gate *g;
    uint32_t edge;
    uint64_t id;
    const struct msg_oauth *m;
    const struct conf_listener *listener;
    struct arena *a;
    int64_t now_ms;
    /* oauth_client.c */
    struct proven who;
    const struct conf_agent *agent;
    bool has_jkt;
    struct key_id jkt; /* of the DPoP proof */
    str cert;          /* SHA-256 of the client certificate that may bind; else empty */
    struct challenge challenge;
};

/* A parameter of the form; empty if it is absent. */
str oauth_param(const struct oauth_request *r, str name);
void oauth_reply(const struct oauth_request *r, unsigned status, str body);
/* {"error": code, "error_description": ...}; 401 for invalid_client. A description is for people,
 * and never repeats a secret. Always false. */
bool oauth_error(const struct oauth_request *r, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* ---- oauth_client.c ---- */
/* Who asks: r->who and r->agent. False: answered. */
bool oauth_client(struct oauth_request *r);
/* What the token will be bound to: r->has_jkt and r->jkt, or r->cert, or nothing where that may be.
 * Uses up the DPoP proof. False: answered. */
bool oauth_binding(struct oauth_request *r);

/* ---- oauth_proofs.c ---- */
/* Which agent a proof shows: a token for one of n audiences, or (n 0) a chain of certificates. */
MUST_USE bool oauth_prove(struct oauth_request *r, str token, const str *audiences, size_t n,
                          struct proven *out, struct err *err);
void oauth_proofs_sweep(struct oauth *o, int64_t now_ms);
void oauth_proofs_fini(struct oauth *o);

/* ---- oauth_token.c ---- */
void oauth_token(struct oauth_request *r);
/* What is to be issued; everything in it has been judged. */
struct oauth_wanted {
    struct task *task;
    str resource; /* the audience */
    bool narrowed;
    const str *operations; /* when narrowed */
    size_t operations_n;
    int64_t expires_ms; /* not after; INT64_MAX: as long as tokens live */
    bool exchanged;     /* answer with issued_token_type */
};
void oauth_issue(struct oauth_request *r, const struct oauth_wanted *w);
/* The audience: `resource` or `audience` (RFC 8707, RFC 8693), else this listener's federated
 * endpoint. False: answered. */
bool oauth_resource(struct oauth_request *r, str *out);
/* The task lives, is this agent's, and the agent may act. False: answered. */
bool oauth_may_hold(struct oauth_request *r, const struct task *t);

/* ---- oauth_details.c: scope and authorization_details ---- */
struct oauth_details {
    str task;              /* id named by type ambit_task */
    const json *wish;      /* type ambit_task that asks for a new task */
    bool narrows;          /* scope, or type tool_call */
    const str *operations; /* that it narrows to: names, or patterns with '*' from a scope */
    size_t operations_n;
};
bool oauth_details(struct oauth_request *r, struct oauth_details *out);
/* Narrows w->task's operations (and those of w, if it is narrowed already) to what is asked for.
 * False: answered; asking for more is refused, not ignored. */
bool oauth_narrow(struct oauth_request *r, const struct oauth_details *d, struct oauth_wanted *w);

/* ---- oauth_exchange.c, oauth_inspect.c ---- */
void oauth_exchange(struct oauth_request *r);
void oauth_introspect(struct oauth_request *r);
void oauth_revoke(struct oauth_request *r);

/* ---- oauth_later.c ---- */
/* A request that is answered when something else has happened. r and w are copies that live in the
 * arena, but for w.operations and the task. */
struct oauth_later {
    struct oauth_request r;
    struct oauth_wanted w;
    struct arena arena;
};
struct oauth_later *oauth_later(const struct oauth_request *r, const struct oauth_wanted *w);
void oauth_later_free(struct oauth_later *l);

/* ---- oauth_wish.c, oauth_code.c ---- */
/* Asks for a new task; its token follows if it is granted. */
void oauth_wish(struct oauth_request *r, const struct oauth_details *d,
                const struct oauth_wanted *wanted);
void oauth_poll(struct oauth_request *r);
void oauth_code(struct oauth_request *r);

/* ---- oauth_revoked.c ---- */
/* From now on; done when it is durable. ERR_LIMIT: too many at once. */
MUST_USE bool oauth_revoked_add(struct gate *g, str jti, str agent, int64_t until_ms,
                                int64_t now_ms, store_done_fn *done, void *arg, struct err *err);
void oauth_revoked_fini(struct oauth *o);

/* ---- oauth_claims.c ---- */
/* The claims of a task token but for iss, which the keeper sets. */
void oauth_claims(const struct oauth_request *r, const struct oauth_wanted *w, int64_t expires_ms,
                  struct buf *out);
bool oauth_is_high(const struct gate *g, const struct oauth_wanted *w);
