#include "role/walls.h"
#include "net/addr.h"
#include "os/drop.h"
#include "os/sandbox.h"
#include "role/system_paths.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>

enum { PATHS_MAX = 512, PORTS_MAX = 256 };

struct plan {
    struct arena a;
    struct sandbox_path paths[PATHS_MAX];
    uint16_t ports[PORTS_MAX];
    struct sandbox_files files;
    struct sandbox_net net;
};

static void add(struct plan *p, str path, unsigned access)
{
    if (p->files.n_paths < PATHS_MAX && path.n)
        p->paths[p->files.n_paths++] = (struct sandbox_path){
            .path = str_dup(&p->a, path).p, .fd = -1, .access = access, .optional = true};
}

static void add_directory(struct plan *p, const struct role_env *env, enum directory_kind kind)
{
    if (env->directories[kind] >= 0 && p->files.n_paths < PATHS_MAX)
        p->paths[p->files.n_paths++] = (struct sandbox_path){
            .fd = env->directories[kind], .access = SANDBOX_READ | SANDBOX_WRITE};
}

/* No file at all; the ports of its upstreams and nothing else. */
static bool plan_edge(struct plan *p, const struct role_env *env, struct err *err)
{
    str run = env->setup.addresses, binding, text;
    bool bad = false;
    while (unpack_str(&run, &binding, &bad) && unpack_str(&run, &text, &bad)) {
        struct addr addr;
        if (!addr_parse(text, &addr, err))
            return err_in(err, "address of %.*s", STR(binding));
        if (p->net.n_connect_ports == PORTS_MAX)
            return err_limit(err, "over %d upstream addresses", PORTS_MAX);
        p->ports[p->net.n_connect_ports++] = addr_port(&addr);
    }
    return !bad || err_peer(err, "addresses are not a run of names and addresses");
}

/* As the edge, and the folders of issuers' files: who keeps one replaces it there. */
static bool plan_fetcher(struct plan *p, const struct role_env *env, struct err *err)
{
    for (size_t i = 0; i < env->conf.issuers_n; i++) {
        str file = env->conf.issuers[i].file;
        size_t n = file.n;
        while (n > 1 && file.p[n - 1] != '/')
            n--;
        if (file.n)
            add(p, str_take(file, n), SANDBOX_READ);
    }
    return plan_edge(p, env, err);
}

static bool plan_core(struct plan *p, const struct role_env *env, struct err *err)
{
    add_directory(p, env, DIRECTORY_STORE);
    add(p, S("/proc"), SANDBOX_READ);
    return true;
}

static bool plan_keeper(struct plan *p, const struct role_env *env, struct err *err)
{
    add_directory(p, env, DIRECTORY_KEYS);
    add_directory(p, env, DIRECTORY_SECRETS);
    return true;
}

static bool plan_publisher(struct plan *p, const struct role_env *env, struct err *err)
{
    (void)err;
    add_directory(p, env, DIRECTORY_LOG);
    return true;
}

static bool plan_nothing(struct plan *p, const struct role_env *env, struct err *err)
{
    (void)p;
    (void)env;
    (void)err;
    return true;
}

/* Who is inside a Landlock cannot look at processes outside of it (landlock(7), ptrace), so there
 * is none: what it may do is in its filter of system calls. */
static bool plan_witness(struct plan *p, const struct role_env *env, struct err *err)
{
    (void)env;
    (void)err;
    p->files.unrestricted = true;
    p->net.tcp_unrestricted = p->net.signals_unrestricted = p->net.abstract_unrestricted = true;
    return true;
}

/* Walls are inherited: what any child may, the runner must be able to pass on. */
static bool plan_runner(struct plan *p, const struct role_env *env, struct err *err)
{
    for (size_t i = 0; i < SYSTEM_PATHS_N; i++)
        add(p, str_z(SYSTEM_PATHS[i].path), SYSTEM_PATHS[i].access);
    add(p, str_fmt(&p->a, "%.*s/children", STR(env->conf.state_dir)),
        SANDBOX_READ | SANDBOX_WRITE | SANDBOX_EXEC);
    for (size_t i = 0; i < env->conf.bindings_n; i++) {
        const struct conf_binding *b = &env->conf.bindings[i];
        if (b->kind != BINDING_STDIO)
            continue;
        if (b->command.n && b->command.p[0] == '/')
            add(p, b->command, SANDBOX_READ | SANDBOX_EXEC);
        add(p, b->cwd, SANDBOX_READ);
        for (size_t k = 0; k < b->read_paths_n; k++)
            add(p, b->read_paths[k], SANDBOX_READ | SANDBOX_EXEC);
        for (size_t k = 0; k < b->write_paths_n; k++)
            add(p, b->write_paths[k], SANDBOX_READ | SANDBOX_WRITE);
        p->net.tcp_unrestricted |= b->network;
        p->net.abstract_unrestricted |= b->network;
    }
    return true;
}

static const struct {
    enum role role;
    enum os_role os;
    uint64_t keep_caps;
    bool (*plan)(struct plan *p, const struct role_env *env, struct err *err);
} WALLS[] = {
    {ROLE_EDGE, OS_ROLE_EDGE, 0, plan_edge},
    {ROLE_CORE, OS_ROLE_CORE, 0, plan_core},
    {ROLE_KEEPER, OS_ROLE_KEEPER, 0, plan_keeper},
    {ROLE_WORKLOAD, OS_ROLE_WORKLOAD, 0, plan_nothing},
    {ROLE_PORTAL, OS_ROLE_PORTAL, 0, plan_nothing},
    {ROLE_PUBLISHER, OS_ROLE_PUBLISHER, 0, plan_publisher},
    {ROLE_WITNESS, OS_ROLE_WITNESS, UINT64_C(1) << CAP_SYS_PTRACE, plan_witness},
    {ROLE_FETCHER, OS_ROLE_FETCHER, 0, plan_fetcher},
    /* A filter of system calls is inherited too, and programs of others need calls that nobody can
     * list: so the runner has the deny-list of its children. The capabilities are there to give
     * children a uid of their own, and to end them. */
    {ROLE_RUNNER, OS_ROLE_NONE,
     UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_KILL, plan_runner},
};

static bool enter(struct role_env *env, size_t row, struct err *err)
{
    struct plan *p = ARENA_NEW(&env->arena, struct plan);
    struct sandbox *box = NULL;
    p->files.paths = p->paths;
    p->net.connect_ports = p->ports;
    int64_t uid = env->setup.uid;
    struct drop d = {.set_ids = uid >= 0, .uid = (uid_t)uid, .gid = (gid_t)uid};
    if (uid >= 0)
        d.keep_caps = WALLS[row].keep_caps;
    bool ok = WALLS[row].plan(p, env, err) &&
              (WALLS[row].os == OS_ROLE_NONE
                   ? sandbox_prepare_child(&p->files, &p->net, &box, err)
                   : sandbox_prepare_role(WALLS[row].os, &p->files, &p->net, false, &box, err)) &&
              drop_privileges(&d, err);
    /* A change of uid clears it (prctl(2)). If the supervisor went in between, its channel says so.
     */
    if (ok && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        ok = err_system(err, "cannot tie this process to its supervisor");
    ok = ok && sandbox_enter(box, err);
    sandbox_free(box);
    arena_fini(&p->a);
    return ok;
}

bool walls_enter(struct role_env *env, struct err *err)
{
    for (size_t i = 0; i < sizeof WALLS / sizeof WALLS[0]; i++)
        if (WALLS[i].role == env->self)
            return enter(env, i, err) || err_in(err, "cannot enter the sandbox");
    return err_input(err, "no sandbox is known for this role");
}
