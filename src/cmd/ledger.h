/* ledger: what the verbs of `ambit ledger` share. Exit statuses as cmd/commands.h. */
#pragma once
#include "cmd/cli.h"
#include "store/read.h"

/* The store of --state, or of the configuration. 0, or the exit status after the complaint. */
int ledger_view(struct cli *c, struct store_view **out);

/* ledger_log.c: the log as a directory of tiles, and proofs. */
int ledger_verify_log(struct cli *c); /* `verify --log` */
int ledger_tiles(struct cli *c);
int ledger_prove(struct cli *c);

/* witness.c: a checkpoint held against a log policy. */
int ledger_witness(struct cli *c);
