/* spiffe_id: names of workloads and of trust domains (SPIFFE-ID section 2).
 *
 *     spiffe://<trust domain>[/<segment>...]
 *
 * A trust domain is 1 to 255 of [a-z0-9._-], a segment one or more of [a-zA-Z0-9._-] but not "."
 * or "..". User, port, query, fragment, percent signs, empty segments and a slash at the end do not
 * exist. The specification reads scheme and trust domain without regard to case and demands lower
 * case of whoever writes them; here upper case is refused, so that an identity has one spelling and
 * can be compared, hashed and cached as bytes. A trust domain that looks like an address is a name
 * like any other.
 *
 * Nothing allocates except into an arena given; results borrow the text that was read. Thread-safe:
 * no state. Errors are ERR_INPUT and do not repeat the text. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
    SPIFFE_ID_BYTES_MAX = 2048,
    TRUST_DOMAIN_BYTES_MAX = 255,
    AGENT_PART_BYTES_MAX = 128, /* name or instance of an agent */
};

/* The zero value is no identity; all three parts borrow one text. */
struct spiffe_id {
    str text;         /* the whole of it */
    str trust_domain; /* "example.org" */
    str path;         /* "/agent/x/1"; empty: the trust domain itself */
};

bool trust_domain_is_valid(str s);
MUST_USE bool spiffe_id_parse(str text, struct spiffe_id *out, struct err *err);
/* As parse, and it must name a workload: ERR_INPUT if it has no path (X509-SVID section 3.1). */
MUST_USE bool spiffe_id_parse_workload(str text, struct spiffe_id *out, struct err *err);
/* path is empty or begins with a slash. */
MUST_USE bool spiffe_id_make(struct arena *a, str trust_domain, str path, struct spiffe_id *out,
                             struct err *err);
static inline bool spiffe_id_eq(const struct spiffe_id *a, const struct spiffe_id *b)
{
    return str_eq(a->text, b->text);
}
/* A copy that lives in the arena. */
struct spiffe_id spiffe_id_dup(struct arena *a, const struct spiffe_id *id);

/* ---- agents of this installation: spiffe://<td>/agent/<name>/<instance> ---- */
struct spiffe_agent {
    str name, instance; /* one segment each, at most AGENT_PART_BYTES_MAX */
};
/* ERR_NOTFOUND for an identity of another form. */
MUST_USE bool spiffe_agent_of(const struct spiffe_id *id, struct spiffe_agent *out,
                              struct err *err);
MUST_USE bool spiffe_agent_make(struct arena *a, str trust_domain, str name, str instance,
                                struct spiffe_id *out, struct err *err);
