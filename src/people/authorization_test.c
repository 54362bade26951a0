/* Adversarial list 10 (RFC 9700) as far as it is decided without a browser. */
#include "people/authorization.h"
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { NOW = 1000000 };
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
/* The pair of RFC 7636 appendix B. */
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define DETAILS                                                                                    \
    "[{\\\"type\\\":\\\"ambit_task\\\",\\\"purpose\\\":\\\"refund\\\","                            \
    "\\\"operations\\\":[\\\"help/refund\\\"]}]"

struct fix {
    struct arena a;
    struct conf conf;
    struct conf_agent agents[2];
    str uris[4];
    struct authorizations as;
    struct authorization *z;
    struct authorization_refusal no;
    struct err err;
};

static void fix_init(struct fix *f)
{
    *f = (struct fix){0};
    f->uris[0] = S("https://desk.example/back");
    f->uris[1] = S("http://127.0.0.1/back");
    f->uris[2] = S("com.example.desk:/back");
    f->uris[3] = S("https://desk.example/q?keep=1");
    f->agents[0] = (struct conf_agent){
        .name = S("desk"), .owner = S("ann"), .redirect_uris = f->uris, .redirect_uris_n = 4};
    f->agents[1] = (struct conf_agent){.name = S("clerk"), .owner = S("ann")};
    f->conf = (struct conf){.agents = f->agents, .agents_n = 2, .trust_domain = S("td.example")};
    authorizations_init(&f->as);
}

static void fix_fini(struct fix *f)
{
    authorizations_fini(&f->as);
    arena_fini(&f->a);
}

struct pair {
    const char *name, *value;
};
static const struct pair GOOD[] = {
    {"response_type", "code"},
    {"client_id", "spiffe://td.example/agent/desk"},
    {"redirect_uri", "https://desk.example/back"},
    {"code_challenge", CHALLENGE},
    {"code_challenge_method", "S256"},
    {"state", "xyz"},
    {"authorization_details", DETAILS},
};

/* The good request with some members changed; a NULL value leaves one out. */
static bool ask(struct fix *f, const struct pair *changes, size_t n)
{
    struct buf b = {0};
    const json *params;
    bool first = true;
    buf_putc(&b, '{');
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0] + n; i++) {
        struct pair p = i < n ? changes[i] : GOOD[i - n];
        bool changed = false;
        for (size_t k = 0; i >= n && k < n; k++)
            changed |= strcmp(changes[k].name, p.name) == 0;
        if (changed || !p.value)
            continue;
        buf_printf(&b, "%s\"%s\":\"%s\"", first ? "" : ",", p.name, p.value);
        first = false;
    }
    buf_putc(&b, '}');
    assert_true(json_read(&f->a, buf_str(&b), NULL, &params, &f->err));
    buf_fini(&b);
    f->no = (struct authorization_refusal){0};
    return authorization_read(&f->as, &f->conf, params, NOW, &f->a, &f->z, &f->no, &f->err);
}

static void test_good(void **state)
{
    (void)state;
    struct fix f;
    struct buf statement = {0}, other = {0};
    fix_init(&f);
    assert_true(ask(&f, NULL, 0));
    assert_true(str_eq(f.z->task, S("{\"operations\":[\"help/refund\"],\"purpose\":\"refund\"}")));
    assert_ptr_equal(authorization_find(&f.as, id_str(&f.z->id), NOW, &f.err), f.z);
    assert_null(authorization_find(&f.as, id_str(&f.z->id), NOW + AUTHORIZATION_LIFE_MS, &f.err));
    authorization_statement(f.z, true, &statement);
    static const char *const parts[] = {"desk", CHALLENGE, "help/refund",
                                        "https://desk.example/back", "\"owner\":\"ann\""};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        assert_true(str_find(buf_str(&statement), str_z(parts[i])) > 0);
    authorization_statement(f.z, false, &other);
    assert_false(str_eq(buf_str(&statement), buf_str(&other)));
    /* The same request again is another statement: a signature is good for one. */
    buf_clear(&other);
    assert_true(ask(&f, NULL, 0));
    authorization_statement(f.z, true, &other);
    assert_false(str_eq(buf_str(&statement), buf_str(&other)));
    buf_fini(&statement);
    buf_fini(&other);
    fix_fini(&f);
}

/* Nothing is ever sent to an address that is not the client's own (open redirect, code injection
 * by a longer redirect URI). */
