/**
 * The faults that can be asked for, as one table: validation, defaults and the reference page (docs/emulator.md) come from
 * it. All mistakes of a configuration are told at once, each with its path, the value, and what is allowed.
 */
import { exceptionNames, streamableExceptions, type ExceptionName } from './exceptions.ts'
import { asArray, asObject, type JsonObject } from './json.ts'
import type { LatencyQuantiles } from './latency.ts'
import type { Operation } from './route.ts'

export interface FaultTarget {
  /** The region of the request's credential scope; `*` stands for any characters, as in the next. */
  readonly region?: string
  readonly modelId?: string
  readonly operation?: Operation
  /** The port that the request came in on. */
  readonly port?: number
}

interface Rule<Kind extends string> {
  readonly kind: Kind
  readonly target: FaultTarget
  /** The share of the requests it meets, 0 to 1. */
  readonly share: number
  /** The window, from the moment when the rule was set. */
  readonly fromMs: number
  readonly untilMs: number | undefined
}

export const malformedForms = ['not_json', 'html', 'truncated_json', 'bad_checksum', 'truncated_frame', 'huge_frame'] as const
export type MalformedForm = (typeof malformedForms)[number]

export interface LatencyRule extends Rule<'latency'> {
  readonly firstTokenMs: LatencyQuantiles
  readonly perTokenMs: LatencyQuantiles
}
export interface SlowRule extends Rule<'slow'> {
  readonly factor: number
}
export interface ThrottleRule extends Rule<'throttle'> {
  /** 0 sends no `Retry-After`. */
  readonly retryAfterMs: number
}
export interface ErrorRule extends Rule<'error'> {
  readonly exception: ExceptionName
  readonly afterMs: number
}
export interface ResetRule extends Rule<'reset'> {
  readonly afterMs: number
}
export interface StallRule extends Rule<'stall'> {
  readonly afterEvents: number
  /** 0 is for ever. */
  readonly durationMs: number
}
export interface MidstreamRule extends Rule<'midstream'> {
  readonly exception: ExceptionName
  readonly afterEvents: number
}
export interface CutRule extends Rule<'cut'> {
  readonly afterEvents: number
  readonly how: 'reset' | 'end'
}
export interface MalformedRule extends Rule<'malformed'> {
  readonly form: MalformedForm
  readonly status: number
}
export interface ConcurrencyRule extends Rule<'concurrency'> {
  readonly limit: number
  readonly above: 'throttle' | 'queue'
}
export type RefusedRule = Rule<'refused'>
export type HangRule = Rule<'hang'>
export type ExpiredRule = Rule<'expired'>

export type FaultRule =
  | LatencyRule
  | SlowRule
  | ThrottleRule
  | ErrorRule
  | RefusedRule
  | ResetRule
  | HangRule
  | StallRule
  | MidstreamRule
  | CutRule
  | MalformedRule
  | ExpiredRule
  | ConcurrencyRule
export type FaultKind = FaultRule['kind']

type Field =
  | { readonly type: 'number'; readonly min: number; readonly max: number; readonly whole: boolean; readonly default?: number; readonly text: string }
  | { readonly type: 'choice'; readonly of: readonly string[]; readonly default: string; readonly text: string }
  | { readonly type: 'quantiles'; readonly default: LatencyQuantiles; readonly text: string }

/** A day: a drill that lasts longer sets its rules again. */
const longestMs = 86_400_000

const ms = (text: string, fallback?: number): Field => ({ type: 'number', min: 0, max: longestMs, whole: false, ...(fallback === undefined ? {} : { default: fallback }), text })
const afterEvents: Field = { type: 'number', min: 0, max: 100_000, whole: true, default: 3, text: 'events of the stream that are sent before' }

