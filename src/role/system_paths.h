/* system_paths: the files of the machine that any child program may use: read-only, and no more
 * than a program and its interpreter need to start. Never the homes, never /var, never /proc of
 * others. */
#pragma once
#include "os/sandbox.h"

struct system_path {
    const char *path;
    unsigned access;
};
extern const struct system_path SYSTEM_PATHS[];
extern const size_t SYSTEM_PATHS_N;
