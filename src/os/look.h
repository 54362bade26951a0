/* look: at the program file of another process, by its pidfd alone.
 *
 * The number behind a pidfd is the kernel's (fdinfo), the folder /proc/NUMBER is opened while the
 * process lives, and everything is read through it: a number that is used again cannot slip in
 * between. What was found is confirmed afterwards: still alive, still the same program file. An
 * execve later is another program; whoever cares looks again.
 *
 * The path is the kernel's name of the file in the process's own mount namespace, where it may be
 * anything. It counts if that namespace is ours, or if we find the same file under that path.
 *
 * Needs PTRACE_MODE_READ (ptrace(2)) over the process: the same user and groups, or
 * CAP_SYS_PTRACE, and in either case no Landlock around us. Blocks on the file system: a program on
 * FUSE, where a stranger answers, is refused. Thread-safe: no state. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include <sys/stat.h>

struct look {
    long pid;
    int folder;     /* /proc/PID */
    int pidfd;      /* borrowed */
    struct stat st; /* of the program file */
    str path;       /* empty: it has none that counts; why_no_path says why */
    const char *why_no_path;
};

/* ERR_DENIED if the process is gone, is not ours to look at, or has a program that is refused. */
MUST_USE bool look_open(int pidfd, struct arena *a, struct look *out, struct err *err);
/* The program file, open for reading; the caller closes it. ERR_DENIED if the program is another
 * one by now, or may not be read. */
MUST_USE bool look_file(const struct look *l, int *out_fd, struct err *err);
/* Alive, and the same program file: what was read in between is of this program. */
MUST_USE bool look_confirm(const struct look *l, struct err *err);
void look_close(struct look *l); /* harmless twice and on a zero value */
