/* All leaves are written by one table: the fields of all types in canonical order, of which a
 * record sets some. So the order is right by construction, and a field means the same in every
 * type. */
#include "ledger/record.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/rand.h"
#include "crypto/hash.h"

struct number {
    bool set;
    int64_t v;
};
#define NUM(n) ((struct number){true, (n)})

struct list_of {
    const str *p;
    size_t n;
};

/* A record in the making. Empty strs, unset numbers and empty lists are left out. */
struct fields {
    str acr, after, agent, amr, approval, approver, args, assertion, before, binding, by, call,
        child, child_agent, config, decision, digest, effect, gateway, grants, hold, instance, key,
        kind, method, name, owner, policy, purpose, reason, receipt, request, result, software,
        state, status, task, tool, type;
    struct number authenticated, budget_left, bytes, calls, committed_us, deadline, expires,
        first_us, latency_us, policy_version, recovered, released_us, time, upstream_us, version;
    struct list_of delegators, parents, policies;
};

enum kind { TEXT, NUMBER, TIME, LIST };

static const struct {
    str key;
    enum kind kind;
    size_t at;
} TABLE[] = {
#define F(kind, name, member)                                                                      \
    {                                                                                              \
        S("\"" name "\":"), kind, offsetof(struct fields, member)                                  \
    }
    F(TEXT, "acr", acr),
    F(TEXT, "after", after),
    F(TEXT, "agent", agent),
    F(TEXT, "amr", amr),
    F(TEXT, "approval", approval),
    F(TEXT, "approver", approver),
    F(TEXT, "args", args),
    F(TEXT, "assertion", assertion),
    F(TIME, "authenticated", authenticated),
    F(TEXT, "before", before),
    F(TEXT, "binding", binding),
    F(NUMBER, "budget_left", budget_left),
    F(TEXT, "by", by),
    F(NUMBER, "bytes", bytes),
    F(TEXT, "call", call),
    F(NUMBER, "calls", calls),
    F(TEXT, "child", child),
    F(TEXT, "child_agent", child_agent),
    F(NUMBER, "committed_us", committed_us),
    F(TEXT, "config", config),
    F(TIME, "deadline", deadline),
    F(TEXT, "decision", decision),
    F(LIST, "delegators", delegators),
    F(TEXT, "digest", digest),
    F(TEXT, "effect", effect),
    F(TIME, "expires", expires),
    F(NUMBER, "first_us", first_us),
    F(TEXT, "gateway", gateway),
    F(TEXT, "grants", grants),
    F(TEXT, "hold", hold),
    F(TEXT, "instance", instance),
    F(TEXT, "key", key),
    F(TEXT, "kind", kind),
    F(NUMBER, "latency_us", latency_us),
    F(TEXT, "method", method),
    F(TEXT, "name", name),
    F(TEXT, "owner", owner),
    F(LIST, "parents", parents),
    F(LIST, "policies", policies),
    F(TEXT, "policy", policy),
    F(NUMBER, "policy_version", policy_version),
    F(TEXT, "purpose", purpose),
    F(TEXT, "reason", reason),
    F(TEXT, "receipt", receipt),
    F(NUMBER, "recovered", recovered),
    F(NUMBER, "released_us", released_us),
    F(TEXT, "request", request),
    F(TEXT, "result", result),
    F(TEXT, "software", software),
    F(TEXT, "state", state),
    F(TEXT, "status", status),
    F(TEXT, "task", task),
    F(TIME, "time", time),
    F(TEXT, "tool", tool),
    F(TEXT, "type", type),
    F(NUMBER, "upstream_us", upstream_us),
    F(NUMBER, "v", version),
#undef F
};

/* ---- writing ---- */

static void put_list(struct buf *out, const struct list_of *l)
{
    for (size_t i = 0; i < l->n; i++) {
        buf_putc(out, i ? ',' : '[');
        json_write_str(out, l->p[i]);
    }
    buf_putc(out, ']');
}

