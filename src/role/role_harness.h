/* role_harness: for tests: one real role in a process of its own, with the test as its supervisor
 * and its peers. Blocking, with a wait of 10 s on everything; failures end the test. */
#pragma once
#include "base/buf.h"
#include "ipc/message.h"
#include "os/fdpass.h"
#include <sys/types.h>

struct link { /* one end of a channel */
    int fd;
    struct buf in;
    struct fd_queue fds;
};

struct harness {
    pid_t pid;
    enum role role;
    struct link sup;
};

struct frame_in {
    uint16_t type;
    uint64_t id;
    struct buf payload;
};

/* Forks; the child runs fn() with descriptor 3 as its channel. */
void harness_start(struct harness *h, enum role role, int (*fn)(void));
void link_send(struct link *l, enum message_type type, uint64_t id, const void *msg, int fd);
/* False at the end of the channel. */
bool link_recv(struct link *l, struct frame_in *out);
/* Becomes the peer `as` (index 0) of the role. */
struct link harness_peer(struct harness *h, enum role as);
/* SETUP has been sent by the caller; START, and READY awaited. */
void harness_ready(struct harness *h);
/* DRAIN; returns the exit status (or 128 + signal). */
int harness_stop(struct harness *h);
int harness_wait(struct harness *h);
void link_close(struct link *l);
