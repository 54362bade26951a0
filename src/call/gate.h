/* gate: what core knows and does about calls: the spine (design section 3).
 *
 *     received -> identified -> resolved -> decided -> recorded -> [held] -> released -> answered
 * -> settled
 *                     \______________________ refused ______________________________/
 *
 * identify.c proves who asks; spine.c resolves, decides, records and releases; settle.c takes
 * outcomes; close.c ends tasks, states.c suspends and resumes; session.c, listing.c and delegate.c
 * are what the names say; restore.c brings the state back after a start. The gate knows no sockets:
 * it answers through `struct gate_out`, and time is given. Everything lives on core's main thread;
 * the store's writer thread commits, and its results come back here by store_collect().
 *
 * An edge is treated as hostile: nothing it says is believed but the bytes of tokens and the ids of
 * connections that core itself attested; every id it names must belong to it. */
#pragma once
#include "call/catalog.h"
#include "call/dpop.h"
#include "call/policy.h"
#include "crypto/jwt.h"
#include "crypto/secret.h"
#include "hold/hold.h"
#include "identity/revoked.h"
#include "identity/trust.h"
#include "ipc/message.h"
#include "ledger/record.h"
#include "people/authorization.h"
#include "store/schema.h"
#include "store/store.h"
#include "task/agents.h"
#include "task/task.h"

enum { GATE_EDGES_MAX = 8 };

/* Where answers go. */
struct gate_out {
    void *ctx;
    /* edge: the number of one life of one edge process. False: it is gone. */
    bool (*to_edge)(void *ctx, uint32_t edge, enum message_type type, uint64_t id, const void *msg);
    /* Revocation (close.h). CUT to every edge, each of which acknowledges under seq: how many, and
     * their lives in out. */
    size_t (*cut)(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX]);
    /* STOP_CHILD to the runner, acknowledged under seq. False: there is none. */
    bool (*stop_children)(void *ctx, uint64_t seq, str task, bool at_once);
    void (*end_edge)(void *ctx, uint32_t edge, const char *why);
    /* The keeper signs (ipc/message.h, enum sign_kind; role/keeper_sign.h has the rules). done gets
     * the token, or an empty one and why; possibly at once. */
    void (*sign_jwt)(void *ctx, enum sign_kind kind, str claims,
                     void (*done)(void *arg, str token, str why), void *arg);
    /* chain: DER, leaf first, one after another; empty, and why. */
    void (*sign_x509)(void *ctx, str spiffe_id, str spki, int64_t life_s,
                      void (*done)(void *arg, str chain, int64_t not_after_s, str why), void *arg);
    /* One document of an issuer elsewhere, by the fetcher (role/core_int.h, core_fetch). */
    void (*fetch)(void *ctx, str source, enum fetch_what what, str url, str form,
                  void (*done)(void *arg, uint32_t status, str document, str why), void *arg);
};

/* A connection whose peer the kernel has named. Whoever attested it watches the process and calls
 * gate_conn_closed when it ends: the identity dies with it. */
enum { ATTESTED_INSTANCE_SIZE = 48 };
struct attested {
    int64_t conn;
    uint32_t edge;
    const struct conf_agent *agent;
    char instance[ATTESTED_INSTANCE_SIZE]; /* "pid-4711-88123", or the id of a launch */
};

struct session {
    struct id id;
    struct id task; /* empty: opened by an agent that had none; the first it uses becomes it */
    uint32_t listener;
    char instance[ATTESTED_INSTANCE_SIZE]; /* of the attested process; empty: came by token */
    int64_t used_ms;
    char version[16];
};

/* A call between its release and its outcome. */
enum txn_state { TXN_NONE = 0, TXN_ASKED, TXN_SIGNED, TXN_FAILED };
struct live_call {
    struct id id;
    struct task *task;
    uint32_t edge;
    uint64_t request; /* the edge's */
    bool high;
    bool released;   /* the edge was told to go */
    bool closing;    /* an outcome is on its way to the store */
    uint8_t outcome; /* enum outcome, once it has one */
    struct task_cost cost;
    str binding, tool, effect;
    enum txn_state txn_state; /* txn.c */
    bool txn_waits;           /* recorded, and not yet signed */
    str txn, txn_args;
    int64_t recorded_us;               /* when its intent was queued */
    int64_t committed_us, released_us; /* since then; 0: not yet */
    int64_t give_up_ms;
    struct arena arena;
};

struct gate_counts {
    uint64_t allowed, held, denied, refused_input, unauthenticated, outcomes[OUTCOME_COUNT];
    uint64_t tokens; /* issued at the token endpoint */
};

