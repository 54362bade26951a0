#include "broker/secrets.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/rand.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "crypto/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = SEALED_BYTES_MAX + SEAL_OVERHEAD, PATH_SIZE = 96, ENTRIES_MAX = 10000 };

#define PURPOSE  S("secret")
#define KEY_FILE S("seal.key")

/* ---- small files with an owner ---- */

static bool read_all(int fd, char *p, size_t max, size_t *n)
{
    *n = 0;
    while (*n < max) {
        ssize_t got = read(fd, p + *n, max - *n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return true;
}

static bool write_all(int fd, str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

/* A regular file, no link, of the folder's owner or root, closed to everyone else. */
static bool open_own(int dirfd, const char *name, int *out_fd, struct err *err)
{
    struct stat dir, st;
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return err_notfound(err, "there is no file %s", name);
    if (fd < 0)
        return err_system(err, "cannot open %s", name);
    if (fstat(fd, &st) != 0 || fstat(dirfd, &dir) != 0) {
        close(fd);
        return err_system(err, "cannot look at %s", name);
    }
    if (!S_ISREG(st.st_mode) || (st.st_uid != dir.st_uid && st.st_uid != 0) || st.st_mode & 077) {
        close(fd);
        return err_denied(err, "%s must be a file of its folder's owner with mode 0600", name);
    }
    *out_fd = fd;
    return true;
}

static bool fill(int fd, int dirfd, str bytes)
{
    struct stat dir;
    return fstat(dirfd, &dir) == 0 &&
           (dir.st_uid == geteuid() || fchown(fd, dir.st_uid, dir.st_gid) == 0) &&
           write_all(fd, bytes) && fsync(fd) == 0;
}

/* fresh: ERR_DENIED if the file is there already. */
static bool write_own(int dirfd, const char *name, str bytes, bool fresh, struct err *err)
{
    char temp[PATH_SIZE];
    struct id id = id_new('w');
    snprintf(temp, sizeof temp, ".%s", id.s);
    int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_system(err, "cannot make a file for %s", name);
    bool ok = fill(fd, dirfd, bytes);
    /* A link fails where a rename would replace. */
    ok = ok &&
         (fresh ? linkat(dirfd, temp, dirfd, name, 0) : renameat(dirfd, temp, dirfd, name)) == 0;
    int why = errno;
    if (!ok || fresh)
        unlinkat(dirfd, temp, 0);
    close(fd);
    if (!ok && fresh && why == EEXIST)
        return err_denied(err, "%s is there already", name);
    errno = why;
    if (!ok || fsync(dirfd) != 0)
        return err_system(err, "cannot write %s", name);
    return true;
}

/* ---- sealed files ---- */

static bool path_of(str name, char out[PATH_SIZE], struct err *err)
{
    if (!conf_name_is_valid(name))
        return err_input(err,
                         "a secret's name is letters, digits, '_', '-' and '.', at most 64, and "
                         "begins with a letter or digit");
    memcpy(out, name.p, name.n);
    out[name.n] = 0;
    return true;
}

static bool read_file(int dirfd, const char *path, struct buf *out, struct err *err)
{
    size_t n = 0;
    int fd;
    if (!open_own(dirfd, path, &fd, err))
        return false;
    char *bytes = buf_reserve(out, FILE_BYTES_MAX + 1);
    bool ok = bytes && read_all(fd, bytes, FILE_BYTES_MAX + 1, &n);
    if (ok)
        buf_commit(out, n);
    else
        err_system(err, "cannot read %s", path);
    close(fd);
    return ok;
}

static bool read_sealed(const struct secrets *s, int dirfd, str purpose, str name,
                        struct secret **out, struct err *err)
{
    char path[PATH_SIZE];
    struct buf bytes = {0};
    bool ok = path_of(name, path, err) && read_file(dirfd, path, &bytes, err) &&
              seal_open(s->master, purpose, name, buf_str(&bytes), out, err);
    buf_fini(&bytes);
    return ok;
}

/* ---- copies of sealed files ---- */

/* What is kept is sealed, as on the disk. A file is replaced whole, by another one, so whatever
 * changes it changes one of these. */
struct look {
    dev_t dev;
    ino_t ino;
    off_t size;
    mode_t mode;
    uid_t uid;
    struct timespec modified, changed;
};

enum { COPIES_MAX = 16 };
struct sealed_copies {
    struct sealed_copy {
        char path[PATH_SIZE]; /* empty: none */
        struct look look;
        struct buf bytes;
    } list[COPIES_MAX];
    unsigned next; /* to be replaced */
};

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_look(const struct look *a, const struct look *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mode == b->mode &&
           a->uid == b->uid && same_time(&a->modified, &b->modified) &&
           same_time(&a->changed, &b->changed);
}

static bool look_at(int dirfd, const char *path, struct look *out)
{
    struct stat st;
    if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *out = (struct look){st.st_dev, st.st_ino,  st.st_size, st.st_mode,
                         st.st_uid, st.st_mtim, st.st_ctim};
    return true;
}

static struct sealed_copy *copy_of(struct sealed_copies *c, const char *path)
{
    for (unsigned i = 0; i < COPIES_MAX; i++)
        if (strcmp(c->list[i].path, path) == 0)
            return &c->list[i];
    struct sealed_copy *copy = &c->list[c->next++ % COPIES_MAX];
    copy->path[0] = 0;
    return copy;
}

/* The date is read before the file: should it be replaced between the two, the next look differs.
 */
static bool read_copied(const struct secrets *s, str name, struct secret **out, struct err *err)
{
    char path[PATH_SIZE];
    struct look now;
    if (!path_of(name, path, err))
        return false;
    if (!look_at(s->secrets_fd, path, &now))
        return read_sealed(s, s->secrets_fd, PURPOSE, name, out, err);
    struct sealed_copy *copy = copy_of(s->copies, path);
    if (!copy->path[0] || !same_look(&copy->look, &now)) {
        copy->path[0] = 0;
        buf_clear(&copy->bytes);
        if (!read_file(s->secrets_fd, path, &copy->bytes, err))
            return false;
        copy->look = now;
        memcpy(copy->path, path, sizeof path);
    }
    return seal_open(s->master, PURPOSE, name, buf_str(&copy->bytes), out, err);
}

static void copies_free(struct sealed_copies *c)
{
    for (unsigned i = 0; c && i < COPIES_MAX; i++)
        buf_fini(&c->list[i].bytes);
    free(c);
}

static bool write_sealed(const struct secrets *s, int dirfd, str purpose, str name, str value,
                         struct err *err)
{
    char path[PATH_SIZE];
    struct buf sealed = {.max = FILE_BYTES_MAX};
    bool ok = path_of(name, path, err) && seal(s->master, purpose, name, value, &sealed, err) &&
              write_own(dirfd, path, buf_str(&sealed), false, err);
    buf_fini(&sealed);
    return ok;
}

bool secrets_read_sealed(const struct secrets *s, str purpose, str name, struct secret **out,
                         struct err *err)
{
    return read_sealed(s, s->keys_fd, purpose, name, out, err);
}

bool secrets_write_sealed(const struct secrets *s, str purpose, str name, str value,
                          struct err *err)
{
    return write_sealed(s, s->keys_fd, purpose, name, value, err);
}

/* ---- the key ---- */

static bool read_key(int fd, const char *name, struct secret **out, struct err *err)
{
    struct secret *key;
    size_t n, more;
    char beyond;
    if (!secret_new(SEAL_MASTER_LEN, &key, err))
        return false;
    if (!read_all(fd, (char *)key->p, key->n, &n) || !read_all(fd, &beyond, 1, &more)) {
        secret_free(key);
        return err_system(err, "cannot read %s", name);
    }
    if (n != SEAL_MASTER_LEN || more) {
        secret_free(key);
        return err_input(err, "%s must hold exactly %d bytes: put the right one back from a copy",
                         name, SEAL_MASTER_LEN);
    }
    *out = key;
    return true;
}

bool secrets_environment_key(struct secret **out, struct err *err)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!dir) {
        *out = NULL;
        return true;
    }
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = dirfd < 0 ? -1 : openat(dirfd, "ambit-seal-key", O_RDONLY | O_CLOEXEC);
    bool absent = fd < 0 && errno == ENOENT;
    bool ok = absent || fd >= 0;
    if (!ok)
        err_system(err, "cannot open the credential ambit-seal-key");
    if (absent)
        *out = NULL;
    else if (ok)
        ok = read_key(fd, "the credential ambit-seal-key", out, err);
    if (fd >= 0)
        close(fd);
    if (dirfd >= 0)
        close(dirfd);
    return ok;
}

static bool make_key(int keys_fd, struct err *err)
{
    struct secret *key;
    if (!secret_new(SEAL_MASTER_LEN, &key, err))
        return false;
    rand_bytes(key->p, key->n);
    bool ok = write_own(keys_fd, KEY_FILE.p, secret_str(key), true, err);
    secret_free(key);
    /* Somebody else was first: his it is. */
    return ok || err->kind == ERR_DENIED;
}

static bool load_key(int keys_fd, struct secret **out, struct err *err)
{
    int fd;
    if (!open_own(keys_fd, KEY_FILE.p, &fd, err)) {
        if (err->kind != ERR_NOTFOUND || !make_key(keys_fd, err) ||
            !open_own(keys_fd, KEY_FILE.p, &fd, err))
            return false;
    }
    bool ok = read_key(fd, "keys/seal.key", out, err);
    close(fd);
    return ok;
}

bool secrets_open(struct secrets *s, int keys_fd, int secrets_fd, str key, struct err *err)
{
    struct secret *master;
    if (key.n && key.n != SEAL_MASTER_LEN)
        return err_input(err, "the key that seals must have %d bytes", SEAL_MASTER_LEN);
    if (key.n ? !secret_of(key, &master, err) : !load_key(keys_fd, &master, err))
        return false;
    *s = (struct secrets){.keys_fd = keys_fd, .secrets_fd = secrets_fd, .master = master};
    s->copies = calloc(1, sizeof *s->copies);
    if (!s->copies)
        abort();
    return true;
}

void secrets_close(struct secrets *s)
{
    secret_free(s->master);
    copies_free(s->copies);
    *s = (struct secrets){.keys_fd = -1, .secrets_fd = -1};
}

/* ---- secrets ---- */

bool secrets_check_value(str value, struct err *err)
{
    if (value.n == 0)
        return err_input(err, "the secret is empty");
    if (value.n > SECRET_BYTES_MAX)
        return err_limit(err, "the secret is over %d bytes", SECRET_BYTES_MAX);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return err_input(err, "the secret has a control character or a line break in it, so it "
                                  "could be neither a header nor a variable");
    }
    return true;
}

