/**
 * The part of the composition root around the durable queue: the dispatcher, the two paths as the router gets them (the MCP
 * path over the queue, both with a mark before what must not be repeated), and the handlers of each kind of message.
 */
import type { Config } from '../config/schema.ts'
import { createCallbackSender } from '../callbacks/callback-sender.ts'
import type { Intake } from '../intake/intake.ts'
import type { Operation } from '../operation/operation.ts'
import type { Path } from '../operation/path.ts'
import { createDirectActivity } from '../queue/adapters/direct-activity.ts'
import { createMarkedPaths } from '../queue/adapters/marking-path.ts'
import { createQueuedPath } from '../queue/adapters/queued-path.ts'
import { createDispatcher, type Dispatcher } from '../queue/dispatcher.ts'
import { queueLimits } from '../queue/limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { LoopLoad } from '../runtime/loop-load.ts'
import type { Random } from '../runtime/random.ts'
import type { Store } from '../store/adapters/open-store.ts'
import type { Relay } from '../store/relay.ts'

export interface MessagePathParts {
  readonly store: Pick<Store, 'queue' | 'state'>
  readonly relay: Relay
  readonly direct: Path
  readonly mcp: Path
  readonly clock: Clock
  readonly random: Random
  readonly loop: LoopLoad
  readonly config: () => Config
  readonly onInternalError: (error: unknown) => void
}

export interface MessagePath {
  readonly paths: { readonly direct: Path; readonly mcp: Path }
  readonly dispatcher: Dispatcher
  wasSent(operationId: string): Promise<boolean>
  /** Claims from now on. */
  begin(intake: Intake): void
  close(): Promise<void>
}

export function createMessagePath(parts: MessagePathParts): MessagePath {
  const { store, relay, clock, config } = parts
  const dispatcher = createDispatcher({
    queue: store.queue,
    clock,
    workerId: relay.instanceId,
    slots: () => slotsOf(config()),
    readLoop: () => ({ busyShare: parts.loop.busyShare(), isDirectActive: activity.isActive() }),
    onInternalError: parts.onInternalError,
  })
  const activity = createDirectActivity(clock, (operation) => dispatcher.holds(operation.id))
  const isRepeatable = (operation: Operation): boolean => {
    const { routes } = config().mcp
    return operation.repeatable && ((routes[operation.type] ?? routes.default)?.repeatable ?? false)
  }
  let orphanage: Intake['durable'] | undefined
  const queued = createQueuedPath({
    inner: parts.mcp,
    dispatcher,
    relay,
    clock,
    isRepeatable,
    orphaned: (orphan) => orphanage?.orphaned(orphan) ?? Promise.resolve(),
  })
  const marks = createMarkedPaths(store.state, clock)
  return {
    paths: { direct: marks.around(activity.around(parts.direct), (operation) => operation.repeatable), mcp: marks.around(queued, isRepeatable) },
    dispatcher,
    wasSent: (operationId) => marks.has(operationId),
    begin(intake) {
      orphanage = intake.durable
      const callback = createCallbackSender({ settings: () => config().callbacks, find: (id) => intake.resultOf(id), clock, random: parts.random })
      dispatcher.begin({ attempt: queued.handler, operation: intake.durable.handler, callback })
      relay.subscribe((message, from) => intake.hear(message, from))
      intake.begin()
    },
    async close() {
      await dispatcher.close()
      queued.close()
    },
  }
}

/** As many as the MCP servers take at once, and some for operations that run by themselves. */
function slotsOf(config: Config): number {
  let slots: number = queueLimits.operationSlots
  for (const server of Object.values(config.mcp.servers)) if (!server.disabled) slots += server.concurrency
  return slots
}
