"""Policy sets as a gateway for agents has them: one action for each tool, about five policies for each action.

Every policy is made once and written three times: as Cedar, as a Rego rule and as a Casbin line. The three guardrails
name no single action, so every request has them to look at.
"""

import random

REGIONS = ["eu", "us", "apac", "latam"]

SCHEMA = """\
entity Team in [Team];
entity Agent in [Team] {{ level: Long, status: String }};
entity System;
type Args = {{ amount: Long, region: String, path: String, count: Long, dry_run?: Bool }};
action writes, reads;
{actions}
"""

REGO_HEAD = """\
package bench

default allow := false

allow if {
	permit
	not forbid
}

me := data.e[input.principal]

args := input.context.args

"""


class Policy:
    """One policy in three languages. Team, agent, system: names or None."""

    def __init__(self, effect, actions, cedar, rego, casbin, team=None, agent=None, system=None, typed=False, group=None):
        self.effect, self.actions, self.group = effect, actions, group
        self.team, self.agent, self.system, self.typed = team, agent, system, typed
        self.conditions = cedar, rego, casbin

    def cedar(self):
        principal = "principal"
        if self.agent:
            principal += f' == Agent::"{self.agent}"'
        elif self.team:
            principal += (" is Agent" if self.typed else "") + f' in Team::"{self.team}"'
        action = "action"
        if self.group:
            action += f' in Action::"{self.group}"'
        elif len(self.actions) == 1:
            action += f' == Action::"{self.actions[0]}"'
        elif self.actions:
            action += " in [" + ", ".join(f'Action::"{a}"' for a in self.actions) + "]"
        resource = "resource"
        if self.system:
            resource += f' == System::"{self.system}"'
        elif self.typed:
            resource += " is System"
        condition = f"\nwhen {{ {self.conditions[0]} }}" if self.conditions[0] else ""
        return f"{self.effect} ({principal}, {action}, {resource}){condition};\n"

    def rego(self):
        lines = []
        if self.agent:
            lines.append(f'input.principal == "Agent::{self.agent}"')
        elif self.team:
            lines.append(f'me.up["Team::{self.team}"]')
        if self.system:
            lines.append(f'input.resource == "System::{self.system}"')
        if self.group:
            lines.append(f'data.e[input.action].up["Action::{self.group}"]')
        lines += self.conditions[1]
        bodies = [[f'input.action == "Action::{a}"'] + lines for a in self.actions] or [lines]
        return "".join(f"{self.effect} if {{\n\t" + "\n\t".join(b) + "\n}\n\n" for b in bodies)

    def casbin(self):
        parts = []
        if self.agent:
            parts.append(f"r.sub.Name == 'Agent::{self.agent}'")
        elif self.team:
            parts.append(f"g(r.sub.Name, 'Team::{self.team}')")
        if self.system:
            parts.append(f"r.obj == 'System::{self.system}'")
        if self.group:
            parts.append(f"g(r.act, 'Action::{self.group}')")
        if self.conditions[2]:
            parts.append(self.conditions[2])
        effect = "allow" if self.effect == "permit" else "deny"
        actions = [f"Action::{a}" for a in self.actions] or ["*"]
        return [[a, effect, " && ".join(parts) or "true"] for a in actions]


def guardrails():
    return [
        Policy("forbid", [], 'principal.status == "suspended"', ['me.attrs.status == "suspended"'],
               "r.sub.Status == 'suspended'", group="writes"),
        Policy("forbid", [], 'context.args.path like "/etc/*"', ['startswith(args.path, "/etc/")'],
               "prefix(r.args.Path, '/etc/')"),
        Policy("forbid", [], "context.args.count > 5000", ["args.count > 5000"], "r.args.Count > 5000"),
    ]


def tool_policies(rng, tool, next_tool, names):
    amount, level, count = rng.randrange(100, 2000), rng.randrange(1, 6), rng.randrange(20, 80)
    region, other = rng.sample(REGIONS, 2)
    system = names["system_of"](tool)
    teams = [rng.choice(names["teams"]) for _ in range(3)]
    return [
        Policy("permit", [tool], f'context.args.amount <= {amount} && context.args.region == "{region}"',
               [f"args.amount <= {amount}", f'args.region == "{region}"'],
               f"r.args.Amount <= {amount} && r.args.Region == '{region}'", team=teams[0], system=system),
        Policy("permit", [tool], "", [], "", agent=rng.choice(names["agents"])),
        Policy("permit", [tool], f'principal.level >= {level} && ["{region}", "{other}"].contains(context.args.region)',
               [f"me.attrs.level >= {level}", f'args.region in {{"{region}", "{other}"}}'],
               f"r.sub.Level >= {level} && r.args.Region in ('{region}', '{other}')", team=teams[1], system=system),
        Policy("forbid", [tool], f"context.args has dry_run && !context.args.dry_run && context.args.amount > {amount + 500}",
               ["args.dry_run == false", f"args.amount > {amount + 500}"],
               f"r.args.HasDryRun && !r.args.DryRun && r.args.Amount > {amount + 500}"),
        Policy("permit", [tool, next_tool], f"context.args.count <= {count}", [f"args.count <= {count}"],
               f"r.args.Count <= {count}", team=teams[2], typed=True),
    ]


