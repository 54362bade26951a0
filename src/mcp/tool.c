#include "mcp/tool.h"

#include "base/limits.h"
#include "mcp/tool_parts.h"

/* Members that, where present, must be of one type: a client refuses a whole list for one bad
 * definition. */
static const struct member_type {
    str name;
    enum json_type type;
} MEMBERS[] = {
    {{"title", 5}, JSON_STRING},        {{"description", 11}, JSON_STRING},
    {{"inputSchema", 11}, JSON_OBJECT}, {{"outputSchema", 12}, JSON_OBJECT},
    {{"annotations", 11}, JSON_OBJECT}, {{"icons", 5}, JSON_ARRAY},
    {{"execution", 9}, JSON_OBJECT},    {{"_meta", 5}, JSON_OBJECT},
};

static bool check_members(const json *def, struct err *err)
{
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        enum json_type t = json_type(json_get(def, MEMBERS[i].name));
        if (t != JSON_ABSENT && t != MEMBERS[i].type)
            return err_peer(err, "%.*s must be %s, got %s", STR(MEMBERS[i].name),
                            json_type_name(MEMBERS[i].type), json_type_name(t));
    }
    if (!str_eq(json_get_str(json_get(def, S("inputSchema")), S("type")), S("object")))
        return err_peer(err, "inputSchema must say \"type\": \"object\"");
    return true;
}

static bool canonical_text(struct arena *a, const json *def, str *out, struct err *err)
{
    struct buf b = {.max = MCP_DEFINITION_BYTES_MAX};
    json_write_canonical(&b, def);
    bool fits = !b.over;
    if (fits)
        *out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return fits || err_limit(err, "the definition is over %d bytes", MCP_DEFINITION_BYTES_MAX);
}

bool mcp_tool_read(struct arena *a, const json *definition, struct mcp_tool *out, struct err *err)
{
    if (json_type(definition) != JSON_OBJECT)
        return err_peer(err, "a tool definition must be an object, got %s",
                        json_type_name(json_type(definition)));
    struct mcp_tool t = {
        .name = json_get_str(definition, S("name")),
        .definition = definition,
        .input_schema = json_get(definition, S("inputSchema")),
        .output_schema = json_get(definition, S("outputSchema")),
    };
    if (!mcp_is_tool_name(t.name))
        return err_peer(err, "a tool name must be 1 to %d of A-Z a-z 0-9 _ - .",
                        MCP_UPSTREAM_NAME_BYTES_MAX);
    if (!check_members(definition, err) ||
        !mcp_read_params(a, t.input_schema, &t.params, &t.param_count, err) ||
        !canonical_text(a, definition, &t.canonical, err))
        return err_in(err, "tool %.*s", STR(t.name));
    *out = t;
    return true;
}
