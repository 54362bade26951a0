/* Answers the calls that tests/peers/cedar_crate answers with the official engine, in the same
 * form, for tests/cedar/partial.py: one JSON object a line in, one out. */
#include "cedar/partial/partial.h"
#include "cedar/schema/typed_json.h"
#include "cedar/testgen.h"

#include <stdio.h>
#include <stdlib.h>

struct call {
    struct arena a;
    const json *v;
    const struct schema *schema;
    struct cedar_policies policies;
    const struct cedar_policies *texts[1];
    struct partial_request req;
    struct cedar_entities store;
    struct partial_entities known;
    struct jw w;
};

/* ---- reading ---- */

static bool read_texts(struct call *c, struct err *err)
{
    struct cedar_diags d;
    str schema = json_get_str(c->v, S("schema"));
    cedar_diags_init(&d, &c->a, S("schema"), schema);
    if (!schema_read(&c->a, schema, &c->schema, &d))
        return err_input(err, "schema: %.*s", STR(d.items[0].text));
    c->texts[0] = &c->policies;
    return cedar_policies_parse(&c->a, S("policies"), json_get_str(c->v, S("policies")),
                                &c->policies, &d) ||
           err_input(err, "policies: %.*s", STR(d.items[0].text));
}

static void read_side(const json *v, struct partial_uid *out)
{
    out->type = json_get_str(v, S("type"));
    out->id = json_get_str(v, S("id"));
    out->has_id = json_type(json_get(v, S("id"))) == JSON_STRING;
}

/* An action that is not given leaves the context without types. */
static bool read_request(struct call *c, struct err *err)
{
    const json *action = json_get(c->v, S("action")), *context = json_get(c->v, S("context"));
    read_side(json_get(c->v, S("principal")), &c->req.principal);
    read_side(json_get(c->v, S("resource")), &c->req.resource);
    if (action && !cedar_uid_from_json(action, &c->req.action, err))
        return false;
    if (json_type(context) == JSON_ABSENT || json_type(context) == JSON_NULL)
        return true;
    bool typed_by_action = !str_eq(json_get_str(c->v, S("call")), S("queryAction"));
    struct typed_json typed = {c->schema,
                               typed_by_action ? schema_action(c->schema, &c->req.action) : NULL};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct cedar_value *value = ARENA_NEW(&c->a, struct cedar_value);
    c->req.context = value;
    return cedar_context_from_json(&c->a, context, &hook, value, err);
}

static bool read_partial(struct call *c, struct err *err)
{
    partial_entities_init(&c->known, &c->a, c->schema);
    return partial_entities_from_json(&c->known, json_get(c->v, S("entities")), err) &&
           partial_entities_seal(&c->known, err);
}

static bool read_store(struct call *c, struct err *err)
{
    struct typed_json typed = {c->schema, NULL};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    cedar_entities_init(&c->store, &c->a, NULL, 1);
    if (!cedar_entities_from_json(&c->store, json_get(c->v, S("entities")), &hook, err))
        return false;
    testgen_add_actions(c->schema, &c->a, &c->store);
    return cedar_entities_seal(&c->store, err) &&
           partial_entities_whole(&c->known, c->schema, &c->store, err);
}

/* ---- writing ---- */

static void write_uid(struct jw *w, const struct cedar_uid *uid)
{
    jw_obj(w);
    jw_kstr(w, S("type"), uid->type);
    jw_kstr(w, S("id"), uid->id);
    jw_end_obj(w);
}

static void write_decision(struct jw *w, enum partial_verdict verdict)
{
    jw_key(w, S("decision"));
    if (verdict == PARTIAL_POSSIBLE)
        jw_null(w);
    else
        jw_str(w, verdict == PARTIAL_ALLOWED ? S("allow") : S("deny"));
}

/* ---- calls ---- */

static bool tpe(struct call *c, struct err *err)
{
    const struct partial_answer *answer;
    if (!read_partial(c, err) ||
        !partial_authorize(c->schema, c->texts, 1, &c->req, &c->known, &c->a, &answer, err))
        return false;
    jw_obj(&c->w);
    write_decision(&c->w, partial_verdict(answer));
    jw_key(&c->w, S("classes"));
    jw_obj(&c->w);
    for (size_t i = 0; i < answer->count; i++)
        if (!answer->policies[i].policy->is_template)
            jw_kstr(&c->w, answer->policies[i].policy->id,
                    str_z(partial_class_names[answer->policies[i].class]));
    jw_end_obj(&c->w);
    jw_end_obj(&c->w);
    return true;
}

static bool query_action(struct call *c, struct err *err)
{
    struct partial_findings found;
    if (!read_partial(c, err) ||
        !partial_query_action(c->schema, c->texts, 1, &c->req.principal, &c->req.resource,
                              c->req.context, &c->known, &c->a, &found, err))
        return false;
    jw_obj(&c->w);
    jw_key(&c->w, S("actions"));
    jw_arr(&c->w);
    for (size_t i = 0; i < found.count; i++) {
        if (found.items[i].verdict == PARTIAL_DENIED)
            continue;
        jw_obj(&c->w);
        jw_key(&c->w, S("action"));
        write_uid(&c->w, &found.items[i].action->uid);
        write_decision(&c->w, found.items[i].verdict);
        jw_end_obj(&c->w);
    }
    jw_end_arr(&c->w);
    jw_end_obj(&c->w);
    return true;
}

static bool query_side(struct call *c, enum cedar_var side, struct err *err)
{
    struct partial_findings found;
    if (!read_store(c, err) || !partial_query_entities(c->schema, c->texts, 1, side, &c->req,
                                                       &c->known, &c->a, &found, err))
        return false;
    jw_obj(&c->w);
    jw_key(&c->w, S("entities"));
    jw_arr(&c->w);
    for (size_t i = 0; i < found.count; i++)
        if (found.items[i].verdict != PARTIAL_DENIED)
            write_uid(&c->w, &found.items[i].uid);
    jw_end_arr(&c->w);
    jw_end_obj(&c->w);
    return true;
}

static bool query_principal(struct call *c, struct err *err)
{
    return query_side(c, CEDAR_PRINCIPAL, err);
}

static bool query_resource(struct call *c, struct err *err)
{
    return query_side(c, CEDAR_RESOURCE, err);
}

static const struct {
    str name;
    bool (*answer)(struct call *c, struct err *err);
} calls[] = {{S("tpe"), tpe},
             {S("queryAction"), query_action},
             {S("queryPrincipal"), query_principal},
             {S("queryResource"), query_resource}};

static bool answer(struct call *c, str line, struct err *err)
{
    struct json_limits limits = {.depth_max = 128};
    if (!json_read(&c->a, line, &limits, &c->v, err) || !read_texts(c, err) ||
        !read_request(c, err))
        return false;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (str_eq(calls[i].name, json_get_str(c->v, S("call"))))
            return calls[i].answer(c, err);
    return err_input(err, "no such call");
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
        struct buf out = {0};
        struct call c = {.w = jw(&out)};
        struct err err = {0};
        if (!answer(&c, str_of(line, (size_t)n), &err)) {
            jw_obj(&c.w);
            jw_kstr(&c.w, S("error"), str_z(err.text));
            jw_end_obj(&c.w);
        }
        buf_putc(&out, '\n');
        fwrite(buf_str(&out).p, 1, buf_len(&out), stdout);
        buf_fini(&out);
        arena_fini(&c.a);
    }
    free(line);
    return 0;
}
