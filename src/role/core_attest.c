#include "role/core_attest.h"
#include "base/limits.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { UNSEEN_MAX = 3 };

struct recheck {
    struct list node;
    void (*done)(void *arg, bool still);
    void *arg;
};

/* ---- life ---- */

static unsigned count_of(struct core *c, uid_t uid, unsigned *looks)
{
    unsigned n = 0;
    *looks = 0;
    LIST_EACH(&c->attests, it)
    {
        struct attest *a = LIST_ENTRY(it, struct attest, node);
        n += a->peer.uid == uid;
        *looks += a->peer.uid == uid ? a->holds : 0;
    }
    return n;
}

static void really_free(struct attest *a)
{
    list_remove(&a->node);
    a->core->attests_n--;
    peer_fini(&a->peer);
    arena_fini(&a->arena);
    arena_fini(&a->now_arena);
    free(a);
}

static bool unhold(struct attest *a)
{
    a->holds--;
    if (a->freed && a->holds == 0)
        really_free(a);
    else
        return !a->freed;
    return false;
}

static void answer_all(struct list *rechecks, bool still)
{
    while (!list_is_empty(rechecks)) {
        struct recheck *r = LIST_ENTRY(rechecks->next, struct recheck, node);
        list_remove(&r->node);
        r->done(r->arg, still);
        free(r);
    }
}

void attest_free(struct attest *a)
{
    if (!a || a->freed)
        return;
    a->freed = true;
    a->holds++;
    watch_close(a->watch);
    a->watch = NULL;
    answer_all(&a->asking, false);
    answer_all(&a->waiting, false);
    (void)unhold(a);
}

static void set_over(struct attest *a, const char *why)
{
    if (a->over || a->freed)
        return;
    a->over = true;
    log_info("identity over", LOG_STR("agent", a->agent->name), LOG_NUM("pid", a->peer.pid),
             LOG_STR("why", str_z(why)));
    a->ops->on_over(a->owner, a, why);
}

static void on_process_end(void *owner, unsigned events)
{
    struct attest *a = owner;
    (void)events;
    watch_close(a->watch);
    a->watch = NULL;
    set_over(a, "the process has ended");
}

/* ---- the decision ---- */

static void log_refusal(const struct attest *a, const char *message, str names, str detail)
{
    log_warn(message, LOG_NUM("pid", a->peer.pid), LOG_NUM("uid", a->peer.uid),
             LOG_NUM("gid", a->peer.gid), LOG_STR("cgroup", a->facts.cgroup),
             LOG_STR("path", a->facts.path), LOG_STR("matching", names), LOG_STR("why", detail));
}

static void refuse(struct attest *a, const char *message, str names, str detail, const char *why)
{
    log_refusal(a, message, names, detail);
    a->ops->on_refused(a->owner, why);
    attest_free(a);
}

static void set_known(struct attest *a, const struct conf_agent *agent, const struct launch *l)
{
    struct err err;
    if (!watch_new(a->core->env->loop, a->peer.pidfd, WATCH_READ, on_process_end, a, &a->watch,
                   &err)) {
        refuse(a, "process refused: it cannot be watched", (str){0}, str_z(err.text),
               "the gateway is out of descriptors");
        return;
    }
    a->agent = agent;
    a->launch = l;
    a->known = true;
    if (l)
        snprintf(a->instance, sizeof a->instance, "%s", l->instance);
    else
        snprintf(a->instance, sizeof a->instance, "pid-%ld-%llu", (long)a->peer.pid,
                 (unsigned long long)a->peer.start_ticks);
    log_info("process attested", LOG_STR("agent", agent->name), LOG_NUM("pid", a->peer.pid),
             LOG_NUM("uid", a->peer.uid), LOG_STR("instance", str_z(a->instance)));
    a->ops->on_known(a->owner, a);
}

static void decide(struct attest *a, str detail);

static void on_looked(void *arg, const struct msg_looked *m, const char *why)
{
    struct attest *a = arg;
    if (!unhold(a))
        return;
    a->facts.looked = true;
    if (m) {
        a->facts.path = str_dup(&a->arena, m->path);
        a->facts.sha256 = str_dup(&a->arena, m->sha256);
    }
    decide(a, m ? str_dup(&a->arena, m->why) : str_z(why));
}

static void look(struct attest *a, bool sha256)
{
    unsigned looks;
    (void)count_of(a->core, a->peer.uid, &looks);
    if (looks >= LOOKS_PER_UID_MAX) {
        refuse(a, "process refused: too many programs of this user are being looked at", (str){0},
               (str){0}, "too many connections at once; try again");
        return;
    }
    a->holds++;
    core_look(a->core, a->peer.pidfd, sha256, on_looked, a);
}

static void decide(struct attest *a, str detail)
{
    struct buf names = {0};
    struct attest_found f =
        select_agent(&a->core->env->conf, a->for_launch, a->wanted, &a->facts, &names);
    if (f.look)
        look(a, f.look_sha256);
    else if (f.agent)
        set_known(a, f.agent, NULL);
    else if (f.matching)
        refuse(a, "process refused: several agents match it", buf_str(&names), detail,
               "several agents of the configuration match this process");
    else
        refuse(a, "process refused: no agent matches it", (str){0}, detail,
               "no agent of the configuration matches this process");
    buf_fini(&names);
}

static bool read_facts(const struct peer *p, struct arena *arena, struct attest_facts *f,
                       struct err *err)
{
    f->uid = p->uid;
    f->gid = p->gid;
    return peer_cgroup(p, arena, &f->cgroup, err);
}

