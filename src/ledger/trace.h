/* ledger/trace: all that is recorded of one call or one task, in order, for a person to read: who
 * did what, why it was allowed, who approved, for which owner.
 *
 * A task's trace holds the task's own records, those of its ancestors that made it possible
 * (opening, delegation, closing) and, when asked for, all records of its descendants. Everything
 * lives in the arena given. */
#pragma once
#include "base/json.h"
#include "store/read.h"

enum { TRACE_ENTRIES_MAX = 100000 };

struct trace_entry {
    uint64_t index;
    str body;         /* the leaf as stored */
    const json *leaf; /* parsed */
    /* The fields most used, empty where the record has none. */
    str type, time, call, task, owner, agent, instance;
    str binding, tool, effect;
    str decision; /* allow | deny | hold, or an outcome's status */
    str approver; /* of an approval, or of the intent that used one */
    str hold, reason, by;
    int64_t policy_version; /* 0: none */
    str policies;           /* determining policy ids, comma separated */
    unsigned depth;         /* of its task below the root of its chain */
};

struct trace {
    struct trace_entry *entries; /* by index, ascending */
    size_t n;
    struct store_task *tasks; /* the root of the chain first, then down; descendants last */
    size_t tasks_n;
    bool cut; /* there were more than TRACE_ENTRIES_MAX */
};

/* ERR_NOTFOUND when the ledger has no such call. */
MUST_USE bool trace_call(struct store_view *v, struct arena *a, str call, struct trace *out,
                         struct err *err);
MUST_USE bool trace_task(struct store_view *v, struct arena *a, str task, bool descendants,
                         struct trace *out, struct err *err);
/* One leaf, read into the arena (depth 0). */
MUST_USE bool trace_entry_read(struct arena *a, uint64_t index, str body, struct trace_entry *out,
                               struct err *err);

/* The object that the control socket and `ambit trace --json` give: {tasks, entries, cut}. */
void trace_write(struct jw *w, const struct trace *t);
void trace_entry_write(struct jw *w, const struct trace_entry *e);
