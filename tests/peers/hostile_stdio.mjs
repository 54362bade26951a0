// An MCP server on standard input and output that misbehaves on request: what a gateway must survive from
// the programs it starts. Revision 2025-11-25.
//
//   node hostile_stdio.mjs
//
// The name of the tool called chooses the misbehaviour; see `tools` below.

import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const text = value => ({ content: [{ type: 'text', text: value }] });
const write = line => process.stdout.write(line + '\n');
const reply = (id, result) => write(JSON.stringify({ jsonrpc: '2.0', id, result }));

// Never the value of a variable: a digest is enough to compare by.
function environment() {
    const key = process.env.HELP_KEY;
    return {
        help_key_sha256: key === undefined ? null : createHash('sha256').update(key).digest('hex'),
        names: Object.keys(process.env).sort(),
    };
}

const tools = {
    // Well-behaved.
    echo(id, args) {
        reply(id, { ...text(JSON.stringify(args)), structuredContent: args });
    },
    print_env_names(id) {
        const structuredContent = environment();
        reply(id, { ...text(JSON.stringify(structuredContent)), structuredContent });
    },
    whoami(id) {
        const structuredContent = { pid: process.pid, uid: process.getuid(), gid: process.getgid(), cwd: process.cwd() };
        reply(id, { ...text(JSON.stringify(structuredContent)), structuredContent });
    },

    // Misbehaved.
    exit_mid_call() {
        writeSync(1, '{"jsonrpc":"2.0","id":');
        process.exit(3);
    },
    crash() {
        process.kill(process.pid, 'SIGKILL');
    },
    never() {},
    // Reads nothing any more: whoever writes to it without limit is stuck.
    stop_reading() {
        lines.pause();
        process.stdin.pause();
    },
    garbage_line(id) {
        write('Starting up... this line is not JSON');
        reply(id, text('after garbage'));
    },
    garbage_only() {
        write('this line is not JSON, and no answer follows');
    },
    bad_utf8(id) {
        const [before, after] = JSON.stringify({ jsonrpc: '2.0', id, result: text('MARK') }).split('MARK');
        process.stdout.write(Buffer.concat([Buffer.from(before), Buffer.from([0xc3, 0x28]), Buffer.from(`${after}\n`)]));
    },
    long_line(id, { megabytes = 64 }) {
        reply(id, text('x'.repeat(megabytes * 1024 * 1024)));
    },
    wrong_id(id) {
        reply(typeof id === 'number' ? id + 1 : `${id}x`, text('for somebody else'));
    },
    answer_twice(id) {
        reply(id, text('first'));
        reply(id, text('second'));
    },
    ask_sampling(id) {
        write(JSON.stringify({ jsonrpc: '2.0', id: 'ask-1', method: 'sampling/createMessage', params: { messages: [], maxTokens: 1 } }));
        reply(id, text('done'));
    },
    stderr_noise(id, { kilobytes = 1024 }) {
        for (let i = 0; i < kilobytes; i++) process.stderr.write('noise '.repeat(170) + '\n');
        reply(id, text('after noise'));
    },
    // For the gateway's log to redact: the program gives its secret away itself.
    stderr_secret(id) {
        process.stderr.write(`using key ${process.env.HELP_KEY}\n`);
        reply(id, text('after secret'));
    },
};

const methods = {
    initialize: id => reply(id, {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'hostile-stdio', version: '1.0.0' },
    }),
    ping: id => reply(id, {}),
    'tools/list': id => reply(id, {
        tools: Object.keys(tools).map(name => ({ name, description: `Does ${name}`, inputSchema: { type: 'object' } })),
    }),
};

function answer({ id, method, params }) {
    if (id === undefined) return;
    if (method === 'tools/call' && Object.hasOwn(tools, params?.name)) {
        tools[params.name](id, params.arguments ?? {});
    } else if (Object.hasOwn(methods, method)) {
        methods[method](id);
    } else {
        write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: `no ${method}` } }));
    }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', line => answer(JSON.parse(line)));
