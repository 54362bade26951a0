#include "cmd/commands.h"
#include "role/role.h"

#include <getopt.h>
#include <stdio.h>

static const char USAGE[] =
    "usage: ambit serve [-c CONFIG] [--allow-unsandboxed]\n"
    "\n"
    "  -c CONFIG              configuration file (default $AMBIT_CONFIG, else ./ambit.json)\n"
    "  --allow-unsandboxed    go on where the kernel cannot wall off files (no Landlock)\n";

int cmd_serve(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"allow-unsandboxed", no_argument, NULL, 'u'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct supervisor_options o = {.config_path = config_default()};
    for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (c == 'c') {
            o.config_path = optarg;
        } else if (c == 'u') {
            o.allow_unsandboxed = true;
        } else {
            fputs(USAGE, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : EXIT_USAGE;
        }
    }
    if (optind != argc) {
        fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    return supervisor_main(&o);
}
