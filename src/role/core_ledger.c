/* Checkpoints of the ledger, which the keeper signs. */
#include "role/core_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/note.h"

/* The rhythm, but for the last one: a gateway that drains publishes what there is at once. */
static int64_t wait_ms(struct core *c)
{
    int64_t wait = checkpointer_wait_ms(c->checkpointer, clock_mono_us() / 1000);
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
    if (!checkpointer_begin(c->checkpointer, clock_mono_us() / 1000, &text, &err) ||
        !checkpoint_parse(buf_str(&text), c->env->conf.origin, &cp, &err)) {
        log_error("checkpoint could not be made", LOG_ERR(&err));
        checkpointer_cancel(c->checkpointer, clock_mono_us() / 1000);
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
    if (!checkpointer_finish(c->checkpointer, note, clock_wall_ms(), &err)) {
        log_error("checkpoint not published", LOG_ERR(&err));
        checkpointer_cancel(c->checkpointer, clock_mono_us() / 1000);
    } else {
        c->checkpoints++;
    }
    core_publish_later(c);
}

void core_on_checkpoint_refused(struct core *c, str why)
{
    log_error("the keeper refuses to sign the checkpoint", LOG_STR("why", why));
    if (c->publishing)
        checkpointer_cancel(c->checkpointer, clock_mono_us() / 1000);
    c->publishing = false;
    core_publish_later(c);
}

void core_publishing_fails(struct core *c)
{
    if (c->publishing)
        checkpointer_cancel(c->checkpointer, clock_mono_us() / 1000);
    c->publishing = false;
}
