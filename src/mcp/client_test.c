#include "mcp/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct mcp_client_config AUTO = {.self_name = {"ambit", 5},
                                              .self_version = {"1.0", 3}};

static str field(const struct mcp_out *out, const char *name)
{
    str v = {0};
    return mcp_field_find(out->fields, out->field_count, str_z(name), &v) == MCP_FIELD_ONE
               ? v
               : (str){0};
}

static struct mcp_answer answer(int status, const char *body)
{
    return (struct mcp_answer){status, S("application/json"), (str){0}, str_z(body)};
}

#define DISCOVERED                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":" \
    "[\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true}},\"ttlMs\":0,"            \
    "\"cacheScope\":\"private\"}}"
#define INITIALIZED(id, v)                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"protocolVersion\":\"" v                      \
    "\",\"capabilities\":{\"tools\":{}},"                                                          \
    "\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"},\"instructions\":\"hi\"}}"
#define ERROR(code, data)                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" code ",\"message\":\"m\"" data "}}"

enum after { GOES_LEGACY, IS_MODERN, FAILS, READS_ON, IS_DENIED };

static void test_era(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status;
        const char *body;
        enum after after;
    } rows[] = {
        {"discovered", 200, DISCOVERED, IS_MODERN},
        {"other versions", 200,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"supportedVersions\":[\"2099-01-01\"],"
         "\"capabilities\":{}}}",
         FAILS},
        {"legacy versions", 200,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"supportedVersions\":[\"2025-11-25\"],"
         "\"capabilities\":{}}}",
         GOES_LEGACY},
        {"a result of something else", 200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
         GOES_LEGACY},
        {"discover asks for input", 200,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\","
         "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}}",
         FAILS},
        {"another id", 200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}", FAILS},
        {"HTML", 200, "<html>", FAILS},
        {"accepted and nothing", 202, "", FAILS},
        {"a notification first", 200, "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}", READS_ON},
        {"method not found in 200", 200, ERROR("-32601", ""), GOES_LEGACY},
        {"400 of a legacy server", 400,
         "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"Server not "
         "initialized\"}}",
         GOES_LEGACY},
        {"400 and nothing", 400, "", GOES_LEGACY},
        {"404", 404, "not here", GOES_LEGACY},
        {"404 with a message", 404, ERROR("-32601", ""), GOES_LEGACY},
        {"405", 405, "", GOES_LEGACY},
        {"header mismatch", 400, ERROR("-32020", ""), FAILS},
        {"capability", 400, ERROR("-32021", ""), FAILS},
        {"unsupported, modern others", 400,
         ERROR("-32022", ",\"data\":{\"supported\":[\"2099-01-01\"]}"), FAILS},
        {"unsupported, legacy ones", 400,
         ERROR("-32022", ",\"data\":{\"supported\":[\"2025-11-25\"]}"), GOES_LEGACY},
        {"unsupported, ours", 400, ERROR("-32022", ",\"data\":{\"supported\":[\"2026-07-28\"]}"),
         FAILS},
        {"unsupported without list", 400, ERROR("-32022", ""), GOES_LEGACY},
        {"unsupported, list of numbers", 400, ERROR("-32022", ",\"data\":{\"supported\":[1]}"),
         GOES_LEGACY},
        {"401", 401, ERROR("-32601", ""), IS_DENIED},
        {"403", 403, "", IS_DENIED},
        {"429", 429, "", FAILS},
        {"408", 408, "", FAILS},
        {"500", 500, ERROR("-32601", ""), FAILS},
        {"503", 503, "", FAILS},
        {"redirect", 307, "", FAILS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int fixed = 0; fixed < 2; fixed++) {
            ARENA_SCOPE struct arena a = {0};
            struct mcp_client_config config = AUTO;
            config.era = fixed ? MCP_ERA_MODERN : MCP_ERA_AUTO;
            struct mcp_client c;
            struct mcp_out out;
            struct err err = {0};
            mcp_client_init(&c, &config);
            assert_int_equal(mcp_client_open(&c, &a, &out), MCP_SEND);
            struct mcp_answer ans = answer(rows[i].status, rows[i].body);
            enum mcp_step step = mcp_client_opened(&c, &a, &ans, &out, &err);
            enum after got = step == MCP_SEND         ? GOES_LEGACY
                             : step == MCP_READY      ? IS_MODERN
                             : step == MCP_READ_ON    ? READS_ON
                             : err.kind == ERR_DENIED ? IS_DENIED
                                                      : FAILS;
            enum after want = fixed && rows[i].after == GOES_LEGACY ? FAILS : rows[i].after;
            if (got != want)
                fail_msg("%s, fixed %d: %d %s", rows[i].name, fixed, got, err.text);
            if (got == FAILS || got == IS_DENIED)
                assert_true(err.text[0] && c.state == MCP_CLIENT_FAILED);
        }
}

