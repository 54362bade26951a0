/* identity_issuers: a verb of `ambit identity`, in a file of its own. */
#pragma once
#include "cmd/cli.h"

int identity_issuers(struct cli *c);
