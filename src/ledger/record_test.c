/* The bytes of every type of record, fixed: a leaf is hashed as it stands, and readers elsewhere
 * rely on its fields. A change that shows here is a change of docs/formats/record.md. */
#include "ledger/ledger_fix.h"

static const str PARENTS[] = {S("t2"), S("t1")}, DELEGATORS[] = {S("writer"), S("planner")};
static const str POLICIES[] = {S("p\"1"), S("p2")};
static const struct record_chain CHAIN = {S("t3"),   PARENTS, 2,          S("anna"),
                                          S("desk"), S("i1"), DELEGATORS, S("eu-1")};
static const struct record_chain ROOT = {
    .task = S("t1"), .owner = S("anna"), .agent = S("planner")};
static const struct record_operation OP = {S("shop"), S("t\xc3\xa9"), S("write")};
static const struct record_policy POLICY = {12, S("pd"), POLICIES, 2};
static const struct record_timings TIMINGS = {10, 20, 30, 40};
enum { TIME_MS = 1000 };

/* Each gives one leaf; a row of LEAVES says what it has to be. */
#define LEAF(name, type, ...)                                                                      \
    static str make_##name(struct buf *out)                                                        \
    {                                                                                              \
        const struct record_##type r = {.time_ms = TIME_MS, __VA_ARGS__};                          \
        return record_##name(out, &r);                                                             \
    }
LEAF(intent, intent, .call = S("c1"), .chain = CHAIN, .op = OP, .policy = POLICY, .args = S("com"),
     .approval = S("h1"), .approver = S("bert"), .budget_left = 0)
LEAF(outcome, outcome, .call = S("c1"), .chain = CHAIN, .op = OP, .status = RECORD_OK,
     .latency_us = 50, .bytes = 6, .result = S("dig"), .reason = S("why"), .timings = TIMINGS)
LEAF(refusal, refusal, .call = S("c1"), .chain = CHAIN, .op = OP, .policy = POLICY,
     .args = S("com"), .reason = S("budget"))
LEAF(task_open, task_open, .chain = CHAIN, .grants = S("g"), .deadline_ms = 2000, .calls = 3,
     .opened_by = S("anna"), .state = S("granted"), .purpose = S("com"))
LEAF(task_close, task_close, .chain = CHAIN, .state = S("revoked"), .reason = S("why"),
     .closed_by = S("anna"), .calls_left = 7)
LEAF(task_change, task_change, .chain = CHAIN, .state = S("active"), .by = S("desk"),
     .reason = S("why"), .deadline_ms = 2000)
LEAF(agent_change, agent_change, .agent = S("desk"), .state = S("suspended"), .by = S("anna"),
     .reason = S("why"))
LEAF(identity_change, identity_change, .kind = S("task"), .name = S("k2"), .before = S("k1"),
     .state = S("rotated"), .by = S("anna"))
LEAF(shared_use, shared_use, .agent = S("desk"), .owner = S("anna"), .reason = S("processes"))
LEAF(delegation, delegation, .chain = CHAIN, .child = S("t4"), .child_agent = S("helper"),
     .grants = S("g"), .deadline_ms = 2000, .calls = 3)
LEAF(hold_open, hold_open, .hold = S("h1"), .call = S("c1"), .chain = CHAIN, .op = OP,
     .policy = POLICY, .args = S("com"), .digest = S("d"), .expires_ms = 2000)
#define DECISION                                                                                   \
    .hold = S("h1"), .call = S("c1"), .task = S("t3"), .approver = S("bert"),                      \
    .method = S("passkey"), .digest = S("d"), .assertion = S("sig"), .policy = POLICY,             \
    .reason = S("no"), .state = S("counted")
LEAF(approval, decision, DECISION)
LEAF(denial, decision, DECISION)
LEAF(pin_change, pin_change, .binding = S("shop"), .tool = S("t"), .before = S("x"),
     .after = S("y"), .state = S("changed"), .by = S("anna"))
LEAF(policy_load, policy_load, .version = 2, .digest = S("d"), .before = S("e"), .by = S("anna"))
LEAF(operator_change, operator_change, .name = S("bert"), .key = S("k"), .state = S("added"),
     .by = S("anna"))
