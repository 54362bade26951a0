// A scripted agent on the official MCP client library: what ./run and the system tests let loose on a server.
//
//   import { connectHttp, connectStdio } from './agent.mjs';
//   const agent = await connectHttp({ url, token, era: 'modern', transcript: 'agent.log' });
//   const result = await agent.callTool('read_ticket', { ticket: 1 });
//
// As a program it plays a script, one step per line on standard input, and prints one JSON line per step:
//
//   node agent.mjs (--url URL [--token-file FILE] [--header NAME:FILE] | -- COMMAND ARGS...)
//                  [--era legacy|modern|auto] [--transcript FILE]
//
//   {"list": true}
//   {"call": "refund", "args": {...}, "meta": {...}, "progress": true, "timeout": 60000}
//
// The transcript receives everything the agent is sent: status lines, headers and bodies as they arrive over
// HTTP, each decoded message, and what a child process writes to standard error. Whoever looks for a secret
// that an agent must never see searches that file.

import { appendFileSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

// The library speaks 2025-11-25 unless told otherwise; `auto` asks the server first.
const negotiation = {
    legacy: { mode: 'legacy' },
    modern: { mode: { pin: '2026-07-28' } },
    auto: { mode: 'auto' },
};

/** Connects over Streamable HTTP. `token` becomes a bearer token; `headers` are sent as they are. */
export async function connectHttp({ url, token, headers = {}, era = 'legacy', transcript }) {
    const record = recorder(transcript);
    const requestHeaders = token ? { authorization: `Bearer ${token}`, ...headers } : headers;
    const transport = new StreamableHTTPClientTransport(new URL(url), {
        requestInit: { headers: requestHeaders },
        fetch: (input, init) => recordingFetch(record, input, init),
    });
    return connect(transport, era, record);
}

/** Starts `command` and talks to its standard input and output. `env` is added to the library's small default set. */
export async function connectStdio({ command, args = [], env, cwd, era = 'legacy', transcript }) {
    const record = recorder(transcript);
    const transport = new StdioClientTransport({ command, args, env, cwd, stderr: 'pipe' });
    transport.stderr.on('data', part => record(part));
    return connect(transport, era, record);
}

async function connect(transport, era, record) {
    if (!negotiation[era]) throw new Error(`unknown era ${era}`);
    const client = new Client({ name: 'scripted-agent', version: '1.0.0' }, { versionNegotiation: negotiation[era] });
    // The client keeps a handler that is already there and calls it first.
    transport.onmessage = message => record(JSON.stringify(message) + '\n');
    await client.connect(transport);
    return {
        client,
        era: client.getProtocolEra(),
        server: client.getServerVersion(),
        listTools: async () => (await client.listTools()).tools,
        callTool: (name, args = {}, options = {}) => callTool(client, name, args, options),
        close: () => close(client, transport),
    };
}

/** Resolves to the tool's result, {content, structuredContent, isError}; rejects on a JSON-RPC or transport error. */
function callTool(client, name, args, { meta, onprogress, signal, timeout = 60_000 }) {
    const params = { name, arguments: args };
    if (meta) params._meta = meta;
    return client.callTool(params, { onprogress, signal, timeout });
}

async function close(client, transport) {
    // Only a legacy session needs to be ended; a server may refuse to.
    if (transport.sessionId) await transport.terminateSession().catch(() => {});
    await client.close();
}

// --- transcript -----------------------------------------------------------------------------------

function recorder(file) {
    return file ? bytes => appendFileSync(file, bytes) : () => {};
}

async function recordingFetch(record, input, init) {
    const response = await fetch(input, init);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\n`).join('');
    record(`HTTP ${response.status} ${response.statusText}\n${headers}\n`);
    if (!response.body) return response;
    const body = response.body.pipeThrough(new TransformStream({
        transform(part, controller) {
            record(part);
            controller.enqueue(part);
        },
    }));
    const copy = new Response(body, response);
    Object.defineProperty(copy, 'url', { value: response.url });
    return copy;
}

// --- the program ------------------------------------------------------------------------------------

async function connectAsTold() {
    const { values, positionals } = parseArgs({
        options: {
            url: { type: 'string' },
            'token-file': { type: 'string' },
            header: { type: 'string', multiple: true, default: [] },
            era: { type: 'string', default: 'legacy' },
            transcript: { type: 'string' },
        },
        allowPositionals: true,
    });
    const { url, era, transcript } = values;
    if (!url) {
        const [command, ...args] = positionals;
        if (!command) throw new Error('either --url URL or -- COMMAND ARGS... is needed');
        return connectStdio({ command, args, era, transcript });
    }
    const secret = file => readFileSync(file, 'utf8').trim();
    const token = values['token-file'] && secret(values['token-file']);
    const headers = Object.fromEntries(values.header.map(header => {
        const [name, file] = header.split(':');
        return [name, secret(file)];
    }));
    return connectHttp({ url, token, headers, era, transcript });
}

async function play(agent, step) {
    if (step.list) return { tools: (await agent.listTools()).map(tool => tool.name) };
    const progress = [];
    const onprogress = step.progress ? event => progress.push(event) : undefined;
    const { meta, timeout } = step;
    const result = await agent.callTool(step.call, step.args, { meta, timeout, onprogress });
    return step.progress ? { result, progress } : { result };
}

async function main() {
    const agent = await connectAsTold();
    console.log(JSON.stringify({ connected: agent.server, era: agent.era }));
    for await (const line of createInterface({ input: process.stdin })) {
        if (line.trim() === '') continue;
        const outcome = await play(agent, JSON.parse(line)).catch(error => ({
            error: { code: error.code, message: error.message },
        }));
        console.log(JSON.stringify(outcome));
    }
    await agent.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    await main().catch(error => {
        console.error(`agent: ${error.message}`);
        process.exitCode = 1;
    });
}
