#include "net/loop_int.h"

#include <errno.h>
#include <stdlib.h>

struct watch {
    uv_poll_t poll;
    void (*fn)(void *owner, unsigned events);
    void *owner;
    unsigned want, armed; /* WATCH_... */
    bool closed;
};

static void on_poll(uv_poll_t *h, int status, int events);

static void arm(struct watch *w)
{
    if (w->want == w->armed || w->closed)
        return;
    int events =
        (w->want & WATCH_READ ? UV_READABLE : 0) | (w->want & WATCH_WRITE ? UV_WRITABLE : 0);
    /* Fails only for a descriptor that is watched twice or not open: a bug of the caller. */
    if (uv_poll_start(&w->poll, events, on_poll) != 0)
        abort();
    w->armed = w->want;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct watch *w = h->data;
    unsigned ev =
        (events & UV_READABLE ? WATCH_READ : 0U) | (events & UV_WRITABLE ? WATCH_WRITE : 0U);
    if (status < 0) {
        /* libuv has stopped watching because of a pending socket error; who tries to read or write
         * finds it. */
        ev = WATCH_READ | WATCH_WRITE;
        w->armed = 0;
    }
    w->fn(w->owner, ev);
    arm(w);
}

bool watch_new(struct loop *l, int fd, unsigned events, void (*fn)(void *owner, unsigned events),
               void *owner, struct watch **out, struct err *err)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    int rc = uv_poll_init(&l->uv, &w->poll, fd);
    if (rc) {
        free(w);
        errno = -rc;
        return err_system(err, "cannot watch descriptor %d", fd);
    }
    w->poll.data = w;
    w->fn = fn;
    w->owner = owner;
    w->want = events;
    arm(w);
    *out = w;
    return true;
}

void watch_set(struct watch *w, unsigned events)
{
    w->want = events;
    arm(w);
}

static void on_watch_closed(uv_handle_t *h)
{
    free(h->data);
}

void watch_close(struct watch *w)
{
    if (!w || w->closed)
        return;
    w->closed = true;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

struct loop_signal {
    uv_signal_t handle;
    void (*fn)(void *owner, int signo);
    void *owner;
};

static void on_signal(uv_signal_t *h, int signo)
{
    struct loop_signal *s = h->data;
    s->fn(s->owner, signo);
}

static void on_signal_closed(uv_handle_t *h)
{
    free(h->data);
}

bool loop_signal_new(struct loop *l, int signo, void (*fn)(void *owner, int signo), void *owner,
                     struct loop_signal **out, struct err *err)
{
    struct loop_signal *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    uv_signal_init(&l->uv, &s->handle);
    s->handle.data = s;
    s->fn = fn;
    s->owner = owner;
    int rc = uv_signal_start(&s->handle, on_signal, signo);
    if (rc) {
        uv_close((uv_handle_t *)&s->handle, on_signal_closed);
        errno = -rc;
        return err_system(err, "cannot watch signal %d", signo);
    }
    *out = s;
    return true;
}

void loop_signal_close(struct loop_signal *s)
{
    if (s && !uv_is_closing((uv_handle_t *)&s->handle))
        uv_close((uv_handle_t *)&s->handle, on_signal_closed);
}
