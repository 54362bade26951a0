// OAuth clients that we did not write (oauth4webapi, openid-client, dpop, jose), told what to do by a list of steps.
//
//   oauth_client.mjs <STEPS          a JSON array; one JSON line for each step: {"ok": ...} or {"failed": name, ...}
//
// Steps share one DPoP key pair for each name in "key", the metadata of "discover", and tokens by the name in "as".
// {"$": "name"} in a string member stands for a token that an earlier step has got.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import http from 'node:http';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import * as dpop from 'dpop';
import * as jose from 'jose';

const insecure = { [oauth.allowInsecureRequests]: true };
const keys = new Map();
const tokens = new Map();
let server;
const client = { client_id: 'unset' };

async function keyPair(name) {
  if (!keys.has(name)) keys.set(name, await oauth.generateKeyPair('ES256', { extractable: true }));
  return keys.get(name);
}

const handles = new Map();
async function handle(step) {
  if (!step.key) return undefined;
  if (!handles.has(step.key)) handles.set(step.key, oauth.DPoP(client, await keyPair(step.key)));
  return handles.get(step.key);
}

const given = (v) => (v && typeof v === 'object' && '$' in v ? tokens.get(v.$) : v);
const params = (step) => Object.fromEntries(Object.entries(step.params ?? {}).map(([k, v]) => [k, given(v)]));

// fetch() with a client certificate, and an own idea of who may be trusted: Node's takes none.
function mtls(step) {
  const m = step.mtls;
  if (!m) return {};
  return { [oauth.customFetch]: (url, init) => new Promise((done, fail) => {
    const u = new URL(url);
    const tls = { ca: readFileSync(m.ca), ...(m.cert ? { cert: readFileSync(m.cert), key: readFileSync(m.key) } : {}) };
    const request = (u.protocol === 'https:' ? https : http).request(u, { ...tls, method: init.method,
      headers: Object.fromEntries(new Headers(init.headers)), servername: m.name, agent: false }, (r) => {
      const parts = [];
      r.on('data', (d) => parts.push(d));
      r.on('end', () => {
        const headers = new Headers();
        for (const [k, v] of Object.entries(r.headers)) [v].flat().forEach((one) => headers.append(k, one));
        done(new Response(parts.length ? Buffer.concat(parts) : null, { status: r.statusCode, headers }));
      });
    });
    request.on('error', fail);
    request.end(init.body === undefined || init.body === null ? undefined : init.body.toString());
  }) };
}

// The assertion of the SPIFFE client authentication draft and of RFC 7523: a token that somebody else has signed.
function authentication(step) {
  if (step.mtls?.cert && !step.assertion) return oauth.TlsClientAuth();
  return (_as, c, body) => {
    if (step.client_id) body.set('client_id', step.client_id);
    body.set('client_assertion_type', step.assertion_type ?? 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe');
    body.set('client_assertion', step.assertion);
  };
}

// Once more with the server's nonce, as a client must.
async function withNonce(step, send) {
  const options = { ...insecure, ...mtls(step), DPoP: await handle(step) };
  try {
    return await send(options);
  } catch (e) {
    if (!oauth.isDPoPNonceError(e)) throw e;
    step.nonces = (step.nonces ?? 0) + 1;
    return await send(options);
  }
}

function keep(step, answer) {
  if (step.as) tokens.set(step.as, answer.access_token);
  return { ...answer, nonces: step.nonces ?? 0 };
}

const steps = {
  async discover(step) {
    const issuer = new URL(step.issuer);
    const r = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure, ...mtls(step) });
    server = await oauth.processDiscoveryResponse(issuer, r);
    return server;
  },

  async resource(step) {
    const url = new URL(step.url);
    return oauth.processResourceDiscoveryResponse(url, await oauth.resourceDiscoveryRequest(url, { ...insecure, ...mtls(step) }));
  },

  async token(step) {
    const who = { client_id: step.client_id ?? 'unset', use_mtls_endpoint_aliases: Boolean(step.mtls) };
    const answer = await withNonce(step, async (o) => oauth.processClientCredentialsResponse(server, who,
      await oauth.clientCredentialsGrantRequest(server, who, authentication(step), params(step), o)));
    return keep(step, answer);
  },

  async grant(step) {
    const answer = await withNonce(step, async (o) => oauth.processGenericTokenEndpointResponse(server, client,
      await oauth.genericTokenEndpointRequest(server, client, authentication(step), step.type, params(step), o)));
    return keep(step, answer);
  },

  async introspect(step) {
    const o = { ...insecure, ...mtls(step) };
    return oauth.processIntrospectionResponse(server, client,
      await oauth.introspectionRequest(server, client, authentication(step), given(step.token), o));
  },

  async revoke(step) {
    const o = { ...insecure, ...mtls(step), additionalParameters: step.params };
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, authentication(step), given(step.token), o));
    return true;
  },

  // An MCP request with the token.
  async call(step) {
    const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28', 'mcp-method': step.method ?? 'tools/list', ...step.headers });
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: step.method ?? 'tools/list', params: { ...step.mcp, _meta: meta } });
    const r = await withNonce(step, (o) =>
      oauth.protectedResourceRequest(given(step.token), 'POST', new URL(step.url), headers, body, o));
    return { status: r.status, body: await r.json(), nonces: step.nonces ?? 0 };
  },

  // As a resource server of another make reads our token (RFC 9068, RFC 9449).
  async validate(step) {
    const token = given(step.token);
    const headers = new Headers({ authorization: `${step.key ? 'DPoP' : 'Bearer'} ${token}` });
    if (step.key)
      headers.set('dpop', await dpop.generateProof(await keyPair(step.proof_key ?? step.key), step.url, 'POST', undefined, token));
    return oauth.validateJwtAccessToken(server, new Request(step.url, { method: 'POST', headers }), step.audience ?? step.url,
      { ...insecure, requireDPoP: Boolean(step.key) });
  },

  async jose(step) {
    const set = jose.createRemoteJWKSet(new URL(server.jwks_uri));
    const { payload, protectedHeader } = await jose.jwtVerify(given(step.token), set, {
      typ: step.typ ?? 'at+jwt', issuer: server.issuer, audience: step.audience, algorithms: ['ES256'] });
    return { payload, protectedHeader };
  },

  // The same by openid-client, the library that most programs use.
  async openid(step) {
    const config = await openid.discovery(new URL(step.issuer), step.client_id, undefined, authentication(step),
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] });
    const DPoP = step.key ? openid.getDPoPHandle(config, await keyPair(step.key)) : undefined;
    if (step.type) return keep(step, await openid.genericGrantRequest(config, step.type, params(step), { DPoP }));
    return keep(step, await openid.clientCredentialsGrant(config, params(step), { DPoP }));
  },

  async openid_introspect(step) {
    const config = await openid.discovery(new URL(step.issuer), step.client_id, undefined, authentication(step),
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] });
    return openid.tokenIntrospection(config, given(step.token));
  },
};

for (const step of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    process.stdout.write(JSON.stringify({ ok: (await steps[step.do](step)) ?? null }) + '\n');
  } catch (e) {
    const cause = e.cause ?? {};
    let body = cause instanceof Response ? await cause.clone().text().catch(() => '') : undefined;
    process.stdout.write(JSON.stringify({ failed: e.name, message: e.message, code: e.code, error: e.error ?? cause.error,
      description: e.error_description, status: e.status ?? cause.status, challenges: Array.isArray(cause) ? cause : undefined,
      body }) + '\n');
  }
}