static void test_redirect_uri(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        bool ok;
    } cases[] = {
        {"https://desk.example/back", true},
        {"https://desk.example/q?keep=1", true},
        {"com.example.desk:/back", true},
        {"http://127.0.0.1/back", true},
        {"http://127.0.0.1:1/back", true},
        {"http://127.0.0.1:65535/back", true},
        {"https://desk.example/back/", false},
        {"https://desk.example/back/evil", false},
        {"https://desk.example/back?x=1", false},
        {"https://desk.example/back#f", false},
        {"https://desk.example/bac", false},
        {"https://desk.example/BACK", false},
        {"https://DESK.example/back", false},
        {"https://desk.example:443/back", false},
        {"https://desk.example@evil.example/back", false},
        {"https://desk.example.evil.example/back", false},
        {"https://evil.example/https://desk.example/back", false},
        {"http://desk.example/back", false},
        {"https://desk.example/x/../back", false},
        {"https://desk.example/%62ack", false},
        {"http://127.0.0.1:/back", false},
        {"http://127.0.0.1:x/back", false},
        {"http://127.0.0.1:123456/back", false},
        {"http://127.0.0.1:80@evil.example/back", false},
        {"http://127.0.0.1.evil.example/back", false},
        {"http://127.0.0.1:8080.evil.example/back", false},
        {"http://127.0.0.1:80/back/evil", false},
        {"http://localhost/back", false},
        {"http://[::1]/back", false},
        {"com.example.desk:/back/evil", false},
        {"javascript:alert(1)", false},
        {"", false},
        {NULL, false},
    };
    struct fix f;
    fix_init(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair change[] = {{"redirect_uri", cases[i].uri}};
        bool ok = ask(&f, change, 1);
        if (ok != cases[i].ok || (!ok && f.no.redirect.n))
            fail_msg("%s", cases[i].uri ? cases[i].uri : "none");
    }
    static const char *const clients[] = {
        "spiffe://td.example/agent/clerk",  "clerk", "spiffe://other.example/agent/desk",
        "spiffe://td.example/agent/desk/1", "",      NULL};
    for (size_t i = 0; i < 6; i++) {
        struct pair change[] = {{"client_id", clients[i]}};
        assert_false(ask(&f, change, 1));
        assert_int_equal(f.no.redirect.n, 0);
    }
    fix_fini(&f);
}

/* Wrong otherwise: told to the client, which is proven by then. */
static void test_refusals_that_are_told(void **state)
{
    (void)state;
    static const struct {
        struct pair change;
        const char *code;
    } cases[] = {
        {{"response_type", "token"}, "unsupported_response_type"},
        {{"response_type", "code id_token"}, "unsupported_response_type"},
        {{"response_type", NULL}, "unsupported_response_type"},
        {{"response_mode", "fragment"}, "invalid_request"},
        {{"code_challenge_method", "plain"}, "invalid_request"},
        {{"code_challenge_method", NULL}, "invalid_request"},
        {{"code_challenge", NULL}, "invalid_request"},
        {{"code_challenge", "short"}, "invalid_request"},
        {{"code_challenge", CHALLENGE "="}, "invalid_request"},
        {{"request", "x"}, "request_not_supported"},
        {{"request_uri", "https://evil.example"}, "request_uri_not_supported"},
        {{"scope", "openid"}, "invalid_scope"},
        {{"resource", "https://x/#f"}, "invalid_target"},
        {{"dpop_jkt", "x"}, "invalid_request"},
        {{"authorization_details", NULL}, "invalid_authorization_details"},
        {{"authorization_details", "[]"}, "invalid_authorization_details"},
        {{"authorization_details", "[{}]"}, "invalid_authorization_details"},
        {{"authorization_details", "[{\\\"type\\\":\\\"payment\\\"}]"},
         "invalid_authorization_details"},
        {{"authorization_details", "[{\\\"type\\\":\\\"ambit_task\\\",\\\"type\\\":\\\"x\\\"}]"},
         "invalid_authorization_details"},
    };
    struct fix f;
    fix_init(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (ask(&f, &cases[i].change, 1) || !f.no.code || strcmp(f.no.code, cases[i].code) != 0)
            fail_msg("%s: %s", cases[i].change.name, f.no.code ? f.no.code : "none");
        assert_true(str_eq(f.no.redirect, S("https://desk.example/back")));
        assert_true(str_eq(f.no.state, S("xyz")));
    }
    assert_int_equal(map_count(&f.as.by_id), 0);
    fix_fini(&f);
}

static struct code_use use_of(const struct bearer *code)
{
    return (struct code_use){.code = bearer_str(code),
                             .client_id = S("spiffe://td.example/agent/desk"),
                             .redirect_uri = S("https://desk.example/back"),
                             .verifier = S(VERIFIER)};
}

static bool redeem(struct fix *f, const struct code_use *use, int64_t now_ms, bool *replayed)
{
    struct authorization *z;
    return authorization_use(&f->as, use, now_ms, &z, replayed, &f->err);
}

