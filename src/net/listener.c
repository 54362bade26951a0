#include "net/conn_int.h"

#include "base/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    ACCEPTS_PER_TURN_MAX = 16,
    OUT_OF_FDS_WAIT_MS = 100, /* accept again after the process ran out of descriptors */
};

struct listener {
    struct loop *loop;
    struct listen_opts opts;
    int fd;
    struct watch *watch;
    struct addr at;
    size_t conns;
    bool closed;
    struct timer rest;
    struct deferred freeing;
};

/* ---- sockets ---- */

/* A file left behind by a process that is gone answers "refused"; a live listener, or anything that
 * is no socket, stays. */
static bool replace_stale(const struct addr *at, struct err *err)
{
    const struct sockaddr_un *un = (const void *)&at->ss;
    struct stat st;
    if (lstat(un->sun_path, &st) != 0)
        return errno == ENOENT || err_system(err, "cannot look at %s", un->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_input(err, "%s is there and is no socket", un->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_system(err, "cannot make a socket");
    int rc = connect(fd, (const struct sockaddr *)&at->ss, at->len);
    int e = errno;
    close(fd);
    if (rc == 0 || e != ECONNREFUSED)
        return err_denied(err, "%s: another process listens there", un->sun_path);
    if (unlink(un->sun_path) != 0)
        return err_system(err, "cannot replace %s", un->sun_path);
    return true;
}

static bool bind_unix(int fd, const struct addr *at, mode_t mode)
{
    /* The file never exists with a wider mode than asked for. */
    mode_t old = umask((mode_t)(0777 & ~(mode ? mode : 0600)));
    int rc = bind(fd, (const struct sockaddr *)&at->ss, at->len);
    umask(old);
    return rc == 0;
}

bool listen_socket(const struct addr *at, mode_t unix_mode, int *out_fd, struct err *err)
{
    char text[ADDR_TEXT_SIZE];
    str name = addr_text(at, text);
    if (addr_is_unix(at) && !replace_stale(at, err))
        return false;
    int fd = socket(at->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_system(err, "cannot make a socket for %.*s", STR(name));
    int one = 1, zero = 0;
    bool ok;
    if (addr_is_unix(at)) {
        ok = bind_unix(fd, at, unix_mode);
    } else {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (at->ss.ss_family == AF_INET6)
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
        ok = bind(fd, (const struct sockaddr *)&at->ss, at->len) == 0;
    }
    if (!ok || listen(fd, BACKLOG) != 0) {
        (void)err_system(err, "cannot listen on %.*s", STR(name));
        close(fd);
        return false;
    }
    *out_fd = fd;
    return true;
}

/* ---- accepting ---- */

static void on_freeing(void *arg)
{
    struct listener *s = arg;
    timer_stop(&s->rest);
    tls_unref(s->opts.tls);
    free(s);
}

static void free_if_done(struct listener *s)
{
    if (s->closed && s->conns == 0)
        loop_defer(s->loop, &s->freeing, on_freeing, s);
}

static void want(struct listener *s)
{
    if (s->closed)
        return;
    bool open = s->conns < s->opts.conns_max && !timer_is_armed(&s->rest);
    watch_set(s->watch, open ? WATCH_READ : 0);
}

static void on_rested(void *arg)
{
    want(arg);
}

static void take(struct listener *s, int fd, const struct addr *from)
{
    if (s->opts.on_fd) {
        s->opts.on_fd(s->opts.owner, fd, from);
        return;
    }
    int one = 1;
    if (!addr_is_unix(&s->at))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct err err;
    struct tls_session *tls = NULL;
    if (s->opts.tls && !tls_session_new(s->opts.tls, S(""), S(""), &tls, &err)) {
        close(fd);
        return;
    }
    struct conn_opts o = {.in_mark = s->opts.in_mark, .out_max = s->opts.out_max};
    struct conn *c = conn_alloc(s->loop, fd, tls, &o, NULL, NULL);
    c->peer = *from;
    if (!conn_begin(c, true, 0, &err)) {
        conn_discard(c);
        return;
    }
    c->listener = s;
    s->conns++;
    const struct conn_ops *nobody = c->ops;
    s->opts.on_conn(s->opts.owner, c);
    if (c->ops == nobody)
        conn_abort(c);
}

static void on_ready(void *arg, unsigned events)
{
    struct listener *s = arg;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN_MAX && !s->closed && s->conns < s->opts.conns_max;
         i++) {
        struct addr from = {.len = sizeof from.ss};
        int fd =
            accept4(s->fd, (struct sockaddr *)&from.ss, &from.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(s, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            timer_start(&s->rest, s->loop, OUT_OF_FDS_WAIT_MS, on_rested, s);
        if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
    want(s);
}

void listener_conn_gone(struct listener *s)
{
    s->conns--;
    want(s);
    free_if_done(s);
}

/* ---- life ---- */

bool listener_adopt(struct loop *l, int fd, const struct listen_opts *o, struct listener **out,
                    struct err *err)
{
    struct listener *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->loop = l;
    s->fd = fd;
    s->opts = *o;
    if (!s->opts.conns_max)
        s->opts.conns_max = CONNS_MAX;
    s->at.len = sizeof s->at.ss;
    if (getsockname(fd, (struct sockaddr *)&s->at.ss, &s->at.len) != 0) {
        (void)err_system(err, "not a socket to listen on");
        goto fail;
    }
    if (!watch_new(l, fd, WATCH_READ, on_ready, s, &s->watch, err))
        goto fail;
    if (s->opts.tls)
        tls_ref(s->opts.tls);
    *out = s;
    return true;
fail:
    close(fd);
    free(s);
    return false;
}

bool listener_new(struct loop *l, const struct addr *at, const struct listen_opts *o,
                  struct listener **out, struct err *err)
{
    int fd;
    return listen_socket(at, o->unix_mode, &fd, err) && listener_adopt(l, fd, o, out, err);
}

void listener_set_tls(struct listener *s, struct tls *tls)
{
    if (tls)
        tls_ref(tls);
    tls_unref(s->opts.tls);
    s->opts.tls = tls;
}

struct addr listener_addr(const struct listener *s)
{
    return s->at;
}

size_t listener_conns(const struct listener *s)
{
    return s->conns;
}

void listener_close(struct listener *s)
{
    if (!s || s->closed)
        return;
    s->closed = true;
    timer_stop(&s->rest);
    watch_close(s->watch);
    close(s->fd);
    free_if_done(s);
}
