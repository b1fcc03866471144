/**
 * The operations of a run: generated from a scenario and a seed, with a Poisson process of arrivals, or read back from what a
 * service exported as JSON Lines (one result of `GET /v1/operations` per line).
 *
 * Output lengths stay below what the AWS emulator always has to say, so that a drill, which asks for them as `maxTokens`,
 * gets exactly these.
 */
import { operationTypes, type OperationType } from '../operation/matrix.ts'
import type { Random } from '../runtime/random.ts'
import type { Scenario } from './scenario.ts'

export interface WorkItem {
  /** From 0, in the order of arrival. */
  readonly index: number
  /** From the start of the run. */
  readonly atMs: number
  readonly type: OperationType
  readonly mode: 'sync' | 'stream'
  readonly outputTokens: number
}

const shortestAnswerTokens = 12
const longestAnswerTokens = 60

/** One after the other, because a million of them at once would be a heap of their own. */
export function* generateWork(scenario: Scenario, random: Random, limit: number = Number.POSITIVE_INFINITY): Iterable<WorkItem> {
  const { ratePerSecond, durationMs, mix, streamShare } = scenario
  let atMs = 0
  for (let index = 0; index < limit; index += 1) {
    atMs += (-Math.log(1 - random.next()) / ratePerSecond) * 1_000
    if (atMs >= durationMs) return
    const type = chosen(mix, random.next())
    const mode = random.next() < streamShare ? 'stream' : 'sync'
    const outputTokens = shortestAnswerTokens + Math.floor(random.next() * (longestAnswerTokens - shortestAnswerTokens + 1))
    yield { index, atMs, type, mode, outputTokens }
  }
}

function chosen(mix: Scenario['mix'], chance: number): OperationType {
  let left = chance
  for (const type of operationTypes) {
    left -= mix[type]
    if (left < 0) return type
  }
  return 'background_task'
}

export type ReadWork = { readonly work: readonly WorkItem[] } | { readonly fault: string }

/** @param scale by which the recorded times are divided, as those of the scenario are */
export function readWork(text: string, scale: number): ReadWork {
  const found: { readonly arrivedMs: number; readonly type: OperationType; readonly mode: WorkItem['mode']; readonly outputTokens: number }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const read = readLine(line)
    if (typeof read === 'string') return { fault: `line ${index + 1}: ${read}` }
    found.push(read)
  }
  found.sort((a, b) => a.arrivedMs - b.arrivedMs)
  const startMs = found[0]?.arrivedMs ?? 0
  return { work: found.map(({ arrivedMs, type, mode, outputTokens }, index) => ({ index, atMs: (arrivedMs - startMs) / scale, type, mode, outputTokens })) }
}

function readLine(line: string): { readonly arrivedMs: number; readonly type: OperationType; readonly mode: WorkItem['mode']; readonly outputTokens: number } | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    // Told with the number of its line by the caller.
    return 'is not JSON'
  }
  const type = operationTypes.find((each) => each === member(value, 'operation'))
  if (type === undefined) return `operation is not one of ${operationTypes.join(', ')}`
  const createdAt = member(value, 'createdAt')
  const arrivedMs = typeof createdAt === 'string' ? parseInstant(createdAt) : Number.NaN
  if (!Number.isFinite(arrivedMs)) return 'createdAt is not an RFC 3339 time in UTC'
  const tokens = member(member(value, 'usage'), 'outputTokens')
  const mode = member(member(value, 'latency'), 'basis') === 'first_content' ? 'stream' : 'sync'
  return { arrivedMs, type, mode, outputTokens: typeof tokens === 'number' && tokens >= 0 ? tokens : (shortestAnswerTokens + longestAnswerTokens) / 2 }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}

const instant = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d(?:\.\d+)?)Z$/

/** Milliseconds since 1970, by the day number of the proleptic Gregorian calendar (Fliegel and Van Flandern, 1968). */
function parseInstant(text: string): number {
  const parts = instant.exec(text)
  if (parts === null) return Number.NaN
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [number, number, number, number, number, number]
  const shift = Math.trunc((month - 14) / 12)
  const julian = Math.trunc((1461 * (year + 4800 + shift)) / 4) + Math.trunc((367 * (month - 2 - 12 * shift)) / 12) - Math.trunc((3 * Math.trunc((year + 4900 + shift) / 100)) / 4) + day - 32_075
  return (((julian - 2_440_588) * 24 + hour) * 60 + minute) * 60_000 + second * 1_000
}
