/* Where the database lies: questions that are asked before SQLite touches it, at the start of a
 * gateway and by store_check. */
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { SQLITE_OLDEST = 3037000, HEADER_BYTES = 100, FREE_MIN_MB = 64 };

#define SAY(text, ...) snprintf(text, STORE_CHECK_TEXT_MAX, __VA_ARGS__)

/* SQLite locks with fcntl and shares the WAL's index by mmap; over a network neither holds. */
static const struct {
    uint32_t magic;
    enum store_verdict verdict;
    const char *name;
} FILE_SYSTEMS[] = {
    {NFS_SUPER_MAGIC, STORE_CHECK_BAD, "NFS"},
    {SMB_SUPER_MAGIC, STORE_CHECK_BAD, "SMB"},
    {0xff534d42, STORE_CHECK_BAD, "CIFS"},
    {0xfe534d42, STORE_CHECK_BAD, "SMB 2"},
    {V9FS_MAGIC, STORE_CHECK_BAD, "9p"},
    {AFS_SUPER_MAGIC, STORE_CHECK_BAD, "AFS"},
    {CODA_SUPER_MAGIC, STORE_CHECK_BAD, "Coda"},
    {0x00c36400, STORE_CHECK_BAD, "Ceph"},
    {0x65735546, STORE_CHECK_WARN, "FUSE (whether fsync reaches a disk depends on its program)"},
    {TMPFS_MAGIC, STORE_CHECK_WARN, "tmpfs (it is lost when the machine stops)"},
    {RAMFS_MAGIC, STORE_CHECK_WARN, "ramfs (it is lost when the machine stops)"},
};

enum store_verdict sqlite_file_system(uint32_t magic, char text[STORE_CHECK_TEXT_MAX])
{
    for (size_t i = 0; i < sizeof FILE_SYSTEMS / sizeof FILE_SYSTEMS[0]; i++) {
        if (FILE_SYSTEMS[i].magic != magic)
            continue;
        if (FILE_SYSTEMS[i].verdict == STORE_CHECK_BAD)
            SAY(text,
                "the directory is on %s, where locks and shared memory are not safe; put the state "
                "folder on a local disk",
                FILE_SYSTEMS[i].name);
        else
            SAY(text, "the directory is on %s", FILE_SYSTEMS[i].name);
        return FILE_SYSTEMS[i].verdict;
    }
    SAY(text, "a local file system (type 0x%x)", magic);
    return STORE_CHECK_OK;
}

static enum store_verdict file_system(int dir_fd, char *text)
{
    struct statfs fs;
    if (fstatfs(dir_fd, &fs) != 0) {
        SAY(text, "the file system does not say what it is: %s", strerror(errno));
        return STORE_CHECK_BAD;
    }
    return sqlite_file_system((uint32_t)fs.f_type, text);
}

static enum store_verdict free_space(int dir_fd, char *text)
{
    struct statfs fs;
    if (fstatfs(dir_fd, &fs) != 0) {
        SAY(text, "the file system does not say how full it is: %s", strerror(errno));
        return STORE_CHECK_WARN;
    }
    uint64_t mb = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >> 20;
    bool little = mb < FREE_MIN_MB;
    SAY(text, "%llu MB free%s", (unsigned long long)mb,
        little ? "; a full disk stops the gateway: make room" : "");
    return little ? STORE_CHECK_WARN : STORE_CHECK_OK;
}

static enum store_verdict sqlite_version(int dir_fd, char *text)
{
    (void)dir_fd;
    bool ok = sqlite3_libversion_number() >= SQLITE_OLDEST && sqlite3_threadsafe();
    SAY(text, ok ? "SQLite %s" : "SQLite %s is too old (3.37 is needed) or built without threads",
        sqlite3_libversion());
    return ok ? STORE_CHECK_OK : STORE_CHECK_BAD;
}

