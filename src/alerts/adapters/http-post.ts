/**
 * One POST of a notifier, or the GET of its self-test, made safe for a long life: a redirect is an answer like any other and is not followed, no more of
 * an answer is read than a bound, and the caller's signal ends it at any time. Addresses of receivers are the operators'
 * configuration, so private ones are allowed.
 *
 * What went wrong is said without the address, which for webhooks is often a secret.
 */
import { Agent, request } from 'undici'
import { alertLimits } from '../limits.ts'
import type { DeliveryOutcome } from '../notifier.ts'

export type PostAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null; readonly text: string }
  | { readonly kind: 'unreachable'; readonly reason: string }

export interface HttpPost {
  post(url: string, headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<PostAnswer>
  get(url: string, signal: AbortSignal): Promise<PostAnswer>
  close(): Promise<void>
}

export function createHttpPost(nowMs: () => number): HttpPost {
  // The deliveries' own timer bounds an attempt; undici's are coarse.
  const agent = new Agent({ connect: { timeout: alertLimits.attemptMs }, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 30_000, connections: 4 })
  const ask = async (url: string, method: 'GET' | 'POST', headers: Readonly<Record<string, string>>, body: string | null, signal: AbortSignal): Promise<PostAnswer> => {
    try {
      const answer = await request(url, { method, headers, body, signal, dispatcher: agent })
      let text = ''
      let bytes = 0
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        if (bytes > alertLimits.answerBytes) {
          answer.body.destroy()
          break
        }
        text += chunk.toString('utf8')
      }
      return { kind: 'answered', status: answer.statusCode, retryAfterMs: retryAfterOf(answer.headers['retry-after'], nowMs()), text }
    } catch (error) {
      return { kind: 'unreachable', reason: signal.aborted ? 'no answer in time' : `no connection (${codeOf(error)})` }
    }
  }
  return {
    post: (url, headers, body, signal) => ask(url, 'POST', { 'content-type': 'application/json', ...headers }, body, signal),
    get: (url, signal) => ask(url, 'GET', {}, null, signal),
    close: () => agent.destroy(),
  }
}

/** What an answer means for nearly every receiver. */
export function outcomeOf(answer: PostAnswer): DeliveryOutcome {
  if (answer.kind === 'unreachable') return { kind: 'failed', retryable: true, retryAfterMs: null, reason: answer.reason }
  const { status, retryAfterMs } = answer
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  if (status >= 300 && status < 400) return { kind: 'failed', retryable: false, retryAfterMs: null, reason: `HTTP ${status}: redirects are not followed` }
  return { kind: 'failed', retryable: status === 408 || status === 425 || status === 429 || status >= 500, retryAfterMs, reason: `HTTP ${status}` }
}

function retryAfterOf(header: string | string[] | undefined, nowMs: number): number | null {
  const text = Array.isArray(header) ? header[0] : header
  if (text === undefined) return null
  const waitMs = /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : null
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : 'connection failed'
}
