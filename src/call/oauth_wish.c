/* An agent that has no task asks for one: by authorization_details that say what for (RFC 9396).
 * Policy grants it at once, or holds it for the agent's owner, or refuses. What is held is asked
 * about with the grant type of CIBA (OpenID Client-Initiated Backchannel Authentication, poll
 * mode), which stock clients can wait with: auth_req_id is the id of the task that is asked for,
 * worth nothing to anybody but its agent. */
#include "base/clock.h"
#include "call/oauth_int.h"
#include "call/request.h"

enum { POLL_S = 5 };

static struct asker asker_of(const struct oauth_request *r)
{
    return (struct asker){.agent = r->agent->name, .instance = r->who.instance};
}

static void answer_pending(const struct oauth_request *r, const struct task_answer *a)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    int64_t left_ms = a->hold ? a->hold->expires_ms - r->now_ms : 0;
    jw_obj(&w);
    jw_kstr(&w, S("error"), S("authorization_pending"));
    jw_kstr(&w, S("error_description"), a->text);
    if (a->task)
        jw_kstr(&w, S("auth_req_id"), id_str(&a->task->id));
    if (a->hold)
        jw_kstr(&w, S("hold"), id_str(&a->hold->id));
    jw_ki64(&w, S("interval"), POLL_S);
    jw_ki64(&w, S("expires_in"), left_ms > 0 ? left_ms / 1000 : 0);
    jw_end_obj(&w);
    oauth_reply(r, 400, buf_str(&b));
    buf_fini(&b);
}

static void on_answer(void *arg, const struct task_answer *a)
{
    struct oauth_later *l = arg;
    l->r.now_ms = clock_wall_ms();
    l->w.task = a->task;
    if (a->kind == TASK_ANSWER_GRANTED && oauth_may_hold(&l->r, a->task))
        oauth_issue(&l->r, &l->w);
    else if (a->kind == TASK_ANSWER_HELD)
        answer_pending(&l->r, a);
    else if (a->kind == TASK_ANSWER_REFUSED)
        oauth_error(&l->r, "access_denied", "%.*s", STR(str_take(a->text, 400)));
    oauth_later_free(l);
}

void oauth_wish(struct oauth_request *r, const struct oauth_details *d,
                const struct oauth_wanted *wanted)
{
    str life = json_get_str(d->wish, S("deadline"));
    struct task_wish wish = {.purpose = json_get_str(d->wish, S("purpose"))};
    struct asker who = asker_of(r);
    struct err err;
    if (d->narrows || !wish.purpose.n || !json_get(d->wish, S("operations"))) {
        oauth_error(
            r, "invalid_authorization_details",
            "a task that is asked for has a purpose and its operations, and nothing beside");
    } else if (json_get(d->wish, S("deadline")) && !clock_parse_duration(life, &wish.life_ms)) {
        oauth_error(r, "invalid_authorization_details",
                    "\"deadline\" must be a duration such as \"30m\"");
    } else if (!task_wish_read(r->a, d->wish, &wish, &err)) {
        oauth_error(r, "invalid_authorization_details", "%s", err.text);
    } else {
        gate_task_request(r->g, &wish, &who, on_answer, oauth_later(r, wanted));
    }
}

/* ---- polling ---- */

void oauth_poll(struct oauth_request *r)
{
    str id = oauth_param(r, S("auth_req_id"));
    struct oauth_wanted w = {.expires_ms = INT64_MAX};
    struct asker who = asker_of(r);
    if (!id_is_valid(id, 't')) {
        oauth_error(r, "invalid_request", "auth_req_id is missing, or not one of ours");
        return;
    }
    if (oauth_resource(r, &w.resource))
        gate_task_poll(r->g, id, &who, on_answer, oauth_later(r, &w));
}
