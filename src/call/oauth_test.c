/* The authorization server over a real store and a real issuer: what it grants, and each thing on
 * the adversarial lists that it must refuse. */
#include "call/oauth_kit_test.h"

/* ---- what works ---- */

static void test_jwt_svid_and_dpop(void **state)
{
    struct bed *b = *state;
    struct key *k = fresh_key();
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL);
    str nonce = learn_nonce(b, k);
    str token = token_for(b, k, nonce, "j1", "/agent/desk/1", NULL);
    assert_true(str_eq(bed_member(b, "token_type"), S("DPoP")));
    const json *c = claims_of(b, token);
    struct key_id jkt = key_id(k);
    assert_true(str_eq(json_get_str(c, S("iss")), S(ISSUER)));
    assert_true(str_eq(json_get_str(c, S("aud")), S(MCP)));
    assert_true(str_eq(json_get_str(c, S("sub")), S("ann")));
    assert_true(str_eq(json_get_str(c, S("client_id")), S("spiffe://td/agent/desk/1")));
    assert_true(str_eq(json_get_str(json_get(c, S("cnf")), S("jkt")), key_id_str(&jkt)));
    assert_true(str_eq(json_get_str(json_get(c, S("act")), S("sub")), S("spiffe://td/agent/desk")));
    assert_true(str_eq(json_get_str(json_get(c, S("task")), S("id")), id_str(&t->id)));
    assert_int_equal(json_get_str(json_get(c, S("task")), S("authority_hash")).n, 43);
    assert_null(json_get(json_get(c, S("task")), S("operations")));
    int64_t iat = 0, exp = 0;
    assert_true(json_i64(json_get(c, S("iat")), &iat) && json_i64(json_get(c, S("exp")), &exp));
    assert_true(exp - iat <= 300 && exp - iat > 200);
    assert_int_equal(bed_use(b, use(b, k, token, nonce, "u1", MCP)), 0);
    assert_int_equal(b->type, MSG_LIST_ANSWER);
    key_free(k);
}

static void test_mtls(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", ALL, 3, NULL);
    struct proof p = {.listener = BED_TLS};
    p.chain = bed_chain(b, "/agent/desk/1", 3600, &p.cert);
    const char *const params[] = {CC,         "client_id", "spiffe://td/agent/desk",
                                  "resource", MCP "/shop", NULL};
    bed_ask(b, OAUTH_TOKEN, p, params);
    assert_int_equal(b->status, 200);
    assert_true(str_eq(bed_member(b, "token_type"), S("Bearer")));
    str token = bed_member(b, "access_token");
    int64_t iat = 0, exp = 0;
    const json *c = claims_of(b, token);
    assert_true(json_i64(json_get(c, S("iat")), &iat) && json_i64(json_get(c, S("exp")), &exp));
    assert_int_equal(exp - iat, 60); /* refund is high-impact */
    p = (struct proof){.kind = PROOF_TOKEN, .token = token, .cert = p.cert, .endpoint = S("shop")};
    assert_int_equal(bed_use(b, p), 0);
    /* Not without the certificate, with another one, as DPoP, or elsewhere. */
    struct proof q = p;
    q.cert = (str){0};
    assert_int_equal(bed_use(b, q), REFUSAL_UNAUTHENTICATED);
    bed_chain(b, "/agent/clerk/1", 3600, &q.cert);
    assert_int_equal(bed_use(b, q), REFUSAL_UNAUTHENTICATED);
    assert_non_null(strstr(b->text.p, "another client certificate"));
    q = p;
    q.kind = PROOF_DPOP;
    assert_int_equal(bed_use(b, q), REFUSAL_UNAUTHENTICATED);
    q = p;
    q.endpoint = (str){0};
    assert_int_equal(bed_use(b, q), REFUSAL_UNAUTHENTICATED);
    assert_non_null(strstr(b->text.p, "another resource"));
    assert_true(str_eq(b->auth_error, S("invalid_token")));
}

/* A token never outlives the certificate that got it. */
static void test_life_ends_with_the_proof(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", SHOP, 3, NULL);
    struct proof p = {.listener = BED_TLS};
    p.chain = bed_chain(b, "/agent/desk/1", 20, &p.cert);
    const char *const params[] = {CC, NULL};
    bed_ask(b, OAUTH_TOKEN, p, params);
    int64_t iat = 0, exp = 0;
    const json *c = claims_of(b, bed_member(b, "access_token"));
    assert_true(json_i64(json_get(c, S("iat")), &iat) && json_i64(json_get(c, S("exp")), &exp));
    assert_true(exp - iat <= 20);
}