static void test_probe_text(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_client c;
    struct mcp_out out;
    mcp_client_init(&c, &AUTO);
    assert_int_equal(mcp_client_open(&c, &a, &out), MCP_SEND);
    assert_true(str_eq(
        out.body,
        S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{\"_meta\":{"
          "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
          "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"ambit\",\"version\":\"1.0\"},"
          "\"io.modelcontextprotocol/clientCapabilities\":{}}}}")));
    assert_true(str_eq(field(&out, "MCP-Protocol-Version"), S("2026-07-28")));
    assert_true(str_eq(field(&out, "Mcp-Method"), S("server/discover")));
    assert_true(str_eq(field(&out, "Accept"), S("application/json, text/event-stream")));
}

/* A legacy session, ready, with session id "sid". */
static void open_legacy(struct mcp_client *c, struct arena *a, const char *version)
{
    struct mcp_client_config config = AUTO;
    struct mcp_out out;
    struct err err;
    config.era = MCP_ERA_LEGACY;
    mcp_client_init(c, &config);
    assert_int_equal(mcp_client_open(c, a, &out), MCP_SEND);
    str body = str_fmt(a, INITIALIZED("1", "%s"), version);
    struct mcp_answer ans = answer(200, body.p);
    ans.session = S("sid");
    assert_int_equal(mcp_client_opened(c, a, &ans, &out, &err), MCP_SEND);
    assert_false(out.wants_answer);
    assert_true(str_eq(field(&out, "Mcp-Session-Id"), S("sid")));
    ans = answer(202, "");
    assert_int_equal(mcp_client_opened(c, a, &ans, &out, &err), MCP_READY);
}

static void open_modern(struct mcp_client *c, struct arena *a,
                        const struct mcp_client_config *config)
{
    struct mcp_out out;
    struct err err;
    mcp_client_init(c, config);
    assert_int_equal(mcp_client_open(c, a, &out), MCP_SEND);
    struct mcp_answer ans = answer(200, DISCOVERED);
    assert_int_equal(mcp_client_opened(c, a, &ans, &out, &err), MCP_READY);
    assert_true(c->has_tools && c->lists_change && c->revision == MCP_2026_07_28);
}

static void test_handshake(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int status;
        const char *session, *body;
        bool ok;
    } rows[] = {
        {"2025-11-25", 200, "s", INITIALIZED("1", "2025-11-25"), true},
        {"2025-06-18, no session", 200, "", INITIALIZED("1", "2025-06-18"), true},
        {"2024-11-05", 200, "", INITIALIZED("1", "2024-11-05"), true},
        {"a modern version", 200, "", INITIALIZED("1", "2026-07-28"), false},
        {"an unknown version", 200, "", INITIALIZED("1", "1.0"), false},
        {"another id", 200, "", INITIALIZED("2", "2025-11-25"), false},
        {"an id as a string", 200, "", INITIALIZED("\"1\"", "2025-11-25"), false},
        {"a session id that is not valid", 200, "a b", INITIALIZED("1", "2025-11-25"), false},
        {"an error", 200, "", ERROR("-32602", ""), false},
        {"400", 400, "", INITIALIZED("1", "2025-11-25"), false},
        {"401", 401, "", "", false},
        {"nothing", 200, "", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct mcp_client_config config = AUTO;
        struct mcp_client c;
        struct mcp_out out;
        struct err err = {0};
        config.era = MCP_ERA_LEGACY;
        mcp_client_init(&c, &config);
        assert_int_equal(mcp_client_open(&c, &a, &out), MCP_SEND);
        assert_true(
            str_find(out.body, S("\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}")) > 0);
        assert_int_equal(field(&out, "MCP-Protocol-Version").n, 0);
        struct mcp_answer ans = answer(rows[i].status, rows[i].body);
        ans.session = str_z(rows[i].session);
        if ((mcp_client_opened(&c, &a, &ans, &out, &err) == MCP_SEND) != rows[i].ok)
            fail_msg("%s: %s", rows[i].name, err.text);
    }
}

