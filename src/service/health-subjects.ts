/**
 * The part of the composition root that says what the Health Checker looks at: each Bedrock target by a free signed call to
 * its control plane, each MCP server by a ping, the store by reading and writing, and what this process knows of itself.
 *
 * A component that the configuration does not have is listed as switched off; one that does not exist is not listed.
 */
import type { AlertManagerHealth } from '../alerts/alert-manager.ts'
import type { SelfTests } from '../alerts/adapters/self-tests.ts'
import type { Config } from '../config/schema.ts'
import type { DirectBedrockClient } from '../direct/direct-bedrock-client.ts'
import { askCanary } from '../health/adapters/canary.ts'
import type { CanaryPurse } from '../health/adapters/canary-purse.ts'
import type { CheckerStatus } from '../health/health-checker.ts'
import type { Finding, HealthComponent, HealthSubject } from '../health/health-subject.ts'
import { unprovenFactor } from '../health/watched-subject.ts'
import type { LogSink } from '../logs/adapters/json-lines.ts'
import type { McpRouter } from '../mcp/mcp-router.ts'
import type { JsonObject } from '../operation/converse.ts'
import type { RecorderStatus } from '../metrics/metrics-recorder.ts'
import type { Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { Path } from '../operation/path.ts'
import type { HybridRouter } from '../router/hybrid-router.ts'
import type { Clock } from '../runtime/clock.ts'
import type { QueueInspection } from '../store/message-queue.ts'
import type { Store } from '../store/adapters/open-store.ts'

/** What is looked at of the two paths; incidents on a virtual clock have their own. */
export type WatchedDirect = Path & Pick<DirectBedrockClient, 'targets' | 'checkConnection'>
export type WatchedMcp = Pick<McpRouter, 'servers' | 'checkServer'>

export interface HealthSources {
  readonly clock: Clock
  readonly config: () => Config
  readonly direct: WatchedDirect
  readonly mcp: WatchedMcp
  readonly router: Pick<HybridRouter, 'inFlight' | 'waiting' | 'breakers'>
  readonly store: Pick<Store, 'state' | 'queue'>
  readonly recorder: () => RecorderStatus
  readonly checker: () => CheckerStatus
  readonly log: LogSink
  readonly purse: CanaryPurse
  /** A plain operation for the canary, with this many tokens at most. */
  readonly canaryOperation: (maxTokens: number) => Operation
  /** Told of every look into the queue; null when it could not be read. */
  readonly onQueue: (inspection: QueueInspection | null) => void
  /** Components of which others know, such as the Alert Manager. */
  /** The operators' last resets of breakers. */
  readonly resets: () => readonly JsonObject[]
  readonly more: () => readonly HealthComponent[]
}

/** Answers with what there is now: targets and servers come and go with the configuration. */
export function createHealthComponents(sources: HealthSources): () => readonly HealthComponent[] {
  const first = router(sources)
  const last = [checker(sources), recorder(sources), logs(sources), queue(sources), breakers(sources)]
  const standingOf = createBreakerWatch(sources)
  return () => [first, direct(sources, standingOf), mcp(sources, standingOf), ...last, ...sources.more()]
}

function good(reason: string, responseTimeMs: number | null = null): Finding {
  return { level: 'healthy', reason, responseTimeMs }
}

/** A subject that is a whole component and answers from what is known. */
function itself(name: HealthComponent['name'], probe: () => Finding): readonly HealthSubject[] {
  return [{ id: name, title: name, carries: null, probe }]
}

/** Share of the places for operations above which there is little room for a burst. */
const crowdedShare = 0.9

function router({ config, router: hybridRouter }: HealthSources): HealthComponent {
  return {
    name: 'hybrid-router',
    what: 'decides direct or MCP for every operation',
    required: true,
    off: null,
    subjects: itself('hybrid-router', () => {
      const running = hybridRouter.inFlight()
      const places = config().limits.inFlightOperations
      const reason = `${running} of ${places} places taken, ${hybridRouter.waiting()} waiting`
      return running > places * crowdedShare ? { level: 'degraded', reason, responseTimeMs: null } : good(reason)
    }),
    details: () => ({ inFlight: hybridRouter.inFlight(), waiting: hybridRouter.waiting() }),
  }
}

type StandingOf = (route: Route, target: string) => ReturnType<NonNullable<HealthSubject['standing']>>

/**
 * What a breaker says against a target, whatever a free probe finds. A half-open one lets some operations through that tell:
 * until they do it stays a doubt, and in a quiet system, where nobody asks, for a time only.
 */
function createBreakerWatch({ clock, config, router: hybridRouter }: HealthSources): StandingOf {
  const openedMs = new Map<string, number>()
  return (route, target) => {
    const breaker = hybridRouter.breakers().find((one) => one.route === route && one.target === target)
    const key = `${route} ${target}`
    const nowMs = clock.monotonicMs()
    if (breaker === undefined || breaker.phase === 'closed') {
      openedMs.delete(key)
      return null
    }
    if (breaker.phase === 'open') {
      openedMs.set(key, nowMs)
      return { level: 'unhealthy', reason: 'Its circuit breaker is open' }
    }
    const sinceMs = nowMs - (openedMs.get(key) ?? Number.NEGATIVE_INFINITY)
    return sinceMs < unprovenFactor * config().health.trustTrafficMs ? { level: 'degraded', reason: 'Its circuit breaker is half open, and no operation has closed it yet' } : null
  }
}

function direct(sources: HealthSources, standingOf: StandingOf): HealthComponent {
  const { clock, config, direct: client, purse } = sources
  const { canary } = config().health
  const subjects = client.targets.flatMap((target): HealthSubject[] => {
    const carries = { route: 'direct' as const, target: target.id }
    const free: HealthSubject = {
      id: `direct:${target.id}`,
      title: target.id,
      carries,
      seesLess: true,
      standing: () => standingOf('direct', target.id),
      async probe(deadlineMs) {
        const check = await client.checkConnection(target.id, deadlineMs)
        const details = { region: target.region, modelId: target.modelId }
        if (check.ok) return { ...good(`${target.region} answers`, check.durationMs), details }
        // The control plane's own limit says nothing of what the runtime would do.
        const level = check.fault.kind === 'throttled' ? null : 'critical'
        return { level, reason: check.fault.message, responseTimeMs: null, details }
      },
    }
    if (!canary.enabled) return [free]
    const paid: HealthSubject = {
      id: `canary:${target.id}`,
      title: `${target.id} (canary)`,
      carries,
      intervalMs: canary.intervalMs,
      // An undecided level is no reason to spend faster than the interval allows.
      undecidedIntervalMs: canary.intervalMs,
      probe: (deadlineMs) =>
        askCanary({ path: client, clock, purse, prices: config().direct.prices, target: target.id, modelId: target.modelId, operation: sources.canaryOperation(canary.maxTokens), maxTokens: canary.maxTokens, deadlineMs }),
    }
    return [free, paid]
  })
  return {
    name: 'direct-bedrock-client',
    what: 'low-latency access to Amazon Bedrock',
    required: true,
    off: subjects.length === 0 ? 'No target is configured.' : null,
    subjects,
    details: () => (canary.enabled ? { canary: { costPerDay: canary.costPerDay, spentToday: purse.spentToday() } } : {}),
  }
}

function mcp(sources: HealthSources, standingOf: StandingOf): HealthComponent {
  const servers = sources.mcp.servers().filter((server) => server.state !== 'disabled')
  return {
    name: 'mcp-router',
    what: 'standard operations as messages over the Model Context Protocol',
    required: false,
    off: servers.length === 0 ? 'No server is configured, or all are switched off.' : null,
    subjects: servers.map(({ name }) => ({
      id: `mcp:${name}`,
      title: name,
      carries: { route: 'mcp' as const, target: name },
      seesLess: true,
      standing: () => standingOf('mcp', name),
      async probe() {
        const view = await sources.mcp.checkServer(name)
        if (view === null) return { level: 'critical', reason: 'It is not configured any more', responseTimeMs: null }
        const { reason, responseTimeMs, state, inFlight, waiting, era } = view
        const level = view.health === 'healthy' ? 'healthy' : view.health === 'unhealthy' ? 'critical' : null
        return { level, reason, responseTimeMs: level === 'healthy' ? responseTimeMs : null, details: { state, inFlight, waiting, protocol: era } }
      },
    })),
  }
}

/** ms without an evaluation after which nobody would be told of anything. */
const silentMs = 60_000

/** The self-tests of receivers, and ms between two of one receiver: of the configuration in force. */
export interface ReceiverTests {
  readonly tests: SelfTests
  readonly intervalMs: () => number
}

/** What a receiver's self-test is called among the subjects; `receiverOf` finds the receiver again. */
const selfTestPrefix = 'self-test:'

/** The name of the receiver whose self-test the subject is; null for another subject. */
export function receiverOf(subjectId: string): string | null {
  return subjectId.startsWith(selfTestPrefix) ? subjectId.slice(selfTestPrefix.length) : null
}

/** Of the interval: while a level is in question a receiver is tested more often, and still costs it next to nothing. */
const undecidedTestShare = 0.1

function selfTestSubject(name: string, { tests, intervalMs }: ReceiverTests, clock: Clock): HealthSubject {
  return {
    id: `${selfTestPrefix}${name}`,
    title: `${name} (self-test)`,
    carries: null,
    intervalMs: intervalMs(),
    undecidedIntervalMs: undecidedTestShare * intervalMs(),
    async probe(deadlineMs) {
      const startMs = clock.monotonicMs()
      const outcome = await tests.run(name, deadlineMs)
      if (outcome.kind === 'reachable') return good('A delivery would get through, as far as can be seen without one', clock.monotonicMs() - startMs)
      return { level: 'critical', reason: outcome.reason, responseTimeMs: null }
    },
  }
}

/** The Alert Manager by its last evaluation, and each of its receivers by what it was sent last and by its self-test. */
export function alertManagerComponent(health: () => AlertManagerHealth, clock: Clock, selfTests: ReceiverTests | null): HealthComponent {
  const evaluation: HealthSubject = {
    id: 'alert-manager',
    title: 'evaluation',
    carries: null,
    probe() {
      const { role, lastTickAtMs, storeProblem, waiting } = health()
      const details = { role, waiting }
      if (lastTickAtMs !== null && clock.nowMs() - lastTickAtMs > silentMs) return { level: 'critical', reason: `Rules were last evaluated ${Math.round((clock.nowMs() - lastTickAtMs) / 1_000)} s ago`, responseTimeMs: null, details }
      if (role === 'alone') return { level: 'degraded', reason: `Evaluates by itself: ${storeProblem ?? 'the store cannot be reached'}`, responseTimeMs: null, details }
      return { ...good(role === 'standing_by' ? 'Another instance evaluates the rules' : 'The rules are evaluated'), details }
    },
  }
  return {
    name: 'alert-manager',
    what: 'alert life cycle, notification and escalation',
    required: false,
    off: null,
    get subjects() {
      const receivers = health().notifiers.map((notifier): HealthSubject => ({ id: `notifier:${notifier.name}`, title: notifier.name, carries: null, probe: () => receiverFinding(health(), notifier.name) }))
      return [evaluation, ...receivers, ...(selfTests === null ? [] : selfTests.tests.names.map((name) => selfTestSubject(name, selfTests, clock)))]
    },
  }
}

function receiverFinding(health: AlertManagerHealth, name: string): Finding {
  const notifier = health.notifiers.find((one) => one.name === name)
  if (notifier === undefined) return { level: null, reason: 'It is not configured any more', responseTimeMs: null }
  const { status, waiting, delivered, givenUp, lastFailure } = notifier
  const details = { waiting, delivered, givenUp }
  if (status === 'healthy' || status === 'unknown') return { ...good(delivered === 0 ? 'Nothing had to be sent yet' : 'The last notification arrived'), details }
  return { level: status, reason: lastFailure?.reason ?? 'The last notification did not arrive', responseTimeMs: null, details }
}

/** ms by which a round may be late before the process counts as too busy to watch itself. */
const lateMs = 5_000

function checker({ checker: status }: HealthSources): HealthComponent {
  return {
    name: 'health-checker',
    what: 'checks every component, by its traffic or by probes',
    required: false,
    off: null,
    subjects: itself('health-checker', () => {
      const { subjects, hanging, lateMs: late } = status()
      if (late > lateMs) return { level: 'degraded', reason: `The last round was ${Math.round(late / 1_000)} s late`, responseTimeMs: null }
      if (hanging > 0) return { level: 'degraded', reason: `${hanging} of ${subjects} checks hang`, responseTimeMs: null }
      return good(`${subjects} subjects are watched`)
    }),
    details: () => ({ ...status() }),
  }
}

function recorder({ recorder: status }: HealthSources): HealthComponent {
  return {
    name: 'metrics-publisher',
    what: 'metrics of all operations',
    required: false,
    off: null,
    subjects: itself('metrics-publisher', () => {
      const { failuresInRow, lastError, unwritten, leftOut } = status()
      if (failuresInRow > 0) return { level: 'degraded', reason: `Metrics are counted but cannot be kept (${unwritten} minutes wait): ${lastError ?? 'the store fails'}`, responseTimeMs: null }
      if (leftOut > 0) return { level: 'degraded', reason: `${leftOut} minutes of other instances are left out of the views: too many instances`, responseTimeMs: null }
      return good('Metrics are counted and kept')
    }),
    details: () => {
      const { instance, others, restored, storeFailures, unwritten, lastWriteAtMs, skippedRounds } = status()
      // Figures that are younger are what a crash would lose.
      const lastWriteAt = lastWriteAtMs === null ? null : new Date(lastWriteAtMs).toISOString()
      return { instance, others: [...others], restored, storeFailures, unwritten, lastWriteAt, skippedRounds }
    },
  }
}

function logs({ log }: HealthSources): HealthComponent {
  let droppedBefore = log.dropped?.() ?? 0
  return {
    name: 'log-aggregator',
    what: 'one log over all components',
    required: false,
    off: null,
    subjects: itself('log-aggregator', () => {
      const dropped = log.dropped?.() ?? 0
      const lost = dropped - droppedBefore
      droppedBefore = dropped
      return lost > 0 ? { level: 'degraded', reason: `${lost} lines were dropped: whoever reads the log does not keep up`, responseTimeMs: null } : good('Lines are written')
    }),
    details: () => ({ dropped: log.dropped?.() ?? 0 }),
  }
}

function queue({ config, store, clock, onQueue }: HealthSources): HealthComponent {
  return {
    name: 'message-queue',
    what: 'the store and the durable queue behind the MCP Router',
    required: false,
    off: null,
    subjects: [
      {
        id: 'message-queue',
        title: 'message-queue',
        carries: null,
        async probe() {
          const startMs = clock.monotonicMs()
          try {
            await Promise.all([store.state.check(), store.queue.check()])
            const inspection = await store.queue.inspect()
            onQueue(inspection)
            const { depth, maxDepth, deadLetters } = inspection
            const oldestAgeMs = oldestOf(inspection)
            const details = { engine: config().store.engine, depth, maxDepth, oldestAgeMs, deadLetters }
            const tookMs = clock.monotonicMs() - startMs
            if (depth > maxDepth * crowdedShare) return { level: 'degraded', reason: `${depth} of ${maxDepth} messages wait`, responseTimeMs: tookMs, details }
            return { ...good(`The store reads and writes; ${depth} messages wait`, tookMs), details }
          } catch (error) {
            onQueue(null)
            throw error
          }
        },
      },
    ],
  }
}

export function oldestOf(inspection: QueueInspection): number | null {
  const ages = Object.values(inspection.classes).flatMap((depth) => depth.oldestAgeMs ?? [])
  return ages.length === 0 ? null : Math.max(...ages)
}

function breakers({ router: hybridRouter, resets }: HealthSources): HealthComponent {
  return {
    name: 'circuit-breaker',
    what: 'every breaker, in one view',
    required: false,
    off: null,
    subjects: itself('circuit-breaker', () => {
      const all = hybridRouter.breakers()
      const open = all.filter((breaker) => breaker.phase === 'open')
      if (open.length > 0) return { level: 'degraded', reason: `Open: ${open.map((breaker) => `${breaker.route} ${breaker.target}`).join(', ')}`, responseTimeMs: null }
      // A half-open one lets traffic through that will tell; in a quiet system it stays so, and that is no fault.
      const trying = all.filter((breaker) => breaker.phase === 'half_open')
      if (trying.length === 0) return good(`All ${all.length} breakers are closed`)
      return good(`None of ${all.length} is open; the next traffic tells of ${trying.map((breaker) => `${breaker.route} ${breaker.target}`).join(', ')}`)
    }),
    details: () => ({ breakers: hybridRouter.breakers().map(({ route, target, phase, trips, recoveries, inFlight, limit }) => ({ route, target, phase, trips, recoveries, inFlight, limit })), resets: resets() }),
  }
}
