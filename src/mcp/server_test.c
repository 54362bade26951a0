#include "mcp/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Field lists in short: 'name: value' lines. */
enum { FIELDS_MAX = 16 };

static size_t fields_of(str text, struct mcp_field *out)
{
    size_t n = 0;
    str line, rest;
    while (text.n && n < FIELDS_MAX) {
        str_cut(text, '\n', &line, &rest);
        str_cut(line, ':', &out[n].name, &out[n].value);
        n++;
        text = rest;
    }
    return n;
}

#define BASIC    "Accept: application/json, text/event-stream\nContent-Type: application/json\n"
#define MODERN_V BASIC "MCP-Protocol-Version: 2026-07-28\n"
#define M_LIST   MODERN_V "Mcp-Method: tools/list"
#define M_CALL   MODERN_V "Mcp-Method: tools/call\nMcp-Name: a__t"
#define LEGACY   BASIC "Mcp-Session-Id: s1\nMCP-Protocol-Version: 2025-11-25"

#define META                                                                                       \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define BODY(method, params)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" method "\",\"params\":{" params "}}"

struct row {
    const char *name;
    const char *http_method;
    const char *fields, *body;
    enum mcp_what what; /* with status 0 */
    int status;         /* else refused so */
    int code;           /* JSON-RPC code in the body; 0: no body */
};

