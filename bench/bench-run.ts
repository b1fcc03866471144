/**
 * What every scenario works with: the mock upstream, the load generator in its process, and the way to put one job on
 * them. The upstream and the generator share the core that the service under test does not have.
 */
import { fileURLToPath } from 'node:url'
import { cores, type Child, Children } from './children.ts'
import type { LoadJob, LoadReport } from './load/job.ts'
import type { Options } from './options.ts'
import type { Measurement } from './report/figures.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))
const childStartWithinMs = 10_000
/** Beyond a job's own time: to start the pacer, and to compute the percentiles. */
const reportWithinMs = 15_000

export class BenchRun {
  readonly options: Options
  readonly children: Children
  readonly upstreamPort: number
  readonly measurements: Measurement[] = []
  /** What others used of the machine during each job. */
  readonly othersPercents: number[] = []
  readonly #mock: Child
  readonly #generator: Child
  readonly #say: (line: string) => void

  static async start(options: Options, say: (line: string) => void): Promise<BenchRun> {
    const children = new Children()
    const mock = children.start({ name: 'mock-upstream', core: cores.rest, command: [process.execPath, path('mock-upstream.ts')], channel: true })
    const { port } = (await mock.message(childStartWithinMs)) as { port: number }
    const generator = children.start({ name: 'load-generator', core: cores.rest, command: [process.execPath, path('load/load-generator.ts')], channel: true })
    return new BenchRun(options, children, port, mock, generator, say)
  }

  private constructor(options: Options, children: Children, upstreamPort: number, mock: Child, generator: Child, say: (line: string) => void) {
    this.options = options
    this.children = children
    this.upstreamPort = upstreamPort
    this.#mock = mock
    this.#generator = generator
    this.#say = say
  }

  async load(order: Omit<LoadJob, 'ownPids'>): Promise<LoadReport> {
    const job: LoadJob = { ...order, ownPids: [this.#mock.pid, this.#generator.pid, ...(order.pid === null ? [] : [order.pid])] }
    this.#generator.send(job)
    const answer = (await this.#generator.message(job.durationMs + job.drainMs + reportWithinMs)) as { report?: LoadReport; error?: string }
    if (answer.report === undefined) throw new Error(`the load generator failed: ${answer.error ?? 'no report'}`)
    this.othersPercents.push(answer.report.othersPercent)
    return answer.report
  }

  record(measurement: Measurement): void {
    this.measurements.push(measurement)
    const figures = Object.entries(measurement.figures).map(([name, value]) => `${name} ${Number.isNaN(value) ? '–' : Number(value.toPrecision(4))}`)
    const failed = measurement.failed > 0 ? `  FAILED ${measurement.failed}: ${measurement.failures.join('; ')}` : ''
    this.#say(`round ${measurement.round}  ${measurement.scenario.padEnd(10)} ${measurement.subject.padEnd(8)} ${figures.join('  ')}${failed}`)
  }
}
