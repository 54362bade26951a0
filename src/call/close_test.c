/* Closings over a real store and ledger, with edges and the runner played by the test. */
#include "call/close.h"
#include "base/limits.h"
#include "call/gate_bed.h"
#include "call/lease.h"

static const char CONF[] =
    "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}, \"eve\": {\"roles\": [\"owner\"]}},"
    " \"agents\": {\"desk\": {\"owner\": \"ann\", \"select\": {\"uid\": 1}, \"assessed\": "
    "\"2026-01-01\","
    "   \"ambit\": [\"*/*\"], \"delegates\": [\"desk\", \"helper\"]},"
    "  \"helper\": {\"owner\": \"ann\", \"select\": {\"uid\": 2}, \"assessed\": \"2026-01-01\","
    "   \"ambit\": [\"*/*\"], \"delegates\": [\"third\"]},"
    "  \"third\": {\"owner\": \"ann\", \"select\": {\"uid\": 4}, \"assessed\": \"2026-01-01\","
    "   \"ambit\": [\"*/*\"], \"delegates\": [\"fourth\"]},"
    "  \"fourth\": {\"owner\": \"ann\", \"select\": {\"uid\": 5}, \"assessed\": \"2026-01-01\","
    "   \"ambit\": [\"*/*\"]},"
    "  \"other\": {\"owner\": \"eve\", \"select\": {\"uid\": 3}, \"assessed\": \"2026-01-01\","
    "   \"ambit\": [\"*/*\"]}},"
    " \"listen\": [{\"address\": \"127.0.0.1:1\"}], \"policies\": [\"x\"],"
    " \"mcpServers\": {\"shop\": {\"url\": \"http://127.0.0.1:1/\","
    "   \"headers\": {\"X-Key\": {\"secret\": \"k\"}}, \"operations\": {"
    "   \"find\": {\"effect\": \"read\"}, \"note\": {\"effect\": \"write\", \"highImpact\": false},"
    "   \"refund\": {\"effect\": \"transfer\"}}},"
    "  \"tool\": {\"command\": \"/bin/true\", \"env\": {\"K\": {\"secret\": \"k\"}},"
    "   \"operations\": {\"find\": {\"effect\": \"read\"}}}}}";

static const char POLICY[] =
    "@id(\"all\") permit (principal is Ambit::Agent, action in Ambit::Action::\"call\", resource);";

enum { EDGE = 1, EDGE2 = 2 };

struct bed {
    struct arena arena;
    struct conf conf;
    struct gate g;
    struct ledger_tree *tree;
    char dir[BED_DIR_SIZE];
    int dir_fd;
    /* what was said */
    unsigned gos, refusals, cuts, stops, edges, killed;
    bool runner; /* it acknowledges only when told to */
    bool no_runner, at_once;
    char text[600], call[64];
    uint64_t seq;
    /* what was heard of a closing */
    unsigned durable, ended;
    struct buf receipt;
};

static bool to_edge(void *ctx, uint32_t edge, enum message_type type, uint64_t id, const void *msg)
{
    struct bed *b = ctx;
    (void)edge;
    (void)id;
    if (type == MSG_GO) {
        b->gos++;
        snprintf(b->call, sizeof b->call, "%.*s", STR(((const struct msg_go *)msg)->call));
    } else if (type == MSG_REFUSED) {
        b->refusals++;
        snprintf(b->text, sizeof b->text, "%.*s", STR(((const struct msg_refused *)msg)->text));
    } else if (type == MSG_CUT) {
        b->cuts++;
    }
    return true;
}

static size_t cut(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX])
{
    struct bed *b = ctx;
    (void)task;
    b->cuts++;
    b->seq = seq;
    for (unsigned i = 0; i < b->edges; i++)
        out[i] = i + 1;
    return b->edges;
}

static bool stop_children(void *ctx, uint64_t seq, str task, bool at_once)
{
    struct bed *b = ctx;
    (void)task;
    b->stops++;
    b->seq = seq;
    b->at_once = at_once;
    return !b->no_runner;
}

static void end_edge(void *ctx, uint32_t edge, const char *why)
{
    struct bed *b = ctx;
    (void)why;
    b->killed++;
    gate_edge_lost(&b->g, edge);
}

