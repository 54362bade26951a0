/* What core has the keeper sign: checkpoints of the ledger, and task tokens. */
#include "role/core_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/note.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- checkpoints ---- */

/* The rhythm, but for the last one: a gateway that drains publishes what there is at once. */
static int64_t wait_ms(struct core *c)
{
    int64_t wait = publisher_wait_ms(c->publisher, clock_mono_us() / 1000);
    return wait > 0 && c->env->draining ? 0 : wait;
}

static void publish(void *owner)
{
    struct core *c = owner;
    struct buf text = {0};
    struct checkpoint cp;
    struct err err;
    if (c->publishing || !c->keeper)
        return;
    int64_t wait = wait_ms(c);
    if (wait != 0) {
        core_publish_later(c);
        return;
    }
    if (!publisher_begin(c->publisher, clock_mono_us() / 1000, &text, &err) ||
        !checkpoint_parse(buf_str(&text), c->env->conf.origin, &cp, &err)) {
        log_error("checkpoint could not be made", LOG_ERR(&err));
        publisher_cancel(c->publisher, clock_mono_us() / 1000);
    } else {
        struct msg_sign_checkpoint m = {.size = (int64_t)cp.size, .root = hash_str(&cp.root)};
        c->publishing = true;
        role_send(c->keeper, MSG_SIGN_CHECKPOINT, core_new_id(c), &m);
    }
    buf_fini(&text);
}

void core_publish_later(struct core *c)
{
    int64_t wait = wait_ms(c);
    if (!c->publishing && wait >= 0 && (!timer_is_armed(&c->publish) || c->env->draining))
        timer_start(&c->publish, c->env->loop, wait, publish, c);
}

void core_on_checkpoint(struct core *c, str note)
{
    struct err err;
    if (!c->publishing)
        return;
    c->publishing = false;
    if (!publisher_finish(c->publisher, note, clock_wall_ms(), &err)) {
        log_error("checkpoint not published", LOG_ERR(&err));
        publisher_cancel(c->publisher, clock_mono_us() / 1000);
    } else {
        c->checkpoints++;
    }
    core_publish_later(c);
}

void core_on_checkpoint_refused(struct core *c, str why)
{
    log_error("the keeper refuses to sign the checkpoint", LOG_STR("why", why));
    if (c->publishing)
        publisher_cancel(c->publisher, clock_mono_us() / 1000);
    c->publishing = false;
    core_publish_later(c);
}

/* ---- task tokens ---- */

struct signing {
    void (*done)(void *arg, str token, str why);
    void *arg;
};

static str key_of(uint64_t id, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%llu", (unsigned long long)id));
}

void core_sign_token(void *ctx, str claims, void (*done)(void *arg, str token, str why), void *arg)
{
    struct core *c = ctx;
    char room[24];
    if (!c->keeper) {
        done(arg, (str){0}, S("the keeper is restarting; try again"));
        return;
    }
    struct signing *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    *s = (struct signing){done, arg};
    uint64_t id = core_new_id(c);
    map_put(&c->signings, key_of(id, room), s);
    role_send(c->keeper, MSG_SIGN_TOKEN, id, &(struct msg_sign_token){claims});
}

void core_on_signed(struct core *c, uint64_t id, str token, str why)
{
    char room[24];
    struct signing *s = map_del(&c->signings, key_of(id, room));
    if (!s)
        return;
    s->done(s->arg, token, why);
    free(s);
}

void core_signings_fail(struct core *c)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&c->signings, &i, &id, &v);) {
        struct signing *s = v;
        s->done(s->arg, (str){0}, S("the keeper ended before it signed; try again"));
        map_del(&c->signings, id);
        free(s);
    }
    if (c->publishing)
        publisher_cancel(c->publisher, clock_mono_us() / 1000);
    c->publishing = false;
}