static void test_bearer_where_it_may_be(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", SHOP, 3, NULL);
    const char *const params[] = {
        CC, "client_assertion_type", JWT_TYPE, "client_assertion", svid(b, "/agent/desk/1"), NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_TLS}, params);
    bed_refused(b, "invalid_request"); /* must be bound */
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
    assert_int_equal(b->status, 200);
    str token = bed_member(b, "access_token");
    assert_true(str_eq(json_get_str(claims_of(b, token), S("aud")), S("http://127.0.0.1:2/mcp")));
    struct proof p = {.kind = PROOF_TOKEN, .listener = BED_LOOPBACK, .token = token};
    assert_int_equal(bed_use(b, p), 0);
    p.listener = BED_TLS;
    assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
}

/* ---- list 5: DPoP ---- */

static void test_dpop_at_the_resource(void **state)
{
    struct bed *b = *state;
    struct key *k = fresh_key(), *thief = fresh_key();
    bed_task(b, "desk", SHOP, 3, NULL);
    str nonce = learn_nonce(b, k), token = token_for(b, k, nonce, "j1", "/agent/desk/1", NULL);
    struct proof good = use(b, k, token, nonce, "u1", MCP), p = good;
    assert_int_equal(bed_use(b, good), 0);
    assert_int_equal(bed_use(b, good), REFUSAL_UNAUTHENTICATED); /* replay */
    assert_true(str_eq(b->auth_error, S("invalid_dpop_proof")));
    gate_tokens_forget(&b->g);
    assert_int_equal(bed_use(b, good), REFUSAL_UNAUTHENTICATED);
    p = use(b, k, token, nonce, "u2", MCP);
    p.kind = PROOF_TOKEN; /* as Bearer, even with a good proof beside it */
    assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
    p = use(b, k, token, nonce, "u3", MCP);
    p.dpop = (str){0};
    assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
    assert_int_equal(bed_use(b, use(b, thief, token, nonce, "u4", MCP)), REFUSAL_UNAUTHENTICATED);
    assert_non_null(strstr(b->text.p, "another key"));
    assert_int_equal(bed_use(b, use(b, k, token, nonce, "u5", MCP "/shop")),
                     REFUSAL_UNAUTHENTICATED);
    assert_int_equal(bed_use(b, use(b, k, token, nonce, "u6", "https://evil.example/mcp")),
                     REFUSAL_UNAUTHENTICATED);
    assert_int_equal(bed_use(b, use(b, k, token, (str){0}, "u7", MCP)), REFUSAL_UNAUTHENTICATED);
    assert_true(str_eq(b->auth_error, S("use_dpop_nonce")) && b->nonce.n > 0);
    assert_int_equal(bed_use(b, use(b, k, token, b->nonce, "u7", MCP)), 0);
    assert_int_equal(bed_use(b, use(b, k, token, S("made-up"), "u8", MCP)),
                     REFUSAL_UNAUTHENTICATED);
    /* Another gateway's proof, or one for another token, with the right everything else. */
    p = use(b, k, token, nonce, "u9", MCP);
    p.dpop = dpop_make(&b->arena, k, S("u9"), S("POST"), S(MCP), S("other"), nonce,
                       clock_wall_ms() / 1000);
    assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
    p.dpop =
        dpop_make(&b->arena, k, S("u9"), S("DELETE"), S(MCP), token, nonce, clock_wall_ms() / 1000);
    assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
    key_free(k);
    key_free(thief);
}

