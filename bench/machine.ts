/** What a reader must know of the machine to judge the figures, without its name. */
import { cpus, totalmem } from 'node:os'

export function describeMachine(): string {
  const cores = cpus()
  return `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${process.arch}`
}
