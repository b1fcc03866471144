/**
 * Callbacks: the result of an operation, posted to the address that its caller gave. Each is a message in the durable
 * queue, so that it survives a restart and waits there between two tries; it is given up when its message expires, and then
 * stays in the log alone, because the result can still be read.
 *
 * Delivery is at least once: the operation's id in the body is how a receiver recognises a repeat.
 */
import { createHmac } from 'node:crypto'
import type { OperationResult } from '../operation/result.ts'
import type { Disposition, WorkHandler } from '../queue/dispatcher.ts'
import type { CallbackWork } from '../queue/work.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { post } from './adapters/post.ts'
import { retryDelayMs, signatureHeader, signatureValue, signedText } from './signature.ts'

export interface CallbackSettings {
  /** Null: there are no callbacks. */
  readonly secret: string | null
  readonly allowPrivateAddresses: boolean
  readonly timeoutMs: number
}

export interface CallbackSenderParts {
  readonly settings: () => CallbackSettings
  /** The result on record; undefined when it is not kept any more. */
  readonly find: (operationId: string) => Promise<OperationResult | undefined>
  readonly clock: Clock
  readonly random: Random
}

const done: Disposition = { kind: 'done' }

export function createCallbackSender({ settings, find, clock, random }: CallbackSenderParts): WorkHandler<CallbackWork> {
  return {
    async work({ operationId, url }, { delivery }) {
      const { secret, allowPrivateAddresses, timeoutMs } = settings()
      const result = await find(operationId)
      if (result === undefined || secret === null) return done
      const body = JSON.stringify(result)
      const seconds = Math.floor(clock.nowMs() / 1_000)
      const hex = createHmac('sha256', secret).update(signedText(seconds, body)).digest('hex')
      const headers = { [signatureHeader]: signatureValue(seconds, hex), 'x-correlation-id': result.correlationId }
      const end = await post({ url: new URL(url), headers, body, allowPrivate: allowPrivateAddresses, limitMs: timeoutMs }, clock)
      switch (end.kind) {
        case 'delivered':
          return done
        case 'failed':
          return { kind: 'again', delayMs: retryDelayMs(delivery, random.next()), reason: end.reason, attempted: true }
        case 'refused':
        case 'forbidden':
          return { kind: 'hopeless', reason: end.reason }
      }
    },
    // The queue's history says why; the operation itself has long ended, and its result can be read.
    ended: () => Promise.resolve(),
  }
}
