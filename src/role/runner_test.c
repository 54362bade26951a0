/* The runner in a process of its own, inside its sandbox, with real child programs; the test is
 * core, the keeper and an edge. The child is tests/peers/hostile_stdio.mjs. */
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/voucher.h"
#include "net/conn.h"
#include "role/role.h"
#include "role/role_harness.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

enum { WAIT_MS = 20 * 1000 };

#define PEERS TEST_SOURCE_ROOT "/tests/peers"

struct world {
    char root[64], socket[128];
    struct secret *voucher_key;
    struct harness h;
    struct link core, keeper;
};

struct reply {
    int status;
    char child[64];
    char text[200000]; /* head and body */
};

static const char *node_path(void)
{
    static const char *const places[] = {TEST_SOURCE_ROOT "/build/peers/node", "/usr/bin/node"};
    for (size_t i = 0; i < 2; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static void send_setup(struct world *w)
{
    char config[2048], key[VOUCHER_KEY_LEN];
    memset(key, 'r', sizeof key);
    snprintf(config, sizeof config,
             "{\"state\": \"%s\", \"mcpServers\": {"
             " \"h\": {\"command\": \"%s\", \"args\": [\"" PEERS "/hostile_stdio.mjs\"],"
             "   \"sandbox\": {\"read\": [\"" PEERS "\"]}},"
             " \"s\": {\"command\": \"%s\", \"args\": [\"" PEERS "/hostile_stdio.mjs\"],"
             "   \"env\": {\"HELP_KEY\": {\"secret\": \"help\"}},"
             "   \"sandbox\": {\"read\": [\"" PEERS "\"]}},"
             " \"bad\": {\"command\": \"/bin/sh\", \"args\": [\"-c\", \"echo no luck today >&2; "
             "exit 4\"]},"
             " \"web\": {\"url\": \"http://127.0.0.1:9/\"}}}",
             w->root, node_path(), node_path());
    struct msg_setup setup = {.config_name = S("test.json"),
                              .config_dir = str_z(w->root),
                              .config = str_z(config),
                              .runner_key = str_of(key, sizeof key),
                              .runner_socket = str_z(w->socket),
                              .uid = -1,
                              .child_uid = -1};
    link_send(&w->h.sup, MSG_SETUP, 0, &setup, -1);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char path[128], key[VOUCHER_KEY_LEN];
    struct addr at;
    struct err err;
    int fd;
    memset(key, 'r', sizeof key);
    snprintf(w->root, sizeof w->root, "/tmp/ambit-test-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    snprintf(path, sizeof path, "%s/children", w->root);
    assert_int_equal(mkdir(path, 0711), 0);
    snprintf(w->socket, sizeof w->socket, "%s/runner.sock", w->root);
    assert_true(secret_of(str_of(key, sizeof key), &w->voucher_key, &err));
    assert_true(addr_unix(str_z(w->socket), &at, &err));
    assert_true(listen_socket(&at, 0600, &fd, &err));
    struct msg_listener m = {.kind = LISTENER_RUNNER};
    harness_start(&w->h, ROLE_RUNNER, role_runner);
    send_setup(w);
    link_send(&w->h.sup, MSG_LISTENER, 0, &m, fd);
    w->core = harness_peer(&w->h, ROLE_CORE);
    w->keeper = harness_peer(&w->h, ROLE_KEEPER);
    harness_ready(&w->h);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[128];
    assert_int_equal(harness_stop(&w->h), 0);
    link_close(&w->core);
    link_close(&w->keeper);
    secret_free(w->voucher_key);
    snprintf(command, sizeof command, "rm -rf %s", w->root);
    free(w);
    return system(command);
}

/* ---- an edge ---- */

static int send_request(struct world *w, const char *path, const char *fields, const char *body)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct buf out = {0};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%.90s", w->socket);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    buf_printf(
        &out,
        "POST %s HTTP/1.1\r\nHost: runner\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
        path, fields, strlen(body));
    buf_put(&out, str_z(body));
    assert_int_equal(send(fd, buf_str(&out).p, buf_len(&out), MSG_NOSIGNAL), buf_len(&out));
    buf_fini(&out);
    return fd;
}

static void read_reply(int fd, struct reply *out)
{
    size_t n = 0;
    memset(out, 0, sizeof *out);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        ssize_t got = recv(fd, out->text + n, sizeof out->text - 1 - n, 0);
        assert_true(got >= 0);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    assert_int_equal(sscanf(out->text, "HTTP/1.1 %d", &out->status), 1);
    const char *child = strstr(out->text, "Ambit-Child: ");
    if (child)
        sscanf(child, "Ambit-Child: %63s", out->child);
}

static void ask(struct world *w, const char *path, const char *fields, const char *body,
                struct reply *out)
{
    read_reply(send_request(w, path, fields, body), out);
}

struct call_options {
    enum voucher_kind kind;
    const char *task, *binding, *tool, *args; /* what the voucher says */
    int64_t life_ms;
    const char *named; /* the binding that stands in it, if not the digest's */
};

static void voucher_line(struct world *w, const struct call_options *o, char out[512])
{
    uint8_t bytes[VOUCHER_LEN];
    struct err err;
    struct id call = id_new('c');
    struct buf text = {0};
    struct voucher v = {
        .kind = o->kind,
        .call = id_str(&call),
        .binding = str_z(o->named ? o->named : o->binding),
        .secret = o->kind == VOUCHER_STDIO_CALL ? (str){0} : S("*"),
        .request = call_digest(str_z(o->task), str_z(o->binding), str_z(o->tool), str_z(o->args)),
        .expires_ms = clock_wall_ms() + o->life_ms};
    assert_true(voucher_mint(w->voucher_key, &v, bytes, &err));
    base64url_encode(&text, str_of((const char *)bytes, sizeof bytes));
    snprintf(out, 512, "%s: %.*s\r\n",
             o->kind == VOUCHER_STDIO_CALL ? "Ambit-Run-Voucher" : "Ambit-Secret-Voucher",
             STR(buf_str(&text)));
    buf_fini(&text);
}

static int begin_call(struct world *w, const char *path, const char *tool, const char *args,
                      const char *more)
{
    char fields[1200], voucher[512], body[1024], binding[65], task[65];
    assert_int_equal(sscanf(path, "/%64[^/]/%64s", binding, task), 2);
    struct call_options o = {VOUCHER_STDIO_CALL, task, binding, tool, args, 5000};
    voucher_line(w, &o, voucher);
    snprintf(fields, sizeof fields, "%s%s", voucher, more);
    snprintf(body, sizeof body,
             "{\"jsonrpc\":\"2.0\",\"id\":\"mine\",\"method\":\"tools/"
             "call\",\"params\":{\"name\":\"%s\","
             "\"arguments\":%s,\"_meta\":{\"progressToken\":\"pt\"}}}",
             tool, args);
    return send_request(w, path, fields, body);
}

static void call(struct world *w, const char *path, const char *tool, const char *args,
                 struct reply *out)
{
    read_reply(begin_call(w, path, tool, args, ""), out);
}

#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"

/* ---- tests ---- */

static void test_calls(void **state)
{
    struct world *w = *state;
    static struct reply a, b;
    ask(w, "/h/t1", "", "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/list\"}", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.text, "\"id\":5"));
    assert_non_null(strstr(a.text, "garbage_only"));
    call(w, "/h/t1", "echo", "{\"n\":1.50}", &b);
    assert_int_equal(b.status, 200);
    assert_non_null(strstr(b.text, "\"id\":\"mine\""));
    assert_string_equal(a.child, b.child); /* the same program */
    ask(w, "/h/t2", "", PING, &b);
    assert_string_not_equal(a.child, b.child); /* another task, another program */
    /* As an event stream, where it is taken. */
    read_reply(
        begin_call(w, "/h/t1", "echo", "{}", "Accept: application/json, text/event-stream\r\n"),
        &b);
    assert_non_null(strstr(b.text, "text/event-stream"));
    assert_non_null(strstr(b.text, "data: {\"jsonrpc\""));
    ask(w, "/h/t1", "", "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", &b);
    assert_int_equal(b.status, 202);
}

