/* isAuthorized and validate. */
#include "cedar/calls/call.h"
#include "cedar/check/conform.h"
#include "cedar/check/validate_link.h"
#include "cedar/policy/link.h"

/* ---- isAuthorized ---- */

struct decision_call {
    const struct schema *schema;
    struct cedar_request req;
    struct cedar_value context;
    struct cedar_entities entities;
    struct calls_policies policies;
};

static void check_request(struct call *c, const struct decision_call *d)
{
    struct conform_fault fault;
    if (!conform_request(d->schema, &d->req.principal, &d->req.action, &d->req.resource,
                         &d->context, &fault))
        calls_fail(c, "request: %s", fault.text);
}

/* What the rest is read with comes first. */
static bool read_call(struct call *c, const json *input, struct decision_call *d)
{
    static const struct calls_member members[] = {
        {"principal", true}, {"action", true},           {"resource", true},
        {"context", true},   {"policies", true},         {"entities", true},
        {"schema", false},   {"validateRequest", false}, {0}};
    const json *m[CALL_MEMBERS_MAX];
    if (!calls_members(c, "the call", input, members, m))
        return false;
    if (m[7] && json_type(m[7]) != JSON_BOOL)
        calls_fail(c, "validateRequest must be true or false");
    if (m[6] && json_type(m[6]) != JSON_NULL)
        d->schema = calls_read_schema(c, m[6]);
    bool named = calls_read_uid(c, "principal", m[0], &d->req.principal);
    named = calls_read_uid(c, "action", m[1], &d->req.action) && named;
    named = calls_read_uid(c, "resource", m[2], &d->req.resource) && named;
    if (!named || c->errors.count)
        return false;
    if (!calls_read_context(c, m[3], d->schema, &d->req.action, &d->context))
        return false;
    d->req.context = &d->context;
    if (d->schema && (!m[7] || json_bool(m[7])))
        check_request(c, d);
    bool entities = calls_read_entities(c, m[5], d->schema, &d->entities);
    return calls_read_policies(c, m[4], &d->policies) && entities && c->errors.count == 0;
}

struct calls_note calls_note_of_policy(struct call *c, const struct calls_policies *set,
                                       uint32_t policy, str text)
{
    struct cedar_diags *in = ARENA_NEW(c->a, struct cedar_diags);
    cedar_diags_init(in, c->a, set->name, set->texts[policy]);
    return (struct calls_note){
        .text = text, .code = "evaluation", .span = set->all.items[policy].span, .in = in};
}

static void write_error(struct call *c, const struct calls_policies *set,
                        const struct cedar_policy_error *e)
{
    struct calls_note note = calls_note_of_policy(c, set, e->policy, e->text);
    jw_obj(&c->w);
    jw_kstr(&c->w, S("policyId"), set->all.items[e->policy].id);
    jw_key(&c->w, S("error"));
    calls_write_note(c, &note);
    jw_end_obj(&c->w);
}

static void write_response(struct call *c, const struct calls_policies *set,
                           const struct cedar_response *res)
{
    calls_success(c);
    jw_key(&c->w, S("response"));
    jw_obj(&c->w);
    jw_kstr(&c->w, S("decision"), res->decision == CEDAR_ALLOW ? S("allow") : S("deny"));
    jw_key(&c->w, S("diagnostics"));
    jw_obj(&c->w);
    jw_key(&c->w, S("reason"));
    jw_arr(&c->w);
    for (size_t i = 0; i < res->reason_count; i++)
        jw_str(&c->w, set->all.items[res->reasons[i]].id);
    jw_end_arr(&c->w);
    jw_key(&c->w, S("errors"));
    jw_arr(&c->w);
    for (size_t i = 0; i < res->error_count; i++)
        write_error(c, set, &res->errors[i]);
    jw_end_arr(&c->w);
    jw_end_obj(&c->w);
    jw_end_obj(&c->w);
    calls_write_notes(c, S("warnings"), &c->warnings);
    jw_end_obj(&c->w);
}

