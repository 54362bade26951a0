/* Any bytes as a schema, in JSON or (where they do not begin with a brace) in the human syntax.
 * What is accepted is printed in every form and read again: each form has the same model. */
#include "cedar/schema/schema_json.h"
#include "cedar/schema/schema_print.h"
#include "cedar/schema/schema_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool x)
{
    if (!x)
        __builtin_trap();
}

static bool read_form(struct arena *a, bool is_json, str text, struct schema_source *out)
{
    struct cedar_diags d;
    struct buf b = {.max = 1 << 20};
    cedar_diags_init(&d, a, S("fuzz"), text);
    bool ok = (is_json ? schema_source_read_json : schema_source_read)(a, text, out, &d);
    require(ok == (d.errors == 0));
    for (size_t i = 0; i < d.count; i++)
        require(d.items[i].span.start <= d.items[i].span.end && d.items[i].span.end <= text.n);
    cedar_diags_print(&d, &b);
    buf_fini(&b);
    return ok;
}

static void again(struct arena *a, bool is_json, str text, const struct schema *wanted)
{
    struct schema_source s;
    str why;
    require(read_form(a, is_json, text, &s));
    require(schema_same(a, wanted, s.schema, &why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    str text = str_of((const char *)data, size), out;
    struct schema_source s;
    struct err err;
    if (size > 16 << 10 || !read_form(&a, str_starts(text, S("{")), text, &s))
        return 0;
    if (schema_print_json(&a, &s, &out, &err))
        again(&a, true, out, s.schema);
    else
        require(err.kind == ERR_LIMIT);
    if (schema_print_resolved_json(&a, &s, &out, &err))
        again(&a, true, out, s.schema);
    else
        require(err.kind == ERR_LIMIT);
    if (schema_print_text(&a, &s, &out, &err))
        again(&a, false, out, s.schema);
    return 0;
}
