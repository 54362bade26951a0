/* material: what roles are given in SETUP (ipc/message.h), gathered once by the supervisor: files
 * read, names resolved, keys made. Kept for the life of the process, so that a role that is
 * restarted gets exactly what its predecessor had. BLOCKS (name service); at start only. */
#pragma once
#include "crypto/secret.h"
#include "role/role.h"
#include "role/state_dir.h"

struct material {
    struct arena *arena;
    const struct conf *conf;
    struct role_uids uids;
    str config_text, runner_socket, policies;
    struct buf portal_tls;
    struct buf addresses, tls, upstream_tls; /* hold private keys of listeners: wiped at the end */
    struct buf issuer_addresses, issuer_tls; /* as addresses and upstream_tls, of `issuers` */
    uint8_t keeper_key[32], runner_key[32];  /* made anew at each start: MAC vouchers */
    struct secret *seal_key; /* from the service manager's credentials; NULL: the keeper keeps it */
    int64_t started_us;
};

MUST_USE bool material_gather(struct arena *a, const struct conf *c, str config_text,
                              struct material *out, struct err *err);
/* Fills in what that role may see, and nothing else. Borrows from m. */
void material_setup(const struct material *m, enum role role, uint32_t index,
                    struct msg_setup *out);
void material_fini(struct material *m);
