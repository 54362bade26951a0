/* client_parts: what the files behind client.h share; not for other folders. */
#pragma once
#include "mcp/client.h"

/* What an HTTP status alone says. */
enum verdict {
    STATUS_GOOD,      /* 2xx */
    STATUS_DENIED,    /* 401, 403 */
    STATUS_REFUSED,   /* another 4xx that tells something about the message */
    STATUS_UNRELATED, /* 5xx, 429, redirects ...: about the moment, not the message */
};
enum verdict mcp_status_verdict(int status);
/* ERR_DENIED or ERR_PEER for a status; always false. */
bool mcp_status_err(const struct mcp_answer *answer, struct err *err);

/* A legacy reply to what an upstream asked: an empty result for ping, else "method not found". */
void mcp_client_reply(const struct mcp_client *c, struct arena *a, const struct rpc_message *asked,
                      struct mcp_out *out);
/* modern: absent and "complete" are fine. */
MUST_USE bool mcp_check_result_type(const json *result, struct err *err);