struct gate {
    const struct conf *conf;
    struct tasks tasks;
    struct agents agents; /* by gate_restore */
    struct holds holds;
    struct catalog catalog;
    struct policy_set *policy;
    struct store *store;
    struct map live;     /* call id -> struct live_call */
    struct map sessions; /* session id -> struct session */
    struct map conns;    /* decimal id -> struct attested */
    struct map tokens;   /* token text -> struct known_token */
    struct keyset token_keys;
    struct buf token_jwks, txn_jwks; /* as the keeper gave them: what is published */
    struct trust *trust;             /* what proves an agent; owned */
    struct revoked revoked;          /* identities that a person declared dead (identity.c) */
    struct people people;
    struct authorizations authorizations;
    struct oauth *oauth; /* call/oauth.h; owned */
    struct secret *keeper_key, *runner_key;
    struct list closings; /* under way (close.h) */
    uint64_t closings_n;
    struct map orphans; /* during a start: tasks whose parent had ended; values mean nothing */
    struct map leases;  /* task and binding -> struct lease (lease.h) */
    struct gate_out out;
    struct gate_counts counts;
    struct buf scratch; /* for records; cleared by each builder */
    int64_t policy_version;
};

/* ---- requests of an edge ---- */
void gate_call(struct gate *g, uint32_t edge, uint64_t request, const struct msg_call *m);
void gate_list(struct gate *g, uint32_t edge, uint64_t request, const struct msg_list *m);
void gate_session_open(struct gate *g, uint32_t edge, uint64_t request,
                       const struct msg_session *m);
void gate_session_end(struct gate *g, uint32_t edge, uint64_t request, const struct msg_session *m);
/* False: the edge spoke of a call that is not its own. */
MUST_USE bool gate_outcome(struct gate *g, uint32_t edge, const struct msg_outcome *m,
                           struct err *err);
void gate_catalog(struct gate *g, const struct msg_catalog *m);
/* The edge is gone: its calls are settled as unknown or not_sent, its connections forgotten. */
void gate_edge_lost(struct gate *g, uint32_t edge);
/* Every second or so: overdue calls, expired tasks, holds, tokens and sessions. */
void gate_tick(struct gate *g, int64_t now_ms);

/* ---- who asks (identify.c) ---- */
/* What a client that could not be identified is told (RFC 6750 section 3, RFC 9449 section 7.1). */
struct challenge {
    str error; /* of a static string; empty: it showed nothing */
    bool dpop; /* by this scheme */
    struct dpop_nonce nonce;
};
struct caller {
    struct task *task;
    const struct attested *attested; /* NULL: by token */
    str instance;
    /* A token that was exchanged for less than its task has: only these, sorted; borrowed for this
     * request. */
    bool narrowed;
    const str *operations;
    size_t operations_n;
    struct challenge challenge; /* when nobody could be identified */
};
/* False for an operation that the task may have and this token leaves out. */
bool caller_may_use(const struct caller *c, str operation);
/* Answers a request whose caller is not identified. */
void gate_answer_unidentified(struct gate *g, uint32_t edge, uint64_t request,
                              enum refusal_kind kind, const struct caller *c,
                              const struct err *err);
/* On failure *kind tells the edge what to answer. A task that is over is a REFUSAL_DENIED with *out
 * filled in, so that it can be recorded. */
MUST_USE bool gate_identify(struct gate *g, uint32_t edge, const struct proof *proof,
                            int64_t now_ms, struct caller *out, enum refusal_kind *kind,
                            struct err *err);
/* Who an attested connection is, whether it has a task or not (call/request.h). */
struct asker;
MUST_USE bool gate_identify_agent(struct gate *g, uint32_t edge, const struct proof *proof,
                                  int64_t now_ms, struct asker *out, enum refusal_kind *kind,
                                  struct err *err);
void gate_attest(struct gate *g, const struct attested *who);
void gate_conn_closed(struct gate *g, int64_t conn);
/* As an edge says it: of connections that it was given, nothing otherwise. */
void gate_conn_dropped(struct gate *g, uint32_t edge, int64_t conn);
void gate_tokens_sweep(struct gate *g, int64_t now_ms);
/* Every token is verified anew at its next use: the keys have changed. */
void gate_tokens_forget(struct gate *g);
/* What is under way with tokens whose holder (`client_id`) is revoked now ends. The task goes on
 * for other identities of its agent. */
void gate_tokens_cut_revoked(struct gate *g, str by, int64_t now_ms);

/* A task token that somebody shows without using it: to exchange, ask about, or revoke it. Whether
 * the one who shows it holds it, and whether the task lives, is for the caller to judge. Results
 * live in the arena. */
