/* cosign_policy: whose cosignatures make a checkpoint trusted (C2SP tlog-policy): logs, witnesses,
 * groups of k of n, and one quorum. (These are witnesses of the log; the role `witness` looks at
 * peers' programs and is something else.)
 *
 *   log VKEY [URL]                    the vkey's name is the log's origin
 *   witness NAME VKEY [URL]
 *   group NAME all|any|K MEMBER...    members stand above it; each is a member once, anywhere
 *   quorum NAME|none
 *
 * Items are parted by spaces and tabs, lines end in a newline (also the last one, so that a file
 * that was cut off is refused), '#' begins a comment line. A group is how an operator with several
 * witnesses is counted once: `group OPERATOR any W1 W2`.
 *
 * A key of a signature type that we do not know (ML-DSA-44, 6) is kept and written again; it never
 * counts as signed. Refused, beyond the specification: a quorum that no set of keys we can verify
 * meets, a witness with a log's key (it would vouch for itself), two keys of one name and id, and
 * a URL that begins with '#' (other readers take it for a comment).
 *
 * Pure. Names and URLs borrow the text; the rest lives in the arena. Immutable after it is parsed:
 * any number of threads may use one. */
#pragma once
#include "crypto/note.h"

enum {
    COSIGN_POLICY_BYTES_MAX = 256 << 10,
    COSIGN_LOGS_MAX = 32,
    COSIGN_WITNESSES_MAX = 32,
    COSIGN_GROUPS_MAX = 32,
    COSIGN_URL_BYTES_MAX = 2048,
};

struct cosign_key {
    str name; /* of a witness within the policy; of a log its origin */
    str url;  /* empty: none; otherwise unchecked bytes */
    struct note_vkey vkey;
    struct key *key; /* NULL: of a type we cannot verify */
};

/* Witness i is bit i of a set, group i is bit COSIGN_WITNESSES_MAX + i. */
struct cosign_group {
    str name;
    unsigned threshold;
    uint64_t members;
};

struct cosign_policy {
    size_t n_logs, n_witnesses, n_groups;
    struct cosign_key logs[COSIGN_LOGS_MAX];
    struct cosign_key witnesses[COSIGN_WITNESSES_MAX];
    struct cosign_group groups[COSIGN_GROUPS_MAX];
    uint64_t quorum; /* the one bit that must be met; 0 only where no_quorum */
    bool no_quorum;  /* `quorum none` */
};

/* ERR_INPUT (what is wrong in which line; never the line itself) or ERR_LIMIT. */
MUST_USE bool cosign_policy_parse(struct arena *a, str text, const struct cosign_policy **out,
                                  struct err *err);
/* As a policy file that parses to the same: logs, witnesses, groups, quorum, in their order. */
void cosign_policy_write(const struct cosign_policy *p, struct buf *out);

/* True if the witnesses in the set (bit i: witness i has cosigned) are a quorum. */
bool witness_policy_met(const struct cosign_policy *p, uint64_t cosigned);

/* Who has signed a checkpoint. */
struct cosign_signers {
    struct checkpoint checkpoint;          /* borrows the note */
    size_t log;                            /* which of the policy's */
    uint64_t cosigned;                     /* a set of witnesses, for witness_policy_met */
    uint64_t time_s[COSIGN_WITNESSES_MAX]; /* when, by the witness's clock; 0: has not */
};
/* ERR_DENIED unless the log that the checkpoint names is one of the policy's and has signed it, or
 * for a wrong signature by a key of the policy. Whether the quorum is met is for the caller to ask,
 * and how old a cosignature may be. */
MUST_USE bool cosign_policy_signers(struct arena *a, const struct cosign_policy *p, str note,
                                    struct cosign_signers *out, struct err *err);