static void test_dpop_at_the_token_endpoint(void **state)
{
    struct bed *b = *state;
    struct key *k = fresh_key();
    bed_task(b, "desk", SHOP, 3, NULL);
    str nonce = learn_nonce(b, k);
    const char *const params[] = {
        CC, "client_assertion_type", SPIFFE, "client_assertion", svid(b, "/agent/desk/1"), NULL};
    struct proof p = {.listener = BED_TLS};
    p.dpop = dpop_make(&b->arena, k, S("j"), S("POST"), S(TOKEN), (str){0}, nonce,
                       clock_wall_ms() / 1000);
    bed_ask(b, OAUTH_TOKEN, p, params);
    assert_int_equal(b->status, 200);
    bed_ask(b, OAUTH_TOKEN, p, params);
    bed_refused(b, "invalid_dpop_proof");
    static const char *const htus[] = {"http://gw.example/oauth/token",
                                       "https://evil.example/oauth/token", TOKEN "/", MCP};
    for (size_t i = 0; i < 4; i++) {
        p.dpop = dpop_make(&b->arena, k, str_fmt(&b->arena, "h%zu", i), S("POST"), str_z(htus[i]),
                           (str){0}, nonce, clock_wall_ms() / 1000);
        bed_ask(b, OAUTH_TOKEN, p, params);
        bed_refused(b, "invalid_dpop_proof");
    }
    p.dpop = S("not.a.proof");
    bed_ask(b, OAUTH_TOKEN, p, params);
    bed_refused(b, "invalid_dpop_proof");
    key_free(k);
}

/* ---- lists 3, 4 and 6: who is it? ---- */

