/* `ambit cedar`: the policy engine alone, on files; no configuration, no gateway. */
#include "cmd/cedar.h"

static const struct verb CEDAR[] = {
    {"batch", 0, 0, 0, "", "Answer calls from standard input, one line of JSON each.",
     "ambit cedar batch < calls.jsonl", NULL, cedar_batch},
};

int cmd_cedar(int argc, char **argv)
{
    return verbs_run("cedar", CEDAR, sizeof CEDAR / sizeof CEDAR[0], argc, argv);
}
