#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "os/drop.h"
#include "os/fdpass.h"
#include "os/file.h"
#include "os/frame.h"
#include "os/lock.h"
#include "os/look.h"
#include "os/peer.h"
#include "os/spawn.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- frames ---- */

static uint32_t size_max(void *arg, uint16_t type)
{
    (void)arg;
    return type == 1 ? 1 : type == 2 ? 300 : type == 0xabcd ? 70000 : 0;
}

struct frame_case {
    const char *name;
    str bytes;
    enum frame_result want;
};
#define HEAD(size, type, flags) size "\0\0" type flags "\10\7\6\5\4\3\2\1"

static const struct frame_case FRAMES[] = {
    {"empty", {"", 0}, FRAME_MORE},
    {"all but one of the head", {HEAD("\0\0", "\1\0", "\0\0"), 15}, FRAME_MORE},
    {"no payload", {HEAD("\0\0", "\1\0", "\0\0"), 16}, FRAME_OK},
    {"one byte", {HEAD("\1\0", "\1\0", "\0\0") "x", 17}, FRAME_OK},
    {"one byte is missing", {HEAD("\1\0", "\1\0", "\0\0"), 16}, FRAME_MORE},
    {"a byte more than needed", {HEAD("\0\0", "\1\0", "\0\0") "x", 17}, FRAME_OK},
    {"too large by one", {HEAD("\2\0", "\1\0", "\0\0") "xx", 18}, FRAME_BAD},
    {"300", {HEAD("\54\1", "\2\0", "\1\0"), 16}, FRAME_MORE},
    {"301", {HEAD("\55\1", "\2\0", "\1\0"), 16}, FRAME_BAD},
    {"type 0", {HEAD("\0\0", "\0\0", "\0\0"), 16}, FRAME_BAD},
    {"type 256 is not type 1", {HEAD("\0\0", "\1\1", "\0\0"), 16}, FRAME_BAD},
    {"flag 2", {HEAD("\0\0", "\1\0", "\2\0"), 16}, FRAME_BAD},
    {"flag 0x8000", {HEAD("\0\0", "\1\0", "\0\200"), 16}, FRAME_BAD},
    {"4 GiB", {"\377\377\377\377\2\0\0\0\0\0\0\0\0\0\0\0", 16}, FRAME_BAD},
};

static void test_frame_table(void **state)
{
    for (size_t i = 0; i < sizeof FRAMES / sizeof FRAMES[0]; i++) {
        struct frame f = {0};
        struct err err;
        enum frame_result r = frame_read(FRAMES[i].bytes, size_max, NULL, &f, &err);
        if (r != FRAMES[i].want)
            fail_msg("%s: %d", FRAMES[i].name, r);
        if (r == FRAME_OK)
            assert_true(f.id == 0x0102030405060708ULL);
    }
}

/* Whatever is written is read back alike, fed whole or split at every place. */
static void test_frame_split(void **state)
{
    static char big[70000];
    memset(big, 'b', sizeof big);
    struct buf b = {.max = 1 << 20};
    frame_write(&b, 2, FRAME_FLAG_FD, 7, S("hello"));
    frame_write(&b, 1, 0, UINT64_MAX, S(""));
    frame_write(&b, 0xabcd, 0, 0, str_of(big, 500));
    str all = buf_str(&b);
    for (size_t cut = 0; cut <= all.n; cut++) {
        unsigned frames = 0;
        size_t at = 0, given = cut;
        struct frame f;
        struct err err;
        for (;;) {
            enum frame_result r =
                frame_read(str_of(all.p + at, given - at), size_max, NULL, &f, &err);
            assert_int_not_equal(r, FRAME_BAD);
            if (r == FRAME_OK) {
                at += frame_bytes(&f);
                frames++;
            } else if (given == all.n) {
                break;
            } else {
                given = all.n;
            }
        }
        assert_int_equal(frames, 3);
        assert_int_equal(at, all.n);
        assert_int_equal(f.type, 0xabcd);
    }
    struct buf small = {.max = 20};
    frame_write(&small, 1, 0, 1, S("12345"));
    assert_true(small.over);
    assert_int_equal(buf_len(&small), 0);
    buf_fini(&b);
    buf_fini(&small);
}

/* ---- descriptors ---- */

