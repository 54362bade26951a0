/* The gate over a real store and ledger, with the edge played by the test: every path a call can
 * take, and what each leaves in the record. */
#include "call/gate_test.h"

static void test_read_goes_at_once(void **state)
{
    struct bed *b = *state;
    str token = token_of(b, open_task(b, 5));
    const struct heard *h = call(b, token, "shop__find", "{\"q\":\"x\"}", "");
    assert_int_equal(h->type, MSG_GO);
    assert_true(h->had_voucher);
    settle(b, OUTCOME_OK);
    assert_int_equal(map_count(&b->g.live), 0);
}

static void test_refusals(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 50);
    str token = token_of(b, t);
    static const struct {
        const char *tool, *args, *approval;
        uint8_t kind;
        const char *text;
    } rows[] = {
        {"shop__none", "{}", "", REFUSAL_UNKNOWN_TOOL, "no tool"},
        {"shop__find", "{\"q\":1}", "", REFUSAL_INPUT, "must be a string"},
        {"shop__find", "{}", "", REFUSAL_INPUT, "is needed"},
        {"shop__find", "[]", "", REFUSAL_INPUT, "Wrong arguments"},
        {"shop__find", "{\"q\":\"a\",\"q\":\"b\"}", "", REFUSAL_INPUT, "twice"},
        {"shop__find", "{ \"q\":\"a\"}", "", REFUSAL_INPUT, "canonical"},
        {"shop__refund", "{\"amount\":1.5}", "", REFUSAL_INPUT, "Long"},
        {"shop__refund", "{\"amount\":101}", "", REFUSAL_DENIED, "Ask for less."},
        {"shop__refund", "{\"amount\":5}", "h000", REFUSAL_DENIED, "no approval"},
        {"shop__fail", "{\"n\":9223372036854775807}", "", REFUSAL_DENIED, "could not be evaluated"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct heard *h = call(b, token, rows[i].tool, rows[i].args, rows[i].approval);
        if (h->type != MSG_REFUSED || h->kind != rows[i].kind || !strstr(h->text, rows[i].text))
            fail_msg("row %zu: type %d kind %d: %s", i, h->type, h->kind, h->text);
        assert_true(h->call[0]); /* each has its record */
    }
    assert_int_equal(t->calls_left, 50); /* none of it cost a call */
    assert_int_equal(map_count(&b->g.live), 0);
}

static void test_no_proof(void **state)
{
    struct bed *b = *state;
    str token = token_of(b, open_task(b, 5));
    char bad[2048];
    snprintf(bad, sizeof bad, "%.*s", STR(token));
    bad[token.n / 2] ^= 1;
    const struct heard *h = call(b, str_of(bad, token.n), "shop__find", "{\"q\":\"x\"}", "");
    assert_int_equal(h->kind, REFUSAL_UNAUTHENTICATED);
    assert_int_equal(h->call[0], 0);
    h = call(b, S(""), "shop__find", "{\"q\":\"x\"}", "");
    assert_int_equal(h->kind, REFUSAL_UNAUTHENTICATED);
    /* A connection that core did not attest, or attested for another edge. */
    gate_attest(&b->g, &(struct attested){.conn = 7,
                                          .edge = OTHER_EDGE,
                                          .agent = conf_agent(&b->conf, S("desk"))});
    struct msg_call m = {
        .proof = {.kind = PROOF_CONN, .conn = 7}, .tool = S("shop__find"), .args = S("{}")};
    gate_call(&b->g, EDGE, 99, &m);
    assert_int_equal(b->heard.kind, REFUSAL_UNAUTHENTICATED);
    m.proof.conn = 8;
    gate_call(&b->g, EDGE, 100, &m);
    assert_int_equal(b->heard.kind, REFUSAL_UNAUTHENTICATED);
}

