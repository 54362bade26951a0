/* A profile (first byte), tools, and after a NUL the arguments of a call: whatever is accepted
 * conforms to the schema that was made, and reads back from its JSON. */
#include "cedar/check/conform.h"
#include "cedar/tools/tool_map.h"
#include "cedar/value/entities_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool x)
{
    if (!x)
        __builtin_trap();
}

static struct cedar_value text_record(struct arena *a, const str *names, size_t n,
                                      struct cedar_value each)
{
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, n);
    struct cedar_value out;
    for (size_t i = 0; i < n; i++)
        f[i] = (struct cedar_field){names[i], each};
    require(cedar_record_of(f, n, &out));
    return out;
}

static void facts_of_own(struct arena *a, struct tool_call *call)
{
    static const str time[] = {{"hour", 4}, {"weekday", 7}, {"unix", 4}};
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 3);
    struct cedar_field *t = ARENA_ARRAY(a, struct cedar_field, 6);
    static const str names[] = {{"id", 2}, {"purpose", 7}, {"owner", 5}};
    for (size_t i = 0; i < 3; i++)
        t[i] = (struct cedar_field){names[i], cedar_string(S("x"))};
    t[3] = (struct cedar_field){S("operations"), cedar_set_of(NULL, 0)};
    t[4] = (struct cedar_field){S("depth"), cedar_long(0)};
    t[5] = (struct cedar_field){S("callsLeft"), cedar_long(0)};
    f[0].name = S("task");
    require(cedar_record_of(t, 6, &f[0].value));
    f[1] = (struct cedar_field){S("chain"), cedar_set_of(NULL, 0)};
    f[2] = (struct cedar_field){S("time"), text_record(a, time, 3, cedar_long(1))};
    call->facts = f;
    call->fact_count = 3;
}

/* Adding an entity again is accepted only where it is the same. */
static void there_and_back(struct arena *a, const struct tool_request *r, struct cedar_entities *e)
{
    const struct json_limits limits = {.depth_max = 400};
    struct buf b = {0};
    struct cedar_value context;
    struct cedar_entities again;
    const json *v;
    struct err err;
    if (cedar_value_to_json(&b, &r->context, &err)) {
        require(json_read(a, buf_str(&b), &limits, &v, &err));
        require(cedar_context_from_json(a, v, NULL, &context, &err));
        require(cedar_value_eq(&context, &r->context));
    }
    buf_clear(&b);
    if (cedar_entities_to_json(&b, e, &err)) {
        require(json_read(a, buf_str(&b), &limits, &v, &err));
        cedar_entities_init(&again, a, NULL, 1);
        require(cedar_entities_from_json(&again, v, NULL, &err) && again.count == e->count);
        for (size_t i = 0; i < e->count; i++)
            require(cedar_entities_add(&again, e->items[i], &err));
    }
    buf_fini(&b);
}

static void call_all(struct arena *a, const struct tool_map *m, const json *tools,
                     struct tool_call *call)
{
    const json *one, *array = json_get(tools, S("tools"));
    for (struct json_iter it = json_iter(array ? array : tools); json_next(&it, NULL, &one);) {
        struct cedar_entities e;
        struct tool_request r;
        struct conform_fault f;
        struct err err;
        call->tool = json_get_str(one, S("name"));
        cedar_entities_init(&e, a, NULL, 1);
        if (!tool_request(a, m, call, &e, &r, &err))
            continue;
        require(conform_request(m->schema, &r.principal, &r.action, &r.resource, &r.context, &f));
        require(cedar_entities_seal(&e, &err));
        for (size_t i = 0; i < e.count; i++)
            require(conform_entity(m->schema, e.items[i], &f));
        there_and_back(a, &r, &e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const str names[] = {
        {"own", 3}, {"mcp-generated", 13}, {"agentcore", 9}, {"toolhive", 8}};
    ARENA_SCOPE struct arena a = {0};
    const struct json_limits limits = {.values_max = 2000};
    const json *tools, *args;
    const struct tool_map *m;
    str tools_text, args_text;
    struct err err;
    if (size < 1 || size > 16 << 10)
        return 0;
    (void)str_cut(str_of((const char *)data + 1, size - 1), '\0', &tools_text, &args_text);
    struct tool_options o = {.objects_as_records = data[0] & 4,
                             .numbers_as_decimal = data[0] & 8,
                             .flatten_namespaces = data[0] & 16,
                             .outputs = data[0] & 32};
    if (!json_read(&a, tools_text, &limits, &tools, &err) ||
        !tool_map_read(&a, tool_profile(names[data[0] & 3]), S("srv"), tools, &o, &m, &err) ||
        !json_read(&a, args_text, &limits, &args, &err))
        return 0;
    struct tool_call call = {.args = args, .principal.id = S("desk")};
    if ((data[0] & 3) == 0) {
        facts_of_own(&a, &call);
        require(json_read(&a,
                          S("{\"name\":\"a\",\"owner\":\"b\",\"tier\":\"c\",\"model\":\"d\","
                            "\"status\":\"e\",\"assessed\":false}"),
                          NULL, &call.principal.claims, &err));
    }
    call_all(&a, m, tools, &call);
    return 0;
}
