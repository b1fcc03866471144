/**
 * What a follower of an operation is told, in the public contract's words (part 3, "Stream events"): `decision`, `attempt`,
 * `delta`, and at the end `result` or `error`. It also says how an operation that has ended is told again from its result
 * alone, when the events themselves are gone.
 *
 * A text delta is kept as text, not as JSON, because there are thousands of them and several may be told as one.
 */
import type { ConverseStreamEvent, JsonObject, JsonValue } from '../operation/converse.ts'
import type { RoutingDecision } from '../operation/decision.ts'
import { problemCatalogue, problemType, type Problem, type ProblemCode } from '../operation/problem.ts'
import type { OperationResult } from '../operation/result.ts'
import type { AttemptNotice } from '../operation/runner.ts'
import type { OperationRecord, ToldEvent } from './operation-record.ts'

export type OperationEvent =
  | { readonly type: 'decision'; readonly id: number; readonly decision: RoutingDecision }
  /** Without an id it was made for one follower only and cannot be resumed from. */
  | { readonly type: 'attempt'; readonly id: number | null; readonly notice: AttemptNotice }
  | { readonly type: 'text'; readonly id: number | null; readonly text: string }
  /** A tool-use or reasoning fragment. */
  | { readonly type: 'fragment'; readonly id: number | null; readonly fragment: JsonObject }
  | { readonly type: 'result'; readonly id: number; readonly result: OperationResult }
  | { readonly type: 'error'; readonly id: number; readonly problem: Problem }

/** A piece of the answer, before it has its number. */
export type Piece = { readonly text: string } | { readonly fragment: JsonObject }

/** What of an upstream event reaches a follower: text as it is, other content with the block that it belongs to. */
export function pieceOf(event: ConverseStreamEvent): Piece | undefined {
  switch (event.type) {
    case 'contentBlockDelta': {
      const { contentBlockIndex, delta } = event.payload
      return delta.text === undefined ? { fragment: { contentBlockIndex, ...(delta as JsonObject) } } : { text: delta.text }
    }
    case 'contentBlockStart':
      return event.payload.start === undefined ? undefined : { fragment: { contentBlockIndex: event.payload.contentBlockIndex, ...event.payload.start } }
    default:
      return undefined
  }
}

/** A whole answer as pieces: each run of text as one, other blocks as fragments. */
export function piecesOf(result: OperationResult): readonly Piece[] {
  if (result.output === null) return []
  const pieces: Piece[] = []
  for (const [contentBlockIndex, block] of result.output.message.content.entries()) {
    if (block.text === undefined) pieces.push({ fragment: { contentBlockIndex, ...(block as JsonObject) } })
    else if (block.text !== '') pieces.push({ text: block.text })
  }
  return pieces
}

/** How many pieces `piecesOf` gives. */
export function pieceCount(result: OperationResult): number {
  let count = 0
  for (const block of result.output?.message.content ?? []) if (block.text !== '') count += 1
  return count
}

/** Why an operation that did not succeed has no answer. */
export function problemOf(result: OperationResult): Problem {
  if (result.error !== undefined) {
    return { ...result.error, operationId: result.error.operationId ?? result.id, correlationId: result.error.correlationId ?? result.correlationId }
  }
  switch (result.status) {
    case 'cancelled':
      return problemWithout(result, 'conflict', 'The operation was cancelled.')
    case 'expired':
      return problemWithout(result, 'deadline_exceeded', 'The operation expired before it was answered.')
    default:
      return problemWithout(result, 'internal_error', 'The operation ended without an answer.')
  }
}

/** What was told before the answer, each with its number, after the one that the follower has seen. */
export function toldAfter(told: readonly ToldEvent[], afterId: number): readonly OperationEvent[] {
  return told.slice(afterId).map((event, index) => ({ ...event, id: afterId + index + 1 }))
}

/** Tells an ended operation whose events are all known, number by number; undefined where they are not. */
export function replayExactly(record: OperationRecord, afterId: number): readonly OperationEvent[] | undefined {
  const { told, result, endId } = record
  if (told === undefined) return undefined
  const pieces = piecesOf(result)
  if (endId !== told.length + pieces.length + 1) return undefined
  const numbered = pieces.map((piece, index): OperationEvent => {
    const id = told.length + index + 1
    return 'text' in piece ? { type: 'text', id, text: piece.text } : { type: 'fragment', id, fragment: piece.fragment }
  })
  return [...toldAfter(told, 0), ...numbered, endOf(result, endId)].slice(afterId)
}

/**
 * Tells an ended operation from its result. The last number is that of the end as followers saw it when it was live, so
 * that one who has seen it is told nothing again; `afterId` is the last that this follower has seen.
 */
export function replay(result: OperationResult, endId: number, afterId: number): readonly OperationEvent[] {
  if (afterId >= endId && afterId > 0) return []
  const events: OperationEvent[] = []
  // What came between is not kept: whoever has seen a part of it is told to begin anew.
  if (afterId > 0) events.push({ type: 'attempt', id: null, notice: restartNotice(result) })
  else if (result.decision !== null) events.push({ type: 'decision', id: 1, decision: result.decision })
  for (const piece of piecesOf(result)) {
    events.push('text' in piece ? { type: 'text', id: null, text: piece.text } : { type: 'fragment', id: null, fragment: piece.fragment })
  }
  events.push(endOf(result, Math.max(endId, 2)))
  return events
}

export function endOf(result: OperationResult, id: number): OperationEvent {
  return result.status === 'succeeded' ? { type: 'result', id, result } : { type: 'error', id, problem: problemOf(result) }
}

/** The attempt that the text which follows belongs to, told as a restart. */
export function restartNotice(result: OperationResult): AttemptNotice {
  const winner = result.attempts.find((attempt) => attempt.outcome === 'succeeded') ?? result.attempts.at(-1)
  return {
    number: winner?.number ?? 1,
    route: winner?.route ?? result.route ?? 'direct',
    target: winner?.target ?? result.target ?? '',
    reason: 'restart',
    restart: true,
  }
}

/** What travels as the `data` of an event. */
export function dataOf(event: OperationEvent): JsonValue | object {
  switch (event.type) {
    case 'decision':
      return event.decision
    case 'attempt':
      return event.notice
    case 'text':
      return { text: event.text }
    case 'fragment':
      return event.fragment
    case 'result':
      return event.result
    case 'error':
      return event.problem
  }
}

function problemWithout(result: OperationResult, code: ProblemCode, detail: string): Problem {
  const { title, status, retryable } = problemCatalogue[code]
  return { type: problemType(code), title, status, detail, code, retryable, correlationId: result.correlationId, operationId: result.id }
}
