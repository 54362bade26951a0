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

/* The leaf of this type that speaks of this call or task. */
struct wanted {
    struct arena *a;
    const char *type;
    const json *leaf;
};

static bool on_leaf(void *arg, const struct store_leaf_row *row)
{
    struct wanted *w = arg;
    const json *leaf;
    struct err err;
    assert_true(json_read(w->a, row->body, NULL, &leaf, &err));
    if (str_eq(json_get_str(leaf, S("type")), str_z(w->type)))
        w->leaf = leaf;
    return true;
}

static const json *leaf_of(struct bed *b, struct arena *a, const char *type, const char *id)
{
    struct wanted w = {.a = a, .type = type};
    struct store_leaf_query q = {0};
    struct err err;
    *(id[0] == 't' ? &q.task : &q.call) = str_z(id);
    assert_true(store_read_leaves(store_view(b->g.store), &q, on_leaf, &w, &err));
    assert_non_null(w.leaf);
    return w.leaf;
}

static int64_t number_of(const json *leaf, const char *name)
{
    int64_t n = 0;
    return json_i64(json_get(leaf, str_z(name)), &n) ? n : 0;
}

static void assert_handed_down(const json *leaf, str by)
{
    const json *list = json_get(leaf, S("delegators")), *v = NULL;
    assert_int_equal(json_count(list), 1);
    struct json_iter it = json_iter(list);
    assert_true(json_next(&it, NULL, &v));
    assert_true(str_eq(json_str(v), by));
    assert_true(str_eq(json_get_str(leaf, S("gateway")), S("eu-1")));
}

/* The child of a new task, as redeemed by its agent. */
static struct task *redeemed_child(struct bed *b)
{
    char args[200], id[ID_SIZE] = {0};
    struct asker helper = {.agent = S("helper")};
    struct task *child;
    struct err err;
    delegate_args(args, sizeof args, "helper");
    call(b, token_of(b, open_task(b, 9)), "ambit__delegate", args, "");
    store_flush(b->g.store);
    memcpy(id, strstr(b->heard.text, "Child task t") + 11, ID_LEN);
    assert_true(gate_redeem(&b->g, str_z(id), &helper, &child, &err));
    return child;
}

static void test_records_are_whole(void **state)
{
    struct bed *b = *state;
    ARENA_SCOPE struct arena a = {0};
    b->conf.gateway = S("eu-1");
    struct task *child = redeemed_child(b);
    str token = token_of(b, child);
    struct err err;
    /* The purpose is committed to: whoever has the salt can show what it was. */
    struct store_payload purpose;
    struct record_commitment seen;
    assert_true(store_read_payload(store_view(b->g.store), &a, id_str(&child->id), &purpose, &err));
    assert_true(str_eq(purpose.args, child->purpose));
    record_commit_with(purpose.salt, child->purpose, &seen);
    const json *open = leaf_of(b, &a, "task_open", child->id.s);
    assert_true(str_eq(json_get_str(open, S("purpose")), record_commitment_str(&seen)));
    assert_handed_down(open, S("desk"));
    /* Each record of the call says who handed the task down. */
    call(b, token, "shop__nothing", "{}", "");
    store_flush(b->g.store);
    assert_handed_down(leaf_of(b, &a, "refusal", b->heard.call), S("desk"));
    assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
    usleep(2000);
    struct msg_outcome m = {
        .call = str_z(b->heard.call), .status = OUTCOME_OK, .upstream_us = 1000, .first_us = 400};
    assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    store_flush(b->g.store);
    assert_handed_down(leaf_of(b, &a, "intent", b->heard.call), S("desk"));
    const json *out = leaf_of(b, &a, "outcome", b->heard.call);
    assert_handed_down(out, S("desk"));
    assert_int_equal(number_of(out, "upstream_us"), 1000);
    assert_int_equal(number_of(out, "first_us"), 400);
    assert_null(json_get(out, S("committed_us"))); /* a read goes before its commit */
    assert_true(number_of(out, "latency_us") >= 2000);
}

/* What an edge says of time is kept only where it can be. */
static void test_an_edge_cannot_stretch_time(void **state)
{
    static const struct {
        int64_t upstream_us, first_us, upstream_kept, first_kept;
    } rows[] = {
        {900, 900, 900, 900},         {900, 901, 900, 0}, {INT64_MAX, 5, 0, 0},
        {INT64_MIN, INT64_MIN, 0, 0}, {0, 7, 0, 0},       {900, -1, 900, 0},
    };
    struct bed *b = *state;
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    str token = token_of(b, open_task(b, 20));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(call(b, token, "shop__find", "{\"q\":\"x\"}", "")->type, MSG_GO);
        usleep(1000);
        struct msg_outcome m = {.call = str_z(b->heard.call),
                                .status = OUTCOME_OK,
                                .upstream_us = rows[i].upstream_us,
                                .first_us = rows[i].first_us};
        assert_true(gate_outcome(&b->g, EDGE, &m, &err));
        store_flush(b->g.store);
        const json *out = leaf_of(b, &a, "outcome", b->heard.call);
        assert_int_equal(number_of(out, "upstream_us"), rows[i].upstream_kept);
        assert_int_equal(number_of(out, "first_us"), rows[i].first_kept);
        assert_true(number_of(out, "released_us") <= number_of(out, "latency_us"));
    }
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_money_is_exact),      T(test_a_refused_commit_costs_nothing),
        T(test_answers_are_counted), T(test_parent_closed_between_check_and_mint),
        T(test_circles_and_bombs),   T(test_clock_jumps),
        T(test_nothing_is_reopened), T(test_suspension_is_of_the_whole_chain),
        T(test_records_are_whole),   T(test_an_edge_cannot_stretch_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