LEAF(person_event, person_event, .name = S("bert"), .state = S("failed"), .method = S("passkey"),
     .key = S("k"), .by = S("anna"), .reason = S("why"))
LEAF(consent, consent, .id = S("r1"), .owner = S("bert"), .agent = S("desk"),
     .decision = S("consented"), .method = S("passkey"), .digest = S("d"), .assertion = S("sig"),
     .amr = S("hwk"), .acr = S("x"), .auth_ms = 500, .policy = POLICY)
LEAF(secret_set, secret_set, .name = S("n"), .by = S("anna"))
LEAF(start, start, .software = S("0.1"), .config = S("cfg"), .gateway = S("eu-1"), .recovered = 0)
LEAF(revocation, revocation, .receipt = S("r1"), .kind = S("agent"), .name = S("desk"),
     .by = S("anna"), .reason = S("why"))
LEAF(receipt, receipt, .receipt = S("r1"), .task = S("t1"), .digest = S("d"),
     .status = S("complete"))
/* What does not apply is absent. */
static str make_bare(struct buf *out)
{
    const struct record_outcome r = {.time_ms = TIME_MS, .call = S("c1"), .chain = ROOT};
    return record_outcome(out, &r);
}

static const struct {
    str (*make)(struct buf *out);
    const char *leaf;
} LEAVES[] = {
    {make_intent,
     "{\"agent\":\"desk\",\"approval\":\"h1\",\"approver\":\"bert\",\"args\":\"com\","
     "\"binding\":\"shop\",\"budget_left\":0,\"call\":\"c1\",\"decision\":\"allow\","
     "\"delegators\":[\"writer\",\"planner\"],\"effect\":\"write\",\"gateway\":\"eu-1\","
     "\"instance\":\"i1\",\"owner\":\"anna\",\"parents\":[\"t2\",\"t1\"],"
     "\"policies\":[\"p\\\"1\",\"p2\"],\"policy\":\"pd\",\"policy_version\":12,"
     "\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\",\"tool\":\"té\","
     "\"type\":\"intent\",\"v\":1}"},
    {make_outcome,
     "{\"agent\":\"desk\",\"binding\":\"shop\",\"bytes\":6,\"call\":\"c1\","
     "\"committed_us\":10,\"delegators\":[\"writer\",\"planner\"],\"effect\":\"write\","
     "\"first_us\":30,\"gateway\":\"eu-1\",\"instance\":\"i1\",\"latency_us\":50,"
     "\"owner\":\"anna\",\"parents\":[\"t2\",\"t1\"],\"reason\":\"why\","
     "\"released_us\":20,\"result\":\"dig\",\"status\":\"ok\",\"task\":\"t3\","
     "\"time\":\"1970-01-01T00:00:01.000Z\",\"tool\":\"té\",\"type\":\"outcome\","
     "\"upstream_us\":40,\"v\":1}"},
    {make_refusal,
     "{\"agent\":\"desk\",\"args\":\"com\",\"binding\":\"shop\",\"call\":\"c1\","
     "\"decision\":\"deny\",\"delegators\":[\"writer\",\"planner\"],\"effect\":\"write\","
     "\"gateway\":\"eu-1\",\"instance\":\"i1\",\"owner\":\"anna\",\"parents\":[\"t2\","
     "\"t1\"],\"policies\":[\"p\\\"1\",\"p2\"],\"policy\":\"pd\",\"policy_version\":12,"
     "\"reason\":\"budget\",\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\","
     "\"tool\":\"té\",\"type\":\"refusal\",\"v\":1}"},
    {make_task_open,
     "{\"agent\":\"desk\",\"by\":\"anna\",\"calls\":3,"
     "\"deadline\":\"1970-01-01T00:00:02.000Z\",\"delegators\":[\"writer\",\"planner\"],"
     "\"gateway\":\"eu-1\",\"grants\":\"g\",\"instance\":\"i1\",\"owner\":\"anna\","
     "\"parents\":[\"t2\",\"t1\"],\"purpose\":\"com\",\"state\":\"granted\","
     "\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"task_open\","
     "\"v\":1}"},
    {make_task_close,
     "{\"agent\":\"desk\",\"budget_left\":7,\"by\":\"anna\",\"delegators\":[\"writer\","
     "\"planner\"],\"gateway\":\"eu-1\",\"instance\":\"i1\",\"owner\":\"anna\","
     "\"parents\":[\"t2\",\"t1\"],\"reason\":\"why\",\"state\":\"revoked\","
     "\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"task_close\","
     "\"v\":1}"},
    {make_task_change,
     "{\"agent\":\"desk\",\"by\":\"desk\",\"deadline\":\"1970-01-01T00:00:02.000Z\","
     "\"delegators\":[\"writer\",\"planner\"],\"gateway\":\"eu-1\",\"instance\":\"i1\","
     "\"owner\":\"anna\",\"parents\":[\"t2\",\"t1\"],\"reason\":\"why\","
     "\"state\":\"active\",\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\","
     "\"type\":\"task_change\",\"v\":1}"},
    {make_agent_change,
     "{\"agent\":\"desk\",\"by\":\"anna\",\"reason\":\"why\",\"state\":\"suspended\","
     "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"agent_change\",\"v\":1}"},
    {make_identity_change, "{\"before\":\"k1\",\"by\":\"anna\",\"kind\":\"task\",\"name\":\"k2\","
                           "\"state\":\"rotated\",\"time\":\"1970-01-01T00:00:01.000Z\","
                           "\"type\":\"identity_change\",\"v\":1}"},
    {make_shared_use, "{\"agent\":\"desk\",\"owner\":\"anna\",\"reason\":\"processes\","
                      "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"shared_use\",\"v\":1}"},
    {make_delegation,
     "{\"agent\":\"desk\",\"calls\":3,\"child\":\"t4\",\"child_agent\":\"helper\","
     "\"deadline\":\"1970-01-01T00:00:02.000Z\",\"delegators\":[\"writer\",\"planner\"],"
     "\"gateway\":\"eu-1\",\"grants\":\"g\",\"instance\":\"i1\",\"owner\":\"anna\","
     "\"parents\":[\"t2\",\"t1\"],\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\","
     "\"type\":\"delegation\",\"v\":1}"},
    {make_hold_open,
     "{\"agent\":\"desk\",\"args\":\"com\",\"binding\":\"shop\",\"call\":\"c1\","
     "\"decision\":\"hold\",\"delegators\":[\"writer\",\"planner\"],\"digest\":\"d\","
     "\"effect\":\"write\",\"expires\":\"1970-01-01T00:00:02.000Z\",\"gateway\":\"eu-1\","
     "\"hold\":\"h1\",\"instance\":\"i1\",\"owner\":\"anna\",\"parents\":[\"t2\",\"t1\"],"
     "\"policies\":[\"p\\\"1\",\"p2\"],\"policy\":\"pd\",\"policy_version\":12,"
     "\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\",\"tool\":\"té\","
     "\"type\":\"hold_open\",\"v\":1}"},
    {make_approval,
     "{\"approver\":\"bert\",\"assertion\":\"sig\",\"call\":\"c1\",\"digest\":\"d\","
     "\"hold\":\"h1\",\"method\":\"passkey\",\"policies\":[\"p\\\"1\",\"p2\"],"
     "\"policy\":\"pd\",\"policy_version\":12,\"reason\":\"no\",\"state\":\"counted\","
     "\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"approval\",\"v\":1}"},
    {make_denial,
     "{\"approver\":\"bert\",\"assertion\":\"sig\",\"call\":\"c1\",\"digest\":\"d\","
     "\"hold\":\"h1\",\"method\":\"passkey\",\"policies\":[\"p\\\"1\",\"p2\"],"
     "\"policy\":\"pd\",\"policy_version\":12,\"reason\":\"no\",\"state\":\"counted\","
     "\"task\":\"t3\",\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"denial\",\"v\":1}"},
    {make_pin_change, "{\"after\":\"y\",\"before\":\"x\",\"binding\":\"shop\",\"by\":\"anna\","
                      "\"state\":\"changed\",\"time\":\"1970-01-01T00:00:01.000Z\",\"tool\":\"t\","
                      "\"type\":\"pin_change\",\"v\":1}"},
    {make_policy_load, "{\"before\":\"e\",\"by\":\"anna\",\"policy\":\"d\",\"policy_version\":2,"
                       "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"policy_load\",\"v\":1}"},
    {make_operator_change,
     "{\"by\":\"anna\",\"key\":\"k\",\"name\":\"bert\",\"state\":\"added\","
     "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"operator_change\",\"v\":1}"},
    {make_person_event,
     "{\"by\":\"anna\",\"key\":\"k\",\"method\":\"passkey\",\"name\":\"bert\","
     "\"reason\":\"why\",\"state\":\"failed\",\"time\":\"1970-01-01T00:00:01.000Z\","
     "\"type\":\"person_event\",\"v\":1}"},
    {make_consent,
     "{\"acr\":\"x\",\"agent\":\"desk\",\"amr\":\"hwk\",\"assertion\":\"sig\","
     "\"authenticated\":\"1970-01-01T00:00:00.500Z\",\"decision\":\"consented\","
     "\"digest\":\"d\",\"method\":\"passkey\",\"owner\":\"bert\",\"policies\":[\"p\\\"1\","
     "\"p2\"],\"policy\":\"pd\",\"policy_version\":12,\"request\":\"r1\","
     "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"consent\",\"v\":1}"},
    {make_secret_set, "{\"by\":\"anna\",\"name\":\"n\",\"time\":\"1970-01-01T00:00:01.000Z\","
                      "\"type\":\"secret_set\",\"v\":1}"},
    {make_start, "{\"config\":\"cfg\",\"gateway\":\"eu-1\",\"recovered\":0,\"software\":\"0.1\","
                 "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"start\",\"v\":1}"},
    {make_revocation,
     "{\"by\":\"anna\",\"kind\":\"agent\",\"name\":\"desk\",\"reason\":\"why\","
     "\"receipt\":\"r1\",\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"revocation\","
     "\"v\":1}"},
    {make_receipt, "{\"digest\":\"d\",\"receipt\":\"r1\",\"status\":\"complete\",\"task\":\"t1\","
                   "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"receipt\",\"v\":1}"},
    {make_bare, "{\"agent\":\"planner\",\"bytes\":0,\"call\":\"c1\",\"latency_us\":0,"
                "\"owner\":\"anna\",\"status\":\"unknown\",\"task\":\"t1\","
                "\"time\":\"1970-01-01T00:00:01.000Z\",\"type\":\"outcome\",\"v\":1}"},
};

