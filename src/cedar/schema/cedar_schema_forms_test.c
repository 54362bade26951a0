/* The schemas of the official corpus through every form, over data that is no part of this
 * repository (cedar-integration-tests and cedar-go, Apache-2.0; see testdata.h). For each schema:
 *
 *   text -> JSON is the official JSON, members in any order
 *   JSON, ours and the official one, -> the model of the text
 *   text -> text -> the model of the text, and printing is a fixed point
 *   resolved JSON -> the model of the text
 *   JSON -> text -> the model of the text
 *
 * Without the data the test says so and is skipped. */
#include "cedar/schema/schema_json.h"
#include "cedar/schema/schema_print.h"
#include "cedar/schema/schema_same.h"
#include "cedar/testdata.h"

#include <stdio.h>

enum { SHOWN_MAX = 20 };

struct tally {
    struct testdata data;
    size_t schemas, official, failed;
};

static bool fail(struct tally *t, str name, const char *what, str why)
{
    if (t->failed++ < SHOWN_MAX)
        printf("%.*s: %s: %.*s\n", STR(name), what, STR(why));
    return false;
}

static str first_finding(const struct cedar_diags *d)
{
    return d->count ? d->items[0].text : S("no finding");
}

struct form {
    const char *name;
    bool (*read)(struct arena *a, str text, struct schema_source *out, struct cedar_diags *d);
};
static const struct form text_form = {"text", schema_source_read},
                         json_form = {"JSON", schema_source_read_json};

/* Reads text and compares its model with the one wanted. */
static bool reads_as(struct tally *t, struct arena *a, str name, const struct form *f,
                     const char *what, str text, const struct schema *wanted,
                     struct schema_source *out)
{
    struct cedar_diags d;
    str why;
    cedar_diags_init(&d, a, name, text);
    if (!f->read(a, text, out, &d))
        return fail(t, name, what, first_finding(&d));
    return schema_same(a, wanted, out->schema, &why) || fail(t, name, what, why);
}

static str canonical(struct arena *a, str text)
{
    const struct json_limits limits = {.depth_max = 300};
    const json *v;
    struct err err;
    struct buf b = {0};
    if (!json_read(a, text, &limits, &v, &err))
        return S("");
    json_write_canonical(&b, v);
    str out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static bool official_json(struct tally *t, struct arena *a, str name, str ours,
                          const struct schema *wanted)
{
    struct schema_source again;
    str theirs;
    if (!testdata_read(&t->data, a, "schema-json", name, ".cedarschema.json", &theirs))
        return true;
    t->official++;
    str one = canonical(a, ours), two = canonical(a, theirs);
    if (one.n == 0 || !str_eq(one, two))
        return fail(t, name, "is not the official JSON", str_take(one, 200));
    return reads_as(t, a, name, &json_form, "official JSON", theirs, wanted, &again);
}

static bool all_forms(struct tally *t, struct arena *a, str name, const struct schema_source *s)
{
    struct schema_source from_json, other;
    struct err err;
    str json_text, resolved, text, again;
    if (!schema_print_json(a, s, &json_text, &err) ||
        !schema_print_resolved_json(a, s, &resolved, &err) || !schema_print_text(a, s, &text, &err))
        return fail(t, name, "cannot be printed", str_dup(a, str_z(err.text)));
    if (!official_json(t, a, name, json_text, s->schema) ||
        !reads_as(t, a, name, &json_form, "JSON", json_text, s->schema, &from_json) ||
        !reads_as(t, a, name, &json_form, "resolved JSON", resolved, s->schema, &other) ||
        !reads_as(t, a, name, &text_form, "text", text, s->schema, &other))
        return false;
    if (!schema_print_text(a, &other, &again, &err) || !str_eq(text, again))
        return fail(t, name, "prints otherwise the second time", again);
    if (!schema_print_text(a, &from_json, &again, &err))
        return fail(t, name, "JSON cannot be printed as text", str_dup(a, str_z(err.text)));
    return reads_as(t, a, name, &text_form, "text of the JSON", again, s->schema, &other);
}

static void one(void *ctx, str name)
{
    ARENA_SCOPE struct arena a = {0};
    struct tally *t = ctx;
    struct schema_source s;
    struct cedar_diags d;
    str text;
    if (!testdata_read(&t->data, &a, "corpus", name, ".cedarschema", &text))
        return;
    t->schemas++;
    cedar_diags_init(&d, &a, name, text);
    if (!schema_source_read(&a, text, &s, &d)) {
        fail(t, name, "cannot be read", first_finding(&d));
        return;
    }
    (void)all_forms(t, &a, name, &s);
}

int main(int argc, char **argv)
{
    struct tally t = {0};
    if (!testdata_open(&t.data, argc > 1 ? argv[1] : NULL))
        return TESTDATA_SKIPPED;
    testdata_each(&t.data, "corpus", ".cedarschema", one, &t);
    testdata_close(&t.data);
    printf("%zu schemas through all forms, %zu compared with the official JSON, %zu failed\n",
           t.schemas, t.official, t.failed);
    return t.failed || t.schemas < 7000 || t.official < 7000;
}