static void test_silence(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_client_config config = AUTO;
    struct mcp_client c;
    struct mcp_out out;
    struct err err;
    mcp_client_init(&c, &config);
    (void)mcp_client_open(&c, &a, &out);
    assert_int_equal(mcp_client_silent(&c, &a, &out, &err), MCP_FAILED);
    config.stdio = true;
    mcp_client_init(&c, &config);
    (void)mcp_client_open(&c, &a, &out);
    assert_int_equal(mcp_client_silent(&c, &a, &out, &err), MCP_SEND);
    assert_int_equal(c.state, MCP_CLIENT_INITIALIZING);
    assert_int_equal(mcp_client_silent(&c, &a, &out, &err), MCP_FAILED);
}

static struct mcp_tool tool_of(struct arena *a)
{
    const json *def;
    struct err err;
    struct mcp_tool t;
    assert_true(
        json_read(a,
                  S("{\"name\":\"pay\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
                    "\"to\":{\"type\":\"string\",\"x-mcp-header\":\"To\"},\"n\":{\"type\":"
                    "\"integer\",\"x-mcp-header\":\"N\"}}}}"),
                  NULL, &def, &err));
    assert_true(mcp_tool_read(a, def, &t, &err));
    return t;
}

static const json *parse(struct arena *a, const char *text)
{
    const json *v;
    struct err err;
    assert_true(json_read(a, str_z(text), NULL, &v, &err));
    return v;
}

static void test_call_text(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_client c;
    struct mcp_tool tool = tool_of(&a);
    struct mcp_exchange ex;
    struct mcp_out out;
    struct err err;
    const str allowed[] = {S("traceparent"), S("progressToken"),
                           S("io.modelcontextprotocol/logLevel")};
    struct mcp_client_config config = AUTO;
    config.meta_allowed = allowed;
    config.meta_allowed_count = 3;
    struct mcp_call call = {
        .tool = &tool,
        .arguments = parse(&a, "{\"to\":\"J\\u00f6rg\",\"n\":5.0,\"x\":1.10}"),
        .agent_meta =
            parse(&a, "{\"traceparent\":\"00-1\",\"progressToken\":99,\"canary\":1,"
                      "\"io.modelcontextprotocol/logLevel\":\"debug\",\"io.modelcontextprotocol/"
                      "clientCapabilities\":{\"sampling\":{}}}"),
        .wants_progress = true,
    };
    open_modern(&c, &a, &config);
    assert_true(mcp_client_call(&c, &a, &call, &ex, &out, &err));
    if (!str_eq(out.body,
                S("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/"
                  "call\",\"params\":{\"name\":\"pay\",\"arguments\":"
                  "{\"to\":\"J\xc3\xb6rg\",\"n\":5.0,\"x\":1.10},\"_meta\":{\"io."
                  "modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                  "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"ambit\",\"version\":\"1.0\"},"
                  "\"io.modelcontextprotocol/"
                  "clientCapabilities\":{},\"progressToken\":2,\"traceparent\":\"00-1\"}}}")))
        fail_msg("%.*s", STR(out.body));
    assert_true(str_eq(field(&out, "Mcp-Name"), S("pay")) &&
                str_eq(field(&out, "Mcp-Method"), S("tools/call")));
    assert_true(str_eq(field(&out, "Mcp-Param-To"), S("=?base64?SsO2cmc=?=")));
    assert_true(str_eq(field(&out, "Mcp-Param-N"), S("5")));
    assert_int_equal(field(&out, "Mcp-Session-Id").n, 0);
    call.arguments = parse(&a, "{\"n\":\"5\"}");
    assert_false(mcp_client_call(&c, &a, &call, &ex, &out, &err));
    assert_int_equal(err.kind, ERR_INPUT);

    open_legacy(&c, &a, "2025-06-18");
    call = (struct mcp_call){.tool = &tool, .agent_meta = call.agent_meta};
    assert_true(mcp_client_call(&c, &a, &call, &ex, &out, &err));
    assert_true(str_eq(out.body, S("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/"
                                   "call\",\"params\":{\"name\":\"pay\",\"arguments\":{}}}")));
    assert_true(str_eq(field(&out, "Mcp-Session-Id"), S("sid")));
    assert_true(str_eq(field(&out, "MCP-Protocol-Version"), S("2025-06-18")));
    assert_int_equal(field(&out, "Mcp-Method").n, 0);
    assert_true(mcp_client_cancel(&c, &a, &ex, S("late"), &out));
    assert_true(str_find(out.body, S("{\"requestId\":2,\"reason\":\"late\"}")) > 0);
    mcp_client_session_fields(&c, &a, &out);
    assert_true(str_eq(field(&out, "Mcp-Session-Id"), S("sid")));
    open_legacy(&c, &a, "2024-11-05");
    mcp_client_list(&c, &a, S("c\"1"), &ex, &out);
    assert_true(str_eq(out.body, S("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/"
                                   "list\",\"params\":{\"cursor\":\"c\\\"1\"}}")));
    assert_int_equal(field(&out, "MCP-Protocol-Version").n, 0);
}

