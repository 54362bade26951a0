/* From consent to task, over a real store: who may consent, and codes at the token endpoint. */
#include "call/authorize.h"
#include "call/gate_bed.h"

static const char CONF[] =
    "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}, \"eve\": {\"roles\": [\"owner\"]}},"
    " \"agents\": {\"desk\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\","
    "   \"ambit\": [\"shop/*\"], \"client\": {\"redirectUris\": [\"https://d.example/b\"]}}},"
    " \"policies\": [\"x\"], \"mcpServers\": {\"shop\": {\"url\": \"http://127.0.0.1:1/\","
    "   \"operations\": {\"find\": {\"effect\": \"read\"}, \"refund\": {\"effect\": "
    "\"transfer\"}}}}}";
#define VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

struct bed {
    struct arena arena;
    struct conf conf;
    struct gate g;
    struct ledger_tree *tree;
    char dir[BED_DIR_SIZE];
    int dir_fd;
    struct task *task; /* what was opened last */
    unsigned opened, refused;
    struct err err;
};

static size_t cut(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX])
{
    (void)ctx;
    (void)seq;
    (void)task;
    (void)out;
    return 0;
}

static bool stop_children(void *ctx, uint64_t seq, str task, bool at_once)
{
    (void)ctx;
    (void)seq;
    (void)task;
    (void)at_once;
    return false;
}

static int setup(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    struct err err;
    *state = b;
    bed_configure(&b->arena, CONF, NULL, &b->conf);
    bed_make_dir(b->dir, &b->dir_fd);
    bed_open_gate(&b->g, &b->conf,
                  &(struct gate_out){.ctx = b, .cut = cut, .stop_children = stop_children},
                  b->dir_fd, &b->tree);
    authorizations_init(&b->g.authorizations);
    assert_true(gate_restore(&b->g, &err));
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;
    bed_close_gate(&b->g, b->tree);
    bed_ledger_is_sound(b->dir);
    arena_fini(&b->arena);
    bed_remove_dir(b->dir, b->dir_fd);
    free(b);
    return 0;
}

static struct authorization *ask(struct bed *b, const char *operation)
{
    struct authorization *z;
    struct authorization_refusal no;
    const json *params;
    struct err err;
    str text = str_fmt(&b->arena,
                       "{\"response_type\":\"code\",\"client_id\":\"desk\",\"redirect_uri\":"
                       "\"https://d.example/b\",\"code_challenge\":\"" CHALLENGE "\","
                       "\"code_challenge_method\":\"S256\",\"authorization_details\":"
                       "\"[{\\\"type\\\":\\\"ambit_task\\\",\\\"purpose\\\":\\\"p\\\","
                       "\\\"operations\\\":[\\\"%s\\\"]}]\"}",
                       operation);
    assert_true(json_read(&b->arena, text, NULL, &params, &err));
    if (!authorization_read(&b->g.authorizations, &b->conf, params, clock_wall_ms(), &b->arena, &z,
                            &no, &err))
        fail_msg("%s", err.text);
    return z;
}

static struct code_use use_of(const struct bearer *code)
{
    return (struct code_use){.code = bearer_str(code),
                             .client_id = S("spiffe://ambit.local/agent/desk"),
                             .redirect_uri = S("https://d.example/b"),
                             .verifier = S(VERIFIER)};
}

static void on_done(void *arg, struct task *t, str resource, const struct err *why)
{
    struct bed *b = arg;
    (void)resource;
    b->opened += t != NULL;
    b->refused += t == NULL;
    if (t)
        b->task = t;
    else
        b->err = *why;
}

static void test_code_opens_its_task_once(void **state)
{
    struct bed *b = *state;
    struct bearer code;
    struct err err;
    struct authorization *z = ask(b, "shop/find");
    authorization_consent(&b->g.authorizations, z, S("ann"), clock_wall_ms(), &code);
    struct code_use use = use_of(&code);
    authorize_redeem(&b->g, &use, clock_wall_ms(), on_done, b);
    assert_int_equal(b->opened, 0); /* not before it is durable */
    store_flush(b->g.store);
    assert_int_equal(b->opened, 1);
    assert_true(task_is_live(b->task, clock_wall_ms(), &err));
    assert_true(str_eq(b->task->owner, S("ann")) && str_eq(b->task->agent, S("desk")));
    assert_true(str_starts(b->task->opened_by, S("consent:r")));
    /* The code again: refused, and what it opened is closed. */
    authorize_redeem(&b->g, &use, clock_wall_ms(), on_done, b);
    assert_int_equal(b->refused, 1);
    assert_false(task_is_live(b->task, clock_wall_ms(), &err));
    assert_int_equal(b->task->state, TASK_REVOKED);
}

/* Both at once: while the task is on its way to the disk. */
static void test_code_race(void **state)
{
    struct bed *b = *state;
    struct bearer code;
    struct err err;
    struct authorization *z = ask(b, "shop/find");
    authorization_consent(&b->g.authorizations, z, S("ann"), clock_wall_ms(), &code);
    struct code_use use = use_of(&code);
    authorize_redeem(&b->g, &use, clock_wall_ms(), on_done, b);
    authorize_redeem(&b->g, &use, clock_wall_ms(), on_done, b);
    store_flush(b->g.store);
    assert_int_equal(b->opened, 0);
    assert_int_equal(b->refused, 2);
    struct task *t = tasks_find(&b->g.tasks, id_str(&z->opened));
    assert_true(!t || !task_is_live(t, clock_wall_ms(), &err));
}

/* What was consented to is judged again when it is redeemed. */
static void test_agent_suspended_meanwhile(void **state)
{
    struct bed *b = *state;
    struct bearer code;
    struct authorization *z = ask(b, "shop/find");
    authorization_consent(&b->g.authorizations, z, S("ann"), clock_wall_ms(), &code);
    b->conf.agents[0].suspended = true;
    struct code_use use = use_of(&code);
    authorize_redeem(&b->g, &use, clock_wall_ms(), on_done, b);
    store_flush(b->g.store);
    b->conf.agents[0].suspended = false;
    assert_int_equal(b->opened, 0);
    assert_int_equal(b->refused, 1);
}

static void test_who_may_consent(void **state)
{
    struct bed *b = *state;
    static const struct {
        const char *person, *amr, *operation;
        enum sign_in method;
        bool passkey, ok;
    } cases[] = {
        {"ann", "hwk user", "shop/refund", SIGN_IN_PASSKEY, true, true},
        {"ann", "pwd", "shop/refund", SIGN_IN_OIDC, true, true},
        {"ann", "pwd", "shop/refund", SIGN_IN_OIDC, false, false},
        {"ann", "pwd mfa", "shop/find", SIGN_IN_OIDC, false, true},
        {"ann", "pwd hwk", "shop/refund", SIGN_IN_OIDC, false, true},
        {"eve", "hwk user", "shop/find", SIGN_IN_PASSKEY, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct person_session s = {.method = cases[i].method};
        struct verdict v;
        struct err err;
        struct task *t;
        snprintf(s.amr, sizeof s.amr, "%s", cases[i].amr);
        if (!authorize_task(&b->g, ask(b, cases[i].operation), clock_wall_ms(), &t, &err))
            fail_msg("%s", err.text);
        if (authorize_may_consent(&b->g, conf_person(&b->conf, str_z(cases[i].person)), &s,
                                  cases[i].passkey, t, clock_wall_ms(), &b->arena, &v,
                                  &err) != cases[i].ok)
            fail_msg("case %zu: %s", i, err.text);
        task_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_code_opens_its_task_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_code_race, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_suspended_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_may_consent, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