static void test_attested_agent_has_only_its_tasks(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 5);
    gate_attest(&b->g, &(struct attested){
                           .conn = 7, .edge = EDGE, .agent = conf_agent(&b->conf, S("helper"))});
    struct msg_call m = {.proof = {.kind = PROOF_CONN, .conn = 7, .task = id_str(&t->id)},
                         .tool = S("shop__find"),
                         .args = S("{\"q\":\"x\"}")};
    gate_call(&b->g, EDGE, 1, &m);
    assert_int_equal(b->heard.kind, REFUSAL_UNAUTHENTICATED);
    gate_conn_closed(&b->g, 7);
    gate_attest(&b->g, &(struct attested){
                           .conn = 8, .edge = EDGE, .agent = conf_agent(&b->conf, S("desk"))});
    m.proof.conn = 8;
    gate_call(&b->g, EDGE, 2, &m);
    assert_int_equal(b->heard.type, MSG_GO);
    settle(b, OUTCOME_OK);
}

static void test_hold_is_for_one_call_once(void **state)
{
    struct bed *b = *state;
    str token = token_of(b, open_task(b, 9));
    const struct heard *h = call(b, token, "shop__refund", "{\"amount\":5}", "");
    assert_int_equal(h->kind, REFUSAL_HELD);
    assert_non_null(strstr(h->policies, "ambit-high-impact-needs-approval"));
    char hold[64];
    keep(hold, sizeof hold, str_z(h->hold));
    /* Asked again while it waits: the same hold. */
    h = call(b, token, "shop__refund", "{\"amount\":5}", "");
    assert_string_equal(h->hold, hold);
    /* The approval is not there yet. */
    h = call(b, token, "shop__refund", "{\"amount\":5}", hold);
    assert_non_null(strstr(h->text, "not decided yet"));
    approve(b, hold);
    h = call(b, token, "shop__refund", "{\"amount\":6}", hold);
    assert_non_null(strstr(h->text, "other arguments"));
    h = call(b, token, "shop__refund", "{\"amount\":5}", hold);
    assert_int_equal(h->type, MSG_GO);
    settle(b, OUTCOME_OK);
    h = call(b, token, "shop__refund", "{\"amount\":5}", hold);
    assert_non_null(strstr(h->text, "used already"));
    /* Without naming it the same call is a new one, and held anew. */
    h = call(b, token, "shop__refund", "{\"amount\":5}", "");
    assert_int_equal(h->kind, REFUSAL_HELD);
    assert_string_not_equal(h->hold, hold);
}

static void test_own_approval(void **state)
{
    struct bed *b = *state;
    str token = token_of(b, open_task(b, 9));
    const struct heard *h = call(b, token, "shop__refund", "{\"amount\":5}", "");
    ARENA_SCOPE struct arena a = {0};
    struct verdict v;
    struct err err;
    assert_true(policy_may_approve(b->g.policy, &b->conf, conf_person(&b->conf, S("ann")), S("uid"),
                                   holds_find(&b->g.holds, str_z(h->hold)), 0, &a, &v, &err));
    assert_int_equal(v.decision, DECISION_DENY);
}

static void test_budget_is_exact(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 3);
    str token = token_of(b, t);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
        settle(b, OUTCOME_OK);
    }
    const struct heard *h = call(b, token, "shop__find", "{\"q\":\"x\"}", "");
    assert_int_equal(h->kind, REFUSAL_DENIED);
    assert_non_null(strstr(h->text, "used all its calls"));
}

static void test_close_is_the_end(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    str token = token_of(b, t);
    assert_int_equal(call(b, token, "shop__refund", "{\"amount\":5}", "")->kind, REFUSAL_HELD);
    char hold[64];
    keep(hold, sizeof hold, str_z(b->heard.hold));
    gate_close_task(&b->g, t, TASK_REVOKED, S("done"), S("ann"), NULL, NULL);
    assert_int_equal(b->heard.cuts, 1);
    assert_int_equal(holds_find(&b->g.holds, str_z(hold))->state, HOLD_CANCELLED);
    const struct heard *h = call(b, token, "shop__find", "{\"q\":\"x\"}", "");
    assert_int_equal(h->kind, REFUSAL_DENIED);
    assert_non_null(strstr(h->text, "revoked"));
}

