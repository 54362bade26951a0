"""Whether two answers say the same.

What is not compared: the texts of messages; how many findings a policy has, as long as it has any (we say a mistake
once for a place, the official engine once for each action and entity type it is seen with, and with wider places); our own
warnings that the official engine has nothing like."""

import json

OWN_WARNINGS = {"suspicious-text"}
TEXTS = {"policyToText": "policyToJson", "templateToText": "templateToJson", "schemaToText": "schemaToJson", "formatPolicies": "policyToJson"}


def line(id_, call, source):
    return '{"id":%s,"call":"%s","input":%s}' % (json.dumps(id_), call, source)


def policies_of(findings):
    return sorted({f["policyId"] for f in findings if f["error"]["code"] not in OWN_WARNINGS})


def facts(call, output):
    """What of an answer is compared, by name."""
    if "died" in output:
        return {"type": "died"}
    if "crashed" in output:
        return {"type": "crashed"}
    if "error" in output and "no call" not in output["error"]:
        return {"type": "failure"}  # the line was refused before the call was looked at
    if output.get("type") != "success":
        return {"type": output.get("type", "no answer")}
    out = {"type": "success"}
    if "response" in output:
        response = output["response"]
        out["decision"] = response["decision"]
        out["reason"] = sorted(response["diagnostics"]["reason"])
        out["errors"] = sorted(e["policyId"] for e in response["diagnostics"]["errors"])
    if "validationErrors" in output:
        for what in ("errors", "warnings"):
            out[f"validation {what}"] = policies_of(output[f"validation{what.capitalize()}"])
        out["other warnings"] = len(output["otherWarnings"])
    if "warnings" in output:
        out["warnings"] = len(output["warnings"])
    for side in ("principals", "actions", "resources"):
        if side in output:
            out[side] = sorted(output[side])
    if "json" in output:
        out["json"] = output["json"]
    return out


def written(call, output):
    """The texts in an answer, each with the call that reads it back."""
    if output.get("type") != "success":
        return []
    if call in TEXTS:
        return [(TEXTS[call], output["formatted_policy" if call == "formatPolicies" else "text"])]
    if call == "policySetTextToParts":
        return [("policyToJson", t) for t in output["policies"]] + [("templateToJson", t) for t in output["policy_templates"]]
    return []


def all_facts(official, cases, answers):
    """The facts of each answer; a text in it counts as what the official engine reads in it."""
    found, lines, owners = [], [], []
    for (_, call, _), answer in zip(cases, answers):
        found.append(facts(call, answer))
        for again, text in written(call, answer):
            found[-1].setdefault("texts", [])
            owners.append(found[-1])
            lines.append(line("", again, json.dumps(text)))
    for owner, answer in zip(owners, official.answers(lines)):
        owner["texts"].append(facts("", answer))
    return found


def difference(theirs, mine):
    """A short name for how two facts differ, None where they do not."""
    if theirs["type"] == "died" or theirs == mine:
        return None
    if theirs["type"] != mine["type"]:
        return f"official {theirs['type']}, ours {mine['type']}"
    return ", ".join(name for name in {**theirs, **mine} if theirs.get(name) != mine.get(name))
