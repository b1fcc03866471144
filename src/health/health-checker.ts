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
import type { JsonObject } from '../operation/converse.ts'
import type { Route } from '../operation/matrix.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import { combinedLevel, messageOf } from './component-health.ts'
import type { ComponentName } from './component-names.ts'
import { isUsable, worstOf, type HealthLevel, type KnownLevel } from './health-level.ts'
import { isUndecided, observe, startingState, type HysteresisSettings, type LevelState } from './hysteresis.ts'
import { noTraffic, observationOf, trafficOf, type TrafficStretch } from './traffic.ts'

export interface Finding {
  /** Null: it says nothing, as a throttled control plane says nothing of the target. */
  readonly level: KnownLevel | null
  readonly reason: string
  readonly responseTimeMs: number | null
  readonly details?: JsonObject
}

export interface HealthSubject {
  /** Unique. */
  readonly id: string
  /** As a person calls it, within its component. */
  readonly title: string
  /** Whose traffic speaks for it; null for what carries no operations. */
  readonly carries: { readonly route: Route; readonly target: string } | null
  /** Its probe cannot see whether operations are answered, as that of a control plane cannot. */
  readonly seesLess?: true
  /** Asked when there was no traffic. */
  probe(deadlineMs: number): Finding | Promise<Finding>
  /** What stands against it whatever traffic and probes say; null for nothing. */
  standing?(): { readonly level: KnownLevel; readonly reason: string } | null
  /** Where they differ from the settings', as for a probe that costs money. */
  readonly intervalMs?: number
  readonly undecidedIntervalMs?: number
}

export interface HealthComponent {
  readonly name: ComponentName
  /** What it is, in a few words. */
  readonly what: string
  readonly required: boolean
  /** Null: switched on; else why not, in a sentence. */
  readonly off: string | null
  readonly subjects: readonly HealthSubject[]
  details?(): JsonObject
}

export interface HealthSettings extends HysteresisSettings {
  readonly intervalMs: number
  readonly undecidedIntervalMs: number
  readonly timeoutMs: number
  /** How long failed traffic outranks probes that see less and succeed. */
  readonly trustTrafficMs: number
  /** False: what carries operations is judged by its traffic alone. */
  readonly probing: boolean
}

export interface SubjectView {
  readonly id: string
  readonly title: string
  readonly status: HealthLevel
  readonly message: string
  readonly responseTimeMs: number | null
  /** Wall clock. */
  readonly lastCheckAtMs: number | null
  readonly sinceMs: number
  readonly lastError: { readonly message: string; readonly atMs: number } | null
  /** How the last observation was made. */
  readonly by: 'traffic' | 'probe' | null
  readonly details: JsonObject
}

export interface ComponentView {
  readonly name: ComponentName
  readonly what: string
  readonly enabled: boolean
  readonly required: boolean
  readonly status: HealthLevel
  readonly message: string
  readonly responseTimeMs: number | null
  readonly lastCheckAtMs: number | null
  readonly sinceMs: number
  readonly lastError: { readonly message: string; readonly atMs: number } | null
  readonly subjects: readonly SubjectView[]
  readonly details: JsonObject
}

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

/** What is remembered of one subject. */
class Watched {
  readonly sinceStartMs: number
  subject: HealthSubject
  component: ComponentName
  state: LevelState
  stretch: { -readonly [Member in keyof TrafficStretch]: number } = { ...noTraffic }
  /** Monotonic; what is new is due at once. */
  dueMs = Number.NEGATIVE_INFINITY
  probing: Promise<void> | null = null
  reason = 'Not checked yet.'
  by: SubjectView['by'] = null
  responseTimeMs: number | null = null
  lastCheckAtMs: number | null = null
  lastError: SubjectView['lastError'] = null
  details: JsonObject = {}
  /** The last traffic that spoke against it; monotonic. */
  failedTraffic: { readonly atMs: number; readonly reason: string } | null = null

  constructor(subject: HealthSubject, component: ComponentName, nowMs: number) {
    this.subject = subject
    this.component = component
    this.sinceStartMs = nowMs
    this.state = startingState(nowMs)
  }
}

