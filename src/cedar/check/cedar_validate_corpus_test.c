/* Verdicts of the official validator, over data that is no part of this repository
 * (cedar-integration-tests and cedar-go, Apache-2.0; see testdata.h):
 *
 *   corpus           7,809 generated tests: does the policy pass strict validation; and do all its
 *                    requests and entities conform (in the data they all do)
 *   validation       the permissive verdicts for 7,750 of them
 *   validator-cases  110 written by hand: per policy, per request, per entity
 *   entity-cases     entities read with the schema at hand, good and bad
 *
 * Without the data the test says so and is skipped. Sanitizer builds read the requests and entities
 * of every tenth corpus test only; the verdicts on policies are always all compared. */
#include "cedar/check/conform.h"
#include "cedar/policy/parse.h"
#include "cedar/testdata.h"
#include "cedar/schema/schema_json.h"
#include "cedar/schema/schema_print.h"
#include "cedar/schema/typed_json.h"
#include "cedar/check/validate.h"

#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
enum { EVERY = 10 };
#else
enum { EVERY = 1 };
#endif
enum { SHOWN_MAX = 40, SEED = 12345 };

enum measure {
    STRICT,
    PERMISSIVE,
    STRICT_JSON,
    CORPUS_REQUESTS,
    CORPUS_ENTITIES,
    CASE_STRICT,
    CASE_PERMISSIVE,
    CASE_REQUESTS,
    CASE_ENTITIES,
    ENTITY_CASES,
    MEASURES,
};
static const char *const measure_names[MEASURES] = {
    [STRICT] = "corpus policies, strict",
    [PERMISSIVE] = "corpus policies, permissive",
    [STRICT_JSON] = "corpus policies, strict, schema from JSON",
    [CORPUS_REQUESTS] = "corpus requests that conform",
    [CORPUS_ENTITIES] = "corpus entities that conform",
    [CASE_STRICT] = "hand-written policies, strict",
    [CASE_PERMISSIVE] = "hand-written policies, permissive",
    [CASE_REQUESTS] = "hand-written requests",
    [CASE_ENTITIES] = "hand-written entities",
    [ENTITY_CASES] = "entities read with the schema",
};

struct tally {
    struct testdata data;
    size_t agreed[MEASURES], total[MEASURES], refused[MEASURES];
    size_t shown, tests;
};

static void count(struct tally *t, enum measure m, str name, bool want, bool got, const char *why)
{
    t->total[m]++;
    t->refused[m] += !want;
    t->agreed[m] += want == got;
    if (want != got && t->shown++ < SHOWN_MAX)
        printf("%s: %.*s: official %d, ours %d %s\n", measure_names[m], STR(name), want, got, why);
}

/* ---- loading ---- */

struct loaded {
    const struct schema *schema;
    struct cedar_policies policies;
    struct cedar_diags diags;
};

static bool load(struct tally *t, struct arena *a, const char *sub, str name, struct loaded *out)
{
    str schema, policies;
    struct cedar_diags d;
    if (!testdata_read(&t->data, a, sub, name, ".cedarschema", &schema) ||
        !testdata_read(&t->data, a, sub, name, ".cedar", &policies))
        return false;
    cedar_diags_init(&d, a, name, schema);
    return schema_read(a, schema, &out->schema, &d) &&
           cedar_policies_parse(a, name, policies, &out->policies, &out->diags);
}

static bool passes(struct arena *a, const struct loaded *l, enum validate_mode mode)
{
    struct cedar_diags d;
    cedar_diags_init(&d, a, S(""), l->policies.text);
    return validate_policies(l->schema, &l->policies, &(struct validate_options){.mode = mode}, &d);
}

/* The same when the schema has been through JSON. */
static bool passes_from_json(struct arena *a, const struct loaded *l)
{
    struct loaded again = *l;
    struct schema_source source;
    struct cedar_diags d;
    struct err err;
    str text;
    cedar_diags_init(&d, a, S(""), l->schema->text);
    return schema_source_read(a, l->schema->text, &source, &d) &&
           schema_print_json(a, &source, &text, &err) &&
           schema_read_json(a, text, &again.schema, &d) && passes(a, &again, VALIDATE_STRICT);
}

