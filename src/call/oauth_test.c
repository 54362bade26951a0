/* The authorization server over a real store and a real issuer: what it grants, and each thing on
 * the adversarial lists that it must refuse. */
#include "call/oauth_bed.h"

#define ISSUER   "https://gw.example"
#define TOKEN    ISSUER "/oauth/token"
#define MCP      ISSUER "/mcp"
#define SPIFFE   "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
#define JWT_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define ACCESS   "urn:ietf:params:oauth:token-type:access_token"
#define CC       "grant_type", "client_credentials"

static const char *SHOP[] = {"shop/find", "shop/look", "ambit/delegate"};
static const char *ALL[] = {"shop/find", "shop/look", "shop/refund"};

static const char *z(struct bed *b, str s)
{
    return str_dup(&b->arena, s).p;
}

static const char *svid(struct bed *b, const char *path)
{
    return z(b, bed_svid(b, path, ISSUER));
}

/* Gets the server's nonce as a client does: by asking without one. */
static str learn_nonce(struct bed *b, struct key *k)
{
    struct proof p = {.listener = BED_TLS,
                      .dpop = dpop_make(&b->arena, k, S("first"), S("POST"), S(TOKEN), (str){0},
                                        (str){0}, clock_wall_ms() / 1000)};
    const char *const params[] = {
        CC, "client_assertion_type", SPIFFE, "client_assertion", svid(b, "/agent/desk/1"), NULL};
    bed_ask(b, OAUTH_TOKEN, p, params);
    bed_refused(b, "use_dpop_nonce");
    str nonce = bed_nonce(b);
    assert_true(nonce.n > 0);
    return nonce;
}

static str token_for(struct bed *b, struct key *k, str nonce, const char *jti, const char *agent,
                     const char *const *more)
{
    const char *params[24] = {CC, "client_assertion_type", SPIFFE, "client_assertion",
                              svid(b, agent)};
    size_t n = 6;
    for (; more && *more; more++)
        params[n++] = *more;
    struct proof p = {.listener = BED_TLS,
                      .dpop = dpop_make(&b->arena, k, str_z(jti), S("POST"), S(TOKEN), (str){0},
                                        nonce, clock_wall_ms() / 1000)};
    bed_ask(b, OAUTH_TOKEN, p, params);
    if (b->status != 200)
        fail_msg("%u %.*s", b->status, STR(b->body));
    return bed_member(b, "access_token");
}

static struct proof use(struct bed *b, struct key *k, str token, str nonce, const char *jti,
                        const char *htu)
{
    return (struct proof){.kind = PROOF_DPOP,
                          .listener = BED_TLS,
                          .token = token,
                          .dpop = dpop_make(&b->arena, k, str_z(jti), S("POST"), str_z(htu), token,
                                            nonce, clock_wall_ms() / 1000)};
}

static struct key *fresh_key(void)
{
    struct key *k;
    OK(key_generate(KEY_ES256, &k, &err));
    return k;
}

static const json *claims_of(struct bed *b, str token)
{
    str head, rest, body, sig, text;
    const json *v = NULL;
    struct err err;
    str_cut(token, '.', &head, &rest);
    str_cut(rest, '.', &body, &sig);
    assert_true(base64url_decode(&b->arena, body, &text));
    assert_true(json_read(&b->arena, text, NULL, &v, &err));
    return v;
}

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
    int64_t iat, exp;
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
    int64_t iat, exp;
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
    int64_t iat, exp;
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

static void ask_cc(struct bed *b, const char *const *more)
{
    const char *params[24] = {CC, "client_assertion_type", SPIFFE, "client_assertion",
                              svid(b, "/agent/desk/1")};
    size_t n = 6;
    for (; *more; more++)
        params[n++] = *more;
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
}
#define ASK_CC(b, ...) ask_cc(b, (const char *const[]){__VA_ARGS__, NULL})

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
        "[{\"type\":\"tool_call\",\"actions\":[\"shop/find\"]},{\"type\":\"tool_call\",\"actions\":"
        "[\"shop/look\"]}]",
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
    int64_t iat, exp;
    assert_true(json_i64(json_get(c, S("iat")), &iat) && json_i64(json_get(c, S("exp")), &exp));
    assert_true(exp - iat > 60);
}

/* ---- list 7: exchange ---- */

static void ask_exchange(struct bed *b, const char *agent, str subject, const char *const *more)
{
    const char *params[24] = {"grant_type",    EXCHANGE,           "client_assertion_type",
                              SPIFFE,          "client_assertion", svid(b, agent),
                              "subject_token", z(b, subject),      "subject_token_type",
                              ACCESS};
    size_t n = 10;
    for (; *more; more++)
        params[n++] = *more;
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
}
#define EXCHANGE_IT(b, subject, ...)                                                               \
    ask_exchange(b, "/agent/desk/1", subject, (const char *const[]){__VA_ARGS__, NULL})

