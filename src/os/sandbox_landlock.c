#include "os/sandbox_int.h"
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* landlock(7). Numbers and layouts are the kernel's; stated here because libc headers lag behind
 * kernels. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { RULE_PATH = 1, RULE_PORT = 2 };
enum { CREATE_VERSION = 1 };
#define FS_EXECUTE      (1ULL << 0)
#define FS_WRITE_FILE   (1ULL << 1)
#define FS_READ_FILE    (1ULL << 2)
#define FS_READ_DIR     (1ULL << 3)
#define FS_REMOVE_DIR   (1ULL << 4)
#define FS_REMOVE_FILE  (1ULL << 5)
#define FS_MAKE_ALL     (0x7fULL << 6) /* char, dir, reg, sock, fifo, block, sym */
#define FS_MAKE_CHAR    (1ULL << 6)
#define FS_MAKE_BLOCK   (1ULL << 11)
#define FS_REFER        (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE     (1ULL << 14) /* ABI 3 */
#define FS_IOCTL_DEV    (1ULL << 15) /* ABI 5 */
#define NET_BIND_TCP    (1ULL << 0)  /* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT  (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL    (1ULL << 1)

struct ruleset_attr {
    uint64_t fs, net, scoped;
};
struct path_attr {
    uint64_t access;
    int32_t parent_fd;
} __attribute__((packed));
struct port_attr {
    uint64_t access, port;
};

#define FILE_RIGHTS (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

int sandbox_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static uint64_t fs_known(int abi)
{
    uint64_t all = (1ULL << 13) - 1;
    return all | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

/* Device files may be used where they are, never made. */
static uint64_t fs_rights(unsigned access)
{
    uint64_t r = 0;
    if (access & SANDBOX_READ)
        r |= FS_READ_FILE | FS_READ_DIR;
    if (access & SANDBOX_EXEC)
        r |= FS_EXECUTE;
    if (access & SANDBOX_WRITE)
        r |= FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_REFER |
             (FS_MAKE_ALL & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK));
    return r;
}

static bool add_path(int rules, const struct sandbox_path *p, uint64_t known, struct err *err)
{
    const char *name = p->path ? p->path : "a descriptor";
    int fd = p->path ? open(p->path, O_PATH | O_CLOEXEC) : p->fd;
    if (fd < 0) {
        if (p->optional && (errno == ENOENT || errno == ENOTDIR))
            return true;
        return err_system(err, "cannot open %s for the sandbox", name);
    }
    struct stat st;
    struct path_attr a = {.access = fs_rights(p->access) & known, .parent_fd = fd};
    bool ok = fstat(fd, &st) == 0;
    if (ok && !S_ISDIR(st.st_mode))
        a.access &= FILE_RIGHTS;
    ok = ok && (a.access == 0 || syscall(SYS_landlock_add_rule, rules, RULE_PATH, &a, 0) == 0);
    if (!ok)
        (void)err_system(err, "cannot let %s into the sandbox", name);
    if (p->path)
        close(fd);
    return ok;
}

static bool add_ports(int rules, const uint16_t *ports, size_t n, uint64_t access, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct port_attr a = {.access = access, .port = ports[i]};
        if (syscall(SYS_landlock_add_rule, rules, RULE_PORT, &a, 0) != 0)
            return err_system(err, "cannot let port %u into the sandbox", ports[i]);
    }
    return true;
}

bool landlock_prepare(const struct sandbox_files *files, const struct sandbox_net *net, int *out_fd,
                      struct err *err)
{
    int abi = sandbox_landlock_abi();
    struct ruleset_attr attr = {0};
    if (abi >= 1 && !files->unrestricted)
        attr.fs = fs_known(abi);
    if (abi >= 4 && !net->tcp_unrestricted)
        attr.net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 6)
        attr.scoped = (net->signals_unrestricted ? 0 : SCOPE_SIGNAL) |
                      (net->abstract_unrestricted ? 0 : SCOPE_ABSTRACT);
    if (!attr.fs && !attr.net && !attr.scoped) {
        *out_fd = -1;
        return true;
    }
    /* Older kernels know a shorter structure and accept ours as long as the rest is zero, which it
     * is. */
    int low = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    /* Above the numbers that spawn hands to a child, so that it is still there when the child
     * enters. */
    int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
    if (low >= 0)
        close(low);
    if (fd < 0)
        return err_system(err, "cannot make a Landlock ruleset");
    bool ok = true;
    for (size_t i = 0; ok && attr.fs && i < files->n_paths; i++)
        ok = add_path(fd, &files->paths[i], attr.fs, err);
    if (ok && attr.net)
        ok = add_ports(fd, net->bind_ports, net->n_bind_ports, NET_BIND_TCP, err) &&
             add_ports(fd, net->connect_ports, net->n_connect_ports, NET_CONNECT_TCP, err);
    if (!ok) {
        close(fd);
        return false;
    }
    *out_fd = fd;
    return true;
}

int landlock_enter(int fd)
{
    return fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? 0 : errno;
}
