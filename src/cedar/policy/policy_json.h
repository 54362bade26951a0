/* policy_json: policies and templates in their JSON form, as SDK 4.12 reads and writes it.
 *
 *     {"effect": "permit" | "forbid",
 *      "principal" | "action" | "resource":
 *          {"op": "All"} | {"op": "==" | "in", "entity": {"type","id"}} |
 *          {"op": "==" | "in", "slot": "?principal" | "?resource"} |
 *          {"op": "in", "entities": [..]}  (action only) |
 *          {"op": "is", "entity_type": "T", "in": {"entity"} | {"slot"}}  (not action),
 *      "conditions": [{"kind": "when" | "unless", "body": expression} ..],
 *      "annotations": {"name": "value" | null}}  (may be left out)
 *
 * Expressions are objects of one member: "Value" (JSON with the escapes __entity and __extn),
 * "Var", the operators with "left" and "right" or "arg", "." and "has" ("left", "attr"; `has` also
 * with an array of names), "like" (pattern: array of "Wildcard" and {"Literal": text}), "is",
 * "if-then-else", "Set", "Record", and calls as {"function": [arguments]}, the receiver first, any
 * number of them.
 *
 * Writing takes the forms that the official engine gives to a policy read from text: chains nest to
 * the left, `has a.b` becomes a chain of &&, a pattern has one element a character, `action in [a]`
 * loses its brackets. So reading what was written gives an equal tree but for these two forms and
 * the parentheses of a chain at the left end of the same chain, (a && b) && c.
 *
 * Unknown members are refused where the official engine refuses them: it lets them pass beside the
 * op All, == and in, and in `has`. Stricter than it: arrays in place of objects ("conditions":
 * [["when", ..]]), {"permit": null} for "permit", repeated member names, and functions that do not
 * exist inside __extn are refused, as is `unknown`.
 *
 * Trees come from json_read, best with cedar_policy_json_limits; what is read borrows from them.
 * Beyond CEDAR_DEPTH_MAX levels of nesting (a chain is one) reading fails. On failure `out` is as
 * it was. */
#pragma once
#include "base/json.h"
#include "cedar/policy/ast.h"

enum { CEDAR_POLICY_JSON_DEPTH_MAX = 2048 }; /* a chain of n terms is 2n deep */
extern const struct json_limits cedar_policy_json_limits;

/* id is borrowed. Spans are empty. */
MUST_USE bool cedar_policy_from_json(struct arena *a, const json *v, str id, enum cedar_want want,
                                     struct cedar_policy *out, struct err *err);
MUST_USE bool cedar_expr_from_json(struct arena *a, const json *v, struct cedar_expr **out,
                                   struct err *err);

/* These fail only when out->max is reached. A link is written as a static policy. */
MUST_USE bool cedar_policy_to_json(struct buf *out, const struct cedar_policy *p, struct err *err);
MUST_USE bool cedar_expr_to_json(struct buf *out, const struct cedar_expr *e, struct err *err);
