/* supervisor_seats: what the files of the supervisor share. */
#pragma once
#include "net/timer.h"
#include "os/spawn.h"
#include "role/listeners.h"
#include "role/material.h"
#include "role/role.h"
#include "role/state_dir.h"

/* SEATS_OTHERS: those of which there is one at most. */
enum { SEATS_MAX = 20, SEATS_OTHERS = 8, SIGNALS_N = 3 };

enum seat_state { SEAT_EMPTY = 0, SEAT_STARTING, SEAT_RUNNING, SEAT_WAITING };

struct supervisor;

struct seat {
    struct supervisor *sv;
    enum role role;
    uint32_t index;
    enum seat_state state;
    struct child child;  /* while alive */
    struct watch *watch; /* on its pidfd */
    struct chan *chan;   /* NULL once closed */
    struct timer restart;
    int64_t started_ms, backoff_ms;
    bool told_to_drain;
};

struct supervisor {
    struct arena arena;
    struct conf conf;
    str config_text;
    struct state_dir state;
    struct material material;
    struct listeners listeners;
    struct loop *loop;
    struct loop_signal *signals[SIGNALS_N];
    struct seat seats[SEATS_MAX];
    size_t seats_n;
    const char *program; /* executed for each role: this program itself */
    const char *sanitizer_env;
    struct timer drain;
    size_t stage;
    int status;
    bool was_ready, stopping;
};

static inline bool seat_is_alive(const struct seat *s)
{
    return s->state == SEAT_STARTING || s->state == SEAT_RUNNING;
}
/* fd (-1: none) moves. Nothing happens if the channel is gone. */
void seat_send(struct seat *s, enum message_type type, const void *msg, int fd);
/* Keeps what is needed to start roles, give them their uids and end them. */
MUST_USE bool supervisor_drop(struct supervisor *sv, struct err *err);