static const struct row ROWS[] = {
    /* modern */
    {"list", "POST", M_LIST, BODY("tools/list", META), MCP_TOOLS_LIST, 0, 0},
    {"call", "POST", M_CALL, BODY("tools/call", META ",\"name\":\"a__t\",\"arguments\":{\"x\":1}"),
     MCP_TOOLS_CALL, 0, 0},
    {"discover", "POST", MODERN_V "mcp-method: server/discover", BODY("server/discover", META),
     MCP_DISCOVER, 0, 0},
    {"blanks around the name", "POST", MODERN_V "Mcp-Method:  tools/call \nMcp-Name: \t a__t ",
     BODY("tools/call", META ",\"name\":\"a__t\""), MCP_TOOLS_CALL, 0, 0},
    {"encoded name", "POST", MODERN_V "Mcp-Method: tools/call\nMcp-Name: =?base64?YV9fdA==?=",
     BODY("tools/call", META ",\"name\":\"a__t\""), MCP_TOOLS_CALL, 0, 0},
    {"a session id is ignored", "POST", M_LIST "\nMcp-Session-Id: zzz", BODY("tools/list", META),
     MCP_TOOLS_LIST, 0, 0},
    {"Accept is one type", "POST",
     "Accept: application/json\nContent-Type: application/json\nMCP-Protocol-Version: "
     "2026-07-28\nMcp-Method: tools/list",
     BODY("tools/list", META), MCP_TOOLS_LIST, 0, 0},
    {"Accept is useless", "POST",
     "Accept: text/html\nContent-Type: application/json\nMCP-Protocol-Version: "
     "2026-07-28\nMcp-Method: tools/list",
     BODY("tools/list", META), 0, 406, -32600},
    {"notification", "POST", MODERN_V,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
     MCP_OTHER_NOTIFICATION, 0, 0},
    {"notification with another method", "POST", M_LIST, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}",
     0, 400, -32020},
    {"response", "POST", MODERN_V, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 0, 400, -32600},
    {"initialize is gone", "POST", MODERN_V "Mcp-Method: initialize", BODY("initialize", META), 0,
     404, -32601},
    {"ping is gone", "POST", MODERN_V "Mcp-Method: ping", BODY("ping", META), 0, 404, -32601},
    {"listen is not offered", "POST", MODERN_V "Mcp-Method: subscriptions/listen",
     BODY("subscriptions/listen", META), 0, 404, -32601},
    {"unknown method", "POST", MODERN_V "Mcp-Method: x/y", BODY("x/y", META), 0, 404, -32601},
    {"no version field", "POST", BASIC "Mcp-Method: tools/list", BODY("tools/list", META), 0, 400,
     -32020},
    {"two version fields", "POST", M_LIST "\nMCP-Protocol-Version: 2026-07-28",
     BODY("tools/list", META), 0, 400, -32020},
    {"version differs", "POST", BASIC "MCP-Protocol-Version: 2025-11-25\nMcp-Method: tools/list",
     BODY("tools/list", META), 0, 400, -32020},
    {"no method field", "POST", MODERN_V, BODY("tools/list", META), 0, 400, -32020},
    {"method differs", "POST", MODERN_V "Mcp-Method: tools/call", BODY("tools/list", META), 0, 400,
     -32020},
    {"method in another case", "POST", MODERN_V "Mcp-Method: Tools/List", BODY("tools/list", META),
     0, 400, -32020},
    {"no name field", "POST", MODERN_V "Mcp-Method: tools/call",
     BODY("tools/call", META ",\"name\":\"a__t\""), 0, 400, -32020},
    {"name differs", "POST", MODERN_V "Mcp-Method: tools/call\nMcp-Name: a__u",
     BODY("tools/call", META ",\"name\":\"a__t\""), 0, 400, -32020},
    {"name twice", "POST", M_CALL "\nMcp-Name: a__u", BODY("tools/call", META ",\"name\":\"a__t\""),
     0, 400, -32020},
    {"badly encoded name", "POST", MODERN_V "Mcp-Method: tools/call\nMcp-Name: =?base64?YV9fdA?=",
     BODY("tools/call", META ",\"name\":\"a__t\""), 0, 400, -32020},
    {"no params", "POST", M_LIST, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\"}", 0,
     400, -32602},
    {"no meta", "POST", M_LIST, BODY("tools/list", ""), 0, 400, -32602},
    {"meta is a string", "POST", M_LIST, BODY("tools/list", "\"_meta\":\"x\""), 0, 400, -32602},
    {"no version in meta", "POST", M_LIST,
     BODY("tools/list", "\"_meta\":{\"io.modelcontextprotocol/clientCapabilities\":{}}"), 0, 400,
     -32602},
    {"version in meta is a number", "POST", M_LIST,
     BODY("tools/list", "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":1}"), 0, 400,
     -32602},
    {"no capabilities", "POST", M_LIST,
     BODY("tools/list", "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}"),
     0, 400, -32602},
    {"clientInfo without name", "POST", M_LIST,
     BODY("tools/list",
          "\"_meta\":{\"io.modelcontextprotocol/"
          "protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/"
          "clientCapabilities\":{},\"io.modelcontextprotocol/clientInfo\":{\"version\":\"1\"}}"),
     0, 400, -32602},
    {"unknown version", "POST", BASIC "MCP-Protocol-Version: 1900-01-01\nMcp-Method: tools/list",
     BODY("tools/list",
          "\"_meta\":{\"io.modelcontextprotocol/"
          "protocolVersion\":\"1900-01-01\",\"io.modelcontextprotocol/clientCapabilities\":{}}"),
     0, 400, -32022},
    {"legacy version in meta", "POST",
     BASIC "MCP-Protocol-Version: 2025-11-25\nMcp-Method: tools/list",
     BODY("tools/list",
          "\"_meta\":{\"io.modelcontextprotocol/"
          "protocolVersion\":\"2025-11-25\",\"io.modelcontextprotocol/clientCapabilities\":{}}"),
     0, 400, -32022},
    {"call without name", "POST", M_CALL, BODY("tools/call", META), 0, 200, -32602},
    {"arguments are an array", "POST", M_CALL,
     BODY("tools/call", META ",\"name\":\"a__t\",\"arguments\":[]"), 0, 200, -32602},
    {"cursor is a number", "POST", M_LIST, BODY("tools/list", META ",\"cursor\":1"), 0, 200,
     -32602},
    {"progress token is an object", "POST", M_LIST,
     BODY("tools/list", "\"_meta\":{\"io.modelcontextprotocol/"
                        "protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/"
                        "clientCapabilities\":{},\"progressToken\":{}}"),
     0, 200, -32602},
    {"batch", "POST", M_LIST, "[" BODY("tools/list", META) "]", 0, 400, -32600},
    {"no JSON", "POST", M_LIST, "{", 0, 400, -32700},
    {"GET", "GET", MODERN_V, "", 0, 405, 0},
    {"GET with a session and a modern version", "GET", MODERN_V "Mcp-Session-Id: s1", "", 0, 405,
     0},

    /* legacy */
    {"initialize", "POST", BASIC,
     BODY("initialize", "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}"), MCP_INITIALIZE,
     0, 0},
    {"initialize of long ago", "POST", BASIC,
     BODY("initialize", "\"protocolVersion\":\"2024-11-05\""), MCP_INITIALIZE, 0, 0},
    {"initialize after a discovery", "POST", MODERN_V,
     BODY("initialize", "\"protocolVersion\":\"2025-11-25\""), MCP_INITIALIZE, 0, 0},
    {"initialize without version", "POST", BASIC, BODY("initialize", ""), 0, 200, -32602},
    {"legacy list", "POST", LEGACY, BODY("tools/list", "\"cursor\":\"\""), MCP_TOOLS_LIST, 0, 0},
    {"legacy call", "POST", LEGACY, BODY("tools/call", "\"name\":\"t\""), MCP_TOOLS_CALL, 0, 0},
    {"legacy call under a modern version", "POST",
     BASIC "Mcp-Session-Id: s1\nMCP-Protocol-Version: 2026-07-28",
     BODY("tools/call", "\"name\":\"t\""), MCP_TOOLS_CALL, 0, 0},
    {"legacy without version", "POST", BASIC "Mcp-Session-Id: s1", BODY("tools/list", ""),
     MCP_TOOLS_LIST, 0, 0},
    {"legacy ping", "POST", LEGACY, BODY("ping", ""), MCP_PING, 0, 0},
    {"initialized", "POST", LEGACY,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", MCP_INITIALIZED, 0, 0},
    {"cancelled", "POST", LEGACY,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
     "cancelled\",\"params\":{\"requestId\":\"x\"}}",
     MCP_CANCELLED, 0, 0},
    {"cancelled nothing", "POST", LEGACY,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}", 0, 400, -32602},
    {"other notification", "POST", LEGACY, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}",
     MCP_OTHER_NOTIFICATION, 0, 0},
    {"response of a client", "POST", LEGACY, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
     MCP_CLIENT_RESPONSE, 0, 0},
    {"request as notification", "POST", LEGACY,
     "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
     MCP_OTHER_NOTIFICATION, 0, 0},
    {"legacy unknown method", "POST", LEGACY, BODY("prompts/list", ""), MCP_UNKNOWN, 0, 0},
    {"legacy discover", "POST", LEGACY, BODY("server/discover", ""), MCP_UNKNOWN, 0, 0},
    {"one Accept", "POST",
     "Accept: application/json\nContent-Type: application/json\nMcp-Session-Id: s1",
     BODY("tools/list", ""), 0, 406, -32600},
    {"no Accept", "POST", "Content-Type: application/json\nMcp-Session-Id: s1",
     BODY("tools/list", ""), 0, 406, -32600},
    {"two Accepts", "POST",
     "Accept: application/json\nAccept: text/event-stream\nContent-Type: "
     "application/json\nMcp-Session-Id: s1",
     BODY("tools/list", ""), MCP_TOOLS_LIST, 0, 0},
    {"unknown legacy version", "POST", BASIC "Mcp-Session-Id: s1\nMCP-Protocol-Version: 1.0",
     BODY("tools/list", ""), 0, 400, -32600},
    {"session twice", "POST", LEGACY "\nMcp-Session-Id: s2", BODY("tools/list", ""), 0, 400,
     -32600},
    {"session with a blank", "POST", BASIC "Mcp-Session-Id: s 1", BODY("tools/list", ""), 0, 400,
     -32600},
    {"session is empty", "POST", BASIC "Mcp-Session-Id:", BODY("tools/list", ""), 0, 400, -32600},
    {"GET with a session", "GET", "Accept: text/event-stream\nMcp-Session-Id: s1", "",
     MCP_OPEN_STREAM, 0, 0},
    {"GET without", "GET", "Accept: text/event-stream", "", 0, 405, 0},
    {"GET for HTML", "GET", "Accept: text/html\nMcp-Session-Id: s1", "", 0, 405, 0},
    {"DELETE", "DELETE", "Mcp-Session-Id: s1", "", MCP_END_SESSION, 0, 0},
    {"DELETE without", "DELETE", "X: y", "", 0, 405, 0},
    {"PUT", "PUT", LEGACY, "{}", 0, 405, 0},
    {"post in small letters", "post", LEGACY, BODY("tools/list", ""), 0, 405, 0},

    /* both */
    {"no Content-Type", "POST", "Accept: */*", BODY("tools/list", ""), 0, 415, -32600},
    {"form", "POST", "Accept: */*\nContent-Type: application/x-www-form-urlencoded",
     BODY("tools/list", ""), 0, 415, -32600},
    {"Origin of a stranger", "POST", M_LIST "\nOrigin: https://evil.example",
     BODY("tools/list", META), 0, 403, -32600},
    {"Origin null", "POST", M_LIST "\nOrigin: null", BODY("tools/list", META), 0, 403, -32600},
    {"Origin twice", "POST", M_LIST "\nOrigin: https://good.example\nOrigin: https://good.example",
     BODY("tools/list", META), 0, 403, -32600},
    {"Origin allowed", "POST", M_LIST "\nOrigin: https://good.example", BODY("tools/list", META),
     MCP_TOOLS_LIST, 0, 0},
    {"Origin before the body is read", "POST", "Origin: https://evil.example", "{", 0, 403, -32600},
    {"Origin on GET", "GET", "Origin: https://evil.example", "", 0, 403, -32600},
};