static enum store_verdict owner_and_mode(int dir_fd, char *text)
{
    static const char *const files[] = {SQLITE_STORE_FILE, SQLITE_STORE_FILE "-wal",
                                        SQLITE_STORE_FILE "-shm"};
    struct stat dir, st;
    enum store_verdict verdict = STORE_CHECK_OK;
    if (fstat(dir_fd, &dir) != 0) {
        SAY(text, "the directory cannot be looked at: %s", strerror(errno));
        return STORE_CHECK_BAD;
    }
    SAY(text, "plain files of the directory's owner, for nobody else");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (fstatat(dir_fd, files[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue; /* not yet there */
        if (!S_ISREG(st.st_mode) || st.st_nlink > 1) {
            SAY(text,
                "%s is a link, or has a second name: another program may write to it under that; "
                "move the file itself here",
                files[i]);
            return STORE_CHECK_BAD;
        }
        if (st.st_uid != dir.st_uid) {
            SAY(text,
                "%s belongs to user %u and the directory to user %u; give both to the user that "
                "the gateway's core runs as",
                files[i], st.st_uid, dir.st_uid);
            return STORE_CHECK_BAD;
        }
        if ((st.st_mode & 077) && (dir.st_mode & 077)) {
            SAY(text, "%s can be read by others (mode %03o in a directory of mode %03o); chmod 600",
                files[i], st.st_mode & 0777, dir.st_mode & 0777);
            verdict = STORE_CHECK_WARN;
        }
    }
    return verdict;
}

/* The two version bytes of the header are 2 in a database whose journal is a WAL, 1 where it is
 * rolled back (SQLite's file format, 1.3). A rollback journal beside it is SQLite's to settle
 * first. */
static enum store_verdict journal(int dir_fd, char *text)
{
    struct stat st;
    uint8_t head[HEADER_BYTES];
    SAY(text, "a WAL");
    bool settled = fstatat(dir_fd, SQLITE_STORE_FILE "-journal", &st, AT_SYMLINK_NOFOLLOW) != 0;
    int fd = settled ? openat(dir_fd, SQLITE_STORE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0)
        return STORE_CHECK_OK; /* not there, or SQLite will say why it cannot be read */
    ssize_t n = pread(fd, head, sizeof head, 0);
    close(fd);
    if (n != sizeof head || memcmp(head, "SQLite format 3", 16) != 0)
        return STORE_CHECK_OK; /* empty, or damaged, which has an answer of its own */
    if (head[18] != 1 && head[19] != 1)
        return STORE_CHECK_OK; /* a WAL, or damaged likewise */
    SAY(text,
        "the journal is no WAL any more: another program has changed it. See that none writes to "
        "the file, then `sqlite3 " SQLITE_STORE_FILE " 'PRAGMA journal_mode=wal'`");
    return STORE_CHECK_BAD;
}

static const struct {
    const char *name;
    enum store_verdict (*ask)(int dir_fd, char *text);
} PLACE[] = {
    {"sqlite", sqlite_version}, {"filesystem", file_system}, {"space", free_space},
    {"files", owner_and_mode},  {"journal", journal},
};

bool sqlite_place(int dir_fd, store_check_fn *each, void *arg)
{
    char text[STORE_CHECK_TEXT_MAX];
    bool safe = true;
    for (size_t i = 0; i < sizeof PLACE / sizeof PLACE[0]; i++) {
        enum store_verdict v = PLACE[i].ask(dir_fd, text);
        each(arg, v, PLACE[i].name, text);
        safe = safe && v != STORE_CHECK_BAD;
    }
    return safe;
}

/* The first that is bad becomes the error. */
static void keep_bad(void *arg, enum store_verdict verdict, const char *name, const char *text)
{
    struct err *err = arg;
    (void)name;
    if (verdict == STORE_CHECK_BAD && err->kind == 0)
        err_input(err, "%s", text);
}

bool sqlite_place_safe(const struct sqlite_file *f, struct err *err)
{
    struct err bad = {0};
    return sqlite_place(f->dir_fd, keep_bad, &bad) || err_input(err, "%s: %s", f->shown, bad.text);
}
