/* Files of the configuration: the one that is named, and the policy files that it names by pattern.
 */
#include "conf/conf.h"
#include "conf/reader.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES_MAX = 4 << 20 };

static bool read_file(struct arena *a, const char *path, str *out, struct err *err)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return err_system(err, "cannot open %s", path);
    struct buf b = {.max = FILE_BYTES_MAX};
    char piece[8192];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(&b, str_of(piece, n));
    bool ok = !ferror(f) && !b.over;
    if (ok)
        *out = str_dup(a, buf_str(&b));
    else if (b.over)
        err_limit(err, "%s is over %d MiB", path, FILE_BYTES_MAX >> 20);
    else
        err_system(err, "cannot read %s", path);
    fclose(f);
    buf_fini(&b);
    return ok;
}

static void load_pattern(struct reader *r, str pattern, struct conf *c, size_t *cap)
{
    glob_t g = {0};
    struct at at = {.path = S("policies")};
    if (glob(str_dup(r->a, pattern).p, 0, NULL, &g) != 0 || g.gl_pathc == 0)
        problem(r, at, "no policy file matches %.*s", STR(pattern));
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct err err;
        if (c->policies_n == *cap) {
            *cap = *cap ? *cap * 2 : 8;
            struct conf_policy_file *list = ARENA_ARRAY(r->a, struct conf_policy_file, *cap);
            if (c->policies_n)
                memcpy(list, c->policies, c->policies_n * sizeof *list);
            c->policies = list;
        }
        struct conf_policy_file *p = &c->policies[c->policies_n];
        p->name = str_dup(r->a, str_z(g.gl_pathv[i]));
        if (read_file(r->a, g.gl_pathv[i], &p->text, &err))
            c->policies_n++;
        else
            problem(r, at, "%s", err.text);
    }
    globfree(&g);
}

static str folder_of(struct arena *a, const char *path)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return S(".");
    str s = str_z(real);
    while (s.n > 1 && s.p[s.n - 1] != '/')
        s.n--;
    if (s.n > 1)
        s.n--;
    return str_dup(a, s);
}

bool conf_load(struct arena *a, const char *path, struct conf *out, str *out_text,
               struct conf_problems *problems)
{
    struct reader r = {.a = a, .problems = problems};
    struct conf c;
    struct err err;
    str text;
    size_t cap = 0;
    if (!read_file(a, path, &text, &err)) {
        problem(&r, (struct at){0}, "%s", err.text);
        return false;
    }
    if (!conf_read(a, str_z(path), folder_of(a, path), text, &c, problems))
        return false;
    for (size_t i = 0; i < c.policy_patterns_n; i++)
        load_pattern(&r, c.policy_patterns[i], &c, &cap);
    if (problems->errors)
        return false;
    *out = c;
    *out_text = text;
    return true;
}
