/* Tasks in the gate: bounds, budgets, delegation, suspension, and what must not bring one back. */
#include "call/gate_test.h"

static struct task *open_bounded(struct bed *b, const char *wish)
{
    ARENA_SCOPE struct arena a = {0};
    struct task_wish w = {.owner = S("ann"), .agent = S("desk"), .purpose = S("p")};
    struct task *t = NULL;
    const json *v;
    struct err err;
    if (!json_read(&a, str_z(wish), NULL, &v, &err) || !task_wish_read(&a, v, &w, &err) ||
        !task_new(&b->conf, &w, clock_wall_ms(), &t, &err))
        fail_msg("%s", err.text);
    struct store_txn *txn = store_txn_new(b->g.store);
    gate_add_task_open(&b->g, txn, t, S("ann"));
    gate_submit(&b->g, txn, NULL, NULL);
    store_flush(b->g.store);
    tasks_add(&b->g.tasks, t);
    return t;
}

static void test_money_is_exact(void **state)
{
    struct bed *b = *state;
    struct task *t =
        open_bounded(b, "{\"operations\":[\"shop/pay\",\"ambit/delegate\"],\"budgets\":{\"money\":"
                        "{\"currency\":\"EUR\",\"minor\":1000}}}");
    str token = token_of(b, t);
    static const struct {
        const char *args, *refusal; /* NULL: it goes */
    } rows[] = {
        {"{\"amount\":4.5}", NULL},
        {"{\"amount\":5.51}", "has 550 EUR left"},
        {"{\"amount\":-1}", "plain amount"},
        {"{\"amount\":1e1}", "plain amount"},
        {"{}", "plain amount"},
        {"{\"amount\":0.001}", "plain amount"},
        {"{\"amount\":\"5.50\"}", NULL},
        {"{\"amount\":0.01}", "has 0 EUR left"},
        {"{\"amount\":0}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct heard *h = call(b, token, "shop__pay", rows[i].args, "");
        if ((h->type == MSG_GO) != !rows[i].refusal ||
            (rows[i].refusal && !strstr(h->text, rows[i].refusal)))
            fail_msg("row %zu: %s", i, h->text);
        if (h->type == MSG_GO)
            settle(b, OUTCOME_OK);
    }
    assert_int_equal(t->left.money, 0);
    assert_int_equal(t->calls_left, 100 - 3);
}

/* The store refuses what memory let through, and memory is put right. */
static void test_a_refused_commit_costs_nothing(void **state)
{
    struct bed *b = *state;
    struct task *t = open_bounded(b, "{\"operations\":[\"shop/pay\"],\"budgets\":{\"money\":"
                                     "{\"currency\":\"EUR\",\"minor\":1000}}}");
    t->left.money = 5000; /* as if memory had lost count */
    const struct heard *h = call(b, token_of(b, t), "shop__pay", "{\"amount\":20}", "");
    assert_int_equal(h->type, MSG_REFUSED);
    assert_int_equal(t->left.money, 5000);
    assert_int_equal(t->calls_left, 100);
}

static void test_answers_are_counted(void **state)
{
    struct bed *b = *state;
    struct task *t = open_bounded(
        b, "{\"operations\":[\"shop/find\"],\"budgets\":{\"rows\":5,\"bytes\":100,\"tokens\":50}}");
    str token = token_of(b, t);
    struct err err;
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    struct msg_outcome m = {
        .call = str_z(b->heard.call), .status = OUTCOME_OK, .bytes = 40, .rows = -9, .tokens = 60};
    assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    store_flush(b->g.store);
    assert_int_equal(t->left.rows, 5); /* less than nothing is nothing */
    assert_int_equal(t->left.bytes, 60);
    assert_int_equal(t->left.tokens, -10);
    assert_non_null(
        strstr(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->text, "as many model tokens"));
}

static void delegate_args(char *out, size_t room, const char *agent)
{
    snprintf(out, room, "{\"agent\":\"%s\",\"operations\":[\"shop/find\"],\"purpose\":\"p\"}",
             agent);
}

static void test_parent_closed_between_check_and_mint(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    struct msg_call m = {.proof = {.kind = PROOF_TOKEN, .token = token_of(b, t)},
                         .tool = S("ambit__delegate")};
    char args[200];
    delegate_args(args, sizeof args, "helper");
    m.args = str_z(args);
    gate_call(&b->g, EDGE, 77, &m); /* the intent is queued; nothing is committed yet */
    gate_close_task(&b->g, t, TASK_REVOKED, S("x"), S("ann"), NULL, NULL);
    store_flush(b->g.store);
    str id;
    void *v;
    for (size_t i = 0; map_next(&b->g.tasks.by_id, &i, &id, &v);)
        assert_ptr_equal(v, t); /* no child came of it */
    assert_int_equal(t->uses, 0);
}

static void test_circles_and_bombs(void **state)
{
    struct bed *b = *state;
    struct task *t = open_bounded(b, "{\"operations\":[\"shop/find\",\"ambit/delegate\"],"
                                     "\"delegation\":{\"children\":3,\"depth\":1}}");
    str token = token_of(b, t);
    char args[200];
    delegate_args(args, sizeof args, "desk");
    call(b, token, "ambit__delegate", args, "");
    store_flush(b->g.store);
    assert_non_null(strstr(b->heard.text, "may not delegate to desk"));
    delegate_args(args, sizeof args, "helper");
    for (int i = 0; i < 6; i++) {
        call(b, token, "ambit__delegate", args, "");
        store_flush(b->g.store);
        assert_true((strstr(b->heard.text, "is granted to") != NULL) == (i < 3));
    }
    assert_int_equal(t->children, 3);
}

static void test_clock_jumps(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    struct err err;
    int64_t now = clock_wall_ms();
    t->uses++;                                           /* or the tick would forget it */
    assert_false(task_is_live(t, t->deadline_ms, &err)); /* forward: over at once, no tick needed */
    gate_tick(&b->g, t->deadline_ms + 1);
    assert_int_equal(t->state, TASK_EXPIRED);
    assert_false(task_is_live(t, now, &err)); /* and back: it does not come alive again */
    store_flush(b->g.store);
}

static void test_nothing_is_reopened(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    struct err err;
    gate_close_task(&b->g, t, TASK_COMPLETED, S("done"), S("ann"), NULL, NULL);
    int64_t closed = t->closed_ms;
    gate_close_task(&b->g, t, TASK_REVOKED, S("again"), S("ann"), NULL, NULL);
    assert_int_equal(t->state, TASK_COMPLETED);
    assert_int_equal(t->closed_ms, closed);
    gate_resume_task(&b->g, t, S("ann"), NULL, NULL); /* as if a door forgot to ask */
    store_flush(b->g.store);
    struct store_task row;
    ARENA_SCOPE struct arena a = {0};
    assert_true(store_read_task(store_view(b->g.store), &a, id_str(&t->id), &row, &err));
    assert_true(str_eq(row.state, S("completed"))); /* the store has the last word */
    tasks_set_state(&b->g.tasks, t, TASK_COMPLETED, S("done"), closed);
    t->state = (enum task_state)99;
    assert_false(task_is_live(t, 0, &err)); /* a state that nobody knows is none */
    tasks_set_state(&b->g.tasks, t, TASK_COMPLETED, S("done"), closed);
}

static void test_suspension_is_of_the_whole_chain(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, 9);
    char args[200], id[ID_SIZE] = {0};
    delegate_args(args, sizeof args, "helper");
    call(b, token_of(b, t), "ambit__delegate", args, "");
    store_flush(b->g.store);
    memcpy(id, strstr(b->heard.text, "Child task t") + 11, ID_LEN);
    struct asker helper = {.agent = S("helper")};
    struct task *child;
    struct err err;
    assert_true(gate_redeem(&b->g, str_z(id), &helper, &child, &err));
    str token = token_of(b, child);
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    settle(b, OUTCOME_OK);
    unsigned cuts = b->heard.cuts;
    gate_suspend_task(&b->g, t, S("look"), S("ann"), NULL, NULL);
    assert_int_equal(b->heard.cuts, cuts + 2); /* its streams, and its child's */
    assert_non_null(strstr(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->text, "suspended"));
    gate_resume_task(&b->g, t, S("ann"), NULL, NULL);
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    settle(b, OUTCOME_OK);
    /* The delegator's agent counts too. */
    gate_set_agent(&b->g, agents_find(&b->g.agents, S("desk")), true, S("r"), S("ann"), NULL, NULL);
    assert_non_null(strstr(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->text,
                           "agent desk was suspended"));
    store_flush(b->g.store);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_money_is_exact),      T(test_a_refused_commit_costs_nothing),
        T(test_answers_are_counted), T(test_parent_closed_between_check_and_mint),
        T(test_circles_and_bombs),   T(test_clock_jumps),
        T(test_nothing_is_reopened), T(test_suspension_is_of_the_whole_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
