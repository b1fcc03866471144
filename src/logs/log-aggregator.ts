/**
 * The Log Aggregator: reads the event stream and writes what `log-line.ts` makes of it to a sink. One log over all
 * components; each line names its own.
 */
import type { SystemEvent } from '../operation/system-event.ts'
import type { EventStream, Unsubscribe } from '../runtime/event-stream.ts'
import type { LogSink } from './adapters/json-lines.ts'
import { logLinesOf } from './log-line.ts'

export function startLogAggregator(events: EventStream<SystemEvent>, sink: LogSink): Unsubscribe {
  return events.subscribe((event) => {
    for (const line of logLinesOf(event)) sink.write(line)
  })
}