static void put_tool(struct bed *b, const char *binding, const char *name)
{
    ARENA_SCOPE struct arena a = {0};
    const json *def;
    struct catalog_tool *t;
    struct err err;
    assert_true(
        json_read(&a, str_fmt(&a, "{\"name\":\"%s\",\"inputSchema\":{\"type\":\"object\"}}", name),
                  NULL, &def, &err));
    (void)catalog_put(&b->g.catalog, &b->conf, str_z(binding), def, true, &t, &err);
}

/* Opens the store and the gate over it, as a start of core does. */
static void start(struct bed *b)
{
    struct err err;
    bed_open_gate(&b->g, &b->conf,
                  &(struct gate_out){.ctx = b,
                                     .to_edge = to_edge,
                                     .cut = cut,
                                     .stop_children = stop_children,
                                     .end_edge = end_edge},
                  b->dir_fd, &b->tree);
    bed_share_keys(&b->g);
    if (!gate_restore(&b->g, &err))
        fail_msg("%s", err.text);
    put_tool(b, "shop", "find");
    put_tool(b, "shop", "note");
    put_tool(b, "shop", "refund");
    put_tool(b, "tool", "find");
}

static int setup(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    *state = b;
    bed_configure(&b->arena, CONF, POLICY, &b->conf);
    b->edges = 1;
    bed_make_dir(b->dir, &b->dir_fd);
    start(b);
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;
    bed_close_gate(&b->g, b->tree);
    bed_ledger_is_sound(b->dir);
    buf_fini(&b->receipt);
    arena_fini(&b->arena);
    bed_remove_dir(b->dir, b->dir_fd);
    free(b);
    return 0;
}

/* ---- doing things ---- */

static struct task *open_task(struct bed *b, const char *agent, struct task *parent, const char *op)
{
    str ops[] = {S("shop/find"), S("shop/note"), S("shop/refund"), str_z(op)};
    struct task_wish w = {.owner = conf_agent(&b->conf, str_z(agent))->owner,
                          .agent = str_z(agent),
                          .purpose = S("p"),
                          .operations = ops,
                          .operations_n = 4,
                          .calls = parent ? 10 : 50,
                          .parent = parent};
    struct task *t;
    struct err err;
    if (!task_new(&b->conf, &w, clock_wall_ms(), &t, &err))
        fail_msg("%s", err.text);
    struct store_txn *txn = store_txn_new(b->g.store);
    gate_add_task_open(&b->g, txn, t, S("ann"));
    gate_submit(&b->g, txn, NULL, NULL);
    store_flush(b->g.store);
    tasks_add(&b->g.tasks, t);
    return t;
}

/* The agent of the task calls; the answer may wait for the store. */
static void ask(struct bed *b, const struct task *t, uint32_t edge, const char *tool)
{
    static int64_t conn = 100;
    gate_attest(&b->g, &(struct attested){
                           .conn = ++conn, .edge = edge, .agent = conf_agent(&b->conf, t->agent)});
    struct msg_call m = {.proof = {.kind = PROOF_CONN, .conn = conn, .task = id_str(&t->id)},
                         .tool = str_z(tool),
                         .args = S("{}")};
    gate_call(&b->g, edge, (uint64_t)conn, &m);
}

static void on_durable(void *arg, const struct closing *c)
{
    struct bed *b = arg;
    b->durable++;
    assert_true(c->steps[CLOSE_DURABLE].done);
}

static void on_ended(void *arg, const struct closing *c)
{
    struct bed *b = arg;
    struct jw w = jw(&b->receipt);
    b->ended++;
    buf_clear(&b->receipt);
    closing_write(c, &w);
}

static void order(struct bed *b, enum close_kind kind, str name)
{
    struct close_order o = {.kind = kind,
                            .name = name,
                            .state = TASK_REVOKED,
                            .reason = S("why"),
                            .by = S("ann"),
                            .durable = on_durable,
                            .ended = on_ended,
                            .arg = b};
    b->stops = 0;
    gate_close(&b->g, &o, NULL);
    for (; !b->runner && b->stops; b->stops--)
        gate_child_stopped(&b->g, b->seq, 0);
}

static void acknowledge(struct bed *b, uint32_t edge, uint32_t streams)
{
    struct err err;
    assert_true(gate_cut_done(&b->g, edge, b->seq, &(struct msg_cut_done){streams, streams}, &err));
    store_flush(b->g.store);
}

