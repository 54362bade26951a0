/* schema_text: the Cedar schema of an installation, generated from its configuration (ADR 0005).
 *
 * Namespace Ambit. Principals are agents (in their owners) and, for approvals, humans; an action
 * for each labelled operation "binding/tool", member of "call", of "effect:<effect>", of
 * "system:<binding>" and, where it is so, of "high-impact"; one action "binding" followed by a
 * slash and a star stands for a binding's unlabelled operations, with effect admin and no readable
 * arguments. docs/policies.md describes all of it for policy authors. */
#pragma once
#include "base/buf.h"
#include "conf/conf.h"

void schema_text_write(const struct conf *conf, struct buf *out);
/* The name of the action that decides on this tool: "binding/tool", or the action for unlabelled
 * ones.
 */
str schema_action_of(struct arena *a, const struct conf_binding *b,
                     const struct conf_operation *op);
