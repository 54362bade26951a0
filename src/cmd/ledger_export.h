/* ledger_export: the verb `export` of `ambit ledger`; its row stands in ledger.c. */
#pragma once
struct cli;
int ledger_export(struct cli *c);
