/* sys: system calls and constants of newer kernels that the C library may not have yet. Each is a
 * bare call: -1 and errno. ENOSYS on a kernel without it. Async-signal-safe. */
#pragma once
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define OS_CLOSE_RANGE_CLOEXEC 4U

static inline int os_pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U); /* close-on-exec by itself */
}
static inline int os_pidfd_send_signal(int pidfd, int sig)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0U);
}
static inline int os_close_range(unsigned first, unsigned last, unsigned flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}
