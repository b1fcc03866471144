/**
 * `optimize`: thresholds by measured data. A proposal says on which figures it rests, and there is none where too little was
 * measured: a guess would be worse than the thresholds in force.
 *
 * - Decisions that were right less often than wanted: the fallback starts earlier, the more so the larger the gap.
 * - Right often enough, and cost counts: it starts a little later, since every fallback beside a primary costs tokens.
 * - An attempt that has shown nothing for longer than nearly all of its route take is helped: the measured P95 with room
 *   above it, within the tightest requirement of the route's operations.
 *
 * Pure: figures in, members of the configuration out. Source: runbook, "tune by measured data".
 */
import type { JsonObject } from '../operation/converse.ts'
import { routes, type Route } from '../operation/matrix.ts'
import type { OptimizationMode, Proposal } from './levers.ts'

export interface MeasuredRoute {
  readonly p95Ms: number | null
  readonly answers: number
  /** The tightest requirement of the operations that go there first and may fall back; null: none does. */
  readonly tightestMs: number | null
}

export interface TuningFacts {
  readonly windowMs: number
  /** 0 to 1; null while nothing could be judged. */
  readonly efficiency: number | null
  readonly judged: number
  readonly fallbackAggressiveness: number
  readonly routes: Readonly<Record<Route, MeasuredRoute>>
}

/** The runbook's target for the efficiency. */
const usualTarget = 0.8
/** Fewer judged decisions, and fewer answers of a route, say nothing. */
const fewestJudged = 20
const fewestAnswers = 100
/** How far one proposal may move the aggressiveness: the next one sees what it did. */
const largestStep = 0.3
const smallestStep = 0.05
/** Room above the measured P95. */
const roomAboveP95: Readonly<Record<OptimizationMode, number>> = { latency: 1.1, balanced: 1.3, cost: 1.6 }
const stepFactor: Readonly<Record<OptimizationMode, number>> = { latency: 2, balanced: 1, cost: 0.5 }
const roundTo = 100
/** A change of a threshold below this share is no improvement. */
const steadyShare = 0.05

export function proposeTuning(facts: TuningFacts, current: Readonly<Record<string, number | null>>, targetEfficiency: number | undefined, mode: OptimizationMode): Proposal {
  const target = targetEfficiency ?? usualTarget
  const members: Record<string, number> = {}
  const why: string[] = []
  const { efficiency, judged, fallbackAggressiveness } = facts
  if (efficiency === null || judged < fewestJudged) {
    why.push(`Only ${judged} decisions could be judged; ${fewestJudged} are needed to move the aggressiveness.`)
  } else if (efficiency < target) {
    const step = Math.min(largestStep, Math.max(smallestStep, (target - efficiency) * stepFactor[mode]))
    const next = rounded(Math.min(1, fallbackAggressiveness + step))
    if (next !== fallbackAggressiveness) members['fallbackAggressiveness'] = next
    why.push(`${percent(efficiency)} of ${judged} judged decisions were right, ${percent(target)} are wanted: fallbacks start earlier.`)
  } else if (mode === 'cost' && fallbackAggressiveness > smallestStep) {
    members['fallbackAggressiveness'] = rounded(fallbackAggressiveness - smallestStep)
    why.push(`${percent(efficiency)} of the decisions were right, which is enough: fallbacks start a little later.`)
  } else {
    why.push(`${percent(efficiency)} of ${judged} judged decisions were right: the aggressiveness stays.`)
  }
  for (const route of routes) {
    const { p95Ms, answers, tightestMs } = facts.routes[route]
    if (tightestMs === null) continue
    if (p95Ms === null || answers < fewestAnswers) {
      why.push(`Only ${answers} answers on ${route}; ${fewestAnswers} are needed for a threshold.`)
      continue
    }
    const member = route === 'direct' ? 'directBedrockLatencyThreshold' : 'mcpLatencyThreshold'
    const proposed = Math.min(tightestMs, Math.max(roundTo, Math.round((p95Ms * roomAboveP95[mode]) / roundTo) * roundTo))
    const before = current[member] ?? null
    if (before === null || Math.abs(proposed - before) > before * steadyShare) members[member] = proposed
    why.push(`P95 on ${route} is ${Math.round(p95Ms)} ms over ${answers} answers.`)
  }
  const basis: JsonObject = { windowMs: facts.windowMs, efficiency, judged, targetEfficiency: target, optimizationMode: mode, routes: { direct: { ...facts.routes.direct }, mcp: { ...facts.routes.mcp } }, why }
  return { members, basis }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

function percent(value: number): string {
  return `${Math.round(value * 1_000) / 10} %`
}
