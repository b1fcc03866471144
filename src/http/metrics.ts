/**
 * `/metrics` for Prometheus, and the views of `/metrics/*` as JSON (runbook, "Monitoring"). The views speak for all instances
 * of the store unless `?scope=instance` asks for this one; Prometheus scrapes each instance by itself, so that its text is of
 * this process.
 */
import type { FastifyInstance } from 'fastify'
import type { Matrix } from '../operation/matrix.ts'
import { prometheusContentType, prometheusText } from '../metrics/prometheus-text.ts'
import { metricView, metricViewNames } from '../metrics/views.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Monitoring } from './monitoring.ts'
import { readViewQuery } from './view-query.ts'

export interface MetricsParts {
  readonly clock: Clock
  readonly monitoring: Monitoring
  /** In force now. */
  readonly matrix: () => Matrix
  readonly currency: () => string
  readonly budgetPerDay: () => number | null
}

const json = 'application/json; charset=utf-8'

export function registerMetrics(app: FastifyInstance, parts: MetricsParts): void {
  const { clock, monitoring } = parts
  const access = { config: { access: 'viewer' as const } }

  app.get('/metrics', access, (_request, reply) => {
    reply.header('content-type', prometheusContentType).send(prometheusText(monitoring.totals(), monitoring.gauges()))
  })

  for (const name of metricViewNames) {
    app.get(`/metrics/${name}`, access, (request, reply) => {
      const { window, windowMs, scope } = readViewQuery(request.query)
      const view = metricView(name, monitoring.window(windowMs, scope), { windowMs, matrix: parts.matrix(), currency: parts.currency(), budgetPerDay: parts.budgetPerDay(), budgetUsed: monitoring.budgetUsed(), cache: monitoring.cache() })
      const { instance, others, restored } = monitoring.recorder()
      const frame = { timestamp: new Date(clock.nowMs()).toISOString(), window, windowMs, scope, instances: scope === 'instance' ? [instance] : [instance, ...others], complete: restored }
      reply.header('content-type', json).send(JSON.stringify({ ...frame, ...view }))
    })
  }
}