static int code_in(struct arena *a, str body, str *id)
{
    const json *v;
    struct err err;
    int64_t code = 0;
    if (body.n == 0)
        return 0;
    if (!json_read(a, body, NULL, &v, &err) ||
        !json_i64(json_get(json_get(v, S("error")), S("code")), &code))
        fail_msg("not an error: %.*s", STR(body));
    *id = json_number(json_get(v, S("id")));
    return (int)code;
}

static void test_rows(void **state)
{
    (void)state;
    const str origins[] = {S("https://good.example")};
    const struct mcp_server_rules rules = {.origins = origins, .origin_count = 1};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        const struct row *r = &ROWS[i];
        struct mcp_field f[FIELDS_MAX];
        struct mcp_http http = {str_z(r->http_method), f, fields_of(str_z(r->fields), f),
                                str_z(r->body)};
        struct mcp_request req = {0};
        struct mcp_refusal no = {0};
        str id = {0};
        bool ok = mcp_server_read(&a, &rules, &http, &req, &no);
        if (ok != (r->status == 0))
            fail_msg("%s: %s", r->name, ok ? "served" : str_z(no.body.p).p);
        if (ok && req.what != r->what)
            fail_msg("%s: is %d", r->name, req.what);
        if (ok)
            continue;
        if (no.status != r->status || code_in(&a, no.body, &id) != r->code)
            fail_msg("%s: %d %.*s", r->name, no.status, STR(no.body));
        /* What had an id that could be read is answered under it. */
        bool read = r->code && r->status != 403 && r->status != 415 && r->body[0] == '{' &&
                    r->body[1] && str_find(str_z(r->body), S("\"id\":7")) > 0;
        if (read && !str_eq(id, S("7")))
            fail_msg("%s: under id %.*s", r->name, STR(id));
    }
}

