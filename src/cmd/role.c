/* `ambit role NAME`: what the supervisor executes. Not for people. */
#include "cmd/commands.h"
#include "role/role.h"

#include <stdio.h>
#include <unistd.h>

static const struct {
    enum role role;
    int (*run)(void);
} ROLES[] = {
    {ROLE_EDGE, role_edge},       {ROLE_CORE, role_core},         {ROLE_KEEPER, role_keeper},
    {ROLE_RUNNER, role_runner},   {ROLE_WORKLOAD, role_workload}, {ROLE_PORTAL, role_portal},
    {ROLE_FETCHER, role_fetcher}, {ROLE_WITNESS, role_witness},   {ROLE_PUBLISHER, role_publisher},
};

int cmd_role(int argc, char **argv)
{
    enum role role = argc == 2 ? role_parse(str_z(argv[1])) : ROLE_NONE;
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
        if (ROLES[i].role == role)
            _exit(ROLES[i].run()); /* nothing to save, and the sandbox forbids most of it */
    fprintf(stderr, "ambit: there is no such role\n");
    return EXIT_USAGE;
}
