#include "os/sandbox_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

struct sandbox {
    int landlock; /* ruleset descriptor or -1 */
    struct filter filter;
    const char *trace_role; /* log_only: the name to print; else NULL */
};

bool sandbox_prepare_role(enum os_role role, const struct sandbox_files *files,
                          const struct sandbox_net *net, bool log_only, struct sandbox **out,
                          struct err *err)
{
    const struct role_profile *p = role_profile(role);
    if (!p)
        return err_input(err, "no such role");
    struct sandbox s = {.landlock = -1,
                        .trace_role = log_only && !p->is_inherited ? p->name : NULL};
    if (!filter_for_role(p, log_only, &s.filter, err) ||
        !landlock_prepare(files, net, &s.landlock, err)) {
        free(s.filter.prog);
        return err_in(err, "%s", p->name);
    }
    *out = malloc(sizeof s);
    if (!*out)
        abort();
    **out = s;
    return true;
}

bool sandbox_prepare_child(const struct sandbox_files *files, const struct sandbox_net *net,
                           struct sandbox **out, struct err *err)
{
    struct sandbox s = {.landlock = -1};
    if (!filter_for_child(!net->tcp_unrestricted, false, &s.filter, err) ||
        !landlock_prepare(files, net, &s.landlock, err)) {
        free(s.filter.prog);
        return false;
    }
    *out = malloc(sizeof s);
    if (!*out)
        abort();
    **out = s;
    return true;
}

/* Landlock first: the filters of roles have no room for its system calls. */
int sandbox_enter_in_child(void *arg)
{
    const struct sandbox *s = arg;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    int rc = landlock_enter(s->landlock);
    return rc ? rc : filter_enter(&s->filter);
}

bool sandbox_enter(const struct sandbox *s, struct err *err)
{
    if (s->trace_role && !trace_install(s->trace_role, err))
        return false;
    int rc = sandbox_enter_in_child((void *)(uintptr_t)s);
    if (rc) {
        errno = rc;
        return err_system(err, "cannot enter the sandbox");
    }
    return true;
}

void sandbox_free(struct sandbox *s)
{
    if (!s)
        return;
    if (s->landlock >= 0)
        close(s->landlock);
    free(s->filter.prog);
    free(s);
}