/* The value at a path such as "steps.streams.count" of the receipt that came last. */
static const json *at(struct bed *b, const char *path)
{
    const json *v;
    struct err err;
    str head, tail = str_z(path);
    assert_true(json_read(&b->arena, buf_str(&b->receipt), NULL, &v, &err));
    while (tail.n) {
        str_cut(tail, '.', &head, &tail);
        v = json_get(v, head);
    }
    return v;
}

static int64_t number_at(struct bed *b, const char *path)
{
    int64_t n = -99;
    assert_true(json_i64(at(b, path), &n));
    return n;
}

static void text_is(struct bed *b, const char *path, const char *text)
{
    str s = json_str(at(b, path));
    if (!str_eq(s, str_z(text)))
        fail_msg("%s is %.*s, not %s", path, STR(s), text);
}

/* ---- tests ---- */

static void test_steps(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, "desk", NULL, "tool/find");
    b->edges = 2;
    ask(b, t, EDGE, "shop__find");
    ask(b, t, EDGE2, "shop__refund"); /* held */
    assert_int_equal(b->gos, 1);
    store_flush(b->g.store);
    order(b, CLOSE_TASK, id_str(&t->id));
    assert_int_equal(t->state, TASK_REVOKED);
    assert_int_equal(b->cuts, 1);
    ask(b, t, EDGE, "shop__find");
    assert_int_equal(b->gos, 1);
    assert_non_null(strstr(b->text, "revoked: why"));
    store_flush(b->g.store);
    assert_int_equal(b->durable, 1);
    acknowledge(b, EDGE, 1);
    acknowledge(b, EDGE2, 0);
    assert_int_equal(b->ended, 0); /* the call is still under way */
    struct msg_outcome m = {.call = str_z(b->call), .status = OUTCOME_UNKNOWN};
    struct err err;
    assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    store_flush(b->g.store);
    assert_int_equal(b->ended, 1);
    text_is(b, "state", "complete");
    assert_int_equal(number_at(b, "steps.streams.count"), 1);
    assert_int_equal(number_at(b, "steps.holds.count"), 1);
    assert_int_equal(number_at(b, "steps.calls.count"), 1);
    assert_int_equal(number_at(b, "calls.unknown"), 1);
    assert_int_equal(json_count(at(b, "notDead")), 2); /* the secret, the unknown call */
    static const char *const order_of[] = {"refusing", "holds", "durable", "calls", "leases"};
    int64_t before = 0;
    for (size_t i = 0; i < sizeof order_of / sizeof order_of[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "steps.%s.microseconds", order_of[i]);
        assert_true(number_at(b, path) >= before);
        before = number_at(b, path);
    }
    assert_true(list_is_empty(&b->g.closings));
    /* What is kept is what was said. */
    struct store_receipt row;
    ARENA_SCOPE struct arena a = {0};
    assert_true(store_read_receipt(store_view(b->g.store), &a, id_str(&t->id), &row, &err));
    assert_true(str_eq(row.body, buf_str(&b->receipt)));
    assert_true(str_eq(row.state, S("ended")));
}

/* Closed between the decision and the commit, at any place of the chain: in memory first, then, as
 * if memory had not known, in the store alone. */
static void test_close_between_decision_and_commit(void **state)
{
    struct bed *b = *state;
    for (int level = 0; level < 3; level++)
        for (int in_store = 0; in_store < 2; in_store++) {
            struct task *chain[3];
            chain[2] = open_task(b, "desk", NULL, "tool/find");
            chain[1] = open_task(b, "helper", chain[2], "tool/find");
            chain[0] = open_task(b, "third", chain[1], "tool/find");
            unsigned refusals = b->refusals;
            if (in_store) {
                struct store_txn *t = store_txn_new(b->g.store);
                store_task_close(t, id_str(&chain[level]->id), S("revoked"), 1, S("x"));
                gate_submit(&b->g, t, NULL, NULL);
                ask(b, chain[0], EDGE, "shop__note");
            } else {
                ask(b, chain[0], EDGE, "shop__note");
                order(b, CLOSE_TASK, id_str(&chain[level]->id));
            }
            assert_int_equal(b->refusals, refusals); /* it waits for the commit */
            store_flush(b->g.store);
            assert_int_equal(b->gos, 0);
            assert_int_equal(b->refusals, refusals + 1);
            assert_non_null(
                strstr(b->text, in_store ? "at the commit" : "before the call was sent"));
            assert_int_equal(map_count(&b->g.live), 0);
            if (in_store) { /* so that the log and the table tell the same story again */
                chain[level]->state = TASK_REVOKED;
            }
        }
    for (struct list *it = b->g.closings.next; it != &b->g.closings; it = b->g.closings.next)
        gate_edge_lost(&b->g, EDGE), store_flush(b->g.store);
}