def uid(kind, name):
    return {"type": kind, "id": name}


def entities_of(rng, tools, names):
    out = [{"uid": uid("Action", g), "attrs": {}, "parents": []} for g in ("writes", "reads")]
    out += [{"uid": uid("Action", t), "attrs": {}, "parents": [uid("Action", names["group_of"](t))]} for t in tools]
    out += [{"uid": uid("Team", t), "attrs": {}, "parents": [uid("Team", names["teams"][0])] if i else []}
            for i, t in enumerate(names["teams"])]
    out += [{"uid": uid("System", s), "attrs": {}, "parents": []} for s in names["systems"]]
    for agent in names["agents"]:
        parents = [uid("Team", t) for t in names["member"][agent]]
        attrs = {"level": rng.randrange(1, 8), "status": "suspended" if rng.random() < 0.03 else "active"}
        out.append({"uid": uid("Agent", agent), "attrs": attrs, "parents": parents})
    return out


def request(rng, policies, tools, names):
    """Mostly somebody whom some policy of the tool may permit."""
    tool_at = rng.randrange(len(tools))
    tool = tools[tool_at]
    agent = rng.choice(names["agents"])
    wanted = [p for p in policies[tool_at] if p.agent or p.team]
    if wanted and rng.random() < 0.7:
        p = rng.choice(wanted)
        agent = p.agent or rng.choice(names["members"].get(p.team) or [agent])
    args = {"amount": rng.randrange(2500), "region": rng.choice(REGIONS), "count": rng.randrange(100),
            "path": rng.choice(["/srv/data/a.csv", "/home/u/report.txt", "/var/tmp/x", "/etc/passwd"])}
    if rng.random() < 0.5:
        args["dry_run"] = rng.random() < 0.5
    return {"principal": uid("Agent", agent), "action": uid("Action", tool),
            "resource": uid("System", names["system_of"](tool)), "context": {"args": args}}


def names_for(rng, n, tools):
    teams = [f"team{i}" for i in range(max(4, n // 50))]
    agents = [f"agent-{i:05d}" for i in range(max(10, n // 10))]
    systems = [f"system{i}" for i in range(max(2, len(tools) // 10))]
    member = {a: sorted({rng.choice(teams) for _ in range(3)}) for a in agents}
    members = {}
    for agent, of in member.items():
        for team in of:
            members.setdefault(team, []).append(agent)
    number = {t: i for i, t in enumerate(tools)}
    return {"teams": teams, "agents": agents, "systems": systems, "member": member, "members": members,
            "system_of": lambda t: systems[number[t] % len(systems)],
            "group_of": lambda t: "writes" if number[t] % 2 else "reads"}


def case(n, request_count, seed=7):
    """All texts of one case with n policies: a dict of file name to content (or list of JSON values)."""
    rng = random.Random(f"{seed}/{n}")
    tool_count = max(1, -(-(n - 3) // 5))
    tools = [f"crm_{i}__update_record" for i in range(tool_count)]
    names = names_for(rng, n, tools)
    of_tool = [tool_policies(rng, t, tools[(i + 1) % tool_count], names) for i, t in enumerate(tools)]
    policies = (guardrails() + [p for of in of_tool for p in of])[:n]
    actions = [f'action "{t}" in [{names["group_of"](t)}] appliesTo {{ principal: Agent, resource: System, '
               "context: { args: Args } };" for t in tools]
    schema = SCHEMA.format(actions="\n".join(actions))
    world = {"entities": entities_of(rng, tools, names),
             "requests": [request(rng, of_tool, tools, names) for _ in range(request_count)]}
    return {"policies.cedar": "".join(p.cedar() for p in policies), "schema.cedarschema": schema,
            "policy.rego": REGO_HEAD + "permit if false\n\nforbid if false\n\n" + "".join(p.rego() for p in policies),
            "casbin.json": [line for p in policies for line in p.casbin()], "worlds.jsonl": [world]}
