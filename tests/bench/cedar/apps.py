"""The three applications of the OOPSLA 2024 paper on Cedar, policies, schemas and generators written anew after its
description: a document drive (gdrive), code hosting (github), shared to-do lists (tinytodo); and the first two again with
their shares as links of templates, written out as one policy for each link (gdrive-templates, github-templates).

A case is many hierarchies (worlds) of one size, the number of entities of each main type, with random requests for each.
"""

import random

REGO_HEAD = """\
package bench

default allow := false

allow if {
	permit
	not forbid
}

p := data.e[input.principal]

r := data.e[input.resource]

"""


def uid(kind, name):
    return {"type": kind, "id": str(name)}


def ref(kind, name):
    return {"__entity": uid(kind, name)}


def entity(kind, name, parents=(), **attrs):
    return {"uid": uid(kind, name), "attrs": attrs, "parents": list(parents)}


def text_of(of):
    return f'{of["type"]}::"{of["id"]}"'


def some(rng, items, most):
    return rng.sample(items, rng.randint(0, min(most, len(items))))


def nested(rng, kind, n):
    """n entities of a kind, each in some of those before it."""
    return [entity(kind, i, [uid(kind, k) for k in some(rng, range(i), 2)]) for i in range(n)]


# ---- gdrive: a share is something that documents and folders are put into, and users hold ----

GDRIVE_SCHEMA = """\
entity Share;
entity Group in [Group];
entity User in [Group] { views: Set<Share>, edits: Set<Share> };
entity Folder in [Share, Folder];
entity Document in [Share, Folder] { owner: User, isPublic: Bool, isLocked: Bool };
action read, write, share, remove appliesTo { principal: User, resource: Document };
"""

GDRIVE_COMMON = """\
permit (principal, action in [Action::"read", Action::"write", Action::"share", Action::"remove"], resource)
when { resource.owner == principal };
permit (principal, action == Action::"read", resource) when { resource.isPublic };
forbid (principal, action in [Action::"write", Action::"remove"], resource) when { resource.isLocked };
"""

GDRIVE_POLICIES = GDRIVE_COMMON + """\
permit (principal, action == Action::"read", resource) when { resource in principal.views };
permit (principal, action in [Action::"read", Action::"write"], resource) when { resource in principal.edits };
"""

GDRIVE_REGO = REGO_HEAD + """\
permit if r.attrs.owner == input.principal

permit if {
	input.action == "Action::read"
	r.attrs.isPublic
}

permit if {
	input.action == "Action::read"
	some share in p.attrs.views
	r.up[share]
}

permit if {
	input.action in {"Action::read", "Action::write"}
	some share in p.attrs.edits
	r.up[share]
}

forbid if {
	input.action in {"Action::write", "Action::remove"}
	r.attrs.isLocked
}
"""


def gdrive(rng, n, linked):
    out, links = nested(rng, "Group", n), []
    for i in range(n):
        groups = some(rng, range(n), 3)
        holds = [f"user{i}"] + [f"group{g}" for g in groups]
        edits = [h for h in holds if rng.random() < 0.5]
        out.append(entity("User", i, [uid("Group", g) for g in groups], views=[ref("Share", h) for h in holds],
                          edits=[ref("Share", h) for h in edits]))
        out += [entity("Share", f"user{i}"), entity("Share", f"group{i}")]

    def shares(kind, name):
        got = [f"{rng.choice(['user', 'group'])}{rng.randrange(n)}" for _ in range(rng.randint(0, 2))]
        for share in got:
            holder = uid("User" if share.startswith("user") else "Group", share.removeprefix("user").removeprefix("group"))
            action = rng.choice(["read", "write"])
            links.append(f'permit (principal in {text_of(holder)}, action == Action::"{action}", '
                         f"resource in {text_of(uid(kind, name))});\n")
        return [] if linked else [uid("Share", s) for s in got]

    for i in range(n):
        out.append(entity("Folder", i, [uid("Folder", f) for f in some(rng, range(i), 1)] + shares("Folder", i)))
    for i in range(n):
        out.append(entity("Document", i, [uid("Folder", rng.randrange(n))] + shares("Document", i),
                          owner=ref("User", rng.randrange(n)), isPublic=rng.random() < 0.05, isLocked=rng.random() < 0.1))
    requests = [(uid("User", rng.randrange(n)), rng.choice(["read", "read", "write", "share", "remove"]),
                 uid("Document", rng.randrange(n))) for _ in range(500)]
    return out, requests, GDRIVE_COMMON + "".join(links)


