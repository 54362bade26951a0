// Issuers of identities as others run them, with the npm package jose: an OIDC issuer (discovery, JWK Set, tokens) and a
// place where a test puts any document. usage: issuers.mjs CERT KEY
// Prints "listening PORT PLAIN". PORT speaks TLS; PLAIN is for the test alone:
//   POST /put {"path", "status", "headers", "body", "delay"}   what to answer there from now on
//   POST /keys {"algs": [...]}                                  new keys; answers the JWK Set
//   POST /sign {"alg", "claims", "header"}                      answers {"token"}
//   GET  /seen                                                  requests so far, as [method, path, body]
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import http from 'node:http'
import https from 'node:https'
import { readFileSync } from 'node:fs'

const [cert, key] = process.argv.slice(2)
const answers = new Map()
const keys = new Map()
const seen = []

async function bodyOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}

const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, async (request, response) => {
  seen.push([request.method, request.url, await bodyOf(request)])
  const a = answers.get(request.url) ?? { status: 404, body: '' }
  if (a.delay) await new Promise((done) => setTimeout(done, a.delay))
  response.writeHead(a.status ?? 200, a.headers ?? { 'content-type': 'application/json' })
  response.end(a.repeat ? a.body.repeat(a.repeat) : a.body)
})

const METHODS = {
  '/put': async (m) => (answers.set(m.path, m), {}),
  '/seen': async () => seen,
  '/keys': async (m) => {
    const set = []
    for (const [i, alg] of m.algs.entries()) {
      const pair = await generateKeyPair(alg, { extractable: true })
      const kid = `${alg}-${keys.size}-${i}`
      keys.set(alg, { kid, key: pair.privateKey })
      set.push({ ...(await exportJWK(pair.publicKey)), kid, ...(m.bare ? {} : { alg, use: 'sig' }) })
    }
    return { keys: set }
  },
  '/sign': async (m) => {
    const k = keys.get(m.alg)
    const token = new SignJWT(m.claims).setProtectedHeader({ alg: m.alg, kid: k.kid, ...m.header })
    return { token: await token.sign(k.key) }
  },
}

const control = http.createServer(async (request, response) => {
  const text = await bodyOf(request)
  const answer = await METHODS[request.url](text ? JSON.parse(text) : {})
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer))
})

server.listen(0, '127.0.0.1', () =>
  control.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port} ${control.address().port}`)))
