/**
 * An incident as data: which places can answer, how quick they are, what breaks when, and how many operations come in. The
 * simulator plays it on a virtual clock; the drills play the same description on real processes.
 *
 * Times are at the scale of the runbook's matrix (an emergency has five seconds). `scaleScenario` shrinks them all by one
 * factor, rates grow by it, so that a drill with requirements of parts of a second is the same incident.
 *
 * Must not know: what answers operations, and how. Source: house design ("How an operation flows"), runbook, section
 * "Incidents".
 */
import type { OperationType, Route } from '../operation/matrix.ts'

/** Milliseconds; log-normal between them, as the AWS emulator has it. */
export interface Quantiles {
  readonly p50: number
  readonly p99: number
}

/** A Bedrock target or an MCP server. */
export interface Place {
  readonly id: string
  readonly route: Route
  readonly firstTokenMs: Quantiles
  readonly perTokenMs: Quantiles
  /** Answers at once; null: as many as come. */
  readonly slots: number | null
  /** What happens to more. */
  readonly above: 'throttle' | 'queue'
}

export const incidentFaultKinds = ['throttle', 'down', 'hang', 'slow', 'break', 'malformed', 'expired'] as const
export type IncidentFaultKind = (typeof incidentFaultKinds)[number]

/**
 * throttle   says "too much" at once            down       refuses connections, and cuts the open ones
 * hang       takes the request, never answers   slow       `factor` times slower
 * break      fails in the middle of its answer  malformed  answers with what the protocol does not know
 * expired    says that the credentials have expired
 */
export interface IncidentFault {
  readonly kind: IncidentFaultKind
  readonly places: readonly string[]
  /** Of the requests that come within the window, 0 to 1. */
  readonly share: number
  /** Of `slow`; 1 for the others. */
  readonly factor: number
  readonly fromMs: number
  readonly untilMs: number
}

export interface Scenario {
  readonly name: string
  /** One sentence for a person. */
  readonly title: string
  /** For how long operations come in. */
  readonly durationMs: number
  readonly ratePerSecond: number
  /** The share of each type, which sum to 1. */
  readonly mix: Readonly<Record<OperationType, number>>
  readonly streamShare: number
  readonly places: readonly Place[]
  readonly faults: readonly IncidentFault[]
  /** The requirements of the matrix are divided by it. */
  readonly scale: number
}

/** The same incident, `factor` times quicker. */
export function scaleScenario(scenario: Scenario, factor: number): Scenario {
  const quicker = ({ p50, p99 }: Quantiles): Quantiles => ({ p50: p50 / factor, p99: p99 / factor })
  return {
    ...scenario,
    durationMs: scenario.durationMs / factor,
    ratePerSecond: scenario.ratePerSecond * factor,
    places: scenario.places.map((place) => ({ ...place, firstTokenMs: quicker(place.firstTokenMs), perTokenMs: quicker(place.perTokenMs) })),
    faults: scenario.faults.map((fault) => ({ ...fault, fromMs: fault.fromMs / factor, untilMs: fault.untilMs / factor })),
    scale: scenario.scale * factor,
  }
}

/** The same incident, with more or fewer operations at the same rate: windows keep their place in the whole. */
export function stretchScenario(scenario: Scenario, factor: number): Scenario {
  return {
    ...scenario,
    durationMs: scenario.durationMs * factor,
    faults: scenario.faults.map((fault) => ({ ...fault, fromMs: fault.fromMs * factor, untilMs: fault.untilMs * factor })),
  }
}

export function placesOf(scenario: Scenario, route: Route): readonly Place[] {
  return scenario.places.filter((place) => place.route === route)
}