/* ---- requests ---- */

static bool request_conforms(struct arena *a, const struct schema *s, const json *r,
                             struct conform_fault *f)
{
    struct cedar_uid p, x, res;
    struct cedar_value context;
    struct err err;
    if (!cedar_uid_from_json(json_get(r, S("principal")), &p, &err) ||
        !cedar_uid_from_json(json_get(r, S("action")), &x, &err) ||
        !cedar_uid_from_json(json_get(r, S("resource")), &res, &err))
        return false;
    struct typed_json typed = {s, schema_action(s, &x)};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    return cedar_context_from_json(a, json_get(r, S("context")), &hook, &context, &err) &&
           conform_request(s, &p, &x, &res, &context, f);
}

/* ---- entities ---- */

static bool entities_read(struct arena *a, const struct schema *s, const json *array,
                          struct cedar_entities *out, struct err *err)
{
    struct typed_json typed = {s, NULL};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    cedar_entities_init(out, a, NULL, SEED);
    return cedar_entities_from_json(out, array, &hook, err) && cedar_entities_seal(out, err);
}

/* ---- the generated corpus ---- */

static void corpus_values(struct tally *t, struct arena *a, str name, const struct schema *s)
{
    const json *test = testdata_json(&t->data, a, "corpus", name, ".json"), *r;
    struct conform_fault f = {0};
    struct err err;
    for (struct json_iter it = json_iter(json_get(test, S("requests"))); json_next(&it, NULL, &r);)
        count(t, CORPUS_REQUESTS, name, true, request_conforms(a, s, r, &f), f.text);
    struct cedar_entities entities;
    if (!entities_read(a, s, testdata_json(&t->data, a, "corpus", name, ".entities.json"),
                       &entities, &err)) {
        count(t, CORPUS_ENTITIES, name, true, false, err.text);
        return;
    }
    for (size_t i = 0; i < entities.count; i++)
        count(t, CORPUS_ENTITIES, name, true, conform_entity(s, entities.items[i], &f), f.text);
}

static void corpus_one(void *ctx, str name)
{
    ARENA_SCOPE struct arena a = {0};
    struct tally *t = ctx;
    struct loaded l;
    str text;
    if (!testdata_read(&t->data, &a, "corpus", name, ".json", &text))
        return;
    bool want = str_find(text, S("\"shouldValidate\": true")) >= 0;
    if (!load(t, &a, "corpus", name, &l)) {
        count(t, STRICT, name, want, !want, "cannot be read");
        return;
    }
    count(t, STRICT, name, want, passes(&a, &l, VALIDATE_STRICT), "");
    count(t, STRICT_JSON, name, want, passes_from_json(&a, &l), "");
    const json *official = testdata_json(&t->data, &a, "validation", name, ".validation.json");
    const json *verdict = json_get(json_get(official, S("policyValidation")), S("permissive"));
    if (verdict)
        count(t, PERMISSIVE, name, json_bool(verdict), passes(&a, &l, VALIDATE_PERMISSIVE), "");
    if (t->tests++ % EVERY == 0)
        corpus_values(t, &a, name, l.schema);
}

/* ---- cases by hand ---- */

static void case_policies(struct tally *t, struct arena *a, str name, const struct loaded *l,
                          const json *official)
{
    const json *per = json_get(json_get(official, S("policyValidation")), S("perPolicy"));
    for (size_t i = 0; i < l->policies.count; i++) {
        const struct cedar_policy *p = &l->policies.items[i];
        const json *want = json_get(per, p->id);
        struct cedar_diags d;
        cedar_diags_init(&d, a, name, l->policies.text);
        count(t, CASE_STRICT, name, json_bool(json_get(want, S("strict"))),
              validate_policy(l->schema, p, NULL, &d), p->id.p);
        count(t, CASE_PERMISSIVE, name, json_bool(json_get(want, S("permissive"))),
              validate_policy(l->schema, p, &(struct validate_options){.mode = VALIDATE_PERMISSIVE},
                              &d),
              p->id.p);
    }
}

