/**
 * What deciding costs: the routing decision alone, and the decision with all machine work of a sync operation that succeeds
 * (admitted, sent, succeeded) and of a stream (first content besides), with eight targets and one server.
 *
 * Run: `node bench/micro-routing.ts [OPERATIONS]`. Prints one JSON line per measure, in µs per operation; a batch is timed
 * because one operation is shorter than the clock's resolution, so the quantiles are those of batches.
 */
import { runbookMatrix } from '../src/operation/matrix.ts'
import type { Operation } from '../src/operation/operation.ts'
import { createMachine, step, type MachineAction, type MachineState } from '../src/routing/attempt-machine.ts'
import { decideRoute, planRoute } from '../src/routing/decide-route.ts'
import { conditionsOf, operationOf, routeOf, rulesOf } from '../src/routing/testing/routing-fixtures.ts'

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

measure('decision', () => decideRoute(sync, runbookMatrix, conditions, 0))
measure('decision and machine, sync', () => carry(sync))
measure('decision and machine, stream', () => carry(stream))
