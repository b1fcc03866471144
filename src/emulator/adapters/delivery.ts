/**
 * Brings an answer to the client at the pace of the fault plan and with its faults of body and stream. Every wait is
 * cancelled when the client goes away, so that nothing is done for nobody.
 *
 * Without latency a stream goes out in a few turns of the event loop, not in one write and not event by event: a client
 * sees a first event before the last, and a benchmark waits for neither.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { AnswerStream, StreamEvent } from '../converse-response.ts'
import { exceptionBody, exceptionShapes, type Refusal } from '../exceptions.ts'
import type { FaultPlan } from '../fault-plan.ts'
import type { Exchange } from './exchange.ts'
import { hugePrelude, withBadChecksum, type FrameEncoder } from './frames.ts'

export type Headers = Readonly<Record<string, string | number>>

/** Events in the first write and in those after it, where nothing is to be waited for. */
const firstTurnEvents = 2
const eventsPerTurn = 16

/** Never a wait of nothing, which would not leave the loop while a clock stands still. */
const shortestWaitMs = 0.01

/** What follows a frame that announces gigabytes: enough to see whether the reader buffers it. */
const hugeFrameBytes = 1_048_576

export function refuse(exchange: Exchange, refusal: Refusal, headers: Headers): void {
  exchange.respond(
    exceptionShapes[refusal.exception].status,
    { ...headers, 'content-type': 'application/json', 'x-amzn-errortype': `${refusal.exception}:http://internal.amazon.com/coral/com.amazon.bedrock/` },
    exceptionBody(refusal),
  )
}

/** Calls back after a wait, unless the exchange is over by then; without a wait at once. */
export function after(clock: Clock, exchange: Exchange, waitMs: number, callback: () => void): void {
  if (exchange.over) return
  if (waitMs <= 0) {
    callback()
    return
  }
  const cancel = clock.schedule(clock.monotonicMs() + waitMs, callback)
  exchange.onOver(cancel)
}

export function deliverBody(clock: Clock, exchange: Exchange, headers: Headers, body: string, waitMs: number, plan: FaultPlan): void {
  after(clock, exchange, waitMs, () => {
    const bytes = Buffer.from(body)
    if (plan.malformed !== undefined) {
      malformedBody(exchange, headers, bytes, plan.malformed.form, plan.malformed.status)
      return
    }
    const { stream: fault } = plan
    const json = { ...headers, 'content-type': 'application/json' }
    const half = bytes.subarray(0, bytes.length >> 1)
    switch (fault?.kind) {
      case undefined:
        exchange.respond(200, json, body)
        return
      case 'midstream':
        // An answer that is no stream has no middle: the model fails as a whole.
        refuse(exchange, { exception: 'ModelErrorException' }, headers)
        return
      case 'cut':
        exchange.start(200, fault.how === 'end' ? json : { ...json, 'content-length': bytes.length })
        exchange.write(half)
        if (fault.how === 'end') exchange.end()
        else setImmediate(() => exchange.cut())
        return
      case 'stall':
        exchange.start(200, { ...json, 'content-length': bytes.length })
        exchange.write(half)
        if (fault.durationMs > 0) {
          after(clock, exchange, fault.durationMs, () => {
            exchange.write(bytes.subarray(half.length))
            exchange.end()
          })
        }
        return
    }
  })
}