struct token_facts {
    struct task *task;
    const json *claims;
    str jti, aud;
    int64_t exp_ms;
    bool dpop; /* bound to a DPoP key */
    bool narrowed;
    const str *operations; /* when narrowed */
    size_t operations_n;
};
MUST_USE bool gate_token_read(struct gate *g, struct arena *a, str token, int64_t now_ms,
                              struct token_facts *out, struct err *err);
/* It is verified anew at its next use. */
void gate_token_drop(struct gate *g, str token);

/* ---- revoked identities (identity.c) ---- */
/* False if the task's agent, that of an ancestor, this instance or this certificate (SHA-256, may
 * be empty) is revoked now. Asked on every request. */
MUST_USE bool gate_check_revoked(const struct gate *g, const struct task *t, str instance, str cert,
                                 int64_t now_ms, struct err *err);
/* In force when it returns; done when it is on disk and in the record. e->name as revoked_name
 * spells it. An ID also ends what its agent has under way. ERR_LIMIT, ERR_INPUT: revoked.h. */
MUST_USE bool gate_revoke_identity(struct gate *g, const struct revoked_entry *e,
                                   store_done_fn *done, void *arg, struct err *err);
MUST_USE bool gate_lift_identity(struct gate *g, enum revoked_kind kind, str name, str by,
                                 store_done_fn *done, void *arg, struct err *err);
/* At the start; also lends the list to g->trust, where there is one. */
MUST_USE bool gate_restore_revoked(struct gate *g, struct err *err);

/* ---- state (restore.c) ---- */
MUST_USE bool gate_restore(struct gate *g, struct err *err);
void gate_fini(struct gate *g);

/* ---- shared by the files of this folder and the control door ---- */
/* Vouchers of a binding for one call or for discovery; empty strs where none is needed. */
struct vouchers {
    uint8_t keeper[256], runner[256];
    size_t keeper_n, runner_n;
};
void gate_vouchers(struct gate *g, const struct conf_binding *b, const struct id *call, str task,
                   str tool, str args, int64_t now_ms, struct vouchers *out);
/* True if asking this binding for its tools releases no secret, or a live task may use it anyway:
 * an edge gains nothing by being asked (design section 2). */
bool gate_may_discover(const struct gate *g, const struct conf_binding *b, int64_t now_ms);
/* The chain of a task, for records; parents live in the arena. */
struct record_chain gate_chain(struct gate *g, struct arena *a, const struct task *t, str instance);
struct record_policy gate_policy(struct gate *g, const struct verdict *v);
/* What the record says of the call that an approver saw: a commitment to its digest under the salt
 * of its arguments, the same in the records of the hold and of the decision. Empty if the salt
 * cannot be read. */
str gate_hold_digest(struct gate *g, struct arena *a, const struct hold *h);
/* Submits; a failure of the store ends the process elsewhere, so callers need no branch. */
void gate_submit(struct gate *g, struct store_txn *t, store_done_fn *done, void *arg);
/* Adds the steps and leaf that open a task (and count it with its parent). */
void gate_add_task_open(struct gate *g, struct store_txn *txn, const struct task *t, str opened_by);
/* Closes a task and all below it (close.h has the whole). done, which may be NULL, hears of the
 * commit. */
void gate_close_task(struct gate *g, struct task *t, enum task_state state, str reason, str by,
                     store_done_fn *done, void *arg);
/* Suspends an active task, or resumes one: memory at once, then the store. Suspending cuts streams
 * and stops children, and holds for the tasks below too. done may be NULL. */
void gate_suspend_task(struct gate *g, struct task *t, str reason, str by, store_done_fn *done,
                       void *arg);
void gate_resume_task(struct gate *g, struct task *t, str by, store_done_fn *done, void *arg);
/* Suspends or resumes an agent: the same, for all its tasks and attested connections. */
void gate_set_agent(struct gate *g, struct agent *agent, bool suspended, str reason, str by,
                    store_done_fn *done, void *arg);
/* After something of the agents changed that policies read. */
void gate_agents_changed(struct gate *g);
/* An identity was seen at a place; sharing is logged, recorded and told to policies. */
void gate_seen(struct gate *g, str agent, enum place_kind kind, str place, int64_t now_ms);
/* Runs `delegate`, the gateway's own operation (delegate.c): the child task, or why not. */
MUST_USE bool gate_delegate(struct gate *g, struct task *parent, const json *args, int64_t now_ms,
                            struct task **out, struct err *err);
/* The definition of ambit/delegate as agents see it. */
str gate_delegate_definition(void);
