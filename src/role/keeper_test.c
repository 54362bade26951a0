/* The keeper in a process of its own, inside its sandbox, against a core, an edge and a runner that
 * ask for what they should not get. */
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/jwt.h"
#include "crypto/note.h"
#include "crypto/voucher.h"
#include "role/keeper_keys.h"
#include "role/role_harness.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char CONFIG[] =
    "{\"trustDomain\": \"t.example\", \"origin\": \"t.example/ledger\","
    " \"mcpServers\": {"
    "   \"web\": {\"url\": \"http://127.0.0.1:9/mcp\", \"headers\": {"
    "      \"Authorization\": {\"secret\": \"api\", \"prefix\": \"Bearer \"}, \"X-Plain\": \"p\","
    "      \"X-Two\": {\"secret\": \"two\"}}},"
    "   \"prog\": {\"command\": \"/bin/true\", \"env\": {\"KEY\": {\"secret\": \"api\"}}},"
    "   \"bare\": {\"url\": \"http://127.0.0.1:9/mcp\"}}}";

struct world {
    char root[64];
    int keys, secrets;
    struct secret *voucher_key;
    struct harness h;
    struct link core, edge, runner;
    struct frame_in f;
    struct msg_keys public;
    struct buf public_bytes;
};

static void start_keeper(struct world *w)
{
    char key[VOUCHER_KEY_LEN];
    memset(key, 'k', sizeof key);
    struct msg_setup setup = {.config_name = S("test.json"),
                              .config_dir = S("/tmp"),
                              .config = str_z(CONFIG),
                              .keeper_key = str_of(key, sizeof key),
                              .uid = -1,
                              .child_uid = -1};
    struct msg_directory keys = {.kind = DIRECTORY_KEYS}, secrets = {.kind = DIRECTORY_SECRETS};
    struct err err;
    harness_start(&w->h, ROLE_KEEPER, role_keeper);
    link_send(&w->h.sup, MSG_SETUP, 0, &setup, -1);
    link_send(&w->h.sup, MSG_DIRECTORY, 0, &keys, dup(w->keys));
    link_send(&w->h.sup, MSG_DIRECTORY, 0, &secrets, dup(w->secrets));
    w->core = harness_peer(&w->h, ROLE_CORE);
    w->edge = harness_peer(&w->h, ROLE_EDGE);
    w->runner = harness_peer(&w->h, ROLE_RUNNER);
    harness_ready(&w->h);
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.type, MSG_KEYS);
    buf_clear(&w->public_bytes);
    buf_put(&w->public_bytes, buf_str(&w->f.payload));
    assert_true(message_unpack(MSG_KEYS, buf_str(&w->public_bytes), &w->public, &err));
}

static void stop_keeper(struct world *w)
{
    assert_int_equal(harness_stop(&w->h), 0);
    link_close(&w->core);
    link_close(&w->edge);
    link_close(&w->runner);
}