export function deliverStream(clock: Clock, frames: FrameEncoder, exchange: Exchange, headers: Headers, stream: AnswerStream, plan: FaultPlan): void {
  const { pace, malformed } = plan
  const receivedMs = clock.monotonicMs()
  const streamHeaders = { ...headers, 'content-type': 'application/vnd.amazon.eventstream' }
  let fault = plan.stream
  const faultAt = fault === undefined ? -1 : Math.min(fault.afterEvents, stream.events.length - 1)
  let next = 0
  /** When the next event is due. */
  let dueMs = receivedMs + pace.firstTokenMs
  const unpaced = pace.firstTokenMs === 0 && pace.perTokenMs === 0

  const encode = (event: StreamEvent): Buffer => frames.event(event.type, event.payload)

  /** The events that go out now: those that are due, at most as many as a turn takes, and none from the fault on. */
  const takeDue = (): Buffer[] => {
    const nowMs = clock.monotonicMs()
    const turnEnd = next + (unpaced ? (next === 0 ? firstTurnEvents : eventsPerTurn) : stream.events.length)
    const due: Buffer[] = []
    for (const event of stream.events.slice(next, Math.min(turnEnd, fault === undefined ? stream.events.length : faultAt))) {
      if (!unpaced && dueMs > nowMs) break
      due.push(encode(event))
      next += 1
      dueMs += event.tokens * pace.perTokenMs
    }
    return due
  }

  const pump = (): void => {
    if (exchange.over) return
    const bytes = takeDue()
    const finished = next >= stream.events.length
    if (finished) bytes.push(encode(stream.last(clock.monotonicMs() - receivedMs)))
    const flowing = bytes.length === 0 || exchange.write(Buffer.concat(bytes))
    if (finished) exchange.end()
    else if (fault !== undefined && next >= faultAt) meet(fault)
    else if (!flowing) exchange.onDrain(pump)
    else if (unpaced) setImmediate(pump)
    else after(clock, exchange, Math.max(shortestWaitMs, dueMs - clock.monotonicMs()), pump)
  }

  const meet = (met: NonNullable<FaultPlan['stream']>): void => {
    switch (met.kind) {
      case 'midstream':
        exchange.write(frames.exception(exceptionShapes[met.exception].frame ?? 'internalServerException', exceptionBody({ exception: met.exception })))
        exchange.end()
        return
      case 'cut':
        // One turn later, so that the events before the cut have left.
        if (met.how === 'end') exchange.end()
        else setImmediate(() => exchange.cut())
        return
      case 'stall':
        fault = undefined
        if (met.durationMs > 0) {
          dueMs += met.durationMs
          after(clock, exchange, met.durationMs, pump)
        }
        return
    }
  }

  after(clock, exchange, pace.firstTokenMs, () => {
    if (malformed !== undefined) {
      const [first, second] = stream.events
      if (first !== undefined && second !== undefined) malformedStream(exchange, streamHeaders, headers, encode(first), encode(second), malformed)
      return
    }
    exchange.start(200, streamHeaders)
    pump()
  })
}

const notJson = 'this is no JSON, it only came with status 200'
const html = '<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>'

function malformedBody(exchange: Exchange, headers: Headers, body: Buffer, form: string, status: number): void {
  if (form === 'html') exchange.respond(status, { ...headers, 'content-type': 'text/html' }, html)
  else exchange.respond(status, { ...headers, 'content-type': 'application/json' }, form === 'not_json' ? notJson : body.subarray(0, body.length >> 1))
}

function malformedStream(exchange: Exchange, streamHeaders: Headers, headers: Headers, first: Buffer, second: Buffer, malformed: NonNullable<FaultPlan['malformed']>): void {
  const { form, status } = malformed
  switch (form) {
    case 'html':
    case 'not_json':
    case 'truncated_json':
      malformedBody(exchange, headers, first, form, status)
      return
    case 'bad_checksum':
      exchange.start(200, streamHeaders)
      exchange.write(Buffer.concat([first, withBadChecksum(second)]))
      break
    case 'truncated_frame':
      exchange.start(200, streamHeaders)
      exchange.write(Buffer.concat([first, second.subarray(0, second.length >> 1)]))
      break
    case 'huge_frame':
      exchange.start(200, streamHeaders)
      exchange.write(Buffer.concat([first, hugePrelude(), Buffer.alloc(hugeFrameBytes)]))
      break
  }
  exchange.end()
}
