/* What policies are asked besides calls: who may decide a hold, have a task, consent to one, close
 * or suspend. */
#include "call/policy_int.h"

static bool add_task(const struct policy_set *p, struct cedar_entities *s, struct arena *a, str id,
                     str owner, str agent, str purpose, str opened_by, struct err *err)
{
    struct cedar_uid *human = ARENA_NEW(a, struct cedar_uid);
    struct cedar_uid *actor = ARENA_NEW(a, struct cedar_uid);
    *human = (struct cedar_uid){S("Ambit::Human"), owner};
    *actor = (struct cedar_uid){S("Ambit::Agent"), agent};
    struct cedar_field fields[] = {{S("agent"), cedar_entity_value(actor)},
                                   {S("openedBy"), cedar_string(opened_by)},
                                   {S("owner"), cedar_entity_value(human)},
                                   {S("purpose"), cedar_string(purpose)}};
    return policy_add_entity(s, a, S("Ambit::Task"), id, fields, 4, NULL, 0, err);
}

static bool add_this_task(const struct policy_set *p, struct cedar_entities *s, struct arena *a,
                          const struct task *t, struct err *err)
{
    return add_task(p, s, a, id_str(&t->id), t->owner, t->agent, t->purpose, t->opened_by, err);
}

/* Somebody that the configuration does not name stands for itself. */
static bool add_person(const struct policy_set *p, struct cedar_entities *s, struct arena *a,
                       const struct policy_person *who, struct err *err)
{
    if (conf_person(p->conf, who->name))
        return true;
    struct cedar_field fields[] = {{S("name"), cedar_string(who->name)},
                                   {S("roles"), policy_roles(a, who->roles)}};
    return policy_add_entity(s, a, S("Ambit::Human"), who->name, fields, 2, NULL, 0, err);
}

static bool ask(const struct policy_set *p, struct cedar_entities *s, struct cedar_request *req,
                struct cedar_field *context, size_t n, struct arena *a, struct verdict *out,
                struct err *err)
{
    struct cedar_value value;
    struct verdict v = {0};
    if (!cedar_entities_seal(s, err) || !policy_entities_conform(p, s, err) ||
        !cedar_record_of(context, n, &value))
        return false;
    req->context = &value;
    struct cedar_verdict cv = cedar_enforce(p->set, p->schema, req, s, a);
    policy_explain(p, &cv, a, &v);
    *out = v;
    return true;
}

/* ---- holds ---- */

bool policy_may_approve(const struct policy_set *p, const struct conf *conf,
                        const struct conf_person *person, str method, const struct hold *h,
                        int64_t now_ms, struct arena *a, struct verdict *out, struct err *err)
{
    struct cedar_entities entities;
    (void)conf;
    str operation = str_fmt(a, "%.*s/%.*s", STR(h->binding), STR(h->tool));
    struct cedar_uid *task = ARENA_NEW(a, struct cedar_uid);
    struct cedar_value *approvals = ARENA_ARRAY(a, struct cedar_value, HOLD_APPROVERS_MAX);
    *task = (struct cedar_uid){S("Ambit::Task"), id_str(&h->task)};
    for (size_t i = 0; i < h->approvers_n; i++)
        approvals[i] = cedar_string(h->approvers[i]);
    struct cedar_field fields[] = {
        {S("owner"), cedar_string(h->owner)},      {S("agent"), cedar_string(h->agent)},
        {S("operation"), cedar_string(operation)}, {S("effect"), cedar_string(h->effect)},
        {S("purpose"), cedar_string(h->purpose)},  {S("task"), cedar_entity_value(task)}};
    struct cedar_field *ctx = ARENA_ARRAY(a, struct cedar_field, 3);
    ctx[0] = (struct cedar_field){S("approvals"), cedar_set_of(approvals, h->approvers_n)};
    ctx[1] = (struct cedar_field){S("method"), cedar_string(method)};
    ctx[2] = (struct cedar_field){S("time"), policy_time(a, now_ms)};
    struct cedar_request req = {.principal = {S("Ambit::Human"), person->name},
                                .action = {S("Ambit::Action"), S("approve")},
                                .resource = {S("Ambit::Call"), id_str(&h->call)}};
    cedar_entities_init(&entities, a, &p->known, p->seed);
    return add_task(p, &entities, a, id_str(&h->task), h->owner, h->agent, h->purpose, h->opened_by,
                    err) &&
           policy_add_entity(&entities, a, S("Ambit::Call"), id_str(&h->call), fields, 6, NULL, 0,
                             err) &&
           ask(p, &entities, &req, ctx, 3, a, out, err);
}

/* ---- tasks that are to be ---- */

static bool is_read_only(const struct conf *conf, const struct task *t)
{
    for (size_t i = 0; i < t->operations_n; i++) {
        str binding, tool;
        str_cut(t->operations[i], '/', &binding, &tool);
        const struct conf_binding *b = conf_binding(conf, binding);
        const struct conf_operation *op = b ? conf_operation(b, tool) : NULL;
        if (!op || op->effect != EFFECT_READ || op->high_impact)
            return false;
    }
    return true;
}

