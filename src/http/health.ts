/**
 * `/health`, `/health/live`, `/health/ready` (public contract, part 6). Health says how the system is; live says that the
 * process answers; ready says that it takes new work, and depends on no upstream and no store.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Clock } from '../runtime/clock.ts'

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'critical' | 'unknown'

export interface HealthParts {
  readonly clock: Clock
  readonly version: string
  /** How the system is, by what is known now. */
  readonly health: () => HealthStatus
  readonly draining: () => boolean
}

const json = 'application/json; charset=utf-8'

export function registerHealth(app: FastifyInstance, parts: HealthParts): void {
  const { clock } = parts
  const startedAtMs = clock.monotonicMs()
  const access = { config: { access: 'viewer' as const } }

  app.get('/health', access, (_request, reply) => {
    const status = parts.health()
    send(reply, status === 'healthy' || status === 'degraded' ? 200 : 503, {
      status,
      timestamp: new Date(clock.nowMs()).toISOString(),
      uptime: Math.round(clock.monotonicMs() - startedAtMs) / 1_000,
      version: parts.version,
    })
  })

  app.get('/health/live', access, (_request, reply) => send(reply, 200, { status: 'live' }))

  app.get('/health/ready', access, (_request, reply) => {
    if (parts.draining()) send(reply, 503, { status: 'draining' })
    else send(reply, 200, { status: 'ready' })
  })
}

function send(reply: FastifyReply, status: number, body: object): void {
  reply.code(status).header('content-type', json).send(JSON.stringify(body))
}
