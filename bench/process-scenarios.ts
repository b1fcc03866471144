/**
 * The scenarios that need a fresh process: how fast it starts and what it holds when idle, and what a thousand concurrent
 * streams make it hold, three times over: a heap that settles grows from the first wave to the second, one that leaks grows
 * from the second to the third as well.
 */
import type { BenchRun } from './bench-run.ts'
import { rssMiB } from './load/process-figures.ts'
import type { LoadReport } from './load/job.ts'
import { plans } from './plans.ts'
import type { RunningSubject, Subject } from './subjects/subject.ts'

/** A service that falls behind may take this long to end its streams. */
const waveDrainMs = 60_000
const betweenWavesMs = 3000

const pause = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs))

/** One start per round; the first is watched until it is idle. */
export async function measureStart(run: BenchRun, subject: Subject, round: number): Promise<void> {
  const running = await subject.start(run.children, run.upstreamPort)
  const readyRssMiB = rssMiB(running.child.pid)
  let idleRssMiB = Number.NaN
  if (round === 1) {
    await pause(run.options.idleSeconds * 1000)
    idleRssMiB = rssMiB(running.child.pid)
  }
  await running.child.stop()
  run.record({ scenario: 'start', subject: subject.name, round, figures: { readyMs: running.readyMs, readyRssMiB, idleRssMiB }, failed: 0, failures: [] })
}

export async function measureMemory(run: BenchRun, subject: Subject): Promise<void> {
  const running = await subject.start(run.children, run.upstreamPort)
  const waves: LoadReport[] = []
  for (let index = 0; index < 3; index += 1) {
    if (index > 0) await pause(betweenWavesMs)
    waves.push(await wave(run, running))
  }
  await running.child.stop()
  const [first = Number.NaN, second = Number.NaN, third = Number.NaN] = waves.map((one) => one.peakRssMiB)
  run.record({
    scenario: 'memory',
    subject: subject.name,
    round: 1,
    figures: {
      streams: Math.min(...waves.map((one) => one.peakInFlight)),
      firstWavePeakMiB: first,
      secondWavePeakMiB: second,
      secondWaveGrowthPercent: (second / first - 1) * 100,
      thirdWaveGrowthPercent: (third / second - 1) * 100,
    },
    failed: waves.reduce((sum, one) => sum + one.failed, 0),
    failures: [...new Set(waves.flatMap((one) => one.failures))],
  })
}

function wave(run: BenchRun, subject: RunningSubject): Promise<LoadReport> {
  return run.load({
    port: subject.port,
    pid: subject.child.pid,
    request: subject.streamRequest(plans.wave.stream),
    arrivals: { kind: 'open', ratePerSecond: plans.wave.startsPerSecond },
    durationMs: plans.wave.startsMs,
    eventsPerExchange: plans.wave.stream.events,
    drainMs: waveDrainMs,
  })
}
