// A small help desk as an MCP server: tickets, notes, refunds, over Streamable HTTP, both MCP eras
// (2026-07-28 and the initialize handshake of 2025-11-25), on the official server library.
//
//   node server.mjs --port P --db FILE --key-file FILE [--access-log FILE]
//
// Like most internal systems it knows one kind of caller: whoever holds its API key may do everything.

import { createHash, timingSafeEqual } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, fromJsonSchema, McpServer } from '@modelcontextprotocol/server';
import { seed } from './seed.mjs';

const { values: options } = parseArgs({
    options: {
        port: { type: 'string' },
        host: { type: 'string', default: '127.0.0.1' },
        db: { type: 'string' },
        'key-file': { type: 'string' },
        'access-log': { type: 'string' },
    },
});
if (!options.port || !options.db || !options['key-file']) {
    console.error('usage: node server.mjs --port P --db FILE --key-file FILE [--access-log FILE]');
    process.exit(2);
}

const maxBody = 4 * 1024 * 1024;
const db = new DatabaseSync(options.db);
seed(db);

// --- schemas ------------------------------------------------------------------------------------

const text = description => ({ type: 'string', description });
const integer = description => ({ type: 'integer', description });
const list = items => ({ type: 'array', items });

function object(properties, required = Object.keys(properties)) {
    return { type: 'object', properties, required, additionalProperties: false };
}

const ticketId = integer('Number of the ticket');
const ticketRow = object({ id: integer(), customer: text(), subject: text(), status: text() });
const note = object({ author: text(), text: text(), written: text() });

// --- tools: name, what it does, schemas, function -----------------------------------------------

const tools = [
    {
        name: 'search_tickets',
        description: 'Find tickets whose subject or text contains the words given; all tickets for an empty query',
        input: object({ query: text('Words to look for') }),
        output: object({ tickets: list(ticketRow) }),
        annotations: { readOnlyHint: true },
        run({ query }) {
            const pattern = `%${query.replace(/[%_\\]/g, '\\$&')}%`;
            const sql = `SELECT id, customer, subject, status FROM tickets
                         WHERE subject LIKE ?1 ESCAPE '\\' OR text LIKE ?1 ESCAPE '\\' ORDER BY id`;
            return { tickets: db.prepare(sql).all(pattern) };
        },
    },
    {
        name: 'read_ticket',
        description: 'Read one ticket in full, with its notes',
        input: object({ ticket: ticketId }),
        output: object({
            ...ticketRow.properties, order: text(), text: text(), notes: list(note),
        }),
        annotations: { readOnlyHint: true },
        run({ ticket }) {
            const sql = `SELECT id, customer, subject, status, "order", text FROM tickets WHERE id = ?`;
            const row = found(db.prepare(sql).get(ticket), `ticket ${ticket}`);
            const notes = db.prepare('SELECT author, text, written FROM notes WHERE ticket = ? ORDER BY id').all(ticket);
            return { ...row, notes };
        },
    },
    {
        name: 'add_note',
        description: 'Add an internal note to a ticket',
        input: object({ ticket: ticketId, text: text('Text of the note') }),
        output: object({ note: integer() }),
        run({ ticket, text }) {
            found(db.prepare('SELECT id FROM tickets WHERE id = ?').get(ticket), `ticket ${ticket}`);
            return { note: insert('INSERT INTO notes (ticket, author, text) VALUES (?, ?, ?)', ticket, 'agent', text) };
        },
    },
    {
        name: 'refund',
        description: 'Pay money back for an order, to the account it was paid from',
        input: object({
            order: text('Number of the order, such as O-1001'),
            amount_cents: { ...integer('Amount in cents'), minimum: 1 },
            reason: text('Why the money is paid back'),
        }),
        output: object({ refund: integer(), order: text(), amount_cents: integer() }),
        annotations: { destructiveHint: true },
        run({ order, amount_cents, reason }) {
            const row = found(db.prepare('SELECT total_cents FROM orders WHERE id = ?').get(order), `order ${order}`);
            if (amount_cents > row.total_cents) throw new Error(`order ${order} was only ${row.total_cents} cents`);
            const sql = 'INSERT INTO refunds ("order", amount_cents, reason) VALUES (?, ?, ?)';
            return { refund: insert(sql, order, amount_cents, reason), order, amount_cents };
        },
    },
    {
        name: 'close_ticket',
        description: 'Close a ticket',
        input: object({ ticket: ticketId }),
        output: object({ ticket: integer(), status: text() }),
        run({ ticket }) {
            const { changes } = db.prepare(`UPDATE tickets SET status = 'closed' WHERE id = ?`).run(ticket);
            found(changes, `ticket ${ticket}`);
            return { ticket, status: 'closed' };
        },
    },
    {
        name: 'delete_customer',
        description: 'Delete a customer with everything that belongs to them',
        input: object({ customer: text('E-mail address of the customer') }),
        output: object({ customer: text(), deleted: { type: 'boolean' } }),
        annotations: { destructiveHint: true },
        run({ customer }) {
            const { changes } = db.prepare('DELETE FROM customers WHERE id = ?').run(customer);
            found(changes, `customer ${customer}`);
            return { customer, deleted: true };
        },
    },
    {
        name: 'slow_report',
        description: 'Count the tickets, slowly, with progress on the way',
        input: object({ seconds: { type: 'number', minimum: 0, maximum: 600, description: 'How long it takes' } }),
        async run({ seconds }, call) {
            const steps = Math.ceil(seconds * 5);
            for (let step = 1; step <= steps; step++) {
                await sleep(200, undefined, { signal: call.signal });
                await progress(call, step, steps);
            }
            return `${db.prepare('SELECT count(*) AS n FROM tickets').get().n} tickets`;
        },
    },
];

