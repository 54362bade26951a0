/* Random questions to partial evaluation with our answers, for tests/cedar/partial.py, which puts
 * them to the official engine (tests/peers/cedar_crate) as well. One JSON object a line.
 *
 *     cedar_partial_peer SEED COUNT */
#include "cedar/check/validate.h"
#include "cedar/partial/vary.h"
#include "cedar/policy/print.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { POLICIES = 3 };

struct question {
    struct testgen *g;
    struct arena *a;
    struct jw w;
    str text;
    const struct cedar_policies *texts[1];
    struct cedar_entities store;
    struct cedar_request req;
};

/* ---- values as JSON ---- */

static void write_value(struct jw *w, const struct cedar_value *v);

static void write_uid(struct jw *w, const struct cedar_uid *uid)
{
    jw_obj(w);
    jw_kstr(w, S("type"), uid->type);
    jw_kstr(w, S("id"), uid->id);
    jw_end_obj(w);
}

static void write_record(struct jw *w, const struct cedar_value *v)
{
    jw_obj(w);
    for (uint32_t i = 0; i < v->n; i++) {
        jw_key(w, v->fields[i].name);
        write_value(w, &v->fields[i].value);
    }
    jw_end_obj(w);
}

static void write_extension(struct jw *w, const struct cedar_value *v)
{
    struct buf b = {0};
    const char *fn = "ip";
    if (v->kind == CEDAR_DECIMAL)
        fn = "decimal", cedar_decimal_print(&b, v->i);
    else if (v->kind == CEDAR_DATETIME)
        fn = "datetime", cedar_datetime_print(&b, v->i);
    else if (v->kind == CEDAR_DURATION)
        fn = "duration", cedar_duration_print(&b, v->i);
    else
        cedar_ip_print(&b, v->ip);
    jw_obj(w);
    jw_key(w, S("__extn"));
    jw_obj(w);
    jw_kstr(w, S("fn"), str_z(fn));
    jw_kstr(w, S("arg"), buf_str(&b));
    jw_end_obj(w);
    jw_end_obj(w);
    buf_fini(&b);
}

static void write_value(struct jw *w, const struct cedar_value *v)
{
    switch ((enum cedar_kind)v->kind) {
    case CEDAR_BOOL:
        jw_bool(w, v->b);
        return;
    case CEDAR_LONG:
        jw_i64(w, v->i);
        return;
    case CEDAR_STRING:
        jw_str(w, cedar_str(*v));
        return;
    case CEDAR_ENTITY:
        jw_obj(w);
        jw_key(w, S("__entity"));
        write_uid(w, v->uid);
        jw_end_obj(w);
        return;
    case CEDAR_SET:
        jw_arr(w);
        for (uint32_t i = 0; i < v->n; i++)
            write_value(w, &v->items[i]);
        jw_end_arr(w);
        return;
    case CEDAR_RECORD:
        write_record(w, v);
        return;
    default:
        write_extension(w, v);
    }
}

/* ---- what is known ---- */

static void write_side(struct jw *w, const char *name, const struct partial_uid *uid)
{
    jw_key(w, str_z(name));
    jw_obj(w);
    jw_kstr(w, S("type"), uid->type);
    if (uid->has_id)
        jw_kstr(w, S("id"), uid->id);
    jw_end_obj(w);
}

static void write_request(struct jw *w, const struct partial_request *req)
{
    write_side(w, "principal", &req->principal);
    jw_key(w, S("action"));
    write_uid(w, &req->action);
    write_side(w, "resource", &req->resource);
    if (!req->context)
        return;
    jw_key(w, S("context"));
    write_record(w, req->context);
}

static void write_entity(struct jw *w, const struct partial_entity *e)
{
    jw_obj(w);
    jw_key(w, S("uid"));
    write_uid(w, &e->uid);
    if (e->attrs) {
        jw_key(w, S("attrs"));
        write_record(w, e->attrs);
    }
    if (e->tags) {
        jw_key(w, S("tags"));
        write_record(w, e->tags);
    }
    if (e->has_parents) {
        jw_key(w, S("parents"));
        jw_arr(w);
        for (size_t i = 0; i < e->parent_count; i++)
            write_uid(w, &e->parents[i]);
        jw_end_arr(w);
    }
    jw_end_obj(w);
}

