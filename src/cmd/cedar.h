/* cedar: what the verbs of `ambit cedar` have in common. */
#pragma once
#include "cmd/cli.h"

int cedar_batch(struct cli *c); /* cedar_batch.c */
