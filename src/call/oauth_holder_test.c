/* Tokens of an identity that is revoked: an instance of an agent, and one of another trust domain.
 * The agent itself, and its other identities, go on. */
#include "call/oauth_bed.h"
#include "identity/revoked.h"

#define ISSUER "https://gw.example"

static const char *OPS[] = {"shop/find"};

static void set_revoked(struct bed *b, const char *id, bool revoked)
{
    const struct revoked_entry e = {
        .kind = REVOKED_ID, .name = str_z(id), .at_ms = clock_wall_ms(), .by = S("ann")};
    if (revoked)
        OK(gate_revoke_identity(&b->g, &e, NULL, NULL, &err));
    else
        OK(gate_lift_identity(&b->g, REVOKED_ID, e.name, S("ann"), NULL, NULL, &err));
}

/* What an edge shows of a token that this instance got by its certificate. */
static struct proof token_of(struct bed *b, const char *path)
{
    static const char *const params[] = {"grant_type", "client_credentials", NULL};
    struct proof p = {.listener = BED_TLS};
    p.chain = bed_chain(b, path, 3600, &p.cert);
    bed_ask(b, OAUTH_TOKEN, p, params);
    assert_int_equal(b->status, 200);
    return (struct proof){.kind = PROOF_TOKEN,
                          .listener = BED_TLS,
                          .token = bed_member(b, "access_token"),
                          .cert = p.cert};
}

static void test_revoked_instance(void **state)
{
    struct bed *b = *state;
    struct token_facts facts;
    struct err err;
    bed_task(b, "desk", OPS, 1, NULL);
    struct proof one = token_of(b, "/agent/desk/1"), two = token_of(b, "/agent/desk/2");
    assert_int_equal(bed_use(b, one), 0);
    set_revoked(b, "spiffe://td/agent/desk/1", true);
    assert_int_equal(bed_use(b, one), REFUSAL_UNAUTHENTICATED);
    assert_non_null(strstr(b->text.p, "revoked"));
    assert_true(str_eq(b->auth_error, S("invalid_token")));
    assert_int_equal(bed_use(b, two), 0);
    /* Nor to be exchanged, asked about, or read anew. */
    assert_false(gate_token_read(&b->g, &b->arena, one.token, clock_wall_ms(), &facts, &err));
    gate_tokens_forget(&b->g);
    assert_int_equal(bed_use(b, one), REFUSAL_UNAUTHENTICATED);
    set_revoked(b, "spiffe://td/agent/desk/1", false);
    assert_int_equal(bed_use(b, one), 0);
}

/* A token whose holder is known by another issuer: its name is not its agent's. */
static void test_revoked_in_another_domain(void **state)
{
    struct bed *b = *state;
    struct task *t = bed_task(b, "desk", OPS, 1, NULL);
    struct key_id kid = key_id(b->token_key);
    struct buf token = {0};
    str claims =
        str_fmt(&b->arena,
                "{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER "/mcp\",\"sub\":\"ann\",\"jti\":\"j1\","
                "\"client_id\":\"spiffe://td/agent/desk\",\"iat\":%lld,\"exp\":%lld,"
                "\"task\":{\"id\":\"%.*s\",\"holder\":\"spiffe://far/ops/desk\"}}",
                (long long)(clock_wall_ms() / 1000), (long long)(clock_wall_ms() / 1000 + 60),
                STR(id_str(&t->id)));
    OK(jwt_sign(b->token_key, key_id_str(&kid), S("at+jwt"), claims, &token, &err));
    struct proof p = {.kind = PROOF_TOKEN, .listener = BED_LOOPBACK, .token = buf_str(&token)};
    assert_int_equal(bed_use(b, p), 0);
    set_revoked(b, "spiffe://far/ops/clerk", true);
    assert_int_equal(bed_use(b, p), 0);
    set_revoked(b, "spiffe://far/ops", true);
    assert_int_equal(bed_use(b, p), REFUSAL_UNAUTHENTICATED);
    set_revoked(b, "spiffe://far/ops", false);
    assert_int_equal(bed_use(b, p), 0);
    buf_fini(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_revoked_instance, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(test_revoked_in_another_domain, bed_setup, bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