/* The same of an agent, its own or one above: what was decided before is not sent after. */
static void test_suspension_between_decision_and_commit(void **state)
{
    struct bed *b = *state;
    static const char *const agents[] = {"desk", "helper", "third"};
    struct task *root = open_task(b, "desk", NULL, "tool/find");
    struct task *child = open_task(b, "helper", root, "tool/find");
    struct task *leaf = open_task(b, "third", child, "tool/find");
    for (size_t i = 0; i < 3; i++) {
        struct agent *agent = agents_find(&b->g.agents, str_z(agents[i]));
        b->cuts = 0;
        ask(b, leaf, EDGE, "shop__note");
        gate_set_agent(&b->g, agent, true, S("why"), S("ann"), NULL, NULL);
        assert_int_equal(b->cuts, 3 - i); /* its tasks, and those below */
        store_flush(b->g.store);
        assert_int_equal(b->gos, 0);
        assert_int_equal(b->refusals, i + 1);
        assert_non_null(strstr(b->text, "before the call was sent"));
        gate_set_agent(&b->g, agent, false, (str){0}, S("ann"), NULL, NULL);
        assert_int_equal(leaf->state, TASK_ACTIVE);
        gate_edge_lost(&b->g, EDGE);
        gate_runner_lost(&b->g);
        store_flush(b->g.store);
        assert_true(list_is_empty(&b->g.closings));
    }
    ask(b, leaf, EDGE, "shop__find");
    assert_int_equal(b->gos, 1);
}

static void test_edges_are_not_believed(void **state)
{
    struct bed *b = *state;
    struct err err;
    struct msg_cut_done m = {0};
    struct task *t = open_task(b, "desk", NULL, "tool/find");
    b->edges = 2;
    order(b, CLOSE_TASK, id_str(&t->id));
    assert_false(gate_cut_done(&b->g, EDGE, b->seq + 1, &m, &err));
    assert_false(gate_cut_done(&b->g, 7, b->seq, &m, &err));
    acknowledge(b, EDGE, 0);
    assert_false(gate_cut_done(&b->g, EDGE, b->seq, &m, &err)); /* twice */
    gate_edge_lost(&b->g, EDGE2);
    store_flush(b->g.store);
    assert_int_equal(b->ended, 1);
    assert_int_equal(json_count(at(b, "notes")), 1);
    assert_true(gate_cut_done(&b->g, EDGE2, b->seq, &m, &err)); /* too late, and harmless */
}

static void age(struct bed *b, int64_t ms)
{
    LIST_EACH(&b->g.closings, it)
    LIST_ENTRY(it, struct closing, node)->accepted_us -= ms * 1000;
    closings_tick(&b->g);
    store_flush(b->g.store);
}

static void test_silent_edge_is_ended(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, "desk", NULL, "tool/find");
    ask(b, t, EDGE, "shop__find");
    order(b, CLOSE_TASK, id_str(&t->id));
    store_flush(b->g.store);
    age(b, CLOSE_ACK_MS_MAX / 2);
    assert_int_equal(b->killed, 0);
    age(b, CLOSE_ACK_MS_MAX);
    assert_int_equal(b->killed, 1);
    assert_int_equal(b->ended, 1);
    text_is(b, "state", "complete"); /* its streams ended with it */
    assert_int_equal(number_at(b, "calls.unknown"), 1);
}

static void test_silent_runner_is_said(void **state)
{
    struct bed *b = *state;
    struct task *t = open_task(b, "desk", NULL, "tool/find");
    b->runner = true;
    ask(b, t, EDGE, "tool__find");
    struct msg_outcome m = {.call = str_z(b->call), .status = OUTCOME_OK};
    struct err err;
    assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    order(b, CLOSE_TASK, id_str(&t->id));
    assert_true(b->at_once);
    acknowledge(b, EDGE, 0);
    age(b, CLOSE_WAIT_MS_MAX + 1);
    assert_int_equal(b->ended, 1);
    text_is(b, "state", "incomplete");
    assert_int_equal(json_count(at(b, "notDead")), 2); /* the secret in it, and the program */
}

