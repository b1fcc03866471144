/**
 * A bound on how long a caller waits for the store. The call itself is not undone: it may still take effect.
 */
import type { Clock } from '../../runtime/clock.ts'
import { StoreError } from '../store-error.ts'

/** @param what begins the sentence that the error says, such as `The message queue`. */
export function withinTime<Value>(clock: Clock, call: Promise<Value>, limitMs: number, what: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(clock.monotonicMs() + limitMs, () => reject(new StoreError('unavailable', `${what} did not answer within ${limitMs} ms.`)))
    call.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error: Error) => {
        cancel()
        reject(error)
      },
    )
  })
}
