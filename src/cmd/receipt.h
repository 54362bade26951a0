/* receipt: what a closing did, for a person (docs/formats/receipt.md): what was closed, each step
 * with its time, what became of credentials, and what is not dead. */
#pragma once
#include "cmd/cli.h"

/* Prints it, as JSON with --json. Returns the exit status: EXIT_FAILED if it says incomplete. */
int print_receipt(struct cli *c, const json *receipt);
