#include "role/keeper_world.h"
#include "broker/secrets.h"
#include "crypto/voucher.h"
#include "role/role.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char CONFIG[] =
    "{\"trustDomain\": \"t.example\", \"origin\": \"t.example/ledger\","
    " \"mcpServers\": {"
    "   \"web\": {\"url\": \"http://127.0.0.1:9/mcp\", \"headers\": {"
    "      \"Authorization\": {\"secret\": \"api\", \"prefix\": \"Bearer \"}, \"X-Plain\": \"p\","
    "      \"X-Two\": {\"secret\": \"two\"}}},"
    "   \"prog\": {\"command\": \"/bin/true\", \"env\": {\"KEY\": {\"secret\": \"api\"}}},"
    "   \"bare\": {\"url\": \"http://127.0.0.1:9/mcp\"}}}";

void keeper_take_keys(struct world *w)
{
    struct err err;
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.type, MSG_KEYS);
    buf_clear(&w->public_bytes);
    buf_put(&w->public_bytes, buf_str(&w->f.payload));
    assert_true(message_unpack(MSG_KEYS, buf_str(&w->public_bytes), &w->public, &err));
    assert_true(link_recv(&w->core, &w->f));
    assert_int_equal(w->f.type, MSG_BUNDLE);
    buf_clear(&w->bundle_bytes);
    buf_put(&w->bundle_bytes, buf_str(&w->f.payload));
    assert_true(message_unpack(MSG_BUNDLE, buf_str(&w->bundle_bytes), &w->bundle, &err));
}

void keeper_start(struct world *w)
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
    harness_start(&w->h, ROLE_KEEPER, role_keeper);
    link_send(&w->h.sup, MSG_SETUP, 0, &setup, -1);
    link_send(&w->h.sup, MSG_DIRECTORY, 0, &keys, dup(w->keys));
    link_send(&w->h.sup, MSG_DIRECTORY, 0, &secrets, dup(w->secrets));
    w->core = harness_peer(&w->h, ROLE_CORE);
    w->edge = harness_peer(&w->h, ROLE_EDGE);
    w->runner = harness_peer(&w->h, ROLE_RUNNER);
    harness_ready(&w->h);
    keeper_take_keys(w);
}

void keeper_stop(struct world *w)
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

int keeper_set_up(void **state)
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
    keeper_start(w);
    *state = w;
    return 0;
}

int keeper_tear_down(void **state)
{
    struct world *w = *state;
    char command[128];
    keeper_stop(w);
    snprintf(command, sizeof command, "rm -rf %s", w->root);
    close(w->keys);
    close(w->secrets);
    secret_free(w->voucher_key);
    buf_fini(&w->f.payload);
    buf_fini(&w->public_bytes);
    buf_fini(&w->bundle_bytes);
    free(w);
    return system(command);
}
