/**
 * What the emulator saw, for tests and drills: counters, and the last requests without any of their content.
 */
import type { FaultKind } from '../fault-rule.ts'

export interface RecordedRequest {
  readonly number: number
  /** Wall time at which the request had arrived. */
  readonly receivedAtMs: number
  readonly durationMs: number
  readonly protocol: '1.1' | '2.0'
  readonly port: number
  readonly operation: string
  readonly modelId: string
  readonly region: string | undefined
  readonly scheme: 'sigv4' | 'bearer' | undefined
  /** 0 when no answer was begun. */
  readonly status: number
  readonly exception: string | undefined
  readonly end: 'answered' | 'cut' | 'left'
  readonly faults: readonly FaultKind[]
  readonly inputTokens: number
  readonly outputTokens: number
}

export interface EmulatorCounters {
  readonly received: number
  readonly inFlight: number
  readonly answered: number
  /** Clients that went away before their answer was complete. */
  readonly cancelledByClient: number
  /** Answers that a fault cut. */
  readonly cut: number
  readonly refusedConnections: number
  readonly byOperation: Readonly<Record<string, number>>
  readonly byStatus: Readonly<Record<string, number>>
  readonly byFault: Readonly<Record<string, number>>
}

export interface Recorder {
  begin(): number
  end(request: RecordedRequest): void
  refusedConnection(): void
  counters(): EmulatorCounters
  requests(): readonly RecordedRequest[]
  reset(): void
}

/** The last requests that are kept; a load test sends more than anybody reads. */
const mostRequests = 1_000

export function createRecorder(): Recorder {
  let received = 0
  let inFlight = 0
  let sinceReset = 0
  let ends = { answered: 0, left: 0, cut: 0 }
  let refusedConnections = 0
  let byOperation = new Map<string, number>()
  let byStatus = new Map<string, number>()
  let byFault = new Map<string, number>()
  let ring: RecordedRequest[] = []
  let oldest = 0
  const count = (map: Map<string, number>, name: string): void => void map.set(name, (map.get(name) ?? 0) + 1)
  return {
    begin() {
      received += 1
      sinceReset += 1
      inFlight += 1
      return received
    },
    end(request) {
      inFlight -= 1
      ends[request.end] += 1
      count(byOperation, request.operation)
      count(byStatus, String(request.status))
      for (const fault of request.faults) count(byFault, fault)
      if (ring.length < mostRequests) ring.push(request)
      else {
        ring[oldest] = request
        oldest = (oldest + 1) % mostRequests
      }
    },
    refusedConnection() {
      refusedConnections += 1
    },
    counters: () => ({
      received: sinceReset,
      inFlight,
      answered: ends.answered,
      cancelledByClient: ends.left,
      cut: ends.cut,
      refusedConnections,
      byOperation: Object.fromEntries(byOperation),
      byStatus: Object.fromEntries(byStatus),
      byFault: Object.fromEntries(byFault),
    }),
    requests: () => [...ring.slice(oldest), ...ring.slice(0, oldest)],
    reset() {
      sinceReset = 0
      ends = { answered: 0, left: 0, cut: 0 }
      refusedConnections = 0
      byOperation = new Map()
      byStatus = new Map()
      byFault = new Map()
      ring = []
      oldest = 0
    },
  }
}
