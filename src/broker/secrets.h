/* secrets: sealed secrets on disk, one file each: state/secrets/NAME (crypto/seal.h, purpose
 * "secret", name NAME). Used by the keeper and by `ambit secret`, also while the other is at work:
 * a file is replaced whole or not at all.
 *
 * The key that seals them is 32 bytes: $CREDENTIALS_DIRECTORY/ambit-seal-key where a service
 * manager gives one, else state/keys/seal.key (0600), made at first use. Whoever has that key and
 * the files has the secrets; back them up apart. Files belong to the owner of their folder, whoever
 * writes them.
 *
 * Folders are descriptors: the keeper has no paths. One thread. Errors never hold a value. */
#pragma once
#include "base/arena.h"
#include "crypto/secret.h"

struct secrets { /* zero = closed; the folders stay the caller's */
    int keys_fd, secrets_fd;
    struct secret *master;
    struct sealed_copies *copies; /* of sealed files as they were read, so that the next reading of
                                   * a file that has not changed is one look at its dates */
};

/* *out NULL: the environment names no such key. */
MUST_USE bool secrets_environment_key(struct secret **out, struct err *err);
/* key: SEAL_MASTER_LEN bytes (copied), or empty: seal.key, which is made if it is not there. */
MUST_USE bool secrets_open(struct secrets *s, int keys_fd, int secrets_fd, str key,
                           struct err *err);
void secrets_close(struct secrets *s);

/* What a header or an environment variable can hold: 1..SECRET_BYTES_MAX bytes, no CR, LF, NUL or
 * other control character but HTAB. */
MUST_USE bool secrets_check_value(str value, struct err *err);
/* ERR_NOTFOUND, with what to do; ERR_DENIED: sealed with another key, or changed. */
MUST_USE bool secrets_get(const struct secrets *s, str name, struct secret **out, struct err *err);
MUST_USE bool secrets_set(const struct secrets *s, str name, str value, struct err *err);
MUST_USE bool secrets_remove(const struct secrets *s, str name, struct err *err);

struct secret_entry {
    str name;
    int64_t set_ms; /* when it was last set */
};
/* In order of name. */
MUST_USE bool secrets_list(const struct secrets *s, struct arena *a, struct secret_entry **out,
                           size_t *out_n, struct err *err);

/* Sealed files of other purposes in the folder of keys: signing keys and the like. */
MUST_USE bool secrets_read_sealed(const struct secrets *s, str purpose, str name,
                                  struct secret **out, struct err *err);
MUST_USE bool secrets_write_sealed(const struct secrets *s, str purpose, str name, str value,
                                   struct err *err);
