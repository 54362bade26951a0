/* Outcomes: exactly one for each intent, whatever happens to the edge. */
#include "call/close.h"
#include "call/gate_int.h"
#include "call/oauth.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"

#include <stdlib.h>

void live_drop(struct gate *g, struct live_call *c)
{
    closings_call_over(g, c);
    c->task->uses--;
    map_del(&g->live, id_str(&c->id));
    arena_fini(&c->arena);
    free(c);
}

static enum record_status status_of(uint8_t outcome)
{
    static const enum record_status map[OUTCOME_COUNT] = {
        [OUTCOME_NONE] = RECORD_UNKNOWN,
        [OUTCOME_OK] = RECORD_OK,
        [OUTCOME_UPSTREAM_ERROR] = RECORD_UPSTREAM_ERROR,
        [OUTCOME_REFUSED] = RECORD_REFUSED,
        [OUTCOME_NOT_SENT] = RECORD_NOT_SENT,
        [OUTCOME_UNKNOWN] = RECORD_UNKNOWN,
    };
    return outcome < OUTCOME_COUNT ? map[outcome] : RECORD_UNKNOWN;
}

static bool is_counted(const struct task *t)
{
    return t->left.bytes != TASK_UNBOUNDED || t->left.rows != TASK_UNBOUNDED ||
           t->left.tokens != TASK_UNBOUNDED;
}

/* What the edge says of the answer; less than nothing is nothing. */
static void debit_answer(struct store_txn *txn, struct task *t, const struct msg_outcome *m)
{
    int64_t bytes = m->bytes > 0 ? m->bytes : 0, rows = m->rows > 0 ? m->rows : 0;
    int64_t tokens = m->tokens > 0 ? m->tokens : 0;
    if (!bytes && !rows && !tokens)
        return;
    task_debit_answer(t, bytes, rows, tokens);
    for (const struct task *at = t; at; at = at->parent)
        if (is_counted(at))
            store_task_answer(txn, id_str(&at->id), bytes, rows, tokens);
}

/* Of the edge's word no more than fits the time that core has seen pass. */
static struct record_timings timings_of(const struct live_call *c, const struct msg_outcome *m,
                                        int64_t passed_us)
{
    struct record_timings t = {.committed_us = c->committed_us, .released_us = c->released_us};
    if (c->released && m->upstream_us <= passed_us)
        t.upstream_us = m->upstream_us;
    if (t.upstream_us && m->first_us <= t.upstream_us)
        t.first_us = m->first_us;
    return t;
}

static void settle(struct gate *g, struct live_call *c, const struct msg_outcome *m)
{
    ARENA_SCOPE struct arena a = {0};
    int64_t passed_us = clock_mono_us() - c->recorded_us;
    struct record_outcome r = {
        .time_ms = clock_wall_ms(),
        .call = id_str(&c->id),
        .chain = gate_chain(g, &a, c->task, (str){0}),
        .op = {c->binding, c->tool, c->effect},
        .status = status_of(m->status),
        .latency_us = passed_us,
        .bytes = m->bytes,
        .result = m->result_digest.n == HASH_LEN ? base64url_dup(&a, m->result_digest) : (str){0},
        .reason = m->error,
        .timings = timings_of(c, m, passed_us),
    };
    struct store_txn *t = store_txn_new(g->store);
    store_open_call_delete(t, id_str(&c->id));
    debit_answer(t, c->task, m);
    store_leaf(t, record_outcome(&g->scratch, &r), id_str(&c->id), id_str(&c->task->id));
    gate_submit(g, t, NULL, NULL);
    g->counts.outcomes[m->status < OUTCOME_COUNT ? m->status : OUTCOME_UNKNOWN]++;
    c->outcome = m->status < OUTCOME_COUNT ? m->status : OUTCOME_UNKNOWN;
    live_drop(g, c);
}

/* What the edge says of the error is kept as a short printable code, no more. */
static str printable(struct arena *a, str s)
{
    str out = str_dup(a, str_take(s, 200));
    char *p = (char *)(uintptr_t)out.p;
    for (size_t i = 0; i < out.n; i++)
        if (p[i] < 0x20 || p[i] > 0x7e)
            p[i] = '?';
    return out;
}

bool gate_outcome(struct gate *g, uint32_t edge, const struct msg_outcome *m, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct live_call *c = map_get(&g->live, m->call);
    if (!c)
        return true; /* given up on meanwhile, and settled */
    if (c->edge != edge)
        return err_peer(err, "outcome for another edge's call");
    if (!c->released)
        return err_peer(err, "outcome for a call that was not released");
    struct msg_outcome clean = *m;
    clean.error = printable(&a, m->error);
    settle(g, c, &clean);
    return true;
}

void live_settle(struct gate *g, struct live_call *c, enum outcome outcome, const char *reason)
{
    struct msg_outcome m = {
        .call = id_str(&c->id), .status = (uint8_t)outcome, .error = str_z(reason)};
    settle(g, c, &m);
}

void gate_edge_lost(struct gate *g, uint32_t edge)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&g->live, &i, &id, &v);) {
        struct live_call *c = v;
        if (c->edge == edge && c->released)
            live_settle(g, c, OUTCOME_UNKNOWN, "edge_lost");
        /* One that still waits for its commit is settled by the release that finds no edge. */
    }
    for (size_t i = 0; map_next(&g->conns, &i, &id, &v);) {
        struct attested *who = v;
        if (who->edge == edge)
            gate_conn_closed(g, who->conn);
    }
    closings_edge_lost(g, edge);
}

enum { SESSION_IDLE_MS = 30 * 60 * 1000, KEEP_ENDED_MS = 10 * 60 * 1000 };

static void sweep_sessions(struct gate *g, int64_t now_ms)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&g->sessions, &i, &id, &v);) {
        struct session *s = v;
        struct task *t = tasks_find(&g->tasks, id_str(&s->task));
        if ((s->task.s[0] && (!t || !task_state_is_open(t->state))) ||
            now_ms - s->used_ms > SESSION_IDLE_MS)
            free(map_del(&g->sessions, id));
    }
}

static void expire_tasks(struct gate *g, int64_t now_ms)
{
    struct task *t;
    while ((t = tasks_due(&g->tasks, now_ms)))
        gate_close_task(g, t, TASK_EXPIRED, now_ms >= t->deadline_ms ? S("deadline") : S("unused"),
                        S("gateway"), NULL, NULL);
}

void gate_tick(struct gate *g, int64_t now_ms)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&g->live, &i, &id, &v);) {
        struct live_call *c = v;
        if (c->released && now_ms >= c->give_up_ms)
            live_settle(g, c, OUTCOME_UNKNOWN, "no_outcome");
    }
    expire_tasks(g, now_ms);
    closings_tick(g);
    agents_tick(&g->agents, now_ms);
    gate_agents_changed(g);
    sweep_sessions(g, now_ms);
    gate_tokens_sweep(g, now_ms);
    oauth_sweep(g->oauth, now_ms);
    holds_sweep(&g->holds, now_ms, now_ms - KEEP_ENDED_MS);
    tasks_sweep(&g->tasks, now_ms - KEEP_ENDED_MS);
}