#define RESULT(r) "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":" r "}"

static void test_answers(void **state)
{
    (void)state;
    enum { BOTH, MODERN, LEGACY };
    static const struct {
        const char *name;
        int era, status;
        const char *body;
        int kind; /* 0: an error; -1: denied */
    } rows[] = {
        {"result", BOTH, 200, RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"zz\":1}"),
         MCP_EV_RESULT},
        {"complete", BOTH, 200, RESULT("{\"resultType\":\"complete\",\"content\":[]}"),
         MCP_EV_RESULT},
        {"no content", BOTH, 200, RESULT("{\"structuredContent\":{}}"), 0},
        {"content is an object", BOTH, 200, RESULT("{\"content\":{}}"), 0},
        {"content without type", BOTH, 200, RESULT("{\"content\":[{}]}"), 0},
        {"content of strings", BOTH, 200, RESULT("{\"content\":[\"x\"]}"), 0},
        {"isError is a string", BOTH, 200, RESULT("{\"content\":[],\"isError\":\"no\"}"), 0},
        {"input_required", MODERN, 200,
         RESULT("{\"resultType\":\"input_required\",\"content\":[]}"), 0},
        {"unknown resultType", MODERN, 200, RESULT("{\"resultType\":\"x\",\"content\":[]}"), 0},
        {"resultType is a number", MODERN, 200, RESULT("{\"resultType\":1,\"content\":[]}"), 0},
        {"resultType from long ago", LEGACY, 200, RESULT("{\"resultType\":\"x\",\"content\":[]}"),
         MCP_EV_RESULT},
        {"another id", BOTH, 200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}", 0},
        {"id as a string", BOTH, 200,
         "{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":{\"content\":[]}}", 0},
        {"batch", BOTH, 200, "[" RESULT("{\"content\":[]}") "]", 0},
        {"error", BOTH, 200,
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,\"message\":\"m\"}}",
         MCP_EV_ERROR},
        {"error of another", BOTH, 200,
         "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32602,\"message\":\"m\"}}", 0},
        {"error in 400", MODERN, 400,
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32021,\"message\":\"m\"}}",
         MCP_EV_ERROR},
        {"header mismatch", MODERN, 400,
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32020,\"message\":\"m\"}}",
         MCP_EV_RELIST},
        {"result in 400", BOTH, 400, RESULT("{\"content\":[]}"), 0},
        {"session gone", LEGACY, 404, "", MCP_EV_LOST},
        {"session gone, said as 400", LEGACY, 400,
         "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"m\"}}",
         MCP_EV_LOST},
        {"404 without session", MODERN, 404, "", 0},
        {"401", BOTH, 401, RESULT("{\"content\":[]}"), -1},
        {"403", BOTH, 403, "", -1},
        {"502", BOTH, 502, RESULT("{\"content\":[]}"), 0},
        {"202", BOTH, 202, "", 0},
        {"HTML", BOTH, 200, "<p>", 0},
        {"progress", BOTH, 200,
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
         "progress\",\"params\":{\"progressToken\":2,\"progress\":1}}",
         MCP_EV_PROGRESS},
        {"progress of another", BOTH, 200,
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
         "progress\",\"params\":{\"progressToken\":\"2\",\"progress\":1}}",
         MCP_EV_NOTICE},
        {"log message", BOTH, 200, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}",
         MCP_EV_NOTICE},
        {"ping", LEGACY, 200, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}",
         MCP_EV_REPLY},
        {"sampling", LEGACY, 200,
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"sampling/createMessage\",\"params\":{}}",
         MCP_EV_REPLY},
        {"request in modern", MODERN, 200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int era = MODERN; era <= LEGACY; era++) {
            if (rows[i].era != BOTH && rows[i].era != era)
                continue;
            ARENA_SCOPE struct arena a = {0};
            struct mcp_client c;
            struct mcp_tool tool = tool_of(&a);
            struct mcp_call call = {.tool = &tool, .wants_progress = true};
            struct mcp_exchange ex;
            struct mcp_out out;
            struct mcp_event ev = {0};
            struct err err = {0};
            if (era == MODERN)
                open_modern(&c, &a, &AUTO);
            else
                open_legacy(&c, &a, "2025-11-25");
            assert_true(mcp_client_call(&c, &a, &call, &ex, &out, &err));
            struct mcp_answer ans = answer(rows[i].status, rows[i].body);
            bool ok = mcp_client_answer(&c, &a, &ex, &ans, &ev, &err);
            int kind = ok ? (int)ev.kind : err.kind == ERR_DENIED ? -1 : 0;
            if (kind != rows[i].kind)
                fail_msg("%s, era %d: %d %s", rows[i].name, era, kind, err.text);
            if (!ok && (err.kind != ERR_PEER && err.kind != ERR_DENIED))
                fail_msg("%s: kind %d", rows[i].name, err.kind);
            if (kind == MCP_EV_REPLY)
                assert_true(str_find(ev.reply.body, era == LEGACY && ev.method.n == 4
                                                        ? S("\"id\":\"p\",\"result\":{}")
                                                        : S("-32601")) > 0);
            if (ex.done)
                assert_false(mcp_client_answer(&c, &a, &ex, &ans, &ev, &err));
        }
}

