#include "ledger/log_file.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- writing ---- */

/* A new folder is on disk when the one above it is. */
static bool sync_folder(int dir_fd, const char *path, struct err *err)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_system(err, "cannot make sure that what is in %s is on disk", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* The folders above path. */
static bool make_folders(int dir_fd, const char *path, mode_t mode, struct err *err)
{
    char folder[TILE_PATH_SIZE], above[TILE_PATH_SIZE] = ".";
    for (size_t i = 0; path[i]; i++) {
        if (path[i] != '/')
            continue;
        snprintf(folder, sizeof folder, "%.*s", (int)i, path);
        if (mkdirat(dir_fd, folder, mode) != 0) {
            if (errno != EEXIST)
                return err_system(err, "cannot make the folder %s", folder);
        } else if (!sync_folder(dir_fd, above, err)) {
            return false;
        }
        memcpy(above, folder, sizeof above);
    }
    return true;
}

/* The partial tiles that the full one at path replaces. What cannot be removed does no harm. */
static void drop_partials(int dir_fd, const char *path)
{
    char folder[TILE_PATH_SIZE + 2];
    snprintf(folder, sizeof folder, "%s.p", path);
    int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));)
        (void)unlinkat(fd, e->d_name, 0);
    closedir(d);
    (void)unlinkat(dir_fd, folder, AT_REMOVEDIR);
}

bool log_file_put(int dir_fd, const struct tile *t, str bytes, mode_t mode, struct err *err)
{
    char path[TILE_PATH_SIZE];
    tile_path(t, path);
    if (!make_folders(dir_fd, path, mode | (mode & 0444) >> 2, err) ||
        !file_write(dir_fd, path, bytes, mode, err))
        return false;
    if (t->width == TILE_WIDTH)
        drop_partials(dir_fd, path);
    return true;
}

/* ---- reading ---- */

/* The first `width` of what is at least as wide; false when it is not that long. */
static bool cut_to(const struct tile *t, str *bytes)
{
    if (!t->entries) {
        if (bytes->n < (size_t)t->width * HASH_LEN)
            return false;
        *bytes = str_take(*bytes, (size_t)t->width * HASH_LEN);
        return true;
    }
    str rest = *bytes, entry;
    for (unsigned i = 0; i < t->width; i++)
        if (!bundle_take(&rest, &entry))
            return false;
    *bytes = str_take(*bytes, bytes->n - rest.n);
    return true;
}

static bool read_as(int dir_fd, const struct tile *t, struct arena *a, str *out, struct err *err)
{
    char path[TILE_PATH_SIZE];
    size_t max = t->entries ? TILE_BUNDLE_BYTES_MAX : TILE_BYTES_MAX;
    tile_path(t, path);
    if (!file_read(dir_fd, path, max, NULL, a, out, err))
        return false;
    str whole = *out;
    return (cut_to(t, out) && out->n == whole.n) ||
           err_input(err, "%s is not as long as its %u entries", path, t->width);
}

bool log_file_get(int dir_fd, const struct tile *t, struct arena *a, str *out, struct err *err)
{
    struct tile full = *t;
    struct err wide = {0};
    full.width = TILE_WIDTH;
    if (read_as(dir_fd, t, a, out, err))
        return true;
    if (err->kind != ERR_NOTFOUND || t->width == TILE_WIDTH)
        return false;
    if (read_as(dir_fd, &full, a, out, &wide))
        return cut_to(t, out);
    if (wide.kind != ERR_NOTFOUND) /* else: what is missing is the partial one */
        *err = wide;
    return false;
}
