/**
 * The log as JSON lines on a file descriptor: level, time, event, component, message, correlation id, then the line's own
 * fields. Lines are gathered for a moment, so that a burst of operations costs few writes; what is urgent goes out at once,
 * and all of it before the process ends.
 *
 * pino's destination, sonic-boom, does the gathering and writing. pino itself is not used: a line is one flat object that we
 * make ourselves, and one `JSON.stringify` of it costs a third of what pino's serialiser does with its hooks.
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

/** Bytes that are gathered before a write, so that a busy service writes some dozen times a second; an idle log is written out after `gatherMs`. */
const gatherBytes = 65_536
const gatherMs = 250
const longestWriteBytes = 131_072
/** What waits for a reader of the log that does not read; beyond it lines are dropped, because answers matter more than their record. */
const mostWaitingBytes = 16_777_216

/** Tries, a tenth of a second apart, to bring the last lines to a reader that does not read; an end must not hang on it. */
const lastTries = 20

export function createJsonLines(fileDescriptor: number, level: LogLevel): LogSink {
  let ending = false
  let triesLeft = lastTries
  const out = new sonicBoom.SonicBoom({ fd: fileDescriptor, sync: false, minLength: gatherBytes, maxWrite: longestWriteBytes, maxLength: mostWaitingBytes, periodicFlush: gatherMs, retryEAGAIN: () => !ending || triesLeft-- > 0 })
  // A reader that went away (`hybrid-routing serve | head`) is no reason to stop answering operations.
  out.on('error', () => undefined)
  let droppedLines = 0
  out.on('drop', () => {
    droppedLines += 1
  })
  const isoTime = createIsoTime()
  let threshold = logLevels.indexOf(level)
  return {
    write({ urgency, message, event, component, correlationId, operationId, fields }) {
      if (logLevels.indexOf(urgency) > threshold) return
      out.write(`${JSON.stringify({ level: urgency, time: isoTime(Date.now()), event, component, message, correlationId, operationId, ...fields })}\n`)
      if (urgency === 'error') out.flush()
    },
    dropped: () => droppedLines,
    setLevel(next) {
      threshold = logLevels.indexOf(next)
    },
    flush() {
      ending = true
      triesLeft = lastTries
      try {
        out.flushSync()
      } catch {
        // Nothing was opened yet, or nobody reads: what could be brought out is out.
      }
      ending = false
    },
  }
}
