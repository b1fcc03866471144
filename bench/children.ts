/**
 * The processes of a benchmark: started pinned to a core, with their output in a file of the run's folder, and all
 * stopped again however the command ends.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The service under test has one core for itself; everything else shares the other. */
export const cores = { service: 0, rest: 1 } as const

const stopGraceMs = 5000

export interface ChildOrder {
  readonly name: string
  readonly core: number
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Gives the child a channel: it reports over it, and ends when we are gone. */
  readonly channel?: boolean
  readonly cwd?: string
}

export class Children {
  readonly folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-bench-'))
  readonly #running = new Set<ChildProcess>()
  #count = 0

  constructor() {
    process.once('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL')
      rmSync(this.folder, { recursive: true, force: true })
    })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        process.exit(1)
      })
    }
  }

  start(order: ChildOrder): Child {
    this.#count += 1
    const logPath = join(this.folder, `${this.#count}-${order.name}.log`)
    const log = openSync(logPath, 'w')
    const process_ = spawn('taskset', ['-c', String(order.core), ...order.command], {
      serialization: 'advanced', // JSON would turn NaN into null.
      stdio: ['ignore', log, log, ...(order.channel === true ? (['ipc'] as const) : [])],
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', NODE_ENV: 'production', ...order.env },
      ...(order.cwd === undefined ? {} : { cwd: order.cwd }),
    })
    closeSync(log)
    this.#running.add(process_)
    process_.once('exit', () => this.#running.delete(process_))
    return new Child(order.name, process_, logPath)
  }
}

export class Child {
  readonly name: string
  readonly #process: ChildProcess
  readonly #logPath: string

  constructor(name: string, process_: ChildProcess, logPath: string) {
    this.name = name
    this.#process = process_
    this.#logPath = logPath
  }

  get pid(): number {
    const { pid } = this.#process
    if (pid === undefined) throw new Error(`${this.name} could not be started: is taskset (util-linux) there?`)
    return pid
  }

  get ended(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined
  }

  send(message: object): void {
    this.#process.send?.(message)
  }

  /** The next message of the child; fails when the child ends first or the time is over. */
  message(withinMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        this.#process.off('message', onMessage)
        this.#process.off('exit', onExit)
        this.#process.off('error', onExit)
        act()
      }
      const onMessage = (message: unknown): void => {
        settle(() => {
          resolve(message)
        })
      }
      const onExit = (): void => {
        settle(() => {
          reject(this.failure('ended'))
        })
      }
      const timer = setTimeout(() => {
        settle(() => {
          reject(this.failure(`said nothing for ${withinMs} ms`))
        })
      }, withinMs)
      this.#process.on('message', onMessage)
      this.#process.on('exit', onExit)
      this.#process.on('error', onExit)
    })
  }

  /** What went wrong, with the last lines that the child wrote. */
  failure(what: string): Error {
    let lines = ''
    try {
      lines = readFileSync(this.#logPath, 'utf8').split('\n').slice(-20).join('\n').slice(-4000)
    } catch {
      // Without its output the message still names the child.
    }
    return new Error(`${this.name} ${what}\n${lines}`)
  }

  async stop(): Promise<void> {
    if (this.ended) return
    await new Promise<void>((resolve) => {
      const kill = setTimeout(() => this.#process.kill('SIGKILL'), stopGraceMs)
      this.#process.once('exit', () => {
        clearTimeout(kill)
        resolve()
      })
      this.#process.kill('SIGTERM')
    })
  }
}

/** Resolves when GET `path` answers 200. */
export async function untilReady(child: Child, port: number, path: string, withinMs: number): Promise<void> {
  const endAtMs = performance.now() + withinMs
  while (performance.now() < endAtMs) {
    if (child.ended) throw child.failure('ended before it was ready')
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(1000) })
      await response.body?.cancel()
      if (response.status === 200) return
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
  throw child.failure(`was not ready within ${withinMs} ms`)
}
