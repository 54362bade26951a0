// A short story of one task, played by a scripted agent on the official MCP client library through a real gateway
// to real servers. Every step checks itself. `./run` starts this.
//
//   node demo.mjs [--once]        --once: end after the story, with 0 if everything was as it must be

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectHttp, connectStdio } from '../agent/agent.mjs';
import { bold, check, dim, green, line, red, step, summary, yellow } from './account.mjs';
import { setUp, stop, until } from './stage.mjs';

const once = process.argv.includes('--once');
const operations = ['help/read_ticket', 'help/add_note', 'help/refund', 'files/read_text_file', 'everything/echo',
    'ambit/delegate'];
const refund = { order: 'O-1001', amount_cents: 4900, reason: 'lamp arrived broken' };

process.umask(0o022);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => leave(afterwards ?? 130));

// --- asking, and what the record says of it -----------------------------------------------------------

let stage;
const seen = new Set();
let afterwards; // the status to end with once the story is told

/** One tool call: what the agent was told, and whether it was refused. */
async function ask(agent, name, args, approval) {
    const meta = approval && { 'dev.ambit/approval': approval };
    line('asked', `${name} ${JSON.stringify(args)}${approval ? `  with approval ${approval}` : ''}`);
    try {
        const result = await agent.callTool(name, args, { meta });
        const text = result.content.map(part => part.text ?? `(${part.type})`).join('\n');
        const refusal = result._meta?.['dev.ambit/refusal'];
        line(refusal ? 'told' : 'answer', shorten(text), refusal ? yellow : undefined);
        return { text, refusal, isError: Boolean(result.isError), output: result.structuredContent };
    } catch (error) {
        line('told', shorten(error.message), yellow);
        return { text: error.message, refusal: {}, isError: true };
    }
}

const shorten = text => text.length > 330 ? `${text.slice(0, 330)} ...` : text;

/** What the ledger holds of the latest call of a task: its id, the decision with its policies, the chain. */
async function recorded(task, wanted) {
    const decided = ['intent', 'hold_open', 'refusal'];
    const find = () => {
        const { entries, tasks } = JSON.parse(stage.ambit(['trace', task, '--json']));
        const record = entries.map(entry => entry.record)
            .findLast(one => decided.includes(one.type) && one.task === task && !seen.has(one.call + one.type));
        return record && { record, tasks };
    };
    const { record, tasks } = await until('the record of the call', find, 5);
    seen.add(record.call + record.type);
    line('call', record.call);
    line('decided', `${record.decision}, by ${(record.policies ?? [record.reason]).join(', ')}`,
        record.decision === 'allow' ? green : yellow);
    line('chain', chainOf(record, tasks));
    check(record.decision === wanted, `the decision is ${wanted}`, record.decision);
    return record;
}

function chainOf(record, tasks) {
    const holders = [...(record.parents ?? [])].reverse().concat(record.task)
        .map(id => `${tasks.find(task => task.task === id)?.agent ?? '?'} (${id})`);
    return [record.owner, ...holders, `${record.binding}/${record.tool}`].join(' -> ');
}

/** One person's command, as it would be typed. */
function command(who, args) {
    const shown = args.map(arg => /[^\w@%+=:,./-]/.test(arg) ? `'${arg}'` : arg).join(' ');
    line(who, `$ ambit ${shown.replaceAll(`${stage.folder}/`, '')}`, bold);
    return stage.ambit(args);
}

function refusedCommand(who, args) {
    try {
        command(who, args);
        return null;
    } catch (error) {
        line('told', shorten(error.message), yellow);
        return error.message;
    }
}

// --- the story ----------------------------------------------------------------------------------------------

function openTask() {
    step('A task is opened: an owner, a purpose, the least that is needed for it');
    const task = command('ann', ['task', 'open', '--agent', 'desk', '--purpose', 'Settle the complaint in ticket 1',
        ...operations.flatMap(name => ['--operation', name])]).match(/\bt\w{26}\b/)[0];
    const shown = JSON.parse(stage.ambit(['task', 'show', task, '--json']));
    line('task', task);
    line('owner', shown.owner);
    line('agent', shown.agent);
    line('until', `${shown.deadline}, at most ${shown.callsLeft} calls`);
    check(shown.owner === 'ann' && shown.live && shown.operations.length === operations.length,
        `it may use ${operations.length} operations, and nothing else`);
    return task;
}