static void put_time(struct buf *out, int64_t ms)
{
    char text[CLOCK_TEXT_SIZE];
    buf_putc(out, '"');
    buf_put(out, clock_text(ms, text));
    buf_putc(out, '"');
}

static bool is_set(enum kind kind, const void *p)
{
    switch (kind) {
    case TEXT:
        return ((const str *)p)->n != 0;
    case LIST:
        return ((const struct list_of *)p)->n != 0;
    case NUMBER:
    case TIME:
    default:
        return ((const struct number *)p)->set;
    }
}

static void put_value(struct buf *out, enum kind kind, const void *p)
{
    switch (kind) {
    case TEXT:
        json_write_str(out, *(const str *)p);
        break;
    case LIST:
        put_list(out, p);
        break;
    case TIME:
        put_time(out, ((const struct number *)p)->v);
        break;
    case NUMBER:
    default:
        buf_i64(out, ((const struct number *)p)->v);
    }
}

static str put(struct buf *out, str type, int64_t time_ms, struct fields *f)
{
    f->type = type;
    f->time = NUM(time_ms);
    f->version = NUM(RECORD_VERSION);
    buf_clear(out);
    char before = '{';
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        const void *p = (const char *)f + TABLE[i].at;
        if (!is_set(TABLE[i].kind, p))
            continue;
        buf_putc(out, before);
        before = ',';
        buf_put(out, TABLE[i].key);
        put_value(out, TABLE[i].kind, p);
    }
    buf_putc(out, '}');
    return out->over ? (str){0} : buf_str(out);
}

/* ---- parts that several types have ---- */

static void set_chain(struct fields *f, const struct record_chain *c)
{
    f->task = c->task;
    f->parents = (struct list_of){c->parents, c->parents_n};
    if (c->delegators)
        f->delegators = (struct list_of){c->delegators, c->parents_n};
    f->owner = c->owner;
    f->agent = c->agent;
    f->instance = c->instance;
    f->gateway = c->gateway;
}

static void set_timings(struct fields *f, const struct record_timings *t)
{
    const struct {
        struct number *to;
        int64_t us;
    } all[] = {{&f->committed_us, t->committed_us},
               {&f->released_us, t->released_us},
               {&f->first_us, t->first_us},
               {&f->upstream_us, t->upstream_us}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].us > 0)
            *all[i].to = NUM(all[i].us);
}

static void set_operation(struct fields *f, const struct record_operation *o)
{
    f->binding = o->binding;
    f->tool = o->tool;
    f->effect = o->effect;
}

static void set_policy(struct fields *f, const struct record_policy *p)
{
    f->policy = p->digest;
    f->policies = (struct list_of){p->ids, p->ids_n};
    if (p->digest.n || p->ids_n)
        f->policy_version = NUM(p->version);
}

/* ---- calls ---- */

str record_intent(struct buf *out, const struct record_intent *r)
{
    struct fields f = {.call = r->call,
                       .decision = S("allow"),
                       .args = r->args,
                       .approval = r->approval,
                       .approver = r->approver,
                       .budget_left = NUM(r->budget_left)};
    set_chain(&f, &r->chain);
    set_operation(&f, &r->op);
    set_policy(&f, &r->policy);
    return put(out, S("intent"), r->time_ms, &f);
}

str record_status_name(enum record_status s)
{
    static const str NAMES[] = {[RECORD_UNKNOWN] = S("unknown"),
                                [RECORD_OK] = S("ok"),
                                [RECORD_UPSTREAM_ERROR] = S("upstream_error"),
                                [RECORD_REFUSED] = S("refused"),
                                [RECORD_NOT_SENT] = S("not_sent")};
    return (unsigned)s < sizeof NAMES / sizeof NAMES[0] ? NAMES[s] : NAMES[RECORD_UNKNOWN];
}

