/* The official corpus (cedar-integration-tests, Apache-2.0): every request must get the decision,
 * the reasons and the errors that the official engine gave, with policies compiled for the test's
 * schema as without. The data is read from
 * $AMBIT_SHARED/cedar (or from an unpacked directory given as the argument) and is no part of this
 * repository; without it the test says so and is skipped. Sanitizer builds take every tenth test.
 */
#include "cedar/value/entities_json.h"
#include "cedar/eval/guard.h"
#include "cedar/schema/schema.h"
#include "cedar/testdata.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
enum { EVERY = 10 };
#else
enum { EVERY = 1 };
#endif
enum { SEED = 12345, SHOWN_MAX = 20 };

struct tally {
    size_t tests, typed, requests, agreed;
    size_t shown;
};

static bool read_file(struct arena *a, str path, str *out)
{
    FILE *f = fopen(str_dup(a, path).p, "rb");
    if (!f)
        return false;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *p = arena_alloc(a, (size_t)n + 1);
    bool ok = fread(p, 1, (size_t)n, f) == (size_t)n;
    fclose(f);
    *out = str_of(p, (size_t)n);
    return ok;
}

static void show(struct tally *t, str name, size_t request, const char *what)
{
    if (t->shown++ < SHOWN_MAX)
        printf("%.*s request %zu: %s\n", STR(name), request, what);
}

/* ---- one request ---- */

static bool names_match(const struct cedar_set *set, const json *expected, const uint32_t *numbers,
                        size_t stride, size_t count)
{
    const json *e;
    if (json_count(expected) != count)
        return false;
    for (struct json_iter it = json_iter(expected); json_next(&it, NULL, &e);) {
        bool found = false;
        for (size_t i = 0; i < count && !found; i++) {
            const uint32_t *number =
                (const uint32_t *)(const void *)((const char *)numbers + i * stride);
            found = str_eq(cedar_set_policy(set, *number)->id, json_str(e));
        }
        if (!found)
            return false;
    }
    return true;
}

static bool agrees(const struct cedar_set *set, const json *r, const struct cedar_response *res)
{
    bool allow = str_eq(json_get_str(r, S("decision")), S("allow"));
    return allow == (res->decision == CEDAR_ALLOW) &&
           names_match(set, json_get(r, S("reason")), res->reasons, sizeof *res->reasons,
                       res->reason_count) &&
           names_match(set, json_get(r, S("errors")),
                       res->error_count ? &res->errors[0].policy : NULL, sizeof *res->errors,
                       res->error_count);
}

static void run_request(struct tally *t, str name, size_t number, const struct cedar_set *set,
                        const struct cedar_entities *entities, const json *r)
{
    ARENA_SCOPE struct arena scratch = {0};
    struct cedar_request req = {0};
    struct cedar_value context;
    struct cedar_response res;
    struct err err;
    t->requests++;
    req.context = &context;
    if (!cedar_uid_from_json(json_get(r, S("principal")), &req.principal, &err) ||
        !cedar_uid_from_json(json_get(r, S("action")), &req.action, &err) ||
        !cedar_uid_from_json(json_get(r, S("resource")), &req.resource, &err) ||
        !cedar_context_from_json(&scratch, json_get(r, S("context")), NULL, &context, &err) ||
        !cedar_authorize(set, &req, entities, &scratch, &res, &err)) {
        show(t, name, number, err.text);
        return;
    }
    struct cedar_verdict guarded = cedar_guard(set, &req, entities, &scratch);
    if (!agrees(set, r, &res))
        show(t, name, number, res.error_count ? res.errors[0].text.p : "another answer");
    else if (guarded.allowed != (res.decision == CEDAR_ALLOW && res.error_count == 0))
        show(t, name, number, "the guard differs");
    else
        t->agreed++;
}

/* ---- one test ---- */

/* The hand-written tests leave it to the schema to tell a reference from a record; here {"type",
 * "id"} is always a reference, alone or in a set. (The corpus has no such record.) */
static bool read_reference(void *ctx, struct arena *a, const struct cedar_json_place *at,
                           const json *v, struct cedar_value *out, bool *taken, struct err *err)
{
    const json *e;
    size_t n = 0;
    if (json_type(v) == JSON_ARRAY) {
        struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, json_count(v));
        *taken = true;
        for (struct json_iter it = json_iter(v); *taken && json_next(&it, NULL, &e);) {
            if (json_type(e) == JSON_ARRAY)
                *taken = false;
            else if (!read_reference(ctx, a, at, e, &items[n++], taken, err))
                return false;
        }
        *out = cedar_set_of(items, n);
        return true;
    }
    struct cedar_uid *uid = ARENA_NEW(a, struct cedar_uid);
    *taken = json_count(v) == 2 && json_get(v, S("type")) && json_get(v, S("id"));
    *out = cedar_entity_value(uid);
    return !*taken || cedar_uid_from_json(v, uid, err);
}