static void test_fdpass(void **state)
{
    int pair[2], p[2];
    struct err err;
    size_t sent;
    assert_true(fdpass_pair(pair, &err));
    struct buf in = {.max = 1000};
    struct fd_queue q = {0};
    assert_int_equal(fdpass_recv(pair[1], &in, 100, &q, &err), IO_AGAIN);
    assert_int_equal(fdpass_send(pair[0], S("plain"), -1, &sent, &err), IO_OK);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(fdpass_send(pair[0], S("with"), p[0], &sent, &err), IO_OK);
    assert_int_equal(sent, 4);
    assert_int_equal(fdpass_send(pair[0], S("after"), -1, &sent, &err), IO_OK);
    assert_int_equal(fdpass_recv(pair[1], &in, 100, &q, &err), IO_OK);
    /* no receive goes beyond the message that a descriptor came with */
    assert_true(buf_len(&in) <= 9);
    while (fdpass_recv(pair[1], &in, 100, &q, &err) == IO_OK)
        ;
    assert_true(str_eq(buf_str(&in), S("plainwithafter")));
    assert_int_equal(q.n, 1);
    int fd = fd_queue_take(&q);
    assert_true(fd >= 0 && fd_queue_take(&q) == -1);
    struct stat a, b;
    fstat(fd, &a);
    fstat(p[0], &b);
    assert_true(a.st_ino == b.st_ino);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    /* queue full: refused, all closed */
    for (int i = 0; i <= FD_QUEUE_MAX; i++)
        assert_int_equal(fdpass_send(pair[0], S("x"), p[1], &sent, &err), IO_OK);
    enum io r;
    while ((r = fdpass_recv(pair[1], &in, 1, &q, &err)) == IO_OK)
        ;
    assert_int_equal(r, IO_ERROR);
    assert_int_equal(q.n, 0);
    close(pair[0]);
    assert_int_equal(fdpass_recv(pair[1], &in, 1, &q, &err), IO_EOF);
    close(pair[1]), close(p[0]), close(p[1]);
    buf_fini(&in);
}

/* ---- programs ---- */

/* Runs a shell line with fd 1 on a pipe; its output, and the wait status. */
static str run_line(struct arena *a, struct spawn s, const char *line, int *out_status)
{
    int p[2];
    struct err err;
    struct child c;
    const char *argv[] = {"sh", "-c", line, NULL};
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    struct spawn_fd fds[] = {{p[1], 1}, {p[1], 9}};
    s.path = "/bin/sh";
    s.argv = argv;
    s.fds = fds;
    s.n_fds = 2;
    if (!spawn_start(&s, &c, &err))
        fail_msg("%s", err.text);
    close(p[1]);
    char *got = arena_alloc(a, 4096);
    size_t n = 0;
    for (ssize_t k; n < 4096 && (k = read(p[0], got + n, 4096 - n)) > 0;)
        n += (size_t)k;
    close(p[0]);
    child_wait(&c, out_status);
    assert_int_equal(c.pidfd, -1);
    return str_of(got, n);
}

static void test_spawn_exact(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    int st, stray = open("/dev/null", O_RDWR); /* not close-on-exec, on purpose */
    const char *env[] = {"ONLY=this", NULL};
    struct spawn s = {.env = env, .cwd = "/tmp"};
    str got = run_line(&a, s, "pwd; echo $ONLY; echo $HOME; ls /proc/self/fd | tr '\\n' ' '", &st);
    assert_int_equal(st, 0);
    /* 0, 1, 2 and 9 as given; ls itself has one more open, the folder */
    if (!str_eq(got, S("/tmp\nthis\n\n0 1 2 3 9 ")))
        fail_msg("%.*s", STR(got));
    got = run_line(&a, (struct spawn){0},
                   "grep -E '^(NoNewPrivs|SigBlk|SigIgn):' /proc/self/status", &st);
    if (!str_eq(got, S("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nNoNewPrivs:\t1\n")))
        fail_msg("%.*s", STR(got));
    struct spawn_limit limit = {RLIMIT_NOFILE, 77};
    got =
        run_line(&a, (struct spawn){.limits = &limit, .n_limits = 1}, "ulimit -n; ulimit -Hn", &st);
    assert_true(str_eq(got, S("77\n77\n")));
    got = run_line(&a, (struct spawn){.new_session = true},
                   "set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 = $6 && echo yes", &st);
    assert_true(str_eq(got, S("yes\n")));
    got = run_line(&a, (struct spawn){0},
                   "set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 != $6 && echo yes", &st);
    assert_true(str_eq(got, S("yes\n")));
    if (geteuid() == 0) {
        got = run_line(&a, (struct spawn){.set_ids = true, .uid = 65534, .gid = 65533},
                       "grep -E '^(Uid|Gid|Groups):' /proc/self/status", &st);
        if (!str_eq(got, S("Uid:\t65534\t65534\t65534\t65534\nGid:\t65533\t65533\t65533\t65533\n"
                           "Groups:\t \n")))
            fail_msg("%.*s", STR(got));
    }
    close(stray);
}