static void case_requests(struct tally *t, struct arena *a, str name, const struct loaded *l,
                          const json *official)
{
    const json *test = testdata_json(&t->data, a, "validator-cases", name, ".json"), *r, *want;
    struct json_iter wants = json_iter(json_get(official, S("requestValidation")));
    struct conform_fault f = {0};
    for (struct json_iter it = json_iter(json_get(test, S("requests")));
         json_next(&it, NULL, &r) && json_next(&wants, NULL, &want);)
        count(t, CASE_REQUESTS, name, json_bool(json_get(want, S("strict"))),
              request_conforms(a, l->schema, r, &f), f.text);
}

static void case_entities(struct tally *t, struct arena *a, str name, const struct loaded *l,
                          const json *official)
{
    const json *array = testdata_json(&t->data, a, "validator-cases", name, ".entities.json");
    const json *per = json_get(json_get(official, S("entityValidation")), S("perEntity"));
    struct cedar_entities entities;
    struct conform_fault f = {0};
    struct err err;
    cedar_entities_init(&entities, a, NULL, SEED);
    if (!cedar_entities_from_json(&entities, array, NULL, &err) ||
        !cedar_entities_seal(&entities, &err)) {
        count(t, CASE_ENTITIES, name, true, false, err.text);
        return;
    }
    for (size_t i = 0; i < entities.count; i++) {
        const struct cedar_entity *e = entities.items[i];
        const json *want =
            json_get(per, str_fmt(a, "%.*s::%.*s", STR(e->uid.type), STR(e->uid.id)));
        count(t, CASE_ENTITIES, name, want && json_count(json_get(want, S("errors"))) == 0,
              conform_entity(l->schema, e, &f), f.text);
    }
}

static void case_one(void *ctx, str name)
{
    ARENA_SCOPE struct arena a = {0};
    struct tally *t = ctx;
    struct loaded l;
    const json *official = testdata_json(&t->data, &a, "validator-cases", name, ".validation.json");
    if (!load(t, &a, "validator-cases", name, &l)) {
        count(t, CASE_STRICT, name, true, false, "cannot be read");
        return;
    }
    case_policies(t, &a, name, &l, official);
    case_requests(t, &a, name, &l, official);
    case_entities(t, &a, name, &l, official);
}

/* Entities that must, or must not, be readable and conform. */
static void entity_case(void *ctx, str name)
{
    ARENA_SCOPE struct arena a = {0};
    struct tally *t = ctx;
    str text;
    const struct schema *s;
    struct cedar_diags d;
    const json *test = testdata_json(&t->data, &a, "entity-cases", name, ".json");
    const json *official = testdata_json(&t->data, &a, "entity-cases", name, ".parsing.json");
    str schema = json_get_str(test, S("schema"));
    if (!official || !testdata_read(&t->data, &a, "entity-cases", schema, "", &text))
        return;
    cedar_diags_init(&d, &a, schema, text);
    bool want = json_bool(json_get(json_get(official, S("allEntities")), S("success")));
    const json *array =
        testdata_json(&t->data, &a, "entity-cases", json_get_str(test, S("entities")), "");
    struct cedar_entities entities;
    struct conform_fault f = {0};
    struct err err = {0};
    bool got =
        array && schema_read(&a, text, &s, &d) && entities_read(&a, s, array, &entities, &err);
    for (size_t i = 0; got && i < entities.count; i++)
        got = conform_entity(s, entities.items[i], &f);
    count(t, ENTITY_CASES, name, want, got, err.text[0] ? err.text : f.text);
}

int main(int argc, char **argv)
{
    struct tally t = {0};
    if (!testdata_open(&t.data, argc > 1 ? argv[1] : NULL))
        return TESTDATA_SKIPPED;
    testdata_each(&t.data, "corpus", ".cedarschema", corpus_one, &t);
    testdata_each(&t.data, "validator-cases", ".validation.json", case_one, &t);
    testdata_each(&t.data, "entity-cases", ".parsing.json", entity_case, &t);
    testdata_close(&t.data);
    bool ok = t.total[STRICT] > 0;
    for (int m = 0; m < MEASURES; m++) {
        printf("%-36s %zu of %zu agree (%zu to be refused)\n", measure_names[m], t.agreed[m],
               t.total[m], t.refused[m]);
        ok = ok && t.agreed[m] == t.total[m];
    }
    return ok ? 0 : 1;
}