static struct cedar_value opening(const struct conf *conf, const struct task *t, struct arena *a)
{
    struct cedar_value out = cedar_empty_record;
    struct cedar_value *ops = ARENA_ARRAY(a, struct cedar_value, t->operations_n + 1);
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 4);
    for (size_t i = 0; i < t->operations_n; i++)
        ops[i] = cedar_string(t->operations[i]);
    f[0] = (struct cedar_field){S("calls"), cedar_long(t->calls_left)};
    f[1] = (struct cedar_field){S("operations"), cedar_set_of(ops, t->operations_n)};
    f[2] = (struct cedar_field){S("readOnly"), cedar_bool(is_read_only(conf, t))};
    f[3] = (struct cedar_field){S("seconds"), cedar_long((t->deadline_ms - t->opened_ms) / 1000)};
    (void)!cedar_record_of(f, 4, &out);
    return out;
}

static bool ask_open(const struct policy_set *p, const struct conf *conf, const struct task *t,
                     bool with_approval, const struct hold *approval, int64_t now_ms,
                     struct arena *a, struct verdict *out, struct err *err)
{
    struct cedar_entities entities;
    struct cedar_field *ctx = ARENA_ARRAY(a, struct cedar_field, 3);
    size_t n = 0;
    if (with_approval)
        ctx[n++] = (struct cedar_field){S("approval"), policy_approval(approval, a)};
    ctx[n++] = (struct cedar_field){S("task"), opening(conf, t, a)};
    ctx[n++] = (struct cedar_field){S("time"), policy_time(a, now_ms)};
    struct cedar_request req = {.principal = {S("Ambit::Agent"), t->agent},
                                .action = {S("Ambit::Action"), S("open_task")},
                                .resource = {S("Ambit::Task"), id_str(&t->id)}};
    cedar_entities_init(&entities, a, &p->known, p->seed);
    return add_this_task(p, &entities, a, t, err) && ask(p, &entities, &req, ctx, n, a, out, err);
}

bool policy_open_task(const struct policy_set *p, const struct conf *conf, const struct task *t,
                      const struct hold *approval, int64_t now_ms, struct arena *a,
                      struct verdict *out, struct err *err)
{
    struct verdict v, with;
    if (!ask_open(p, conf, t, approval != NULL, approval, now_ms, a, &v, err))
        return false;
    if (v.decision == DECISION_DENY && !v.error && !approval) {
        if (!ask_open(p, conf, t, true, NULL, now_ms, a, &with, err))
            return false;
        if (with.decision == DECISION_ALLOW) {
            if (!v.policies_n)
                v = with; /* nothing forbids it: what a consent would let through is why it waits */
            v.decision = DECISION_HOLD;
        } else if (with.policies_n)
            v = with; /* what no consent changes is what there is to say */
    }
    *out = v;
    return true;
}

bool policy_consent(const struct policy_set *p, const struct conf *conf,
                    const struct policy_person *who, const struct task *t, int64_t now_ms,
                    struct arena *a, struct verdict *out, struct err *err)
{
    struct cedar_entities entities;
    struct cedar_field *ctx = ARENA_ARRAY(a, struct cedar_field, 3);
    ctx[0] = (struct cedar_field){S("method"), cedar_string(who->method)};
    ctx[1] = (struct cedar_field){S("task"), opening(conf, t, a)};
    ctx[2] = (struct cedar_field){S("time"), policy_time(a, now_ms)};
    struct cedar_request req = {.principal = {S("Ambit::Human"), who->name},
                                .action = {S("Ambit::Action"), S("consent")},
                                .resource = {S("Ambit::Task"), id_str(&t->id)}};
    cedar_entities_init(&entities, a, &p->known, p->seed);
    return add_person(p, &entities, a, who, err) && add_this_task(p, &entities, a, t, err) &&
           ask(p, &entities, &req, ctx, 3, a, out, err);
}

/* ---- tasks and agents that are ---- */

bool policy_person_may(const struct policy_set *p, const struct policy_person *who, str action,
                       const struct task *t, const struct agent *agent, int64_t now_ms,
                       struct arena *a, struct verdict *out, struct err *err)
{
    struct cedar_entities entities;
    struct cedar_field *ctx = ARENA_ARRAY(a, struct cedar_field, 2);
    ctx[0] = (struct cedar_field){S("method"), cedar_string(who->method)};
    ctx[1] = (struct cedar_field){S("time"), policy_time(a, now_ms)};
    struct cedar_request req = {.principal = {S("Ambit::Human"), who->name},
                                .action = {S("Ambit::Action"), action}};
    if (t)
        req.resource = (struct cedar_uid){S("Ambit::Task"), id_str(&t->id)};
    else
        req.resource = (struct cedar_uid){S("Ambit::Agent"), agent->conf->name};
    cedar_entities_init(&entities, a, &p->known, p->seed);
    return add_person(p, &entities, a, who, err) &&
           (!t || add_this_task(p, &entities, a, t, err)) &&
           ask(p, &entities, &req, ctx, 2, a, out, err);
}