export const faultFields: Readonly<Record<FaultKind, Readonly<Record<string, Field>>>> = {
  latency: {
    firstTokenMs: { type: 'quantiles', default: { p50: 0, p99: 0 }, text: 'time to the first token, log-normal between its quantiles, in ms' },
    perTokenMs: { type: 'quantiles', default: { p50: 0, p99: 0 }, text: 'time for every token after it, in ms' },
  },
  slow: { factor: { type: 'number', min: 1, max: 10_000, whole: false, default: 5, text: 'times as long as the latency that is set, or as 100 ms and 5 ms per token where none is; with a share it is a slow tail' } },
  throttle: { retryAfterMs: ms('sent as Retry-After in whole seconds, rounded up; 0 sends none', 0) },
  error: {
    exception: { type: 'choice', of: exceptionNames, default: 'InternalServerException', text: 'the error to answer with, under its own status' },
    afterMs: ms('how long the answer takes', 0),
  },
  refused: {},
  reset: { afterMs: ms('how long the connection stays open after the request arrived', 0) },
  hang: {},
  stall: { afterEvents, durationMs: ms('how long it is silent; 0 is for ever', 0) },
  midstream: { exception: { type: 'choice', of: streamableExceptions, default: 'ModelStreamErrorException', text: 'the exception that arrives as a frame' }, afterEvents },
  cut: { afterEvents, how: { type: 'choice', of: ['reset', 'end'], default: 'reset', text: 'the connection breaks, or the stream ends cleanly without messageStop' } },
  malformed: {
    form: { type: 'choice', of: malformedForms, default: 'not_json', text: 'what is wrong with the body' },
    status: { type: 'number', min: 200, max: 599, whole: true, default: 200, text: 'HTTP status of the bodies that are no frames' },
  },
  expired: {},
  concurrency: {
    limit: { type: 'number', min: 0, max: 100_000, whole: true, text: 'requests at once' },
    above: { type: 'choice', of: ['throttle', 'queue'], default: 'throttle', text: 'what happens to more' },
  },
}

const commonFields: Readonly<Record<string, Field>> = {
  share: { type: 'number', min: 0, max: 1, whole: false, default: 1, text: 'share of the requests that it meets' },
  fromMs: ms('when it begins, counted from the moment when it was set', 0),
  untilMs: ms('when it ends; without it, never'),
}

const operations = ['Converse', 'ConverseStream', 'InvokeModel', 'InvokeModelWithResponseStream', 'CountTokens', 'ListFoundationModels', 'GetFoundationModel'] as const satisfies readonly Operation[]

export interface Problem {
  readonly path: string
  readonly message: string
}

export type ParsedFaults = { readonly rules: readonly FaultRule[] } | { readonly problems: readonly Problem[] }

/** More rules than this are a mistake; each costs every request a comparison. */
const mostRules = 100

/** Accepts a list of rules, or an object with the list under `faults`, as a file has it. */
export function parseFaults(value: unknown): ParsedFaults {
  const problems: Problem[] = []
  const holder = asObject(value)
  for (const name of Object.keys(holder ?? {})) if (name !== 'faults') problems.push({ path: name, message: 'is unknown (allowed: faults)' })
  const list = holder === undefined ? asArray(value) : asArray(holder['faults'] ?? [])
  if (list === undefined) return { problems: [...problems, { path: 'faults', message: `${show(holder?.['faults'] ?? value)} is not a list of rules` }] }
  if (list.length > mostRules) problems.push({ path: 'faults', message: `${list.length} rules are more than ${mostRules}` })
  const rules = list.slice(0, mostRules).flatMap((entry, index) => parseRule(entry, `faults[${index}]`, problems))
  return problems.length > 0 ? { problems } : { rules }
}

/** For those who set rules in code or from a file: one message with every mistake. */
export class FaultConfigurationError extends Error {
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map(({ path, message }) => `${path}: ${message}`).join('; '))
    this.name = 'FaultConfigurationError'
    this.problems = problems
  }
}

export function faultRules(value: unknown): readonly FaultRule[] {
  const parsed = parseFaults(value)
  if ('problems' in parsed) throw new FaultConfigurationError(parsed.problems)
  return parsed.rules
}

