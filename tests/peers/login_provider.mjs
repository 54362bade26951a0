// An OpenID provider (npm oidc-provider) with one user, who is signed in by saying so.
//   node login_provider.mjs REDIRECT_URI
// prints "listening PORT". The user's id, amr, acr and the age of the sign-in come from the query of /as?..., to be
// opened first; a browser then walks the whole flow by redirects.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [redirectUri] = process.argv.slice(2);
let user = { sub: "u-ann", amr: ["pwd"], acr: "silver", age: 0 };
const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const { port } = server.address();
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: "ambit", token_endpoint_auth_method: "none", redirect_uris: [redirectUri], response_types: ["code"],
    grant_types: ["authorization_code"],
  }],
  pkce: { required: () => true },
  claims: { openid: ["sub", "amr", "acr", "auth_time"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: () => "/interaction" },
  cookies: { keys: ["test"] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, amr: user.amr, acr: user.acr }) }),
  renderError(ctx, out, error) {
    console.error(String(error));
    ctx.type = "json";
    ctx.body = out;
  },
});

// Every interaction is answered at once: this user, and yes to everything.
async function interact(req, res) {
  const { prompt, params, grantId, session } = await provider.interactionDetails(req, res);
  if (prompt.name === "login") {
    return provider.interactionFinished(req, res, {
      login: { accountId: user.sub, amr: user.amr, acr: user.acr, ts: Math.floor(Date.now() / 1000) - user.age },
    }, { mergeWithLastSubmission: false });
  }
  const grant = grantId ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope("openid");
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } },
    { mergeWithLastSubmission: true });
}

const oidc = provider.callback();
server.on("request", (req, res) => {
  const url = new URL(req.url, issuer);
  if (url.pathname === "/as") {
    user = { ...user, ...JSON.parse(url.searchParams.get("user")) };
    res.end("ok");
  } else if (url.pathname.startsWith("/interaction")) {
    interact(req, res).catch((e) => { res.statusCode = 500; res.end(String(e)); });
  } else {
    oidc(req, res);
  }
});
console.log(`listening ${port}`);
