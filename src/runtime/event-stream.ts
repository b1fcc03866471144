/**
 * The one in-process stream of typed events. What happens is published once; metrics, logs, alerts, audit and hindsight
 * read it, so that the path of an operation mentions none of them.
 *
 * Delivery is synchronous and in order of subscription. A reader must be quick and keep what it needs; one that throws is
 * reported to `onReaderError` and loses that event, never the operation.
 */
export type Unsubscribe = () => void

export interface EventStream<Event> {
  publish(event: Event): void
  subscribe(reader: (event: Event) => void): Unsubscribe
}

export function createEventStream<Event>(onReaderError: (error: unknown) => void): EventStream<Event> {
  let readers: readonly ((event: Event) => void)[] = []
  return {
    publish(event) {
      for (const reader of readers) {
        try {
          reader(event)
        } catch (error) {
          onReaderError(error)
        }
      }
    },
    subscribe(reader) {
      readers = [...readers, reader]
      return () => {
        readers = readers.filter((other) => other !== reader)
      }
    },
  }
}
