/* walls: the sandbox of each role (os/sandbox.h), built from what the configuration makes it need.
 * Entered once, after START and before the role's own code runs; it cannot be left. */
#pragma once
#include "role/role.h"

/* Order inside: uid, then sandbox. After an error the process must end. */
MUST_USE bool walls_enter(struct role_env *env, struct err *err);