static bool read_one(struct arena *a, const char *fields, const char *body, struct mcp_request *req,
                     struct mcp_http *http, struct mcp_field *f)
{
    struct mcp_refusal no;
    const struct mcp_server_rules rules = {0};
    *http = (struct mcp_http){S("POST"), f, fields_of(str_z(fields), f), str_z(body)};
    return mcp_server_read(a, &rules, http, req, &no);
}

static void test_what_is_read(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_field f[FIELDS_MAX];
    struct mcp_http http;
    struct mcp_request req;
    assert_true(
        read_one(&a, M_CALL,
                 BODY("tools/call",
                      "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                      "\"io.modelcontextprotocol/clientCapabilities\":{\"roots\":{}},"
                      "\"io.modelcontextprotocol/logLevel\":\"debug\","
                      "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"n\",\"version\":\"1\"},"
                      "\"progressToken\":\"p\\\"\"},"
                      "\"name\":\"a__t\",\"arguments\":{\"x\":1},\"requestState\":\"rs\","
                      "\"inputResponses\":{}"),
                 &req, &http, f));
    assert_true(req.modern && req.revision == MCP_2026_07_28);
    assert_true(str_eq(req.name, S("a__t")) && str_eq(req.id, S("7")));
    assert_true(str_eq(req.progress_token, S("\"p\\\"\"")));
    assert_true(str_eq(req.log_level, S("debug")) && str_eq(req.request_state, S("rs")));
    assert_non_null(req.input_responses);
    assert_true(str_eq(json_get_str(req.client_info, S("name")), S("n")));
    assert_int_equal(json_count(req.client_capabilities), 1);
    assert_int_equal(json_count(req.arguments), 1);
    assert_true(read_one(&a, LEGACY,
                         BODY("tools/list", "\"cursor\":\"\",\"_meta\":{\"progressToken\":5}"),
                         &req, &http, f));
    assert_true(req.has_cursor && req.cursor.n == 0 && !req.modern && str_eq(req.session, S("s1")));
    assert_true(str_eq(req.progress_token, S("5")));
    assert_true(read_one(&a, BASIC,
                         BODY("initialize", "\"protocolVersion\":\"2025-03-26\",\"clientInfo\":5"),
                         &req, &http, f));
    assert_int_equal(req.revision, MCP_2025_11_25);
    assert_null(req.client_info);
}

