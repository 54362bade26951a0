/* core_int: the core role's state, shared by its files and nobody else. */
#pragma once
#include "base/list.h"
#include "call/close.h"
#include "call/gate.h"
#include "door/admin.h"
#include "ledger/checkpoint.h"
#include "ledger/tree.h"
#include "net/conn.h"
#include "net/timer.h"
#include "role/role.h"

enum { CORE_EDGES_MAX = GATE_EDGES_MAX };

/* One life of one edge process. */
struct core_edge {
    uint32_t life; /* the number the gate knows it by; 0: free slot */
    uint32_t index;
    struct chan *chan;
    uint32_t svid_waits; /* core_identity.c: listeners that have asked for a certificate, 1 << n */
};

/* The own trust bundle, as the keeper gave it last; empty until then. */
struct core_bundle {
    struct buf jwks, roots;
    int64_t sequence;
};

/* core_log.c: what the publisher has of the log. */
struct core_log {
    struct chan *chan;
    struct timer step;
    bool known;         /* it has said what it has */
    bool refused;       /* it will not publish, or must not; problem says why */
    uint64_t sent;      /* leaves that it has or that are on their way */
    uint64_t noted;     /* size of the checkpoint that it was sent last */
    uint64_t published; /* size that anybody can read */
    unsigned under_way; /* slices */
    struct buf problem;
};

struct core {
    struct role_env *env;
    struct gate gate;
    struct admin admin;
    struct ledger_tree *tree;
    struct checkpointer *checkpointer;
    struct core_log log;
    struct watch *store_watch;
    struct timer tick, publish;
    struct core_edge edges[CORE_EDGES_MAX];
    uint32_t lives;
    struct chan *keeper, *runner;
    struct map signings; /* decimal request id -> struct signing */
    uint64_t next_id;
    bool publishing;
    int64_t ticks, drain_from_ms;
    struct listener *control, *agents;
    /* attestation: core_attest.c, core_look.c, core_launch.c, core_workload.c */
    struct chan *witness, *workload;
    struct list attests; /* struct attest */
    size_t attests_n;
    struct map looks;          /* decimal request id -> struct looking */
    struct map launches;       /* decimal pid -> struct launch */
    struct map agent_conns;    /* decimal conn number -> struct agent_conn */
    struct map workload_conns; /* decimal conn number -> struct workload_peer */
    struct listener *launch, *workload_listener;
    uint64_t workload_life;      /* which workload role it is */
    size_t workload_asks;        /* under way */
    struct buf workload_bundles; /* as sent last */
    /* issuers elsewhere: core_fetch.c */
    struct chan *fetcher;
    struct core_source *sources; /* in the order of conf.issuers */
    struct map fetches;          /* request id -> struct fetch_wait */
    struct map people;           /* decimal conn number -> struct person_conn */
    struct chan *portal;
    struct map portal_asks; /* decimal conn number -> struct portal_ask */
    uint64_t next_conn;
    size_t next_edge;
    uint64_t checkpoints;
    struct buf vkey; /* of the ledger, as the keeper gave it */
    struct core_bundle bundle;
    struct map catalogs; /* binding -> itself, once its catalogue has been read */
    int64_t
        *asked_ms; /* by binding: when its tools were last asked for and not yet answered; 0: not */
};

/* core.c */
struct chan *core_edge_chan(struct core *c, uint32_t life);
struct core_edge *core_any_edge(struct core *c);
uint64_t core_new_id(struct core *c);
void core_discover(struct core *c,
                   uint32_t life); /* all that may be asked now; life 0: every edge */

/* core_sign.c: tokens and certificates, signed by the keeper (gate.h lends them to the gate) */
void core_sign_jwt(void *ctx, enum sign_kind kind, str claims,
                   void (*done)(void *arg, str token, str why), void *arg);
void core_sign_x509(void *ctx, str spiffe_id, str spki, int64_t life_s,
                    void (*done)(void *arg, str chain, int64_t not_after_s, str why), void *arg);
/* A new key of that kind (identity/ca.h), at a person's wish; m is NULL: not done, and why. */
void core_rotate(void *ctx, uint8_t kind, bool revoke,
                 void (*done)(void *arg, const struct msg_rotated *m, str why), void *arg);
