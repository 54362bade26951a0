/* `ambit secret`: values are read from standard input only, so that they stand in no history and in
 * no list of processes. */
#include "cmd/commands.h"
#include "base/clock.h"
#include "base/limits.h"
#include "broker/secrets.h"
#include "conf/conf.h"
#include "crypto/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: ambit secret set NAME       read the value from standard input\n"
    "       ambit secret list           names, and when they were set\n"
    "       ambit secret remove NAME\n"
    "\n"
    "  -c CONFIG   configuration file (default $AMBIT_CONFIG, else ./ambit.json)\n";

struct job {
    struct arena arena;
    struct conf conf;
    struct secrets secrets;
    int keys_fd, secrets_fd;
    const char *name; /* of the secret */
};

static int failed(const struct err *err)
{
    fprintf(stderr, "ambit secret: %s\n", err->text);
    return EXIT_FAILED;
}

/* ---- reading the value ---- */

static bool read_rest(struct secret *into, struct err *err)
{
    size_t n = 0;
    while (n < into->n) {
        ssize_t got = read(STDIN_FILENO, into->p + n, into->n - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_system(err, "cannot read standard input");
        if (got == 0)
            break;
        n += (size_t)got;
        /* A terminal gives one line; it is the value. */
        if (isatty(STDIN_FILENO) && into->p[n - 1] == '\n')
            break;
    }
    secret_truncate(into, n);
    return true;
}

/* Signals wait while the terminal is silent, so that it cannot be left so. */
static bool read_silently(struct secret *into, const char *name, struct err *err)
{
    struct termios was, silent;
    sigset_t all, before;
    if (tcgetattr(STDIN_FILENO, &was) != 0)
        return err_system(err, "cannot turn the terminal's echo off");
    silent = was;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    fprintf(stderr, "value of %s (not shown): ", name);
    bool ok = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0
                  ? read_rest(into, err)
                  : err_system(err, "cannot turn the terminal's echo off");
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
    fputc('\n', stderr);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static bool read_value(const char *name, struct secret **out, struct err *err)
{
    struct secret *s;
    if (!secret_new(SECRET_BYTES_MAX, &s, err))
        return false;
    bool ok = isatty(STDIN_FILENO) ? read_silently(s, name, err) : read_rest(s, err);
    char beyond = 0;
    if (ok && s->n == SECRET_BYTES_MAX && read(STDIN_FILENO, &beyond, 1) == 1 &&
        (beyond != '\n' || read(STDIN_FILENO, &beyond, 1) == 1))
        ok = err_limit(err, "the secret is over %d bytes", SECRET_BYTES_MAX);
    if (ok && s->n && s->p[s->n - 1] == '\n')
        secret_truncate(s, s->n - 1);
    ok = ok && secrets_check_value(secret_str(s), err);
    if (ok)
        *out = s;
    else
        secret_free(s);
    return ok;
}

/* ---- the running gateway ---- */

/* It reads secrets when it needs them; this is for its log and for what it may keep one day. */
static void notify(const struct job *j)
{
    static const char line[] = "{\"method\":\"secrets.changed\"}\n";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = 2};
    str path = j->conf.control_socket;
    if (path.n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path.p, path.n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        if (errno != ENOENT && errno != ECONNREFUSED)
            fprintf(stderr, "note: the running gateway could not be told: %s\n", strerror(errno));
    } else if (send(fd, line, sizeof line - 1, MSG_NOSIGNAL) < 0) {
        fprintf(stderr, "note: the running gateway could not be told: %s\n", strerror(errno));
    }
    close(fd);
}

/* ---- the three ---- */

static int do_set(struct job *j)
{
    struct err err;
    struct secret *value;
    if (!read_value(j->name, &value, &err))
        return failed(&err);
    bool ok = secrets_set(&j->secrets, str_z(j->name), secret_str(value), &err);
    secret_free(value);
    if (!ok)
        return failed(&err);
    fprintf(stderr, "secret %s is set\n", j->name);
    notify(j);
    return 0;
}

static int do_remove(struct job *j)
{
    struct err err;
    if (!secrets_remove(&j->secrets, str_z(j->name), &err))
        return failed(&err);
    fprintf(stderr, "secret %s is removed\n", j->name);
    notify(j);
    return 0;
}

static int do_list(struct job *j)
{
    struct err err;
    struct secret_entry *list;
    size_t n;
    if (!secrets_list(&j->secrets, &j->arena, &list, &n, &err))
        return failed(&err);
    for (size_t i = 0; i < n; i++) {
        char when[CLOCK_TEXT_SIZE];
        printf("%-40.*s %.*s\n", STR(list[i].name), STR(clock_text(list[i].set_ms, when)));
    }
    return 0;
}

/* ---- the command ---- */

static const struct {
    const char *verb;
    bool named;
    int (*run)(struct job *j);
} VERBS[] = {{"set", true, do_set}, {"list", false, do_list}, {"remove", true, do_remove}};

/* Before the first start the folders are not there; they are made as the gateway would make them,
 * for the one who is here, and given to the keeper when it starts. */
static bool open_folder(struct job *j, const char *name, mode_t mode, int *out, struct err *err)
{
    const char *path =
        str_fmt(&j->arena, "%.*s%s%s", STR(j->conf.state_dir), *name ? "/" : "", name).p;
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return err_system(err, "cannot make %s", path);
    *out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out >= 0 ||
           err_system(err, "cannot open %s: run this as the user who runs the gateway", path);
}

static bool open_all(struct job *j, const char *config, struct err *err)
{
    struct conf_problems problems = {0};
    str text;
    int root;
    if (!conf_load(&j->arena, config, &j->conf, &text, &problems)) {
        struct buf b = {0};
        conf_problems_print(&problems, str_z(config), &b);
        fprintf(stderr, "%.*s", STR(buf_str(&b)));
        buf_fini(&b);
        return err_input(err, "the configuration %s has errors", config);
    }
    if (!open_folder(j, "", 0711, &root, err))
        return false;
    close(root);
    struct secret *key = NULL;
    if (!open_folder(j, "keys", 0700, &j->keys_fd, err) ||
        !open_folder(j, "secrets", 0700, &j->secrets_fd, err) ||
        !secrets_environment_key(&key, err))
        return false;
    bool ok = secrets_open(&j->secrets, j->keys_fd, j->secrets_fd, secret_str(key), err);
    secret_free(key);
    return ok;
}

static int run(const char *config, int (*fn)(struct job *j), const char *name)
{
    struct err err;
    struct job j = {.keys_fd = -1, .secrets_fd = -1, .name = name};
    int status = EXIT_CONFIG;
    if (open_all(&j, config, &err))
        status = fn(&j);
    else if (err.kind != ERR_INPUT)
        status = failed(&err);
    else
        failed(&err);
    secrets_close(&j.secrets);
    if (j.keys_fd >= 0)
        close(j.keys_fd);
    if (j.secrets_fd >= 0)
        close(j.secrets_fd);
    arena_fini(&j.arena);
    return status;
}

int cmd_secret(int argc, char **argv)
{
    const char *config = config_default();
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (c != 'c') {
            fputs(USAGE, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : EXIT_USAGE;
        }
        config = optarg;
    }
    for (size_t i = 0; optind < argc && i < sizeof VERBS / sizeof VERBS[0]; i++) {
        bool named = VERBS[i].named;
        if (strcmp(argv[optind], VERBS[i].verb) != 0 || argc - optind != (named ? 2 : 1))
            continue;
        return run(config, VERBS[i].run, named ? argv[optind + 1] : NULL);
    }
    /* A third argument would be the value, which must not be one. */
    fputs(USAGE, stderr);
    return EXIT_USAGE;
}
