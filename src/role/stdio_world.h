/* stdio_world: what a child program is started with: its program file, arguments, environment,
 * scratch folder and sandbox, made from its binding. */
#pragma once
#include "os/sandbox.h"
#include "role/stdio_child.h"

struct stdio_world { /* zero = nothing made */
    struct arena arena;
    const char *program, *cwd;
    const char **argv, **env;  /* end with NULL */
    struct buf secret_env[64]; /* lines of env that hold secrets: wiped by fini */
    size_t secret_env_n;
    struct sandbox *sandbox;
};

MUST_USE bool stdio_world_make(struct stdio_world *w, const struct stdio_child_spec *spec,
                               struct err *err);
void stdio_world_fini(struct stdio_world *w);
/* The value of a secret in a run of names and values; empty if it is not there. */
str stdio_secret(str run, str name);
/* Removes the scratch folder and what is in it, as far as the owner of the files permits. */
void stdio_scratch_remove(str path);
