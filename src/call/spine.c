/* The spine for one tools/call: resolve, decide, record, release. Every path ends in exactly one
 * answer to the edge, and every path after identification leaves a record. */
#include "call/gate_int.h"
#include "call/lease.h"
#include "base/clock.h"
#include "base/limits.h"
#include "call/request.h"
#include "crypto/digest.h"

#include <stdio.h>
#include <stdlib.h>

/* One request while it is judged; what outlives this function is copied into a live_call or a hold.
 */
struct work {
    struct gate *g;
    uint32_t edge;
    uint64_t request;
    const struct msg_call *m;
    struct arena *a;
    int64_t now_ms;
    struct id id;
    struct caller caller;
    struct catalog_tool *tool;
    const json *args;
    struct hash digest;
    struct task_cost cost;
    struct hold *approval; /* to be consumed, or NULL */
    struct verdict verdict;
};

/* ---- answers ---- */

static void answer_refused(struct gate *g, uint32_t edge, uint64_t request, const struct id *call,
                           enum refusal_kind kind, str text, str policies, const struct hold *hold)
{
    struct msg_refused no = {.call = call ? id_str(call) : (str){0},
                             .kind = (uint8_t)kind,
                             .text = str_take(text, 4000),
                             .policies = policies.n ? policies : S("[]"),
                             .hold = hold ? id_str(&hold->id) : (str){0},
                             .expires_ms = hold ? hold->expires_ms : 0};
    g->out.to_edge(g->out.ctx, edge, MSG_REFUSED, request, &no);
}

static str policies_json(struct arena *a, const struct verdict *v)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_arr(&w);
    for (size_t i = 0; i < v->policies_n; i++)
        jw_str(&w, v->policies[i]);
    jw_end_arr(&w);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static struct record_operation operation_of(const struct work *w)
{
    if (w->tool)
        return (struct record_operation){w->tool->binding, w->tool->tool,
                                         effect_name(catalog_effect(w->tool))};
    return (struct record_operation){.binding =
                                         w->m->proof.endpoint.n ? w->m->proof.endpoint : S("?"),
                                     .tool = str_take(w->m->tool, 128),
                                     .effect = S("admin")};
}

static str refusal_leaf(struct work *w, str reason)
{
    struct record_refusal r = {.time_ms = w->now_ms,
                               .call = id_str(&w->id),
                               .chain = gate_chain(w->g, w->a, w->caller.task, w->caller.instance),
                               .op = operation_of(w),
                               .policy = gate_policy(w->g, &w->verdict),
                               .reason = reason};
    return record_refusal(&w->g->scratch, &r);
}

/* Recorded (queued) and answered. */
static void refuse(struct work *w, enum refusal_kind kind, str reason, str text)
{
    struct store_txn *t = store_txn_new(w->g->store);
    store_leaf(t, refusal_leaf(w, reason), id_str(&w->id), id_str(&w->caller.task->id));
    gate_submit(w->g, t, NULL, NULL);
    answer_refused(w->g, w->edge, w->request, &w->id, kind, text, policies_json(w->a, &w->verdict),
                   NULL);
    if (kind == REFUSAL_DENIED)
        w->g->counts.denied++;
    else
        w->g->counts.refused_input++;
}

/* ---- resolve ---- */

static bool resolve(struct work *w)
{
    struct err err;
    struct json_limits limits = {.bytes_max = HTTP_BODY_BYTES_MAX,
                                 .depth_max = JSON_DEPTH_MAX,
                                 .values_max = JSON_VALUES_MAX};
    w->tool = catalog_find(&w->g->catalog, w->a, w->m->proof.endpoint, w->m->tool);
    if (!w->tool) {
        refuse(
            w, REFUSAL_UNKNOWN_TOOL, S("unknown_tool"),
            str_fmt(w->a,
                    "There is no tool \"%.*s\" here. List the tools to see what this task may use.",
                    STR(str_take(w->m->tool, 64))));
        return false;
    }
    if (w->tool->state != PIN_CURRENT) {
        refuse(
            w, REFUSAL_DENIED, S("unreviewed"),
            str_fmt(
                w->a,
                "The definition of %.*s changed since it was reviewed, so it cannot be called. A "
                "reviewer can compare and accept it: ambit pin show %.*s",
                STR(w->tool->operation), STR(w->tool->operation)));
        return false;
    }
    if (!json_read(w->a, w->m->args, &limits, &w->args, &err) ||
        json_type(w->args) != JSON_OBJECT ||
        !mcp_arguments_check(w->tool->def.input_schema, w->args, &err)) {
        refuse(w, REFUSAL_INPUT, S("arguments"),
               str_fmt(w->a, "Wrong arguments for %.*s: %s. Nothing was sent.",
                       STR(w->tool->operation), err.text));
        return false;
    }
    struct buf canonical = {0};
    json_write_canonical(&canonical, w->args);
    bool same = str_eq(buf_str(&canonical), w->m->args);
    buf_fini(&canonical);
    if (!same) {
        refuse(w, REFUSAL_INPUT, S("arguments"),
               S("The arguments did not arrive in canonical form."));
        return false;
    }
    w->digest =
        call_digest(id_str(&w->caller.task->id), w->tool->binding, w->tool->tool, w->m->args);
    return true;
}

