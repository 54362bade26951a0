/* role: how a role process comes to life, the same for all of them.
 *
 * `ambit serve` (role/supervisor.c) executes itself as `ambit role NAME` with descriptor 3 = its
 * channel to the supervisor. Over it come SETUP, listeners, directories, peers and START
 * (ipc/message.h, phase SETUP). Then the role drops its uid, enters its sandbox (os/sandbox.h),
 * calls ops->start and answers READY. From then on role.c delivers frames that the message table
 * allows; anything else closes that channel: the peer is treated as dead and the supervisor
 * restarts it. A peer that was restarted comes as a new on_peer.
 *
 * One loop, one thread (core adds the store's writer). Ownership: env lives as long as the process;
 * a chan given to on_peer stays usable until on_peer_lost for it has returned. */
#pragma once
#include "conf/conf.h"
#include "ipc/message.h"

struct chan;
struct loop;

enum { ROLE_LISTENERS_MAX = 32, ROLE_DIRECTORIES_MAX = 8 };

struct role_listener {
    enum listener_kind kind;
    uint32_t index;
    int fd;
};

struct role_env {
    enum role self;
    uint32_t index;
    struct loop *loop;
    struct arena arena;
    struct conf conf;       /* policies filled in from SETUP in core */
    struct msg_setup setup; /* borrows from arena */
    struct role_listener listeners[ROLE_LISTENERS_MAX];
    size_t listeners_n;
    int directories[ROLE_DIRECTORIES_MAX]; /* by enum directory_kind; -1: not given */
    bool draining;
};

struct role_ops {
    enum role self;
    /* After START and inside the sandbox. Returns the role's state, or NULL with *err: the process
     * exits with ROLE_EXIT_CONFIG (not restarted) if err->kind is ERR_INPUT, else with 1 (restarted
     * with back-off). */
    void *(*start)(struct role_env *env, struct err *err);
    void (*on_peer)(void *state, enum role peer, uint32_t index, struct chan *chan);
    void (*on_peer_lost)(void *state, enum role peer, uint32_t index, struct chan *chan);
    /* payload is borrowed for the call; fd is -1 unless the table says so, and then ownership moves
     * here. */
    void (*on_message)(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd);
    /* Stop taking new work; call role_drained() when what was in flight is done (at once is fine).
     * NULL: nothing is ever in flight. */
    void (*on_drain)(void *state);
};

enum { ROLE_EXIT_CONFIG = 78 };

/* Runs the process until drained; returns its exit status. crypto_init has run before anything of
 * the role does. */
int role_main(const struct role_ops *ops);
/* Packs and queues. A peer that is gone is told by on_peer_lost, so there is no result to check. */
void role_send(struct chan *chan, enum message_type type, uint64_t id, const void *msg);
/* As above with a descriptor, whose ownership moves. */
void role_send_fd(struct chan *chan, enum message_type type, uint64_t id, const void *msg, int fd);
void role_drained(struct role_env *env);
/* Ends the peer: what it sent was against the rules. Logged with the reason. */
void role_kill_peer(struct chan *chan, const struct err *why);

/* One per role, in role/<name>.c */
int role_edge(void);
int role_core(void);
int role_keeper(void);
int role_runner(void);
int role_workload(void);
int role_portal(void);
int role_fetcher(void);
int role_witness(void);
int role_publisher(void);
/* role/supervisor.c: `ambit serve`. */
struct supervisor_options {
    const char *config_path;
    bool allow_unsandboxed; /* go on where the kernel has no Landlock, with a warning */
};
int supervisor_main(const struct supervisor_options *options);
