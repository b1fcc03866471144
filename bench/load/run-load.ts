/**
 * Runs one load job. Open-loop exchanges are timed from the instant they were due, also when the generator or the service
 * is late: nothing that a user would have waited for is left out (no coordinated omission). Counts, samples, connections
 * and time are bounded by the job.
 */
import { Worker } from 'node:worker_threads'
import { quantiles } from '../percentile.ts'
import { Connection, type ExchangeEnd } from './connection.ts'
import type { LoadJob, LoadReport } from './job.ts'
import { hrtimeMs, type PacerOrder } from './pacer.ts'
import { cpuMs, machineTime, rssMiB } from './process-figures.ts'

/** Bounds of one job, against a service that misbehaves rather than as a setting. */
const limits = { inFlight: 4096, failuresKept: 5, failuresBeforeGivingUp: 5000 } as const
const memorySampleEveryMs = 100
/** A little after the thread has started, so that the first ticks are on time. */
const pacerLeadMs = 150

class LoadRun {
  readonly #job: LoadJob
  readonly #idle: Connection[] = []
  readonly #open = new Set<Connection>()
  readonly #latencies: number[] = []
  readonly #firstContents: number[] = []
  readonly #lateStarts: number[] = []
  readonly #failures = new Set<string>()
  #failed = 0
  #inFlight = 0
  #peakInFlight = 0
  #events = 0
  #peakRssMiB = 0
  #onDrained: (() => void) | null = null
  #starting = true

  constructor(job: LoadJob) {
    this.#job = job
  }

  async run(): Promise<LoadReport> {
    const { pid, arrivals, durationMs } = this.#job
    const sampler = setInterval(() => {
      this.#sampleMemory()
    }, memorySampleEveryMs)
    const machineBefore = machineTime()
    const ownBeforeMs = this.#ownCpuMs()
    const cpuBeforeMs = pid === null ? 0 : cpuMs(pid)
    const startedAtMs = performance.now()
    if (arrivals.kind === 'closed') await this.#runClosed(arrivals.concurrency)
    else await this.#runOpen(arrivals.ratePerSecond)
    const elapsedMs = performance.now() - startedAtMs
    const window = {
      elapsedMs,
      completedInWindow: this.#latencies.length,
      eventsInWindow: this.#events,
      cpuMs: pid === null ? 0 : cpuMs(pid) - cpuBeforeMs,
    }
    const machine = machineTime()
    const othersMs = machine.busyMs - machineBefore.busyMs - (this.#ownCpuMs() - ownBeforeMs)
    await this.#drain()
    clearInterval(sampler)
    this.#sampleMemory()
    for (const connection of this.#open) connection.destroy()
    if (durationMs > 0 && this.#latencies.length === 0 && this.#failed === 0) this.#failures.add('no exchange ended')
    return {
      ...window,
      completed: this.#latencies.length,
      failed: this.#failed,
      failures: [...this.#failures],
      latencyMs: quantiles(this.#latencies),
      firstContentMs: quantiles(this.#firstContents),
      startedLateMs: quantiles(this.#lateStarts),
      peakInFlight: this.#peakInFlight,
      peakRssMiB: this.#peakRssMiB,
      othersPercent: Math.max(0, (100 * othersMs) / Math.max(1, machine.allMs - machineBefore.allMs)),
    }
  }

  #ownCpuMs(): number {
    return this.#job.ownPids.reduce((sum, pid) => sum + cpuMs(pid), 0)
  }

  async #runClosed(concurrency: number): Promise<void> {
    const endAtMs = performance.now() + this.#job.durationMs
    const again = (): void => {
      if (this.#starting && performance.now() < endAtMs) this.#start(performance.now(), again)
    }
    for (let index = 0; index < concurrency; index += 1) again()
    await new Promise((resolve) => setTimeout(resolve, this.#job.durationMs))
    this.#starting = false
  }

  async #runOpen(ratePerSecond: number): Promise<void> {
    const everyMs = 1000 / ratePerSecond
    const ticks = Math.round((this.#job.durationMs / 1000) * ratePerSecond)
    const firstAtMs = hrtimeMs() + pacerLeadMs
    const order: PacerOrder = { firstAtMs, everyMs, ticks }
    const clockOffsetMs = hrtimeMs() - performance.now()
    const pacer = new Worker(new URL('pacer.ts', import.meta.url), { workerData: order })
    pacer.on('message', (dueMs: number) => {
      if (!this.#starting) return
      this.#lateStarts.push(hrtimeMs() - dueMs)
      this.#start(dueMs - clockOffsetMs, () => undefined)
    })
    await new Promise<void>((resolve, reject) => {
      pacer.once('exit', () => {
        resolve()
      })
      pacer.once('error', reject)
    })
    this.#starting = false
  }

  #start(fromMs: number, onNext: () => void): void {
    if (this.#inFlight >= limits.inFlight || this.#failed >= limits.failuresBeforeGivingUp) {
      this.#fail(`the generator's limit of ${limits.inFlight} in flight or ${limits.failuresBeforeGivingUp} failures`)
      return
    }
    const connection = this.#take()
    this.#inFlight += 1
    this.#peakInFlight = Math.max(this.#peakInFlight, this.#inFlight)
    connection.exchange(this.#job.request, this.#job.eventsPerExchange, (end) => {
      this.#inFlight -= 1
      this.#record(fromMs, end)
      if (connection.usable) this.#idle.push(connection)
      else this.#open.delete(connection)
      onNext()
      if (this.#inFlight === 0) this.#onDrained?.()
    })
  }

  #take(): Connection {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.usable) return connection
      this.#open.delete(connection)
    }
    const connection = new Connection(this.#job.port, (events) => {
      this.#events += events
    })
    this.#open.add(connection)
    return connection
  }

  #record(fromMs: number, end: ExchangeEnd): void {
    if (end.failure !== null) {
      this.#fail(end.failure)
      return
    }
    this.#latencies.push(end.endedAtMs - fromMs)
    if (end.firstContentAtMs !== null) this.#firstContents.push(end.firstContentAtMs - fromMs)
  }

  #fail(reason: string): void {
    this.#failed += 1
    if (this.#failures.size < limits.failuresKept) this.#failures.add(reason)
  }

  async #drain(): Promise<void> {
    if (this.#inFlight === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve
      timer = setTimeout(() => {
        this.#failed += this.#inFlight
        this.#failures.add(`${this.#inFlight} not finished ${this.#job.drainMs} ms after the end`)
        resolve()
      }, this.#job.drainMs)
    })
    clearTimeout(timer)
  }

  #sampleMemory(): void {
    if (this.#job.pid === null) return
    try {
      this.#peakRssMiB = Math.max(this.#peakRssMiB, rssMiB(this.#job.pid))
    } catch {
      this.#failures.add('the service has ended')
    }
  }
}

export function runLoad(job: LoadJob): Promise<LoadReport> {
  return new LoadRun(job).run()
}