static void write_partial_entities(struct jw *w, const struct partial_entities *e)
{
    jw_key(w, S("entities"));
    jw_arr(w);
    for (size_t i = 0; i < e->count; i++)
        write_entity(w, &e->items[i]);
    jw_end_arr(w);
}

static void write_store(struct jw *w, const struct cedar_entities *store)
{
    jw_key(w, S("entities"));
    jw_arr(w);
    for (size_t i = 0; i < store->count; i++) {
        const struct cedar_entity *e = store->items[i];
        struct partial_entity all = {.uid = e->uid,
                                     .attrs = &e->attrs,
                                     .tags = &e->tags,
                                     .parents = e->parents,
                                     .parent_count = e->parent_count,
                                     .has_parents = true};
        if (!schema_is_action_type(e->uid.type))
            write_entity(w, &all);
    }
    jw_end_arr(w);
}

static void begin(struct question *q, const char *call)
{
    q->w = jw(q->w.out);
    jw_obj(&q->w);
    jw_kstr(&q->w, S("call"), str_z(call));
    jw_kstr(&q->w, S("schema"), str_z(testgen_schema));
    jw_kstr(&q->w, S("policies"), q->text);
}

static void end(struct question *q)
{
    jw_end_obj(&q->w);
    buf_putc(q->w.out, '\n');
}

/* ---- answers ---- */

static void write_decision(struct jw *w, enum partial_verdict verdict)
{
    jw_key(w, S("decision"));
    if (verdict == PARTIAL_POSSIBLE)
        jw_null(w);
    else
        jw_str(w, verdict == PARTIAL_ALLOWED ? S("allow") : S("deny"));
}

static void write_residuals(struct jw *w, const struct partial_answer *answer)
{
    struct err err;
    jw_key(w, S("residuals"));
    jw_obj(w);
    for (size_t i = 0; i < answer->count; i++) {
        struct buf b = {0};
        if (answer->policies[i].class == PARTIAL_RESIDUAL) {
            assert(cedar_expr_print(&b, answer->policies[i].residual, &err));
            jw_kstr(w, answer->policies[i].policy->id, buf_str(&b));
        }
        buf_fini(&b);
    }
    jw_end_obj(w);
}

static void ask_tpe(struct question *q)
{
    static const struct vary hows[] = {
        {500, 500, 500, 300, 300}, {0, 1000, 0, 200, 100},      {1000, 0, 500, 0, 0},
        {0, 0, 1000, 100, 0},      {1000, 1000, 1000, 1000, 0}, {0, 0, 0, 500, 500},
    };
    struct partial_request partial;
    struct partial_entities known;
    const struct partial_answer *answer;
    struct err err;
    vary_forget(q->g, &hows[testgen_below(q->g, sizeof hows / sizeof *hows)], q->a, &q->req,
                &q->store, &partial, &known);
    assert(partial_authorize(q->g->schema, q->texts, 1, &partial, &known, q->a, &answer, &err));
    begin(q, "tpe");
    write_request(&q->w, &partial);
    write_partial_entities(&q->w, &known);
    jw_key(&q->w, S("ours"));
    jw_obj(&q->w);
    write_decision(&q->w, partial_verdict(answer));
    jw_key(&q->w, S("classes"));
    jw_obj(&q->w);
    for (size_t i = 0; i < answer->count; i++)
        jw_kstr(&q->w, answer->policies[i].policy->id,
                str_z(partial_class_names[answer->policies[i].class]));
    jw_end_obj(&q->w);
    write_residuals(&q->w, answer);
    jw_end_obj(&q->w);
    end(q);
}

static void ask_action(struct question *q)
{
    static const struct vary how = {300, 300, 600, 300, 300};
    struct partial_request partial;
    struct partial_entities known;
    struct partial_findings found;
    struct err err;
    vary_forget(q->g, &how, q->a, &q->req, &q->store, &partial, &known);
    begin(q, "queryAction");
    write_request(&q->w, &partial);
    write_partial_entities(&q->w, &known);
    jw_key(&q->w, S("ours"));
    jw_obj(&q->w);
    if (!partial_query_action(q->g->schema, q->texts, 1, &partial.principal, &partial.resource,
                              partial.context, &known, q->a, &found, &err)) {
        jw_kstr(&q->w, S("error"), str_z(err.text));
        found.count = 0;
    }
    jw_key(&q->w, S("actions"));
    jw_arr(&q->w);
    for (size_t i = 0; i < found.count; i++) {
        if (found.items[i].verdict == PARTIAL_DENIED)
            continue;
        jw_obj(&q->w);
        jw_key(&q->w, S("action"));
        write_uid(&q->w, &found.items[i].action->uid);
        write_decision(&q->w, found.items[i].verdict);
        jw_end_obj(&q->w);
    }
    jw_end_arr(&q->w);
    jw_end_obj(&q->w);
    end(q);
}