/* A token may have been exchanged for less than its task has (RFC 8693). */
static bool within_token(struct work *w)
{
    if (caller_may_use(&w->caller, w->tool->operation))
        return true;
    refuse(w, REFUSAL_DENIED, S("token"),
           str_fmt(w->a,
                   "This token was exchanged for fewer operations than its task has, without "
                   "%.*s. Nothing was sent. Use the task's own token.",
                   STR(w->tool->operation)));
    return false;
}

/* ---- decide ---- */

static str advice_of(struct work *w, const char *lead)
{
    struct buf b = {0};
    buf_put(&b, str_z(lead));
    if (w->verdict.policies_n) {
        buf_put(&b, S(" Determined by:"));
        for (size_t i = 0; i < w->verdict.policies_n; i++)
            buf_printf(&b, "%s %.*s", i ? "," : "", STR(w->verdict.policies[i]));
        buf_putc(&b, '.');
    } else {
        buf_put(&b, S(" No policy permits it."));
    }
    if (w->verdict.advice.n) {
        buf_putc(&b, ' ');
        buf_put(&b, w->verdict.advice);
    }
    str s = str_dup(w->a, buf_str(&b));
    buf_fini(&b);
    return s;
}

/* The approval that this call means: the one it names, else one for exactly this call. */
static bool find_approval(struct work *w)
{
    struct err err;
    const struct id *task = &w->caller.task->id;
    if (w->m->approval.n) {
        struct hold *h = holds_find(&w->g->holds, w->m->approval);
        if (!h)
            err_denied(&err, "there is no approval %.*s", STR(str_take(w->m->approval, 32)));
        if (!h || !hold_usable(h, task, &w->digest, w->now_ms, &err)) {
            refuse(w, REFUSAL_DENIED, S("approval"),
                   str_fmt(w->a, "Refused: %s. Nothing was sent.", err.text));
            return false;
        }
        w->approval = h;
        return true;
    }
    struct hold *h = holds_match(&w->g->holds, task, &w->digest, w->now_ms);
    if (h && hold_state_at(h, w->now_ms) == HOLD_APPROVED)
        w->approval = h;
    return true;
}

static bool decide(struct work *w)
{
    struct err err;
    struct policy_call pc = {.conf = w->g->conf,
                             .task = w->caller.task,
                             .tool = w->tool,
                             .args = w->args,
                             .approval = w->approval,
                             .now_ms = w->now_ms};
    if (policy_decide(w->g->policy, &pc, w->a, &w->verdict, &err))
        return true;
    refuse(w, REFUSAL_INPUT, S("arguments"),
           str_fmt(w->a, "Wrong arguments for %.*s: %s. Nothing was sent.", STR(w->tool->operation),
                   err.text));
    return false;
}

/* ---- hold ---- */

struct held {
    struct gate *g;
    uint32_t edge;
    uint64_t request;
    struct hold *hold;
    struct id call;
    char text[700];
};

static void on_held(void *arg, const struct store_result *r)
{
    struct held *h = arg;
    if (r->outcome == STORE_COMMITTED) {
        answer_refused(h->g, h->edge, h->request, &h->call, REFUSAL_HELD, str_z(h->text),
                       h->hold->policies, h->hold);
    } else {
        answer_refused(h->g, h->edge, h->request, NULL, REFUSAL_UNAVAILABLE,
                       S("The hold could not be recorded; nothing was sent. Try again later."),
                       (str){0}, NULL);
        holds_drop(&h->g->holds, h->hold);
    }
    free(h);
}

