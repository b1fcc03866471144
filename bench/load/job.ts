/**
 * What the load generator is asked for and what it answers: plain data that crosses the process boundary. A plain request
 * and a stream are the same here, an exchange with one content event or with many.
 */
import type { Quantiles } from '../percentile.ts'

export type Arrivals =
  /** So many exchanges at any time: each one that ends starts the next. */
  | { readonly kind: 'closed'; readonly concurrency: number }
  /** Exchanges start on a fixed grid, whatever becomes of those before. */
  | { readonly kind: 'open'; readonly ratePerSecond: number }

export interface LoadJob {
  readonly port: number
  /** The whole request as it goes on the wire. */
  readonly request: string
  readonly arrivals: Arrivals
  readonly durationMs: number
  /** Content events of one exchange; one that ends with fewer has failed. */
  readonly eventsPerExchange: number
  /** How long exchanges that are under way at the end may take; they count for latency, not for throughput or CPU. */
  readonly drainMs: number
  /** The process whose CPU time and memory are charged, or null for the mock called directly. */
  readonly pid: number | null
  /** The processes of the benchmark that work during this job; what the machine does besides is others' work. */
  readonly ownPids: readonly number[]
}

export interface LoadReport {
  readonly completed: number
  readonly failed: number
  /** The first few different failures, for the person who reads them. */
  readonly failures: readonly string[]
  readonly elapsedMs: number
  readonly completedInWindow: number
  readonly eventsInWindow: number
  /** From the instant an exchange was due (open) or sent (closed) until its last byte. */
  readonly latencyMs: Quantiles
  /** From the same instant until its first content. */
  readonly firstContentMs: Quantiles
  /** How late the generator itself started exchanges: it is part of both figures above, direct and through a service. */
  readonly startedLateMs: Quantiles
  readonly peakInFlight: number
  readonly cpuMs: number
  readonly peakRssMiB: number
  /** The share of all cores that others used during the job. */
  readonly othersPercent: number
}
