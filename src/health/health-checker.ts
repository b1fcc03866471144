/**
 * The Health Checker: keeps the health of every component true, at the least cost. For each subject (a Bedrock target, an MCP
 * server, the store, a part of this process) it looks at the traffic since the last time; where there was none it probes.
 * Traffic that failed outranks for a while a probe that succeeds but sees less: a control plane answers also when no model
 * does. Observations go through hysteresis; what stands against a subject in itself, such as an open breaker, outranks them.
 *
 * A subject whose state is undecided is looked at more often, so that three bad or five good observations take seconds. A
 * probe is bounded in time, and of one subject never more than one is under way: while one hangs, that counts as a failure
 * each time the next is due, and nothing piles up. Times are monotonic, so that a corrected wall clock neither rushes nor
 * stops the checks; a checker that runs late says so of itself.
 *
 * It must not know what a target or a server is: subjects are given to it.
 */
import type { Route } from '../operation/matrix.ts'
import type { AttemptRecord } from '../operation/result.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import { combinedLevel } from './component-health.ts'
import type { ComponentName } from './component-names.ts'
import { viewOfComponent, type ComponentView } from './component-view.ts'
import { isUsable, type HealthLevel } from './health-level.ts'
import type { Finding, HealthComponent, HealthSettings } from './health-subject.ts'
import { trafficOf } from './traffic.ts'
import { WatchedSubject, type ObservedBy } from './watched-subject.ts'

export interface HealthCheckerParts {
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
  /** In force now. */
  settings(): HealthSettings
  /** Told when a target or server goes down, and when it is well again. */
  onDown?(route: Route, target: string, down: boolean): void
  /** What there is now: a reload adds and removes targets. */
  components(): readonly HealthComponent[]
}

export interface CheckerStatus {
  readonly subjects: number
  readonly underWay: number
  readonly hanging: number
  /** ms by which the last round was late. */
  readonly lateMs: number
}

export interface HealthChecker {
  components(): readonly ComponentView[]
  /** Of a target or server, for the routing view: false also when nothing is known. */
  isDown(route: Route, target: string): boolean
  status(): CheckerStatus
  /** Looks at every subject of the component now, by probes; resolves when all have answered or timed out. */
  checkNow(component?: ComponentName): Promise<void>
  stop(): void
}

/** ms between two looks at what is due, at most; less where the settings ask for closer looks. */
const longestTickMs = 500

export function startHealthChecker(parts: HealthCheckerParts): HealthChecker {
  return new Checker(parts)
}

class Checker implements HealthChecker {
  readonly #parts: HealthCheckerParts
  readonly #watched = new Map<string, WatchedSubject>()
  readonly #carriers: Readonly<Record<Route, Map<string, WatchedSubject[]>>> = { direct: new Map(), mcp: new Map() }
  readonly #componentStates = new Map<ComponentName, { readonly level: HealthLevel; readonly sinceMs: number }>()
  readonly #unsubscribe: () => void
  #known: readonly HealthComponent[] = []
  #tickDueMs: number
  #lateMs = 0
  #cancelTick: CancelSchedule = () => undefined
  #stopped = false

