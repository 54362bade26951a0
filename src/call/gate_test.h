/* gate_test: a gate over a real store and ledger, with the edge played by the test. */
#pragma once
#include "call/request.h"
#include "base/hex.h"
#include "base/limits.h"
#include "call/gate_bed.h"
#include "crypto/digest.h"
#include "crypto/voucher.h"
#include "ledger/recover.h"

static const char CONF[] =
    "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}, \"bob\": {\"roles\": [\"approver\"]}},"
    " \"agents\": {\"desk\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\", "
    "\"assessedFor\": \"3650d\","
    "   \"ambit\": [\"shop/*\", \"ambit/delegate\"], \"delegates\": [\"helper\"]},"
    "  \"helper\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\", "
    "\"assessedFor\": \"3650d\", \"ambit\": "
    "[\"shop/*\"]}},"
    " \"listen\": [{\"address\": \"127.0.0.1:1\", \"bearer\": true}], \"policies\": [\"x\"],"
    " \"mcpServers\": {\"shop\": {\"url\": \"http://127.0.0.1:1/\","
    "   \"headers\": {\"X-Key\": {\"secret\": \"k\"}}, \"operations\": {"
    "   \"find\": {\"effect\": \"read\", \"args\": {\"q\": \"String\"}},"
    "   \"refund\": {\"effect\": \"transfer\", \"args\": {\"amount\": \"Long\"},"
    "     \"amount\": {\"arg\": \"amount\", \"currency\": \"EUR\"}},"
    "   \"pay\": {\"effect\": \"transfer\", \"highImpact\": false,"
    "     \"amount\": {\"arg\": \"amount\", \"currency\": \"EUR\", \"scale\": 2}},"
    "   \"fail\": {\"effect\": \"read\", \"args\": {\"n\": \"Long\"}}}}}}";

static const char POLICY[] =
    "@id(\"desk\") permit (principal is Ambit::Agent, action in Ambit::Action::\"call\", "
    "resource);\n"
    "@id(\"bound\") @advice(\"Ask for less.\") forbid (principal, action == "
    "Ambit::Action::\"shop/refund\", resource)\n"
    "  when { context.args.amount > 100 };\n"
    "@id(\"overflows\") forbid (principal, action == Ambit::Action::\"shop/fail\", resource)\n"
    "  when { context.args.n + 1 == 0 };\n"
    "@id(\"approvers\") permit (principal is Ambit::Human, action == Ambit::Action::\"approve\", "
    "resource)\n"
    "  when { principal.roles.contains(\"approver\") && principal.name != resource.owner };\n";

#define UNUSED __attribute__((unused))

enum { EDGE = 1, OTHER_EDGE = 2 };

/* What the gate said last. */
struct heard {
    enum message_type type;
    uint32_t edge;
    uint64_t id;
    char call[64], text[1024], hold[64], policies[512];
    uint8_t kind;
    bool had_voucher;
    unsigned count, cuts;
};

struct bed {
    struct arena arena;
    struct conf conf;
    struct gate g;
    struct ledger_tree *tree;
    struct key *key;
    struct heard heard;
    char dir[BED_DIR_SIZE];
    int dir_fd;
    bool edge_gone;
};

static void keep(char *to, size_t room, str s)
{
    snprintf(to, room, "%.*s", STR(s));
}

UNUSED static bool to_edge(void *ctx, uint32_t edge, enum message_type type, uint64_t id,
                           const void *msg)
{
    struct bed *b = ctx;
    struct heard *h = &b->heard;
    if (b->edge_gone)
        return false;
    unsigned count = h->count, cuts = h->cuts;
    *h = (struct heard){.type = type, .edge = edge, .id = id, .count = count + 1, .cuts = cuts};
    if (type == MSG_GO) {
        const struct msg_go *m = msg;
        keep(h->call, sizeof h->call, m->call);
        h->had_voucher = m->voucher.n == VOUCHER_LEN;
    } else if (type == MSG_REFUSED) {
        const struct msg_refused *m = msg;
        keep(h->call, sizeof h->call, m->call);
        keep(h->text, sizeof h->text, m->text);
        keep(h->hold, sizeof h->hold, m->hold);
        keep(h->policies, sizeof h->policies, m->policies);
        h->kind = m->kind;
    } else if (type == MSG_RESULT) {
        const struct msg_result *m = msg;
        keep(h->text, sizeof h->text, m->result);
    } else if (type == MSG_LIST_ANSWER) {
        const struct msg_list_answer *m = msg;
        keep(h->text, sizeof h->text, m->tools);
        h->kind = 0;
        str run = m->tools, s;
        bool bad = false;
        while (unpack_str(&run, &s, &bad))
            h->kind++;
    }
    return true;
}

UNUSED static size_t cut(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX])
{
    struct bed *b = ctx;
    (void)seq;
    (void)task;
    (void)out;
    b->heard.cuts++;
    return 0;
}

UNUSED static bool stop_children(void *ctx, uint64_t seq, str task, bool at_once)
{
    (void)ctx;
    (void)seq;
    (void)task;
    (void)at_once;
    return false;
}