static bool may_begin(struct core *c, const struct peer *p, struct err *err)
{
    unsigned looks;
    if (c->attests_n >= ATTESTED_MAX)
        return err_limit(err, "over %d connections of agents", ATTESTED_MAX);
    if (count_of(c, p->uid, &looks) >= ATTESTED_PER_UID_MAX)
        return err_limit(err, "over %d connections of user %u", ATTESTED_PER_UID_MAX, p->uid);
    return true;
}

void attest_begin(struct core *c, int sock, const char *purpose, bool for_launch, str wanted,
                  const struct attest_ops *ops, void *owner)
{
    struct err err;
    struct peer peer;
    gid_t *groups;
    if (!peer_attest(sock, &peer, &err)) {
        log_warn("connection refused", LOG_STR("socket", str_z(purpose)), LOG_ERR(&err));
        ops->on_refused(owner, "the kernel does not say who you are");
        return;
    }
    struct attest *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    *a = (struct attest){
        .core = c, .ops = ops, .owner = owner, .peer = peer, .for_launch = for_launch};
    list_init(&a->asking);
    list_init(&a->waiting);
    bool ok = may_begin(c, &peer, &err);
    list_append(&c->attests, &a->node);
    c->attests_n++;
    a->wanted = str_dup(&a->arena, wanted);
    if (!ok || !read_facts(&peer, &a->arena, &a->facts, &err) ||
        !peer_groups(sock, &a->arena, &groups, &a->facts.groups_n, &err)) {
        refuse(a, "process refused", (str){0}, str_z(err.text),
               err.kind == ERR_LIMIT ? "too many connections" : "the process is gone");
        return;
    }
    a->facts.groups = groups;
    const struct launch *l = for_launch ? NULL : launch_of(c, &peer);
    if (l)
        set_known(a, l->agent, l);
    else
        decide(a, (str){0});
}

/* ---- is it still? ---- */

static void begin_check(struct attest *a);

/* What comes back may free it, or ask again. */
static void end_check(struct attest *a, bool still, const char *over)
{
    still = still && !over && !a->over;
    a->holds++;
    a->checking = false;
    arena_fini(&a->now_arena);
    if (over)
        set_over(a, over);
    answer_all(&a->asking, still);
    if (unhold(a) && !a->checking && !list_is_empty(&a->waiting))
        begin_check(a);
}

static void compare(struct attest *a)
{
    struct attest_found f = select_agent(&a->core->env->conf, false, (str){0}, &a->now, NULL);
    bool same = f.agent == a->agent && a->now.uid == a->facts.uid && a->now.gid == a->facts.gid;
    a->unseen = 0;
    end_check(a, same, same ? NULL : "it is another program or another user by now");
}

static void on_rechecked(void *arg, const struct msg_looked *m, const char *why)
{
    struct attest *a = arg;
    if (!unhold(a))
        return;
    if (!m) { /* not its fault, unless it goes on */
        log_warn("a program could not be looked at again", LOG_NUM("pid", a->peer.pid),
                 LOG_STR("why", str_z(why)));
        end_check(a, false, ++a->unseen >= UNSEEN_MAX ? "its program cannot be looked at" : NULL);
        return;
    }
    a->now.looked = true;
    a->now.path = str_dup(&a->now_arena, m->path);
    a->now.sha256 = str_dup(&a->now_arena, m->sha256);
    compare(a);
}

/* What changes in the life of a process: its ids, its cgroup, its program. Groups are as they were
 * when it connected: the kernel tells no others. */
static bool read_again(struct attest *a, struct err *err)
{
    a->now = a->facts;
    a->now.path = a->now.sha256 = (str){0};
    a->now.looked = false;
    return peer_ids_now(&a->peer, &a->now.uid, &a->now.gid, err) &&
           peer_cgroup(&a->peer, &a->now_arena, &a->now.cgroup, err);
}

static void begin_check(struct attest *a)
{
    struct err err;
    while (!list_is_empty(&a->waiting)) {
        struct list *first = a->waiting.next;
        list_remove(first);
        list_append(&a->asking, first);
    }
    a->checking = true;
    if (!read_again(a, &err)) {
        end_check(a, false, "the process has ended");
        return;
    }
    struct attest_found f = select_agent(&a->core->env->conf, false, (str){0}, &a->now, NULL);
    if (!f.look) {
        compare(a);
        return;
    }
    a->holds++;
    core_look(a->core, a->peer.pidfd, f.look_sha256, on_rechecked, a);
}

void attest_recheck(struct attest *a, void (*done)(void *arg, bool still), void *arg)
{
    if (a->over || a->freed || !a->known || a->launch || !peer_is_alive(&a->peer)) {
        done(arg, a->known && !a->over && !a->freed && peer_is_alive(&a->peer));
        return;
    }
    struct recheck *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    *r = (struct recheck){.done = done, .arg = arg};
    list_append(&a->waiting, &r->node);
    if (!a->checking)
        begin_check(a);
}

static void on_ticked(void *arg, bool still)
{
    (void)arg, (void)still;
}

void attest_tick(struct core *c)
{
    LIST_EACH(&c->attests, it)
    {
        struct attest *a = LIST_ENTRY(it, struct attest, node);
        if (a->known && !a->over && !a->freed && !a->for_launch && !a->launch && a->facts.looked &&
            !a->checking)
            attest_recheck(a, on_ticked, NULL);
    }
}

void attest_launch_over(struct core *c, const struct launch *l)
{
    LIST_EACH(&c->attests, it)
    {
        struct attest *a = LIST_ENTRY(it, struct attest, node);
        if (a->launch == l) {
            a->launch = NULL;
            set_over(a, "the program that was launched has ended");
        }
    }
}