function found(row, what) {
    if (!row) throw new Error(`there is no ${what}`);
    return row;
}

function insert(sql, ...values) {
    return Number(db.prepare(sql).run(...values).lastInsertRowid);
}

async function progress(call, done, total) {
    const progressToken = call._meta?.progressToken;
    if (progressToken === undefined) return;
    const params = { progressToken, progress: done, total, message: `step ${done} of ${total}` };
    await call.notify({ method: 'notifications/progress', params });
}

function result(output) {
    if (typeof output === 'string') return { content: [{ type: 'text', text: output }] };
    return { content: [{ type: 'text', text: JSON.stringify(output) }], structuredContent: output };
}

// --- the MCP server: a fresh one for each request, as the library wants it ----------------------

function mcpServer() {
    const server = new McpServer({ name: 'helpdesk', version: '1.0.0' });
    for (const { name, description, annotations, input, output, run } of tools) {
        const config = { description, annotations, inputSchema: fromJsonSchema(input) };
        if (output) config.outputSchema = fromJsonSchema(output);
        server.registerTool(name, config, async (args, context) => result(await run(args, context.mcpReq)));
    }
    return server;
}

const handleMcp = toNodeHandler(createMcpHandler(mcpServer));

// --- HTTP: the key first, then everything else ----------------------------------------------------

const digest = bytes => createHash('sha256').update(bytes).digest();

// Read for each request, so that the key can be changed under a running server.
function keyIsRight(request) {
    const key = readFileSync(options['key-file'], 'utf8').trim();
    return key !== '' && timingSafeEqual(digest(request.headers['x-api-key'] ?? ''), digest(key));
}

function answer(response, status, body) {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function logAccess(request, message, keyRight) {
    if (!options['access-log']) return;
    const line = {
        time: new Date().toISOString(),
        method: request.method,
        path: request.url,
        rpc: message?.method ?? null,
        tool: message?.method === 'tools/call' ? message.params?.name ?? null : null,
        key: keyRight,
        headers: Object.keys(request.headers),
    };
    appendFileSync(options['access-log'], JSON.stringify(line) + '\n');
}

async function readJson(request) {
    const parts = [];
    let size = 0;
    for await (const part of request) {
        size += part.length;
        if (size <= maxBody) parts.push(part);
    }
    if (size === 0 || size > maxBody) return undefined;
    try {
        return JSON.parse(Buffer.concat(parts).toString());
    } catch {
        return undefined;
    }
}

async function handle(request, response) {
    const message = await readJson(request);
    const keyRight = keyIsRight(request);
    logAccess(request, message, keyRight);
    if (!keyRight) return answer(response, 401, { error: 'X-Api-Key is missing or wrong' });

    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/debug/refunds' && request.method === 'GET') {
        return answer(response, 200, db.prepare('SELECT * FROM refunds ORDER BY id').all());
    }
    if (pathname !== '/mcp') return answer(response, 404, { error: 'not found' });
    if (request.method === 'POST' && message === undefined) return answer(response, 400, { error: 'not JSON' });
    return handleMcp(request, response, message);
}

const server = createServer((request, response) => {
    handle(request, response).catch(error => {
        console.error(error);
        if (response.headersSent) response.destroy();
        else answer(response, 500, { error: 'internal error' });
    });
});
server.listen(Number(options.port), options.host, () => {
    console.log(`helpdesk listens on http://${options.host}:${server.address().port}/mcp`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
