// What the demonstration plays on: a fresh folder, three MCP servers, the gateway, and the way to stop them all.

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import {
    chmodSync, constants, copyFileSync, cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, openSync, readFileSync,
    realpathSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '../..');
const isRoot = process.getuid() === 0;
// An unused user id for the second agent: only root can give it one of its own.
const unusedUid = 62950;
const clerkUid = isRoot ? unusedUid : process.getuid();

// --- the folder -------------------------------------------------------------------------------------

/** Started by root, the gateway's roles, its children and the second agent are other users, who must get there. */
function isOpenToOthers(path) {
    for (let at = realpathSync(path); at !== '/'; at = dirname(at)) {
        if (!(statSync(at).mode & 0o001)) return false;
    }
    return true;
}

function makeFolder() {
    if (isRoot && !isOpenToOthers(root)) {
        const folder = mkdtempSync('/var/tmp/ambit-demo-');
        chmodSync(folder, 0o755);
        return folder;
    }
    const folder = join(root, 'build/demo');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o755 });
    return folder;
}

/** The programs that other users run, copied into the folder where they would not get at the originals. */
function findPrograms(folder) {
    const original = {
        ambit: join(root, 'build/release/src/cmd/ambit'),
        node: realpathSync(join(root, 'build/peers/node')),
        modules: join(root, 'build/peers/run/node_modules'),
    };
    if (!isRoot || isOpenToOthers(root)) return original;
    const programs = { ambit: join(folder, 'bin/ambit'), node: join(folder, 'bin/node'), modules: join(folder, 'node_modules') };
    mkdirSync(join(folder, 'bin'));
    copyFileSync(original.ambit, programs.ambit);
    try {
        linkSync(original.node, programs.node);
    } catch {
        copyFileSync(original.node, programs.node, constants.COPYFILE_FICLONE);
    }
    const filter = path => !/node_modules\/(node-linux-|node-bin-)/.test(path);
    cpSync(original.modules, programs.modules, { recursive: true, filter, verbatimSymlinks: true });
    return programs;
}

/** A port below those that the kernel hands out itself, so that no connection takes it meanwhile. */
function freePort() {
    return new Promise(done => {
        const port = 18000 + randomInt(14000);
        const server = createServer().on('error', () => done(freePort()));
        server.listen(port, '127.0.0.1', () => server.close(() => done(port)));
    });
}

function fill(template, values) {
    return template.replace(/@([A-Z_]+)@/g, (whole, name) => {
        if (!(name in values)) throw new Error(`examples/demo/ambit.json: nothing is known for ${whole}`);
        return values[name];
    });
}

// --- processes ------------------------------------------------------------------------------------------

const running = [];
let stopping = false;

/** Starts a program in a process group of its own; it ends with us, even if we are killed. */
function start(name, command, args, { env, log }) {
    const out = openSync(log, 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], {
        stdio: ['ignore', out, out], detached: true, env: { ...process.env, ...env },
    });
    const entry = { name, child, log };
    entry.ended = new Promise(done => {
        child.once('exit', (code, signal) => done(signal ?? code));
        child.once('error', error => done(error.message));
    });
    entry.ended.then(how => {
        entry.over = true;
        if (stopping) return;
        console.error(`\n${name} has ended (${how}). The end of its log, ${log}:\n${tail(log)}`);
        stop().then(() => process.exit(1));
    });
    running.push(entry);
    return entry;
}

const tail = file => readFileSync(file, 'utf8').split('\n').slice(-15).join('\n');

/** Ends everything, the gateway first; resolves to whether all of it went by itself. */
export async function stop() {
    stopping = true;
    let clean = true;
    for (const entry of running.toReversed()) {
        if (entry.over) continue;
        entry.child.kill('SIGTERM');
        const late = sleep(10_000, 'late', { ref: false });
        if (await Promise.race([entry.ended, late]) !== 'late') continue;
        clean = false;
        process.kill(-entry.child.pid, 'SIGKILL');
        await entry.ended;
    }
    return clean;
}

export async function until(what, check, seconds = 20) {
    const end = Date.now() + seconds * 1000;
    let last;
    while (Date.now() < end) {
        try {
            const answer = await check();
            if (answer) return answer;
        } catch (error) {
            last = error;
        }
        await sleep(20);
    }
    throw new Error(`waited ${seconds} s for ${what}${last ? `: ${last.message}` : ''}`);
}

const answers = url => async () => (await fetch(url)).status > 0;

// --- the whole --------------------------------------------------------------------------------------------