static str lease_state_of(struct bed *b, struct arena *a, const struct task *t,
                          const char *binding);

struct found {
    struct arena *a;
    const char *binding;
    str state;
};

static bool on_lease(void *arg, const struct store_lease *row)
{
    struct found *f = arg;
    if (str_eq(row->binding, str_z(f->binding)))
        f->state = str_dup(f->a, row->state);
    return true;
}

static str lease_state_of(struct bed *b, struct arena *a, const struct task *t, const char *binding)
{
    struct found f = {a, binding, {0}};
    struct err err;
    assert_true(store_read_leases(store_view(b->g.store), id_str(&t->id), on_lease, &f, &err));
    return f.state;
}

static void test_leases(void **state)
{
    struct bed *b = *state;
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct task *t = open_task(b, "desk", NULL, "tool/find");
    static const char *const tools[] = {"tool__find", "shop__find", "shop__find"};
    b->runner = true;
    for (size_t i = 0; i < 3; i++) {
        ask(b, t, EDGE, tools[i]);
        struct msg_outcome m = {.call = str_z(b->call), .status = OUTCOME_OK};
        assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    }
    store_flush(b->g.store);
    assert_int_equal(map_count(&b->g.leases), 2);
    assert_true(str_eq(lease_state_of(b, &a, t, "shop"), S("live")));
    order(b, CLOSE_TASK, id_str(&t->id));
    store_flush(b->g.store);
    assert_true(str_eq(lease_state_of(b, &a, t, "tool"), S("revoking")));
    acknowledge(b, EDGE, 0);
    assert_int_equal(b->ended, 0);
    gate_child_stopped(&b->g, b->seq, 1);
    store_flush(b->g.store);
    assert_int_equal(b->ended, 1);
    assert_int_equal(number_at(b, "steps.programs.count"), 1);
    assert_true(str_eq(lease_state_of(b, &a, t, "tool"), S("ended")));
    assert_true(str_eq(lease_state_of(b, &a, t, "shop"), S("quarantined")));
    assert_int_equal(map_count(&b->g.leases), 0);
    assert_int_equal(json_count(at(b, "notDead")), 1);
}

static void test_kinds(void **state)
{
    struct bed *b = *state;
    static const struct {
        enum close_kind kind;
        const char *name;
        unsigned closed[3]; /* of root (desk), child (helper), other */
    } rows[] = {
        {CLOSE_AGENT, "desk", {TASK_REVOKED, TASK_CASCADED, TASK_ACTIVE}},
        {CLOSE_AGENT, "helper", {TASK_ACTIVE, TASK_REVOKED, TASK_ACTIVE}},
        {CLOSE_OWNER, "ann", {TASK_REVOKED, TASK_REVOKED, TASK_ACTIVE}},
        {CLOSE_OWNER, "eve", {TASK_ACTIVE, TASK_ACTIVE, TASK_REVOKED}},
        {CLOSE_BINDING, "tool", {TASK_REVOKED, TASK_REVOKED, TASK_ACTIVE}},
        {CLOSE_BINDING, "shop", {TASK_REVOKED, TASK_REVOKED, TASK_REVOKED}},
        {CLOSE_SUSPENSION, "desk", {TASK_ACTIVE, TASK_ACTIVE, TASK_ACTIVE}},
        {CLOSE_AGENT, "nobody", {TASK_ACTIVE, TASK_ACTIVE, TASK_ACTIVE}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct task *root = open_task(b, "desk", NULL, "tool/find");
        struct task *all[] = {root, open_task(b, "helper", root, "tool/find"),
                              open_task(b, "other", NULL, "shop/find")};
        unsigned expected = 0;
        b->cuts = b->ended = 0;
        order(b, rows[i].kind, str_z(rows[i].name));
        for (size_t k = 0; k < 3; k++) {
            if (all[k]->state != rows[i].closed[k])
                fail_msg("row %zu task %zu: %d", i, k, all[k]->state);
            expected += all[k]->state != TASK_ACTIVE;
        }
        if (rows[i].kind == CLOSE_SUSPENSION)
            expected = 2; /* of desk, and below */
        assert_int_equal(b->cuts, expected);
        for (unsigned k = 0; k < expected; k++)
            acknowledge(b, EDGE, 0);
        store_flush(b->g.store);
        assert_int_equal(b->ended, 1);
        assert_int_equal(number_at(b, "tasksTotal"), (int64_t)expected);
        assert_true(number_at(b, "leaf") > 0);
        b->ended = 0;
        order(b, CLOSE_OWNER, S("ann")); /* clean up for the next row */
        order(b, CLOSE_OWNER, S("eve"));
        gate_edge_lost(&b->g, EDGE);
        store_flush(b->g.store);
        assert_int_equal(b->ended, 2);
    }
}

static void test_tree_of_four_levels(void **state)
{
    struct bed *b = *state;
    static const char *const agents[] = {"desk", "helper", "third", "fourth"};
    struct task *root = open_task(b, "desk", NULL, "tool/find"), *all[32];
    size_t n = 0, from = 0;
    all[n++] = root;
    for (int level = 1; level < 4; level++) {
        size_t to = n;
        for (size_t i = from; i < to; i++)
            for (int k = 0; k < 2; k++)
                all[n++] = open_task(b, agents[level], all[i], "tool/find");
        from = to;
    }
    assert_int_equal(n, 15);
    ask(b, all[14], EDGE, "shop__find");
    assert_int_equal(b->gos, 1);
    order(b, CLOSE_TASK, id_str(&root->id));
    assert_int_equal(b->cuts, 15);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(all[i]->state, i ? TASK_CASCADED : TASK_REVOKED);
        ask(b, all[i], EDGE, "shop__find");
    }
    assert_int_equal(b->gos, 1);
    assert_int_equal(b->refusals, 15);
    gate_edge_lost(&b->g, EDGE);
    store_flush(b->g.store);
    assert_int_equal(number_at(b, "tasksTotal"), 15);
}

