/**
 * An identity provider small enough to misbehave on demand: it signs whatever a test wants, rotates its keys, fails, and
 * hangs. What a real one does is shown with `oidc-provider` (`certified-provider.ts`).
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTHeaderParameters, type JWTPayload } from 'jose'
import type { Clock } from '../../runtime/clock.ts'

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

export type Mood = 'answers' | 'fails' | 'hangs' | 'redirects' | 'lies' | 'floods'

export interface TestIssuer {
  readonly url: string
  /** Paths that were asked for, oldest first. */
  readonly asked: string[]
  mood: Mood
  /** What the key set holds. */
  published: JWK[]
  close(): Promise<void>
}

export async function newKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export async function startIssuer(keys: readonly SigningKey[]): Promise<TestIssuer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    switch (issuer.mood) {
      case 'hangs':
        return
      case 'fails':
        response.writeHead(500).end()
        return
      case 'floods':
        response.writeHead(200, { 'content-type': 'application/json' }).end(`{"pad":"${'x'.repeat(1_000_000)}"}`)
        return
      case 'redirects':
      case 'lies':
      case 'answers': {
        if (issuer.mood === 'redirects' && path === '/jwks') {
          response.writeHead(302, { location: `${issuer.url}/elsewhere` }).end()
          return
        }
        const name = issuer.mood === 'lies' ? 'http://127.0.0.1:1/other' : issuer.url
        const body = path === '/jwks' || path === '/elsewhere' ? { keys: issuer.published } : { issuer: name, jwks_uri: `${issuer.url}/jwks` }
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
        return
      }
      default:
        issuer.mood satisfies never
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer: TestIssuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    mood: 'answers',
    published: keys.map((key) => key.publicJwk),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return issuer
}

/** A token with everything right; `over` and `header` make something wrong. */
export function tokenOf(key: SigningKey, issuer: string, clock: Clock, over: JWTPayload = {}, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
  const nowS = Math.floor(clock.nowMs() / 1_000)
  const claims = { iss: issuer, aud: 'hybrid-routing', sub: 'alice', iat: nowS, exp: nowS + 300, roles: ['operator'], tenant: 'acme', ...over }
  return new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey)
}

/** Three parts made by hand, for what no library signs. */
export function handMade(header: object, payload: object, signature = ''): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(payload)}.${signature}`
}