# ---- github: each role of a repository is a group, each group in that of the next lower role ----

ROLES = ["reader", "triager", "writer", "maintainer", "admin"]
GITHUB_ACTIONS = {"pull": "reader", "fork": "reader", "triage": "triager", "push": "writer", "release": "maintainer",
                  "addMember": "admin", "removeMember": "admin"}
ISSUE_ACTIONS = {"readIssue": "reader", "assignIssue": "triager", "editIssue": "writer", "closeIssue": "triager"}

GITHUB_SCHEMA = """\
entity Team in [Team, Role];
entity Role in [Role];
entity User in [Team, Role];
entity Repository { reader: Role, triager: Role, writer: Role, maintainer: Role, admin: Role, archived: Bool };
entity Issue { repository: Repository, reporter: User };
action %s appliesTo { principal: User, resource: Repository };
action %s appliesTo { principal: User, resource: Issue };
""" % (", ".join(GITHUB_ACTIONS), ", ".join(ISSUE_ACTIONS))

GITHUB_COMMON = """\
permit (principal, action in [Action::"editIssue", Action::"closeIssue"], resource)
when { resource.reporter == principal && principal in resource.repository.reader };
forbid (principal, action in [Action::"push", Action::"release"], resource) when { resource.archived };
"""

GITHUB_ISSUES = "".join(f'permit (principal, action == Action::"{a}", resource) when {{ principal in resource.repository.{r} }};\n'
                        for a, r in ISSUE_ACTIONS.items())
GITHUB_POLICIES = GITHUB_COMMON + GITHUB_ISSUES + "".join(
    f'permit (principal, action == Action::"{a}", resource) when {{ principal in resource.{r} }};\n'
    for a, r in GITHUB_ACTIONS.items())

GITHUB_REGO = REGO_HEAD + "repository := data.e[r.attrs.repository]\n\n" + "".join(
    f'permit if {{\n\tinput.action == "Action::{a}"\n\tp.up[r.attrs.{role}]\n}}\n\n' for a, role in GITHUB_ACTIONS.items()
) + "".join(
    f'permit if {{\n\tinput.action == "Action::{a}"\n\tp.up[repository.attrs.{role}]\n}}\n\n' for a, role in ISSUE_ACTIONS.items()
) + """\
permit if {
	input.action in {"Action::editIssue", "Action::closeIssue"}
	r.attrs.reporter == input.principal
	p.up[repository.attrs.reader]
}

forbid if {
	input.action in {"Action::push", "Action::release"}
	r.attrs.archived
}
"""


def github(rng, n, linked):
    out, links = [], []
    role = lambda repository, name: uid("Role", f"{repository}-{name}")
    for i in range(n):
        roles = {name: {"__entity": role(i, name)} for name in ROLES}
        out.append(entity("Repository", i, archived=rng.random() < 0.1, **roles))
        out += [entity("Role", f"{i}-{name}", [role(i, ROLES[k - 1])] if k else []) for k, name in enumerate(ROLES)]
        for action, of in GITHUB_ACTIONS.items():
            links.append(f'permit (principal in {text_of(role(i, of))}, action == Action::"{action}", '
                         f'resource == Repository::"{i}");\n')
        out.append(entity("Issue", i, repository=ref("Repository", rng.randrange(n)), reporter=ref("User", rng.randrange(n))))
    grants = lambda most: [role(rng.randrange(n), rng.choice(ROLES)) for _ in range(rng.randint(0, most))]
    for i in range(n):
        out.append(entity("Team", i, [uid("Team", k) for k in some(rng, range(i), 2)] + grants(3)))
        out.append(entity("User", i, [uid("Team", k) for k in some(rng, range(n), 3)] + grants(2)))
    requests = []
    for _ in range(500):
        issue = rng.random() < 0.3
        requests.append((uid("User", rng.randrange(n)), rng.choice(list(ISSUE_ACTIONS if issue else GITHUB_ACTIONS)),
                         uid("Issue" if issue else "Repository", rng.randrange(n))))
    return out, requests, GITHUB_COMMON + GITHUB_ISSUES + "".join(links)


