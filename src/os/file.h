/* file: small files, read whole and written whole. Regular files only, no symbolic link as last
 * part of the path (O_NOFOLLOW). Thread-safe: no state. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include <sys/types.h>

struct file_rules {  /* zero = no demands */
    bool owner_only; /* of this uid (or root), no access for group and others: for secrets */
    bool follow;     /* permit a symbolic link */
};

/* ERR_NOTFOUND if absent, ERR_LIMIT over max bytes, ERR_DENIED if the rules are not met. dirfd as
 * openat(2); rules may be NULL. A NUL follows the bytes (not counted). */
MUST_USE bool file_read(int dirfd, const char *path, size_t max, const struct file_rules *rules,
                        struct arena *a, str *out, struct err *err);
/* New content or old content, never a mixture, and on disk when it returns: temporary file in the
 * same folder, fsync, rename, fsync of the folder. */
MUST_USE bool file_write(int dirfd, const char *path, str bytes, mode_t mode, struct err *err);
/* Makes one folder with exactly this mode; fine if it is there as a folder (its mode is left
 * alone). */
MUST_USE bool file_mkdir(const char *path, mode_t mode, struct err *err);
