/* attest_select: which agent a process is, by the selectors of the configuration; pure.
 *
 * Exactly one agent must match. There is no "most specific wins": two agents that match the same
 * process are a mistake of the configuration, and guessing would hide it.
 *
 * What the program file is costs a look by another process, so it is asked for only where an agent
 * that fits otherwise has a selector on it. */
#pragma once
#include "conf/conf.h"
#include <sys/types.h>

struct attest_facts { /* in the kernel's words */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t groups_n;
    str cgroup;  /* cgroups(7), version 2, e.g. "/system.slice/desk.service"; empty: unknown */
    bool looked; /* the two below are known, or known to be unknown */
    str path;    /* empty: none that counts */
    str sha256;  /* 32 bytes; empty: unknown */
};

enum attest_match {
    ATTEST_NO = 0,
    ATTEST_LOOK, /* the rest depends on the program file */
    ATTEST_YES,
};

enum attest_match select_matches(const struct conf_select *s, const struct attest_facts *f);

struct attest_found {
    const struct conf_agent *agent; /* NULL unless exactly one matches */
    size_t matching;
    bool look; /* ask for the program file, then choose again */
    bool look_sha256;
};
/* With launch: by the selectors of those who may launch; only agents called `name` unless that is
 * empty. names (may be NULL): appends those that match, with commas. */
struct attest_found select_agent(const struct conf *c, bool launch, str name,
                                 const struct attest_facts *f, struct buf *names);

/* The systemd unit of the system that holds a cgroup: the first segment below slices, if it is one
 * ("/system.slice/desk.service/sub" is of desk.service). Units of a user's own manager are below
 * user@UID.service, which a user may name as he likes, and are not found. Empty: none. */
str cgroup_unit(str cgroup);
