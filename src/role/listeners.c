#include "role/listeners.h"
#include "net/conn.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    enum listener_kind kind;
    enum role role;
} SERVED_BY[] = {
    {LISTENER_DOOR, ROLE_EDGE},     {LISTENER_METRICS, ROLE_EDGE},  {LISTENER_AGENT, ROLE_CORE},
    {LISTENER_CONTROL, ROLE_CORE},  {LISTENER_RUNNER, ROLE_RUNNER}, {LISTENER_WORKLOAD, ROLE_CORE},
    {LISTENER_PORTAL, ROLE_PORTAL}, {LISTENER_LAUNCH, ROLE_CORE},
};

bool listener_is_for(const struct open_listener *l, enum role role, uint32_t index)
{
    for (size_t i = 0; i < sizeof SERVED_BY / sizeof SERVED_BY[0]; i++)
        if (SERVED_BY[i].kind == l->kind)
            return SERVED_BY[i].role == role && (l->kind != LISTENER_METRICS || index == 0);
    return false;
}

/* Roles of a gateway that was killed end a moment after it; the lock on the state says that it is
 * gone. */
static bool listen_patiently(const struct addr *at, mode_t mode, int *out_fd, struct err *err)
{
    enum { TRIES = 40, PAUSE_US = 50 * 1000 };
    for (int i = 0; i < TRIES; i++) {
        if (listen_socket(at, mode, out_fd, err))
            return true;
        if (err->os != EADDRINUSE && err->kind != ERR_DENIED)
            return false;
        usleep(PAUSE_US);
    }
    return false;
}

static bool put(struct listeners *l, struct arena *a, enum listener_kind kind, uint32_t index,
                const struct addr *at, mode_t mode, str path, struct err *err)
{
    char text[ADDR_TEXT_SIZE];
    struct addr bound = {.len = sizeof bound.ss};
    if (l->n == ROLE_LISTENERS_MAX)
        return err_limit(err, "over %d listeners: remove some from \"listen\"", ROLE_LISTENERS_MAX);
    struct open_listener *o = &l->list[l->n];
    *o = (struct open_listener){.kind = kind, .index = index, .path = path};
    if (!listen_patiently(at, mode, &o->fd, err))
        return false;
    l->n++;
    if (path.n || getsockname(o->fd, (struct sockaddr *)&bound.ss, &bound.len) != 0)
        bound = *at;
    o->address = path.n ? path : str_dup(a, addr_text(&bound, text));
    return true;
}

static bool put_tcp(struct listeners *l, struct arena *a, enum listener_kind kind, uint32_t index,
                    str address, struct err *err)
{
    struct addr at;
    if (!address.n)
        return true;
    if (str_starts(address, S("localhost:")))
        address = str_fmt(a, "127.0.0.1:%.*s", STR(str_skip(address, 10)));
    if (!addr_parse(address, &at, err) || !put(l, a, kind, index, &at, 0, (str){0}, err))
        return err_in(err, "cannot listen on %.*s", STR(address));
    return true;
}

static bool put_unix(struct listeners *l, struct arena *a, enum listener_kind kind, str path,
                     mode_t mode, struct err *err)
{
    struct addr at;
    if (!path.n)
        return true;
    if (!addr_unix(path, &at, err) || !put(l, a, kind, 0, &at, mode, path, err))
        return err_in(err, "cannot listen on %.*s", STR(path));
    return true;
}

bool listeners_open(struct arena *a, const struct conf *c, const struct role_uids *uids,
                    str runner_socket, struct listeners *out, struct err *err)
{
    for (size_t i = 0; i < c->listeners_n; i++)
        if (!put_tcp(out, a, LISTENER_DOOR, (uint32_t)i, c->listeners[i].address, err))
            return false;
    if (!put_tcp(out, a, LISTENER_METRICS, 0, c->metrics_address, err) ||
        !put_unix(out, a, LISTENER_AGENT, c->agent_socket, 0666, err) ||
        !put_unix(out, a, LISTENER_CONTROL, c->control_socket, 0666, err) ||
        !put_unix(out, a, LISTENER_WORKLOAD, c->workload_socket, 0666, err) ||
        (conf_launches(c) && !put_unix(out, a, LISTENER_LAUNCH, c->launch_socket, 0666, err)) ||
        !put_tcp(out, a, LISTENER_PORTAL, 0, c->portal.address, err) ||
        !put_unix(out, a, LISTENER_RUNNER, runner_socket, 0600, err))
        return false;
    /* The edge alone may connect; the runner checks the peer's uid as well. */
    if (uids->edge >= 0 &&
        lchown(str_dup(a, runner_socket).p, (uid_t)uids->edge, (gid_t)uids->edge) != 0)
        return err_system(err, "cannot give %.*s to the edge", STR(runner_socket));
    return true;
}

void listeners_close(struct listeners *l)
{
    struct arena a = {0};
    for (size_t i = 0; i < l->n; i++) {
        if (l->list[i].path.n)
            unlink(str_dup(&a, l->list[i].path).p);
        close(l->list[i].fd);
    }
    l->n = 0;
    arena_fini(&a);
}
