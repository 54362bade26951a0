/* listeners: every socket that a gateway listens on, opened by the supervisor and handed to the
 * role that serves it. The sockets stay open here, so that strangers wait while a role is
 * restarted. */
#pragma once
#include "role/role.h"
#include "role/state_dir.h"

struct open_listener {
    enum listener_kind kind;
    uint32_t index; /* among its kind; of a door: as in conf.listeners */
    int fd;
    str path;    /* of a Unix socket, removed at the end */
    str address; /* as bound, for people */
};

struct listeners {
    struct open_listener list[ROLE_LISTENERS_MAX];
    size_t n;
};

MUST_USE bool listeners_open(struct arena *a, const struct conf *c, const struct role_uids *uids,
                             str runner_socket, struct listeners *out, struct err *err);
/* Does this role (edge: with this index) serve this listener? */
bool listener_is_for(const struct open_listener *l, enum role role, uint32_t index);
/* Removes the files of Unix sockets and closes everything. */
void listeners_close(struct listeners *l);