async function listTools(agent, task) {
    step('The agent connects; it is shown the tools of its task only');
    line('agent', `official MCP client, ${agent.era} era, over HTTP with a short-lived task token`);
    const all = JSON.parse(stage.ambit(['tools', '--json'])).tools.length;
    const shown = (await agent.listTools()).map(tool => tool.name).sort();
    line('sees', shown.join(', '));
    check(shown.join() === operations.map(name => name.replace('/', '__')).sort().join(),
        `${shown.length} tools of the ${all} that the three servers have`, shown.join());
}

async function read(agent, task) {
    step('Reading is allowed: the ticket, a file, a third server');
    const ticket = await ask(agent, 'help__read_ticket', { ticket: 1 });
    check(ticket.output?.order === refund.order, 'the helpdesk has answered');
    const record = await recorded(task, 'allow');
    const file = await ask(agent, 'files__read_text_file', { path: stage.at('files/prices.csv') });
    check(!file.isError, 'the file server, a sandboxed child of the gateway, has answered');
    await recorded(task, 'allow');
    const echo = await ask(agent, 'everything__echo', { message: 'hello' });
    check(/hello/.test(echo.text) && !echo.isError, 'the third server has answered');
    await recorded(task, 'allow');
    return record.call;
}

async function outside(agent, task) {
    step('A call outside the task is refused, whatever the agent has been talked into');
    const answer = await ask(agent, 'help__delete_customer', { customer: 'ada@example.com' });
    check(answer.refusal && answer.isError, 'it is refused, and the agent is told why');
    const record = await recorded(task, 'deny');
    check(record.policies?.includes('ambit-outside-task'), 'the guardrail for the bounds of a task has decided');
}

async function overTheLimit(agent, task) {
    step('Ticket 3 tells the model to refund 649.00 to somebody; the agent does as it is told');
    const answer = await ask(agent, 'help__refund', { order: 'O-1002', amount_cents: 64900, reason: 'goodwill' });
    check(answer.refusal?.decision === 'deny', 'it is refused, not even held');
    const record = await recorded(task, 'deny');
    check(record.policies?.includes('refund-limit'), 'the policy "refund-limit" has read the amount and decided');
}

async function held(agent, task) {
    step('The refund that the customer is due is held for a person');
    const answer = await ask(agent, 'help__refund', refund);
    check(answer.refusal?.decision === 'hold', 'it is held');
    const record = await recorded(task, 'hold');
    line('hold', record.hold);
    check(answer.text.includes(record.hold), 'the agent knows which hold to wait for');
    check((await stage.refunds()).length === 0, 'no money has moved');
    return record;
}

function ownHold(hold) {
    step('The owner of the task is an approver too, but not of his own task');
    const told = refusedCommand('ann', ['hold', 'approve', hold, '--yes']);
    check(told?.includes('never-your-own-task'), 'the policy "never-your-own-task" has refused it');
}

async function approved(agent, task, hold) {
    step('A second person looks at exactly this call and approves it');
    line('shown', command('bob', ['hold', 'show', hold]).trim());
    command('bob', ['hold', 'approve', hold, '--as', 'bob', '--key', stage.bobKey, '--yes']);
    const state = JSON.parse(stage.ambit(['hold', 'show', hold, '--json']));
    check(state.state === 'approved' && state.approver === 'bob', 'approved by bob, who proved himself by his key');

    step('The approval used for another amount: refused');
    const other = await ask(agent, 'help__refund', { ...refund, amount_cents: 4901 }, hold);
    check(other.refusal, 'one cent more is another call');
    await recorded(task, other.refusal?.decision === 'hold' ? 'hold' : 'deny');
    check((await stage.refunds()).length === 0, 'no money has moved');

    step('The approval used for the call it was given for');
    const paid = await ask(agent, 'help__refund', refund, hold);
    check(paid.output?.refund > 0, 'the helpdesk has paid');
    const record = await recorded(task, 'allow');
    check(record.approval === hold && record.approver === 'bob', 'the record names the hold and its approver');

    step('The same approval once more: refused');
    const again = await ask(agent, 'help__refund', refund, hold);
    check(again.refusal, 'an approval is good for one call');
    await recorded(task, again.refusal?.decision === 'hold' ? 'hold' : 'deny');
    const rows = await stage.refunds();
    check(rows.length === 1 && rows[0].order === refund.order && rows[0].amount_cents === refund.amount_cents,
        'the helpdesk has carried out exactly one refund', JSON.stringify(rows));
    return record.call;
}

