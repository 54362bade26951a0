/* From one form of a schema to another. */
#include "cedar/calls/call.h"

typedef bool print_fn(struct arena *a, const struct schema_source *s, str *out, struct err *err);

static void convert(struct call *c, const json *input, str name, print_fn *print, bool is_json)
{
    struct schema_source source;
    struct err err;
    str made;
    if (!calls_read_schema_source(c, input, &source)) {
        calls_failure(c, false);
        return;
    }
    if (!print(c->a, &source, &made, &err)) {
        calls_fail(c, "%s", err.text);
        calls_failure(c, false);
        return;
    }
    calls_success(c);
    jw_key(&c->w, name);
    if (is_json)
        jw_raw(&c->w, made);
    else
        jw_str(&c->w, made);
    calls_write_notes(c, S("warnings"), &c->warnings);
    jw_end_obj(&c->w);
}

void calls_schema_to_json(struct call *c, const json *input)
{
    convert(c, input, S("json"), schema_print_json, true);
}

void calls_schema_to_text(struct call *c, const json *input)
{
    convert(c, input, S("text"), schema_print_text, false);
}

void calls_schema_to_resolved(struct call *c, const json *input)
{
    if (json_type(input) == JSON_STRING) {
        convert(c, input, S("json"), schema_print_resolved_json, true);
        return;
    }
    calls_fail(c, "the schema must be a text, not %s", json_type_name(json_type(input)));
    calls_failure(c, false);
}