static void test_code(void **state)
{
    (void)state;
    struct fix f;
    struct bearer code;
    struct code_use use;
    bool replayed;
    fix_init(&f);
    /* Each of these with a code of its own: wrong once is spent. */
    static const struct {
        const char *what;
        size_t member;
        str value;
    } cases[] = {
        {"other client",
         offsetof(struct code_use, client_id),
         {"spiffe://td.example/agent/clerk", 31}},
        {"other redirect", offsetof(struct code_use, redirect_uri), {"http://127.0.0.1/back", 21}},
        {"no redirect", offsetof(struct code_use, redirect_uri), {"", 0}},
        {"other verifier",
         offsetof(struct code_use, verifier),
         {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", 43}},
        {"the challenge", offsetof(struct code_use, verifier), {CHALLENGE, 43}},
        {"no verifier", offsetof(struct code_use, verifier), {"", 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(ask(&f, NULL, 0));
        authorization_consent(&f.as, f.z, S("ann"), NOW, &code);
        use = use_of(&code);
        memcpy((char *)&use + cases[i].member, &cases[i].value, sizeof(str));
        if (redeem(&f, &use, NOW, &replayed) || replayed)
            fail_msg("%s", cases[i].what);
        use = use_of(&code);
        assert_false(redeem(&f, &use, NOW, &replayed));
        assert_true(replayed);
    }
    assert_true(ask(&f, NULL, 0));
    authorization_consent(&f.as, f.z, S("ann"), NOW, &code);
    assert_null(authorization_find(&f.as, id_str(&f.z->id), NOW, &f.err)); /* decided once */
    use = use_of(&code);
    assert_true(redeem(&f, &use, NOW + CODE_LIFE_MS - 1, &replayed));
    assert_false(redeem(&f, &use, NOW + CODE_LIFE_MS - 1, &replayed));
    assert_true(replayed);
    assert_true(ask(&f, NULL, 0));
    authorization_consent(&f.as, f.z, S("ann"), NOW, &code);
    use = use_of(&code);
    assert_false(redeem(&f, &use, NOW + CODE_LIFE_MS, &replayed));
    use.code = S("never made");
    assert_false(redeem(&f, &use, NOW, &replayed));
    assert_false(replayed);
    fix_fini(&f);
}

static void test_code_is_bound_to_the_dpop_key_and_resource(void **state)
{
    (void)state;
    struct fix f;
    struct bearer code;
    bool replayed;
    fix_init(&f);
    struct pair change[] = {{"dpop_jkt", CHALLENGE}, {"resource", "https://gw.example/mcp"}};
    static const struct {
        str jkt, resource;
        bool ok;
    } cases[] = {{{CHALLENGE, 43}, {"https://gw.example/mcp", 22}, true},
                 {{CHALLENGE, 43}, {"", 0}, true},
                 {{"", 0}, {"", 0}, false},
                 {{VERIFIER, 43}, {"", 0}, false},
                 {{CHALLENGE, 43}, {"https://gw.example/mcp/x", 24}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(ask(&f, change, 2));
        authorization_consent(&f.as, f.z, S("ann"), NOW, &code);
        struct code_use use = use_of(&code);
        use.jkt = cases[i].jkt;
        use.resource = cases[i].resource;
        if (redeem(&f, &use, NOW, &replayed) != cases[i].ok)
            fail_msg("case %zu", i);
    }
    fix_fini(&f);
}

static void test_redirect(void **state)
{
    (void)state;
    struct arena a = {0};
    str to = authorization_redirect(&a, S("https://desk.example/q?keep=1"), S("a b&c=\"\r\n"),
                                    S("https://gw.example"), S("c0de"), NULL);
    assert_true(str_eq(to, S("https://desk.example/q?keep=1&code=c0de&state=a%20b%26c%3D%22%0D%0A"
                             "&iss=https%3A%2F%2Fgw.example")));
    to = authorization_redirect(&a, S("com.example.desk:/back"), (str){0}, S("https://gw.example"),
                                (str){0}, "access_denied");
    assert_true(str_eq(to, S("com.example.desk:/back?error=access_denied"
                             "&iss=https%3A%2F%2Fgw.example")));
    arena_fini(&a);
}

static void test_flood(void **state)
{
    (void)state;
    struct fix f;
    fix_init(&f);
    for (int i = 0; i < AUTHORIZATIONS_MAX; i++)
        assert_true(ask(&f, NULL, 0));
    assert_false(ask(&f, NULL, 0));
    assert_string_equal(f.no.code, "temporarily_unavailable");
    authorizations_sweep(&f.as, NOW + AUTHORIZATION_LIFE_MS);
    assert_int_equal(map_count(&f.as.by_id), 0);
    fix_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_redirect_uri),
        cmocka_unit_test(test_refusals_that_are_told),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_code_is_bound_to_the_dpop_key_and_resource),
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
