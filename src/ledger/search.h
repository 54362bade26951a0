/* ledger/search: records by who, what and when, for questions that no index answers.
 *
 * Every leaf is read, and parsed only if its bytes hold the name asked for: leaves are canonical
 * (RFC 8785), so a member has one spelling. Records that carry a call or a hold but not the name
 * (an outcome, a decision) are found through the intent or hold that they follow. Reads one state
 * of the store; on a running gateway the WAL is not copied back meanwhile. One thread per view. */
#pragma once
#include "ledger/trace.h"

enum {
    SEARCH_TALLIES_MAX = 256, /* different names counted; what is over is counted as "others" */
    SEARCH_NEWEST_MAX = TRACE_ENTRIES_MAX,
};

/* Empty means any; what is given must all hold. */
struct trace_query {
    str agent;    /* as in the record, also as the agent of a delegated task */
    str owner;    /* of the task */
    str system;   /* binding, or binding/tool */
    str from, to; /* from <= time < to; a beginning of the text form, such as "2026-11-23T10" */
};

/* "day", "day and hour:minute[:second[.milliseconds]]" in UTC ("2026-11-23T10:30:00Z"), or a
 * duration before now_ms ("2h"), as the text that a query takes. ERR_INPUT. */
MUST_USE bool search_time(struct arena *a, str given, int64_t now_ms, str *out, struct err *err);

/* True for a leaf that the query is about. Leaves are given in order of their index. */
struct search;
struct search *search_new(const struct trace_query *q);
void search_free(struct search *s); /* NULL is fine */
bool search_matches(struct search *s, str body);

enum tally_kind { TALLY_TYPE = 0, TALLY_DECISION, TALLY_OUTCOME, TALLY_SYSTEM, TALLY_KINDS };
struct tally {
    enum tally_kind kind;
    str name;
    uint64_t n;
};

struct search_result {
    uint64_t read, matched;
    struct tally tallies[SEARCH_TALLIES_MAX + TALLY_KINDS];
    size_t tallies_n;
    struct trace_entry *newest; /* by index, ascending; at most the limit */
    size_t n;
};

/* limit: how many entries are wanted, 1 to SEARCH_NEWEST_MAX. Everything lives in the arena. */
MUST_USE bool trace_search(struct store_view *v, struct arena *a, const struct trace_query *q,
                           size_t limit, struct search_result *out, struct err *err);
str tally_kind_name(enum tally_kind k);
