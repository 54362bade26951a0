/* fdpass: bytes and descriptors over a Unix stream socket (unix(7), cmsg(3)).
 *
 * A frame that carries a descriptor is sent by a sendmsg of its own, so that the kernel ties the
 * descriptor to the frame's first byte, and no receive runs past the message it came with. The
 * receiver queues descriptors in the order of arrival; the frame that is marked takes the oldest.
 * More than one in a message, or more in the queue than frames could account for, is an error of
 * the peer. Every descriptor received is close-on-exec. Sockets must be non-blocking. One thread a
 * socket. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum io {
    IO_ERROR = 0, /* *err says why */
    IO_OK,
    IO_AGAIN, /* would block */
    IO_EOF,
};

enum { FD_QUEUE_MAX = 4 };
struct fd_queue { /* owns what is in it; zero = empty */
    int fds[FD_QUEUE_MAX];
    unsigned n;
};

/* Sends bytes, with fd (or -1) bound to the first of them. OK: *out_sent >= 1 bytes went and fd
 * with them; the caller sends the rest without fd and closes its own copy. */
enum io fdpass_send(int sock, str bytes, int fd, size_t *out_sent, struct err *err);
/* Receives at most n bytes onto the end of `in`, and any descriptor into `fds`. On IO_ERROR what
 * came is closed. */
enum io fdpass_recv(int sock, struct buf *in, size_t n, struct fd_queue *fds, struct err *err);
/* Oldest descriptor, whose owner is now the caller; -1 if there is none. */
int fd_queue_take(struct fd_queue *q);
void fd_queue_close(struct fd_queue *q); /* closes all; empty afterwards */
/* A connected pair of non-blocking, close-on-exec stream sockets. */
MUST_USE bool fdpass_pair(int out[2], struct err *err);
