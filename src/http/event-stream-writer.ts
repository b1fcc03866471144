/**
 * Tells the events of an operation to one client as server-sent events (WHATWG HTML, section 9.2), on HTTP/1.1 and HTTP/2.
 *
 * It pulls: the log wakes it in the turn in which something was added, and what came in that turn goes out in one write. A
 * client that reads slowly is not written to until it has drained, so that nothing piles up here; what it misses stays in
 * the log. One that falls behind the log, or takes nothing for too long, is cut.
 *
 * With `holdBack` nothing reaches the client before first content: an operation that fails before is refused with its own
 * status, not with a 200 that turns out to be an error.
 */
import type { ServerResponse } from 'node:http'
import type { Follower } from '../intake/event-log.ts'
import type { OperationEvent } from '../intake/operation-event.ts'
import { dataOf } from '../intake/operation-event.ts'
import type { OperationResult } from '../operation/result.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import { httpLimits } from './limits.ts'

export interface EventStreamOptions {
  readonly response: ServerResponse
  readonly headers: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly holdBack: boolean
  readonly follow: (wake: () => void) => Follower
  /** Before the first byte: from here on the response is this writer's. */
  readonly onBegin: () => void
  /** With `holdBack`: it ended without content and without success; the answer is the caller's to give. */
  readonly onRefused: (result: OperationResult) => void
  /** The client went away before the end. */
  readonly onGone: () => void
  /** Once, however it ended. */
  readonly onOver: () => void
}

export function writeEventStream(options: EventStreamOptions): void {
  const { response, clock } = options
  let begun = false
  let over = false
  let scheduled = false
  let blockedSinceMs: number | undefined
  let lastWriteMs = clock.monotonicMs()
  let cancelTimer: CancelSchedule | undefined

  const wake = (): void => {
    if (over || scheduled) return
    if (blockedSinceMs !== undefined) {
      if (options.holdBack && follower.behind) response.destroy()
      return
    }
    scheduled = true
    queueMicrotask(flush)
  }

  const flush = (): void => {
    scheduled = false
    if (over) return
    if (!begun && !mayBegin()) return
    while (blockedSinceMs === undefined) {
      const events = follower.read(httpLimits.writeCharacters)
      if (events.length === 0 && !follower.done) return
      let text = ''
      for (const event of events) text += frame(event)
      lastWriteMs = clock.monotonicMs()
      if (follower.done) {
        finish()
        response.end(text)
        return
      }
      // Node says true while the client keeps up; the answer to false is 'drain'.
      if (!response.write(text)) blockedSinceMs = lastWriteMs
    }
  }

  /** Whether the stream has begun, or has to wait, or was refused. */
  const mayBegin = (): boolean => {
    if (options.holdBack && !follower.hasContent) {
      const { result } = follower
      if (result === undefined) return false
      if (result.status !== 'succeeded') {
        finish()
        options.onRefused(result)
        return false
      }
    }
    begin()
    return true
  }

  const begin = (): void => {
    begun = true
    options.onBegin()
    response.writeHead(200, { ...options.headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    response.on('drain', onDrain)
    if (!options.holdBack) response.flushHeaders()
  }

  const onDrain = (): void => {
    blockedSinceMs = undefined
    flush()
  }

  const tick = (): void => {
    const nowMs = clock.monotonicMs()
    if (blockedSinceMs !== undefined && nowMs - blockedSinceMs >= httpLimits.stalledReaderMs) {
      response.destroy()
      return
    }
    if (begun && blockedSinceMs === undefined && nowMs - lastWriteMs >= httpLimits.heartbeatMs) {
      lastWriteMs = nowMs
      if (!response.write(':\n\n')) blockedSinceMs = nowMs
    }
    arm()
  }

  const arm = (): void => {
    cancelTimer = clock.schedule(clock.monotonicMs() + httpLimits.heartbeatMs, tick)
  }

  const finish = (): void => {
    if (over) return
    over = true
    cancelTimer?.()
    follower.close()
    options.onOver()
  }

  const follower = options.follow(wake)
  // HTTP/2 reports a vanished client as a finished response, so that only what was done here counts.
  response.on('close', () => {
    if (over) return
    finish()
    options.onGone()
  })
  // A broken socket is told by 'close'; without a listener the error would end the process.
  response.on('error', () => undefined)
  arm()
  if (!options.holdBack) begin()
  flush()
}

export function frame(event: OperationEvent): string {
  if (event.type === 'text') return `${idLine(event.id)}event: delta\ndata: {"text":${JSON.stringify(event.text)}}\n\n`
  const name = event.type === 'fragment' ? 'delta' : event.type
  return `${idLine(event.id)}event: ${name}\ndata: ${JSON.stringify(dataOf(event))}\n\n`
}

function idLine(id: number | null): string {
  return id === null ? '' : `id: ${id}\n`
}
