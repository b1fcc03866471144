/**
 * `/health` and what is below it (public contract, part 6). Health says how the system is; live says that the process
 * answers; ready says that it takes new work, and depends on no upstream and no store.
 *
 * Every answer is made from what is known now: nothing here probes or waits. Figures are of the last 24 hours, which also a
 * restart does not end, unless `?window=` asks for less.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { canonicalComponent } from '../health/component-names.ts'
import { keptForMs } from '../metrics/time-slots.ts'
import type { JsonObject } from '../operation/converse.ts'
import { OperationError } from '../operation/problem.ts'
import type { Clock } from '../runtime/clock.ts'
import { healthPageHeaders, healthPage } from './health-page.ts'
import { componentJson, componentsJson, healthMetrics, keyMetricsJson, servesWork, summaryOf } from './health-view.ts'
import type { Monitoring } from './monitoring.ts'
import { readViewQuery } from './view-query.ts'

export interface HealthParts {
  readonly clock: Clock
  readonly version: string
  readonly monitoring: Monitoring
  readonly draining: () => boolean
}

const json = 'application/json; charset=utf-8'

export function registerHealth(app: FastifyInstance, parts: HealthParts): void {
  const { clock, monitoring } = parts
  const startedAtMs = clock.monotonicMs()
  const access = { config: { access: 'viewer' as const } }

  const frame = (): { readonly status: ReturnType<Monitoring['status']>; readonly timestamp: string; readonly uptime: number; readonly version: string } => ({
    status: monitoring.status(),
    timestamp: new Date(clock.nowMs()).toISOString(),
    uptime: Math.round(clock.monotonicMs() - startedAtMs) / 1_000,
    version: parts.version,
  })

  app.get('/health', access, (_request, reply) => {
    const answer = frame()
    send(reply, servesWork(answer.status) ? 200 : 503, answer)
  })

  app.get('/health/detailed', access, (_request, reply) => {
    const answer = frame()
    const components = monitoring.components()
    send(reply, servesWork(answer.status) ? 200 : 503, {
      ...answer,
      components: componentsJson(components),
      summary: summaryOf(components),
      metrics: healthMetrics(monitoring.window(keptForMs, 'all')),
      alerts: monitoring.alerts(),
      overrides: monitoring.overrides(),
    })
  })

  app.get('/health/components', access, (_request, reply) => {
    const { status, timestamp } = frame()
    const components = monitoring.components()
    send(reply, 200, { status, timestamp, components: componentsJson(components), summary: summaryOf(components) })
  })

  app.get<{ Params: { name: string } }>('/health/component/:name', access, (request, reply) => {
    const components = monitoring.components()
    const canonical = canonicalComponent(request.params.name)
    const view = components.find((component) => component.name === canonical)
    if (view === undefined) throw new OperationError('not_found', `There is no component of this name; known are ${components.map((component) => component.name).join(', ')}.`)
    send(reply, 200, { name: view.name, ...componentJson(view) })
  })

  app.get('/health/metrics', access, (request, reply) => {
    const { window, windowMs, scope } = readViewQuery(request.query)
    const tally = monitoring.window(windowMs, scope)
    const { status, timestamp } = frame()
    const answer: JsonObject = { status, timestamp, window, scope, metrics: healthMetrics(tally), keyMetrics: [...keyMetricsJson(tally, monitoring)] }
    send(reply, 200, answer)
  })

  app.get('/health/status', access, (_request, reply) => {
    const answer = frame()
    reply.headers(healthPageHeaders).send(healthPage(answer, monitoring))
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