static void held_text(struct held *h, const struct work *w)
{
    char until[CLOCK_TEXT_SIZE];
    snprintf(
        h->text, sizeof h->text,
        "Held for approval as %s: %.*s needs a person's approval of exactly these arguments. "
        "Nothing was sent. After someone entitled has approved it (ambit hold approve %s), make "
        "the same call again with the same arguments. It expires at %.*s.",
        h->hold->id.s, STR(w->tool->operation), h->hold->id.s,
        STR(clock_text(h->hold->expires_ms, until)));
}

static struct hold *new_hold(struct work *w)
{
    struct hold *h = hold_new();
    const struct task *t = w->caller.task;
    h->id = id_new('h');
    h->call = w->id;
    h->task = t->id;
    h->owner = str_dup(&h->arena, t->owner);
    h->agent = str_dup(&h->arena, t->agent);
    h->purpose = str_dup(&h->arena, t->purpose);
    h->opened_by = str_dup(&h->arena, t->opened_by);
    h->binding = str_dup(&h->arena, w->tool->binding);
    h->tool = str_dup(&h->arena, w->tool->tool);
    h->effect = effect_name(catalog_effect(w->tool));
    h->args = str_dup(&h->arena, w->m->args);
    h->policies = str_dup(&h->arena, policies_json(w->a, &w->verdict));
    h->digest = w->digest;
    h->state = HOLD_PENDING;
    h->created_ms = w->now_ms;
    h->expires_ms = w->now_ms + w->g->conf->hold_life_ms;
    if (h->expires_ms > t->deadline_ms)
        h->expires_ms = t->deadline_ms;
    return h;
}

static void hold(struct work *w)
{
    struct gate *g = w->g;
    struct hold *h = holds_match(&g->holds, &w->caller.task->id, &w->digest, w->now_ms);
    struct held *done = calloc(1, sizeof *done);
    if (!done)
        abort();
    *done = (struct held){.g = g, .edge = w->edge, .request = w->request, .hold = h};
    if (h) { /* the same call asked again while it waits: the same hold, and no second record */
        done->call = h->call;
        held_text(done, w);
        on_held(done, &(struct store_result){.outcome = STORE_COMMITTED});
        return;
    }
    if (holds_pending_of(&g->holds, &w->caller.task->id, w->now_ms) >= HOLDS_PER_TASK_MAX) {
        free(done);
        refuse(w, REFUSAL_DENIED, S("holds"),
               S("This task has too many calls waiting for approval. Wait for decisions first."));
        return;
    }
    h = new_hold(w);
    holds_add(&g->holds, h);
    done->hold = h;
    done->call = w->id;
    held_text(done, w);
    struct store_txn *t = store_txn_new(g->store);
    gate_add_hold(g, t, h, w->caller.task, w->caller.instance, &w->verdict);
    gate_submit(g, t, on_held, done);
    g->counts.held++;
}

/* ---- record and release ---- */

/* As identify.c asks it of every request. */
static bool may_go_on(const struct gate *g, const struct task *t, struct err *err)
{
    int64_t now_ms = clock_wall_ms();
    return (!g->agents.suspended || agents_may_all(&g->agents, t, err)) &&
           gate_check_revoked(g, t, (str){0}, (str){0}, now_ms, err) &&
           task_is_live(t, now_ms, err);
}

/* Closed or suspended while the commit or the signature was under way: what is not out yet stays
 * in. */
static bool may_go(struct gate *g, struct live_call *c)
{
    struct err err;
    if (!may_go_on(g, c->task, &err)) {
        answer_refused(g, c->edge, c->request, &c->id, REFUSAL_DENIED,
                       S("Refused: the task ended or its agent was suspended before the call was "
                         "sent. Nothing was sent."),
                       (str){0}, NULL);
        live_settle(g, c, OUTCOME_NOT_SENT, "task_ended");
        return false;
    }
    if (c->txn_state == TXN_FAILED) {
        answer_refused(g, c->edge, c->request, &c->id, REFUSAL_UNAVAILABLE,
                       S("The call's own token could not be signed. Nothing was sent. Try again."),
                       (str){0}, NULL);
        live_settle(g, c, OUTCOME_NOT_SENT, "not_signed");
        return false;
    }
    return true;
}

