/* What the keeper signs for the built-in issuer and for tokens, and what it refuses even to core.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "identity/jwt_svid.h"
#include "identity/x509_svid.h"
#include "role/keeper_keys.h"
#include "role/keeper_world.h"

#include <unistd.h>

static int64_t now_s(void)
{
    return clock_wall_ms() / 1000;
}

/* NOW+60 in the text of claims is a time. */
static void claims_of(const char *pattern, struct buf *out)
{
    int64_t now = now_s();
    for (const char *at = pattern; *at;) {
        char *end;
        if (strncmp(at, "NOW", 3) != 0) {
            buf_putc(out, *at++);
            continue;
        }
        buf_i64(out, now + strtoll(at + 3, &end, 10));
        at = end;
    }
}

static uint16_t sign(struct world *w, enum sign_kind kind, const char *pattern)
{
    struct buf claims = {0};
    claims_of(pattern, &claims);
    struct msg_sign_jwt m = {.kind = (uint8_t)kind, .claims = buf_str(&claims)};
    link_send(&w->core, MSG_SIGN_JWT, 9, &m, -1);
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.id, 9);
    buf_fini(&claims);
    return w->f.type;
}

static str signed_token(struct world *w)
{
    struct msg_text m;
    struct err err;
    assert_true(message_unpack(MSG_SIGNED_TOKEN, buf_str(&w->f.payload), &m, &err));
    return m.text;
}

#define WIT_KEY                                                                                    \
    "\"cnf\":{\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\","                        \
    "\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","                                       \
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}}"
#define DESK "\"sub\":\"spiffe://t.example/agent/desk/1\""
#define TXN  "\"aud\":\"t.example\",\"txn\":\"t\",\"sub\":\"ann\",\"scope\":\"x\",\"req_wl\":\"y\""

/* One good example of each, verified with what the keeper published for its kind and no other. */
static void test_kinds(void **state)
{
    struct world *w = *state;
    static const struct {
        enum sign_kind kind;
        const char *typ, *claims;
        bool has_iss;
    } cases[] = {
        {SIGN_TASK_TOKEN, "at+jwt",
         "{\"sub\":\"ann\",\"aud\":\"https://t.example/mcp\",\"exp\":NOW+300}", true},
        {SIGN_TASK_TOKEN, "at+jwt",
         "{\"iss\":\"https://t.example\",\"sub\":\"ann\",\"aud\":\"https://t.example/mcp/x\","
         "\"exp\":NOW+60}",
         true},
        {SIGN_TXN, "txntoken+jwt", "{" TXN ",\"iat\":NOW+0,\"exp\":NOW+120}", true},
        {SIGN_JWT_SVID, "JWT", "{" DESK ",\"aud\":\"q\",\"iat\":NOW+0,\"exp\":NOW+300}", false},
        {SIGN_JWT_SVID, "JWT", "{" DESK ",\"aud\":[\"q\",\"r\"],\"exp\":NOW+300}", false},
        {SIGN_JWT_SVID, "JWT",
         "{\"sub\":\"spiffe://t.example/ambit/gateway\",\"aud\":\"q\",\"exp\":NOW+300}", false},
        {SIGN_WIT_SVID, "wit+jwt", "{" DESK "," WIT_KEY ",\"exp\":NOW+3600}", false},
    };
    struct bundle *b;
    struct err err;
    assert_true(bundle_read(S("t.example"), w->bundle.jwks, &b, &err));
    struct keyset task = {0}, txn = {0};
    assert_true(keyset_read(&task, w->public.token_jwks, (str){0}, &err));
    assert_true(keyset_read(&txn, w->public.txn_jwks, (str){0}, &err));
    const struct keyset *sets[SIGN_KINDS] = {[SIGN_TASK_TOKEN] = &task,
                                             [SIGN_TXN] = &txn,
                                             [SIGN_JWT_SVID] = bundle_jwt_keys(b),
                                             [SIGN_WIT_SVID] = bundle_wit_keys(b)};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        const json *claims;
        struct jws jws;
        assert_int_equal(sign(w, cases[i].kind, cases[i].claims), MSG_SIGNED_TOKEN);
        str token = signed_token(w);
        for (int kind = SIGN_TASK_TOKEN; kind < SIGN_KINDS; kind++)
            assert_int_equal(jws_verify(&a, token, sets[kind], str_z(cases[i].typ), &jws, &err),
                             kind == (int)cases[i].kind);
        assert_true(jws_verify(&a, token, sets[cases[i].kind], str_z(cases[i].typ), &jws, &err));
        assert_true(jwt_payload(&a, jws.payload, &claims, &err));
        assert_int_equal(str_eq(json_get_str(claims, S("iss")), S("https://t.example")),
                         cases[i].has_iss);
    }
    keyset_fini(&task);
    keyset_fini(&txn);
    bundle_free(b);
}

