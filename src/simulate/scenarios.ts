/**
 * The incidents of the runbook as scenarios, each with what it is meant to show. Two Bedrock targets and one MCP server, as
 * `demo` has them; an answer takes about a second at the matrix's own scale.
 *
 * Windows are shares of the duration, so that every scenario has a calm beginning, in which there is something to learn, and
 * a calm end, in which whoever recovers late is seen. Rates are such that a drill of seconds has hundreds of operations.
 */
import type { OperationType } from '../operation/matrix.ts'
import type { IncidentFault, IncidentFaultKind, Place, Scenario } from './scenario.ts'

const first = 'frankfurt'
const second = 'ireland'
const server = 'operations'
const direct = [first, second]

/** As a mid-sized model answers: half of the first tokens within 400 ms, then 50 tokens a second. MCP adds a server's own work. */
const bedrock: Pick<Place, 'firstTokenMs' | 'perTokenMs'> = { firstTokenMs: { p50: 400, p99: 1_200 }, perTokenMs: { p50: 20, p99: 40 } }
const tools: Pick<Place, 'firstTokenMs' | 'perTokenMs'> = { firstTokenMs: { p50: 800, p99: 2_400 }, perTokenMs: { p50: 20, p99: 40 } }

const durationMs = 200_000
const ratePerSecond = 5

/** Half of it direct by the matrix, and enough emergencies to speak about them. */
const usualMix: Readonly<Record<OperationType, number>> = {
  emergency: 0.1,
  infrastructure: 0.15,
  meta_monitor: 0.1,
  implementation: 0.15,
  kiro_communication: 0.15,
  standard_analysis: 0.25,
  background_task: 0.1,
}

function places(directSlots: number | null, serverSlots: number | null, above: Place['above']): readonly Place[] {
  return [
    { id: first, route: 'direct', ...bedrock, slots: directSlots, above },
    { id: second, route: 'direct', ...bedrock, slots: directSlots, above },
    { id: server, route: 'mcp', ...tools, slots: serverSlots, above },
  ]
}

/** @param from share of the duration, as `until` */
function fault(kind: IncidentFaultKind, where: readonly string[], from: number, until: number, { share = 1, factor = 1 }: { readonly share?: number; readonly factor?: number } = {}): IncidentFault {
  return { kind, places: where, share, factor, fromMs: from * durationMs, untilMs: until * durationMs }
}

function scenario(name: string, title: string, faults: readonly IncidentFault[], changes: Partial<Scenario> = {}): Scenario {
  return { name, title, durationMs, ratePerSecond, mix: usualMix, streamShare: 0.3, places: places(null, null, 'queue'), faults, scale: 1, ...changes }
}

/** Down for 4 s, up for 8 s, eight times: longer than a breaker's patience, shorter than its memory. */
const flaps = Array.from({ length: 8 }, (_, turn) => fault('down', [first], 0.2 + turn * 0.06, 0.22 + turn * 0.06))

export const scenarios: readonly Scenario[] = [
  // 2.5 direct operations a second of 1.2 s each are 70 % of four slots and a bit; the server's are 1.7 s each.
  scenario('calm', 'Nothing is wrong, at 70 % of what the preferred places take.', [], { places: places(4, 6, 'queue'), ratePerSecond: 4.8 }),
  scenario('throttle-storm', 'The first region throttles nearly everything, the second a third.', [
    fault('throttle', [first], 0.2, 0.8, { share: 0.95 }),
    fault('throttle', [second], 0.2, 0.8, { share: 0.33 }),
  ]),
  scenario('region-down', 'The first region refuses connections.', [fault('down', [first], 0.2, 0.8)]),
  scenario('direct-down', 'No region answers; emergencies have no other route.', [fault('down', direct, 0.3, 0.6)]),
  scenario('hang', 'The first region takes requests and never answers.', [fault('hang', [first], 0.25, 0.75)]),
  scenario('slow', 'The first region is eight times slower.', [fault('slow', [first], 0.2, 0.8, { factor: 8 })]),
  scenario('slow-tail', 'One request in twenty is ten times slower, everywhere.', [fault('slow', [...direct, server], 0, 1, { share: 0.05, factor: 10 })]),
  scenario('mid-stream-break', 'Of the answers of the first region a third breaks off.', [fault('break', [first], 0.2, 0.8, { share: 0.33 })], { streamShare: 0.6 }),
  scenario('mcp-crash', 'The MCP server dies and is back after a while.', [fault('down', [server], 0.3, 0.5)]),
  scenario('mcp-hang', 'The MCP server takes calls and never answers.', [fault('hang', [server], 0.25, 0.75)]),
  scenario('mcp-slow', 'The MCP server is twelve times slower.', [fault('slow', [server], 0.25, 0.75, { factor: 12 })]),
  scenario('both-degraded', 'The first region is slow, the second throttles, the MCP server is slow and breaks off.', [
    fault('slow', [first], 0.2, 0.8, { factor: 3 }),
    fault('throttle', [second], 0.2, 0.8, { share: 0.5 }),
    fault('slow', [server], 0.2, 0.8, { factor: 3 }),
    fault('break', [server], 0.2, 0.8, { share: 0.2 }),
  ]),
  scenario('flapping', 'The first region goes and comes, eight times.', flaps),
  // Two slots for 1.2 s each and twice that make some 3.3 a second, and the server's 1.2.
  scenario('overload', 'Five times what all places together take.', [], { places: places(2, 2, 'throttle'), ratePerSecond: 22 }),
  scenario('malformed', 'Half of the answers of the first region are not what the protocol says.', [fault('malformed', [first], 0.2, 0.8, { share: 0.5 })]),
  scenario('expired-credentials', 'Amazon Bedrock says that our credentials have expired.', [fault('expired', direct, 0.3, 0.6)]),
]

export function scenarioNamed(name: string): Scenario | undefined {
  return scenarios.find((each) => each.name === name)
}
