/* commands: the subcommands of `ambit`. One file each, one row each in main.c.
 *
 * A command gets its own arguments (argv[0] is its name), writes results to standard output and
 * complaints to standard error, and returns the exit status: 0 done, 1 failed, 2 wrongly called, 78
 * the configuration is wrong. */
#pragma once

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct command {
    const char *name;
    const char *help; /* one line; NULL: not for people, not listed */
    int (*run)(int argc, char **argv);
};

int cmd_serve(int argc, char **argv);
int cmd_role(int argc, char **argv);
int cmd_secret(int argc, char **argv);
