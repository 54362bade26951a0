// A real Chromium, driven over its DevTools protocol, with a virtual authenticator. One JSON command a line on
// standard input, one JSON answer a line on standard output:
//   {"goto": URL}   {"eval": JS}   {"cdp": METHOD, "params": {...}}   {"authenticator": {...}}   {"close": true}
// node browser.mjs CHROMIUM PROFILE_FOLDER
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [program, profile] = process.argv.slice(2);
const chromium = spawn(program, [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
  "--disable-extensions", `--user-data-dir=${profile}`, "about:blank",
], { stdio: ["ignore", "ignore", "ignore"] });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function debuggerAddress() {
  const file = `${profile}/DevToolsActivePort`;
  for (let i = 0; i < 600; i++) {
    if (existsSync(file)) {
      const port = Number(readFileSync(file, "utf8").split("\n")[0]);
      if (port) {
        try {
          const pages = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
          const page = pages.find((p) => p.type === "page");
          if (page) return page.webSocketDebuggerUrl;
        } catch { /* not yet */ }
      }
    }
    await pause(50);
  }
  throw new Error("chromium did not start");
}

const socket = new WebSocket(await debuggerAddress());
await new Promise((done, failed) => { socket.onopen = done; socket.onerror = failed; });
let nextId = 0;
const waiting = new Map();
const listeners = new Set();
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.id) {
    const [done, failed] = waiting.get(message.id);
    waiting.delete(message.id);
    message.error ? failed(new Error(message.error.message)) : done(message.result);
  } else {
    for (const fn of [...listeners]) fn(message);
  }
};
const cdp = (method, params = {}) => new Promise((done, failed) => {
  waiting.set(++nextId, [done, failed]);
  socket.send(JSON.stringify({ id: nextId, method, params }));
});

await cdp("Page.enable");
await cdp("Runtime.enable");
await cdp("Network.enable");
await cdp("WebAuthn.enable");

async function go(url) {
  const loaded = new Promise((done) => {
    const fn = (m) => {
      if (m.method !== "Page.loadEventFired") return;
      listeners.delete(fn);
      done();
    };
    listeners.add(fn);
  });
  const { errorText } = await cdp("Page.navigate", { url });
  if (errorText) return { error: errorText };
  await Promise.race([loaded, pause(15000)]);
  return {};
}

async function evaluate(expression) {
  const { result, exceptionDetails } = await cdp("Runtime.evaluate", {
    expression, awaitPromise: true, returnByValue: true, userGesture: true,
  });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value ?? null;
}

async function obey(command) {
  if ("goto" in command) return go(command.goto);
  if ("eval" in command) return evaluate(command.eval);
  if ("cdp" in command) return cdp(command.cdp, command.params);
  if ("authenticator" in command)
    return cdp("WebAuthn.addVirtualAuthenticator", { options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true,
      isUserVerified: true, automaticPresenceSimulation: true, ...command.authenticator,
    } });
  throw new Error("no such command");
}

const end = () => { chromium.kill("SIGKILL"); process.exit(0); };
process.on("SIGTERM", end);
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.close) break;
  try {
    console.log(JSON.stringify({ result: await obey(command) }));
  } catch (e) {
    console.log(JSON.stringify({ error: String(e.message ?? e) }));
  }
}
end();