/* The close overtakes a call whose intent is being committed: recorded, and never sent. */
static void test_close_overtakes_a_commit(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    str token = token_of(b, t);
    call(b, token, "shop__refund", "{\"amount\":5}", "");
    char hold[64];
    keep(hold, sizeof hold, str_z(b->heard.hold));
    approve(b, hold);
    struct msg_call m = {.proof = {.kind = PROOF_TOKEN, .token = token},
                         .tool = S("shop__refund"),
                         .args = S("{\"amount\":5}")};
    gate_call(&b->g, EDGE, 77, &m);
    gate_close_task(&b->g, t, TASK_REVOKED, S("stop"), S("ann"), NULL, NULL);
    store_flush(b->g.store);
    assert_int_equal(b->heard.type, MSG_REFUSED);
    assert_non_null(strstr(b->heard.text, "before the call was sent"));
    assert_int_equal(b->g.counts.outcomes[OUTCOME_NOT_SENT], 1);
    assert_int_equal(map_count(&b->g.live), 0);
}

static void test_outcomes_have_an_owner(void **state)
{
    struct bed *b = *state;
    struct err err;
    str token = token_of(b, open_task(b, 9));
    call(b, token, "shop__find", "{\"q\":\"x\"}", "");
    struct msg_outcome m = {.call = str_z(b->heard.call), .status = OUTCOME_OK};
    assert_false(gate_outcome(&b->g, OTHER_EDGE, &m, &err));
    assert_int_equal(map_count(&b->g.live), 1);
    gate_edge_lost(&b->g, EDGE);
    assert_int_equal(map_count(&b->g.live), 0);
    assert_int_equal(b->g.counts.outcomes[OUTCOME_UNKNOWN], 1);
    assert_true(gate_outcome(&b->g, EDGE, &m, &err)); /* too late, and harmless */
    /* An edge that dies before it is told to go: nothing was sent. */
    b->edge_gone = true;
    call(b, token, "shop__find", "{\"q\":\"y\"}", "");
    assert_int_equal(b->g.counts.outcomes[OUTCOME_NOT_SENT], 1);
    assert_int_equal(map_count(&b->g.live), 0);
}

/* The wall clock leaps ahead and is set back: what has ended meanwhile stays ended. */
static void test_clock_that_jumps(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    str token = token_of(b, t);
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    settle(b, OUTCOME_OK);
    struct id id = t->id; /* the task may be forgotten, but does not come back */
    gate_tick(&b->g, t->deadline_ms + 1);
    store_flush(b->g.store);
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_REFUSED);
    t = tasks_find(&b->g.tasks, id_str(&id));
    assert_true(!t || t->state == TASK_EXPIRED);
    assert_int_equal(b->g.counts.allowed, 1);
}

