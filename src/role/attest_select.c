#include "role/attest_select.h"

str cgroup_unit(str cgroup)
{
    str segment, rest = cgroup;
    if (!str_starts(cgroup, S("/")))
        return (str){0};
    rest = str_skip(rest, 1);
    while (rest.n) {
        str_cut(rest, '/', &segment, &rest);
        if (!str_ends(segment, S(".slice")))
            return str_find_char(segment, '.', 0) > 0 ? segment : (str){0};
    }
    return (str){0};
}

/* The cgroup itself or one below it. A path that begins with "/.." is outside of what we see. */
static bool is_within(str cgroup, str of)
{
    return str_starts(cgroup, of) && (cgroup.n == of.n || cgroup.p[of.n] == '/') &&
           !str_starts(cgroup, S("/.."));
}

static bool has_group(const struct attest_facts *f, int64_t gid)
{
    if ((int64_t)f->gid == gid)
        return true;
    for (size_t i = 0; i < f->groups_n; i++)
        if ((int64_t)f->groups[i] == gid)
            return true;
    return false;
}

static bool matches_at_once(const struct conf_select *s, const struct attest_facts *f)
{
    if (!s->any || (s->uid >= 0 && s->uid != (int64_t)f->uid) ||
        (s->gid >= 0 && s->gid != (int64_t)f->gid))
        return false;
    for (size_t i = 0; i < s->groups_n; i++)
        if (!has_group(f, s->groups[i]))
            return false;
    if (s->unit.n && !str_eq(s->unit, cgroup_unit(f->cgroup)))
        return false;
    return !s->cgroup.n || is_within(f->cgroup, s->cgroup);
}

static bool matches_program(const struct conf_select *s, const struct attest_facts *f)
{
    if (s->path.n && !str_eq(s->path, f->path))
        return false;
    if (!s->sha256_n)
        return true;
    for (size_t i = 0; i < s->sha256_n; i++)
        if (f->sha256.n && str_eq(s->sha256[i], f->sha256))
            return true;
    return false;
}

enum attest_match select_matches(const struct conf_select *s, const struct attest_facts *f)
{
    if (!matches_at_once(s, f))
        return ATTEST_NO;
    if (!conf_select_looks(s))
        return ATTEST_YES;
    if (!f->looked)
        return ATTEST_LOOK;
    return matches_program(s, f) ? ATTEST_YES : ATTEST_NO;
}

struct attest_found select_agent(const struct conf *c, bool launch, str name,
                                 const struct attest_facts *f, struct buf *names)
{
    struct attest_found found = {0};
    for (size_t i = 0; i < c->agents_n; i++) {
        const struct conf_agent *g = &c->agents[i];
        const struct conf_select *s = launch ? &g->launch : &g->select;
        enum attest_match m = name.n && !str_eq(name, g->name) ? ATTEST_NO : select_matches(s, f);
        found.look |= m == ATTEST_LOOK;
        found.look_sha256 |= m == ATTEST_LOOK && s->sha256_n;
        if (m != ATTEST_YES)
            continue;
        found.agent = g;
        found.matching++;
        if (names)
            buf_printf(names, "%s%.*s", buf_len(names) ? ", " : "", STR(g->name));
    }
    if (found.matching != 1 || found.look)
        found.agent = NULL;
    return found;
}