static void test_claims_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        enum sign_kind kind;
        const char *claims;
    } cases[] = {
        {SIGN_NONE, "{\"sub\":\"a\",\"aud\":\"https://t.example/mcp\",\"exp\":NOW+60}"},
        {SIGN_KINDS, "{\"sub\":\"a\",\"aud\":\"https://t.example/mcp\",\"exp\":NOW+60}"},
        /* malformed, whatever the kind */
        {SIGN_TASK_TOKEN, "[]"},
        {SIGN_TASK_TOKEN, "{}"},
        {SIGN_TASK_TOKEN, ""},
        {SIGN_TASK_TOKEN, "not JSON"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":NOW+60,\"exp\":NOW+60}"},
        /* times */
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\"}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":1}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":\"soon\"}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":NOW+360}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":253402300799}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":NOW+60,\"iat\":NOW+100}"},
        {SIGN_TXN, "{" TXN ",\"iat\":NOW+0,\"exp\":NOW+180}"},
        {SIGN_JWT_SVID, "{" DESK ",\"aud\":\"q\",\"exp\":NOW+360}"},
        {SIGN_WIT_SVID, "{" DESK "," WIT_KEY ",\"exp\":NOW+3660}"},
        /* what is not the caller's to say, or for elsewhere */
        {SIGN_TASK_TOKEN, "{\"iss\":\"me\",\"aud\":\"https://t.example/mcp\",\"exp\":NOW+60}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example\",\"exp\":NOW+60}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/\",\"exp\":NOW+60}"},
        {SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example.org/mcp\",\"exp\":NOW+60}"},
        {SIGN_TASK_TOKEN, "{\"aud\":[\"https://t.example/mcp\"],\"exp\":NOW+60}"},
        {SIGN_TASK_TOKEN, "{\"exp\":NOW+60}"},
        {SIGN_TXN, "{\"aud\":\"other\",\"txn\":\"t\",\"sub\":\"a\",\"scope\":\"x\","
                   "\"req_wl\":\"y\",\"iat\":NOW+0,\"exp\":NOW+60}"},
        {SIGN_TXN, "{" TXN ",\"exp\":NOW+60}"},
        {SIGN_TXN, "{\"aud\":\"t.example\",\"sub\":\"a\",\"scope\":\"x\",\"req_wl\":\"y\","
                   "\"iat\":NOW+0,\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{\"sub\":\"spiffe://other/agent/a\",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{\"sub\":\"spiffe://t.example/admin\",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{\"sub\":\"spiffe://t.example/agents/a\",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{\"sub\":\"spiffe://t.example\",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{\"sub\":\"ann\",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{" DESK ",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{" DESK ",\"aud\":\"\",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{" DESK ",\"aud\":[],\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{" DESK ",\"aud\":[1],\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{" DESK ",\"aud\":{},\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{\"iss\":\"https://t.example\"," DESK ",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_JWT_SVID, "{\"task\":{}," DESK ",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_WIT_SVID, "{" DESK ",\"exp\":NOW+60}"},
        {SIGN_WIT_SVID, "{" DESK "," WIT_KEY ",\"aud\":\"q\",\"exp\":NOW+60}"},
        {SIGN_WIT_SVID, "{" DESK ",\"cnf\":{\"jkt\":\"x\"},\"exp\":NOW+60}"},
        {SIGN_WIT_SVID, "{" DESK ",\"cnf\":{\"jwk\":{\"alg\":\"ES256\",\"kty\":\"oct\"}},"
                        "\"exp\":NOW+60}"},
        {SIGN_WIT_SVID, "{\"sub\":\"spiffe://other/agent/a\"," WIT_KEY ",\"exp\":NOW+60}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (sign(w, cases[i].kind, cases[i].claims) != MSG_NOT_SIGNED)
            fail_msg("signed: %s", cases[i].claims);
}

/* ---- certificates ---- */

static uint16_t sign_x509(struct world *w, const char *id, str spki, int64_t life_s)
{
    struct msg_sign_x509 m = {.spiffe_id = str_z(id), .spki = spki, .life_s = life_s};
    link_send(&w->core, MSG_SIGN_X509, 4, &m, -1);
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.id, 4);
    return w->f.type;
}

static bool trust(struct world *w, struct bundles *set)
{
    struct bundle *b;
    struct err err;
    return bundle_read(S("t.example"), w->bundle.jwks, &b, &err) && bundles_put(set, b, NULL, &err);
}

static void check_chain(struct world *w, str chain, const char *id, int64_t not_after_s)
{
    ARENA_SCOPE struct arena a = {0};
    struct bundles set = {0};
    struct x509_svid svid;
    struct err err;
    str parts[4];
    size_t n;
    assert_true(trust(w, &set));
    assert_true(x509_split(chain, parts, 4, &n, &err));
    assert_int_equal(n, 2);
    assert_true(x509_svid_verify(&a, parts, n, &set, now_s(), &svid, &err));
    assert_true(str_eq(svid.id.text, str_z(id)));
    assert_int_equal(svid.not_after_s, not_after_s);
    bundles_fini(&set);
}

static void test_x509(void **state)
{
    struct world *w = *state;
    struct msg_signed_x509 m;
    struct key *own;
    struct buf spki = {0};
    struct err err;
    static const char *const good[] = {"spiffe://t.example/agent/desk/1",
                                       "spiffe://t.example/ambit/bundle"};
    assert_true(key_generate(KEY_ES256, &own, &err));
    assert_true(key_to_spki(own, &spki, &err));
    for (size_t i = 0; i < 2; i++) {
        int64_t before = now_s();
        assert_int_equal(sign_x509(w, good[i], buf_str(&spki), 3600), MSG_SIGNED_X509);
        assert_true(message_unpack(MSG_SIGNED_X509, buf_str(&w->f.payload), &m, &err));
        assert_in_range(m.not_after_s, before + 3600, before + 3602);
        check_chain(w, m.chain, good[i], m.not_after_s);
    }
    static const struct {
        const char *id;
        int64_t life_s;
        bool no_key;
    } refused[] = {
        {"spiffe://other.example/agent/desk", 60, false},
        {"spiffe://t.example", 60, false},
        {"spiffe://t.example/", 60, false},
        {"spiffe://t.example/admin", 60, false},
        {"spiffe://t.example/agent", 60, false},
        {"spiffe://t.example/agent/../admin", 60, false},
        {"https://t.example/agent/desk", 60, false},
        {"", 60, false},
        {"spiffe://t.example/agent/desk", 0, false},
        {"spiffe://t.example/agent/desk", -1, false},
        {"spiffe://t.example/agent/desk", 3601, false},
        {"spiffe://t.example/agent/desk", INT64_MAX, false},
        {"spiffe://t.example/agent/desk", 60, true},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (sign_x509(w, refused[i].id, refused[i].no_key ? S("key") : buf_str(&spki),
                      refused[i].life_s) != MSG_NOT_SIGNED)
            fail_msg("signed: %s for %lld s", refused[i].id, (long long)refused[i].life_s);
    buf_fini(&spki);
    key_free(own);
}

/* The same keys after a restart, so that what is out there goes on verifying; and a file that was
 * tampered with keeps the keeper from starting. */
static void test_restart(void **state)
{
    struct world *w = *state;
    struct buf bundle = {0}, tokens = {0};
    buf_put(&bundle, w->bundle.jwks);
    buf_put(&tokens, w->public.token_jwks);
    keeper_stop(w);
    keeper_start(w);
    assert_true(str_eq(buf_str(&bundle), w->bundle.jwks));
    assert_true(str_eq(buf_str(&tokens), w->public.token_jwks));
    assert_int_equal(
        sign(w, SIGN_JWT_SVID, "{" DESK ",\"aud\":\"q\",\"iat\":NOW+0,\"exp\":NOW+300}"),
        MSG_SIGNED_TOKEN);
    buf_fini(&bundle);
    buf_fini(&tokens);
}

/* A core that comes later, or again, gets what there is. */
static void test_new_core(void **state)
{
    struct world *w = *state;
    struct buf bundle = {0};
    buf_put(&bundle, w->bundle.jwks);
    link_close(&w->core);
    w->core = harness_peer(&w->h, ROLE_CORE);
    keeper_take_keys(w);
    assert_true(str_eq(buf_str(&bundle), w->bundle.jwks));
    buf_fini(&bundle);
}

static struct msg_rotated rotated(struct world *w)
{
    struct msg_rotated m;
    struct err err;
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.type, MSG_ROTATED);
    assert_true(message_unpack(MSG_ROTATED, buf_str(&w->f.payload), &m, &err));
    return m;
}

/* What a person asks for: the old keys go from what is published before the answer comes, and what
 * is signed next is signed with the new one. */
static void test_revoke(void **state)
{
    struct world *w = *state;
    struct msg_rotate ask = {.kind = CA_TASK, .revoke = 1};
    char old[64];
    str token;
    assert_int_equal(sign(w, SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":NOW+60}"),
                     MSG_SIGNED_TOKEN);
    link_send(&w->core, MSG_ROTATE, 5, &ask, -1);
    keeper_take_keys(w);
    struct msg_rotated m = rotated(w);
    assert_int_equal(w->f.id, 5);
    assert_true(m.old_kid.n == KEY_ID_LEN && m.new_kid.n == KEY_ID_LEN);
    memcpy(old, m.old_kid.p, m.old_kid.n);
    assert_true(str_find(w->public.token_jwks, str_of(old, KEY_ID_LEN)) < 0);
    assert_true(str_find(w->public.token_jwks, m.new_kid) > 0);
    assert_int_equal(sign(w, SIGN_TASK_TOKEN, "{\"aud\":\"https://t.example/mcp\",\"exp\":NOW+60}"),
                     MSG_SIGNED_TOKEN);
    token = signed_token(w);
    ARENA_SCOPE struct arena a = {0};
    struct keyset set = {0};
    struct jws jws;
    struct err err;
    assert_true(keyset_read(&set, w->public.token_jwks, (str){0}, &err));
    assert_true(jws_verify(&a, token, &set, S("at+jwt"), &jws, &err));
    keyset_fini(&set);
    /* The root, and with it the signing CA: another bundle, with a higher sequence. */
    int64_t sequence = w->bundle.sequence;
    ask.kind = CA_ROOT;
    link_send(&w->core, MSG_ROTATE, 6, &ask, -1);
    keeper_take_keys(w);
    m = rotated(w);
    assert_true(m.sequence > sequence && w->bundle.sequence == m.sequence);
    /* No such kind; and the one that was just made waits to be used. */
    ask = (struct msg_rotate){.kind = CA_KINDS, .revoke = 1};
    link_send(&w->core, MSG_ROTATE, 7, &ask, -1);
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.type, MSG_NOT_SIGNED);
    ask = (struct msg_rotate){.kind = CA_TASK};
    link_send(&w->core, MSG_ROTATE, 8, &ask, -1);
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.type, MSG_NOT_SIGNED);
}

