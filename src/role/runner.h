/* runner: starts stdio servers, each in its sandbox, and offers each as an HTTP/1.1 endpoint on a
 * Unix socket. What the files of the role share.
 *
 *     POST /<binding>/<principal>     body: one JSON-RPC request or notification
 *
 * The principal is a task's id, or "discover": there is one program for each (binding, principal),
 * so no two tasks share a process. Fields of a request:
 *
 *     Ambit-Run-Voucher     base64url; for tools/call: kind STDIO_CALL, for this binding and the
 * digest (crypto/digest.h) of principal, binding, tool and the canonical arguments of this very
 * body; used once Ambit-Secret-Voucher  base64url; passed on to the keeper when a program must be
 * started whose binding has secrets in its environment Ambit-Child           the instance that the
 * sender has initialised; if it is not the one that runs now, the answer is 409 and nothing was
 * done
 *
 * Answers: 202 to a notification; 200 with application/json; or with text/event-stream where the
 * request accepts it and has a progress token. Every answer that reached a program has Ambit-Child.
 * Refusals are JSON-RPC errors with status 400 (not a message we take), 403 (voucher), 404 (no such
 * server), 405, 409 (Ambit-Child), 502 (the program ended; the text says how), 503 (it cannot be
 * started now).
 *
 * One thread. A struct call lives in its connection; a struct program until its process is
 * collected. */
#pragma once
#include "base/list.h"
#include "crypto/voucher.h"
#include "http/http1.h"
#include "mcp/rpc.h"
#include "net/conn.h"
#include "net/timer.h"
#include "role/role.h"
#include "role/stdio_child.h"

enum {
    PROGRAMS_MAX = 64,
    PROGRAM_CALLS_MAX = 256,
    PROGRAM_IDLE_MS = 10 * 60 * 1000,
    PROGRAM_GARBAGE_MAX = 10,
    PROGRAM_UNHEARD_MAX = 3,
    PROGRAM_YOUNG_MS = 10 * 1000,
    START_BACKOFF_MS_MIN = 500,
    START_BACKOFF_MS_MAX = 30 * 1000,
};

/* Why a server is not started again at once. One for each binding. */
struct start_trouble {
    int64_t until_ms, backoff_ms;
    char why[400];
};

struct runner {
    struct role_env *env;
    struct loop *loop;
    struct listener *listener;
    struct chan *keeper, *core; /* NULL while it is away */
    struct list stops;          /* of core, not acknowledged yet */
    struct secret *voucher_key;
    struct voucher_used *used;
    struct list programs;
    size_t programs_n;
    uint64_t release_id;            /* of the last RELEASE */
    struct start_trouble *troubles; /* by place of the binding in the configuration */
    struct arena scratch;           /* of one line of a program */
    uid_t edge_uid;
};

/* ---- programs (runner_programs.c) ---- */

struct program {
    struct list node;
    struct runner *runner;
    const struct conf_binding *binding;
    char principal[65];
    struct id id;              /* of this instance: Ambit-Child */
    struct stdio_child *child; /* NULL: its secrets are being fetched */
    uint64_t release_id;
    struct buf early; /* lines to send once it runs */
    struct list calls;
    size_t calls_n;
    uint64_t next_id; /* towards the program */
    unsigned garbage;
    unsigned unheard; /* calls given up on since it last wrote a line */
    int64_t started_ms;
    bool answered, gone; /* gone: it takes no more calls */
    struct timer timer;  /* idle, or waiting for secrets */
};

/* One request on its way to a program and back. */
struct call {
    struct list node; /* in program->calls; unlinked when it is over */
    struct program *program;
    uint64_t id;        /* as the program sees it, also as progress token */
    str client_id;      /* JSON text */
    str progress_token; /* JSON text, empty if there is none */
    bool sse;
};

struct program *program_find(struct runner *r, str binding, str principal);
/* secret_voucher: raw bytes, empty if none was given. Failure: *out_status is what to answer. */
MUST_USE bool program_start(struct runner *r, const struct conf_binding *b, str principal,
                            str secret_voucher, struct program **out, int *out_status,
                            struct err *err);
/* Sends the request under an id of its own; the answer comes by call_answer or call_fail. */
void program_request(struct program *p, struct call *call, const struct rpc_message *m);
void program_notify(struct program *p, const struct rpc_message *m);
/* Takes the call back: the program is told that nobody waits any more. */
void program_cancel(struct call *call);
/* Ends all of its calls with this text, and the program. */
void program_stop(struct program *p, const char *text);
void programs_on_secret(struct runner *r, uint64_t release_id, bool released, str payload);
void programs_keeper_lost(struct runner *r);
/* Ends all programs of a task: in order, or at once by a kill. Where core wants to hear of it (id
 * not 0), it does once the last of their processes has been collected. */
void programs_stop_of(struct runner *r, uint64_t id, str task, bool at_once);
void programs_core_lost(struct runner *r); /* nobody waits for acknowledgements any more */

/* ---- requests (runner_request.c) ---- */

/* Judges one request. True: it was passed on. False: *out_status, err, and the id to answer with.
 */
struct request {
    const struct http_head *head;
    str body;
    str accept;
};
enum verdict { VERDICT_REFUSED = 0, VERDICT_WAIT, VERDICT_ACCEPTED };
enum verdict request_take(struct runner *r, struct arena *a, const struct request *q,
                          struct call *call, int *out_status, struct err *err);

/* ---- connections (runner_http.c) ---- */

void runner_on_conn(void *owner, struct conn *c);
/* The final answer: one JSON-RPC response. */
void call_answer(struct call *call, str message);
/* A notification on the way, only if call->sse. */
void call_event(struct call *call, str message);
/* The call ended without an answer of the program. */
void call_fail(struct call *call, int status, str text);
