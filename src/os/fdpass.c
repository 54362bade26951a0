#include "os/fdpass.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Room for two, so that a second descriptor in one message is seen (and refused) rather than
 * silently cut. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(2 * sizeof(int))];
};

enum io fdpass_send(int sock, str bytes, int fd, size_t *out_sent, struct err *err)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control = {0};
    if (fd >= 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t n;
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return IO_AGAIN;
    if (n < 0) {
        (void)err_system(err, "cannot send to the peer of a channel");
        return IO_ERROR;
    }
    *out_sent = (size_t)n;
    return IO_OK;
}

/* All descriptors of a message go into the queue; false if they are more than one, or cut off. */
static bool collect(struct msghdr *msg, struct fd_queue *fds, struct err *err)
{
    unsigned count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (++count == 1 && fds->n < FD_QUEUE_MAX)
                fds->fds[fds->n++] = fd;
            else
                close(fd);
        }
    }
    if (count > 1 || (msg->msg_flags & MSG_CTRUNC))
        return err_peer(err, "more than one descriptor in a message");
    return true;
}

enum io fdpass_recv(int sock, struct buf *in, size_t n, struct fd_queue *fds, struct err *err)
{
    char *p = buf_reserve(in, n);
    if (!p) {
        (void)err_limit(err, "more than %zu bytes wait to be read from a channel", in->max);
        return IO_ERROR;
    }
    struct iovec iov = {.iov_base = p, .iov_len = n};
    union control control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do
        got = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return IO_AGAIN;
    if (got < 0) {
        (void)err_system(err, "cannot receive from the peer of a channel");
        return IO_ERROR;
    }
    bool full = fds->n == FD_QUEUE_MAX;
    if (!collect(&msg, fds, err) || (full && msg.msg_controllen)) {
        if (full)
            (void)err_peer(err, "more descriptors than frames that carry one");
        fd_queue_close(fds);
        return IO_ERROR;
    }
    if (got == 0)
        return IO_EOF;
    buf_commit(in, (size_t)got);
    return IO_OK;
}

int fd_queue_take(struct fd_queue *q)
{
    if (q->n == 0)
        return -1;
    int fd = q->fds[0];
    q->n--;
    memmove(q->fds, q->fds + 1, q->n * sizeof q->fds[0]);
    return fd;
}

void fd_queue_close(struct fd_queue *q)
{
    while (q->n)
        close(q->fds[--q->n]);
}

bool fdpass_pair(int out[2], struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return err_system(err, "cannot make a socket pair");
    out[0] = pair[0];
    out[1] = pair[1];
    return true;
}
