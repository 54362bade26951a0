// Checks what `ambit hold evidence --json` prints with @simplewebauthn/server: reads it from standard input, prints
// {"verified": true|false}. Nothing of ours but the data.
import { verifyAuthenticationResponse } from "@simplewebauthn/server";
import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";

const of = JSON.parse(await text(process.stdin));
const e = of.evidence[0];
const challenge = createHash("sha256").update(e.statement).digest("base64url");
try {
  const { verified } = await verifyAuthenticationResponse({
    response: {
      id: e.credential, rawId: e.credential, type: "public-key", clientExtensionResults: {},
      response: { authenticatorData: e.authenticatorData, clientDataJSON: e.clientData, signature: e.signature },
    },
    expectedChallenge: challenge, expectedOrigin: of.origin, expectedRPID: of.rpId, requireUserVerification: true,
    credential: { id: e.credential, publicKey: new Uint8Array(Buffer.from(e.publicKey, "base64url")), counter: 0 },
  });
  console.log(JSON.stringify({ verified }));
} catch (error) {
  console.log(JSON.stringify({ verified: false, why: error.message }));
}
