#include "role/supervisor_seats.h"
#include "base/limits.h"
#include "net/chan.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

void seat_send(struct seat *s, enum message_type type, const void *msg, int fd)
{
    struct buf b = {.max = IPC_FRAME_BYTES_MAX};
    if (!s->chan) {
        if (fd >= 0)
            close(fd);
        return;
    }
    message_pack(type, msg, &b);
    chan_send(s->chan, (uint16_t)type, 0, buf_str(&b), fd);
    buf_wipe(&b); /* SETUP holds keys */
}

/* The limits of what any role can ever have: the bounding set is inherited. SETPCAP is for the
 * roles, which give up the rest with it. */
enum { KEPT_N = 5 };
static const unsigned KEPT[KEPT_N] = {CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_SETPCAP,
                                      CAP_SYS_PTRACE};

/* SYS_PTRACE is for the witness alone, and only where there is one. */
static bool is_wanted(const struct supervisor *sv, unsigned cap)
{
    return cap != CAP_SYS_PTRACE || conf_looks(&sv->conf);
}

static bool is_kept(const struct supervisor *sv, unsigned cap)
{
    for (size_t i = 0; i < KEPT_N; i++)
        if (KEPT[i] == cap)
            return is_wanted(sv, cap);
    return false;
}

bool supervisor_drop(struct supervisor *sv, struct err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_system(err, "cannot set no-new-privs");
    /* The keys in this memory are for no debugger and no core file. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_system(err, "cannot forbid core dumps");
    if (geteuid() != 0)
        return true;
    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (!is_kept(sv, cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM)
            return err_system(err, "cannot give up capability %u", cap);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct had[2], data[2] = {{0}};
    if (syscall(SYS_capget, &header, had) != 0)
        return err_system(err, "cannot read the capabilities");
    for (size_t i = 0; i < KEPT_N; i++)
        if (is_wanted(sv, KEPT[i]))
            data[KEPT[i] / 32].effective |= 1u << KEPT[i] % 32;
    for (size_t i = 0; i < 2; i++)
        data[i].permitted = data[i].effective &= had[i].permitted;
    if (syscall(SYS_capset, &header, data) != 0)
        return err_system(err, "cannot give up capabilities");
    return true;
}
