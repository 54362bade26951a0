#include "role/role_harness.h"
#include "os/frame.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 10 * 1000, READ_BYTES = 64 << 10 };

#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "harness: %s:%d: %s\n", __FILE__, __LINE__, #what);                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint32_t any_size(void *arg, uint16_t type)
{
    return 24 << 20;
}

void harness_start(struct harness *h, enum role role, int (*fn)(void))
{
    int pair[2];
    struct err err;
    MUST(fdpass_pair(pair, &err));
    fflush(NULL);
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        int low = fcntl(pair[1], F_DUPFD, 10);
        MUST(dup2(low, 3) == 3);
        for (int fd = 4; fd < 64; fd++)
            close(fd);
        _exit(fn());
    }
    close(pair[1]);
    *h = (struct harness){.pid = pid, .role = role, .sup = {.fd = pair[0]}};
}

void link_send(struct link *l, enum message_type type, uint64_t id, const void *msg, int fd)
{
    struct buf payload = {0}, frame = {0};
    message_pack(type, msg, &payload);
    frame_write(&frame, (uint16_t)type, fd >= 0 ? FRAME_FLAG_FD : 0, id, buf_str(&payload));
    for (bool first = true; buf_len(&frame);) {
        size_t n;
        struct err err;
        enum io r = fdpass_send(l->fd, buf_str(&frame), first ? fd : -1, &n, &err);
        struct pollfd p = {.fd = l->fd, .events = POLLOUT};
        if (r == IO_AGAIN) {
            MUST(poll(&p, 1, WAIT_MS) == 1);
            continue;
        }
        if (r != IO_OK)
            break; /* it went away: the next receive says so */
        first = false;
        buf_consume(&frame, n);
    }
    if (fd >= 0)
        close(fd);
    buf_fini(&payload);
    buf_fini(&frame);
}

bool link_recv(struct link *l, struct frame_in *out)
{
    for (;;) {
        struct frame f;
        struct err err;
        enum frame_result r = frame_read(buf_str(&l->in), any_size, NULL, &f, &err);
        MUST(r != FRAME_BAD);
        if (r == FRAME_OK) {
            out->type = f.type;
            out->id = f.id;
            buf_clear(&out->payload);
            buf_put(&out->payload, f.payload);
            buf_consume(&l->in, frame_bytes(&f));
            return true;
        }
        struct pollfd p = {.fd = l->fd, .events = POLLIN};
        MUST(poll(&p, 1, WAIT_MS) == 1);
        enum io io = fdpass_recv(l->fd, &l->in, READ_BYTES, &l->fds, &err);
        if (io == IO_EOF || io == IO_ERROR)
            return false;
    }
}

struct link harness_peer(struct harness *h, enum role as)
{
    int pair[2];
    struct err err;
    struct msg_peer m = {.role = (uint8_t)as};
    MUST(fdpass_pair(pair, &err));
    link_send(&h->sup, MSG_PEER, 0, &m, pair[1]);
    return (struct link){.fd = pair[0]};
}

void harness_ready(struct harness *h)
{
    struct msg_empty none = {0};
    struct frame_in f = {0};
    link_send(&h->sup, MSG_START, 0, &none, -1);
    MUST(link_recv(&h->sup, &f) && f.type == MSG_READY);
    buf_fini(&f.payload);
}

int harness_wait(struct harness *h)
{
    int status;
    MUST(waitpid(h->pid, &status, 0) == h->pid);
    link_close(&h->sup);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int harness_stop(struct harness *h)
{
    struct msg_empty none = {0};
    link_send(&h->sup, MSG_DRAIN, 0, &none, -1);
    return harness_wait(h);
}

void link_close(struct link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    fd_queue_close(&l->fds);
    buf_fini(&l->in);
}