/* ---- restarts ---- */

static bool is_active_in_store(struct bed *b, str id)
{
    ARENA_SCOPE struct arena a = {0};
    struct store_task row;
    struct err err;
    assert_true(store_read_task(store_view(b->g.store), &a, id, &row, &err));
    return str_eq(row.state, S("active"));
}

static void read_receipt(struct bed *b, str id)
{
    ARENA_SCOPE struct arena a = {0};
    struct store_receipt row;
    struct err err;
    if (!store_read_receipt(store_view(b->g.store), &a, id, &row, &err))
        fail_msg("%s", err.text);
    buf_clear(&b->receipt);
    buf_put(&b->receipt, row.body);
}

/* The gateway died with the order durable and nothing else. */
static void test_order_is_finished_after_a_restart(void **state)
{
    struct bed *b = *state;
    struct task *root = open_task(b, "desk", NULL, "tool/find");
    struct task *child = open_task(b, "helper", root, "tool/find");
    struct id ids[] = {root->id, child->id}, receipt = id_new('r');
    ask(b, child, EDGE, "tool__find");
    struct msg_outcome m = {.call = str_z(b->call), .status = OUTCOME_OK};
    struct err err;
    assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    struct store_txn *t = store_txn_new(b->g.store);
    store_receipt_insert(t, &(struct store_receipt){.id = id_str(&receipt),
                                                    .kind = S("agent"),
                                                    .name = S("desk"),
                                                    .closes = S("revoked"),
                                                    .by = S("ann"),
                                                    .reason = S("why"),
                                                    .opened_ms = 1});
    gate_submit(&b->g, t, NULL, NULL);
    bed_close_gate(&b->g, b->tree);
    b->no_runner = true;
    start(b);
    store_flush(b->g.store);
    for (size_t i = 0; i < 2; i++)
        assert_false(is_active_in_store(b, id_str(&ids[i])));
    assert_false(list_is_empty(&b->g.closings)); /* the runner may have its programs still */
    b->no_runner = false;
    b->stops = b->cuts = 0;
    gate_runner_joined(&b->g);
    assert_int_equal(b->stops, 2);
    gate_edge_joined(&b->g, EDGE);
    assert_int_equal(b->cuts, 2);
    gate_child_stopped(&b->g, b->seq, 1);
    gate_child_stopped(&b->g, b->seq, 0);
    store_flush(b->g.store);
    assert_true(list_is_empty(&b->g.closings));
    read_receipt(b, id_str(&ids[1]));
    text_is(b, "receipt", receipt.s);
    text_is(b, "state", "complete");
    assert_int_equal(number_at(b, "tasksTotal"), 2);
    assert_int_equal(number_at(b, "leasesTotal"), 1);
    assert_int_equal(json_count(at(b, "notes")), 1);
}

