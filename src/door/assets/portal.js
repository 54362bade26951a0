// What only a browser can do: speak to the authenticator. Everything else is done on the server.
"use strict";
(() => {
  const csrf = document.querySelector('meta[name="csrf"]').content;
  const say = (text, bad) => {
    const p = document.getElementById("say");
    p.textContent = text;
    p.className = bad ? "bad" : "";
  };
  const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const toBytes = (text) => Uint8Array.from(
    atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

  async function post(path, body) {
    const answer = await fetch(path, {
      method: "POST", body: JSON.stringify(body), credentials: "same-origin", redirect: "error",
      headers: { "Content-Type": "application/json", "X-Ambit-Csrf": csrf },
    });
    const got = await answer.json();
    if (!answer.ok) throw new Error(got.error);
    return got;
  }

  async function assertion(challenge, rpId) {
    const made = await navigator.credentials.get({ publicKey: {
      challenge, rpId, userVerification: "required", timeout: 240000,
    } });
    return {
      credential: toText(made.rawId),
      authenticatorData: toText(made.response.authenticatorData),
      clientData: toText(made.response.clientDataJSON),
      signature: toText(made.response.signature),
    };
  }

  // A statement is signed by its digest; what it says stands on the page.
  async function signed(statement) {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(statement));
    return assertion(digest, location.hostname);
  }

  async function signIn(button) {
    const begun = await post("/signin/begin", {});
    await post("/signin/finish", {
      handle: begun.handle, assertion: await assertion(toBytes(begun.challenge), begun.rpId),
    });
    location.replace(button.dataset.next);
  }

  async function enrol() {
    const code = location.hash.slice(1);
    history.replaceState(null, "", "/enrol");
    const begun = await post("/enrol/begin", { code });
    const made = await navigator.credentials.create({ publicKey: {
      challenge: toBytes(begun.challenge),
      rp: { id: begun.rpId, name: "Ambit" },
      user: { id: toBytes(begun.userId), name: begun.user, displayName: begun.user },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none", timeout: 240000,
    } });
    await post("/enrol/finish", { handle: begun.handle, registration: {
      credential: toText(made.rawId),
      authenticatorData: toText(made.response.getAuthenticatorData()),
      clientData: toText(made.response.clientDataJSON),
    } });
    location.replace("/");
  }

  async function decide(button) {
    const { statement, decision } = button.dataset;
    await post("/decide", {
      hold: button.parentElement.dataset.hold, decision, assertion: await signed(statement),
    });
    location.reload();
  }

  async function consent(button) {
    const { statement, decision } = button.dataset;
    const body = { request: button.parentElement.dataset.request, decision };
    if (statement) body.assertion = await signed(statement);
    location.replace((await post("/consent/decide", body)).redirect);
  }

  const actions = { signin: signIn, enrol, decide, consent };
  const act = actions[document.body.dataset.page];
  if (!act) return;
  for (const button of document.querySelectorAll("main button")) {
    button.addEventListener("click", async () => {
      button.disabled = true;
      say("Waiting for the passkey.");
      try {
        await act(button);
      } catch (e) {
        say(e.message || "It was not done.", true);
        button.disabled = false;
      }
    });
  }
})();