void live_release(struct gate *g, struct live_call *c, str args)
{
    if (txn_must_wait(c, args) || !may_go(g, c))
        return;
    struct vouchers v;
    int64_t now_ms = clock_wall_ms();
    const struct conf_binding *b = conf_binding(g->conf, c->binding);
    gate_vouchers(g, b, &c->id, id_str(&c->task->id), c->tool, args, now_ms, &v);
    struct msg_go go = {.call = id_str(&c->id),
                        .task = id_str(&c->task->id),
                        .binding = c->binding,
                        .tool = c->tool,
                        .voucher = str_of((const char *)v.keeper, v.keeper_n),
                        .run_voucher = str_of((const char *)v.runner, v.runner_n),
                        .answer_wait_ms = b->answer_wait_ms,
                        .txn = c->txn};
    c->released = true;
    c->released_us = clock_mono_us() - c->recorded_us;
    c->give_up_ms = now_ms + b->answer_wait_ms + 2 * CORE_WAIT_MS_MAX;
    if (g->out.to_edge(g->out.ctx, c->edge, MSG_GO, c->request, &go))
        return;
    c->released = false;
    live_settle(g, c, OUTCOME_NOT_SENT, "edge_lost");
}

/* The intent of a call that had to wait for it. */
struct waiting {
    struct gate *g;
    struct live_call *call;
    struct arena arena;
    str args;
    bool internal;
};

static void on_recorded(void *arg, const struct store_result *r)
{
    struct waiting *w = arg;
    struct live_call *c = w->call;
    c->committed_us = clock_mono_us() - c->recorded_us;
    if (r->outcome == STORE_COMMITTED && w->internal) {
        if (may_go(w->g, c))
            gate_run_internal(w->g, c, w->args);
    } else if (r->outcome == STORE_COMMITTED) {
        live_release(w->g, c, w->args);
    } else {
        str text =
            r->outcome == STORE_GUARDED
                ? S("Refused at the commit: the task ended, its calls ran out, or the approval was "
                    "used. "
                    "Nothing was sent.")
                : S("The intent could not be recorded, so nothing was sent. Try again later.");
        answer_refused(w->g, c->edge, c->request, &c->id,
                       r->outcome == STORE_GUARDED ? REFUSAL_DENIED : REFUSAL_UNAVAILABLE, text,
                       (str){0}, NULL);
        task_credit(c->task, &c->cost);
        live_drop(w->g, c);
    }
    arena_fini(&w->arena);
    free(w);
}

static struct live_call *new_live(struct work *w)
{
    struct live_call *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->id = w->id;
    c->task = w->caller.task;
    c->task->uses++;
    c->edge = w->edge;
    c->request = w->request;
    c->high = catalog_is_high_impact(w->tool);
    c->cost = w->cost;
    c->binding = w->tool->conf->name;
    c->tool = str_dup(&c->arena, w->tool->tool);
    c->effect = effect_name(catalog_effect(w->tool));
    c->recorded_us = clock_mono_us();
    c->give_up_ms = w->now_ms + w->tool->conf->answer_wait_ms + 2 * CORE_WAIT_MS_MAX;
    map_put(&w->g->live, id_str(&c->id), c);
    return c;
}

static void add_intent_steps(struct work *w, struct store_txn *t, const struct live_call *c)
{
    char hex[HASH_HEX_SIZE];
    uint8_t salt[RECORD_SALT_BYTES];
    struct record_commitment args;
    for (const struct task *at = c->task; at; at = at->parent)
        store_task_debit(t, id_str(&at->id), task_cost_for(at, &c->cost), w->now_ms);
    if (w->approval)
        store_hold_consume(t, id_str(&w->approval->id), id_str(&c->task->id),
                           hash_hex(&w->digest, hex), w->now_ms);
    store_open_call_insert(
        t, &(struct store_open_call){id_str(&c->id), id_str(&c->task->id), c->high});
    record_commit(w->m->args, salt, &args);
    store_payload_insert(t, STORE_MUST,
                         &(struct store_payload){
                             id_str(&c->id), str_of((const char *)salt, sizeof salt), w->m->args});
    struct record_intent r = {.time_ms = w->now_ms,
                              .call = id_str(&c->id),
                              .chain = gate_chain(w->g, w->a, c->task, w->caller.instance),
                              .op = operation_of(w),
                              .policy = gate_policy(w->g, &w->verdict),
                              .args = record_commitment_str(&args),
                              .approval = w->approval ? id_str(&w->approval->id) : (str){0},
                              .approver = w->approval ? w->approval->approver : (str){0},
                              .budget_left = c->task->calls_left};
    store_leaf(t, record_intent(&w->g->scratch, &r), id_str(&c->id), id_str(&c->task->id));
    store_leaf_on_guard(t, refusal_leaf(w, S("commit")), id_str(&c->id), id_str(&c->task->id));
}

