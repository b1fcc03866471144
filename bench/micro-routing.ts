/**
 * What deciding costs: the routing decision alone, and the decision with all machine work of a sync operation that succeeds
 * (admitted, sent, succeeded) and of a stream (first content besides), with eight targets and one server; then the same with
 * all bookkeeping: estimates, breakers, limits, budgets and the verdict of hindsight.
 *
 * Run: `node bench/micro-routing.ts [OPERATIONS]`. Prints one JSON line per measure, in µs per operation; a batch is timed
 * because one operation is shorter than the clock's resolution, so the quantiles are those of batches.
 */
import { defaultBreakerSettings } from '../src/breaker/breaker.ts'
import { runbookMatrix, type OperationType } from '../src/operation/matrix.ts'
import type { Operation, OperationMode } from '../src/operation/operation.ts'
import { operationOf } from '../src/operation/testing/operation.ts'
import { createMachine, step } from '../src/routing/attempt-machine.ts'
import type { MachineAction, MachineState } from '../src/routing/machine-protocol.ts'
import { ChancePolicy, defaultChanceSettings } from '../src/routing/chance-policy.ts'
import { defaultConcurrencyLimitSettings } from '../src/routing/concurrency-limit.ts'
import { noOverrides } from '../src/routing/conditions.ts'
import { decideRoute, planRoute } from '../src/routing/decide-route.ts'
import { DecisionLedger, type EndedDecision } from '../src/routing/decision-ledger.ts'
import { estimateSettings } from '../src/routing/latency-estimates.ts'
import { TargetStates } from '../src/routing/target-states.ts'
import { conditionsOf, routeOf, rulesOf } from '../src/routing/testing/routing-fixtures.ts'

const operations = Number(process.argv[2] ?? 400_000)
const batch = 100
const conditions = conditionsOf({ direct: routeOf(Array.from({ length: 8 }, (_, index) => `target-${index}`)) })
const rules = rulesOf()
const sync = operationOf('infrastructure')
const stream = operationOf('infrastructure', { mode: 'stream' })
const actions: MachineAction[] = []

function carry(operation: Operation): MachineState {
  let state = createMachine(operation, planRoute(operation, runbookMatrix, conditions, 0), rules)
  state = step(state, { type: 'admitted' }, { nowMs: 0, random: 0.5, conditions }, actions)
  state = step(state, { type: 'attempt_sent', number: 1 }, { nowMs: 1, random: 0.5, conditions }, actions)
  if (operation.mode === 'stream') state = step(state, { type: 'first_content', number: 1 }, { nowMs: 200, random: 0.5, conditions }, actions)
  state = step(state, { type: 'attempt_succeeded', number: 1 }, { nowMs: 800, random: 0.5, conditions }, actions)
  actions.length = 0
  return state
}

function measure(name: string, work: () => unknown): void {
  let kept: unknown
  for (let index = 0; index < operations / 10; index += 1) kept = work()
  const perOperationUs: number[] = []
  for (let done = 0; done < operations; done += batch) {
    const startMs = performance.now()
    for (let index = 0; index < batch; index += 1) kept = work()
    perOperationUs.push(((performance.now() - startMs) * 1_000) / batch)
  }
  perOperationUs.sort((a, b) => a - b)
  const at = (share: number): number => Number((perOperationUs[Math.floor(share * perOperationUs.length)] ?? 0).toFixed(3))
  console.log(JSON.stringify({ name, p50Us: at(0.5), p99Us: at(0.99), operations, done: kept !== undefined }))
}

// The same with all bookkeeping: the view of the targets made and told, chances looked up, the decision judged.
const states = new TargetStates({ breaker: defaultBreakerSettings, limiter: defaultConcurrencyLimitSettings, estimates: estimateSettings(runbookMatrix) })
const policy = new ChancePolicy(defaultChanceSettings, states.forecast)
const planning = { ...rules, policy }
const ledger = new DecisionLedger(1_000)
const topology = {
  direct: { carriesMoreThanText: true, repeatable: true, targets: conditions.direct.candidates.map(({ id }) => id) },
  mcp: { carriesMoreThanText: true, repeatable: true, targets: ['ops'] },
}
let clockMs = 0
let salt = 1

function carryWithBookkeeping(type: OperationType, mode: OperationMode): MachineState {
  clockMs += 1
  salt = (salt * 48_271) % 2_147_483_647
  const tookMs = 300 + (salt % 500)
  const operation = operationOf(type, { mode, arrivedAtMs: clockMs })
  const subject = { route: 'direct', target: 'target-0', type, basis: mode === 'stream' ? 'first_content' : 'completion' } as const
  const view = states.conditions(topology, noOverrides, clockMs, 0.5)
  const plan = planRoute(operation, runbookMatrix, view, clockMs)
  let state = createMachine(operation, plan, planning)
  policy.earn()
  state = step(state, { type: 'admitted' }, { nowMs: clockMs, random: 0.5, conditions: view }, actions)
  states.onStarted('direct', 'target-0', clockMs)
  state = step(state, { type: 'attempt_sent', number: 1 }, { nowMs: clockMs, random: 0.5, conditions: view }, actions)
  if (mode === 'stream') {
    states.onFirstContent(subject, tookMs / 2, clockMs)
    state = step(state, { type: 'first_content', number: 1 }, { nowMs: clockMs + tookMs / 2, random: 0.5, conditions: view }, actions)
  }
  states.onAnswered(subject, { tookMs, firstContentMs: mode === 'stream' ? tookMs / 2 : null, outputTokens: 80 }, clockMs)
  state = step(state, { type: 'attempt_succeeded', number: 1 }, { nowMs: clockMs + tookMs, random: 0.5, conditions: view }, actions)
  ledger.onAttempt({ startedAtMs: clockMs, route: 'direct', basis: subject.basis, size: 80, outcome: 'answered', tookMs })
  const judged = { decidedAtMs: clockMs, basis: subject.basis, requirementLeftMs: 10_000, met: true, tookMs, size: 80, alternatives: mcpAlternative, noRoom: false }
  ledger.onEnded({ ...endedOf(operation), decision: plan.decision }, judged, clockMs)
  actions.length = 0
  return state
}

const mcpAlternative = ['mcp'] as const

function endedOf(operation: Operation): Omit<EndedDecision, 'decision'> {
  const { id, type, priority } = operation
  return { operationId: id, operation: type, priority, tenant: null, decidedAt: '', decidedAtMs: 0, status: 'succeeded', route: 'direct', target: 'target-0', basis: 'completion', latencyMs: 400, latencyRequirementMs: 10_000, slaMet: true, attempts: [] }
}

measure('decision', () => decideRoute(sync, runbookMatrix, conditions, 0))
measure('decision and machine, sync', () => carry(sync))
measure('decision and machine, stream', () => carry(stream))
measure('decision with all bookkeeping, sync', () => carryWithBookkeeping('infrastructure', 'sync'))
measure('decision with all bookkeeping, stream', () => carryWithBookkeeping('infrastructure', 'stream'))
