#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

bool lock_take(const char *path, int *out_fd, struct err *err)
{
    char pid[24] = "?";
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_system(err, "cannot open the lock file %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool held = errno == EWOULDBLOCK;
        if (!held)
            (void)err_system(err, "cannot lock %s", path);
        ssize_t n = held ? read(fd, pid, sizeof pid - 1) : 0;
        close(fd);
        if (!held)
            return false;
        pid[n > 0 ? n : 0] = 0;
        for (char *p = pid; *p; p++)
            if (*p < '0' || *p > '9')
                *p = 0;
        return err_denied(err, "%s is held by process %s: only one can use this folder at a time",
                          path, pid[0] ? pid : "(unknown)");
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        (void)err_system(err, "cannot write %s", path);
        close(fd);
        return false;
    }
    *out_fd = fd;
    return true;
}
