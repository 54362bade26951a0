/* `ambit run`: becomes an agent's program under a registered identity.
 *
 * This process registers itself with the gateway and then executes the program in its own place: so
 * there is no child to be known, signals and the exit status are the program's own, and the
 * identity ends when it ends. Nothing secret is handed over. */
#include "base/json.h"
#include "cmd/cli.h"
#include "net/addr.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    ANSWER_WAIT_S = 30,
    ANSWER_BYTES_MAX = 16 << 10,
    EXIT_CANNOT_RUN = 126, /* as nohup(1) and env(1) */
    EXIT_NO_PROGRAM = 127,
};

static bool ask(const struct addr *at, str line, struct buf *answer, struct err *err)
{
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_system(err, "cannot make a socket");
    bool ok = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
              connect(fd, (const struct sockaddr *)&at->ss, at->len) == 0 &&
              send(fd, line.p, line.n, MSG_NOSIGNAL) == (ssize_t)line.n;
    while (ok && str_find_char(buf_str(answer), '\n', 0) < 0) {
        char *room = buf_reserve(answer, 4096);
        ssize_t n = room ? recv(fd, room, 4096, 0) : 0;
        ok = n > 0;
        buf_commit(answer, n > 0 ? (size_t)n : 0);
    }
    if (!ok)
        (void)err_system(err, "the gateway does not answer on its launch socket; is it running, "
                              "and has an agent \"launch\" in its configuration?");
    close(fd);
    return ok;
}

static void put_env(const char *name, str prefix, str value)
{
    struct arena a = {0};
    if (value.n)
        setenv(name, str_fmt(&a, "%.*s%.*s", STR(prefix), STR(value)).p, 1);
    else
        unsetenv(name); /* of another gateway, perhaps */
    arena_fini(&a);
}

static bool launch(struct cli *c, const struct addr *at, struct err *err)
{
    struct buf line = {0}, answer = {.max = ANSWER_BYTES_MAX};
    const json *v = NULL;
    str agent = args_get(&c->args, "agent");
    struct jw w = jw(&line);
    jw_obj(&w);
    if (agent.n)
        jw_kstr(&w, S("agent"), agent);
    jw_end_obj(&w);
    buf_put(&line, S("\n"));
    bool ok = ask(at, buf_str(&line), &answer, err) &&
              json_read(&c->arena, buf_str(&answer), NULL, &v, err);
    if (ok && json_get_str(v, S("error")).n)
        ok = err_denied(err, "%.*s", STR(json_get_str(v, S("error"))));
    if (ok) {
        put_env("SPIFFE_ENDPOINT_SOCKET", S("unix://"), json_get_str(v, S("workloadSocket")));
        put_env("AMBIT_AGENT_SOCKET", S(""), json_get_str(v, S("agentSocket")));
    }
    buf_fini(&line);
    buf_fini(&answer);
    return ok;
}

static bool become(str name, struct err *err)
{
    struct arena a = {0};
    errno = 0;
    const struct passwd *pw = getpwnam(str_dup(&a, name).p);
    arena_fini(&a);
    if (!pw)
        return err_notfound(err, "there is no user %.*s on this machine", STR(name));
    if (initgroups(pw->pw_name, pw->pw_gid) != 0 ||
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
        return err_system(err, "cannot become user %.*s: only root can", STR(name));
    return true;
}

static int execute(struct cli *c)
{
    char **argv = ARENA_ARRAY(&c->arena, char *, c->args.pos_n + 1);
    for (size_t i = 0; i < c->args.pos_n; i++)
        argv[i] = (char *)(uintptr_t)c->args.pos[i].p; /* they are words of argv */
    execvp(argv[0], argv);
    int status = errno == ENOENT ? EXIT_NO_PROGRAM : EXIT_CANNOT_RUN;
    (void)err_system(&c->err, "cannot run %s", argv[0]);
    (void)cli_failed(c);
    return status;
}

static int run_cmd(struct cli *c)
{
    str socket = args_get(&c->args, "socket"), user = args_get(&c->args, "user");
    struct addr at;
    if (!socket.n) {
        int status = cli_conf(c, false);
        if (status) {
            fprintf(stderr, "ambit run: --socket PATH goes without a configuration\n");
            return status;
        }
        socket = c->conf.launch_socket;
    }
    if (!addr_unix(socket, &at, &c->err) || !launch(c, &at, &c->err))
        return cli_failed(c);
    if (user.n && !become(user, &c->err))
        return cli_failed(c);
    return execute(c);
}

static const struct opt OPTS[] = {
    {"agent", 0, OPT_VALUE, "NAME", "the agent it is to be (default: the only one it may be)"},
    {"user", 0, OPT_VALUE, "USER", "run as this user of the machine (started as root)"},
    {"socket", 0, OPT_VALUE, "PATH", "launch socket; then no configuration is needed"},
    {0}};

static const struct verb RUN[] = {
    {NULL, HAS_CONF, 1, SIZE_MAX,
     "[--agent NAME] [--user USER] [--socket PATH] -- PROGRAM [ARGUMENT...]",
     "Registers this process as an agent and becomes the program.",
     "ambit run --agent desk -- python3 agent.py", OPTS, run_cmd},
};

int cmd_run(int argc, char **argv)
{
    return verbs_run("run", RUN, 1, argc, argv);
}
