// Calls of the SPIFFE Workload API as bare HTTP/2 requests, with any header, over a socket's path or an inherited
// descriptor (fd:N). One JSON line in for each call: {"method", "headers", "body" (base64 of the whole body)}; one out
// for what it comes to: {"http", "grpc", "bytes"}, for a stream also {"first": BYTES} when its first answer is there.
import http2 from 'node:http2';
import net from 'node:net';
import readline from 'node:readline';

const where = process.argv.at(-1); // one who passes a descriptor on appends it
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const socket = where.startsWith('fd:')
  ? new net.Socket({ fd: Number(where.slice(3)), readable: true, writable: true })
  : net.connect(where);
const session = http2.connect('http://localhost', { createConnection: () => socket });
session.on('error', (e) => say({ session: e.code ?? String(e) }));
session.on('close', () => say({ closed: true }));

const EMPTY = Buffer.alloc(5).toString('base64');

function call({ method, headers = {}, body = EMPTY }) {
  const fields = {
    ':method': 'POST', ':path': `/SpiffeWorkloadAPI/${method}`, 'content-type': 'application/grpc', te: 'trailers',
    'workload.spiffe.io': 'true', ...headers,
  };
  for (const name of Object.keys(fields)) if (fields[name] === null) delete fields[name];
  if (session.destroyed || session.closed) {
    say({ bytes: 0, error: 'the session is over' });
    return;
  }
  const stream = session.request(fields);
  const result = { bytes: 0 };
  stream.on('response', (h) => {
    result.http = h[':status'];
    result.grpc = h['grpc-status'];
  });
  stream.on('trailers', (h) => (result.grpc = h['grpc-status']));
  stream.on('data', (d) => {
    if (!result.bytes) say({ first: d.length });
    result.bytes += d.length;
  });
  stream.on('error', (e) => (result.error = e.code ?? String(e)));
  stream.on('close', () => say(result));
  stream.end(Buffer.from(body, 'base64'));
}

session.on('connect', () => say({ connected: true }));
readline.createInterface({ input: process.stdin }).on('line', (line) => call(JSON.parse(line)));
