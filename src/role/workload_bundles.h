/* workload_bundles: the bundles that all identities get, in the forms in which the Workload API
 * gives them out. Replaced as a whole. One thread. */
#pragma once
#include "identity/bundle.h"
#include "identity/workload_msg.h"

struct workload_bundles {
    struct bundles set;                /* for checking tokens */
    struct arena arena;                /* of what follows */
    str own_x509;                      /* DER, one after another */
    struct proto_pairs x509, jwt, wit; /* by SPIFFE ID of the trust domain, ours first */
    struct proto_pairs foreign_x509;
};

/* run: trust domain, SPIFFE bundle document, ...; ours first. On failure *b is as it was. */
MUST_USE bool workload_bundles_read(struct workload_bundles *b, str run, struct err *err);
void workload_bundles_fini(struct workload_bundles *b);
