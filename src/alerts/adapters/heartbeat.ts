/**
 * The sign of life for a dead man's switch: a service outside that raises the alarm when it is not called for a while. A
 * process that is down cannot raise its own alert. It is sent after a tick that evaluated, so it says that alerts work, not
 * only that a process runs; of several instances the one that evaluates sends it.
 *
 * One that is not accepted is not repeated before its next time; three in a row make it failing, like a receiver.
 */
import type { Clock } from '../../runtime/clock.ts'
import { isoTime } from '../../runtime/iso-time.ts'
import { alertLimits } from '../limits.ts'
import type { DeliveryOutcome, NotifierHealth } from '../notifier.ts'
import type { NotifierReading } from '../readings.ts'
import { outcomeOf, type HttpPost } from './http-post.ts'
import { signatureHeaders } from './webhook.ts'

export interface Sign {
  readonly deployment: string
  readonly instance: string
  readonly activeAlerts: number
}

export interface Heartbeat {
  readonly everyMs: number
  send(sign: Sign, nowMs: number, signal: AbortSignal): Promise<DeliveryOutcome>
  close(): Promise<void>
}

export interface HeartbeatSchedule {
  /** Sends one when it is due; does not wait for it. */
  beat(sign: Sign): void
  health(): NotifierHealth
  reading(): NotifierReading
  stop(): Promise<void>
}

const name = 'heartbeat'
const failuresInARow = 3

export function createHeartbeat(url: string, everyMs: number, secret: string | null, http: HttpPost): Heartbeat {
  return {
    everyMs,
    async send(sign, nowMs, signal) {
      const body = JSON.stringify({ event: 'heartbeat', ...sign, timestamp: isoTime(nowMs) })
      return outcomeOf(await http.post(url, signatureHeaders(body, secret, nowMs), body, signal))
    },
    close: () => http.close(),
  }
}

export function createHeartbeatSchedule(clock: Clock, heartbeat: Heartbeat): HeartbeatSchedule {
  let lastMs = Number.NEGATIVE_INFINITY
  let failures = 0
  let delivered = 0
  let lost = 0
  let lastDeliveredAtMs: number | null = null
  let lastFailure: NotifierHealth['lastFailure'] = null
  let running: Promise<void> | null = null
  let controller = new AbortController()

  const send = async (sign: Sign): Promise<void> => {
    controller = new AbortController()
    const { signal } = controller
    const cancel = clock.schedule(clock.monotonicMs() + alertLimits.attemptMs, () => controller.abort())
    const outcome = await heartbeat.send(sign, clock.nowMs(), signal).finally(cancel)
    if (outcome.kind === 'delivered') {
      failures = 0
      delivered += 1
      lastDeliveredAtMs = clock.nowMs()
    } else {
      failures += 1
      lost += 1
      lastFailure = { atMs: clock.nowMs(), reason: outcome.reason }
    }
  }

  const status = (): NotifierHealth['status'] => {
    if (failures >= failuresInARow) return 'critical'
    if (failures > 0) return 'degraded'
    return lastDeliveredAtMs === null ? 'unknown' : 'healthy'
  }

  return {
    beat(sign) {
      if (running !== null || clock.monotonicMs() - lastMs < heartbeat.everyMs) return
      lastMs = clock.monotonicMs()
      running = send(sign)
        .catch(() => {
          // A sign that could not even be sent is missed by the switch: that is its purpose.
          failures += 1
        })
        .finally(() => (running = null))
    },
    health: () => ({ name, status: status(), waiting: 0, delivered, givenUp: lost, lastDeliveredAtMs, lastFailure }),
    reading: () => ({ name, failing: status() === 'critical' }),
    async stop() {
      controller.abort()
      await running
      await heartbeat.close()
    },
  }
}
