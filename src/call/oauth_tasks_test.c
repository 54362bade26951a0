/* The authorization server over a real store: tasks that do not begin with a person, introspection,
 * revocation, and what edges may send. */
#include "call/oauth_kit_test.h"

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
        T(test_redeeming),  T(test_asking_for_a_task), T(test_introspection),
        T(test_revocation), T(test_edges_of_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