static unsigned call_with(struct bed *b, str token, const char *endpoint, const char *tool,
                          const char *args)
{
    struct msg_call m = {.proof = {.kind = PROOF_TOKEN,
                                   .listener = BED_LOOPBACK,
                                   .token = token,
                                   .htm = S("POST"),
                                   .endpoint = str_z(endpoint)},
                         .tool = str_z(tool),
                         .args = str_z(args)};
    gate_call(&b->g, BED_EDGE, 9, &m);
    store_flush(b->g.store);
    return b->type == MSG_REFUSED ? b->refusal : 0;
}

static unsigned call(struct bed *b, str token, const char *endpoint, const char *tool)
{
    return call_with(b, token, endpoint, tool, "{}");
}

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

/* ---- tasks that do not begin with a person ---- */

/* What another task has delegated: taken up once, in time, by its own agent. */
static void test_redeeming(void **state)
{
    struct bed *b = *state;
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL);
    static const char args[] =
        "{\"agent\":\"clerk\",\"operations\":[\"shop/find\"],\"purpose\":\"p\"}";
    ASK_CC(b, "task", t->id.s);
    assert_int_equal(call_with(b, bed_member(b, "access_token"), "", "ambit__delegate", args), 0);
    struct task *child = t->first_child;
    assert_non_null(child);
    assert_int_equal(child->state, TASK_GRANTED);
    ASK_CC(b, "task", child->id.s); /* by its parent */
    bed_refused(b, "invalid_grant");
    assert_int_equal(child->state, TASK_GRANTED);
    const char *const params[] = {
        CC, "client_assertion_type", SPIFFE, "client_assertion", svid(b, "/agent/clerk/1"), NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
    if (b->status != 200)
        fail_msg("%.*s", STR(b->body));
    assert_int_equal(child->state, TASK_ACTIVE);
    assert_int_equal(call(b, bed_member(b, "access_token"), "", "shop__find"), 0);
    assert_int_equal(call(b, bed_member(b, "access_token"), "", "shop__look"), REFUSAL_DENIED);
    gate_close_task(&b->g, t, TASK_COMPLETED, S("x"), S("ann"), NULL, NULL);
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
    bed_refused(b, "invalid_grant");
}

/* Asked for, and held: the bed's policies permit calls, and opening only with an owner's consent.
 */
static void test_asking_for_a_task(void **state)
{
    struct bed *b = *state;
    static const char *const bad[] = {
        "[{\"type\":\"ambit_task\",\"operations\":[\"shop/find\"]}]",
        "[{\"type\":\"ambit_task\",\"purpose\":\"p\"}]",
        "[{\"type\":\"ambit_task\",\"purpose\":\"p\",\"operations\":[\"shop/"
        "find\"],\"deadline\":\"x\"}]",
        "[{\"type\":\"ambit_task\",\"purpose\":\"p\",\"operations\":[\"shop/"
        "find\"],\"owner\":\"bob\"}]",
        "[{\"type\":\"ambit_task\",\"purpose\":\"p\",\"operations\":[\"shop/"
        "find\"],\"agent\":\"clerk\"}]",
        "[{\"type\":\"ambit_task\",\"purpose\":\"p\",\"operations\":[\"shop/"
        "find\"],\"calls\":\"9\"}]",
        "[{\"type\":\"ambit_task\",\"purpose\":\"p\",\"operations\":\"shop/find\"}]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASK_CC(b, "authorization_details", bad[i]);
        store_flush(b->g.store);
        if (b->status == 200 || str_eq(bed_member(b, "error"), S("authorization_pending")))
            fail_msg("%s: %u %.*s", bad[i], b->status, STR(b->body));
    }
    ASK_CC(b, "authorization_details",
           "[{\"type\":\"ambit_task\",\"purpose\":\"p\",\"operations\":[\"other/x\"]}]");
    store_flush(b->g.store);
    bed_refused(b, "access_denied"); /* outside the ambit */
    static const char *const wish =
        "[{\"type\":\"ambit_task\",\"purpose\":\"p\",\"operations\":[\"shop/find\"],"
        "\"deadline\":\"5m\"}]";
    ASK_CC(b, "authorization_details", wish);
    store_flush(b->g.store);
    if (b->status == 200) /* the shipped policies grant what only reads */
        return;
    bed_refused(b, "authorization_pending");
    const char *id = z(b, bed_member(b, "auth_req_id"));
    const char *const mine[] = {"grant_type",
                                "urn:openid:params:grant-type:ciba",
                                "client_assertion_type",
                                SPIFFE,
                                "client_assertion",
                                svid(b, "/agent/desk/1"),
                                "auth_req_id",
                                id,
                                NULL};
    const char *const theirs[] = {"grant_type",
                                  "urn:openid:params:grant-type:ciba",
                                  "client_assertion_type",
                                  SPIFFE,
                                  "client_assertion",
                                  svid(b, "/agent/clerk/1"),
                                  "auth_req_id",
                                  id,
                                  NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, mine);
    bed_refused(b, "authorization_pending");
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, theirs);
    bed_refused(b, "access_denied");
}

/* ---- introspection and revocation ---- */