static void test_clients(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", SHOP, 3, NULL);
    struct key *other = fresh_key(), *own = b->svid_key;
    str good = bed_svid(b, "/agent/desk/1", ISSUER);
    b->svid_key = other;
    const char *forged = svid(b, "/agent/desk/1");
    b->svid_key = own;
    struct {
        const char *type, *assertion, *client_id;
    } rows[] = {
        {SPIFFE, forged, NULL},
        {SPIFFE, z(b, bed_svid(b, "/agent/desk/1", "https://other.example")), NULL},
        {SPIFFE, z(b, bed_svid(b, "/agent/nobody/1", ISSUER)), NULL},
        {SPIFFE, z(b, bed_svid(b, "/ambit/edge", ISSUER)), NULL},
        {SPIFFE, z(b, good), "spiffe://td/agent/clerk"},
        {SPIFFE, z(b, good), "clerk"},
        {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer", z(b, good), NULL},
        {NULL, z(b, good), NULL},
        {SPIFFE, "e30.e30.", NULL},
        {SPIFFE, "eyJhbGciOiJub25lIn0.e30.", NULL},
        {NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *params[16] = {CC};
        size_t n = 2;
        if (rows[i].type)
            params[n++] = "client_assertion_type", params[n++] = rows[i].type;
        if (rows[i].assertion)
            params[n++] = "client_assertion", params[n++] = rows[i].assertion;
        if (rows[i].client_id)
            params[n++] = "client_id", params[n++] = rows[i].client_id;
        bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
        if (b->status != 401 || !str_eq(bed_member(b, "error"), S("invalid_client")))
            fail_msg("row %zu: %u %.*s", i, b->status, STR(b->body));
    }
    key_free(other);
}

static void test_certificates(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", SHOP, 3, NULL);
    const char *const params[] = {CC, NULL};
    struct proof p = {.listener = BED_TLS};
    str chain = bed_chain(b, "/agent/desk/1", 3600, &p.cert), other;
    const str rows[] = {
        str_take(chain, chain.n - 1), /* cut */
        str_skip(chain, 1),
        b->root_der, /* a CA as client */
        b->signer_der,
        bed_chain(b, "/agent/nobody/1", 3600, &other),
        bed_chain(b, "/ambit/edge", 3600, &other),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        p.chain = rows[i];
        struct hash h = sha256(rows[i]);
        p.cert = hash_str(&h);
        bed_ask(b, OAUTH_TOKEN, p, params);
        if (!str_eq(bed_member(b, "error"), S("invalid_client")))
            fail_msg("row %zu: %u %.*s", i, b->status, STR(b->body));
    }
    /* A chain that is not the connection's own certificate. */
    bed_chain(b, "/agent/desk/1", 3600, &p.cert);
    p.chain = chain;
    bed_chain(b, "/agent/clerk/1", 3600, &p.cert);
    bed_ask(b, OAUTH_TOKEN, p, params);
    bed_refused(b, "invalid_client");
    /* A good assertion beside another agent's certificate. */
    p.chain = bed_chain(b, "/agent/clerk/1", 3600, &p.cert);
    const char *const both[] = {
        CC, "client_assertion_type", SPIFFE, "client_assertion", svid(b, "/agent/desk/1"), NULL};
    bed_ask(b, OAUTH_TOKEN, p, both);
    bed_refused(b, "invalid_client");
}

/* Nothing that was made for another use is a task token, and a task token is nothing else. */
static void test_typing(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", SHOP, 3, NULL);
    const char *const params[] = {
        CC, "client_assertion_type", SPIFFE, "client_assertion", svid(b, "/agent/desk/1"), NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
    str token = bed_member(b, "access_token"), head, rest, body, sig, claims;
    str_cut(token, '.', &head, &rest);
    str_cut(rest, '.', &body, &sig);
    assert_true(base64url_decode(&b->arena, body, &claims));
    static const char *const types[] = {"JWT",      "txntoken+jwt",   "dpop+jwt",  "wit+jwt",
                                        "id_token", "statuslist+jwt", "logout+jwt"};
    struct key_id kid = key_id(b->token_key);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct buf other = {0};
        OK(jws_sign(b->token_key, key_id_str(&kid), str_z(types[i]), claims, &other, &err));
        struct proof p = {.kind = PROOF_TOKEN, .listener = BED_LOOPBACK, .token = buf_str(&other)};
        assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
        buf_fini(&other);
    }
    struct proof p = {.kind = PROOF_TOKEN,
                      .listener = BED_LOOPBACK,
                      .token = bed_svid(b, "/agent/desk/1", "http://127.0.0.1:2/mcp")};
    assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
    const char *const as_client[] = {
        CC, "client_assertion_type", SPIFFE, "client_assertion", z(b, token), NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, as_client);
    bed_refused(b, "invalid_client");
}

/* ---- which task, which resource, how much ---- */

static void test_choice_of_task(void **state)
{
    struct bed *b = *state;
    const char *const none[] = {NULL};
    ask_cc(b, none);
    bed_refused(b, "invalid_grant"); /* no task */
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL), *u = bed_task(b, "desk", SHOP, 2, NULL);
    struct task *strange = bed_task(b, "clerk", SHOP, 2, NULL);
    ask_cc(b, none);
    bed_refused(b, "invalid_grant"); /* which one? */
    ASK_CC(b, "task", t->id.s);
    assert_int_equal(b->status, 200);
    ASK_CC(b, "authorization_details",
           str_fmt(&b->arena, "[{\"type\":\"ambit_task\",\"task\":\"%s\"}]", u->id.s).p);
    assert_int_equal(b->status, 200);
    assert_true(str_find(b->body, id_str(&u->id)) >= 0);
    ASK_CC(b, "task", strange->id.s);
    bed_refused(b, "invalid_grant");
    ASK_CC(b, "task", "t00000000000000000000000000");
    bed_refused(b, "invalid_grant");
    ASK_CC(b, "task", "nonsense");
    bed_refused(b, "invalid_request");
    gate_close_task(&b->g, t, TASK_REVOKED, S("x"), S("ann"), NULL, NULL);
    ASK_CC(b, "task", t->id.s);
    bed_refused(b, "invalid_grant");
}

static void test_resources(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", SHOP, 3, NULL);
    static const struct {
        const char *resource;
        bool good;
    } rows[] = {
        {MCP, true},
        {MCP "/shop", true},
        {"http://127.0.0.1:2/mcp/shop", true},
        {MCP "/", false},
        {MCP "/nothing", false},
        {MCP "/ambit", false},
        {MCP "?x", false},
        {ISSUER, false},
        {"https://gw.example.evil/mcp", false},
        {"https://other.example/mcp", false},
        {"https://gw.example/mcpx", false},
        {"http://gw.example/mcp", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ASK_CC(b, "resource", rows[i].resource);
        if (rows[i].good ? b->status != 200 : !str_eq(bed_member(b, "error"), S("invalid_target")))
            fail_msg("%s: %u %.*s", rows[i].resource, b->status, STR(b->body));
    }
    ASK_CC(b, "resource", MCP, "audience", MCP "/shop");
    bed_refused(b, "invalid_target");
}

static void test_details(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", ALL, 3, NULL);
    static const char *const bad[] = {
        "x",
        "{}",
        "[]",
        "[1]",
        "[{}]",
        "[{\"type\":\"other\"}]",
        "[{\"type\":\"tool_call\"}]",
        "[{\"type\":\"tool_call\",\"actions\":[]}]",
        "[{\"type\":\"tool_call\",\"actions\":[1]}]",
        "[{\"type\":\"tool_call\",\"actions\":[\"shop/*\"]}]",
        "[{\"type\":\"tool_call\",\"actions\":[\"shop/find\"],\"constraints\":{}}]",
        ("[{\"type\":\"tool_call\",\"actions\":[\"shop/"
         "find\"]},{\"type\":\"tool_call\",\"actions\":"
         "[\"shop/look\"]}]"),
        "[{\"type\":\"ambit_task\",\"task\":\"x\"}]",
        "[{\"type\":\"ambit_task\",\"task\":\"t00000000000000000000000000\",\"actions\":[]}]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASK_CC(b, "authorization_details", bad[i]);
        if (!str_eq(bed_member(b, "error"), S("invalid_authorization_details")))
            fail_msg("%s: %u %.*s", bad[i], b->status, STR(b->body));
    }
    ASK_CC(b, "authorization_details", "[{\"type\":\"tool_call\",\"actions\":[\"shop/none\"]}]");
    bed_refused(b, "invalid_scope");
    ASK_CC(b, "scope", "shop/find other/*");
    bed_refused(b, "invalid_scope");
    ASK_CC(b, "scope", "shop/find  shop/look");
    bed_refused(b, "invalid_scope");
    ASK_CC(b, "scope", "shop/find", "authorization_details",
           "[{\"type\":\"tool_call\",\"actions\":[\"shop/find\"]}]");
    bed_refused(b, "invalid_request");
    /* Less of it lives longer: without the refund nothing is high-impact. */
    ASK_CC(b, "scope", "shop/find shop/lo*");
    assert_int_equal(b->status, 200);
    const json *c = claims_of(b, bed_member(b, "access_token"));
    assert_int_equal(json_count(json_get(json_get(c, S("task")), S("operations"))), 2);
    int64_t iat = 0, exp = 0;
    assert_true(json_i64(json_get(c, S("iat")), &iat) && json_i64(json_get(c, S("exp")), &exp));
    assert_true(exp - iat > 60);
}

/* ---- list 7: exchange ---- */

static void test_exchange_narrows(void **state)
{
    struct bed *b = *state;
    bed_task(b, "desk", SHOP, 3, NULL);
    const char *const none[] = {NULL};
    ask_cc(b, none);
    str whole = bed_member(b, "access_token");
    EXCHANGE_IT(b, whole, "scope", "shop/find", "resource", "http://127.0.0.1:2/mcp/shop");
    assert_int_equal(b->status, 200);
    assert_true(str_eq(bed_member(b, "issued_token_type"), S(ACCESS)));
    str less = bed_member(b, "access_token");
    assert_true(
        str_eq(json_get_str(claims_of(b, less), S("aud")), S("http://127.0.0.1:2/mcp/shop")));
    assert_int_equal(call(b, less, "shop", "find"), 0);
    assert_int_equal(call(b, less, "shop", "look"), REFUSAL_DENIED);
    assert_non_null(strstr(b->text.p, "fewer operations"));
    assert_int_equal(call(b, whole, "", "shop__look"), 0);
    /* Nothing of it can grow again. */
    EXCHANGE_IT(b, less, "scope", "shop/look");
    bed_refused(b, "invalid_scope");
    EXCHANGE_IT(b, less, "scope", "shop/*");
    assert_int_equal(call(b, bed_member(b, "access_token"), "shop", "look"), REFUSAL_DENIED);
    EXCHANGE_IT(b, less, "resource", "http://127.0.0.1:2/mcp");
    bed_refused(b, "invalid_target");
    EXCHANGE_IT(b, less, "resource", MCP "/shop");
    bed_refused(b, "invalid_target");
    /* Delegating would hand on what the task has. */
    EXCHANGE_IT(b, whole, "scope", "ambit/delegate");
    bed_refused(b, "invalid_scope");
    EXCHANGE_IT(b, whole, "scope", "*");
    assert_int_equal(b->status, 200);
    static const char args[] =
        "{\"agent\":\"clerk\",\"operations\":[\"shop/find\"],\"purpose\":\"p\"}";
    str star = bed_member(b, "access_token");
    assert_int_equal(call_with(b, star, "", "ambit__delegate", args), REFUSAL_DENIED);
    assert_int_equal(call_with(b, whole, "", "ambit__delegate", args), 0);
}

static void test_exchange_refuses(void **state)
{
    struct bed *b = *state;
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL);
    const char *const none[] = {NULL};
    ask_cc(b, none);
    str whole = bed_member(b, "access_token");
    static const struct {
        const char *name, *value, *error;
    } rows[] = {
        {"actor_token", "x", "invalid_request"},
        {"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token",
         "invalid_request"},
        {"requested_token_type", "urn:ietf:params:oauth:token-type:id_token", "invalid_request"},
        {"task", "t00000000000000000000000000", "invalid_request"},
        {"scope", "shop/refund", "invalid_scope"},
        {"audience", "https://other.example", "invalid_target"},
        {"resource", MCP, "invalid_target"}, /* ours, and not this token's */
        {"authorization_details",
         "[{\"type\":\"tool_call\",\"actions\":[\"shop/find\"],\"constraints\":[]}]",
         "invalid_authorization_details"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EXCHANGE_IT(b, whole, rows[i].name, rows[i].value);
        if (!str_eq(bed_member(b, "error"), str_z(rows[i].error)))
            fail_msg("row %zu: %u %.*s", i, b->status, STR(b->body));
    }
    ask_exchange(b, "/agent/clerk/1", whole, none); /* somebody else's */
    bed_refused(b, "invalid_grant");
    EXCHANGE_IT(b, S("a.b.c"), "scope", "shop/find");
    bed_refused(b, "invalid_request");
    EXCHANGE_IT(b, bed_svid(b, "/agent/desk/1", ISSUER), "scope", "shop/find");
    bed_refused(b, "invalid_request");
    gate_close_task(&b->g, t, TASK_REVOKED, S("x"), S("ann"), NULL, NULL);
    EXCHANGE_IT(b, whole, "scope", "shop/find");
    bed_refused(b, "invalid_grant");
}

/* The task closes while the keeper signs: the token is made, and nobody gets it. */
static void test_close_overtakes_the_signature(void **state)
{
    struct bed *b = *state;
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL);
    const char *const none[] = {NULL};
    b->keeper_waits = true;
    ask_cc(b, none);
    assert_int_equal(b->status, 0);
    gate_close_task(&b->g, t, TASK_REVOKED, S("x"), S("ann"), NULL, NULL);
    bed_sign_now(b, b->signing_claims, b->signing, b->signing_arg);
    bed_refused(b, "invalid_grant");
    assert_int_equal(bed_member(b, "access_token").n, 0);
    bed_task(b, "desk", SHOP, 3, NULL);
    ask_cc(b, none);
    b->signing(b->signing_arg, (str){0}, S("the keeper is restarting; try again"));
    bed_refused(b, "temporarily_unavailable");
    assert_int_equal(b->status, 503);
}

/* A child's token says who delegated, from the task: no client can choose it. */
static void test_act_is_the_chain(void **state)
{
    struct bed *b = *state;
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL);
    bed_task(b, "clerk", SHOP, 1, t);
    const char *const params[] = {CC,
                                  "client_assertion_type",
                                  SPIFFE,
                                  "client_assertion",
                                  svid(b, "/agent/clerk/9"),
                                  "act",
                                  "{\"sub\":\"spiffe://td/agent/boss\"}",
                                  NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
    assert_int_equal(b->status, 200);
    const json *c = claims_of(b, bed_member(b, "access_token")), *act = json_get(c, S("act"));
    assert_true(str_eq(json_get_str(act, S("sub")), S("spiffe://td/agent/clerk")));
    act = json_get(act, S("act"));
    assert_true(str_eq(json_get_str(act, S("sub")), S("spiffe://td/agent/desk")));
    assert_null(json_get(act, S("act")));
    assert_true(str_eq(json_get_str(json_get(c, S("task")), S("parent")), id_str(&t->id)));
    gate_close_task(&b->g, t, TASK_COMPLETED, S("x"), S("ann"), NULL, NULL);
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
    bed_refused(b, "invalid_grant");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, bed_setup, bed_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_jwt_svid_and_dpop),
        T(test_mtls),
        T(test_life_ends_with_the_proof),
        T(test_bearer_where_it_may_be),
        T(test_dpop_at_the_resource),
        T(test_dpop_at_the_token_endpoint),
        T(test_clients),
        T(test_certificates),
        T(test_typing),
        T(test_choice_of_task),
        T(test_resources),
        T(test_details),
        T(test_exchange_narrows),
        T(test_exchange_refuses),
        T(test_close_overtakes_the_signature),
        T(test_act_is_the_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