void core_on_rotated(struct core *c, uint64_t id, const struct msg_rotated *m);
void core_on_signed_token(struct core *c, uint64_t id, str token);
void core_on_signed_x509(struct core *c, uint64_t id, const struct msg_signed_x509 *m);
bool core_on_not_signed(struct core *c, uint64_t id, str why); /* false: it was no such request */
void core_signings_fail(struct core *c);                       /* the keeper is gone */
MUST_USE bool core_on_keys(struct core *c, const struct msg_keys *m, struct err *err);
MUST_USE bool core_on_bundle(struct core *c, const struct msg_bundle *m, struct err *err);

/* core_identity.c: the own bundle, for edges and others */
#define CORE_BUNDLE_PATH "/ambit/bundle"  /* of the SPIFFE ID of a bundle endpoint */
void core_bundle_changed(struct core *c); /* a bundle is new, the own or another: tells others */
void core_show_issuer(void *ctx, struct jw *w); /* members of `identity.show` */
void core_identities_revoked(void *ctx);        /* the list has changed */
void core_send_trust(struct core *c, struct chan *edge);
/* False: the edge has no such listener, or asks too often. */
MUST_USE bool core_on_svid_wanted(struct core *c, uint32_t life, const struct msg_svid_wanted *m,
                                  struct err *err);

/* core_ledger.c: checkpoints, signed by the keeper */
void core_publish_later(struct core *c);
void core_on_checkpoint(struct core *c, str note);
void core_on_checkpoint_refused(struct core *c, str why);
void core_publishing_fails(struct core *c); /* the keeper is gone */

/* core_log.c: the published log */
void core_log_peer(struct core *c, struct chan *chan); /* NULL: it is gone */
void core_log_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id, str payload);
void core_log_step(struct core *c); /* after a checkpoint has been stored; cheap */

/* core_people.c: the control socket */
MUST_USE bool core_people_listen(struct core *c, int fd, struct err *err);
void core_reply(void *ctx, uint64_t conn, str line);

/* core_portal.c: what browsers ask, through the portal */
MUST_USE bool core_portal_load(struct core *c, struct err *err);
void core_portal_begin(struct core *c); /* the first link, if nobody has a passkey */
void core_portal_tick(struct core *c, int64_t now_ms);
void core_portal_peer(struct core *c, struct chan *chan); /* NULL: it is gone */
void core_portal_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                         str payload);
/* False: no question of the portal has that number. */
bool core_portal_reply(struct core *c, uint64_t conn, str line);

/* core_agents.c: the agent socket, attested by the kernel */
MUST_USE bool core_agents_listen(struct core *c, int fd, struct err *err);
void core_agents_edge_lost(struct core *c, uint32_t life);
void core_agents_conn_closed(struct core *c, uint32_t life, int64_t conn); /* as an edge says it */

/* core_fetch.c: documents of issuers elsewhere, by the fetcher */
void core_fetch_start(struct core *c);
void core_fetch_peer(struct core *c, struct chan *chan); /* NULL: it is gone */
void core_fetch_tick(struct core *c);
void core_on_fetched(struct core *c, uint64_t id, const struct msg_fetched *m);
/* One exchange for somebody else in core: done is called once, perhaps before this returns. url:
 * of the issuer's own scheme, host and port; empty: its location. why empty: document is what
 * there is; FETCH_POST: whatever the status. */
void core_fetch(void *ctx, str source, enum fetch_what what, str url, str form,
                void (*done)(void *arg, uint32_t status, str document, str why), void *arg);

/* core_workload.c: the socket of the SPIFFE Workload API, and what the workload role asks */
MUST_USE bool core_workload_listen(struct core *c, int fd, struct err *err);
void core_workload_bundles(struct core *c); /* all that there are, to the role */
void core_workload_recheck(struct core *c); /* ends connections of who is revoked or suspended */
void core_workload_tick(struct core *c);    /* the same, and bundles that have changed */
void core_workload_peer(struct core *c, struct chan *chan);
void core_workload_lost(struct core *c);
/* False: the role broke the rules. */
MUST_USE bool core_on_workload(struct core *c, uint16_t type, uint64_t id, str payload,
                               struct err *err);

/* core_metrics.c */
void core_metrics(struct core *c, struct buf *out);
void core_status(void *ctx, struct jw *w);

/* core_revoke.c: what a closing asks of the ends */
size_t core_cut(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX]);
bool core_stop_children(void *ctx, uint64_t seq, str task, bool at_once);
void core_end_edge(void *ctx, uint32_t life, const char *why);
void core_on_runner_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                            str payload);