UNUSED static void put_tool(struct bed *b, const char *definition)
{
    const json *def;
    struct catalog_tool *t;
    struct err err;
    assert_true(json_read(&b->arena, str_z(definition), NULL, &def, &err));
    assert_int_equal(catalog_put(&b->g.catalog, &b->conf, S("shop"), def, true, &t, &err),
                     CATALOG_NEW);
}

UNUSED static int setup(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    struct err err;
    *state = b;
    bed_configure(&b->arena, CONF, POLICY, &b->conf);
    bed_make_dir(b->dir, &b->dir_fd);
    bed_open_gate(&b->g, &b->conf,
                  &(struct gate_out){
                      .ctx = b, .to_edge = to_edge, .cut = cut, .stop_children = stop_children},
                  b->dir_fd, &b->tree);
    bed_share_keys(&b->g);
    b->key = bed_token_key(&b->g);
    assert_true(gate_restore(&b->g, &err));
    put_tool(b, "{\"name\":\"find\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"q\":{"
                "\"type\":\"string\"}}}}");
    put_tool(b, "{\"name\":\"refund\",\"inputSchema\":{\"type\":\"object\"}}");
    put_tool(b, "{\"name\":\"pay\",\"inputSchema\":{\"type\":\"object\"}}");
    put_tool(b, "{\"name\":\"fail\",\"inputSchema\":{\"type\":\"object\"}}");
    return 0;
}

UNUSED static int teardown(void **state)
{
    struct bed *b = *state;
    bed_close_gate(&b->g, b->tree);
    bed_ledger_is_sound(b->dir);
    key_free(b->key);
    arena_fini(&b->arena);
    bed_remove_dir(b->dir, b->dir_fd);
    free(b);
    return 0;
}

UNUSED static struct task *open_task(struct bed *b, int64_t calls)
{
    str ops[] = {S("shop/find"), S("shop/refund"), S("shop/fail"), S("ambit/delegate")};
    struct task_wish w = {.owner = S("ann"),
                          .agent = S("desk"),
                          .purpose = S("p"),
                          .operations = ops,
                          .operations_n = 4,
                          .calls = calls};
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

UNUSED static str token_of(struct bed *b, const struct task *t)
{
    struct buf claims = {0}, all = {0}, token = {0};
    struct err err;
    struct key_id kid = key_id(b->key);
    task_token_claims(t, &b->conf, (str){0}, (str){0}, false, clock_wall_ms(), &claims);
    buf_put(&all, S("{\"iss\":\"http://127.0.0.1:1\","));
    buf_put(&all, str_skip(buf_str(&claims), 1));
    assert_true(jwt_sign(b->key, key_id_str(&kid), S("at+jwt"), buf_str(&all), &token, &err));
    str s = str_dup(&b->arena, buf_str(&token));
    buf_fini(&claims);
    buf_fini(&all);
    buf_fini(&token);
    return s;
}

/* Sends a call and waits until the gate has answered it. */
static const struct heard *call(struct bed *b, str token, const char *tool, const char *args,
                                const char *approval)
{
    static uint64_t request;
    struct msg_call m = {.proof = {.kind = PROOF_TOKEN, .token = token},
                         .tool = str_z(tool),
                         .args = str_z(args),
                         .approval = str_z(approval)};
    unsigned before = b->heard.count;
    gate_call(&b->g, EDGE, ++request, &m);
    if (b->heard.count == before)
        store_flush(b->g.store);
    if (!b->edge_gone)
        assert_int_equal(b->heard.count, before + 1); /* exactly one answer */
    return &b->heard;
}

UNUSED static void settle(struct bed *b, enum outcome o)
{
    struct msg_outcome m = {.call = str_z(b->heard.call), .status = (uint8_t)o};
    struct err err;
    assert_true(gate_outcome(&b->g, EDGE, &m, &err));
    store_flush(b->g.store);
}

UNUSED static void approve(struct bed *b, const char *hold)
{
    struct hold *h = holds_find(&b->g.holds, str_z(hold));
    assert_non_null(h);
    struct record_decision rec = {.time_ms = clock_wall_ms(),
                                  .hold = id_str(&h->id),
                                  .call = id_str(&h->call),
                                  .task = id_str(&h->task),
                                  .approver = S("bob"),
                                  .method = S("key")};
    struct verdict v;
    struct err err;
    ARENA_SCOPE struct arena a = {0};
    if (!policy_may_approve(b->g.policy, &b->conf, conf_person(&b->conf, S("bob")), S("key"), h,
                            clock_wall_ms(), &a, &v, &err))
        fail_msg("%s", err.text);
    assert_int_equal(v.decision, DECISION_ALLOW);
    struct store_txn *t = store_txn_new(b->g.store);
    store_hold_decide(t, id_str(&h->id), S("approved"), S("bob"), clock_wall_ms());
    rec.digest = gate_hold_digest(&b->g, &a, h);
    store_leaf(t, record_approval(&b->g.scratch, &rec), id_str(&h->call), id_str(&h->task));
    gate_submit(&b->g, t, NULL, NULL);
    store_flush(b->g.store);
    h->state = HOLD_APPROVED;
    h->approver = S("bob");
}
