/**
 * What could have been answered in time by somebody who knows everything beforehand: every latency and every fault. It sends
 * each operation once, to the place and at the instant at which it is answered soonest within the requirement, the highest
 * priority first and, among equals, in the order of arrival; at no instant does it use more slots of a place than there are.
 *
 * Its limits, which make it a yardstick and not a bound: of the first three attempts at a place it takes the first that is
 * answered, beginning at the arrival, at an instant at which a fault begins or ends, or (where slots are scarce) as soon as
 * one is free; and it does not prefer short work to long. Only routes that the matrix allows. Pure.
 */
import { operationLimits, priorityRank, type Matrix, type Route } from '../operation/matrix.ts'
import { servedBefore } from './figures.ts'
import type { Fate, Fates } from './fate.ts'
import { placesOf, type Place, type Scenario } from './scenario.ts'
import { Timetable } from './timetable.ts'
import type { WorkItem } from './workload.ts'

export interface OracleVerdict {
  readonly inTime: boolean
  /** From the arrival, by which the operation is judged; the hard timeout where it was not answered in time. */
  readonly latencyMs: number
  /** How long it took a slot while operations came in; 0 where it was not answered in time. */
  readonly servedMs: number
}

const turns = 3
/** ms at the scale of the matrix: about what an answer takes. */
const drawerMs = 1_000

interface Option {
  readonly place: Place
  readonly beginsAtMs: number
  /** What the operation is judged by, from the beginning of the attempt. */
  readonly judgedMs: number
  /** For how long a slot is taken. */
  readonly totalMs: number
}

/** @param work all of it, since what comes later may matter more */
export function foresee(scenario: Scenario, matrix: Matrix, fates: Fates, work: readonly WorkItem[]): readonly OracleVerdict[] {
  const edges = [...new Set(scenario.faults.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]))].toSorted((a, b) => a - b)
  const timetables = new Map(scenario.places.flatMap((place) => (place.slots === null ? [] : [[place.id, new Timetable(place.slots, drawerMs / scenario.scale)]])))
  const verdicts: OracleVerdict[] = []
  const planned = work.map((item) => ({ item, options: optionsOf(item, scenario, matrix, fates, edges) }))
  planned.sort((a, b) => rankOf(a.item, matrix) - rankOf(b.item, matrix) || a.item.index - b.item.index)
  for (const { item, options } of planned) {
    const { latencyRequirementMs, hardTimeoutMs } = operationLimits(matrix[item.type])
    let best: { readonly option: Option; readonly beginsAtMs: number } | null = null
    let bestEndMs = item.atMs + latencyRequirementMs
    for (const option of options) {
      const latestMs = bestEndMs - option.judgedMs
      const table = timetables.get(option.place.id)
      const beginsAtMs = table === undefined ? option.beginsAtMs : table.firstFree(option.beginsAtMs, latestMs, option.totalMs)
      if (beginsAtMs === null || beginsAtMs > latestMs) continue
      best = { option, beginsAtMs }
      bestEndMs = beginsAtMs + option.judgedMs
    }
    if (best === null) {
      verdicts[item.index] = { inTime: false, latencyMs: hardTimeoutMs, servedMs: 0 }
      continue
    }
    timetables.get(best.option.place.id)?.take(best.beginsAtMs, best.beginsAtMs + best.option.totalMs)
    verdicts[item.index] = { inTime: true, latencyMs: bestEndMs - item.atMs, servedMs: servedBefore(scenario.durationMs, best.beginsAtMs + best.option.totalMs, best.option.totalMs) }
  }
  return verdicts
}

/** Every attempt that would answer in time if a slot were free. */
function optionsOf(item: WorkItem, scenario: Scenario, matrix: Matrix, fates: Fates, edges: readonly number[]): readonly Option[] {
  const row = matrix[item.type]
  const { latencyRequirementMs } = operationLimits(row)
  const dueMs = item.atMs + latencyRequirementMs
  const instants = [item.atMs, ...edges.filter((edgeMs) => edgeMs > item.atMs && edgeMs < dueMs)]
  const routes: readonly Route[] = row.fallback === 'none' ? [row.route] : [row.route, row.fallback]
  const options: Option[] = []
  for (const route of routes) {
    for (const place of placesOf(scenario, route)) {
      for (const beginsAtMs of instants) {
        const fate = firstAnswer(fates, item, place, beginsAtMs)
        if (fate === null) continue
        const judgedMs = item.mode === 'stream' ? fate.firstContentMs : fate.totalMs
        if (beginsAtMs + judgedMs <= dueMs) options.push({ place, beginsAtMs, judgedMs, totalMs: fate.totalMs })
      }
    }
  }
  return options
}

/** Of the attempts there, the first that is answered: a quicker one behind it cannot be had without spending it. */
function firstAnswer(fates: Fates, item: WorkItem, place: Place, beginsAtMs: number): Extract<Fate, { readonly kind: 'answers' }> | null {
  for (let turn = 0; turn < turns; turn += 1) {
    const fate = fates.of(item, place, turn, beginsAtMs)
    if (fate.kind === 'answers') return fate
  }
  return null
}

function rankOf(item: WorkItem, matrix: Matrix): number {
  return item.type === 'emergency' ? -1 : priorityRank(matrix[item.type].priority)
}
