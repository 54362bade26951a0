/* Our side of tests/cedar/tools.py: tools as a schema, a call as a request, both in the profile
 * mcp-generated. One JSON object a line, as tests/cedar/generator.cjs takes it:
 *
 *     {"stub": text, "tools": JSON text, "options": {..}, "input": JSON text or null}
 *     {"schema": text}  or  {"action", "context", "entities"}  or  {"error": text} */
#include "cedar/tools/tool_map.h"
#include "cedar/value/entities_json.h"

#include <stdio.h>
#include <stdlib.h>

static const struct json_limits limits = {.depth_max = 400};

static struct tool_options options_of(const json *asked)
{
    const json *o = json_get(asked, S("options")), *erase = json_get(o, S("eraseAnnotations"));
    return (struct tool_options){
        .stub = json_get_str(asked, S("stub")),
        .outputs = json_bool(json_get(o, S("includeOutputs"))),
        .objects_as_records = json_bool(json_get(o, S("objectsAsRecords"))),
        .numbers_as_decimal = json_bool(json_get(o, S("numbersAsDecimal"))),
        .flatten_namespaces = json_bool(json_get(o, S("flattenNamespaces"))),
        .keep_annotations = erase && !json_bool(erase)};
}

/* The members of the answer to a call. */
static bool put_request(struct arena *a, struct buf *out, const struct tool_map *m, str input,
                        struct err *err)
{
    struct tool_call call = {.principal.id = S("ann")};
    struct cedar_entities entities;
    struct tool_request r;
    const json *v;
    if (!json_read(a, input, &limits, &v, err))
        return false;
    v = json_get(v, S("params"));
    call.tool = json_get_str(v, S("tool"));
    call.args = json_get(v, S("args"));
    cedar_entities_init(&entities, a, NULL, 1);
    if (!tool_request(a, m, &call, &entities, &r, err) || !cedar_entities_seal(&entities, err))
        return false;
    struct buf action = {0};
    cedar_uid_print(&action, &r.action);
    buf_put(out, S("\"action\":"));
    json_write_str(out, buf_str(&action));
    buf_fini(&action);
    buf_put(out, S(",\"context\":"));
    if (!cedar_value_to_json(out, &r.context, err))
        return false;
    buf_put(out, S(",\"entities\":"));
    return cedar_entities_to_json(out, &entities, err);
}

static bool put_answer(struct arena *a, struct buf *out, const json *asked, struct err *err)
{
    struct tool_options options = options_of(asked);
    const struct tool_map *m;
    const json *tools, *input = json_get(asked, S("input"));
    if (!json_read(a, json_get_str(asked, S("tools")), &limits, &tools, err) ||
        !tool_map_read(a, tool_profile(S("mcp-generated")), S("srv"), tools, &options, &m, err))
        return false;
    if (json_type(input) == JSON_STRING)
        return put_request(a, out, m, json_str(input), err);
    buf_put(out, S("\"schema\":"));
    json_write_str(out, m->text);
    return true;
}

static void answer(str line)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf out = {0};
    struct err err;
    const json *asked;
    buf_putc(&out, '{');
    if (!json_read(&a, line, &limits, &asked, &err) || !put_answer(&a, &out, asked, &err)) {
        buf_clear(&out);
        buf_put(&out, S("{\"error\":"));
        json_write_str(&out, str_z(err.text));
    }
    buf_put(&out, S("}\n"));
    (void)fwrite(buf_str(&out).p, 1, buf_len(&out), stdout);
    buf_fini(&out);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;)
        answer(str_of(line, (size_t)n));
    free(line);
    return 0;
}
