/* lock: one process at a time in a data folder, by flock(2) on a file that holds the owner's pid.
 * The lock is of the open file: it ends with the last descriptor, so a crash leaves nothing to
 * clean up. */
#pragma once
#include "base/err.h"

/* Takes the lock or fails at once with ERR_DENIED and a text that names the file and the pid in it.
 * The descriptor (close-on-exec) is the lock; close it to let go. */
MUST_USE bool lock_take(const char *path, int *out_fd, struct err *err);
