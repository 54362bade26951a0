/* mcp_int: what the files of the MCP door share. */
#pragma once
#include "base/log.h"
#include "base/map.h"
#include "base/rand.h"
#include "door/mcp_door.h"
#include "door/oauth_door.h"
#include "mcp/server.h"
#include "net/timer.h"

struct up_session;

/* One stretch of work on an upstream in somebody's name: a call, or the discovery of tools. */
struct job {
    struct mcp_door *door;
    struct upstream *up;
    str principal;            /* the task's id, or "discover" */
    struct buf secrets;       /* run of secret name, value, as the keeper sent it; wiped */
    str voucher, run_voucher; /* stdio: what the runner wants to see */
    str txn;                  /* HTTP: transaction token of the call, or empty */
    struct list waiting;      /* in a session's waiters */
    struct up_session *session;
    void (*on_session)(struct job *j, const struct err *err); /* err NULL: j->session is ready */
    void (*on_secret)(struct job *j, const struct err *err);
    int64_t wait_ms;
};

/* One session with an upstream in one principal's name (mcp_session.c). */
struct up_session {
    str key; /* owned by the map's copy: binding NUL principal */
    struct mcp_door *door;
    struct upstream *up;
    struct mcp_client client;
    struct arena arena;
    struct list waiters; /* jobs; the first one's credential opens the session */
    struct job *opener;
    struct post *post;
    bool ready, second_try;
    struct deferred reopen;
    int64_t used_ms;
};
/* Calls j->on_session, at once if it is open. */
void session_want(struct job *j);
/* The upstream has forgotten it: the next want opens it again. */
void session_lost(struct up_session *s);
/* j is going away. */
void session_leave(struct job *j);
void sessions_end_of(struct mcp_door *d, str principal); /* a task ended */
void sessions_sweep(struct mcp_door *d, int64_t idle_ms);
void sessions_close(struct up_session *s);

/* Sends out in the job's name; credentials are added here. NULL with *err as upstream_post. */
struct post *job_post(struct job *j, const struct mcp_out *out, const struct post_ops *ops,
                      void *owner, struct err *err);
void job_fini(struct job *j);
/* Asks the keeper; on_secret follows, at once where no voucher is needed. */
void job_release(struct job *j, str voucher);

/* ---- exchanges ---- */
enum stage { STAGE_ASKED = 1, STAGE_SECRET, STAGE_SESSION, STAGE_SENT, STAGE_OVER };

struct exchange {
    struct list node; /* in door->exchanges */
    struct mcp_door *door;
    struct http_request *http; /* NULL: the agent has gone */
    struct mcp_request req;
    struct arena arena; /* what must outlive the agent */
    enum stage stage;
    uint64_t asked; /* id of the message to core under way; 0: none */
    struct timer timer;
    bool streaming; /* an event stream has been begun towards the agent */
    bool is_retry;
    bool cancel_asked; /* by a legacy agent, before core has answered */
    struct mcp_progress progress;
    /* the call, after GO */
    struct job job;
    str call, task, tool;
    struct mcp_exchange ex;
    struct post *post;
    bool sent;
    int64_t sent_us, first_us, deadline_ms; /* first_us: of the first message of the answer */
    str session;                            /* legacy session of the agent, as core knows it */
    str endpoint; /* binding of /mcp/<binding>; empty: the federated one */
};

struct mcp_door {
    struct mcp_door_opts o;
    struct list exchanges;
    size_t busy;
    struct map asked;    /* id -> struct exchange (core) */
    struct map released; /* id -> struct job (keeper) */
    struct map sessions; /* key -> struct up_session */
    struct map tools;    /* "binding/tool" -> struct known_tool */
    struct list clients; /* struct door_client */
    uint64_t next_id;
    struct mcp_self self;
    struct mcp_door_counts counts;
    struct timer sweep;
    bool draining;
    struct oauth_door oauth;
};

struct known_tool {
    struct mcp_tool tool;
    struct arena arena;
};

/* Where a client came in, kept in its tag: attested connections have the top bit. */
#define TAG_ATTESTED (UINT64_C(1) << 63)

/* mcp_exchange.c: a whole request of an agent, and what core said of it; each of these ends or
 * advances the exchange. */
void exchange_request(struct http_request *r);
void exchange_refused(struct exchange *x, const struct msg_refused *m);
void exchange_known(struct exchange *x, const struct msg_list_answer *m);
void exchange_session(struct exchange *x, const struct msg_session_answer *m);
void exchange_result(struct exchange *x, const struct msg_result *m);
/* mcp_exchange.c: answers to the agent. Each ends the exchange's part towards the agent. */
void exchange_answer_json(struct exchange *x, str body);
void exchange_answer_refused(struct exchange *x, str text, str decision, str reason,
                             str policies_json);
/* The fields that mirror arguments of the tool. False: they differ, and the agent has been told. */
bool exchange_params_agree(struct exchange *x, const struct mcp_tool *tool);
void exchange_free(struct exchange *x);
struct map_key {
    char s[24];
};
str id_key(uint64_t id, struct map_key *room);

/* mcp_call.c */
void call_go(struct exchange *x, const struct msg_go *m);
void call_gone(struct exchange *x); /* the agent went away */
void call_cancel(struct exchange *x,
                 const char *reason); /* the agent or the task's end cancels it */
void call_drain(struct exchange *x);
/* mcp_discover.c */
void discover(struct mcp_door *d, const struct msg_discover *m);
const struct mcp_tool *known_tool(struct mcp_door *d, struct arena *a, str binding, str tool);