static void ask_entities(struct question *q, enum cedar_var side)
{
    struct partial_request req = {{q->req.principal.type, q->req.principal.id, true},
                                  {q->req.resource.type, q->req.resource.id, true},
                                  q->req.action,
                                  q->req.context};
    struct partial_entities known;
    struct partial_findings found;
    struct err err;
    (side == CEDAR_PRINCIPAL ? &req.principal : &req.resource)->has_id = false;
    assert(partial_entities_whole(&known, q->g->schema, &q->store, &err));
    assert(
        partial_query_entities(q->g->schema, q->texts, 1, side, &req, &known, q->a, &found, &err));
    begin(q, side == CEDAR_PRINCIPAL ? "queryPrincipal" : "queryResource");
    write_request(&q->w, &req);
    write_store(&q->w, &q->store);
    jw_key(&q->w, S("ours"));
    jw_obj(&q->w);
    jw_key(&q->w, S("entities"));
    jw_arr(&q->w);
    for (size_t i = 0; i < found.count; i++) {
        assert(found.items[i].verdict != PARTIAL_POSSIBLE);
        if (found.items[i].verdict == PARTIAL_ALLOWED)
            write_uid(&q->w, &found.items[i].uid);
    }
    jw_end_arr(&q->w);
    jw_end_obj(&q->w);
    end(q);
}

/* ---- questions ---- */

/* Policies that are strictly valid, for one environment of the generator's choice. */
static str valid_policies(struct testgen *g, struct arena *a)
{
    struct buf all = {0};
    for (int n = 0; n < POLICIES;) {
        struct buf text = {0};
        struct cedar_policies ps;
        struct cedar_diags d;
        testgen_policy(g, &text, 1 + testgen_below(g, 4));
        if (cedar_policies_parse(a, S(""), buf_str(&text), &ps, &d) &&
            validate_policies(g->schema, &ps, NULL, &d)) {
            buf_put(&all, buf_str(&text));
            n++;
        }
        buf_fini(&text);
    }
    str text = str_dup(a, buf_str(&all));
    buf_fini(&all);
    return text;
}

static void one_round(struct testgen *g, struct arena *a, struct buf *out)
{
    struct question q = {.g = g, .a = a, .w = jw(out)};
    struct cedar_policies ps;
    struct cedar_diags d;
    testgen_env(g);
    q.text = valid_policies(g, a);
    assert(cedar_policies_parse(a, S("random"), q.text, &ps, &d));
    q.texts[0] = &ps;
    testgen_entities(g, a, &q.store);
    q.req = testgen_request(g, a);
    for (int i = 0; i < 4; i++)
        ask_tpe(&q);
    ask_action(&q);
    ask_entities(&q, CEDAR_RESOURCE);
    ask_entities(&q, CEDAR_PRINCIPAL);
}

int main(int argc, char **argv)
{
    ARENA_SCOPE struct arena fixed = {0}, a = {0};
    struct testgen g;
    struct cedar_diags d;
    const struct schema *schema;
    struct buf out = {0};
    if (argc != 3)
        return 2;
    cedar_diags_init(&d, &fixed, S("schema"), str_z(testgen_schema));
    assert(schema_read(&fixed, str_z(testgen_schema), &schema, &d));
    testgen_init(&g, &fixed, schema, strtoull(argv[1], NULL, 10));
    for (long n = strtol(argv[2], NULL, 10); n > 0; n--) {
        one_round(&g, &a, &out);
        fwrite(buf_str(&out).p, 1, buf_len(&out), stdout);
        buf_clear(&out);
        arena_reset(&a);
    }
    buf_fini(&out);
    return 0;
}
