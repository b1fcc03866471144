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
import sonicBoom from 'sonic-boom'
import { logLevels, type LogLevel } from '../../config/schema.ts'
import { createIsoTime } from '../../runtime/iso-time.ts'
import type { LogLine } from '../log-line.ts'

export interface LogSink {
  write(line: LogLine): void
  setLevel(level: LogLevel): void
  /** Everything that was written is out when it returns. */
  flush(): void
  /** Lines that were given up because nobody took them; a sink without it drops none. */
  dropped?(): number
}

/** Characters that are gathered before a write, so that a busy service writes some dozen times a second; an idle log is written out after `gatherMs`. */
const gatherCharacters = 32_768
const gatherMs = 250
const longestWriteBytes = 131_072
/** What waits for a reader of the log that does not read; beyond it lines are dropped, because answers matter more than their record. */
const mostWaitingBytes = 16_777_216

/** Tries, a tenth of a second apart, to bring the last lines to a reader that does not read; an end must not hang on it. */
const lastTries = 20

export function createJsonLines(fileDescriptor: number, level: LogLevel): LogSink {
  let ending = false
  let triesLeft = lastTries
  const out = new sonicBoom.SonicBoom({ fd: fileDescriptor, sync: false, contentMode: 'buffer', maxWrite: longestWriteBytes, maxLength: mostWaitingBytes, retryEAGAIN: () => !ending || triesLeft-- > 0 })
  // A reader that went away (`hybrid-routing serve | head`) is no reason to stop answering operations.
  out.on('error', () => undefined)
  let droppedLines = 0
  out.on('drop', (data: unknown) => {
    droppedLines += linesIn(data)
  })
  let gathered = ''
  const handOver = (): void => {
    if (gathered === '') return
    const bytes = Buffer.from(gathered)
    gathered = ''
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
      ending = true
      triesLeft = lastTries
      try {
        handOver()
        out.flushSync()
      } catch {
        // Nothing was opened yet, or nobody reads: what could be brought out is out.
      }
      ending = false
    },
  }
}

function linesIn(data: unknown): number {
  if (!Buffer.isBuffer(data)) return 0
  let lines = 0
  for (let at = data.indexOf(lineEnd); at >= 0; at = data.indexOf(lineEnd, at + 1)) lines += 1
  return lines
}

const lineEnd = 0x0a