static void test_refused(void **state)
{
    struct world *w = *state;
    static struct reply r;
    static const struct {
        const char *path, *body;
        int status;
    } cases[] = {
        {"/nosuch/t1", PING, 404},
        {"/web/t1", PING, 404},
        {"/h", PING, 404},
        {"/h/t1/more", PING, 404},
        {"/h/t1?x", PING, 404},
        {"/h/t1", "not JSON", 400},
        {"/h/t1", "[" PING "]", 400},
        {"/h/t1", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 403},
        {"/h/t1", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\"}", 403},
        {"/h/t1", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}",
         403},
        {"/h/t1",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}",
         403},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(w, cases[i].path, "", cases[i].body, &r);
        if (r.status != cases[i].status)
            fail_msg("case %zu: %d: %s", i, r.status, r.text);
    }
}

static void test_vouchers(void **state)
{
    struct world *w = *state;
    static struct reply r;
    const char *body =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"echo\",\"arguments\":{\"b\":2,\"a\":1}}}";
    const char *args = "{\"a\":1,\"b\":2}";
    const struct {
        struct call_options o;
        int status;
    } cases[] = {
        {{VOUCHER_STDIO_CALL, "t1", "h", "echo", args, 5000}, 200},
        {{VOUCHER_STDIO_CALL, "t2", "h", "echo", args, 5000}, 403},
        {{VOUCHER_STDIO_CALL, "t1", "s", "echo", args, 5000}, 403},
        {{VOUCHER_STDIO_CALL, "t1", "h", "crash", args, 5000}, 403},
        {{VOUCHER_STDIO_CALL, "t1", "h", "echo", "{\"a\":1}", 5000}, 403},
        {{VOUCHER_STDIO_CALL, "t1", "h", "echo", args, -1}, 403},
        {{VOUCHER_STDIO_CALL, "t1", "h", "echo", args, 5000, "s"}, 403},
    };
    char line[512], first[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        voucher_line(w, &cases[i].o, line);
        if (i == 0)
            memcpy(first, line, sizeof first);
        ask(w, "/h/t1", line, body, &r);
        if (r.status != cases[i].status)
            fail_msg("case %zu: %d: %s", i, r.status, r.text);
    }
    ask(w, "/h/t1", first, body, &r); /* used */
    assert_int_equal(r.status, 403);
    ask(w, "/h/t1", "Ambit-Run-Voucher: AAAA\r\n", body, &r);
    assert_int_equal(r.status, 403);
}

