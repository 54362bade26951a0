#include "role/stdio_world.h"
#include "ipc/pack.h"
#include "role/system_paths.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATHS_MAX = 256, SECRET_ENV_MAX = 64, ENV_OWN = 4 };

static const char *const SEARCH[] = {"/usr/local/bin", "/usr/bin", "/bin"};
#define PATH_VALUE "/usr/local/bin:/usr/bin:/bin"

str stdio_secret(str run, str name)
{
    str n, value;
    bool bad = false;
    while (unpack_str(&run, &n, &bad) && unpack_str(&run, &value, &bad))
        if (str_eq(n, name))
            return value;
    return (str){0};
}

/* A name without '/' is looked for where PATH says; a relative path starts at the configuration. */
static bool find_program(struct stdio_world *w, const struct stdio_child_spec *spec,
                         struct err *err)
{
    str command = spec->binding->command;
    if (str_find_char(command, '/', 0) >= 0) {
        str path = command.p[0] == '/'
                       ? command
                       : str_fmt(&w->arena, "%.*s/%.*s", STR(spec->conf_dir), STR(command));
        w->program = str_dup(&w->arena, path).p;
        if (access(w->program, X_OK) == 0)
            return true;
        return err_input(err, "%s is not a program that can be run", w->program);
    }
    for (size_t i = 0; i < sizeof SEARCH / sizeof SEARCH[0]; i++) {
        w->program = str_fmt(&w->arena, "%s/%.*s", SEARCH[i], STR(command)).p;
        if (access(w->program, X_OK) == 0)
            return true;
    }
    return err_input(err, "there is no program %.*s in " PATH_VALUE ": give its full path",
                     STR(command));
}

static void make_argv(struct stdio_world *w, const struct conf_binding *b)
{
    w->argv = ARENA_ARRAY(&w->arena, const char *, b->args_n + 2);
    w->argv[0] = str_dup(&w->arena, b->command).p;
    for (size_t i = 0; i < b->args_n; i++)
        w->argv[i + 1] = str_dup(&w->arena, b->args[i]).p;
}

static bool put_secret(struct stdio_world *w, const struct conf_value *v, str run, const char **out,
                       struct err *err)
{
    str value = stdio_secret(run, v->secret);
    if (!value.n)
        return err_denied(err, "secret %.*s was not released", STR(v->secret));
    if (w->secret_env_n == SECRET_ENV_MAX)
        return err_limit(err, "over %d variables with secrets", SECRET_ENV_MAX);
    struct buf *b = &w->secret_env[w->secret_env_n++];
    buf_reserve(b, v->name.n + v->prefix.n + value.n + 2); /* no copy is left behind by growing */
    buf_put(b, v->name);
    buf_putc(b, '=');
    buf_put(b, v->prefix);
    buf_put(b, value);
    buf_putc(b, 0);
    *out = buf_str(b).p;
    return true;
}

static bool make_env(struct stdio_world *w, const struct stdio_child_spec *spec, struct err *err)
{
    const struct conf_binding *b = spec->binding;
    const str home = spec->scratch;
    w->env = ARENA_ARRAY(&w->arena, const char *, b->env_n + ENV_OWN + 1);
    for (size_t i = 0; i < b->env_n; i++) {
        const struct conf_value *v = &b->env[i];
        if (!v->secret.n)
            w->env[i] = str_fmt(&w->arena, "%.*s=%.*s", STR(v->name), STR(v->literal)).p;
        else if (!put_secret(w, v, spec->secrets, &w->env[i], err))
            return false;
    }
    const struct {
        str name, value;
    } own[ENV_OWN] = {{S("PATH"), S(PATH_VALUE)},
                      {S("HOME"), home},
                      {S("LANG"), S("C.UTF-8")},
                      {S("TMPDIR"), home}};
    size_t n = b->env_n;
    for (size_t i = 0; i < ENV_OWN; i++) {
        bool given = false;
        for (size_t k = 0; k < b->env_n; k++)
            given |= str_eq(b->env[k].name, own[i].name);
        if (!given)
            w->env[n++] = str_fmt(&w->arena, "%.*s=%.*s", STR(own[i].name), STR(own[i].value)).p;
    }
    return true;
}

static bool make_sandbox(struct stdio_world *w, const struct stdio_child_spec *spec,
                         struct err *err)
{
    const struct conf_binding *b = spec->binding;
    struct sandbox_path paths[PATHS_MAX];
    size_t n = 0;
    if (SYSTEM_PATHS_N + b->read_paths_n + b->write_paths_n + 3 > PATHS_MAX)
        return err_limit(err, "too many paths");
#define PUT(str_path, rights, may_lack)                                                            \
    (paths[n++] = (struct sandbox_path){.path = str_dup(&w->arena, (str_path)).p,                  \
                                        .fd = -1,                                                  \
                                        .access = (rights),                                        \
                                        .optional = (may_lack)})
    for (size_t i = 0; i < SYSTEM_PATHS_N; i++)
        PUT(str_z(SYSTEM_PATHS[i].path), SYSTEM_PATHS[i].access, true);
    PUT(str_z(w->program), SANDBOX_READ | SANDBOX_EXEC, false);
    PUT(spec->scratch, SANDBOX_READ | SANDBOX_WRITE | SANDBOX_EXEC, false);
    if (b->cwd.n)
        PUT(b->cwd, SANDBOX_READ, false);
    for (size_t i = 0; i < b->read_paths_n; i++)
        PUT(b->read_paths[i], SANDBOX_READ | SANDBOX_EXEC, false);
    for (size_t i = 0; i < b->write_paths_n; i++)
        PUT(b->write_paths[i], SANDBOX_READ | SANDBOX_WRITE, false);
#undef PUT
    struct sandbox_files files = {.paths = paths, .n_paths = n};
    struct sandbox_net net = {.tcp_unrestricted = b->network};
    return sandbox_prepare_child(&files, &net, &w->sandbox, err);
}

/* Its name cannot be guessed and its folder cannot be listed by others; the child writes there
 * under another uid than the one that makes it. */
static bool make_scratch(const struct stdio_child_spec *spec, struct arena *a, struct err *err)
{
    const char *path = str_dup(a, spec->scratch).p;
    mode_t mode = spec->uid >= 0 ? 0777 : 0700;
    if (mkdir(path, 0700) != 0 || chmod(path, mode) != 0)
        return err_system(err, "cannot make the scratch folder");
    return true;
}

bool stdio_world_make(struct stdio_world *w, const struct stdio_child_spec *spec, struct err *err)
{
    str cwd = spec->binding->cwd.n ? spec->binding->cwd : spec->scratch;
    w->cwd = str_dup(&w->arena, cwd).p;
    make_argv(w, spec->binding);
    return find_program(w, spec, err) && make_env(w, spec, err) &&
           make_scratch(spec, &w->arena, err) && make_sandbox(w, spec, err);
}

void stdio_world_fini(struct stdio_world *w)
{
    for (size_t i = 0; i < w->secret_env_n; i++)
        buf_wipe(&w->secret_env[i]);
    sandbox_free(w->sandbox);
    arena_fini(&w->arena);
    *w = (struct stdio_world){0};
}

void stdio_scratch_remove(str path)
{
    struct arena a = {0};
    char *roots[] = {arena_alloc(&a, path.n + 1), NULL};
    memcpy(roots[0], path.p, path.n);
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    for (FTSENT *e; tree && (e = fts_read(tree));)
        if (e->fts_info != FTS_D)
            remove(e->fts_path); /* what belongs to the child stays until the next start */
    if (tree)
        fts_close(tree);
    arena_fini(&a);
}
