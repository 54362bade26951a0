// A SPIFFE Workload API made of @grpc/grpc-js: hands out the bundles that a test puts there. usage: workload_server.mjs
// SOCKET. Reads one JSON object a line: {"x509": {ID: base64}, "jwt": {ID: JWK Set as text}} is the new state, sent on every
// open stream; {"end": CODE, "details"} ends them all and what comes; {"big": N} sends a message of N bytes.
import path from 'node:path'
import readline from 'node:readline'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import loader from '@grpc/proto-loader'

const file = path.join(path.dirname(fileURLToPath(import.meta.url)), 'workload.proto')
const definition = loader.loadSync(file, { keepCase: true, bytes: Buffer, longs: String, defaults: true })
const { service } = grpc.loadPackageDefinition(definition).SpiffeWorkloadAPI

let state = { x509: {}, jwt: {} }
let ended = null
const open = new Set()

const bytes = (map) => Object.fromEntries(Object.entries(map).map(([id, text]) => [id, Buffer.from(text, 'base64')]))
const plain = (map) => Object.fromEntries(Object.entries(map).map(([id, text]) => [id, Buffer.from(text)]))
const answers = { x509: () => ({ bundles: bytes(state.x509) }), jwt: () => ({ bundles: plain(state.jwt) }) }

const serve = (kind) => (call) => {
  const stream = { call, kind }
  const header = call.metadata.get('workload.spiffe.io')
  if (header.length !== 1 || header[0] !== 'true') return call.emit('error', { code: 3, details: 'security header missing' })
  if (ended) return call.emit('error', ended)
  open.add(stream)
  call.on('cancelled', () => open.delete(stream))
  call.write(answers[kind]())
}

const server = new grpc.Server({ 'grpc.max_send_message_length': -1 })
server.addService(service, { FetchX509Bundles: serve('x509'), FetchJWTBundles: serve('jwt') })
server.bindAsync(`unix:${process.argv[2]}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error
  console.log('listening')
})

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const m = JSON.parse(line)
  if (m.x509) state = m
  ended = m.end ? { code: m.end, details: m.details ?? '' } : null
  for (const stream of open) {
    if (m.end) stream.call.emit('error', ended)
    else if (m.big) stream.call.write({ bundles: { 'spiffe://big': Buffer.alloc(m.big) } })
    else stream.call.write(answers[stream.kind]())
  }
  if (m.end) open.clear()
}).on('close', () => process.exit(0))