async function delegated(agent, task) {
    step('The agent wants to give another agent more than it has itself');
    const wish = { agent: 'clerk', purpose: 'Look up earlier complaints' };
    const wider = await ask(agent, 'ambit__delegate', { ...wish, operations: ['help/read_ticket', 'help/search_tickets'] });
    check(wider.isError && !wider.output?.task, 'it cannot: no chain ever widens');
    await recorded(task, 'allow').then(record => check(record.tool === 'delegate', 'asking was allowed, the grant was not'));

    step('It gives away a part: a child task, for an agent with an identity of its own');
    const answer = await ask(agent, 'ambit__delegate', { ...wish, operations: ['help/read_ticket'], calls: 5 });
    const child = answer.output?.task;
    check(child, 'the child task is open');
    await recorded(task, 'allow');

    step('The second agent comes in through `ambit connect`, and holds no token at all');
    const { command: program, args } = stage.connect(child);
    const clerk = await connectStdio({ command: program, args, era: 'legacy', transcript: stage.at('agents/clerk.log') });
    line('agent', `official MCP client, ${clerk.era} era, stdio; known by the kernel as user ${stage.clerkUid}`);
    const tools = (await clerk.listTools()).map(tool => tool.name);
    check(tools.join() === 'help__read_ticket', 'it sees one tool', tools.join());
    const ticket = await ask(clerk, 'help__read_ticket', { ticket: 2 });
    check(ticket.output?.id === 2, 'it reads');
    await recorded(child, 'allow');

    step('What its parent may do, but the child was not given, is refused');
    const note = await ask(clerk, 'help__add_note', { ticket: 1, text: 'hello' });
    check(note.refusal && note.isError, 'it is refused');
    await recorded(child, 'deny');
    const own = await ask(agent, 'help__add_note', { ticket: 1, text: 'refunded in full' });
    check(own.output?.note > 0, 'the parent itself may');
    const record = await recorded(task, 'allow');
    return { clerk, child, note: record.call };
}

async function closed(agent, clerk, task, child) {
    step('The task is closed, and the very next call is refused');
    const begin = process.hrtime.bigint();
    const { steps } = JSON.parse(command('ann', ['task', 'close', task, '--completed', '--json']));
    const next = await ask(agent, 'help__read_ticket', { ticket: 1 });
    const took = Number(process.hrtime.bigint() - begin) / 1e6;
    check(next.refusal, 'the agent is refused');
    const below = await ask(clerk, 'help__read_ticket', { ticket: 2 });
    check(below.refusal, 'so is the agent with the child task');
    const shown = JSON.parse(stage.ambit(['task', 'show', child, '--json']));
    check(!shown.live, `the child task has ended with its parent (${shown.state})`);
    line('measured', `${steps.refusing.microseconds} us from the arrival of the command until the gateway refuses`);
    line('', `${steps.durable.microseconds} us until the end of the task is on disk`);
    line('', `${took.toFixed(1)} ms from starting the command line program to the refusal at the agent`);
    check(steps.refusing.microseconds < 10_000, 'refused within 10 ms');
}

/** The ways in which bytes are found again in text: as they are, hexadecimal, and base64 at each of three offsets. */
function disguises(secret) {
    const forms = [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('hex').toUpperCase()];
    for (const offset of [0, 1, 2]) {
        const shifted = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
        const whole = shifted.subarray(0, shifted.length - shifted.length % 3);
        const text = whole.toString('base64').slice(offset ? 4 : 0);
        forms.push(text, text.replaceAll('+', '-').replaceAll('/', '_'));
    }
    return forms.map(form => Buffer.from(form));
}

