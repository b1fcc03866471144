/** What a reader must know of the machine to judge the figures, without its name. */
import { cpus, loadavg, totalmem } from 'node:os'

export function describeMachine(): string {
  const cores = cpus()
  return `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${process.arch}`
}

const busyMs = (): { busy: number; all: number } => {
  let busy = 0
  let all = 0
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq
    all += times.user + times.nice + times.sys + times.irq + times.idle
  }
  return { busy, all }
}

/** The share of all cores that others use while we do nothing, in percent; beyond a few the figures are noise. */
export async function busyPercentBefore(durationMs: number): Promise<number> {
  const before = busyMs()
  await new Promise((resolve) => setTimeout(resolve, durationMs))
  const after = busyMs()
  return (100 * (after.busy - before.busy)) / Math.max(1, after.all - before.all)
}

export const loadAverage = (): number => loadavg()[0] ?? Number.NaN
