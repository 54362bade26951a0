/* The configuration's member "identity". */
#include "conf/reader.h"

static const char *const IDENTITY_MEMBERS[] = {"workloadSocket", NULL};

enum { UNIX_PATH_MAX_BYTES = 107 };

void read_identity(struct reader *r, struct at at, struct conf *c)
{
    if (!at.v || !at_object(r, at, IDENTITY_MEMBERS))
        return;
    struct at socket = at_member(r, at, "workloadSocket");
    c->workload_socket = at_path(r, socket, (str){0});
    if (c->workload_socket.n > UNIX_PATH_MAX_BYTES)
        problem(r, socket, "a socket's path has at most %d bytes: choose a shorter one",
                UNIX_PATH_MAX_BYTES);
}