export async function setUp() {
    const folder = makeFolder();
    const programs = findPrograms(folder);
    const at = (...names) => join(folder, ...names);
    for (const name of ['policies', 'helpdesk', 'agents', 'people', 'logs']) mkdirSync(at(name));
    for (const name of ['helpdesk', 'agents', 'people']) chmodSync(at(name), 0o700);
    cpSync(join(root, 'examples/sample'), at('files'), { recursive: true });
    cpSync(join(import.meta.dirname, 'policies'), at('policies'), { recursive: true });

    const ports = await Promise.all(Array.from({ length: 4 }, freePort));
    const [port, metricsPort, helpdeskPort, everythingPort] = ports;
    const url = `http://127.0.0.1:${port}/mcp`;
    const helpdesk = `http://127.0.0.1:${helpdeskPort}`;
    const config = at('ambit.json');
    writeFileSync(config, fill(readFileSync(join(import.meta.dirname, 'ambit.json'), 'utf8'), {
        UID: process.getuid(),
        CLERK_UID: clerkUid,
        GUEST_UID: isRoot ? process.getuid() : unusedUid,
        TODAY: new Date().toISOString().slice(0, 10),
        PORT: port,
        METRICS_PORT: metricsPort,
        HELPDESK_URL: `${helpdesk}/mcp`,
        EVERYTHING_URL: `http://127.0.0.1:${everythingPort}/mcp`,
        NODE: programs.node,
        MODULES: programs.modules,
        FILES: at('files'),
    }));

    /** Runs `ambit` as a person would; resolves what it printed, throws what it complained about. */
    const ambit = (args, input = '') => {
        try {
            return execFileSync(programs.ambit, [...args, '-c', config], { input, encoding: 'utf8', stdio: 'pipe' });
        } catch (error) {
            throw new Error((error.stderr || error.message).trim());
        }
    };

    // The helpdesk's API key: one copy for the helpdesk itself, one sealed by Ambit, none anywhere else.
    const key = randomBytes(30).toString('base64url');
    const keyFile = at('helpdesk/key');
    const accessLog = at('helpdesk/access.jsonl');
    writeFileSync(keyFile, key, { mode: 0o600 });
    ambit(['secret', 'set', 'helpdesk-key'], key);

    start('the helpdesk', process.execPath, ['--no-warnings', join(root, 'examples/helpdesk/server.mjs'), '--port',
        helpdeskPort, '--db', at('helpdesk/helpdesk.db'), '--key-file', keyFile, '--access-log', accessLog],
    { log: at('logs/helpdesk.log') });
    start('server-everything', process.execPath,
        [join(root, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'streamableHttp'],
        { log: at('logs/everything.log'), env: { PORT: everythingPort } });
    await until('the helpdesk', answers(helpdesk));
    await until('server-everything', answers(`http://127.0.0.1:${everythingPort}/mcp`));

    start('ambit serve', programs.ambit, ['serve', '-c', config], { log: at('logs/ambit.log') });
    await until('the gateway', async () => (await fetch(`http://127.0.0.1:${metricsPort}/healthz`)).ok);
    // A server that needs a secret is asked for its tools when a person says so, or while a live task may use it.
    ambit(['discover', 'help']);
    await until('the tools of the three servers', () =>
        Object.values(JSON.parse(ambit(['status', '--json'])).bindings).every(Boolean));
    const bobKey = at('people/bob.key');
    ambit(['operator', 'add', 'bob', '--out', bobKey]);

    // The second agent: a user of its own where that is possible.
    const asClerk = isRoot
        ? ['setpriv', '--reuid', clerkUid, '--regid', clerkUid, '--clear-groups', '--no-new-privs', '--'].map(String) : [];
    const connect = task => {
        const [command, ...args] = [...asClerk, programs.ambit, 'connect', '--task', task, '-c', config];
        return { command, args };
    };

    return {
        folder, at, config, url, ambit, connect, key, keyFile, accessLog, bobKey, clerkUid, programs,
        ownAgent: isRoot ? 'guest' : 'clerk',
        metrics: `http://127.0.0.1:${metricsPort}`,
        refunds: async () => (await fetch(`${helpdesk}/debug/refunds`, { headers: { 'x-api-key': key } })).json(),
        withoutKey: async () => (await fetch(`${helpdesk}/debug/refunds`)).status,
        isElsewhere: !folder.startsWith(root),
        remove: () => existsSync(folder) && rmSync(folder, { recursive: true, force: true }),
    };
}
