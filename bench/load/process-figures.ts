/**
 * CPU time and resident memory of a process, all of its threads included, from Linux's /proc (proc(5)).
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

const systemValue = (name: string, otherwise: number): number => {
  try {
    return Number(execFileSync('getconf', [name], { encoding: 'utf8' })) || otherwise
  } catch {
    return otherwise // The value of every current Linux on x86-64 and arm64.
  }
}
const ticksPerSecond = systemValue('CLK_TCK', 100)
const pageBytes = systemValue('PAGESIZE', 4096)

/** User and system time so far. The kernel counts it in ticks of 10 ms: measure over seconds. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The second field is the command in brackets and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}

export interface MachineTime {
  readonly busyMs: number
  readonly allMs: number
}

/** Summed over all cores. */
export function machineTime(): MachineTime {
  let busyMs = 0
  let idleMs = 0
  for (const { times } of cpus()) {
    busyMs += times.user + times.nice + times.sys + times.irq
    idleMs += times.idle
  }
  return { busyMs, allMs: busyMs + idleMs }
}

export function rssMiB(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * pageBytes) / 1024 / 1024
}
