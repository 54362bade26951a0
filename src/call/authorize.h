/* authorize: from what a client asked an owner for (people/authorization.h) to a task.
 *
 * What is consented to is judged three times, since the world may change in between: when the
 * request comes, when the owner consents, and when the code is redeemed. Only then is the task
 * opened. */
#pragma once
#include "call/gate.h"

/* The task that is asked for, in no registry, or why there can be none. Its owner is the agent's.
 */
MUST_USE bool authorize_task(struct gate *g, const struct authorization *z, int64_t now_ms,
                             struct task **out, struct err *err);
/* May this person consent to it, having signed with a passkey or not? */
MUST_USE bool authorize_may_consent(struct gate *g, const struct conf_person *who,
                                    const struct person_session *session, bool by_passkey,
                                    const struct task *t, int64_t now_ms, struct arena *a,
                                    struct verdict *out, struct err *err);
/* Every operation only reads. */
bool authorize_is_read_only(const struct gate *g, const struct task *t);

/* At the token endpoint, grant_type authorization_code. done(arg) runs once, now or after the
 * commit: with the task that is open now and the resource that was consented to (may be empty), or
 * with why: ERR_INPUT, ERR_DENIED (invalid_grant), ERR_LIMIT, ERR_SYSTEM. A code that comes a
 * second time closes the task that it opened (RFC 6749 section 4.1.2). */
typedef void authorize_done_fn(void *arg, struct task *t, str resource, const struct err *why);
void authorize_redeem(struct gate *g, const struct code_use *use, int64_t now_ms,
                      authorize_done_fn *done, void *arg);