static const struct cedar_json_hook references = {read_reference, NULL};

/* The corpus names its files as corpus-tests/..., wherever they lie. */
static bool read_named(struct arena *a, str base, str name, str *out)
{
    if (str_starts(name, S("corpus-tests/")))
        name = str_skip(name, strlen("corpus-tests/"));
    return read_file(a, str_fmt(a, "%.*s/%.*s", STR(base), STR(name)), out);
}

static bool load(struct arena *a, str base, const json *test, struct cedar_policies *policies,
                 struct cedar_entities *entities, struct err *err)
{
    str text, data;
    struct cedar_diags diags;
    const json *array;
    if (!read_named(a, base, json_get_str(test, S("policies")), &text) ||
        !read_named(a, base, json_get_str(test, S("entities")), &data))
        return err_input(err, "a file is missing");
    if (!cedar_policies_parse(a, S(""), text, policies, &diags)) {
        struct buf b = {0};
        cedar_diags_print(&diags, &b);
        err_input(err, "%.*s", STR(buf_str(&b)));
        buf_fini(&b);
        return false;
    }
    cedar_entities_init(entities, a, NULL, SEED);
    return json_read(a, data, NULL, &array, err) &&
           cedar_entities_from_json(entities, array, &references, err) &&
           cedar_entities_seal(entities, err);
}

/* NULL: the test has none that can be read. */
static const struct schema *read_schema(struct arena *a, str base, const json *test)
{
    str text;
    struct cedar_diags diags;
    const struct schema *schema;
    if (!read_named(a, base, json_get_str(test, S("schema")), &text))
        return NULL;
    cedar_diags_init(&diags, a, S("schema"), text);
    return schema_read(a, text, &schema, &diags) ? schema : NULL;
}

static void run_test(struct tally *t, str base, str folder, str name)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    str text;
    const json *test, *r;
    struct cedar_policies policies;
    struct cedar_entities entities;
    t->tests++;
    if (!read_file(&a, str_fmt(&a, "%.*s/%.*s", STR(folder), STR(name)), &text) ||
        !json_read(&a, text, NULL, &test, &err)) {
        show(t, name, 0, "cannot be read");
        t->requests++;
        return;
    }
    size_t n = json_count(json_get(test, S("requests")));
    if (!load(&a, base, test, &policies, &entities, &err)) {
        show(t, name, 0, err.text);
        t->requests += n;
        return;
    }
    const struct cedar_policies *texts[] = {&policies};
    const struct schema *schema = read_schema(&a, base, test);
    t->typed += schema != NULL;
    for (int typed = 0; typed <= (schema != NULL); typed++) {
        struct cedar_set *set = cedar_compile_typed(typed ? schema : NULL, texts, 1, SEED, &err);
        n = 0;
        for (struct json_iter it = json_iter(json_get(test, S("requests")));
             json_next(&it, NULL, &r);)
            run_request(t, name, n++, set, &entities, r);
        cedar_set_free(set);
    }
}

static bool is_test(str name)
{
    return str_ends(name, S(".json")) && !str_ends(name, S(".entities.json")) && name.p[0] != '.';
}

/* All tests of one folder; the files they name are looked for under base. */
static bool run_folder(struct tally *t, const char *folder, str base, size_t every)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    size_t seen = 0;
    if (n < 0)
        return false;
    for (int i = 0; i < n; i++) {
        str name = str_z(entries[i]->d_name);
        if (is_test(name) && seen++ % every == 0)
            run_test(t, base, str_z(folder), name);
        free(entries[i]);
    }
    free(entries);
    return t->tests > 0;
}

static bool report(const char *what, const struct tally *t)
{
    printf("%s: %zu tests, %zu with a schema; %zu of %zu answers agree\n", what, t->tests, t->typed,
           t->agreed, t->requests);
    return t->agreed == t->requests && t->typed > 0;
}

static bool run_all(const char *root)
{
    static const char *const groups[] = {"decimal", "example_use_cases", "ip", "multi"};
    ARENA_SCOPE struct arena a = {0};
    struct tally corpus = {0}, written = {0};
    const char *folder = str_fmt(&a, "%s/corpus", root).p;
    bool ok = run_folder(&corpus, folder, str_z(folder), EVERY);
    ok = report("corpus", &corpus) && ok;
    str base = str_fmt(&a, "%s/handwritten", root);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        folder = str_fmt(&a, "%s/handwritten/tests/%s", root, groups[i]).p;
        ok = run_folder(&written, folder, base, 1) && ok;
    }
    return report("hand-written tests", &written) && ok;
}

int main(int argc, char **argv)
{
    struct testdata data;
    if (!testdata_open(&data, argc > 1 ? argv[1] : NULL))
        return TESTDATA_SKIPPED;
    bool ok = run_all(data.dir);
    testdata_close(&data);
    return ok ? 0 : 1;
}
