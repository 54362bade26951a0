/* edge_trust: listeners of an edge that depend on the trust bundles in force.
 *
 *     "clientCa": "agents"   its TLS asks for a client certificate of any of these bundles
 *     "bundle": "web"        serves the own bundle under its own certificate (https_web)
 *     "bundle": "spiffe"     serves it with an X.509-SVID, for a key made here (https_spiffe)
 *
 * Such a listener is taken over here and accepts nobody before core has sent what it needs; until
 * then clients wait in the kernel's queue. What core sends later holds for new handshakes; nothing
 * is restarted. An SVID is renewed at half its life, and at once when the bundle changes, since its
 * issuer may be gone from it.
 *
 * A bundle endpoint answers GET of EDGE_BUNDLE_PATH to anybody (SPIFFE Federation section
 * 5), and nothing else: it has no door. Loop thread only. */
#pragma once
#include "net/conn.h"
#include "role/role.h"

#define EDGE_BUNDLE_PATH "/bundle"

struct edge_trust; /* opaque */

struct edge_trust *edge_trust_new(struct role_env *env);
bool edge_trust_wants(const struct conf_listener *l);
/* Takes the listening socket over, to be served with o, whose `tls` is set here. cert, key: PEM,
 * empty where the listener has none; borrowed for life. on_conn is not used for bundle endpoints.
 */
void edge_trust_listen(struct edge_trust *t, uint32_t index, int fd, const struct listen_opts *o,
                       str cert, str key);
/* Core came, or NULL: it is gone. */
void edge_trust_core(struct edge_trust *t, struct chan *core);
/* TRUST and SVID. */
MUST_USE bool edge_trust_message(struct edge_trust *t, uint16_t type, str payload, struct err *err);
void edge_trust_drain(struct edge_trust *t); /* takes no more connections */
