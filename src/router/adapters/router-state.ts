/**
 * What all operations of one router share: the view of the targets, the budgets, the waiting room, the record of decisions,
 * and who runs. It joins the core's pure parts to the clock and the event stream; it decides nothing itself.
 *
 * Whenever attempts have ended, those who wait for room are told, the most urgent first, until one in a row finds none.
 */
import type { Route } from '../../operation/matrix.ts'
import type { Operation } from '../../operation/operation.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import { AttemptBudget } from '../../routing/attempt-budget.ts'
import type { MachineEvent } from '../../routing/machine-protocol.ts'
import { defaultAttemptLimits, type AttemptLimits, type AttemptRules } from '../../routing/attempt-rules.ts'
import { ChancePolicy, type ChanceSettings } from '../../routing/chance-policy.ts'
import type { Conditions, Topology } from '../../routing/conditions.ts'
import { DecisionLedger } from '../../routing/decision-ledger.ts'
import { TargetStates, type TargetStateSettings } from '../../routing/target-states.ts'
import { WaitingRoom, type Waiter } from '../../routing/waiting-room.ts'
import type { HybridRouterParts, RouterSettings } from '../hybrid-router.ts'
import { DenseSet, type Placed } from '../../runtime/dense-set.ts'
import { createIsoTime } from '../../runtime/iso-time.ts'

/** One operation that runs, as the shared state sees it. */
export interface RunningEntry extends Waiter, Placed {
  feed(event: MachineEvent): void
  mayUse(route: Route): boolean
}

/** Retries that a quiet process has saved up: enough for a burst of failures on one target. */
const retryBurst = 10
/** So many of those who wait may leave a place before the others are left to the next end of an attempt. */
const looksPerPlace = 64
const sureFirst = [true, false] as const

export class RouterState {
  readonly parts: HybridRouterParts
  readonly states: TargetStates
  readonly ledger: DecisionLedger
  readonly room: WaitingRoom<RunningEntry>
  readonly running = new DenseSet<RunningEntry>()
  readonly isoTime = createIsoTime()
  closed = false
  #targets: TargetStateSettings
  #chance: ChanceSettings
  #retryShare: number
  #policy: ChancePolicy
  #retryBudget: AttemptBudget
  #rules: AttemptRules
  readonly #roomFreed: Record<Route, boolean> = { direct: false, mcp: false }
  #waking = false
  #idle: (() => void)[] = []

  constructor(parts: HybridRouterParts) {
    const settings = parts.settings()
    this.parts = parts
    this.#targets = settings.targets
    this.#chance = settings.chance
    this.#retryShare = settings.retryShare
    this.states = new TargetStates(settings.targets)
    this.ledger = new DecisionLedger(settings.retainedDecisions)
    this.room = new WaitingRoom(settings.waitingPlaces)
    this.#policy = new ChancePolicy(settings.chance, this.states.forecast)
    this.#retryBudget = new AttemptBudget(settings.retryShare, retryBurst)
    this.#rules = this.#makeRules()
  }

  nowMs(): number {
    return this.parts.clock.monotonicMs()
  }

  /** Made anew only when the settings that they depend on have changed. */
  rules(settings: RouterSettings): AttemptRules {
    if (settings.targets !== this.#targets) {
      this.#targets = settings.targets
      this.states.configure(settings.targets)
    }
    if (settings.chance === this.#chance && settings.retryShare === this.#retryShare) return this.#rules
    if (settings.retryShare !== this.#retryShare) this.#retryBudget = new AttemptBudget(settings.retryShare, retryBurst)
    if (settings.chance !== this.#chance) this.#policy = new ChancePolicy(settings.chance, this.states.forecast)
    this.#chance = settings.chance
    this.#retryShare = settings.retryShare
    this.#rules = this.#makeRules()
    return this.#rules
  }

  conditions(topology: Topology, settings: RouterSettings, nowMs: number): Conditions {
    return this.states.conditions(topology, settings.overrides, nowMs, this.parts.random.next())
  }

  conditionsFor(operation: Operation): Conditions {
    return this.conditions(this.parts.topology(operation), this.parts.settings(), this.nowMs())
  }

  began(run: RunningEntry): void {
    this.running.add(run)
    this.#retryBudget.earn()
    this.#policy.earn()
  }

  ended(run: RunningEntry): void {
    this.running.delete(run)
    if (this.running.size > 0 || this.#idle.length === 0) return
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }

  /** An attempt has ended, so that its target may take another one. */
  freed(route: Route): void {
    this.#roomFreed[route] = true
  }

  /** After every step of an operation: what the step has changed for the others. */
  settle(): void {
    for (const { route, target, change } of this.states.takeChanges()) {
      this.publish({ type: change === 'tripped' ? 'breaker_tripped' : 'breaker_recovered', atMs: this.parts.clock.nowMs(), route, target })
    }
    const freed = this.#roomFreed
    if ((!freed.direct && !freed.mcp) || this.#waking) return
    this.#waking = true
    while (freed.direct || freed.mcp) {
      const route = freed.direct ? 'direct' : 'mcp'
      freed[route] = false
      this.#wakeWaiters(route)
    }
    this.#waking = false
  }

  /**
   * Class by class: first who would surely be in time there, then who would probably be. Who may not go there is no reason for
   * the others to wait.
   */
  #wakeWaiters(route: Route): void {
    const { entries } = this.room
    const nowMs = this.nowMs()
    let looks = looksPerPlace
    let begin = 0
    for (let first = entries[0]; first !== undefined; first = entries[begin]) {
      const { rank } = first
      let end = begin
      for (const surely of sureFirst) {
        end = begin
        for (let entry = entries[end]; entry?.rank === rank; entry = entries[end]) {
          if (looks === 0 || !this.states.hasRoom(route, nowMs)) return
          if (entry.mayUse(route)) {
            entry.feed({ type: 'room', surely })
            if (entries[end] !== entry) continue
            looks -= 1
          }
          end += 1
        }
      }
      begin = end
    }
  }

  publish(event: SystemEvent): void {
    this.parts.events.publish(event)
  }

  drain(): Promise<void> {
    if (this.running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #makeRules(): AttemptRules {
    const limits: AttemptLimits = this.parts.limits ?? defaultAttemptLimits
    return { policy: this.#policy, retryBudget: this.#retryBudget, limits }
  }
}
