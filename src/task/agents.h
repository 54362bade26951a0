/* agents: what core knows of agents at run time, over what the configuration says of them.
 *
 * An agent may be suspended by a person and resumed; agents_may is asked on every request, so both
 * take effect on the next one. The store keeps it (call/restore.c brings it back).
 *
 * Where an identity was last seen: processes (attested connections), addresses and certificates
 * (tokens). One identity at two places of a kind at once is shared: two addresses or certificates
 * within a window; two processes with connections at the same time, or taking turns within a window
 * (one that merely follows another is a restart). It is told once a window, and policies see it as
 * principal.shared.
 *
 * Owned by the gate; one thread. */
#pragma once
#include "task/task.h"

enum place_kind { PLACE_NONE = 0, PLACE_PROCESS, PLACE_ADDRESS, PLACE_CERTIFICATE, PLACE_KINDS };
str place_kind_name(enum place_kind k); /* "processes", ... */

enum { AGENT_PLACES_MAX = 8, AGENT_PLACE_BYTES_MAX = 64 };

struct agent_place {
    enum place_kind kind;
    char text[AGENT_PLACE_BYTES_MAX];
    int64_t seen_ms;
    unsigned conns; /* of a process: attested and open */
};

struct agent {
    const struct conf_agent *conf;
    bool suspended; /* by a person, at run time */
    bool shared;    /* as of the last time it was seen or counted again */
    bool assessed;
    str by, reason; /* of the last change; own memory */
    int64_t changed_ms;
    int64_t seen_ms, shared_ms; /* last; when sharing was last told */
    enum place_kind shared_as;
    int64_t
        turns_ms; /* when two processes last took turns: the one that was there before came back */
    struct agent_place *last_process;
    struct agent_place places[AGENT_PLACES_MAX];
};

struct agents {
    struct agent *list; /* in the order of the configuration */
    size_t n;
    struct map by_name;
    int64_t window_ms;
    unsigned suspended; /* how many, by anybody */
    bool changed;       /* something that policies read: who reads it sets it back */
};

void agents_init(struct agents *as, const struct conf *conf, int64_t now_ms);
void agents_fini(struct agents *as);
struct agent *agents_find(const struct agents *as, str name);
bool agent_is_active(const struct agent *g);

/* May this agent act now? err says who suspended it, and what to do. An unknown one may not. */
MUST_USE bool agents_may(const struct agents *as, str name, struct err *err);
/* The same of a task's agent and all who delegated to it. */
MUST_USE bool agents_may_all(const struct agents *as, const struct task *t, struct err *err);
void agents_set(struct agents *as, struct agent *g, bool suspended, str by, str reason,
                int64_t now_ms);

/* It was seen at a place. True: it is now at two of a kind at once, and that is to be told. */
bool agents_seen(struct agents *as, struct agent *g, enum place_kind kind, str place,
                 int64_t now_ms);
/* A connection of a process ended. */
void agents_left(struct agents *as, struct agent *g, str process, int64_t now_ms);
/* What passes with time: places, assessments. */
void agents_tick(struct agents *as, int64_t now_ms);
