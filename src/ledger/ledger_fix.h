/* ledger_fix: a ledger in a temporary directory, with a signer, for the tests of this folder. */
#pragma once
#include "base/clock.h"
#include "base/rand.h"
#include "crypto/note.h"
#include "ledger/checkpoint.h"
#include "ledger/record.h"
#include "ledger/recover.h"
#include "ledger/trace.h"
#include "ledger/tree.h"
#include "ledger/verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#ifndef FIX_ROOT
#define FIX_ROOT "/tmp" /* a test of kills, not of power cuts, may do without a disk */
#endif
#define FIX_DIGEST S("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")

struct fix {
    char dir[64];
    int fd;
    struct ledger_tree *tree;
    struct store *s;
    struct key *key;
    struct note_verifier verifier;
    struct buf vkey, leaf;
    struct err err;
};

#define OK(f, call)                                                                                \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s", (f)->err.text);                                                         \
    } while (0)

static inline void fix_open(struct fix *f)
{
    f->tree = ledger_tree_new();
    struct store_options opt = {.tree = ledger_tree_ops(f->tree)};
    OK(f, store_open(f->fd, &opt, &f->s, &f->err));
}

static inline void fix_close(struct fix *f)
{
    store_close(f->s);
    ledger_tree_free(f->tree);
    f->s = NULL;
    f->tree = NULL;
}

static inline int fix_set_up(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, FIX_ROOT "/ambit-ledger-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->leaf.max = STORE_LEAF_BYTES_MAX;
    OK(f, store_dir_open(f->dir, true, &f->fd, &f->err));
    OK(f, key_generate(KEY_ED25519, &f->key, &f->err));
    OK(f, note_verifier(S("ambit.example/log"), NOTE_ED25519, f->key, &f->verifier, &f->err));
    note_vkey_write(&f->verifier, &f->vkey);
    fix_open(f);
    *state = f;
    return 0;
}

static inline int fix_tear_down(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    DIR *d = opendir(f->dir);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(f->dir);
    close(f->fd);
    key_free(f->key);
    buf_fini(&f->vkey);
    buf_fini(&f->leaf);
    free(f);
    return 0;
}

static inline void fix_submit(struct fix *f, struct store_txn *t)
{
    OK(f, store_submit(f->s, t, NULL, NULL, &f->err));
}

static const str FIX_AGENT = S("spiffe://example.org/agent/a");

static inline struct record_chain fix_chain(const char *task, const str *parent)
{
    return (struct record_chain){.task = str_z(task),
                                 .parents = parent,
                                 .parents_n = parent ? 1 : 0,
                                 .owner = S("anna"),
                                 .agent = FIX_AGENT,
                                 .instance = S("i1"),
                                 .delegators = parent ? &FIX_AGENT : NULL};
}

static inline void fix_task(struct fix *f, const char *id, const str *parent, int64_t calls)
{
    struct store_task row = {.id = str_z(id),
                             .parent = parent ? *parent : (str){0},
                             .owner = S("anna"),
                             .agent = S("spiffe://example.org/agent/a"),
                             .purpose = S("tidy up"),
                             .grants = S("[]"),
                             .opened_ms = 1000,
                             .deadline_ms = INT64_MAX,
                             .calls_left = calls};
    struct record_task_open r = {.time_ms = 1000,
                                 .chain = fix_chain(id, parent),
                                 .grants = FIX_DIGEST,
                                 .deadline_ms = 99999,
                                 .calls = calls,
                                 .opened_by = S("anna")};
    struct store_txn *t = store_txn_new(f->s);
    if (parent) {
        struct record_delegation d = {.time_ms = 1000,
                                      .chain = fix_chain(parent->p, NULL),
                                      .child = str_z(id),
                                      .child_agent = S("spiffe://example.org/agent/b"),
                                      .grants = FIX_DIGEST,
                                      .deadline_ms = 99999,
                                      .calls = calls};
        store_task_child(t, *parent, 1000, 10);
        store_leaf(t, record_delegation(&f->leaf, &d), (str){0}, *parent);
    }
    store_task_insert(t, &row);
    store_leaf(t, record_task_open(&f->leaf, &r), (str){0}, str_z(id));
    fix_submit(f, t);
}

/* hold: empty, or the approved hold that it uses. */
static inline struct store_txn *fix_intent(struct fix *f, str call, const char *task,
                                           const str *parent, str hold)
{
    str ids[] = {S("refunds")};
    uint8_t salt[RECORD_SALT_BYTES];
    struct record_commitment c;
    record_commit(S("{\"a\":1}"), salt, &c);
    struct record_intent r = {.time_ms = 2000,
                              .call = call,
                              .chain = fix_chain(task, parent),
                              .op = {S("desk"), S("desk_refund"), S("transfer")},
                              .policy = {3, FIX_DIGEST, ids, 1},
                              .args = record_commitment_str(&c),
                              .approval = hold,
                              .approver = hold.n ? S("bert") : (str){0},
                              .budget_left = 4};
    struct store_txn *t = store_txn_new(f->s);
    store_task_debit(t, str_z(task), 0, 2000);
    if (parent)
        store_task_debit(t, *parent, 0, 2000);
    if (hold.n)
        store_hold_consume(t, hold, str_z(task), S("digest"), 2000);
    store_open_call_insert(t, &(struct store_open_call){call, str_z(task), true});
    store_payload_insert(
        t, STORE_MUST,
        &(struct store_payload){call, str_of((char *)salt, sizeof salt), S("{\"a\":1}")});
    store_leaf(t, record_intent(&f->leaf, &r), call, str_z(task));
    return t;
}

static inline struct store_txn *fix_outcome(struct fix *f, str call, const char *task)
{
    struct record_outcome r = {.time_ms = 3000,
                               .call = call,
                               .chain = fix_chain(task, NULL),
                               .op = {S("desk"), S("desk_refund"), S("transfer")},
                               .status = RECORD_OK,
                               .latency_us = 1500,
                               .bytes = 80,
                               .result = FIX_DIGEST};
    struct store_txn *t = store_txn_new(f->s);
    store_open_call_delete(t, call);
    store_leaf(t, record_outcome(&f->leaf, &r), call, str_z(task));
    return t;
}

static inline void fix_verify(struct fix *f, struct ledger_report *out)
{
    struct store_view *v = NULL;
    OK(f, store_open_readonly(f->dir, &v, &f->err));
    struct ledger_verify_options opt = {.vkey = buf_str(&f->vkey)};
    OK(f, ledger_verify(v, &opt, out, &f->err));
    store_view_close(v);
}

static inline void fix_sound(struct fix *f)
{
    struct ledger_report r;
    fix_verify(f, &r);
    if (!r.ok)
        fail_msg("%s (%s %llu)", r.problem, r.problem_is_leaf ? "leaf" : "checkpoint",
                 (unsigned long long)r.problem_at);
}