static void test_misbehaviour(void **state)
{
    struct world *w = *state;
    static struct reply r, before;
    call(w, "/h/t1", "garbage_line", "{}", &r);
    assert_int_equal(r.status, 200);
    call(w, "/h/t1", "ask_sampling", "{}", &r);
    assert_non_null(strstr(r.text, "done"));
    call(w, "/h/t1", "answer_twice", "{}", &r);
    assert_non_null(strstr(r.text, "first"));
    call(w, "/h/t1", "stderr_noise", "{\"kilobytes\":200}", &r);
    assert_non_null(strstr(r.text, "after noise"));
    ask(w, "/h/t1", "", PING, &before);
    call(w, "/h/t1", "crash", "{}", &r);
    assert_int_equal(r.status, 502);
    assert_non_null(strstr(r.text, "signal 9"));
    assert_non_null(strstr(r.text, "\"id\":\"mine\""));
    /* The instance that was known is gone; whoever names it is told, and nothing is started. */
    char known[128];
    snprintf(known, sizeof known, "Ambit-Child: %s\r\n", before.child);
    ask(w, "/h/t1", known, PING, &r);
    assert_int_equal(r.status, 409);
    ask(w, "/h/t1", "", PING, &r);
    assert_int_equal(r.status, 200);
    call(w, "/h/t1", "exit_mid_call", "{}", &r);
    assert_int_equal(r.status, 502);
    call(w, "/h/t1", "long_line", "{\"megabytes\":17}", &r);
    assert_int_equal(r.status, 502);
    assert_non_null(strstr(r.text, "too long"));
}

static void test_garbage_is_bounded(void **state)
{
    struct world *w = *state;
    static struct reply r;
    int fds[11];
    for (int i = 0; i < 11; i++)
        fds[i] = begin_call(w, "/h/t1", "garbage_only", "{}", "");
    for (int i = 0; i < 11; i++) {
        read_reply(fds[i], &r);
        assert_int_equal(r.status, 502);
    }
    assert_non_null(strstr(r.text, "not MCP"));
}

/* A caller that goes away is no harm to the next, and a program that never answers holds nobody up.
 */
static void test_gone(void **state)
{
    struct world *w = *state;
    static struct reply r;
    close(begin_call(w, "/h/t1", "never", "{}", ""));
    call(w, "/h/t1", "echo", "{}", &r);
    assert_int_equal(r.status, 200);
}

static void test_stop_child(void **state)
{
    struct world *w = *state;
    static struct reply r, later;
    int fd = begin_call(w, "/h/t1", "never", "{}", "");
    ask(w, "/h/t1", "", PING, &later);
    struct msg_stop_child m = {.task = S("t1")};
    link_send(&w->core, MSG_STOP_CHILD, 0, &m, -1);
    read_reply(fd, &r);
    assert_int_equal(r.status, 502);
    assert_non_null(strstr(r.text, "task has ended"));
}