  constructor(parts: HealthCheckerParts) {
    this.#parts = parts
    this.#unsubscribe = parts.events.subscribe((event) => {
      if (event.type === 'attempt_ended') this.#count(event.record, event.overtaken)
    })
    this.#tickDueMs = parts.clock.monotonicMs()
    this.#tick()
  }

  components(): readonly ComponentView[] {
    return this.#known.map((component) => this.#viewOf(component))
  }

  isDown(route: Route, target: string): boolean {
    const carriers = this.#carriers[route].get(target)
    return carriers !== undefined && carriers.some((watched) => !watched.isUsable)
  }

  status(): CheckerStatus {
    const all = [...this.#watched.values()]
    const nowMs = this.#parts.clock.monotonicMs()
    return {
      subjects: all.length,
      underWay: all.filter((watched) => watched.probing !== null).length,
      hanging: all.filter((watched) => watched.probing !== null && nowMs >= watched.dueMs).length,
      lateMs: this.#lateMs,
    }
  }

  async checkNow(component?: ComponentName): Promise<void> {
    this.#reconcile()
    const wanted = [...this.#watched.values()].filter((watched) => component === undefined || watched.component === component)
    await Promise.all(wanted.map((watched) => watched.probing ?? this.#probe(watched)))
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTick()
    this.#unsubscribe()
  }

  #tick(): void {
    if (this.#stopped) return
    const { clock } = this.#parts
    const nowMs = clock.monotonicMs()
    this.#lateMs = Math.max(0, nowMs - this.#tickDueMs)
    this.#reconcile()
    for (const watched of this.#watched.values()) if (nowMs >= watched.dueMs) this.#look(watched)
    this.#tickDueMs = clock.monotonicMs() + Math.min(longestTickMs, this.#parts.settings().undecidedIntervalMs)
    this.#cancelTick = clock.schedule(this.#tickDueMs, () => this.#tick())
  }

  /** Follows what there is now; what stays keeps its state. */
  #reconcile(): void {
    const { clock } = this.#parts
    this.#known = this.#parts.components()
    const present = new Set<string>()
    for (const component of this.#known) {
      if (component.off !== null) continue
      for (const subject of component.subjects) {
        present.add(subject.id)
        const watched = this.#watched.get(subject.id)
        if (watched === undefined) this.#watched.set(subject.id, new WatchedSubject(subject, component.name, clock.nowMs()))
        else watched.subject = subject
      }
    }
    for (const [id, watched] of this.#watched) {
      if (present.has(id)) continue
      this.#watched.delete(id)
      if (!watched.isUsable) this.#tellDown(watched, false)
    }
    this.#carriers.direct.clear()
    this.#carriers.mcp.clear()
    for (const watched of this.#watched.values()) {
      const { carries } = watched.subject
      if (carries === null) continue
      const carriers = this.#carriers[carries.route]
      carriers.set(carries.target, [...(carriers.get(carries.target) ?? []), watched])
    }
  }

  #count(attempt: AttemptRecord, overtaken: boolean): void {
    const carriers = this.#carriers[attempt.route].get(attempt.target)
    if (carriers === undefined) return
    const kind = trafficOf(attempt, overtaken)
    if (kind !== null) for (const watched of carriers) watched.count(kind)
  }

  /** One observation is due: by traffic where there was some, else by a probe. */
  #look(watched: WatchedSubject): void {
    const observation = watched.takeTraffic()
    if (observation !== null) {
      this.#observed(watched, { ...observation, responseTimeMs: null }, 'traffic')
      return
    }
    const { probing, intervalMs } = this.#parts.settings()
    if (!probing && watched.subject.carries !== null) {
      watched.dueMs = this.#parts.clock.monotonicMs() + intervalMs
      return
    }
    if (watched.probing !== null) {
      this.#observed(watched, { level: 'critical', reason: 'The last check still hangs', responseTimeMs: null }, 'probe')
      return
    }
    void this.#probe(watched)
  }

  #probe(watched: WatchedSubject): Promise<void> {
    const { clock } = this.#parts
    const { timeoutMs } = this.#parts.settings()
    const startMs = clock.monotonicMs()
    const deadlineMs = startMs + timeoutMs
    // While it runs nothing else is due; when it ends, the next instant is set anew.
    watched.dueMs = deadlineMs + longestTickMs
    return new Promise((resolve) => {
      let told = false
      const tell = (finding: Finding): void => {
        if (told) return
        told = true
        cancelTimer()
        if (!this.#stopped) this.#observed(watched, finding, 'probe')
        resolve()
      }
      const cancelTimer = clock.schedule(deadlineMs, () => tell({ level: 'critical', reason: `No answer within ${timeoutMs} ms`, responseTimeMs: null }))
      const failed = (error: unknown): Finding => ({ level: 'critical', reason: error instanceof Error ? error.message : 'The check failed', responseTimeMs: null })
      let asked: Finding | Promise<Finding>
      try {
        asked = watched.subject.probe(deadlineMs)
      } catch (error) {
        tell(failed(error))
        return
      }
      if (!(asked instanceof Promise)) {
        tell(asked)
        return
      }
      const probing = asked.then(tell, (error: unknown) => tell(failed(error))).finally(() => {
        if (watched.probing === probing) watched.probing = null
      })
      watched.probing = probing
    })
  }

  #observed(watched: WatchedSubject, finding: Finding, by: ObservedBy): void {
    const { clock, events } = this.#parts
    const now = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }
    const before = watched.isUsable
    const level = watched.observed(finding, by, now, this.#parts.settings())
    if (watched.isUsable !== before) this.#tellDown(watched, null)
    const { component, subject } = watched
    if (level !== null) events.publish({ type: 'health_checked', atMs: now.wallMs, component, subject: subject.id, ok: isUsable(level), durationMs: finding.responseTimeMs })
    this.#follow(component)
  }

  /** Notices that a component's level has changed with that of a subject. */
  #follow(name: ComponentName): void {
    const component = this.#known.find((known) => known.name === name)
    if (component === undefined) return
    const { events, clock } = this.#parts
    const before = this.#componentStates.get(name)
    const level = combinedLevel(this.#subjectsOf(component).map((watched) => watched.state.level))
    if (before?.level === level) return
    const atMs = clock.nowMs()
    this.#componentStates.set(name, { level, sinceMs: atMs })
    if (before === undefined && level === 'unknown') return
    events.publish({ type: 'health_changed', atMs, component: name, from: before?.level ?? 'unknown', to: level, reason: this.#viewOf(component).message })
  }

  /** @param known what is true of the target by now; null to find out, since several subjects may speak for it */
  #tellDown(watched: WatchedSubject, known: boolean | null): void {
    const { carries } = watched.subject
    if (carries === null) return
    const { route, target } = carries
    this.#parts.onDown?.(route, target, known ?? this.isDown(route, target))
  }

  #subjectsOf(component: HealthComponent): readonly WatchedSubject[] {
    return component.subjects.flatMap((subject) => this.#watched.get(subject.id) ?? [])
  }

  #viewOf(component: HealthComponent): ComponentView {
    const watched = component.off === null ? this.#subjectsOf(component) : []
    const sinceMs = this.#componentStates.get(component.name)?.sinceMs ?? Math.min(this.#parts.clock.nowMs(), ...watched.map((one) => one.sinceStartMs))
    return viewOfComponent(component, watched, sinceMs)
  }
}
