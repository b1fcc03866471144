/**
 * One POST of a callback: to an address that was checked, and to that very address. The name is resolved here and the
 * connection is made to what was resolved, so that a name that points elsewhere a moment later gains nothing. Redirects are
 * not followed, the answer's body is not read, and the whole has one limit in time.
 */
import { lookup } from 'node:dns'
import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Clock } from '../../runtime/clock.ts'
import { isPrivateAddress } from '../private-address.ts'

export interface Post {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly allowPrivate: boolean
  readonly limitMs: number
}

/** `forbidden`: the address may not be reached, now or ever. `failed`: another try may succeed. */
export type PostEnd = { readonly kind: 'delivered' } | { readonly kind: 'refused' | 'failed' | 'forbidden'; readonly reason: string }

class ForbiddenAddress extends Error {}

export function post({ url, headers, body, allowPrivate, limitMs }: Post, clock: Clock): Promise<PostEnd> {
  return new Promise((resolve) => {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    if (!allowPrivate && isIP(host) !== 0 && isPrivateAddress(host)) {
      resolve({ kind: 'forbidden', reason: 'its address is not a public one' })
      return
    }
    const options: RequestOptions = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) },
      agent: false,
      lookup: checkedLookup(allowPrivate),
    }
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options)
    const finish = (end: PostEnd): void => {
      cancelLimit()
      request.destroy()
      resolve(end)
    }
    const cancelLimit = clock.schedule(clock.monotonicMs() + limitMs, () => finish({ kind: 'failed', reason: `no answer within ${limitMs} ms` }))
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      response.destroy()
      if (status >= 200 && status < 300) finish({ kind: 'delivered' })
      else if (status === 410) finish({ kind: 'refused', reason: 'the receiver says that it is gone (410)' })
      else finish({ kind: 'failed', reason: status >= 300 && status < 400 ? `a redirect (${status}), which is not followed` : `the receiver answered ${status}` })
    })
    // After the end this only hears of our own destroying.
    request.on('error', (error) => finish(error instanceof ForbiddenAddress ? { kind: 'forbidden', reason: 'its name leads to an address that is not a public one' } : { kind: 'failed', reason: 'no connection' }))
    request.end(body)
  })
}

/** Resolves to public addresses only; a name that has a private one beside them is refused whole. */
function checkedLookup(allowPrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0)
        return
      }
      const [first] = addresses
      if (first === undefined || (!allowPrivate && addresses.some(({ address }) => isPrivateAddress(address)))) {
        callback(new ForbiddenAddress('not a public address'), '', 0)
        return
      }
      if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