# ---- tinytodo ----

EDITS = ["updateList", "createTask", "updateTask", "deleteTask"]
LIST_ACTIONS = ["getList", *EDITS, "editShares", "deleteList"]

TINYTODO_SCHEMA = """\
entity Application;
entity Team in [Team, Application];
entity User in [Team, Application];
entity List in [Application] { owner: User, readers: Team, editors: Team };
action createList, getLists appliesTo { principal: User, resource: Application };
action %s appliesTo { principal: User, resource: List };
""" % ", ".join(LIST_ACTIONS)

TINYTODO_POLICIES = """\
permit (principal, action in [Action::"createList", Action::"getLists"], resource == Application::"TinyTodo");
permit (principal, action, resource is List) when { resource.owner == principal };
permit (principal, action == Action::"getList", resource)
when { principal in resource.readers || principal in resource.editors };
permit (principal, action in [%s], resource) when { principal in resource.editors };
permit (principal in Team::"admin", action, resource in Application::"TinyTodo");
forbid (principal in Team::"temp", action == Action::"createList", resource == Application::"TinyTodo");
""" % ", ".join(f'Action::"{a}"' for a in EDITS)

TINYTODO_REGO = REGO_HEAD + """\
permit if {
	input.action in {"Action::createList", "Action::getLists"}
	input.resource == "Application::TinyTodo"
}

permit if r.attrs.owner == input.principal

permit if {
	input.action == "Action::getList"
	p.up[r.attrs.readers]
}

permit if {
	input.action == "Action::getList"
	p.up[r.attrs.editors]
}

permit if {
	input.action in {%s}
	p.up[r.attrs.editors]
}

permit if {
	p.up["Team::admin"]
	r.up["Application::TinyTodo"]
}

forbid if {
	input.action == "Action::createList"
	p.up["Team::temp"]
}
""" % ", ".join(f'"Action::{a}"' for a in EDITS)


def tinytodo(rng, n, _linked):
    application = uid("Application", "TinyTodo")
    out = [entity("Application", "TinyTodo"), entity("Team", "admin"), entity("Team", "temp")]
    teams = nested(rng, "Team", n)
    for team in teams:
        team["parents"].append(application)
        if rng.random() < 0.05:
            team["parents"].append(uid("Team", rng.choice(["admin", "temp"])))
    out += teams
    for i in range(n):
        out.append(entity("User", i, [application] + [uid("Team", k) for k in some(rng, range(n), 3)]))
        out.append(entity("List", i, [application], owner=ref("User", rng.randrange(n)), readers=ref("Team", rng.randrange(n)),
                          editors=ref("Team", rng.randrange(n))))
    requests = []
    for _ in range(500):
        user = uid("User", rng.randrange(n))
        if rng.random() < 0.2:
            requests.append((user, rng.choice(["createList", "getLists"]), application))
        else:
            requests.append((user, rng.choice(LIST_ACTIONS), uid("List", rng.randrange(n))))
    return out, requests, None


APPS = {
    "gdrive": (gdrive, GDRIVE_SCHEMA, GDRIVE_POLICIES, GDRIVE_REGO),
    "github": (github, GITHUB_SCHEMA, GITHUB_POLICIES, GITHUB_REGO),
    "tinytodo": (tinytodo, TINYTODO_SCHEMA, TINYTODO_POLICIES, TINYTODO_REGO),
    "gdrive-templates": (gdrive, GDRIVE_SCHEMA, None, None),
    "github-templates": (github, GITHUB_SCHEMA, None, None),
}


def case(name, size, hierarchies, seed=11):
    """The texts of one case. With templates the policies are those of each world."""
    make, schema, policies, rego = APPS[name]
    files = {"schema.cedarschema": schema}
    if policies:
        files |= {"policies.cedar": policies, "policy.rego": rego}

    def worlds():
        for i in range(hierarchies):
            entities, requests, linked = make(random.Random(f"{seed}/{name}/{size}/{i}"), size, policies is None)
            yield {"entities": entities, **({"policies": linked} if policies is None else {}),
                   "requests": [{"principal": p, "action": uid("Action", a), "resource": r, "context": {}}
                                for p, a, r in requests]}

    return files | {"worlds.jsonl": worlds()}