/* The gateway died after the root's end was durable, before its child's was. */
static void test_child_follows_after_a_restart(void **state)
{
    struct bed *b = *state;
    struct task *root = open_task(b, "desk", NULL, "tool/find");
    struct task *child = open_task(b, "helper", root, "tool/find");
    struct id ids[] = {root->id, child->id};
    order(b, CLOSE_TASK, id_str(&root->id));
    store_flush(b->g.store);
    assert_int_equal(b->durable, 1);
    assert_int_equal(b->ended, 0);
    bed_close_gate(&b->g, b->tree); /* with the receipt open */
    b->no_runner = true;
    start(b);
    store_flush(b->g.store);
    assert_null(tasks_find(&b->g.tasks, id_str(&ids[0])));
    assert_null(tasks_find(&b->g.tasks, id_str(&ids[1])));
    gate_runner_lost(&b->g); /* the one before; the next may have them still */
    assert_false(list_is_empty(&b->g.closings));
    b->no_runner = false;
    gate_runner_joined(&b->g);
    gate_child_stopped(&b->g, b->seq, 0);
    gate_child_stopped(&b->g, b->seq, 0);
    store_flush(b->g.store);
    assert_true(list_is_empty(&b->g.closings));
    read_receipt(b, id_str(&ids[0]));
    assert_int_equal(number_at(b, "tasksTotal"), 2);
}

/* The gateway died between the end of the root and that of its child, which has a program. */
static void test_orphan_is_closed_at_the_start(void **state)
{
    struct bed *b = *state;
    struct err err;
    struct task *root = open_task(b, "desk", NULL, "tool/find");
    struct task *child = open_task(b, "helper", root, "tool/find");
    struct id ids[] = {root->id, child->id}, receipt = id_new('r');
    ARENA_SCOPE struct arena a = {0};
    ask(b, child, EDGE, "tool__find");
    struct msg_outcome m = {.call = str_z(b->call), .status = OUTCOME_OK};
    assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    struct store_txn *t = store_txn_new(b->g.store);
    struct record_task_close r = {.time_ms = 1,
                                  .chain = gate_chain(&b->g, &a, root, (str){0}),
                                  .state = S("revoked"),
                                  .closed_by = S("ann")};
    store_receipt_insert(t, &(struct store_receipt){.id = id_str(&receipt),
                                                    .kind = S("task"),
                                                    .name = id_str(&root->id),
                                                    .closes = S("revoked"),
                                                    .by = S("ann"),
                                                    .opened_ms = 1});
    store_task_close(t, id_str(&root->id), S("revoked"), 1, S("x"));
    store_receipt_task(t, id_str(&receipt), id_str(&root->id));
    store_leaf(t, record_task_close(&b->g.scratch, &r), (str){0}, id_str(&root->id));
    gate_submit(&b->g, t, NULL, NULL);
    bed_close_gate(&b->g, b->tree);
    b->no_runner = true;
    start(b);
    store_flush(b->g.store);
    assert_false(is_active_in_store(b, id_str(&ids[1])));
    assert_null(tasks_find(&b->g.tasks, id_str(&ids[1])));
    b->no_runner = false;
    b->stops = 0;
    gate_runner_joined(&b->g);
    assert_int_equal(b->stops, 2);
    gate_child_stopped(&b->g, b->seq, 0);
    gate_child_stopped(&b->g, b->seq, 1);
    store_flush(b->g.store);
    read_receipt(b, id_str(&ids[0]));
    text_is(b, "state", "complete");
    assert_int_equal(number_at(b, "tasksTotal"), 2);
    assert_int_equal(number_at(b, "leasesTotal"), 1);
    assert_int_equal(map_count(&b->g.leases), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_steps),
        T(test_close_between_decision_and_commit),
        T(test_suspension_between_decision_and_commit),
        T(test_edges_are_not_believed),
        T(test_silent_edge_is_ended),
        T(test_silent_runner_is_said),
        T(test_leases),
        T(test_kinds),
        T(test_tree_of_four_levels),
        T(test_order_is_finished_after_a_restart),
        T(test_child_follows_after_a_restart),
        T(test_orphan_is_closed_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
