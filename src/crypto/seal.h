/* seal: secrets at rest. AES-256-GCM (NIST SP 800-38D) under a key derived for each purpose from
 * one 32-byte master key.
 *
 * Stored form, version 1 (all lengths in bytes):
 *
 *     0   4  "ASL" 01           magic and version
 *     4  12  nonce              random; the limit of 2^32 seals under one purpose is far away
 *    16   n  ciphertext         as long as the secret
 *  16+n  16  tag
 *
 *   key = HKDF-SHA-256(master, salt "ambit seal v1", info purpose)
 *   associated data = the first 4 bytes || u16be length of purpose || purpose || u16be length of
 * name || name
 *
 * so that a sealed secret put under another name or purpose does not open. The plain bytes exist
 * only in a struct secret. Pure, thread-safe. */
#pragma once
#include "base/buf.h"
#include "crypto/secret.h"

enum {
    SEAL_MASTER_LEN = 32,
    SEAL_OVERHEAD = 32,         /* sealed length - secret length */
    SEAL_LABEL_BYTES_MAX = 255, /* of purpose and of name; at least 1 */
};

/* Appends the sealed form. The secret may be empty and has at most SEALED_BYTES_MAX bytes. On
 * failure `out` is as it was. */
MUST_USE bool seal(const struct secret *master, str purpose, str name, str plain, struct buf *out,
                   struct err *err);
/* ERR_INPUT: not a sealed form. ERR_DENIED: it was changed, or belongs to another master key,
 * purpose or name. */
MUST_USE bool seal_open(const struct secret *master, str purpose, str name, str sealed,
                        struct secret **out, struct err *err);
