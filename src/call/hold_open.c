/* What a new hold is in the store and in the record. */
#include "call/request.h"

void gate_add_hold(struct gate *g, struct store_txn *txn, const struct hold *h,
                   const struct task *t, str instance, const struct verdict *v)
{
    ARENA_SCOPE struct arena a = {0};
    char hex[HASH_HEX_SIZE];
    uint8_t salt[RECORD_SALT_BYTES];
    struct record_commitment args, seen;
    record_commit(h->args, salt, &args);
    struct store_hold row = {.id = id_str(&h->id),
                             .task = id_str(&h->task),
                             .call = id_str(&h->call),
                             .binding = h->binding,
                             .tool = h->tool,
                             .digest = hash_hex(&h->digest, hex),
                             .args = h->args,
                             .effect = h->effect,
                             .created_ms = h->created_ms,
                             .expires_ms = h->expires_ms,
                             .policies = h->policies};
    store_hold_insert(txn, &row);
    record_commit_with(str_of((const char *)salt, sizeof salt), hash_str(&h->digest), &seen);
    struct record_hold_open r = {.time_ms = h->created_ms,
                                 .hold = id_str(&h->id),
                                 .call = id_str(&h->call),
                                 .chain = gate_chain(g, &a, t, instance),
                                 .op = {h->binding, h->tool, h->effect},
                                 .policy = gate_policy(g, v),
                                 .args = record_commitment_str(&args),
                                 .digest = record_commitment_str(&seen),
                                 .expires_ms = h->expires_ms};
    struct store_payload payload = {id_str(&h->call), str_of((const char *)salt, sizeof salt),
                                    h->args};
    store_payload_insert(txn, STORE_MUST, &payload);
    store_leaf(txn, record_hold_open(&g->scratch, &r), id_str(&h->call), id_str(&h->task));
}
