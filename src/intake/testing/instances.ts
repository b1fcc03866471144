/**
 * Several instances of the service's intake on one store, in one process and on a virtual clock: each has its own runner,
 * worker and relay, as `serve` processes on one Redis have.
 */
import { runbookMatrix } from '../../operation/matrix.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import { createDispatcher, type WorkHandler } from '../../queue/dispatcher.ts'
import { createEventStream } from '../../runtime/event-stream.ts'
import { createCountingIds } from '../../runtime/ids.ts'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { createMemoryMessageQueue } from '../../store/adapters/memory-message-queue.ts'
import { createMemoryStateStore } from '../../store/adapters/memory-state-store.ts'
import type { MessageQueue } from '../../store/message-queue.ts'
import { createRelayHub } from '../../store/testing/relay-hub.ts'
import { createIntake } from '../intake.ts'
import type { OperationDraft } from '../operation-draft.ts'
import { draftAt } from './draft.ts'
import { createScriptedRunner, type Step } from './scripted-runner.ts'

const limits = { inFlightOperations: 10, retainedResults: 100, retainedResultBytes: 1_000_000, retainedResultMs: 86_400_000, idempotencyMs: 86_400_000, eventsPerOperation: 1_000, streamBufferBytes: 100_000 }
export const quick: readonly Step[] = [{ afterMs: 100, text: 'Hi' }, { afterMs: 0, succeed: true }]
export const keyed: Partial<OperationDraft> = { idempotency: { key: 'k', request: 'body' } }
const none: WorkHandler<never> = { work: () => Promise.resolve({ kind: 'done' }), ended: () => Promise.resolve() }

export function setUpInstances() {
  const clock = createVirtualClock()
  const state = createMemoryStateStore(clock)
  const queue = createMemoryMessageQueue(clock)
  const hub = createRelayHub()
  const ids = createCountingIds()
  const sent = new Set<string>()
  const callbacks: string[] = []
  const instance = (name: string, script: readonly Step[] = quick, slots = 8, engine: MessageQueue = queue) => {
    const published: SystemEvent[] = []
    const events = createEventStream<SystemEvent>((error) => {
      throw error
    })
    events.subscribe((event) => published.push(event))
    const runner = createScriptedRunner(clock, () => script)
    const errors: unknown[] = []
    const work = createDispatcher({ queue: engine, clock, workerId: name, slots: () => slots, onInternalError: (error) => errors.push(error) })
    const relay = hub.join(name)
    const settings = () => ({ matrix: runbookMatrix, streamSilenceMs: null, streamMaxMs: 600_000, currency: 'USD', models: new Set<string>(), callbacks: true })
    const intake = createIntake({ runner, state, clock, ids, events, limits, settings, work, relay, wasSent: (id) => Promise.resolve(sent.has(id)) })
    relay.subscribe((message, from) => intake.hear(message, from))
    const begin = (): void => {
      const callback: WorkHandler<never> = {
        work(told: { readonly operationId: string }) {
          callbacks.push(told.operationId)
          return Promise.resolve({ kind: 'done' })
        },
        ended: () => Promise.resolve(),
      }
      work.begin({ operation: intake.durable.handler, attempt: none, callback })
      intake.begin()
    }
    /** As `kill -9` does: nothing of it is heard again, and nothing that it runs is finished. */
    const die = (): void => {
      hub.die(name)
      void work.close()
    }
    return { name, runner, work, intake, relay, published, errors, begin, die }
  }
  const draft = (changes: Partial<OperationDraft> = {}): OperationDraft => draftAt(clock, { mode: 'async', ...changes })
  return { clock, state, queue, hub, sent, callbacks, instance, draft }
}
