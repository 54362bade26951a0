/* keeper_world: for tests of the keeper: the role in a process of its own, inside its sandbox, with
 * the test as its core, edge and runner. Two secrets are set: "api" and "two". */
#pragma once
#include "crypto/secret.h"
#include "role/role_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct world {
    char root[64];
    int keys, secrets;
    struct secret *voucher_key;
    struct harness h;
    struct link core, edge, runner;
    struct frame_in f;
    struct msg_keys public;
    struct msg_bundle bundle;
    struct buf public_bytes, bundle_bytes;
};

int keeper_set_up(void **state);
int keeper_tear_down(void **state);
void keeper_start(struct world *w);
void keeper_stop(struct world *w);
/* Awaits what the keeper publishes when core comes, and at each change: keys, then the bundle. */
void keeper_take_keys(struct world *w);
