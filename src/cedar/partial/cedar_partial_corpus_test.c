/* The official corpus through partial evaluation: of every valid test, every request is forgotten
 * in several ways; the residuals, asked again with the whole request, must give the decision, the
 * reasons and the errors that the corpus has. The data is no part of this repository (testdata.h);
 * without it the test says so and is skipped. Sanitizer builds take every twentieth test. */
#include "cedar/partial/vary.h"
#include "cedar/schema/typed_json.h"
#include "cedar/testdata.h"

#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
enum { EVERY = 20 };
#else
enum { EVERY = 1 };
#endif
enum { SHOWN_MAX = 20, SEED = 12345 };

struct tally {
    struct testdata data;
    struct testgen g;
    size_t tests, plans, invalid, cases, agreed, shown;
    size_t classes[PARTIAL_CLASSES];
};

/* The principal, the resource, the context, all entities, the attributes of all, a bit of all. */
static const struct vary hows[] = {
    {1000, 0, 0, 0, 0}, {0, 1000, 0, 0, 0},        {0, 0, 1000, 0, 0},          {0, 0, 0, 1000, 0},
    {0, 0, 0, 0, 1000}, {300, 300, 300, 300, 300}, {1000, 1000, 1000, 1000, 0},
};
enum { HOWS = sizeof hows / sizeof *hows };

static void show(struct tally *t, str name, const char *what)
{
    if (t->shown++ < SHOWN_MAX)
        printf("%.*s: %s\n", STR(name), what);
}

/* ---- one test ---- */

struct loaded {
    str name;
    const struct schema *schema;
    struct cedar_policies policies;
    struct cedar_entities entities;
    const json *requests;
};

static bool load(struct tally *t, struct arena *a, str name, struct loaded *l, struct err *err)
{
    str schema, policies;
    struct cedar_diags d;
    const json *test = testdata_json(&t->data, a, "corpus", name, ".json");
    const json *entities = testdata_json(&t->data, a, "corpus", name, ".entities.json");
    l->name = name;
    l->requests = json_get(test, S("requests"));
    if (!testdata_read(&t->data, a, "corpus", name, ".cedarschema", &schema) ||
        !testdata_read(&t->data, a, "corpus", name, ".cedar", &policies))
        return err_input(err, "files are missing");
    cedar_diags_init(&d, a, name, schema);
    if (!schema_read(a, schema, &l->schema, &d) ||
        !cedar_policies_parse(a, name, policies, &l->policies, &d))
        return err_input(err, "it cannot be read");
    struct typed_json typed = {l->schema, NULL};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    cedar_entities_init(&l->entities, a, NULL, SEED);
    if (!cedar_entities_from_json(&l->entities, entities, &hook, err))
        return false;
    testgen_add_actions(l->schema, a, &l->entities); /* as the official engine does */
    return cedar_entities_seal(&l->entities, err);
}

static bool read_request(const struct schema *s, struct arena *a, const json *r,
                         struct cedar_request *out, struct err *err)
{
    struct cedar_value *context = ARENA_NEW(a, struct cedar_value);
    out->context = context;
    if (!cedar_uid_from_json(json_get(r, S("principal")), &out->principal, err) ||
        !cedar_uid_from_json(json_get(r, S("action")), &out->action, err) ||
        !cedar_uid_from_json(json_get(r, S("resource")), &out->resource, err))
        return false;
    struct typed_json typed = {s, schema_action(s, &out->action)};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    return cedar_context_from_json(a, json_get(r, S("context")), &hook, context, err);
}

/* Of one policy: its number is 0. */
static bool is_expected(const json *r, const struct cedar_response *res)
{
    bool allow = str_eq(json_get_str(r, S("decision")), S("allow"));
    return allow == (res->decision == CEDAR_ALLOW) &&
           json_count(json_get(r, S("reason"))) == res->reason_count &&
           json_count(json_get(r, S("errors"))) == res->error_count;
}

static bool holds(const struct partial_answer *answer, const struct cedar_response *res)
{
    static const bool can_reason[] = {true, true, false, false},
                      can_fail[] = {true, false, false, true};
    enum partial_class class = answer->policies[0].class;
    return (!answer->decided || answer->decision == res->decision) &&
           (res->reason_count == 0 || can_reason[class]) &&
           (res->error_count == 0 || can_fail[class]);
}

static bool ask(struct tally *t, const struct loaded *l, const struct partial_plan *plan,
                const struct vary *how, const struct cedar_request *req, const json *r,
                struct arena *a, struct err *err)
{
    struct partial_request partial;
    struct partial_entities known;
    const struct partial_answer *answer;
    struct cedar_response res;
    vary_forget(&t->g, how, a, req, &l->entities, &partial, &known);
    if (!partial_evaluate(plan, &partial, &known, a, &answer, err) ||
        !partial_reauthorize(answer, req, &l->entities, a, &res, err))
        return false;
    t->classes[answer->policies[0].class]++;
    if (!is_expected(r, &res))
        return err_input(err, "another response");
    return holds(answer, &res) || err_input(err, "the answer promised something else");
}

static void run_request(struct tally *t, const struct loaded *l, const json *r, bool must_plan)
{
    ARENA_SCOPE struct arena a = {0};
    const struct cedar_policies *texts[] = {&l->policies};
    const struct partial_plan *plan;
    struct cedar_request req;
    struct err err = {0};
    if (!read_request(l->schema, &a, r, &req, &err)) {
        show(t, l->name, err.text);
        return;
    }
    if (!partial_plan_make(l->schema, texts, 1, &req.action, req.principal.type, req.resource.type,
                           &a, &plan, &err)) {
        t->invalid++;
        if (must_plan)
            show(t, l->name, err.text);
        return;
    }
    t->plans++;
    for (size_t i = 0; i < HOWS; i++) {
        bool agreed = ask(t, l, plan, &hows[i], &req, r, &a, &err);
        t->cases++;
        t->agreed += agreed;
        if (!agreed)
            show(t, l->name, err.text);
    }
}

static void one_test(void *ctx, str name)
{
    ARENA_SCOPE struct arena a = {0};
    struct tally *t = ctx;
    struct loaded l = {0};
    struct err err;
    const json *r;
    str text;
    if (!testdata_read(&t->data, &a, "corpus", name, ".json", &text) || t->tests++ % EVERY)
        return;
    if (!load(t, &a, name, &l, &err)) {
        show(t, name, err.text);
        return;
    }
    const json *test = testdata_json(&t->data, &a, "corpus", name, ".json");
    bool valid = json_bool(json_get(test, S("shouldValidate")));
    t->g.schema = l.schema;
    for (struct json_iter it = json_iter(l.requests); json_next(&it, NULL, &r);)
        run_request(t, &l, r, valid);
}

int main(int argc, char **argv)
{
    struct tally t = {.g = {.state = 3}};
    if (!testdata_open(&t.data, argc > 1 ? argv[1] : NULL))
        return TESTDATA_SKIPPED;
    testdata_each(&t.data, "corpus", ".cedarschema", one_test, &t);
    testdata_close(&t.data);
    printf("%zu tests; %zu requests (%zu of invalid policies refused); %zu of %zu agree\n", t.tests,
           t.plans, t.invalid, t.agreed, t.cases);
    for (int i = 0; i < PARTIAL_CLASSES; i++)
        printf("%s: %zu\n", partial_class_names[i], t.classes[i]);
    return t.cases > 0 && t.agreed == t.cases && t.shown == 0 ? 0 : 1;
}
