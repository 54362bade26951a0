/* mcp_door: the MCP door of one edge: agents in, upstreams out, core asked about everything in
 * between.
 *
 * A request's life (mcp_exchange.c): read by mcp/server.h -> asked of core (CALL, LIST, SESSION) ->
 * for a call that may go: credential from the keeper, session with the upstream (mcp_session.c),
 * one POST (upstream.h), the answer relayed, the outcome told to core (mcp_call.c). The door
 * decides nothing and keeps no authority: what it may do arrives with each GO.
 *
 * A request that core or the keeper does not answer in CORE_WAIT_MS_MAX is answered with
 * "unavailable"; if core or the keeper ends, everything that waits for it is. Loop thread only. */
#pragma once
#include "door/http_server.h"
#include "door/upstream.h"
#include "ipc/message.h"

struct mcp_door;

struct mcp_door_opts {
    struct loop *loop;
    const struct conf *conf;
    struct upstream *upstreams; /* by the index of the binding in conf; owned by the caller */
    /* Queues a message to a peer; false: that role is away. */
    bool (*send)(void *ctx, enum role to, enum message_type type, uint64_t id, const void *msg);
    void *ctx;
};
struct mcp_door *mcp_door_new(const struct mcp_door_opts *o);

/* A connection on a listener (by its index in conf), or an attested one (conn from core). */
void mcp_door_serve(struct mcp_door *d, struct conn *conn, uint32_t listener);
void mcp_door_serve_attested(struct mcp_door *d, struct conn *conn, int64_t attested);
/* From core or keeper. False with err: not understood, the peer is to be killed. */
MUST_USE bool mcp_door_message(struct mcp_door *d, enum role from, uint16_t type, uint64_t id,
                               str payload, struct err *err);
void mcp_door_peer_lost(struct mcp_door *d, enum role who);
/* No new requests on open connections; calls under way are finished. */
void mcp_door_drain(struct mcp_door *d);
size_t mcp_door_busy(const struct mcp_door *d); /* exchanges under way */

struct mcp_door_counts {
    uint64_t requests, calls, streams, upstream_errors;
};
const struct mcp_door_counts *mcp_door_counts(const struct mcp_door *d);
