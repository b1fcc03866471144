/**
 * Whether direct operations are about whose callers wait: the queue then leaves them more of the event loop. Attempts that the
 * queue's own messages make on the direct path do not count; they would make the queue wait for itself.
 */
import type { Operation } from '../../operation/operation.ts'
import type { Path } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import { queueLimits } from '../limits.ts'

export interface DirectActivity {
  around(path: Path): Path
  isActive(): boolean
}

export function createDirectActivity(clock: Clock, isQueued: (operation: Operation) => boolean): DirectActivity {
  let running = 0
  let lastEndMs = Number.NEGATIVE_INFINITY
  return {
    around: (path) => ({
      route: path.route,
      start(request, listener) {
        if (isQueued(request.operation)) return path.start(request, listener)
        running += 1
        return path.start(request, {
          onSent: () => listener.onSent(),
          onEvent: (event) => listener.onEvent(event),
          onEnd(end) {
            running -= 1
            lastEndMs = clock.monotonicMs()
            listener.onEnd(end)
          },
        })
      },
    }),
    isActive: () => running > 0 || clock.monotonicMs() - lastEndMs < queueLimits.pace.directActiveMs,
  }
}
