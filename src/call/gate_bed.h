/* gate_bed: what every test of a gate over a real store needs, whatever its own bed looks like: the
 * configuration, a temporary directory, the store and its tree, and their end. Each function fails
 * the test by itself. Included by tests only. */
#pragma once
#include "call/gate.h"
#include "base/clock.h"
#include "ledger/tree.h"
#include "ledger/verify.h"
#include "store/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* Reads the configuration; policy, if any, stands in the place of its policy files. */
static inline void bed_configure(struct arena *a, const char *conf_text, const char *policy,
                                 struct conf *conf)
{
    struct conf_problems p = {0};
    if (!conf_read(a, S("c"), S("/"), str_z(conf_text), conf, &p))
        fail_msg("%.*s", STR(p.list[0].text));
    if (!policy)
        return;
    struct conf_policy_file *file = ARENA_NEW(a, struct conf_policy_file);
    *file = (struct conf_policy_file){S("p.cedar"), str_z(policy)};
    conf->policies = file;
    conf->policies_n = 1;
}

enum { BED_DIR_SIZE = 64 };
static inline void bed_make_dir(char dir[BED_DIR_SIZE], int *fd)
{
    struct err err;
    snprintf(dir, BED_DIR_SIZE, "/tmp/gate_bed.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_true(store_dir_open(dir, false, fd, &err));
}

static inline void bed_remove_dir(const char *dir, int fd)
{
    char cmd[128];
    close(fd);
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    (void)!system(cmd);
}

static inline void bed_open_store(struct gate *g, int dir_fd, struct ledger_tree *tree)
{
    struct store_options o = {.tree = ledger_tree_ops(tree)};
    struct err err;
    if (!store_open(dir_fd, &o, &g->store, &err))
        fail_msg("%s", err.text);
}

/* A gate with its store and policy, before gate_restore; ends by bed_close_gate. */
static inline void bed_open_gate(struct gate *g, const struct conf *conf,
                                 const struct gate_out *out, int dir_fd, struct ledger_tree **tree)
{
    struct buf report = {0};
    struct err err;
    *tree = ledger_tree_new();
    *g = (struct gate){.conf = conf, .scratch = {.max = STORE_LEAF_BYTES_MAX}, .out = *out};
    bed_open_store(g, dir_fd, *tree);
    holds_init(&g->holds);
    if (!policy_load(conf, &g->policy, &report, &err))
        fail_msg("%s %.*s", err.text, STR(buf_str(&report)));
    buf_fini(&report);
}

/* The keys that core shares with the keeper and the runner: any. */
static inline void bed_share_keys(struct gate *g)
{
    struct err err;
    uint8_t k[32] = {7};
    assert_true(secret_of(str_of((char *)k, 32), &g->keeper_key, &err));
    assert_true(secret_of(str_of((char *)k, 32), &g->runner_key, &err));
}

/* The key that signs tasks' tokens, known to the gate. */
static inline struct key *bed_token_key(struct gate *g)
{
    struct key *key, *pub;
    struct err err;
    uint8_t raw[KEY_RAW_MAX];
    assert_true(key_generate(KEY_ES256, &key, &err));
    assert_true(key_from_raw(KEY_ES256, str_of((char *)raw, key_to_raw(key, raw)), &pub, &err));
    struct key_id kid = key_id(key);
    assert_true(keyset_add(&g->token_keys, pub, key_id_str(&kid), &err));
    return key;
}

static inline void bed_close_gate(struct gate *g, struct ledger_tree *tree)
{
    store_flush(g->store);
    store_close(g->store);
    gate_fini(g);
    ledger_tree_free(tree);
}

/* Whatever a test did, the ledger it leaves must verify. */
static inline void bed_ledger_is_sound(const char *dir)
{
    struct ledger_report report;
    struct store_view *v;
    struct ledger_verify_options o = {0};
    struct err err;
    if (!store_open_readonly(dir, &v, &err) || !ledger_verify(v, &o, &report, &err))
        fail_msg("%s", err.text);
    if (!report.ok)
        fail_msg("ledger: %s", report.problem);
    store_view_close(v);
}
