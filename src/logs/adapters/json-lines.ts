/**
 * The log as JSON lines on a file descriptor: level, time, event, component, message, correlation id, then the line's own
 * fields. Lines are gathered for a moment, so that a burst of operations costs few writes; what is urgent goes out at once,
 * and all of it before the process ends.
 *
 * pino's destination, sonic-boom, does the writing. It could gather too, but measures what it has gathered anew with every line,
 * which flattens all of it: 28 kB of garbage for a line of 400 bytes. So lines are gathered here and handed over as one buffer.
 * pino itself is not used: a line is one flat object that we make ourselves, and one `JSON.stringify` of it costs a third of
 * what pino's serialiser does with its hooks.
 */
import { writeSync } from 'node:fs'
import sonicBoom from 'sonic-boom'
import { logLevels, type LogLevel } from '../../config/schema.ts'
import { createIsoTime } from '../../runtime/iso-time.ts'
import type { LogLine } from '../log-line.ts'

export interface LogSink {
  write(line: LogLine): void
  setLevel(level: LogLevel): void
  /** Resolves when everything that was written is out, or nobody takes it. */
  flush(): Promise<void>
  /** For a process that ends in this turn: what has waited goes out at once, perhaps before what was being written. */
  flushNow(): void
  /** Lines that were given up because nobody took them; a sink without it drops none. */
  dropped?(): number
}

/** Characters that are gathered before a write, so that a busy service writes some dozen times a second; an idle log is written out after `gatherMs`. */
const gatherCharacters = 32_768
const gatherMs = 250
const longestWriteBytes = 131_072
/** What waits for a reader of the log that does not read; beyond it lines are dropped, because answers matter more than their record. */
const mostWaitingBytes = 16_777_216

/** ms for which an end waits for a reader that does not read. */
const lastWaitMs = 2_000

export function createJsonLines(fileDescriptor: number, level: LogLevel): LogSink {
  let givenUp = false
  const out = new sonicBoom.SonicBoom({ fd: fileDescriptor, sync: false, contentMode: 'buffer', maxWrite: longestWriteBytes, maxLength: mostWaitingBytes, retryEAGAIN: () => !givenUp })
  // A reader that went away (`hybrid-routing serve | head`) is no reason to stop answering operations.
  out.on('error', () => undefined)
  let droppedLines = 0
  let unwrittenBytes = 0
  out.on('write', (bytes: number) => {
    unwrittenBytes -= bytes
  })
  out.on('drop', (data: unknown) => {
    if (!Buffer.isBuffer(data)) return
    unwrittenBytes -= data.length
    droppedLines += linesIn(data)
  })
  let gathered = ''
  const handOver = (): void => {
    if (gathered === '') return
    const bytes = Buffer.from(gathered)
    gathered = ''
    unwrittenBytes += bytes.length
    // Its types know text alone; what it takes is what `contentMode` says.
    out.write(bytes as unknown as string)
  }
  setInterval(handOver, gatherMs).unref()
  const isoTime = createIsoTime()
  let threshold = logLevels.indexOf(level)
  return {
    write({ urgency, message, event, component, correlationId, operationId, fields }) {
      if (logLevels.indexOf(urgency) > threshold) return
      gathered += `${JSON.stringify({ level: urgency, time: isoTime(Date.now()), event, component, message, correlationId, operationId, ...fields })}\n`
      if (urgency === 'error' || gathered.length >= gatherCharacters) handOver()
    },
    dropped: () => droppedLines,
    setLevel(next) {
      threshold = logLevels.indexOf(next)
    },
    flush() {
      handOver()
      if (unwrittenBytes <= 0) return Promise.resolve()
      return new Promise((resolve) => {
        const over = (): void => {
          clearTimeout(timer)
          out.off('drain', over).off('error', over)
          resolve()
        }
        const timer = setTimeout(() => {
          givenUp = true
          over()
        }, lastWaitMs)
        out.once('drain', over)
        out.once('error', over)
      })
    },
    flushNow() {
      givenUp = true
      try {
        out.flushSync()
        if (gathered !== '') writeSync(fileDescriptor, gathered)
      } catch {
        // Nobody reads: what could be brought out is out.
      }
      gathered = ''
    },
  }
}

function linesIn(data: Buffer): number {
  let lines = 0
  for (let at = data.indexOf(lineEnd); at >= 0; at = data.indexOf(lineEnd, at + 1)) lines += 1
  return lines
}

const lineEnd = 0x0a
