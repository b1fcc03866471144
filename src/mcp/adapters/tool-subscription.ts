/**
 * Hears from a server that its tools have changed. On the older wire such a notification comes unasked, on stdio or on the
 * session's own stream; on the newer one it comes only to whoever listens (MCP 2026-07-28, "Subscriptions"), and a listening
 * that ends is begun again, with the backoff of a lost connection. Whatever changed while nobody listened was not told, so
 * every beginning counts as a change.
 *
 * It reads no tools and judges no server: `session.ts` does.
 */
import type { Client } from '@modelcontextprotocol/client'
import { sleep } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Random } from '../../runtime/random.ts'
import { mcpLimits } from '../limits.ts'
import { reconnectDelayMs } from '../reconnect.ts'
import { failureOf } from './sdk-errors.ts'

export interface ToolSubscriptionParts {
  readonly clock: Clock
  readonly random: Random
  /** How long the server may take to acknowledge. */
  readonly timeoutMs: number
  readonly onChanged: () => void
}

/** On a connected client, once. What is returned ends it. */
export function subscribeToTools(client: Client, { clock, random, timeoutMs, onChanged }: ToolSubscriptionParts): () => void {
  const ending = new AbortController()
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    if (!ending.signal.aborted) onChanged()
  })
  const isOffered = client.getServerCapabilities()?.tools?.listChanged === true
  if (isOffered && client.getProtocolEra() === 'modern') void keepListening()
  return () => ending.abort(new Error('the connection is closed'))

  async function keepListening(): Promise<void> {
    const { signal } = ending
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        const subscription = await client.listen({ toolsListChanged: true }, { timeout: timeoutMs, signal })
        if (subscription.honoredFilter.toolsListChanged !== true) return await subscription.close()
        const sinceMs = clock.monotonicMs()
        onChanged()
        await subscription.closed
        if (clock.monotonicMs() - sinceMs >= mcpLimits.stableAfterMs) failures = 0
      } catch (error) {
        const failure = failureOf(error)
        // It does not know the request: the tools are read again from time to time all the same.
        if (failure.type === 'rpc_error' && failure.code === methodNotFound) return
      }
      await sleep(clock, reconnectDelayMs(failures, random.next()), signal).catch(() => undefined)
    }
  }
}

/** JSON-RPC 2.0, section 5.1. */
const methodNotFound = -32601