function parseRule(entry: unknown, path: string, problems: Problem[]): readonly FaultRule[] {
  const given = asObject(entry)
  const kind = given?.['kind']
  if (given === undefined || !isFaultKind(kind)) {
    problems.push({ path: `${path}.kind`, message: `${show(kind)} is not one of ${Object.keys(faultFields).join(', ')}` })
    return []
  }
  const fields = { ...commonFields, ...faultFields[kind] }
  const rule: Record<string, unknown> = { kind, target: parseTarget(given['target'], kind, `${path}.target`, problems), untilMs: undefined }
  for (const name of Object.keys(given)) {
    if (name !== 'kind' && name !== 'target' && !Object.hasOwn(fields, name)) {
      problems.push({ path: `${path}.${name}`, message: `is unknown for ${kind} (allowed: target, ${Object.keys(fields).join(', ')})` })
    }
  }
  for (const [name, field] of Object.entries(fields)) rule[name] = parseField(given[name], field, `${path}.${name}`, problems, name === 'untilMs')
  const { fromMs, untilMs } = rule
  if (typeof fromMs === 'number' && typeof untilMs === 'number' && untilMs <= fromMs) problems.push({ path: `${path}.untilMs`, message: `${untilMs} is not above fromMs, ${fromMs}` })
  return [rule as unknown as FaultRule]
}

function isFaultKind(kind: unknown): kind is FaultKind {
  return typeof kind === 'string' && Object.hasOwn(faultFields, kind)
}

function parseTarget(value: unknown, kind: FaultKind, path: string, problems: Problem[]): FaultTarget {
  if (value === undefined) return {}
  const target = asObject(value)
  if (target === undefined) {
    problems.push({ path, message: `${show(value)} is not an object with region, modelId, operation or port` })
    return {}
  }
  for (const [name, member] of Object.entries(target)) {
    const valid =
      name === 'port'
        ? Number.isInteger(member) && Number(member) > 0 && Number(member) < 65_536
        : name === 'operation'
          ? operations.some((operation) => operation === member)
          : (name === 'region' || name === 'modelId') && typeof member === 'string' && member !== ''
    if (!valid) problems.push({ path: `${path}.${name}`, message: `${show(member)} is not allowed (region and modelId: a text with * for any; operation: ${operations.join(', ')}; port: 1 to 65535)` })
    if (kind === 'refused' && name !== 'port') problems.push({ path: `${path}.${name}`, message: 'a connection is refused before its request is read: only port is allowed' })
  }
  return target
}

function parseField(value: unknown, field: Field, path: string, problems: Problem[], optional: boolean): unknown {
  if (value === undefined) {
    if (field.default === undefined && !optional) problems.push({ path, message: 'is required' })
    return field.default
  }
  switch (field.type) {
    case 'number':
      if (!isNumberIn(value, field.min, field.max) || (field.whole && !Number.isInteger(value))) {
        problems.push({ path, message: `${show(value)} is not ${field.whole ? 'a whole number' : 'a number'} in [${field.min}, ${field.max}]` })
      }
      return value
    case 'choice':
      if (!field.of.some((choice) => choice === value)) problems.push({ path, message: `${show(value)} is not one of ${field.of.join(', ')}` })
      return value
    case 'quantiles':
      return parseQuantiles(asObject(value), value, path, problems)
  }
}

function parseQuantiles(quantiles: JsonObject | undefined, value: unknown, path: string, problems: Problem[]): LatencyQuantiles {
  const p50 = quantiles?.['p50']
  const p99 = quantiles?.['p99'] ?? p50
  if (!isNumberIn(p50, 0, longestMs) || !isNumberIn(p99, 0, longestMs) || p99 < p50) {
    problems.push({ path, message: `${show(value)} is not { p50, p99 } with 0 <= p50 <= p99 <= ${longestMs}` })
    return { p50: 0, p99: 0 }
  }
  return { p50, p99 }
}

function isNumberIn(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}

/** Short enough for one line, whatever was given. */
function show(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80)
}