static int fail_sandbox(void *arg)
{
    return EPERM;
}

static void test_spawn_errors(void **state)
{
    struct err err;
    struct child c;
    const char *argv[] = {"x", NULL};
    struct spawn s = {.path = "/no/such/program", .argv = argv};
    assert_false(spawn_start(&s, &c, &err));
    assert_int_equal(err.os, ENOENT);
    assert_string_equal(err.text,
                        "/no/such/program: cannot be executed: No such file or directory");
    s = (struct spawn){.path = "/bin/true", .argv = argv, .cwd = "/no/such"};
    assert_false(spawn_start(&s, &c, &err));
    assert_non_null(strstr(err.text, "working folder"));
    s = (struct spawn){.path = "/bin/true", .argv = argv, .in_child = fail_sandbox};
    assert_false(spawn_start(&s, &c, &err));
    assert_non_null(strstr(err.text, "sandbox: Operation not permitted"));
    struct spawn_fd twice[] = {{0, 5}, {1, 5}};
    s = (struct spawn){.path = "/bin/true", .argv = argv, .fds = twice, .n_fds = 2};
    assert_false(spawn_start(&s, &c, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
}

static void test_child_control(void **state)
{
    struct err err;
    struct child c;
    int st = 0;
    const char *argv[] = {"sleep", "100", NULL};
    struct spawn s = {.path = "/bin/sleep", .argv = argv};
    assert_true(spawn_start(&s, &c, &err));
    assert_false(child_poll(&c, &st));
    struct pollfd f = {.fd = c.pidfd, .events = POLLIN};
    assert_int_equal(poll(&f, 1, 0), 0);
    child_signal(&c, SIGTERM);
    assert_int_equal(poll(&f, 1, 5000), 1);
    assert_true(child_poll(&c, &st));
    assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
    assert_false(child_poll(&c, &st));
    child_signal(&c, SIGTERM); /* harmless afterwards */
    assert_true(spawn_start(&s, &c, &err));
    child_signal_group(&c, SIGKILL);
    child_wait(&c, &st);
    assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
}

/* The child goes when the process that started it dies. */
static void test_child_dies_with_parent(void **state)
{
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct err err;
        struct child c;
        const char *argv[] = {"sleep", "100", NULL};
        struct spawn s = {.path = "/bin/sleep", .argv = argv};
        if (!spawn_start(&s, &c, &err))
            _exit(1);
        (void)!write(p[1], &c.pid, sizeof c.pid);
        _exit(0);
    }
    pid_t grandchild = 0;
    assert_int_equal(read(p[0], &grandchild, sizeof grandchild), sizeof grandchild);
    waitpid(parent, NULL, 0);
    char path[40], stat[200] = {0};
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)grandchild);
    bool gone = false;
    for (int i = 0; i < 100 && !gone; i++) {
        int fd = open(path, O_RDONLY);
        if (fd >= 0)
            (void)!read(fd, stat, sizeof stat - 1);
        gone = fd < 0 || strstr(stat, ") Z ");
        if (fd >= 0)
            close(fd);
        usleep(10000);
    }
    assert_true(gone);
    close(p[0]), close(p[1]);
}

/* ---- privileges ---- */