/* Only reads go once their intent is queued, unless the binding says otherwise or they are
 * high-impact. All else waits for the commit: a write that needs no approval still needs its
 * record. */
static void allow(struct work *w)
{
    struct gate *g = w->g;
    struct live_call *c = new_live(w);
    bool internal = w->tool->conf->kind == BINDING_INTERNAL;
    bool queued_is_enough = catalog_effect(w->tool) == EFFECT_READ && !c->high &&
                            !w->tool->conf->durable_reads && !internal && !w->approval;
    task_debit(c->task, &c->cost);
    if (w->tool->conf->txn)
        txn_begin(g, c, w->m->args, w->caller.instance);
    lease_open(g, &c->task->id, w->tool->conf, w->now_ms); /* durable no later than the intent */
    if (w->approval)
        w->approval->state = HOLD_USED, w->approval->decided_ms = w->now_ms;
    struct store_txn *t = store_txn_new(g->store);
    add_intent_steps(w, t, c);
    g->counts.allowed++;
    if (queued_is_enough) {
        gate_submit(g, t, NULL, NULL);
        live_release(g, c, w->m->args);
        return;
    }
    struct waiting *wait = calloc(1, sizeof *wait);
    if (!wait)
        abort();
    *wait = (struct waiting){.g = g, .call = c, .internal = internal};
    wait->args = str_dup(&wait->arena, w->m->args);
    gate_submit(g, t, on_recorded, wait);
}

/* ---- the whole ---- */

/* The task's own bounds come before any policy: what it was not given, no policy gives. */
static bool admit(struct work *w)
{
    struct err err;
    if (task_admits(w->caller.task, w->tool->label, w->tool->operation, w->args, &w->cost, &err))
        return true;
    refuse(w, REFUSAL_DENIED, S("bounds"),
           str_fmt(w->a,
                   "Refused: %s. Nothing was sent. The task's owner %.*s can open one that allows "
                   "it.",
                   err.text, STR(w->caller.task->owner)));
    return false;
}

static void walk(struct work *w)
{
    struct err err;
    if (!resolve(w) || !within_token(w) || !admit(w) || !find_approval(w) || !decide(w))
        return;
    switch (w->verdict.decision) {
    case DECISION_ALLOW:
        if (!task_judge(w->caller.task, w->now_ms, &err))
            refuse(w, REFUSAL_DENIED, S("budget"), str_fmt(w->a, "Refused: %s.", err.text));
        else
            allow(w);
        return;
    case DECISION_HOLD:
        hold(w);
        return;
    case DECISION_DENY:
        break;
    }
    refuse(w, REFUSAL_DENIED, w->verdict.error ? S("policy_error") : S("policy"),
           advice_of(w, w->verdict.error ? "Denied: a policy could not be evaluated."
                                         : "Denied by policy."));
}

void gate_call(struct gate *g, uint32_t edge, uint64_t request, const struct msg_call *m)
{
    ARENA_SCOPE struct arena a = {0};
    struct work w = {.g = g,
                     .edge = edge,
                     .request = request,
                     .m = m,
                     .a = &a,
                     .now_ms = clock_wall_ms(),
                     .id = id_new('c')};
    enum refusal_kind kind;
    struct err err;
    const struct catalog_tool *tool = catalog_find(&g->catalog, &a, m->proof.endpoint, m->tool);
    if (tool && gate_is_taskless(tool)) {
        gate_call_taskless(g, edge, request, m, tool);
        return;
    }
    if (gate_identify(g, edge, &m->proof, w.now_ms, &w.caller, &kind, &err))
        walk(&w);
    else if (kind == REFUSAL_DENIED)
        refuse(&w, kind, S("task"), str_fmt(&a, "Refused: %s.", err.text));
    else
        gate_answer_unidentified(g, edge, request, kind, &w.caller, &err);
}
