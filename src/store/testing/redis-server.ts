/**
 * A real Redis for tests and benchmarks: the system's, with an append-only file, so that what it holds survives a kill.
 */
import { startSystemServer, type SystemServer } from '../../runtime/testing/system-server.ts'

export interface RedisServer extends SystemServer {
  readonly url: string
}

export async function startRedisServer(): Promise<RedisServer> {
  const server = await startSystemServer({
    program: 'redis-server',
    args: (folder, port) => ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', '', '--daemonize', 'no'],
    isReady: (_, output) => output.includes('Ready to accept connections'),
  })
  return { ...server, url: `redis://127.0.0.1:${server.port}` }
}
