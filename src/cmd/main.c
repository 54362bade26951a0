/* ambit: one program; the first argument says what it is to be. */
#include "cmd/commands.h"

#include <stdio.h>
#include <string.h>

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command COMMANDS[] = {
    {"serve", "run the gateway", cmd_serve},
    {"check", "check the configuration and its policies", cmd_check},
    {"show", "print the configuration in force", cmd_show},
    {"secret", "set, list or remove the secrets that servers need", cmd_secret},
    {"policy", "check policies, print their schema, explain a decision", cmd_policy},
    {"cedar", "the policy engine alone: authorize, validate, format, translate", cmd_cedar},
    {"person", "people's passkeys, sessions and one-time links", cmd_person},
    {"operator", "the keys with which people prove themselves", cmd_operator},
    {"identity", "issuers and their keys, and identities that are revoked", cmd_identity},
    {"task", "open, list, show and close tasks; get their tokens", cmd_task},
    {"revoke", "close everything of an agent, an owner or a binding, with a receipt", cmd_revoke},
    {"agent", "list, show, suspend and resume agents", cmd_agent},
    {"hold", "look at calls that wait for a person, and decide them", cmd_hold},
    {"connect", "a stdio MCP server for any client: the way in for agents", cmd_connect},
    {"run", "run an agent's program under a registered identity", cmd_run},
    {"trace", "who did what, for whom and by whose decision", cmd_trace},
    {"ledger", "verify the ledger", cmd_ledger},
    {"store", "check the store and where it lies", cmd_store},
    {"tools", "list the tools of all bindings", cmd_tools},
    {"pin", "review tool definitions that have changed", cmd_pin},
    {"discover", "ask a server for its tools again", cmd_discover},
    {"status", "how the running gateway is", cmd_status},
    {"version", "print the version", cmd_version},
    {"help", "print this", cmd_help},
    {"role", NULL, cmd_role},
};
enum { COMMANDS_N = sizeof COMMANDS / sizeof COMMANDS[0] };

static void print_help(FILE *to)
{
    fprintf(to, "usage: ambit COMMAND [ARGUMENTS]\n\n");
    for (size_t i = 0; i < COMMANDS_N; i++)
        if (COMMANDS[i].help)
            fprintf(to, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].help);
}

static int cmd_help(int argc, char **argv)
{
    print_help(stdout);
    return 0;
}

static int cmd_version(int argc, char **argv)
{
    puts("ambit " AMBIT_VERSION);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    for (size_t i = 0; i < COMMANDS_N; i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return COMMANDS[i].run(argc - 1, argv + 1);
    fprintf(stderr, "ambit: there is no command \"%s\"\n\n", name);
    print_help(stderr);
    return EXIT_USAGE;
}
