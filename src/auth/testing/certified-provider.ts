/**
 * A real OpenID provider (`oidc-provider`, certified by the OpenID Foundation) on loopback, which issues access tokens as
 * JWTs to a machine by client credentials. Its keys can be exchanged, as an organisation's provider rotates them.
 */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'

export interface CertifiedProvider {
  readonly url: string
  /** An access token for the audience, with claims beside the standard ones. */
  issue(audience: string, claims: Readonly<Record<string, unknown>>): Promise<string>
  rotate(kid: string): Promise<void>
  close(): Promise<void>
}

export async function startCertifiedProvider(): Promise<CertifiedProvider> {
  let handler: RequestListener = (_request, response) => response.end()
  let claims: Readonly<Record<string, unknown>> = {}
  const server = createServer((request, response) => {
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const rotate = async (kid: string): Promise<void> => {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true })
    const provider = new Provider(url, {
      clients: [{ client_id: 'deploy-bot', client_secret: 'a-client-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' }] },
      cookies: { keys: ['a-cookie-key'] },
      ttl: { ClientCredentials: 600 },
      extraTokenClaims: () => claims,
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context, audience) => ({ scope: '', audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
        },
      },
    })
    const callback = provider.callback()
    handler = (request, response) => void callback(request, response)
  }
  await rotate('first')

  return {
    url,
    rotate,
    async issue(audience, more) {
      claims = more
      const answer = await fetch(`${url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from('deploy-bot:a-client-secret').toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
      })
      const body = (await answer.json()) as { access_token?: string }
      if (body.access_token === undefined) throw new Error(`the provider issued nothing: ${JSON.stringify(body)}`)
      return body.access_token
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
