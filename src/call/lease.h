/* lease: the credentials that were released for a task.
 *
 * Today there is one kind: a static secret of a binding, given to an edge for each single request
 * (HTTP), or put into the environment of a program (stdio). One row for each (task, binding), made
 * durable no later than the intent of the first call that may use it, so there may be a lease for a
 * credential that was not released after all, never a release without its lease.
 *
 *     live -> revoking -> ended         nothing has it any more
 *                     |-> quarantined   Ambit cannot make it dead: the text says why, and what to
 * do
 *
 * A minter that can revoke what it made hooks in at lease_end, which decides the last state. One
 * thread. */
#pragma once
#include "call/gate.h"

struct lease {
    struct id task;
    const struct conf_binding *binding; /* NULL: not in the configuration any more */
    str binding_name;
    bool in_program;
    bool revoking, quarantined, over;
    int64_t opened_ms;
    str why; /* of the last state */
    struct arena arena;
};

/* The task may use the binding's credential from now on. Nothing happens where it has none. */
void lease_open(struct gate *g, const struct id *task, const struct conf_binding *b,
                int64_t now_ms);
/* Those of one task, in the arena; NULL for any task. */
struct lease **leases_of(struct gate *g, struct arena *a, const struct id *task, size_t *n);
/* Decides what became of it. programs_ended: the runner has said so, or has ended itself. */
void lease_end(struct lease *l, bool programs_ended);
str lease_state(const struct lease *l);
/* Forgets one that is over; the store keeps its row. */
void lease_drop(struct gate *g, struct lease *l);
MUST_USE bool leases_restore(struct gate *g, struct err *err);
void leases_fini(struct gate *g);
/* The binding's requests or programs carry a secret. */
bool binding_needs_secret(const struct conf_binding *b);
