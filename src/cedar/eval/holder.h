/* holder: the policies in force, shared by threads and swapped while they decide.
 *
 *     struct cedar_snapshot *s = cedar_holder_take(&holder);     // on any thread
 *     ... cedar_enforce(s->set, s->schema, &req, s->entities, &scratch) ...
 *     cedar_snapshot_unref(s);
 *
 *     cedar_holder_put(&holder, cedar_snapshot_new(...));        // when a new version is loaded
 *
 * A snapshot is immutable; it goes when the last who took it lets go, on whichever thread that is.
 * Who took one goes on with it whatever is put in the meantime: take one for each request, or for
 * a few. Taking is a lock held for two instructions. A holder is for many threads; init and fini
 * are for one, when no other uses it. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "cedar/cedar.h"
#include "cedar/schema/schema.h"

struct cedar_snapshot {
    const struct cedar_set *set;
    const struct schema *schema;
    const struct cedar_entities *entities; /* sealed; NULL: the caller brings his own */
    void (*release)(void *owner);          /* frees all of the above */
    void *owner;
    atomic_size_t refs;
};

/* With one reference, the caller's. */
struct cedar_snapshot *cedar_snapshot_new(const struct cedar_set *set, const struct schema *schema,
                                          const struct cedar_entities *entities,
                                          void (*release)(void *owner), void *owner);
void cedar_snapshot_unref(struct cedar_snapshot *s); /* NULL is fine */

struct cedar_holder {
    pthread_mutex_t lock;
    struct cedar_snapshot *now;
};
void cedar_holder_init(struct cedar_holder *h);
void cedar_holder_fini(struct cedar_holder *h);
/* The one in force, with a reference for the caller; NULL as long as none was put. */
struct cedar_snapshot *cedar_holder_take(struct cedar_holder *h);
/* Takes over the caller's reference (NULL: nothing is in force any more). */
void cedar_holder_put(struct cedar_holder *h, struct cedar_snapshot *s);