static void test_sessions(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fields, *body;
        enum mcp_revision session;
        int status; /* 0: served */
    } rows[] = {
        {"live", LEGACY, BODY("tools/list", ""), MCP_2025_06_18, 0},
        {"ended or foreign", LEGACY, BODY("tools/list", ""), MCP_NO_REVISION, 404},
        {"none given", BASIC, BODY("tools/list", ""), MCP_NO_REVISION, 400},
        {"none given, yet found", BASIC, BODY("tools/list", ""), MCP_2025_11_25, 400},
        {"notification", LEGACY, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}", MCP_NO_REVISION, 404},
        {"unknown method in a session", LEGACY, BODY("prompts/list", ""), MCP_2025_11_25, 200},
        {"unknown method in none", LEGACY, BODY("prompts/list", ""), MCP_NO_REVISION, 404},
        {"modern needs none", M_LIST, BODY("tools/list", META), MCP_NO_REVISION, 0},
        {"initialize needs none", BASIC, BODY("initialize", "\"protocolVersion\":\"2025-11-25\""),
         MCP_NO_REVISION, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct mcp_field f[FIELDS_MAX];
        struct mcp_http http;
        struct mcp_request req;
        struct mcp_refusal no = {0};
        assert_true(read_one(&a, rows[i].fields, rows[i].body, &req, &http, f));
        bool ok = mcp_server_in_session(&a, &req, rows[i].session, &no);
        if (ok != (rows[i].status == 0) || (!ok && no.status != rows[i].status))
            fail_msg("%s: %d %d", rows[i].name, ok, no.status);
        if (ok && !req.modern && req.what != MCP_INITIALIZE)
            assert_int_equal(req.revision, rows[i].session);
    }
}