static void test_drop(void **state)
{
    if (geteuid() != 0) {
        print_message("skipped: needs root to drop from\n");
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct err err;
        gid_t extra = 5;
        struct drop root = {.set_ids = true};
        if (setgroups(1, &extra) != 0)
            _exit(9);
        if (drop_privileges(&root, &err))
            _exit(10);
        struct drop d = {.set_ids = true, .uid = 65534, .gid = 65534};
        if (!drop_privileges(&d, &err) || !drop_stdin(&err))
            _exit(1);
        if (geteuid() != 65534 || setuid(0) == 0 || getgroups(0, NULL) != 0)
            _exit(2);
        if (prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
            _exit(3);
        if (prctl(PR_CAPBSET_READ, 0) != 0)
            _exit(4);
        if (open("/etc/shadow", O_RDONLY) >= 0)
            _exit(5);
        char c;
        _exit(read(0, &c, 1) == 0 ? 0 : 6);
    }
    int st;
    waitpid(pid, &st, 0);
    assert_true(WIFEXITED(st));
    assert_int_equal(WEXITSTATUS(st), 0);
    pid = fork();
    if (pid == 0) { /* root that keeps its uid has no power over the files of others */
        struct err err;
        struct drop d = {0};
        if (!drop_privileges(&d, &err))
            _exit(1);
        _exit(chown("/tmp", 1, 1) == 0 ? 2 : 0);
    }
    waitpid(pid, &st, 0);
    assert_int_equal(st, 0);
}

/* ---- files and locks ---- */

static char the_dir[64];

static int make_dir(void **state)
{
    snprintf(the_dir, sizeof the_dir, "/tmp/os_test.XXXXXX");
    return mkdtemp(the_dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const NAMES[] = {"f", "secret", "link", "lock", "sub"};
    char path[100];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", the_dir, NAMES[i]);
        if (remove(path) != 0 && errno != ENOENT)
            return -1;
    }
    return rmdir(the_dir); /* fails if a temporary file was left */
}

static void test_file(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    str got;
    char path[100], link[100], sub[100];
    snprintf(path, sizeof path, "%s/f", the_dir);
    snprintf(link, sizeof link, "%s/link", the_dir);
    snprintf(sub, sizeof sub, "%s/sub", the_dir);
    assert_false(file_read(AT_FDCWD, path, 10, NULL, &a, &got, &err));
    assert_int_equal(err.kind, ERR_NOTFOUND);
    assert_true(file_write(AT_FDCWD, path, S("0123456789"), 0640, &err));
    assert_true(file_read(AT_FDCWD, path, 10, NULL, &a, &got, &err));
    assert_true(str_eq(got, S("0123456789")));
    assert_false(file_read(AT_FDCWD, path, 9, NULL, &a, &got, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(file_write(AT_FDCWD, path, S(""), 0640, &err));
    assert_true(file_read(AT_FDCWD, path, 0, NULL, &a, &got, &err));
    assert_int_equal(got.n, 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    struct file_rules secret = {.owner_only = true};
    assert_false(file_read(AT_FDCWD, path, 10, &secret, &a, &got, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    chmod(path, 0600);
    assert_true(file_read(AT_FDCWD, path, 10, &secret, &a, &got, &err));
    assert_int_equal(symlink(path, link), 0);
    assert_false(file_read(AT_FDCWD, link, 10, NULL, &a, &got, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    struct file_rules follow = {.follow = true};
    assert_true(file_read(AT_FDCWD, link, 10, &follow, &a, &got, &err));
    assert_false(file_read(AT_FDCWD, the_dir, 10, NULL, &a, &got, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    assert_true(file_read(AT_FDCWD, "/proc/self/status", 64 << 10, NULL, &a, &got, &err));
    assert_true(got.n > 300 && str_starts(got, S("Name:")));
    assert_false(file_write(AT_FDCWD, the_dir, S("x"), 0600, &err)); /* a folder is in the way */
    assert_true(file_mkdir(sub, 0711, &err));
    assert_true(file_mkdir(sub, 0700, &err));
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0711);
    assert_false(file_mkdir(path, 0700, &err));
    int dir = open(the_dir, O_RDONLY | O_DIRECTORY);
    assert_true(file_write(dir, "f", S("relative"), 0600, &err));
    assert_true(file_read(dir, "f", 8, NULL, &a, &got, &err));
    close(dir);
}

static void test_lock(void **state)
{
    char path[100], pid[24];
    struct err err;
    int fd, second;
    snprintf(path, sizeof path, "%s/lock", the_dir);
    assert_true(lock_take(path, &fd, &err));
    assert_false(lock_take(path, &second, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    snprintf(pid, sizeof pid, "process %ld:", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    close(fd);
    assert_true(lock_take(path, &fd, &err));
    close(fd);
}

/* ---- peers ---- */

static void test_peer(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    int pair[2];
    struct err err;
    struct peer p;
    assert_true(fdpass_pair(pair, &err));
    assert_true(peer_attest(pair[0], &p, &err));
    assert_int_equal(p.pid, getpid());
    assert_int_equal(p.uid, getuid());
    assert_true(p.start_ticks > 0);
    assert_true(peer_is_alive(&p));
    str path, cgroup;
    assert_true(peer_exe_path(&p, &a, &path, &err));
    assert_true(str_starts(path, S("/")));
    int fd;
    assert_true(peer_exe_open(&p, &fd, &err));
    char magic[4];
    assert_int_equal(read(fd, magic, 4), 4);
    assert_memory_equal(magic, "\177ELF", 4);
    close(fd);
    assert_true(peer_cgroup(&p, &a, &cgroup, &err));
    peer_fini(&p);
    peer_fini(&p);
    close(pair[0]), close(pair[1]);
    assert_false(peer_attest(0x7fffffff, &p, &err));
}

/* A socket that outlives the process that connected does not lend its identity to who inherited it.
 */
static void test_peer_inherited(void **state)
{
    struct err err;
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr at = {.sa_family = AF_UNIX};
    assert_int_equal(bind(sock, &at, sizeof(sa_family_t)), 0); /* autobind: an abstract name */
    assert_int_equal(listen(sock, 1), 0);
    struct sockaddr_storage name;
    socklen_t n = sizeof name;
    getsockname(sock, (struct sockaddr *)&name, &n);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&name, n) != 0)
            _exit(1);
        if (fork() == 0) { /* keeps the socket and waits to be released */
            char c;
            close(go[1]);
            (void)!read(go[0], &c, 1);
            _exit(0);
        }
        pause();
        _exit(0);
    }
    int fd = accept(sock, NULL, NULL);
    assert_true(fd >= 0);
    struct peer p, later;
    assert_true(peer_attest(fd, &p, &err));
    assert_int_equal(p.pid, pid);
    assert_true(peer_is_alive(&p));
    kill(pid, SIGKILL);
    struct pollfd f = {.fd = p.pidfd, .events = POLLIN};
    assert_int_equal(poll(&f, 1, 5000), 1);
    assert_false(peer_is_alive(&p));
    ARENA_SCOPE struct arena a = {0};
    str exe;
    assert_false(peer_exe_path(&p, &a, &exe, &err));
    assert_false(peer_attest(fd, &later, &err)); /* still connected, but not by a living process */
    waitpid(pid, NULL, 0);
    assert_false(peer_attest(fd, &later, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    peer_fini(&p);
    close(fd), close(sock), close(go[0]), close(go[1]);
}

static void test_peer_of_child(void **state)
{
    struct err err;
    struct child c;
    int st;
    const char *argv[] = {"sleep", "100", NULL};
    struct spawn s = {.path = "/bin/sleep", .argv = argv};
    assert_true(spawn_start(&s, &c, &err));
    struct peer p;
    assert_true(peer_of_child(c.pid, c.pidfd, &p, &err));
    assert_int_equal(p.uid, getuid());
    ARENA_SCOPE struct arena a = {0};
    str exe;
    assert_true(peer_exe_path(&p, &a, &exe, &err));
    assert_true(str_ends(exe, S("sleep")) || str_ends(exe, S("busybox")) || exe.n);
    child_signal(&c, SIGKILL);
    child_wait(&c, &st);
    assert_false(peer_is_alive(&p));
    peer_fini(&p);
}

static pid_t start_sleep(struct child *c, const char *path)
{
    struct err err;
    const char *argv[] = {"sleep", "100", NULL};
    struct spawn s = {.path = path, .argv = argv};
    assert_true(spawn_start(&s, c, &err));
    return c->pid;
}

static void copy_file(const char *from, const char *to)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    str bytes;
    struct file_rules follow = {.follow = true};
    assert_true(file_read(AT_FDCWD, from, 64 << 20, &follow, &a, &bytes, &err));
    assert_true(file_write(AT_FDCWD, to, bytes, 0755, &err));
}

static void test_look(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct child c;
    struct look l;
    char program[600];
    int st, fd;
    snprintf(program, sizeof program, "%s/sleeper", the_dir);
    copy_file("/bin/sleep", program);
    pid_t pid = start_sleep(&c, program);
    assert_true(look_open(c.pidfd, &a, &l, &err));
    assert_int_equal(l.pid, pid);
    assert_true(str_eq(l.path, str_z(program)));
    assert_true(look_file(&l, &fd, &err));
    char magic[4];
    assert_int_equal(read(fd, magic, 4), 4);
    assert_memory_equal(magic, "\177ELF", 4);
    close(fd);
    assert_true(look_confirm(&l, &err));
    /* Its file is replaced: the program goes on as it is, and has no path that counts. */
    struct look replaced;
    unlink(program);
    copy_file("/bin/sleep", program);
    assert_true(look_open(c.pidfd, &a, &replaced, &err));
    assert_true(str_is_empty(replaced.path) && replaced.why_no_path);
    look_close(&replaced);
    child_signal(&c, SIGKILL);
    struct pollfd f = {.fd = c.pidfd, .events = POLLIN};
    assert_int_equal(poll(&f, 1, 5000), 1);
    /* Ended and not yet collected: the number is still there, and does not count. */
    assert_false(look_confirm(&l, &err));
    assert_false(look_file(&l, &fd, &err));
    struct look dead;
    assert_false(look_open(c.pidfd, &a, &dead, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    look_close(&l);
    look_close(&l);
    child_wait(&c, &st);
    assert_false(look_open(0, &a, &dead, &err)); /* no pidfd */
    unlink(program);
}

/* execve keeps the process and changes the program. */
static void test_look_exec(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct child c;
    struct look l;
    int st, fd, go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    const char *argv[] = {"sh", "-c", "read x; exec sleep 100", NULL};
    const struct spawn_fd fds[] = {{go[0], 0}};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    struct spawn s = {.path = "/bin/sh", .argv = argv, .env = env, .fds = fds, .n_fds = 1};
    assert_true(spawn_start(&s, &c, &err));
    assert_true(look_open(c.pidfd, &a, &l, &err));
    assert_true(look_file(&l, &fd, &err));
    close(fd);
    assert_int_equal(write(go[1], "\n", 1), 1);
    for (int i = 0; i < 500 && look_confirm(&l, &err); i++)
        usleep(10000);
    assert_false(look_confirm(&l, &err));
    assert_non_null(strstr(err.text, "executed another program"));
    assert_false(look_file(&l, &fd, &err));
    look_close(&l);
    child_signal(&c, SIGKILL);
    child_wait(&c, &st);
    close(go[0]), close(go[1]);
}

/* A path in a mount namespace of its own may be anything: it counts if it is the same file here. */
static void test_look_mounts(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    struct look l;
    char program[600], other[600];
    int ready[2];
    char c;
    if (geteuid() != 0)
        skip();
    snprintf(program, sizeof program, "%s/real", the_dir);
    snprintf(other, sizeof other, "%s/fake", the_dir);
    copy_file("/bin/sleep", program);
    copy_file("/bin/sleep", other);
    for (int fake = 0; fake < 2; fake++) {
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            if (unshare(CLONE_NEWNS) != 0 ||
                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                (fake && mount(other, program, NULL, MS_BIND, NULL) != 0))
                _exit(1);
            (void)!write(ready[1], "x", 1);
            execl(program, "sleep", "100", NULL);
            _exit(1);
        }
        close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        assert_int_equal(read(ready[0], &c, 1), 0); /* execve closed it */
        int pidfd = os_pidfd_open(pid);
        assert_true(look_open(pidfd, &a, &l, &err));
        assert_true(str_eq(l.path, fake ? (str){0} : str_z(program)));
        look_close(&l);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(pidfd), close(ready[0]);
    }
    unlink(program), unlink(other);
}

static void test_peer_now(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    int pair[2];
    struct err err;
    struct peer p;
    uid_t uid;
    gid_t gid, *groups, mine[PEER_GROUPS_MAX];
    size_t n;
    pid_t parent;
    uint64_t start;
    assert_true(fdpass_pair(pair, &err));
    assert_true(peer_attest(pair[0], &p, &err));
    assert_true(peer_ids_now(&p, &uid, &gid, &err));
    assert_int_equal(uid, geteuid());
    assert_int_equal(gid, getegid());
    assert_true(peer_groups(pair[0], &a, &groups, &n, &err));
    assert_int_equal(n, getgroups(PEER_GROUPS_MAX, mine));
    assert_memory_equal(groups, mine, n * sizeof *mine);
    assert_true(process_parent(getpid(), &parent, &start, &err));
    assert_int_equal(parent, getppid());
    assert_int_equal(start, p.start_ticks);
    assert_false(process_parent(0x7ffffff0, &parent, &start, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    peer_fini(&p);
    close(pair[0]), close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_table),
        cmocka_unit_test(test_frame_split),
        cmocka_unit_test(test_fdpass),
        cmocka_unit_test(test_spawn_exact),
        cmocka_unit_test(test_spawn_errors),
        cmocka_unit_test(test_child_control),
        cmocka_unit_test(test_child_dies_with_parent),
        cmocka_unit_test(test_drop),
        cmocka_unit_test_setup_teardown(test_file, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_lock, make_dir, remove_dir),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_peer_inherited),
        cmocka_unit_test(test_peer_of_child),
        cmocka_unit_test(test_peer_now),
        cmocka_unit_test_setup_teardown(test_look, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_look_exec, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_look_mounts, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