bool secrets_get(const struct secrets *s, str name, struct secret **out, struct err *err)
{
    if (read_copied(s, name, out, err))
        return true;
    if (err->kind == ERR_NOTFOUND)
        return err_notfound(err, "secret %.*s is not set: run `ambit secret set %.*s`", STR(name),
                            STR(name));
    if (err->kind == ERR_DENIED || err->kind == ERR_INPUT)
        return err_denied(err,
                          "secret %.*s does not open with this gateway's key: set it again with "
                          "`ambit secret set %.*s`, or restore keys/seal.key",
                          STR(name), STR(name));
    return false;
}

bool secrets_set(const struct secrets *s, str name, str value, struct err *err)
{
    return secrets_check_value(value, err) &&
           write_sealed(s, s->secrets_fd, PURPOSE, name, value, err);
}

bool secrets_remove(const struct secrets *s, str name, struct err *err)
{
    char path[PATH_SIZE];
    if (!path_of(name, path, err))
        return false;
    if (unlinkat(s->secrets_fd, path, 0) != 0)
        return errno == ENOENT ? err_notfound(err, "there is no secret %s", path)
                               : err_system(err, "cannot remove secret %s", path);
    return fsync(s->secrets_fd) == 0 || err_system(err, "cannot make the removal durable");
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct secret_entry *)a)->name, ((const struct secret_entry *)b)->name);
}

bool secrets_list(const struct secrets *s, struct arena *a, struct secret_entry **out,
                  size_t *out_n, struct err *err)
{
    size_t n = 0, cap = 0;
    struct secret_entry *list = NULL;
    int fd = openat(s->secrets_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_system(err, "cannot list the secrets");
    for (struct dirent *e; n < ENTRIES_MAX && (e = readdir(dir));) {
        struct stat st;
        if (!conf_name_is_valid(str_z(e->d_name)) || fstatat(fd, e->d_name, &st, 0) != 0)
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            struct secret_entry *more = ARENA_ARRAY(a, struct secret_entry, cap);
            if (n)
                memcpy(more, list, n * sizeof *list);
            list = more;
        }
        list[n++] =
            (struct secret_entry){str_dup(a, str_z(e->d_name)),
                                  (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000};
    }
    closedir(dir);
    if (n)
        qsort(list, n, sizeof *list, by_name);
    *out = list;
    *out_n = n;
    return true;
}