static void test_golden(void **state)
{
    (void)state;
    struct buf b = {.max = STORE_LEAF_BYTES_MAX}, canonical = {0};
    for (size_t i = 0; i < sizeof LEAVES / sizeof LEAVES[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct err err;
        const json *v = NULL;
        str leaf = LEAVES[i].make(&b);
        if (!str_eq(leaf, str_z(LEAVES[i].leaf)))
            fail_msg("%.*s\nwant %s", STR(leaf), LEAVES[i].leaf);
        if (!json_read(&a, leaf, NULL, &v, &err))
            fail_msg("%s: %.*s", err.text, STR(leaf));
        buf_clear(&canonical);
        json_write_canonical(&canonical, v);
        if (!str_eq(buf_str(&canonical), leaf))
            fail_msg("not canonical: %.*s\nwant %.*s", STR(leaf), STR(buf_str(&canonical)));
        b.max = leaf.n - 1; /* never a part of one */
        assert_int_equal(LEAVES[i].make(&b).n, 0);
        b.max = STORE_LEAF_BYTES_MAX;
    }
    buf_fini(&canonical);
    buf_fini(&b);
}

static void test_commitment(void **state)
{
    (void)state;
    uint8_t salt[RECORD_SALT_BYTES];
    struct record_commitment a, b;
    record_commit(S("{}"), salt, &a);
    record_commit_with(str_of((char *)salt, sizeof salt), S("{}"), &b);
    assert_string_equal(a.text, b.text);
    record_commit_with(str_of((char *)salt, sizeof salt), S("{} "), &b);
    assert_string_not_equal(a.text, b.text);
    record_digest((str){0}, &a);
    assert_true(str_eq(record_commitment_str(&a), FIX_DIGEST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_commitment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
