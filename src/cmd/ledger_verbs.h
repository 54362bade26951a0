/* ledger_verbs: verbs of `ambit ledger` that stand in files of their own. */
#pragma once
#include "cmd/cli.h"

/* witness.c */
extern const struct opt LEDGER_WITNESS_OPTS[];
int ledger_witness(struct cli *c);
