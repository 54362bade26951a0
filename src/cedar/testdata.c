#include "cedar/testdata.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool run(const char *const argv[])
{
    pid_t pid;
    int status = 0;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ) != 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool testdata_open(struct testdata *t, const char *dir)
{
    const char *shared = getenv("AMBIT_SHARED");
    char archive[512];
    *t = (struct testdata){0};
    if (!dir)
        dir = getenv("AMBIT_CEDAR_DATA");
    if (dir)
        return snprintf(t->dir, sizeof t->dir, "%s", dir) < (int)sizeof t->dir;
    (void)snprintf(archive, sizeof archive, "%s/cedar/cedar-testdata.tar.xz",
                   shared ? shared : SOURCE_ROOT "/../shared");
    if (access(archive, R_OK) != 0) {
        printf("skipped: no test data at %s (set AMBIT_SHARED)\n", archive);
        return false;
    }
    (void)snprintf(t->dir, sizeof t->dir, "/tmp/cedar-testdata-XXXXXX");
    t->temporary = mkdtemp(t->dir);
    const char *const tar[] = {"tar", "-xJf", archive, "-C", t->dir, NULL};
    if (t->temporary && run(tar))
        return true;
    printf("skipped: cannot unpack %s\n", archive);
    testdata_close(t);
    return false;
}

void testdata_close(struct testdata *t)
{
    const char *const rm[] = {"rm", "-rf", "--", t->dir, NULL};
    if (t->temporary && !run(rm))
        printf("could not remove %s\n", t->dir);
    t->temporary = false;
}

bool testdata_read(const struct testdata *t, struct arena *a, const char *sub, str name,
                   const char *suffix, str *out)
{
    str path = str_fmt(a, "%s/%s/%.*s%s", t->dir, sub, STR(name), suffix);
    FILE *f = fopen(path.p, "rb");
    if (!f)
        return false;
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    char *p = arena_alloc(a, n + 1);
    bool ok = fread(p, 1, n, f) == n;
    fclose(f);
    *out = str_of(p, n);
    return ok;
}

const json *testdata_json(const struct testdata *t, struct arena *a, const char *sub, str name,
                          const char *suffix)
{
    str text;
    const json *out;
    struct err err;
    if (!testdata_read(t, a, sub, name, suffix, &text) || !json_read(a, text, NULL, &out, &err))
        return NULL;
    return out;
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

void testdata_each(const struct testdata *t, const char *sub, const char *suffix,
                   void (*fn)(void *ctx, str name), void *ctx)
{
    ARENA_SCOPE struct arena a = {0};
    str *names = ARENA_ARRAY(&a, str, 100000);
    size_t n = 0;
    DIR *d = opendir(str_fmt(&a, "%s/%s", t->dir, sub).p);
    for (struct dirent *one; d && n < 100000 && (one = readdir(d));) {
        str name = str_z(one->d_name);
        if (str_ends(name, str_z(suffix)))
            names[n++] = str_dup(&a, str_take(name, name.n - strlen(suffix)));
    }
    if (d)
        closedir(d);
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++)
        fn(ctx, names[i]);
}
