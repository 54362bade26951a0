/* The selectors of agents: "select" and "launch". */
#include "base/hex.h"
#include "conf/reader.h"

static const char *const SELECT_MEMBERS[] = {"uid",    "gid",  "groups", "path",
                                             "sha256", "unit", "cgroup", NULL};
static const char *const LAUNCH_MEMBERS[] = {"uid",  "gid",    "groups",      "path", "sha256",
                                             "unit", "cgroup", "descendants", NULL};

enum { ID_MAX = UINT32_MAX - 1, UNIT_BYTES_MAX = 255, PATH_BYTES_MAX = 4095, HASH_BYTES = 32 };

void conf_select_none(struct conf_select *s)
{
    *s = (struct conf_select){.uid = -1, .gid = -1};
}

static void read_groups(struct reader *r, struct at at, struct conf_select *s)
{
    if (!at.v)
        return;
    if (json_type(at.v) != JSON_ARRAY) {
        problem(r, at, "must be an array of group numbers");
        return;
    }
    s->groups = ARENA_ARRAY(r->a, int64_t, json_count(at.v));
    for (struct each e = each_of(r, at); each_next(&e);)
        s->groups[s->groups_n++] = at_int(r, e.at, 0, 0, ID_MAX);
}

static void read_sha256(struct reader *r, struct at at, struct conf_select *s)
{
    str *texts = NULL, one;
    size_t n = 0;
    if (!at.v)
        return;
    if (json_type(at.v) == JSON_STRING) {
        one = json_str(at.v);
        texts = &one;
        n = 1;
    } else {
        at_str_list(r, at, &texts, &n);
    }
    s->sha256 = ARENA_ARRAY(r->a, str, n + 1);
    for (size_t i = 0; i < n; i++) {
        str raw;
        if (!hex_decode(r->a, texts[i], &raw) || raw.n != HASH_BYTES)
            problem(r, at, "must be what `sha256sum PROGRAM` prints: 64 lower case hex digits");
        else
            s->sha256[s->sha256_n++] = raw;
    }
}

static void read_path(struct reader *r, struct at at, struct conf_select *s)
{
    s->path = at_str(r, at, (str){0});
    if (!at.v)
        return;
    bool plain = s->path.n && s->path.p[0] == '/' && s->path.n <= PATH_BYTES_MAX &&
                 str_find(s->path, S("/../")) < 0 && str_find(s->path, S("/./")) < 0 &&
                 str_find(s->path, S("//")) < 0;
    if (!plain)
        problem(r, at,
                "must be the absolute path of a program, without . and .. and symbolic "
                "links: what `readlink /proc/PID/exe` prints");
}

static void read_unit(struct reader *r, struct at at, struct conf_select *s)
{
    s->unit = at_str(r, at, (str){0});
    if (at.v && (!s->unit.n || s->unit.n > UNIT_BYTES_MAX || str_find_char(s->unit, '/', 0) >= 0 ||
                 str_find_char(s->unit, '.', 0) <= 0))
        problem(r, at, "must be the name of a systemd unit of the system, e.g. \"desk.service\"");
}

static void read_cgroup(struct reader *r, struct at at, struct conf_select *s)
{
    s->cgroup = at_str(r, at, (str){0});
    if (at.v && (s->cgroup.n < 2 || s->cgroup.p[0] != '/' || s->cgroup.n > PATH_BYTES_MAX ||
                 str_ends(s->cgroup, S("/"))))
        problem(r, at,
                "must be a path of the cgroup v2 tree, e.g. \"/system.slice/desk.service\"; "
                "what is below it is included");
}

static void read_selectors(struct reader *r, struct at at, struct conf_select *s)
{
    s->uid = at_int(r, at_member(r, at, "uid"), -1, 0, ID_MAX);
    s->gid = at_int(r, at_member(r, at, "gid"), -1, 0, ID_MAX);
    read_groups(r, at_member(r, at, "groups"), s);
    read_path(r, at_member(r, at, "path"), s);
    read_sha256(r, at_member(r, at, "sha256"), s);
    read_unit(r, at_member(r, at, "unit"), s);
    read_cgroup(r, at_member(r, at, "cgroup"), s);
    s->any = s->uid >= 0 || s->gid >= 0 || s->groups_n || s->path.n || s->sha256_n || s->unit.n ||
             s->cgroup.n;
    if (!s->any)
        problem(r, at,
                "names no selector; give at least one of uid, gid, groups, path, sha256, unit, "
                "cgroup");
}

void read_select(struct reader *r, struct at at, struct conf_agent *g)
{
    conf_select_none(&g->select);
    if (at.v && at_object(r, at, SELECT_MEMBERS))
        read_selectors(r, at, &g->select);
}

void read_launch(struct reader *r, struct at at, struct conf_agent *g)
{
    conf_select_none(&g->launch);
    if (!at.v || !at_object(r, at, LAUNCH_MEMBERS))
        return;
    read_selectors(r, at, &g->launch);
    g->launch_descendants = at_bool(r, at_member(r, at, "descendants"), false);
}

bool conf_select_looks(const struct conf_select *s)
{
    return s->path.n || s->sha256_n;
}

bool conf_looks(const struct conf *c)
{
    for (size_t i = 0; i < c->agents_n; i++)
        if (conf_select_looks(&c->agents[i].select) || conf_select_looks(&c->agents[i].launch))
            return true;
    return false;
}

bool conf_launches(const struct conf *c)
{
    for (size_t i = 0; i < c->agents_n; i++)
        if (c->agents[i].launch.any)
            return true;
    return false;
}