void calls_is_authorized(struct call *c, const json *input)
{
    struct decision_call d = {0};
    struct cedar_response res;
    struct err err;
    if (!read_call(c, input, &d)) {
        calls_failure(c, true);
        return;
    }
    const struct cedar_policies *texts[] = {&d.policies.all};
    struct cedar_set *set = cedar_compile(texts, 1, d.entities.seed, &err);
    if (set && cedar_authorize(set, &d.req, &d.entities, c->a, &res, &err)) {
        write_response(c, &d.policies, &res);
    } else {
        calls_fail(c, "%s", err.text);
        calls_failure(c, true);
    }
    cedar_set_free(set);
}

/* ---- validate ---- */

static void write_findings(struct call *c, str name, const struct calls_findings *all,
                           enum cedar_severity severity)
{
    jw_key(&c->w, name);
    jw_arr(&c->w);
    for (size_t i = 0; i < all->count; i++) {
        for (size_t j = 0; j < all->items[i]->count; j++) {
            const struct cedar_diag *one = &all->items[i]->items[j];
            struct calls_note note = calls_note_of(all->items[i], one);
            if (one->severity != severity)
                continue;
            jw_obj(&c->w);
            jw_kstr(&c->w, S("policyId"), one->policy);
            jw_key(&c->w, S("error"));
            calls_write_note(c, &note);
            jw_end_obj(&c->w);
        }
    }
    jw_end_arr(&c->w);
}

struct calls_findings calls_check_policies(struct call *c, const struct schema *schema,
                                           const struct calls_policies *set,
                                           const struct validate_options *how)
{
    struct calls_findings all = {.passed = true};
    all.items = ARENA_ARRAY(c->a, const struct cedar_diags *, set->all.count);
    for (size_t i = 0; i < set->all.count; i++) {
        const struct cedar_policy *p = &set->all.items[i];
        const struct cedar_policy *tmpl =
            p->template_id.p ? cedar_policies_find(&set->all, p->template_id) : NULL;
        struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
        cedar_diags_init(d, c->a, set->name, set->texts[i]);
        bool ok = tmpl ? validate_link(schema, tmpl, p, d) : validate_policy(schema, p, how, d);
        all.passed = all.passed && ok;
        all.warnings += d->warnings;
        all.items[all.count++] = d;
    }
    return all;
}

/* {"mode": "strict"} is all there is. */
static bool read_settings(struct call *c, const json *v)
{
    static const struct calls_member members[] = {{"mode", true}, {0}};
    const json *m[1];
    if (!v)
        return true;
    if (!calls_members(c, "validationSettings", v, members, m))
        return false;
    if (str_eq(json_str(m[0]), S("strict")))
        return true;
    calls_fail(c, "validationSettings: the mode must be \"strict\"");
    return false;
}

void calls_validate(struct call *c, const json *input)
{
    static const struct calls_member members[] = {
        {"schema", true}, {"policies", true}, {"validationSettings", false}, {0}};
    const json *m[CALL_MEMBERS_MAX];
    struct calls_policies set;
    bool ok = calls_members(c, "the call", input, members, m) && read_settings(c, m[2]);
    ok = ok && calls_read_policies(c, m[1], &set);
    const struct schema *schema = m[0] ? calls_read_schema(c, m[0]) : NULL;
    if (!ok || !schema) {
        calls_failure(c, true);
        return;
    }
    struct calls_findings all = calls_check_policies(c, schema, &set, NULL);
    calls_success(c);
    write_findings(c, S("validationErrors"), &all, CEDAR_ERROR);
    write_findings(c, S("validationWarnings"), &all, CEDAR_WARNING);
    calls_write_notes(c, S("otherWarnings"), &c->warnings);
    jw_end_obj(&c->w);
}
