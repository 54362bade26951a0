// The authorization code flow (PKCE, RFC 9207, DPoP) by OAuth clients that we did not write.
//
//   code_client.mjs oauth4webapi|openid-client <ASKED
//
// ASKED, first line: {"issuer", "client_id", "redirect_uri", "details", "mcp"}. Prints {"open": URL}; the second line is
// the URL to which the browser came back. Then prints {"token": answer, "status", "body"} of tools/list at "mcp", or
// {"failed": name, "message"}.
import readline from 'node:readline';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value;
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
const insecure = { [oauth.allowInsecureRequests]: true };
const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } } });
const HEADERS = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' });

// Once more with the server's nonce, as a client must.
async function withNonce(send) {
  try {
    return await send();
  } catch (e) {
    if (!oauth.isDPoPNonceError(e)) throw e;
    return send();
  }
}

async function byOauth4webapi(asked) {
  const issuer = new URL(asked.issuer), client = { client_id: asked.client_id };
  const server = await oauth.processDiscoveryResponse(issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
  const keys = await oauth.generateKeyPair('ES256');
  const DPoP = oauth.DPoP(client, keys);
  const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint);
  for (const [name, value] of Object.entries({ response_type: 'code', client_id: asked.client_id,
    redirect_uri: asked.redirect_uri, state, authorization_details: asked.details, code_challenge_method: 'S256',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), dpop_jkt: await DPoP.calculateThumbprint() }))
    url.searchParams.set(name, value);
  say({ open: url.href });
  const came = oauth.validateAuthResponse(server, client, new URL(await next()), state);
  const answer = await withNonce(async () => oauth.processAuthorizationCodeResponse(server, client,
    await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), came, asked.redirect_uri, verifier,
      { ...insecure, DPoP })));
  const list = await withNonce(() => oauth.protectedResourceRequest(answer.access_token, 'POST', new URL(asked.mcp), HEADERS,
    LIST, { ...insecure, DPoP }));
  say({ token: answer, status: list.status, body: await list.json() });
}

async function byOpenidClient(asked) {
  const config = await openid.discovery(new URL(asked.issuer), asked.client_id, undefined, openid.None(),
    { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] });
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'));
  const verifier = openid.randomPKCECodeVerifier(), state = openid.randomState();
  const url = openid.buildAuthorizationUrl(config, { redirect_uri: asked.redirect_uri, state,
    authorization_details: asked.details, code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256' });
  say({ open: url.href });
  const answer = await openid.authorizationCodeGrant(config, new URL(await next()),
    { pkceCodeVerifier: verifier, expectedState: state }, undefined, { DPoP });
  const list = await openid.fetchProtectedResource(config, answer.access_token, new URL(asked.mcp), 'POST', LIST, HEADERS,
    { DPoP });
  say({ token: answer, status: list.status, body: await list.json() });
}

try {
  await { oauth4webapi: byOauth4webapi, 'openid-client': byOpenidClient }[process.argv[2]](JSON.parse(await next()));
} catch (e) {
  say({ failed: e.name, message: e.message, error: e.error, description: e.error_description });
}
process.exit(0);
