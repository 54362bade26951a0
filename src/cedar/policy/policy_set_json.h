/* policy_set_json: whole policy sets in their JSON form.
 *
 *     {"staticPolicies": {id: policy ..}, "templates": {id: template ..},
 *      "templateLinks": [{"templateId", "newId", "values": {"?principal": uid, "?resource": uid}}
 * ..]}
 *
 * with policies and templates as in policy_json.h. A member may be missing; others are refused. All
 * ids differ, and a link names a template of the set and fills exactly its slots. Stricter than the
 * library of SDK 4.12, and as strict as its calls: what stands under "templates" must have a slot.
 *
 * A list that is read holds the static policies, then the templates, then the links, each in the
 * order of the text. */
#pragma once
#include "cedar/policy/policy_json.h"

MUST_USE bool cedar_policies_from_json(struct arena *a, const json *v, struct cedar_policies *out,
                                       struct err *err);
/* The parts, for readers of other forms: each adds to the list (link.h). On failure the list is as
 * it was. */
MUST_USE bool cedar_policies_add_json(struct arena *a, struct cedar_policies *list, str id,
                                      const json *policy, enum cedar_want want, struct err *err);
MUST_USE bool cedar_policies_add_link_json(struct arena *a, struct cedar_policies *list,
                                           const json *link, struct err *err);

/* Links whose template is not in the list are refused. */
MUST_USE bool cedar_policies_to_json(struct buf *out, const struct cedar_policies *list,
                                     struct err *err);
