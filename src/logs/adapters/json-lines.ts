/**
 * The log as JSON lines on a file descriptor, through pino: time, level, component, event, correlation id, then the line's
 * own fields. Lines are gathered for a moment, so that a burst of operations costs few writes; what is urgent goes out at
 * once, and all of it before the process ends.
 */
import { destination, pino } from 'pino'
import type { LogLevel } from '../../config/schema.ts'
import type { LogLine } from '../log-line.ts'

export interface LogSink {
  write(line: LogLine): void
  setLevel(level: LogLevel): void
  /** Everything that was written is out when it returns. */
  flush(): void
}

/** Bytes that are gathered before a write; an idle log is written out at the latest after `gatherMs`. */
const gatherBytes = 4_096
const gatherMs = 250

export function createJsonLines(fileDescriptor: number, level: LogLevel): LogSink {
  const out = destination({ fd: fileDescriptor, sync: false, minLength: gatherBytes, periodicFlush: gatherMs })
  // A reader that went away (`hybrid-routing serve | head`) is no reason to stop answering operations.
  out.on('error', () => undefined)
  const logger = pino({ level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, formatters: { level: (label) => ({ level: label }) }, messageKey: 'message' }, out)
  return {
    write({ urgency, message, event, component, correlationId, operationId, fields }) {
      logger[urgency]({ event, component, correlationId, operationId, ...fields }, message)
      if (urgency === 'error') out.flush()
    },
    setLevel(next) {
      logger.level = next
    },
    flush() {
      try {
        out.flushSync()
      } catch {
        // Nothing could be opened or written yet: then there is nothing to bring out either.
      }
    },
  }
}
