#include "os/drop.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool drop_ids(const struct drop *d, struct err *err)
{
    if (d->uid == 0 || d->gid == 0)
        return err_input(err, "a role cannot drop to root; give it a user of its own");
    if (setgroups(0, NULL) != 0)
        return err_system(err, "cannot clear the supplementary groups");
    if (setresgid(d->gid, d->gid, d->gid) != 0)
        return err_system(err, "cannot change to group %u", (unsigned)d->gid);
    if (setresuid(d->uid, d->uid, d->uid) != 0)
        return err_system(err, "cannot change to user %u", (unsigned)d->uid);
    return true;
}

/* A kernel or a container that pretended is found out here. */
static bool prove_ids(const struct drop *d, struct err *err)
{
    uid_t ru, eu, su;
    gid_t rg, eg, sg;
    if (getresuid(&ru, &eu, &su) != 0 || getresgid(&rg, &eg, &sg) != 0)
        return err_system(err, "cannot read back the ids");
    if (ru != d->uid || eu != d->uid || su != d->uid || rg != d->gid || eg != d->gid ||
        sg != d->gid || getgroups(0, NULL) != 0)
        return err_denied(err, "the ids are not what was asked for");
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setegid(0) == 0)
        return err_denied(err, "root can be regained");
    return true;
}

/* What execve could give back. Needs a capability that changing the uid takes away, so it comes
 * first; a role that never had it has nothing to lose. */
static void drop_bounding(uint64_t keep)
{
    for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (!(keep >> cap & 1))
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* Also for a role that stays root: without them root is a user with many files. */
static bool drop_capabilities(uint64_t keep, struct err *err)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return err_system(err, "cannot clear the ambient capabilities");
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2] = {
        {.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
        {.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)}};
    if (syscall(SYS_capset, &head, set) != 0)
        return err_system(err, "cannot drop the capabilities");
    if (syscall(SYS_capget, &head, set) != 0 || set[0].permitted != (uint32_t)keep ||
        set[1].permitted != (uint32_t)(keep >> 32))
        return err_denied(err, "the capabilities are still there");
    return true;
}

bool drop_privileges(const struct drop *d, struct err *err)
{
    drop_bounding(d->keep_caps);
    /* Kept through the change of uid, but not in effect: prove_ids() must fail to regain root. */
    if (d->keep_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return err_system(err, "cannot keep capabilities");
    if (d->set_ids && (!drop_ids(d, err) || !prove_ids(d, err)))
        return false;
    if (!drop_capabilities(d->keep_caps, err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_system(err, "cannot set no-new-privs");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_system(err, "cannot forbid core dumps");
    return true;
}

bool drop_stdin(struct err *err)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "cannot open /dev/null");
    bool ok = fd == STDIN_FILENO || dup2(fd, STDIN_FILENO) >= 0;
    if (!ok)
        (void)err_system(err, "cannot replace standard input");
    if (fd != STDIN_FILENO)
        close(fd);
    return ok;
}