static void test_host(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    const str hosts[] = {S("127.0.0.1:8080")};
    const struct mcp_server_rules rules = {.hosts = hosts, .host_count = 1};
    static const struct {
        const char *host;
        bool ok;
    } rows[] = {{"Host: 127.0.0.1:8080\n", true},
                {"Host: evil.example\n", false},
                {"", false},
                {"Host: 127.0.0.1\n", false},
                {"Host: 127.0.0.1:8080\nHost: 127.0.0.1:8080\n", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mcp_field f[FIELDS_MAX];
        str text = str_fmt(&a, "%s%s", rows[i].host, M_LIST);
        struct mcp_http http = {S("POST"), f, fields_of(text, f), str_z(BODY("tools/list", META))};
        struct mcp_request req;
        struct mcp_refusal no = {0};
        bool ok = mcp_server_read(&a, &rules, &http, &req, &no);
        if (ok != rows[i].ok || (!ok && no.status != 403))
            fail_msg("%s: %d", rows[i].host, no.status);
    }
}

static void test_params(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *arguments;
        int code; /* 0: fine */
    } rows[] = {
        {"Mcp-Param-Region: eu", "{\"region\":\"eu\"}", 0},
        {"mcp-param-region: =?base64?ZXU=?=", "{\"region\":\"eu\"}", 0},
        {"X: y", "{}", 0},
        {"X: y", "{\"region\":null}", 0},
        {"Mcp-Param-Other: z\nMcp-Param-Region: eu", "{\"region\":\"eu\"}", 0},
        {"Mcp-Param-N: 42.0", "{\"n\":42}", 0},
        {"Mcp-Param-N: 42", "{\"n\":42.0}", 0},
        {"X: y", "{\"region\":\"eu\"}", -32020},
        {"Mcp-Param-Region: us", "{\"region\":\"eu\"}", -32020},
        {"Mcp-Param-Region: EU", "{\"region\":\"eu\"}", -32020},
        {"Mcp-Param-Region: eu\nMcp-Param-Region: eu", "{\"region\":\"eu\"}", -32020},
        {"Mcp-Param-Region: =?base64?!?=", "{\"region\":\"eu\"}", -32020},
        {"Mcp-Param-N: 42.", "{\"n\":42}", -32020},
        {"Mcp-Param-N: 42.5", "{\"n\":42}", -32020},
        {"Mcp-Param-N: 43", "{\"n\":42}", -32020},
        {"Mcp-Param-N: 42", "{\"n\":\"42\"}", -32602},
    };
    ARENA_SCOPE struct arena a = {0};
    const json *def;
    struct err err;
    struct mcp_tool tool;
    assert_true(json_read(&a,
                          S("{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
                            "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
                            "\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"}}}}"),
                          NULL, &def, &err));
    assert_true(mcp_tool_read(&a, def, &tool, &err));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mcp_field f[FIELDS_MAX];
        struct mcp_http http;
        struct mcp_request req;
        struct mcp_refusal no = {0};
        str id;
        str fields = str_fmt(&a, "%s\n%s", M_CALL, rows[i].fields);
        str body =
            str_fmt(&a,
                    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{" META
                    ",\"name\":\"a__t\",\"arguments\":%s}}",
                    rows[i].arguments);
        assert_true(read_one(&a, fields.p, body.p, &req, &http, f));
        bool ok = mcp_server_check_params(&a, &req, &http, &tool, &no);
        if (ok != !rows[i].code || (!ok && code_in(&a, no.body, &id) != rows[i].code))
            fail_msg("%s with %s: %.*s", rows[i].fields, rows[i].arguments, STR(no.body));
        req.modern = false;
        assert_true(mcp_server_check_params(&a, &req, &http, &tool, &no));
    }
}

static void test_unsupported_names_versions(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_field f[FIELDS_MAX];
    struct mcp_request req;
    struct mcp_refusal no;
    struct mcp_server_rules rules = {0};
    struct mcp_http http = {
        S("POST"), f, fields_of(S(BASIC "MCP-Protocol-Version: 9"), f),
        S(BODY("tools/list", "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"9\"}"))};
    assert_false(mcp_server_read(&a, &rules, &http, &req, &no));
    assert_true(str_find(no.body,
                         S("\"data\":{\"supported\":[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\"],"
                           "\"requested\":\"9\"}")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_host),
        cmocka_unit_test(test_params),   cmocka_unit_test(test_unsupported_names_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
