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

typedef int command_fn(int argc, char **argv);
command_fn cmd_serve, cmd_role, cmd_secret;
command_fn cmd_check, cmd_show, cmd_policy; /* check.c, show.c */
command_fn cmd_cedar;
command_fn cmd_agent; /* agent.c */
command_fn cmd_task, cmd_hold, cmd_operator, cmd_identity;
command_fn cmd_revoke;
command_fn cmd_person;
command_fn cmd_store; /* store.c */
command_fn cmd_trace, cmd_ledger, cmd_connect, cmd_run;
command_fn cmd_tools, cmd_pin, cmd_discover, cmd_status; /* tools.c */

/* Where the configuration is unless -c says: $AMBIT_CONFIG, else ./ambit.json. In cli.c. */
const char *config_default(void);
