/**
 * A real server for tests, as the system packages it: on a free port of loopback, in a folder of its own, started, killed and
 * started again, and stopped without a trace. `scripts/debian-package.sh` installs it where it is missing.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'

const installer = fileURLToPath(new URL('../../../scripts/debian-package.sh', import.meta.url))
/** Of what it wrote, for the message of a start that fails. */
const keptCharacters = 10_000
/** ms between looks whether it is ready. */
const lookMs = 10

export interface SystemServerOrder {
  /** The name of the program and of its package. */
  readonly program: string
  /** Writes what it needs into the folder, and says how to start it. */
  args(folder: string, port: number): readonly string[]
  /** Whether it takes requests; asked again and again. */
  isReady(port: number, output: string): boolean | Promise<boolean>
}

export interface SystemServer {
  readonly port: number
  /** Stops it as `kill -9` does; what is in its folder stays. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same folder. */
  restart(): Promise<void>
  /** Freezes it: connections stay, answers do not come. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

/** Resolves when it takes requests. */
export async function startSystemServer(order: SystemServerOrder): Promise<SystemServer> {
  const { program } = order
  const installed = spawnSync('sh', [installer, program], { encoding: 'utf8' })
  if (installed.status !== 0) throw new Error(`${program} is missing and could not be installed: ${installed.stderr}`)
  const folder = mkdtempSync(join(tmpdir(), `hybrid-routing-${program}-`))
  const port = await freePort()
  const args = order.args(folder, port)
  let child: ChildProcess | undefined

  const start = async (): Promise<void> => {
    const started = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child = started
    let output = ''
    // Read to the end: a closed pipe would end some with their next line.
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk: Buffer) => (output = `${output}${chunk.toString()}`.slice(-keptCharacters)))
    while (!(await order.isReady(port, output))) {
      if (started.exitCode !== null || started.signalCode !== null) throw new Error(`${program} did not start: ${output}`)
      await new Promise((again) => setTimeout(again, lookMs))
    }
  }
  const kill = async (): Promise<void> => {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const ended = once(running, 'exit')
    running.kill('SIGKILL')
    await ended
  }

  const stop = async (): Promise<void> => {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  }

  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    kill,
    restart: start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    stop,
  }
}

/** Readiness as the servers of the Prometheus project tell it. */
export async function saysReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/-/ready`).then(
    (answer) => answer.ok,
    () => false,
  )
}
