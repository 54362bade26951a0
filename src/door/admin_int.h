/* admin_int: one request on the control door, as its handlers see it. */
#pragma once
#include "door/admin.h"

struct request {
    struct admin *ad;
    struct gate *g;
    struct admin_peer *peer;
    const json *params;
    str id; /* JSON text, echoed */
    struct arena *a;
    int64_t now_ms;
};

/* Enough to answer later. */
struct later {
    struct admin *ad;
    uint64_t conn;
    char id[64];
    void *arg;
};
struct later *later_new(struct request *r, void *arg); /* freed by its user */

void answer_error(struct request *r, const struct err *err);
void answer_text(struct request *r, str result_json);
void later_error(struct later *l, const char *code, str message);
void later_text(struct later *l, str result_json);
/* Name of the person for the record: "ann", or "uid:0". */
str who_is(struct request *r);
MUST_USE bool param_str(struct request *r, str name, str *out, struct err *err); /* must be there */

typedef void handler(struct request *r);
handler on_task_open, on_task_list, on_task_show, on_task_close, on_task_token; /* admin_task.c */
handler on_task_suspend, on_task_resume, on_task_history, on_agent_list, on_agent_show,
    on_agent_suspend, on_agent_resume; /* admin_state.c */
handler on_hold_list, on_hold_show, on_hold_approve, on_hold_deny;              /* admin_hold.c */
handler on_trace, on_explain, on_tools, on_pin_list, on_pin_show, on_pin_accept, on_status,
    on_policy, on_discover; /* admin_read.c */
handler on_operator_add, on_operator_remove, on_operator_list, on_login,
    on_secrets_changed; /* admin.c */
/* May this person do that (action of a policy) to the task, or to the agent? err says by which
 * policy not. */
MUST_USE bool may_do(struct request *r, str action, const struct task *t, const struct agent *agent,
                     struct err *err);
/* By the parameter "task". */
struct task *named_task(struct request *r, struct err *err);
void write_task(struct jw *w, const struct task *t, int64_t now_ms);
