/* Counters of core, in Prometheus' text format and for the status command. */
#include "role/core_int.h"

static void gauge(struct buf *out, const char *name, const char *help, uint64_t v)
{
    buf_printf(out, "# HELP ambit_%s %s\n# TYPE ambit_%s gauge\nambit_%s %llu\n", name, help, name,
               name, (unsigned long long)v);
}

static void counter(struct buf *out, const char *name, const char *label, uint64_t v)
{
    buf_printf(out, "ambit_%s{%s} %llu\n", name, label, (unsigned long long)v);
}

void core_metrics(struct core *c, struct buf *out)
{
    const struct gate_counts *n = &c->gate.counts;
    struct store_stats stats;
    store_stats(c->gate.store, &stats);
    buf_put(out,
            S("# HELP ambit_calls_total Calls by decision.\n# TYPE ambit_calls_total counter\n"));
    counter(out, "calls_total", "decision=\"allow\"", n->allowed);
    counter(out, "calls_total", "decision=\"hold\"", n->held);
    counter(out, "calls_total", "decision=\"deny\"", n->denied);
    counter(out, "calls_total", "decision=\"input\"", n->refused_input);
    counter(out, "calls_total", "decision=\"unauthenticated\"", n->unauthenticated);
    buf_put(
        out,
        S("# HELP ambit_outcomes_total Outcomes of calls.\n# TYPE ambit_outcomes_total counter\n"));
    for (unsigned o = OUTCOME_OK; o < OUTCOME_COUNT; o++)
        buf_printf(out, "ambit_outcomes_total{status=\"%s\"} %llu\n", outcome_name((enum outcome)o),
                   (unsigned long long)n->outcomes[o]);
    gauge(out, "tasks", "Tasks in memory.", map_count(&c->gate.tasks.by_id));
    gauge(out, "calls_in_flight", "Calls released and not settled.", map_count(&c->gate.live));
    gauge(out, "ledger_leaves", "Leaves in the ledger.", store_size(c->gate.store));
    gauge(out, "ledger_published", "Leaves under the last published checkpoint.", c->log.published);
    gauge(out, "store_groups", "Commits so far.", stats.groups);
    gauge(out, "store_transactions", "Transactions committed so far.", stats.txns);
    gauge(out, "store_group_largest", "Transactions in the largest commit.", stats.group_largest);
}

void core_status(void *ctx, struct jw *w)
{
    struct core *c = ctx;
    jw_ki64(w, S("ledgerPublished"), (int64_t)c->log.published);
    jw_kstr(w, S("ledgerProblem"), buf_str(&c->log.problem));
    jw_kstr(w, S("policy"), policy_digest(c->gate.policy));
    jw_kbool(w, S("keeper"), c->keeper != NULL);
    jw_kbool(w, S("runner"), c->runner != NULL);
    jw_key(w, S("bindings"));
    jw_obj(w);
    for (size_t i = 0; i < c->env->conf.bindings_n; i++) {
        str name = c->env->conf.bindings[i].name;
        if (c->env->conf.bindings[i].kind != BINDING_INTERNAL)
            jw_kbool(w, name, map_get(&c->catalogs, name) != NULL);
    }
    jw_end_obj(w);
}
