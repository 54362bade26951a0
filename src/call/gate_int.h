/* gate_int: what the files of the gate share and nobody else needs. */
#pragma once
#include "call/gate.h"

/* Forgets a live call; its outcome is queued, or it never became an intent. */
void live_drop(struct gate *g, struct live_call *c);
/* Queues the outcome and forgets the call. */
void live_settle(struct gate *g, struct live_call *c, enum outcome outcome, const char *reason);
/* Tells the edge to go, or why not: the task may have ended meanwhile, the token not been signed.
 */
void live_release(struct gate *g, struct live_call *c, str args);
/* txn.c: has the transaction token of this call made. */
void txn_begin(struct gate *g, struct live_call *c, str args, str instance);
/* True: it is not made yet; live_release follows when it is. */
bool txn_must_wait(struct live_call *c, str args);
/* Carries out an operation of the binding "ambit" whose intent is durable, answers and settles it.
 */
void gate_run_internal(struct gate *g, struct live_call *c, str args);