class Checker implements HealthChecker {
  readonly #parts: HealthCheckerParts
  readonly #watched = new Map<string, Watched>()
  readonly #carriers: Readonly<Record<Route, Map<string, Watched[]>>> = { direct: new Map(), mcp: new Map() }
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
      if (event.type === 'attempt_ended') this.#count(event.record)
    })
    this.#tickDueMs = parts.clock.monotonicMs()
    this.#tick()
  }

  components(): readonly ComponentView[] {
    return this.#known.map((component) => this.#viewOf(component))
  }

  isDown(route: Route, target: string): boolean {
    const carriers = this.#carriers[route].get(target)
    return carriers !== undefined && carriers.some((watched) => !isUsable(watched.state.level))
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
        if (watched === undefined) this.#watched.set(subject.id, new Watched(subject, component.name, clock.nowMs()))
        else watched.subject = subject
      }
    }
    for (const [id, watched] of this.#watched) {
      if (present.has(id)) continue
      this.#watched.delete(id)
      if (!isUsable(watched.state.level)) this.#tellDown(watched, false)
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

  #count(attempt: Parameters<typeof trafficOf>[0] & { readonly route: Route; readonly target: string }): void {
    const carriers = this.#carriers[attempt.route].get(attempt.target)
    if (carriers === undefined) return
    const kind = trafficOf(attempt)
    if (kind !== null) for (const watched of carriers) watched.stretch[kind] += 1
  }

  /** One observation is due: by traffic where there was some, else by a probe. */
  #look(watched: Watched): void {
    const observation = observationOf(watched.stretch)
    watched.stretch = { ...noTraffic }
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

  #probe(watched: Watched): Promise<void> {
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

  #observed(watched: Watched, made: Finding, by: 'traffic' | 'probe'): void {
    const finding = this.#weighed(watched, made, by)
    const { clock, events } = this.#parts
    const settings = this.#parts.settings()
    const { subject, component } = watched
    const nowMs = clock.nowMs()
    watched.lastCheckAtMs = nowMs
    watched.responseTimeMs = finding.responseTimeMs ?? watched.responseTimeMs
    watched.details = finding.details ?? watched.details
    watched.by = by
    const standing = subject.standing?.() ?? null
    const level = finding.level === null ? (standing?.level ?? null) : standing === null ? finding.level : worstOf(finding.level, standing.level)
    watched.reason = standing !== null && level === standing.level && level !== finding.level ? standing.reason : finding.reason
    if (level !== null) {
      const before = isUsable(watched.state.level)
      watched.state = observe(watched.state, level, nowMs, settings)
      if (isUsable(watched.state.level) !== before) this.#tellDown(watched, null)
      if (!isUsable(level)) watched.lastError = { message: watched.reason, atMs: nowMs }
      events.publish({ type: 'health_checked', atMs: nowMs, component, subject: subject.id, ok: isUsable(level), durationMs: finding.responseTimeMs })
    }
    const intervalMs = subject.intervalMs ?? settings.intervalMs
    const undecidedMs = subject.undecidedIntervalMs ?? settings.undecidedIntervalMs
    watched.dueMs = clock.monotonicMs() + (isUndecided(watched.state) ? Math.min(intervalMs, undecidedMs) : intervalMs)
    this.#follow(component)
  }

  #weighed(watched: Watched, finding: Finding, by: 'traffic' | 'probe'): Finding {
    const { level, reason } = finding
    const nowMs = this.#parts.clock.monotonicMs()
    if (by === 'traffic') {
      watched.failedTraffic = level === null || isUsable(level) ? null : { atMs: nowMs, reason }
      return finding
    }
    const { failedTraffic } = watched
    if (failedTraffic === null || watched.subject.seesLess !== true || level !== 'healthy') return finding
    if (nowMs - failedTraffic.atMs < this.#parts.settings().trustTrafficMs) return { ...finding, level: null, reason: `${failedTraffic.reason}, although a probe was answered` }
    watched.failedTraffic = null
    return finding
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
  #tellDown(watched: Watched, known: boolean | null): void {
    const { carries } = watched.subject
    if (carries === null) return
    const { route, target } = carries
    this.#parts.onDown?.(route, target, known ?? this.isDown(route, target))
  }

  #subjectsOf(component: HealthComponent): readonly Watched[] {
    return component.subjects.flatMap((subject) => this.#watched.get(subject.id) ?? [])
  }

  #viewOf(component: HealthComponent): ComponentView {
    const watched = component.off === null ? this.#subjectsOf(component) : []
    const views = watched.map(viewOfSubject)
    const times = views.flatMap((view) => view.responseTimeMs ?? [])
    const checks = views.flatMap((view) => view.lastCheckAtMs ?? [])
    const errors = views.flatMap((view) => view.lastError ?? []).sort((a, b) => b.atMs - a.atMs)
    return {
      name: component.name,
      what: component.what,
      enabled: component.off === null,
      required: component.required,
      status: combinedLevel(views.map((view) => view.status)),
      message: component.off ?? messageOf(views.map((view) => ({ title: view.title, level: view.status, reason: view.message }))),
      responseTimeMs: times.length === 0 ? null : Math.max(...times),
      lastCheckAtMs: checks.length === 0 ? null : Math.max(...checks),
      sinceMs: this.#componentStates.get(component.name)?.sinceMs ?? Math.min(this.#parts.clock.nowMs(), ...watched.map((one) => one.sinceStartMs)),
      lastError: errors[0] ?? null,
      subjects: views,
      details: component.details?.() ?? {},
    }
  }
}

function viewOfSubject(watched: Watched): SubjectView {
  const { subject, state, reason, responseTimeMs, lastCheckAtMs, lastError, by, details } = watched
  // What was seen does not change the level yet: then both are said.
  const message = state.row.length === 0 ? reason : `${reason} (${state.row.length} in a row so far)`
  return { id: subject.id, title: subject.title, status: state.level, message, responseTimeMs, lastCheckAtMs, sinceMs: state.sinceMs, lastError, by, details }
}
