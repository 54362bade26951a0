/* note: signed notes (C2SP signed-note v1.0.0), log checkpoints (C2SP tlog-checkpoint v1.0.0) and
 * witness cosignatures (C2SP tlog-cosignature, Ed25519 form).
 *
 * A note is text, an empty line, and one or more signature lines "(em dash) name base64(key id ||
 * signature)". Text is UTF-8 that ends in a newline and has no other control characters. A key id
 * is the first 4 bytes of SHA-256(name || LF || type || public key). Signatures by keys we do not
 * know are ignored; a signature by a known key that is wrong refuses the note, even beside a good
 * one. A second good one by the same key counts for nothing.
 *
 * Pure; results borrow the bytes given or live in the arena; thread-safe. */
#pragma once
#include "crypto/merkle.h"
#include "crypto/key.h"

enum {
    NOTE_BYTES_MAX = 64 << 10,
    NOTE_NAME_BYTES_MAX = 255,
    NOTE_SIGS_MAX = 64,
    NOTE_VERIFIERS_MAX = 64,
    NOTE_VKEY_BYTES_MAX = 4 << 10, /* room for post-quantum ones */
    NOTE_SIG_BYTES_MAX =
        8 << 10, /* of one unknown signature, decoded (room for post-quantum ones) */
};

enum note_type {
    NOTE_ED25519 = 1, /* signature of the text */
    NOTE_COSIGNATURE =
        4, /* timestamped witness statement over a checkpoint: 8 bytes of time, 64 of signature */
};

/* Who may have signed. Made by note_vkey_parse or note_verifier; the key is owned by the caller. */
struct note_verifier {
    str name;
    enum note_type type;
    uint32_t id; /* big-endian reading of the 4 bytes */
    const struct key *key;
};
/* Valid names are not empty, well-formed UTF-8, without white space, control characters and '+'. */
bool note_name_is_valid(str name);
uint32_t note_key_id(str name, enum note_type type, const struct key *pub);
MUST_USE bool note_verifier(str name, enum note_type type, const struct key *pub,
                            struct note_verifier *out, struct err *err);
/* A verifier key name+hash+base64(type || public key) of any signature type, also of one that we
 * cannot verify. The name borrows text, the key is in the arena. ERR_INPUT unless the hash fits. */
struct note_vkey {
    str name;
    uint32_t id;
    uint8_t type; /* an enum note_type, or another */
    str key;      /* what follows the type: not empty, otherwise unchecked */
};
MUST_USE bool note_vkey_read(struct arena *a, str text, struct note_vkey *out, struct err *err);
/* A vkey of the types above, to verify with. The name borrows text. *key is the caller's to free;
 * out->key points to it. */
MUST_USE bool note_vkey_parse(str text, struct note_verifier *out, struct key **key,
                              struct err *err);
void note_vkey_write(const struct note_verifier *v, struct buf *out);

/* ---- writing ---- */
/* Appends text, the empty line and one signature line. The text must be valid as above. On failure
 * `out` is as it was. */
MUST_USE bool note_sign(str text, str name, const struct key *key, struct buf *out,
                        struct err *err);
/* One more signature line for a note already in `out` or sent alone (what a witness answers). sig:
 * SIG_LEN bytes made elsewhere over the text; for a cosignature 8 + SIG_LEN. */
MUST_USE bool note_put_sig(const struct note_verifier *who, str sig, struct buf *out,
                           struct err *err);
/* What a witness signs: "cosignature/v1", "time <seconds>", then the text. */
void note_cosign_message(str text, uint64_t time_s, struct buf *out);
/* A note with what witnesses answered (C2SP tlog-witness add-checkpoint: signature lines alone).
 * Lines of others are left out; of each witness the newest cosignature stays, once, whether it came
 * in `note` or in `lines`; what else has signed the note stays as it was. All witnesses must be of
 * type NOTE_COSIGNATURE. ERR_DENIED, with `out` as it was, for a wrong cosignature by one of them
 * or when `lines` has none of theirs. */
MUST_USE bool note_add_cosignatures(str note, str lines, const struct note_verifier *witnesses,
                                    size_t n, struct buf *out, struct err *err);

/* ---- reading ---- */
struct note_sig {
    str name;
    uint32_t id;
    str sig;         /* without the id */
    int verifier;    /* which one vouched for it, -1 if unknown or a repetition */
    uint64_t time_s; /* of a cosignature that was verified, at most 2^63 - 1; else 0 */
};
struct note {
    str text; /* with its final newline */
    struct note_sig sigs[NOTE_SIGS_MAX];
    size_t n;
    size_t known; /* how many were verified */
};
/* Form only: every signature has verifier -1. */
MUST_USE bool note_parse(struct arena *a, str bytes, struct note *out, struct err *err);
/* Form and signatures; at least one verifier must have signed (ERR_DENIED). Quorum rules are the
 * caller's, over out->sigs. */
MUST_USE bool note_open(struct arena *a, str bytes, const struct note_verifier *verifiers, size_t n,
                        struct note *out, struct err *err);

/* ---- checkpoints: origin, size, root, one a line; extension lines are refused ---- */
struct checkpoint {
    str origin;
    uint64_t size;
    struct hash root;
};
MUST_USE bool checkpoint_write(const struct checkpoint *c, struct buf *out, struct err *err);
/* text is a note's text. The origin must be exactly `origin`. */
MUST_USE bool checkpoint_parse(str text, str origin, struct checkpoint *out, struct err *err);