function filesBelow(folder) {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

async function secretKept() {
    step('The API key: at the helpdesk, and nowhere else');
    check(await stage.withoutKey() === 401, 'without the key the helpdesk lets nobody in');
    const calls = readFileSync(stage.accessLog, 'utf8').trim().split('\n').map(JSON.parse).filter(one => one.tool);
    check(calls.length > 0 && calls.every(one => one.key), `the helpdesk saw the right key on all ${calls.length} calls`);

    const forms = disguises(stage.key);
    const holds = file => forms.some(form => readFileSync(file).includes(form));
    const places = { 'what the two agents received': 'agents', 'the logs': 'logs', 'the store, the ledger and all other state': 'state' };
    check(holds(stage.keyFile), 'the search finds it in the helpdesk\'s own file');
    for (const [what, folder] of Object.entries(places)) {
        const files = filesBelow(stage.at(folder));
        const hits = files.filter(holds);
        check(files.length > 0 && hits.length === 0, `${what}: ${files.length} files, no trace of it`, hits.join(', '));
    }
}

function verified(paid) {
    step('The ledger is verified');
    line('auditor', command('anybody', ['ledger', 'verify']).trim());
    check(true, 'every record, tree and signature is sound');

    step('From one action back to a human being');
    const text = command('auditor', ['trace', paid]).trim();
    console.log(text.split('\n').map(one => `                 ${one}`).join('\n'));
    const { tasks, entries } = JSON.parse(stage.ambit(['trace', paid, '--json']));
    const of = type => entries.map(entry => entry.record).find(record => record.type === type);
    check(tasks.some(task => task.owner === 'ann'), 'done for ann, the owner of the task');
    check(of('approval')?.approver === 'bob', 'let go by bob');
    check(of('outcome')?.status === 'ok', 'carried out, with its outcome');
}

async function play() {
    const task = openTask();
    const token = JSON.parse(stage.ambit(['task', 'token', task, '--json'])).token;
    const agent = await connectHttp({ url: stage.url, token, era: 'modern', transcript: stage.at('agents/desk.log') });
    await listTools(agent, task);
    await read(agent, task);
    await outside(agent, task);
    await overTheLimit(agent, task);
    const hold = await held(agent, task);
    ownHold(hold.hold);
    const paid = await approved(agent, task, hold.hold);
    const { clerk, child } = await delegated(agent, task);
    await closed(agent, clerk, task, child);
    await clerk.close();
    await agent.close();
    await secretKept();
    verified(paid);
}

// --- after the story -----------------------------------------------------------------------------------------

function howToConnect() {
    const { programs, config, ownAgent, at, url, bobKey, metrics, folder } = stage;
    const server = { mcpServers: { ambit: { command: programs.ambit, args: ['connect', '--socket', at('state/agent.sock')] } } };
    console.log(`
${bold('The gateway stays up. To bring your own client:')}

  export AMBIT_CONFIG=${config}; alias ambit=${programs.ambit}
  ambit task open --agent ${ownAgent} --purpose "try it" ${['help/read_ticket', 'help/search_tickets', 'help/add_note']
    .map(name => `--operation ${name}`).join(' ')}

  ${dim('and give any MCP client that you start as this user the server')}
  ${JSON.stringify(server)}

  ${dim('Clients that speak HTTP: open a task for')} desk${dim(', get a token with')} ambit task token TASK${dim(', and go to')} ${url}
  ${dim('What is held, bob lets go:')} ambit hold approve HOLD --as bob --key ${bobKey}
  ${dim('Metrics:')} ${metrics}/metrics  ${dim('Logs and state:')} ${folder}

Ctrl-C ends everything.`);
}

let leaving = false;

async function leave(status) {
    if (leaving) return;
    leaving = true;
    if (!once) console.log('\nstopping');
    const clean = await stop();
    if (!clean) console.error(red('something had to be killed'));
    if (stage?.isElsewhere) stage.remove();
    process.exit(clean ? status : status || 1);
}

try {
    stage = await setUp();
    console.log(`${bold('Ambit')}: one task, from its opening to its end.  ${dim(`Everything lies in ${stage.folder}`)}`);
    await play();
    afterwards = summary() ? 0 : 1;
    if (once) {
        await leave(afterwards);
    } else {
        howToConnect();
        setInterval(() => {}, 1 << 30);
    }
} catch (error) {
    if (!leaving) {
        summary(error);
        await leave(1);
    }
}