/* Whatever lives the configuration takes, the keeper can run with. */
static void test_lives_of_the_configuration(void **state)
{
    uint64_t seed = 42;
    unsigned taken = 0;
    for (int i = 0; i < 20000; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct conf c;
        struct conf_problems p = {0};
        struct ca ca;
        struct err err;
        unsigned v[5];
        static const unsigned spread[] = {40, 400, 4000, 40000, 400000};
        for (int k = 0; k < 5; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            v[k] = 1 + (unsigned)(seed >> 33) % spread[(seed >> 20) % 5];
        }
        str text = str_fmt(&a,
                           "{\"identity\": {\"x509Life\": \"%us\", \"jwtLife\": \"%us\", "
                           "\"caLife\": \"%us\", \"rootLife\": \"%us\", \"refreshHint\": "
                           "\"%us\"}}",
                           v[0], v[1], v[2], v[3], 1 + v[4] % 100);
        if (!conf_read(&a, S("c"), S("/"), text, &c, &p))
            continue;
        taken++;
        struct ca_conf lives = keeper_lives(&c);
        if (!ca_init(&ca, &lives, &err))
            fail_msg("%.*s: %s", STR(text), err.text);
    }
    assert_true(taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_claims_refused, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_x509, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_restart, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_new_core, keeper_set_up, keeper_tear_down),
        cmocka_unit_test_setup_teardown(test_revoke, keeper_set_up, keeper_tear_down),
        cmocka_unit_test(test_lives_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