static void test_lost_and_again(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct mcp_client c;
    struct mcp_tool tool = tool_of(&a);
    struct mcp_call call = {.tool = &tool};
    struct mcp_exchange ex;
    struct mcp_out out;
    struct mcp_event ev;
    struct err err;
    open_legacy(&c, &a, "2025-11-25");
    assert_true(mcp_client_call(&c, &a, &call, &ex, &out, &err));
    struct mcp_answer gone = answer(404, "");
    assert_true(mcp_client_answer(&c, &a, &ex, &gone, &ev, &err) && ev.kind == MCP_EV_LOST);
    assert_int_equal(mcp_client_open(&c, &a, &out), MCP_SEND);
    assert_true(str_find(out.body, S("\"initialize\"")) > 0);
    assert_int_equal(field(&out, "Mcp-Session-Id").n, 0);
    struct mcp_answer ans = answer(200, INITIALIZED("3", "2025-11-25"));
    ans.session = S("sid2");
    assert_int_equal(mcp_client_opened(&c, &a, &ans, &out, &err), MCP_SEND);
    ans = answer(202, "");
    assert_int_equal(mcp_client_opened(&c, &a, &ans, &out, &err), MCP_READY);
    call.is_retry = true;
    assert_true(mcp_client_call(&c, &a, &call, &ex, &out, &err));
    assert_true(str_eq(field(&out, "Mcp-Session-Id"), S("sid2")));
    assert_false(mcp_client_answer(&c, &a, &ex, &gone, &ev, &err));
}

static void test_listing(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    static struct mcp_listing l;
    struct err err;
    l = (struct mcp_listing){0};
    assert_true(mcp_listing_add(&l,
                                parse(&a, "{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":"
                                          "\"a\"}],\"nextCursor\":\"1\"}"),
                                &err));
    assert_true(l.more && l.count == 2 && l.repeated == 1 && str_eq(l.cursor, S("1")));
    assert_true(
        mcp_listing_add(&l, parse(&a, "{\"tools\":[{\"name\":\"c\"}],\"nextCursor\":null}"), &err));
    assert_true(!l.more && l.count == 3);
    l = (struct mcp_listing){0};
    assert_true(mcp_listing_add(&l, parse(&a, "{\"tools\":[],\"nextCursor\":\"1\"}"), &err));
    assert_false(mcp_listing_add(&l, parse(&a, "{\"tools\":[],\"nextCursor\":\"1\"}"), &err));
    l = (struct mcp_listing){0};
    for (int i = 0;; i++) {
        assert_true(i < MCP_LIST_PAGES_MAX);
        if (!mcp_listing_add(
                &l, parse(&a, str_fmt(&a, "{\"tools\":[],\"nextCursor\":\"%d\"}", i).p), &err))
            break;
    }
    assert_int_equal(err.kind, ERR_LIMIT);
    l = (struct mcp_listing){0};
    struct buf b = {0};
    buf_put(&b, S("{\"tools\":["));
    for (int i = 0; i <= MCP_TOOLS_MAX; i++)
        buf_printf(&b, "%s{\"name\":\"t%d\"}", i ? "," : "", i);
    buf_put(&b, S("]}"));
    buf_putc(&b, 0);
    assert_false(mcp_listing_add(&l, parse(&a, b.mem), &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_era),
        cmocka_unit_test(test_probe_text),
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_call_text),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_lost_and_again),
        cmocka_unit_test(test_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
