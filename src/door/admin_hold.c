/* Holds on the control door: what waits, exactly what would be sent, and the decision. */
#include "door/admin_int.h"
#include "call/request.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"

#include <stdlib.h>

/* What a signer of the decision signs. */
static void write_statements(struct jw *w, const struct hold *h)
{
    struct buf text = {0};
    jw_key(w, S("statements"));
    jw_obj(w);
    admin_decision_message(id_str(&h->id), &h->digest, true, &text);
    jw_kstr(w, S("approve"), buf_str(&text));
    buf_clear(&text);
    admin_decision_message(id_str(&h->id), &h->digest, false, &text);
    jw_kstr(w, S("deny"), buf_str(&text));
    jw_end_obj(w);
    buf_fini(&text);
}

static void write_hold(struct jw *w, struct arena *a, const struct hold *h, int64_t now_ms)
{
    char created[CLOCK_TEXT_SIZE], expires[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_kstr(w, S("hold"), id_str(&h->id));
    jw_kstr(w, S("call"), id_str(&h->call));
    jw_kstr(w, S("task"), id_str(&h->task));
    jw_kstr(w, S("state"), hold_state_name(hold_state_at(h, now_ms)));
    jw_kstr(w, S("owner"), h->owner);
    jw_kstr(w, S("agent"), h->agent);
    jw_kstr(w, S("purpose"), h->purpose);
    jw_kstr(w, S("binding"), h->binding);
    jw_kstr(w, S("tool"), h->tool);
    jw_kstr(w, S("effect"), h->effect);
    /* As text: what the approver sees is byte for byte what is digested. */
    jw_kstr(w, S("arguments"), h->args);
    jw_kstr(w, S("digest"), hex_dup(a, hash_str(&h->digest)));
    jw_key(w, S("policies"));
    jw_raw(w, h->policies.n ? h->policies : S("[]"));
    write_statements(w, h);
    jw_kstr(w, S("created"), clock_text(h->created_ms, created));
    jw_kstr(w, S("expires"), clock_text(h->expires_ms, expires));
    if (h->approver.n)
        jw_kstr(w, S("approver"), h->approver);
    jw_end_obj(w);
}

void on_hold_list(struct request *r)
{
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    bool all = json_bool(json_get(r->params, S("all")));
    jw_obj(&w);
    jw_key(&w, S("holds"));
    jw_arr(&w);
    for (struct list *it = r->g->holds.all.next; it != &r->g->holds.all; it = it->next) {
        const struct hold *h = LIST_ENTRY(it, struct hold, node);
        if (all || hold_state_at(h, r->now_ms) == HOLD_PENDING)
            write_hold(&w, r->a, h, r->now_ms);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

static struct hold *named_hold(struct request *r, struct err *err)
{
    str id;
    if (!param_str(r, S("hold"), &id, err))
        return NULL;
    struct hold *h = holds_find(&r->g->holds, id);
    if (!h)
        err_notfound(err, "there is no hold %.*s; `ambit hold list` shows what waits",
                     STR(str_take(id, 40)));
    return h;
}

void on_hold_show(struct request *r)
{
    struct err err;
    struct hold *h = named_hold(r, &err);
    if (!h) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {0};
    struct jw w = jw(&b);
    write_hold(&w, r->a, h, r->now_ms);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

/* ---- deciding ---- */

struct deciding {
    struct later *later;
    char hold[ID_SIZE];
    const struct conf_person *person;
    bool approve;
    bool counted; /* one of several approvals; more must come */
    str method;   /* a literal */
    struct passkey_use use;
    int64_t now_ms;
};

static void on_decided(void *arg, const struct store_result *res)
{
    struct deciding *d = arg;
    struct hold *h = holds_find(&d->later->ad->g->holds, str_z(d->hold));
    if (res->outcome == STORE_COMMITTED && h) {
        struct buf b = {0};
        struct jw w = jw(&b);
        if (!d->counted)
            h->state = d->approve ? HOLD_APPROVED : HOLD_DENIED;
        if (d->approve && h->approvers_n < HOLD_APPROVERS_MAX)
            h->approvers[h->approvers_n++] = d->person->name;
        h->approver = d->person->name;
        h->method = d->method;
        passkey_used(&d->later->ad->g->people, &d->use, d->now_ms);
        h->decided_ms = d->counted ? 0 : d->now_ms;
        if (gate_hold_is_request(h))
            gate_consented(d->later->ad->g, h, d->approve, d->now_ms);
        jw_obj(&w);
        jw_kstr(&w, S("hold"), str_z(d->hold));
        jw_kstr(&w, S("state"), hold_state_name(h->state));
        jw_kstr(&w, S("by"), d->person->name);
        jw_ki64(&w, S("approvals"), (int64_t)h->approvers_n);
        jw_end_obj(&w);
        later_text(d->later, buf_str(&b));
        buf_fini(&b);
    } else {
        later_error(d->later, res->outcome == STORE_FAILED ? "system" : "denied",
                    res->outcome == STORE_FAILED
                        ? S("the decision could not be recorded, so it does not count")
                        : S("the hold was decided, cancelled or expired meanwhile"));
    }
    free(d->later);
    free(d);
}

static bool check_signature(struct request *r, const struct hold *h, bool approve,
                            struct signed_decision *out, struct err *err)
{
    struct buf statement = {0};
    admin_decision_message(id_str(&h->id), &h->digest, approve, &statement);
    bool ok = decision_signed(r, str_dup(r->a, buf_str(&statement)), out, err);
    buf_fini(&statement);
    return ok || err_in(err, "hold %s", h->id.s);
}

/* A call is approved; a task that an agent asks for is consented to. */
static bool ask_policies(struct request *r, const struct hold *h, struct verdict *v,
                         struct err *err)
{
    str method = r->peer->portal ? S("passkey") : asker_method(r);
    struct policy_person who = {r->peer->person->name, r->peer->roles, method};
    if (gate_hold_is_request(h))
        return gate_may_consent(r->g, &who, h, r->now_ms, r->a, v, err);
    return policy_may_approve(r->g->policy, r->g->conf, r->peer->person, method, h, r->now_ms, r->a,
                              v, err);
}

static bool may_decide(struct request *r, const struct hold *h, struct verdict *v, struct err *err)
{
    if (!r->peer->person)
        return err_denied(
            err,
            "uid %lld is no person that the configuration knows; log in with --as NAME --key FILE",
            (long long)r->peer->uid);
    if (hold_state_at(h, r->now_ms) != HOLD_PENDING)
        return err_input(err, "hold %s is %.*s already", h->id.s,
                         STR(hold_state_name(hold_state_at(h, r->now_ms))));
    if (!ask_policies(r, h, v, err))
        return false;
    if (v->decision == DECISION_ALLOW)
        return true;
    struct buf ids = {0};
    for (size_t i = 0; i < v->policies_n; i++)
        buf_printf(&ids, "%s%.*s", i ? ", " : "", STR(v->policies[i]));
    err_denied(err, "%.*s may not decide this hold: %.*s", STR(r->peer->person->name),
               STR(v->policies_n ? buf_str(&ids)
                                 : S("no policy permits it (action \"approve\" or \"consent\")")));
    buf_fini(&ids);
    return false;
}

/* Is this approval enough? A denial, and a consent, always are. */
static bool weigh(struct request *r, const struct hold *h, bool approve, enum decision *out,
                  struct err *err)
{
    *out = DECISION_ALLOW;
    if (!approve || gate_hold_is_request(h))
        return true;
    if (hold_counts(h, r->peer->person->name))
        return err_input(err, "%.*s has approved hold %s already; it takes somebody else",
                         STR(r->peer->person->name), h->id.s);
    return gate_weigh_approvals(r->g, h, r->peer->person->name, r->now_ms, r->a, out, err);
}

static str approvers_text(struct request *r, const struct hold *h, str one_more)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_arr(&w);
    for (size_t i = 0; i < h->approvers_n; i++)
        jw_str(&w, h->approvers[i]);
    if (one_more.n)
        jw_str(&w, one_more);
    jw_end_arr(&w);
    str s = str_dup(r->a, buf_str(&b));
    buf_fini(&b);
    return s;
}

/* The guard of the first step has the last word on who was first. */
static void add_decision(struct request *r, struct store_txn *t, const struct hold *h, bool approve,
                         bool counted)
{
    str name = r->peer->person->name, before = approvers_text(r, h, (str){0});
    if (approve)
        store_hold_count(t, id_str(&h->id), approvers_text(r, h, name), before, r->now_ms);
    if (!counted)
        store_hold_decide(t, id_str(&h->id), approve ? S("approved") : S("denied"), name,
                          r->now_ms);
}

/* What was signed is kept under the hold; of one of several, under it and a number. */
static str evidence_id(struct request *r, const struct hold *h, bool counted)
{
    return counted ? str_fmt(r->a, "%s#%zu", h->id.s, h->approvers_n + 1) : id_str(&h->id);
}

static void decide(struct request *r, bool approve)
{
    struct err err;
    struct verdict v = {0};
    struct signed_decision signed_by = {0};
    struct hold *h = named_hold(r, &err);
    enum decision weight;
    if (!h || !may_decide(r, h, &v, &err) || !weigh(r, h, approve, &weight, &err) ||
        !check_signature(r, h, approve, &signed_by, &err)) {
        answer_error(r, &err);
        return;
    }
    str digest = gate_hold_digest(r->g, r->a, h);
    if (!digest.n) {
        err_system(&err, "what the hold covers cannot be read back from the store");
        answer_error(r, &err);
        return;
    }
    struct deciding *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    *d = (struct deciding){.later = later_new(r, NULL),
                           .person = r->peer->person,
                           .approve = approve,
                           .counted = weight == DECISION_HOLD,
                           .method = signed_by.method,
                           .now_ms = r->now_ms};
    memcpy(d->hold, h->id.s, sizeof d->hold);
    if (signed_by.by_passkey)
        passkey_use_of(&d->use, signed_by.evidence.assertion.credential, signed_by.counter);
    struct record_decision rec = {.time_ms = r->now_ms,
                                  .hold = id_str(&h->id),
                                  .call = id_str(&h->call),
                                  .task = id_str(&h->task),
                                  .approver = r->peer->person->name,
                                  .method = signed_by.method,
                                  .digest = digest,
                                  .assertion = signed_by.signature,
                                  .policy = gate_policy(r->g, &v),
                                  .reason = approve ? (str){0} : S("denied")};
    if (weight == DECISION_HOLD)
        rec.state = S("counted");
    struct store_txn *t = store_txn_new(r->g->store);
    add_decision(r, t, h, approve, d->counted);
    decision_keep(r, t, evidence_id(r, h, d->counted), &signed_by);
    if (gate_hold_is_request(h))
        gate_add_consent(r->g, t, h, approve, rec.approver, r->now_ms);
    store_leaf(
        t, approve ? record_approval(&r->g->scratch, &rec) : record_denial(&r->g->scratch, &rec),
        id_str(&h->call), id_str(&h->task));
    gate_submit(r->g, t, on_decided, d);
}

void on_hold_approve(struct request *r)
{
    decide(r, true);
}

void on_hold_deny(struct request *r)
{
    decide(r, false);
}