str record_outcome(struct buf *out, const struct record_outcome *r)
{
    struct fields f = {.call = r->call,
                       .status = record_status_name(r->status),
                       .latency_us = NUM(r->latency_us),
                       .bytes = NUM(r->bytes),
                       .result = r->result,
                       .reason = r->reason};
    set_chain(&f, &r->chain);
    set_operation(&f, &r->op);
    set_timings(&f, &r->timings);
    return put(out, S("outcome"), r->time_ms, &f);
}

str record_refusal(struct buf *out, const struct record_refusal *r)
{
    struct fields f = {
        .call = r->call, .decision = S("deny"), .args = r->args, .reason = r->reason};
    set_chain(&f, &r->chain);
    set_operation(&f, &r->op);
    set_policy(&f, &r->policy);
    return put(out, S("refusal"), r->time_ms, &f);
}

/* ---- tasks ---- */

str record_task_open(struct buf *out, const struct record_task_open *r)
{
    struct fields f = {.grants = r->grants,
                       .deadline = NUM(r->deadline_ms),
                       .calls = NUM(r->calls),
                       .by = r->opened_by,
                       .state = r->state,
                       .purpose = r->purpose};
    set_chain(&f, &r->chain);
    return put(out, S("task_open"), r->time_ms, &f);
}

str record_task_close(struct buf *out, const struct record_task_close *r)
{
    struct fields f = {.state = r->state,
                       .reason = r->reason,
                       .by = r->closed_by,
                       .budget_left = NUM(r->calls_left)};
    set_chain(&f, &r->chain);
    return put(out, S("task_close"), r->time_ms, &f);
}

str record_task_change(struct buf *out, const struct record_task_change *r)
{
    struct fields f = {.state = r->state, .by = r->by, .reason = r->reason};
    if (r->deadline_ms)
        f.deadline = NUM(r->deadline_ms);
    set_chain(&f, &r->chain);
    return put(out, S("task_change"), r->time_ms, &f);
}

str record_agent_change(struct buf *out, const struct record_agent_change *r)
{
    struct fields f = {.agent = r->agent, .state = r->state, .by = r->by, .reason = r->reason};
    return put(out, S("agent_change"), r->time_ms, &f);
}

str record_identity_change(struct buf *out, const struct record_identity_change *r)
{
    struct fields f = {
        .kind = r->kind, .name = r->name, .before = r->before, .state = r->state, .by = r->by};
    return put(out, S("identity_change"), r->time_ms, &f);
}

str record_shared_use(struct buf *out, const struct record_shared_use *r)
{
    struct fields f = {.agent = r->agent, .owner = r->owner, .reason = r->reason};
    return put(out, S("shared_use"), r->time_ms, &f);
}

str record_delegation(struct buf *out, const struct record_delegation *r)
{
    struct fields f = {.child = r->child,
                       .child_agent = r->child_agent,
                       .grants = r->grants,
                       .deadline = NUM(r->deadline_ms),
                       .calls = NUM(r->calls)};
    set_chain(&f, &r->chain);
    return put(out, S("delegation"), r->time_ms, &f);
}

/* ---- holds ---- */

str record_hold_open(struct buf *out, const struct record_hold_open *r)
{
    struct fields f = {.hold = r->hold,
                       .call = r->call,
                       .decision = S("hold"),
                       .args = r->args,
                       .digest = r->digest,
                       .expires = NUM(r->expires_ms)};
    set_chain(&f, &r->chain);
    set_operation(&f, &r->op);
    set_policy(&f, &r->policy);
    return put(out, S("hold_open"), r->time_ms, &f);
}

static str put_decision(struct buf *out, str type, const struct record_decision *r)
{
    struct fields f = {.hold = r->hold,
                       .call = r->call,
                       .task = r->task,
                       .approver = r->approver,
                       .method = r->method,
                       .digest = r->digest,
                       .assertion = r->assertion,
                       .reason = r->reason,
                       .state = r->state};
    set_policy(&f, &r->policy);
    return put(out, type, r->time_ms, &f);
}

str record_approval(struct buf *out, const struct record_decision *r)
{
    return put_decision(out, S("approval"), r);
}