static void test_delegation_narrows(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    str token = token_of(b, t);
    const struct heard *h =
        call(b, token, "ambit__delegate",
             "{\"agent\":\"helper\",\"operations\":[\"shop/find\"],\"purpose\":\"p\"}", "");
    if (h->type == MSG_REFUSED)
        fail_msg("%s", h->text);
    store_flush(b->g.store);
    assert_int_equal(b->heard.type, MSG_RESULT);
    assert_non_null(strstr(b->heard.text, "Child task t"));
    assert_int_equal(t->children, 1);
    char id[ID_SIZE] = {0};
    memcpy(id, strstr(b->heard.text, "Child task t") + 11, ID_LEN);
    struct task *child = tasks_find(&b->g.tasks, str_z(id));
    assert_non_null(child);
    str child_token = token_of(b, child);
    struct asker helper = {S("helper"), S("x")}, desk = {S("desk"), S("y")};
    struct err err;
    assert_non_null(
        strstr(call(b, child_token, "shop__find", "{\"q\":\"x\"}", "")->text, "not been redeemed"));
    assert_false(gate_redeem(&b->g, id_str(&child->id), &desk, &child, &err));
    assert_true(gate_redeem(&b->g, id_str(&child->id), &helper, &child, &err));
    assert_false(gate_redeem(&b->g, id_str(&child->id), &helper, &child, &err));
    assert_non_null(strstr(err.text, "used once"));
    assert_int_equal(call(b, child_token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    settle(b, OUTCOME_OK);
    h = call(b, child_token, "shop__refund", "{\"amount\":5}", "");
    assert_int_equal(h->kind, REFUSAL_DENIED);
    assert_non_null(strstr(h->policies, "ambit-outside-task"));
    /* The child's calls are its parent's too. */
    assert_int_equal(t->calls_left, 9 - 2);
    call(b, token, "ambit__delegate",
         "{\"agent\":\"helper\",\"operations\":[\"shop/none\"],\"purpose\":\"p\"}", "");
    store_flush(b->g.store);
    assert_non_null(strstr(b->heard.text, "not in the delegating task"));
    gate_close_task(&b->g, t, TASK_COMPLETED, S("done"), S("ann"), NULL, NULL);
    assert_int_equal(child->state, TASK_CASCADED);
}

static void test_list_shows_the_tasks_tools(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    str token = token_of(b, t);
    struct msg_list m = {.proof = {.kind = PROOF_TOKEN, .token = token}};
    gate_list(&b->g, EDGE, 1, &m);
    assert_int_equal(b->heard.type, MSG_LIST_ANSWER);
    assert_int_equal(b->heard.kind, 8); /* four tools: name and definition each */
    struct msg_catalog c = {.binding = S("shop"),
                            .definitions = S("[{\"name\":\"find\",\"description\":\"changed\","
                                             "\"inputSchema\":{\"type\":\"object\"}}]")};
    gate_catalog(&b->g, &c);
    gate_list(&b->g, EDGE, 2, &m);
    assert_int_equal(b->heard.kind, 6); /* hidden until reviewed */
    const struct heard *h = call(b, token, "shop__find", "{\"q\":\"x\"}", "");
    assert_non_null(strstr(h->text, "changed since it was reviewed"));
    struct err err;
    assert_true(
        catalog_accept(&b->g.catalog, catalog_operation(&b->g.catalog, S("shop/find")), &err));
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    settle(b, OUTCOME_OK);
}

static void test_state_survives_a_restart(void **state)
{
    struct bed *b = *state;
    struct err err;
    struct task *t = open_task(b, 9);
    char id[ID_SIZE];
    memcpy(id, t->id.s, sizeof id);
    str token = token_of(b, t);
    call(b, token, "shop__refund", "{\"amount\":5}", "");
    char hold[64];
    keep(hold, sizeof hold, str_z(b->heard.hold));
    approve(b, hold);
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    /* The gateway ends here, with a call in flight. */
    store_close(b->g.store);
    struct secret *k1 = b->g.keeper_key, *k2 = b->g.runner_key;
    struct policy_set *policy = b->g.policy;
    struct keyset keys = b->g.token_keys;
    b->g.keeper_key = b->g.runner_key = NULL;
    b->g.policy = NULL;
    b->g.token_keys = (struct keyset){0};
    struct gate_out out = b->g.out;
    gate_fini(&b->g);
    b->g = (struct gate){.conf = &b->conf,
                         .out = out,
                         .keeper_key = k1,
                         .runner_key = k2,
                         .policy = policy,
                         .token_keys = keys,
                         .scratch = {.max = STORE_LEAF_BYTES_MAX}};
    holds_init(&b->g.holds);
    ledger_tree_free(b->tree);
    b->tree = ledger_tree_new();
    bed_open_store(&b->g, b->dir_fd, b->tree);
    size_t recovered;
    struct record_start start = {.time_ms = clock_wall_ms(), .software = S("t"), .config = S("c")};
    assert_true(ledger_recover(b->g.store, &start, &recovered, &err));
    assert_int_equal(recovered, 1);
    assert_true(gate_restore(&b->g, &err));
    put_tool(b, "{\"name\":\"refund\",\"inputSchema\":{\"type\":\"object\"}}");
    t = tasks_find(&b->g.tasks, str_z(id));
    assert_non_null(t);
    assert_int_equal(t->calls_left, 8);
    assert_int_equal(call(b, token, "shop__refund", "{\"amount\":5}", hold)->type, MSG_GO);
    settle(b, OUTCOME_OK);
    assert_non_null(
        strstr(call(b, token, "shop__refund", "{\"amount\":5}", hold)->text, "used already"));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_read_goes_at_once),
        T(test_refusals),
        T(test_no_proof),
        T(test_attested_agent_has_only_its_tasks),
        T(test_hold_is_for_one_call_once),
        T(test_own_approval),
        T(test_budget_is_exact),
        T(test_close_is_the_end),
        T(test_close_overtakes_a_commit),
        T(test_outcomes_have_an_owner),
        T(test_clock_that_jumps),
        T(test_delegation_narrows),
        T(test_list_shows_the_tasks_tools),
        T(test_state_survives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