static void ask_about(struct bed *b, enum oauth_endpoint endpoint, const char *agent, str token,
                      const char *more, const char *value)
{
    const char *const params[] = {"client_assertion_type",
                                  SPIFFE,
                                  "client_assertion",
                                  svid(b, agent),
                                  "token",
                                  z(b, token),
                                  more,
                                  value,
                                  NULL};
    bed_ask(b, endpoint, (struct proof){.listener = BED_LOOPBACK}, params);
    store_flush(b->g.store);
}

static bool active(struct bed *b, const char *agent, str token)
{
    const json *v;
    struct err err;
    ask_about(b, OAUTH_INTROSPECT, agent, token, NULL, NULL);
    assert_int_equal(b->status, 200);
    assert_true(json_read(&b->arena, b->body, NULL, &v, &err));
    bool is = json_bool(json_get(v, S("active")));
    assert_true(is || json_count(v) == 1); /* nothing more is said of one that is not */
    return is;
}

static void test_introspection(void **state)
{
    struct bed *b = *state;
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL);
    const char *const none[] = {NULL};
    ask_cc(b, none);
    str token = bed_member(b, "access_token");
    assert_true(active(b, "/agent/desk/1", token));
    assert_true(str_eq(bed_member(b, "sub"), S("ann")));
    assert_true(active(b, "/agent/audit/1", token));
    assert_false(active(b, "/agent/clerk/1", token));
    assert_false(active(b, "/agent/audit/1", S("a.b.c")));
    assert_false(active(b, "/agent/audit/1", bed_svid(b, "/agent/desk/1", ISSUER)));
    const char *const nobody[] = {"token", z(b, token), NULL};
    bed_ask(b, OAUTH_INTROSPECT, (struct proof){.listener = BED_LOOPBACK}, nobody);
    bed_refused(b, "invalid_client");
    gate_close_task(&b->g, t, TASK_REVOKED, S("x"), S("ann"), NULL, NULL);
    assert_false(active(b, "/agent/audit/1", token));
}

static void test_revocation(void **state)
{
    struct bed *b = *state;
    struct task *t = bed_task(b, "desk", SHOP, 3, NULL);
    const char *const none[] = {NULL};
    ask_cc(b, none);
    str token = bed_member(b, "access_token");
    ask_cc(b, none);
    str other = bed_member(b, "access_token");
    assert_int_equal(call(b, token, "", "shop__find"), 0); /* known by now */
    ask_about(b, OAUTH_REVOKE, "/agent/clerk/1", token, NULL, NULL);
    bed_refused(b, "invalid_request");
    assert_int_equal(call(b, token, "", "shop__find"), 0);
    ask_about(b, OAUTH_REVOKE, "/agent/desk/1", token, "token_type_hint", "access_token");
    assert_int_equal(b->status, 200);
    assert_int_equal(call(b, token, "", "shop__find"), REFUSAL_UNAUTHENTICATED);
    assert_false(active(b, "/agent/desk/1", token));
    EXCHANGE_IT(b, token, "scope", "shop/find");
    bed_refused(b, "invalid_request");
    assert_int_equal(call(b, other, "", "shop__find"), 0); /* the task goes on */
    ask_about(b, OAUTH_REVOKE, "/agent/desk/1", token, NULL, NULL);
    assert_int_equal(b->status, 200); /* twice is once */
    ask_about(b, OAUTH_REVOKE, "/agent/desk/1", S("nonsense"), NULL, NULL);
    assert_int_equal(b->status, 200);
    ask_about(b, OAUTH_REVOKE, "/agent/desk/1", other, "task", "cancel");
    bed_refused(b, "invalid_request");
    ask_about(b, OAUTH_REVOKE, "/agent/desk/1", other, "task", "complete");
    assert_int_equal(b->status, 200);
    assert_int_equal(t->state, TASK_COMPLETED);
}

static void test_edges_of_requests(void **state)
{
    struct bed *b = *state;
    const char *const params[] = {CC, NULL}, *const empty[] = {NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_NO_OAUTH}, params);
    assert_int_equal(b->status, 404);
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = 77}, params);
    assert_int_equal(b->status, 404);
    bed_ask(b, OAUTH_NONE, (struct proof){0}, params);
    assert_int_equal(b->status, 404);
    bed_ask(b, OAUTH_ENDPOINTS, (struct proof){0}, params);
    assert_int_equal(b->status, 404);
    bed_ask(b, OAUTH_TOKEN, (struct proof){0}, empty);
    bed_refused(b, "invalid_request");
    const char *const twice[] = {CC, CC, NULL}, *const password[] = {"grant_type", "password",
                                                                     NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){0}, twice);
    bed_refused(b, "invalid_request");
    bed_ask(b, OAUTH_TOKEN, (struct proof){0}, password);
    bed_refused(b, "unsupported_grant_type");
    const char *const secret[] = {CC, "client_id", "desk", "client_secret", "x", NULL};
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, secret);
    bed_refused(b, "invalid_client");
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
        T(test_redeeming),
        T(test_asking_for_a_task),
        T(test_introspection),
        T(test_revocation),
        T(test_edges_of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
