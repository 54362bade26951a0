// A client of the SPIFFE Workload API made of @grpc/grpc-js. One JSON line for each thing that happens.
//
//   workload_client.mjs SOCKET call METHOD REQUEST [HEADER]   one answer, unary or the first of a stream
//   workload_client.mjs SOCKET watch METHOD                   all answers of a stream, until it ends
//   workload_client.mjs SOCKET many CHANNELS STREAMS          so many streams on so many connections, until stdin ends
//   workload_client.mjs SOCKET tokens CALLS AUDIENCE          FetchJWTSVID so often, over one connection: {svid}
//   workload_client.mjs SOCKET pushes CHANNELS                a stream on each of so many connections; {open}, then for
//                                                             each push that reached all: {ms} from the first to the last
//   workload_client.mjs SOCKET time CALLS                     FetchJWTSVID so often, one after the other
//
// HEADER is the value of workload.spiffe.io, "-" for none; default "true". Bytes are printed as base64.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [socket, command, ...words] = process.argv.slice(2);
const file = path.join(path.dirname(fileURLToPath(import.meta.url)), 'workload.proto');
const definition = loader.loadSync(file, { keepCase: true, bytes: String, longs: String, defaults: true, oneofs: true });
const Service = grpc.loadPackageDefinition(definition).SpiffeWorkloadAPI;

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const connect = (options = {}) => new Service(`unix:${socket}`, grpc.credentials.createInsecure(), options);

function metadata(value) {
  const m = new grpc.Metadata();
  if (value !== '-') m.set('workload.spiffe.io', value);
  return m;
}

const streams = (method) => Service.service[method].responseStream;
const failed = (e) => say({ code: e.code, details: e.details });

function call(client, method, request, header) {
  return new Promise((done) => {
    if (!streams(method)) {
      client[method](request, metadata(header), { deadline: Date.now() + 10000 }, (e, answer) => {
        e ? failed(e) : say({ code: 0, answer });
        done();
      });
      return;
    }
    const stream = client[method](request, metadata(header));
    let answered = false;
    stream.on('data', (answer) => {
      if (answered) return;
      answered = true;
      say({ code: 0, answer });
      stream.cancel();
    });
    stream.on('error', (e) => {
      if (!answered) failed(e);
      done();
    });
    stream.on('end', done);
  });
}

function watch(client, method) {
  return new Promise((done) => {
    const stream = client[method]({}, metadata('true'));
    stream.on('data', (answer) => say({ answer }));
    stream.on('error', failed);
    stream.on('close', done);
  });
}

async function many(channels, count) {
  let open = 0;
  for (let i = 0; i < count; i++) {
    const client = clients[i % channels] ?? (clients[i % channels] = connect({ 'grpc.use_local_subchannel_pool': 1 }));
    const stream = client.FetchX509SVID({}, metadata('true'));
    stream.on('data', () => ++open === count && say({ open }));
    stream.on('error', failed);
  }
  await new Promise((done) => process.stdin.on('end', done).resume());
}

async function pushes(count) {
  const seen = new Map(); // by certificate and bundle: how many have it, since when
  for (let i = 0; i < count; i++) {
    const client = (clients[i] = connect({ 'grpc.use_local_subchannel_pool': 1 }));
    const stream = client.FetchX509SVID({}, metadata('true'));
    stream.on('data', ({ svids: [s] }) => {
      const what = s.x509_svid + s.bundle;
      const known = seen.get(what) ?? { n: 0, first: performance.now() };
      seen.set(what, known);
      if (++known.n === count) say(seen.size === 1 ? { open: count } : { ms: performance.now() - known.first });
    });
    stream.on('error', failed);
  }
  await new Promise((done) => process.stdin.on('end', done).resume());
}

async function time(client, calls) {
  const took = [];
  for (let i = 0; i < calls; i++) {
    const begin = process.hrtime.bigint();
    await new Promise((done, fail) =>
      client.FetchJWTSVID({ audience: ['a'] }, metadata('true'), (e) => (e ? fail(e) : done())));
    took.push(Number(process.hrtime.bigint() - begin) / 1000);
  }
  took.sort((a, b) => a - b);
  say({ p50_us: took[calls >> 1], p99_us: took[Math.floor(calls * 0.99)] });
}

const clients = [];
if (command === 'many' || command === 'pushes') {
  await (command === 'many' ? many(Number(words[0]), Number(words[1])) : pushes(Number(words[0])));
  process.exit(0);
}
const client = connect();
if (command === 'call') await call(client, words[0], JSON.parse(words[1]), words[2] ?? 'true');
else if (command === 'watch') await watch(client, words[0]);
else if (command === 'tokens')
  for (let i = 0; i < Number(words[0]); i++)
    await new Promise((done) =>
      client.FetchJWTSVID({ audience: [words[1]] }, metadata('true'), (e, answer) => {
        e ? failed(e) : say({ svid: answer.svids[0].svid });
        done();
      }));
else if (command === 'time') await time(client, Number(words[0]));
client.close();