str record_denial(struct buf *out, const struct record_decision *r)
{
    return put_decision(out, S("denial"), r);
}

/* ---- what widens reach, and the gateway itself ---- */

str record_pin_change(struct buf *out, const struct record_pin_change *r)
{
    struct fields f = {.binding = r->binding,
                       .tool = r->tool,
                       .before = r->before,
                       .after = r->after,
                       .state = r->state,
                       .by = r->by};
    return put(out, S("pin_change"), r->time_ms, &f);
}

str record_policy_load(struct buf *out, const struct record_policy_load *r)
{
    struct fields f = {
        .policy = r->digest, .policy_version = NUM(r->version), .before = r->before, .by = r->by};
    return put(out, S("policy_load"), r->time_ms, &f);
}

str record_operator_change(struct buf *out, const struct record_operator_change *r)
{
    struct fields f = {.name = r->name, .key = r->key, .state = r->state, .by = r->by};
    return put(out, S("operator_change"), r->time_ms, &f);
}

str record_person_event(struct buf *out, const struct record_person_event *r)
{
    struct fields f = {.name = r->name,
                       .state = r->state,
                       .method = r->method,
                       .key = r->key,
                       .by = r->by,
                       .reason = r->reason};
    return put(out, S("person_event"), r->time_ms, &f);
}

str record_consent(struct buf *out, const struct record_consent *r)
{
    struct fields f = {.request = r->id,
                       .owner = r->owner,
                       .agent = r->agent,
                       .decision = r->decision,
                       .method = r->method,
                       .digest = r->digest,
                       .assertion = r->assertion,
                       .amr = r->amr,
                       .acr = r->acr};
    if (r->auth_ms)
        f.authenticated = NUM(r->auth_ms);
    if (r->policy.digest.n || r->policy.ids_n)
        set_policy(&f, &r->policy);
    return put(out, S("consent"), r->time_ms, &f);
}

str record_secret_set(struct buf *out, const struct record_secret_set *r)
{
    struct fields f = {.name = r->name, .by = r->by};
    return put(out, S("secret_set"), r->time_ms, &f);
}

str record_start(struct buf *out, const struct record_start *r)
{
    struct fields f = {.software = r->software,
                       .config = r->config,
                       .gateway = r->gateway,
                       .recovered = NUM(r->recovered)};
    return put(out, S("start"), r->time_ms, &f);
}

/* ---- commitments ---- */

static void put_hash(const struct hash *h, struct record_commitment *out)
{
    struct buf b = {.max = RECORD_DIGEST_TEXT};
    base64url_encode(&b, hash_str(h));
    memcpy(out->text, buf_str(&b).p, RECORD_DIGEST_TEXT);
    out->text[RECORD_DIGEST_TEXT] = 0;
    buf_fini(&b);
}

void record_commit_with(str salt, str bytes, struct record_commitment *out)
{
    const str parts[] = {salt, bytes};
    struct hash h = sha256_parts(parts, 2);
    put_hash(&h, out);
}

void record_commit(str bytes, uint8_t out_salt[RECORD_SALT_BYTES], struct record_commitment *out)
{
    rand_salt(out_salt, RECORD_SALT_BYTES);
    record_commit_with(str_of((char *)out_salt, RECORD_SALT_BYTES), bytes, out);
}

void record_digest(str bytes, struct record_commitment *out)
{
    struct hash h = sha256(bytes);
    put_hash(&h, out);
}

/* ---- revocation ---- */

str record_revocation(struct buf *out, const struct record_revocation *r)
{
    struct fields f = {
        .receipt = r->receipt, .kind = r->kind, .name = r->name, .by = r->by, .reason = r->reason};
    return put(out, S("revocation"), r->time_ms, &f);
}

str record_receipt(struct buf *out, const struct record_receipt *r)
{
    struct fields f = {
        .receipt = r->receipt, .task = r->task, .digest = r->digest, .status = r->status};
    return put(out, S("receipt"), r->time_ms, &f);
}