/* The acknowledgement comes after the last process is gone, and tells how many there were. */
static void test_stop_is_acknowledged(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *task;
        bool at_once;
        uint32_t programs;
    } rows[] = {{"t1", true, 1}, {"t1", true, 0}, {"t2", false, 1}, {"none", false, 0}};
    static struct reply r;
    ask(w, "/h/t1", "", PING, &r);
    ask(w, "/h/t2", "", PING, &r);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct msg_stop_child m = {.task = str_z(rows[i].task), .at_once = rows[i].at_once};
        struct frame_in in = {0};
        struct msg_child_stopped done;
        struct err err;
        link_send(&w->core, MSG_STOP_CHILD, 70 + i, &m, -1);
        assert_true(link_recv(&w->core, &in));
        assert_int_equal(in.type, MSG_CHILD_STOPPED);
        assert_int_equal(in.id, 70 + i);
        assert_true(message_unpack(MSG_CHILD_STOPPED, buf_str(&in.payload), &done, &err));
        assert_int_equal(done.programs, rows[i].programs);
        buf_fini(&in.payload);
    }
}

static void test_crash_at_start(void **state)
{
    struct world *w = *state;
    static struct reply r;
    ask(w, "/bad/t1", "", PING, &r);
    assert_int_equal(r.status, 502);
    assert_non_null(strstr(r.text, "status 4"));
    assert_non_null(strstr(r.text, "no luck today"));
    ask(w, "/bad/t1", "", PING, &r); /* backs off, and still says why */
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.text, "no luck today"));
}

static void answer_release(struct world *w, bool yes)
{
    struct frame_in f = {0};
    struct buf run = {0};
    assert_true(link_recv(&w->keeper, &f));
    assert_int_equal(f.type, MSG_RELEASE);
    pack_str(&run, S("help"));
    pack_str(&run, S("the-help-key"));
    struct msg_secret secret = {.values = buf_str(&run)};
    struct msg_text no = {.text = S("secret help is not set")};
    if (yes)
        link_send(&w->keeper, MSG_SECRET, f.id, &secret, -1);
    else
        link_send(&w->keeper, MSG_NO_SECRET, f.id, &no, -1);
    buf_fini(&run);
    buf_fini(&f.payload);
}

static void test_secrets(void **state)
{
    struct world *w = *state;
    static struct reply r;
    char voucher[512];
    struct call_options o = {VOUCHER_SECRET_RUNNER, "t1", "s", "echo", "{}", 5000};
    ask(w, "/s/t1", "", PING, &r);
    assert_int_equal(r.status, 403);
    voucher_line(w, &o, voucher);
    int fd = send_request(w, "/s/t1", voucher, PING);
    answer_release(w, false);
    read_reply(fd, &r);
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.text, "is not set"));
    fd = send_request(w, "/s/t1", voucher, PING);
    answer_release(w, true);
    read_reply(fd, &r);
    assert_int_equal(r.status, 200);
    call(w, "/s/t1", "print_env_names", "{}", &r);
    assert_int_equal(r.status, 200);
    /* SHA-256 of the-help-key, and no variable of ours. */
    assert_non_null(strstr(r.text, "HELP_KEY"));
    assert_null(strstr(r.text, "\"help_key_sha256\":null"));
    assert_non_null(
        strstr(r.text, "\"names\":[\"HELP_KEY\",\"HOME\",\"LANG\",\"PATH\",\"TMPDIR\"]"));
    /* Its own words give the secret away; the reason of its end does not. */
    call(w, "/s/t1", "stderr_secret", "{}", &r);
    call(w, "/s/t1", "exit_mid_call", "{}", &r);
    assert_int_equal(r.status, 502);
    assert_non_null(strstr(r.text, "using key [secret]"));
    assert_null(strstr(r.text, "the-help-key"));
}

int main(void)
{
    if (!node_path()) {
        puts("skipped: there is no Node.js to run tests/peers/hostile_stdio.mjs (tools/deps.sh "
             "run)");
        return 0;
    }
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_calls),
        T(test_refused),
        T(test_vouchers),
        T(test_misbehaviour),
        T(test_garbage_is_bounded),
        T(test_gone),
        T(test_stop_child),
        T(test_stop_is_acknowledged),
        T(test_crash_at_start),
        T(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
