/**
 * A real Redis for tests: `redis-server` from the system, on a free loopback port, in a folder of its own, stopped again.
 * `scripts/redis-server.sh` installs it where it is missing.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../runtime/testing/free-port.ts'

export interface RedisServer {
  readonly url: string
  /** Stops it as `kill -9` does; what the append-only file holds survives. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same data. */
  restart(): Promise<void>
  /** Freezes it: connections stay, answers do not come. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

export async function startRedisServer(): Promise<RedisServer> {
  const script = fileURLToPath(new URL('../../../scripts/redis-server.sh', import.meta.url))
  const installed = spawnSync('sh', [script], { encoding: 'utf8' })
  if (installed.status !== 0) throw new Error(`redis-server is missing and could not be installed: ${installed.stderr}`)
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined

  const start = async (): Promise<void> => {
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', '', '--daemonize', 'no']
    const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    child = started
    let text = ''
    for await (const chunk of started.stdout as AsyncIterable<Buffer>) {
      text += chunk.toString()
      if (text.includes('Ready to accept connections')) break
    }
    if (!text.includes('Ready to accept connections')) throw new Error(`redis-server did not start: ${text}`)
  }
  const kill = async (): Promise<void> => {
    const running = child
    child = undefined
    if (running === undefined) return
    const closed = once(running, 'exit')
    running.kill('SIGKILL')
    await closed
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    restart: start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