static int open_folder(struct world *w, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", w->root, name);
    assert_int_equal(mkdir(path, 0700), 0);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct secrets s;
    struct err err;
    char key[VOUCHER_KEY_LEN];
    memset(key, 'k', sizeof key);
    snprintf(w->root, sizeof w->root, "/tmp/ambit-test-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    w->keys = open_folder(w, "keys");
    w->secrets = open_folder(w, "secrets");
    assert_true(secrets_open(&s, w->keys, w->secrets, (str){0}, &err));
    assert_true(secrets_set(&s, S("api"), S("the api key"), &err));
    assert_true(secrets_set(&s, S("two"), S("2"), &err));
    secrets_close(&s);
    assert_true(secret_of(str_of(key, sizeof key), &w->voucher_key, &err));
    start_keeper(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[128];
    stop_keeper(w);
    snprintf(command, sizeof command, "rm -rf %s", w->root);
    close(w->keys);
    close(w->secrets);
    secret_free(w->voucher_key);
    buf_fini(&w->f.payload);
    buf_fini(&w->public_bytes);
    free(w);
    return system(command);
}

/* ---- release ---- */

struct asked {
    enum voucher_kind kind;
    const char *binding, *secret;
    int64_t life_ms;
    bool other_key;
};

static uint16_t release(struct world *w, struct link *from, const struct asked *q, struct id *call)
{
    uint8_t bytes[VOUCHER_LEN];
    struct secret *other = NULL;
    struct err err;
    struct voucher v = {.kind = q->kind,
                        .call = id_str(call),
                        .binding = str_z(q->binding),
                        .secret = str_z(q->secret),
                        .expires_ms = clock_wall_ms() + q->life_ms};
    if (q->other_key)
        assert_true(secret_of(S("01234567890123456789012345678901"), &other, &err));
    assert_true(voucher_mint(other ? other : w->voucher_key, &v, bytes, &err));
    secret_free(other);
    struct msg_release m = {.voucher = str_of((const char *)bytes, sizeof bytes)};
    link_send(from, MSG_RELEASE, 7, &m, -1);
    assert_true(link_recv(from, &w->f));
    assert_int_equal(w->f.id, 7);
    return w->f.type;
}

static void test_release(void **state)
{
    struct world *w = *state;
    struct id call = id_new('c');
    struct asked all = {VOUCHER_SECRET_EDGE, "web", "*", 5000, false};
    struct msg_secret m;
    struct err err;
    str run, s;
    bool bad = false;
    assert_int_equal(release(w, &w->edge, &all, &call), MSG_SECRET);
    assert_true(message_unpack(MSG_SECRET, buf_str(&w->f.payload), &m, &err));
    run = m.values;
    static const char *const want[] = {"api", "the api key", "two", "2"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(unpack_str(&run, &s, &bad));
        assert_true(str_eq(s, str_z(want[i])));
    }
    assert_int_equal(run.n, 0);
    /* The same voucher again. */
    assert_int_equal(release(w, &w->edge, &all, &call), MSG_NO_SECRET);
    /* One secret alone; the runner's. */
    call = id_new('c');
    struct asked one = {VOUCHER_SECRET_EDGE, "web", "two", 5000, false};
    assert_int_equal(release(w, &w->edge, &one, &call), MSG_SECRET);
    call = id_new('c');
    struct asked runners = {VOUCHER_SECRET_RUNNER, "prog", "*", 5000, false};
    assert_int_equal(release(w, &w->runner, &runners, &call), MSG_SECRET);
}

static void test_release_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        bool from_runner;
        struct asked q;
    } cases[] = {
        {false, {VOUCHER_SECRET_RUNNER, "prog", "*", 5000, false}}, /* another's voucher */
        {true, {VOUCHER_SECRET_EDGE, "web", "*", 5000, false}},
        {false, {VOUCHER_SECRET_RUNNER, "web", "*", 5000, false}},
        {true, {VOUCHER_SECRET_EDGE, "prog", "*", 5000, false}},
        {false, {VOUCHER_SECRET_EDGE, "prog", "*", 5000, false}}, /* another's server */
        {true, {VOUCHER_SECRET_RUNNER, "web", "*", 5000, false}},
        {false, {VOUCHER_SECRET_EDGE, "web", "*", -1, false}},                  /* expired */
        {false, {VOUCHER_SECRET_EDGE, "web", "*", VOUCHER_LIFE_MS * 2, false}}, /* too long */
        {false, {VOUCHER_SECRET_EDGE, "web", "*", 5000, true}},                 /* forged */
        {false, {VOUCHER_SECRET_EDGE, "web", "three", 5000, false}}, /* not of this server */
        {false, {VOUCHER_SECRET_EDGE, "bare", "*", 5000, false}},
        {false, {VOUCHER_SECRET_EDGE, "nosuch", "*", 5000, false}},
        {false, {VOUCHER_STDIO_CALL, "web", "", 5000, false}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct id call = id_new('c');
        uint16_t type =
            release(w, cases[i].from_runner ? &w->runner : &w->edge, &cases[i].q, &call);
        if (type != MSG_NO_SECRET)
            fail_msg("case %zu was released", i);
        assert_true(str_find(buf_str(&w->f.payload), S("the api key")) < 0);
    }
}

static void test_not_set(void **state)
{
    struct world *w = *state;
    struct id call = id_new('c');
    struct asked q = {VOUCHER_SECRET_EDGE, "web", "*", 5000, false};
    assert_int_equal(unlinkat(w->secrets, "two", 0), 0);
    assert_int_equal(release(w, &w->edge, &q, &call), MSG_NO_SECRET);
    assert_true(str_find(buf_str(&w->f.payload), S("ambit secret set two")) >= 0);
}

/* Messages of another role's end the channel, and the sender is accused. */
static void test_foreign_request(void **state)
{
    struct world *w = *state;
    struct msg_sign_token m = {.claims = S("{\"exp\":1}")};
    struct msg_peer accused;
    struct err err;
    link_send(&w->edge, MSG_SIGN_TOKEN, 1, &m, -1);
    assert_false(link_recv(&w->edge, &w->f));
    assert_true(link_recv(&w->h.sup, &w->f));
    assert_int_equal(w->f.type, MSG_ACCUSE);
    assert_true(message_unpack(MSG_ACCUSE, buf_str(&w->f.payload), &accused, &err));
    assert_int_equal(accused.role, ROLE_EDGE);
    /* The others are served on. */
    struct id call = id_new('c');
    struct asked q = {VOUCHER_SECRET_RUNNER, "prog", "api", 5000, false};
    assert_int_equal(release(w, &w->runner, &q, &call), MSG_SECRET);
}

/* ---- signing ---- */

static uint16_t sign_token(struct world *w, const char *claims)
{
    struct msg_sign_token m = {.claims = str_z(claims)};
    link_send(&w->core, MSG_SIGN_TOKEN, 9, &m, -1);
    assert_true(link_recv(&w->core, &w->f));
    return w->f.type;
}

static void test_token(void **state)
{
    struct world *w = *state;
    ARENA_SCOPE struct arena a = {0};
    char claims[128];
    struct msg_text m;
    struct keyset set = {0};
    struct key *key;
    const json *jwk;
    struct jwt jwt;
    struct err err;
    int64_t now_s = clock_wall_ms() / 1000;
    snprintf(claims, sizeof claims, "{\"sub\":\"anna\",\"aud\":\"x\",\"exp\":%lld}",
             (long long)now_s + 60);
    assert_int_equal(sign_token(w, claims), MSG_SIGNED_TOKEN);
    assert_true(message_unpack(MSG_SIGNED_TOKEN, buf_str(&w->f.payload), &m, &err));
    assert_true(json_read(&a, w->public.token_jwk, NULL, &jwk, &err));
    assert_true(key_from_jwk(jwk, &key, &err));
    struct key_id kid = key_id(key);
    assert_true(keyset_add(&set, key, key_id_str(&kid), &err));
    struct jwt_want want = {
        .typ = S("at+jwt"), .iss = S("https://t.example"), .aud = S("x"), .now_s = now_s};
    assert_true(jwt_verify(&a, m.text, &set, &want, &jwt, &err));
    assert_true(str_eq(jwt.sub, S("anna")));
    keyset_fini(&set);

    static const char *const refused[] = {
        "[]", "{}", "{\"exp\":1}", "{\"exp\":\"soon\"}", "{\"exp\":253402300799}", "not JSON"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(sign_token(w, refused[i]), MSG_NOT_SIGNED);
    snprintf(claims, sizeof claims, "{\"iss\":\"me\",\"exp\":%lld}", (long long)now_s + 60);
    assert_int_equal(sign_token(w, claims), MSG_NOT_SIGNED);
}

static uint16_t sign_checkpoint(struct world *w, int64_t size, char root)
{
    char bytes[HASH_LEN];
    memset(bytes, root, sizeof bytes);
    struct msg_sign_checkpoint m = {.size = size, .root = str_of(bytes, sizeof bytes)};
    link_send(&w->core, MSG_SIGN_CHECKPOINT, 3, &m, -1);
    assert_true(link_recv(&w->core, &w->f));
    return w->f.type;
}

static void test_checkpoint(void **state)
{
    struct world *w = *state;
    ARENA_SCOPE struct arena a = {0};
    struct msg_text m;
    struct note_verifier v;
    struct key *key;
    struct note note;
    struct checkpoint c;
    struct err err;
    assert_int_equal(sign_checkpoint(w, 5, 'a'), MSG_SIGNED_CHECKPOINT);
    assert_true(message_unpack(MSG_SIGNED_CHECKPOINT, buf_str(&w->f.payload), &m, &err));
    assert_true(note_vkey_parse(w->public.checkpoint_vkey, &v, &key, &err));
    assert_true(note_open(&a, m.text, &v, 1, &note, &err));
    assert_true(checkpoint_parse(note.text, S("t.example/ledger"), &c, &err));
    assert_int_equal(c.size, 5);
    key_free(key);
    assert_int_equal(sign_checkpoint(w, 5, 'a'), MSG_SIGNED_CHECKPOINT); /* the same again */
    assert_int_equal(sign_checkpoint(w, 5, 'b'), MSG_NOT_SIGNED);        /* a fork */
    assert_int_equal(sign_checkpoint(w, 4, 'a'), MSG_NOT_SIGNED);        /* smaller */
    assert_int_equal(sign_checkpoint(w, -1, 'a'), MSG_NOT_SIGNED);
    assert_int_equal(sign_checkpoint(w, 6, 'c'), MSG_SIGNED_CHECKPOINT);
    /* It remembers, and keeps its keys, over a restart. */
    struct buf vkey = {0};
    buf_put(&vkey, w->public.checkpoint_vkey);
    stop_keeper(w);
    start_keeper(w);
    assert_true(str_eq(buf_str(&vkey), w->public.checkpoint_vkey));
    buf_fini(&vkey);
    assert_int_equal(sign_checkpoint(w, 6, 'd'), MSG_NOT_SIGNED);
    assert_int_equal(sign_checkpoint(w, 6, 'c'), MSG_SIGNED_CHECKPOINT);
    assert_int_equal(sign_checkpoint(w, 7, 'd'), MSG_SIGNED_CHECKPOINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_release, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_release_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoint, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
