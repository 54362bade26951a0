#include "role/role.h"
#include <stdlib.h>
int role_runner(void);
static struct role_env *the_env;
static void *start(struct role_env *env, struct err *err)
{
    the_env = env;
    return env;
}
static void on_peer(void *s, enum role p, uint32_t i, struct chan *c)
{
}
static void on_message(void *s, enum role p, uint32_t i, struct chan *c, uint16_t t, uint64_t id,
                       str pl, int fd)
{
}
static void on_drain(void *s)
{
    role_drained(the_env);
}
int role_runner(void)
{
    static const struct role_ops ops = {ROLE_RUNNER, start, on_peer, on_peer, on_message, on_drain};
    return role_main(&ops);
}
