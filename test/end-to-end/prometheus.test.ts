/**
 * A real Prometheus scrapes a running service with a viewer's key: it takes the text, and what it knows afterwards is what
 * happened. The text is also given to Prometheus' own judge, `promtool check metrics`.
 */
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import type { Service } from '../../src/service/serve.ts'
import { targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'
import { startPrometheus, type PrometheusServer } from './prometheus-server.ts'

const viewer = 'the-key-of-prometheus'
const operator = 'the-key-of-an-operator'
let emulator: Emulator
let service: Service
let prometheus: PrometheusServer

beforeAll(async () => {
  emulator = createEmulator({ clock: createSystemClock(), seed: 1 })
  await emulator.listen()
  service = await startInProcess({
    targets: [targetAt(emulator.url), targetAt(emulator.url, 'broken', 'fault.denied')],
    auth: { keys: [{ name: 'prometheus', role: 'viewer', secret: viewer }, { name: 'operator', role: 'operator', secret: operator }] },
  })
  prometheus = await startPrometheus(service.url, viewer)
}, 180_000)

afterAll(async () => {
  await prometheus.stop()
  await service.stop()
  await emulator.close()
})

async function submit(body: object): Promise<number> {
  const answer = await fetch(`${service.url}/v1/operations`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${operator}` }, body: JSON.stringify({ prompt: 'Is the disk full?', ...body }) })
  await answer.text()
  return answer.status
}

const valueOf = async (promql: string): Promise<readonly number[]> => (await prometheus.query(promql)).map(({ value }) => value)

it('finds the target up, and every series with the value that it has', async () => {
  await expect.poll(() => valueOf('up'), { timeout: 10_000 }).toEqual([1])

  for (let count = 0; count < 7; count += 1) expect(await submit({ operation: 'emergency', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0' })).toBe(200)
  for (let count = 0; count < 3; count += 1) expect(await submit({ operation: 'infrastructure', modelId: 'fault.denied' })).toBe(502)
  expect(await submit({ operation: 'nonsense' })).toBe(400)

  await expect.poll(() => valueOf('sum(hybrid_routing_operations_total)'), { timeout: 10_000 }).toEqual([10])
  expect(await valueOf('hybrid_routing_operations_total{operation="emergency",route="direct",status="succeeded"}')).toEqual([7])
  expect(await valueOf('sum by (operation) (hybrid_routing_operations_total{status="failed"})')).toEqual([3])
  expect(await valueOf('hybrid_routing_operation_flags_total{operation="emergency",flag="sla_met"}')).toEqual([7])
  expect(await valueOf('sum(hybrid_routing_attempts_total{outcome="succeeded"})')).toEqual([7])
  // A histogram as its functions want it: complete buckets, and a quantile within the borders of what was measured.
  expect(await valueOf('hybrid_routing_operation_latency_seconds_count{operation="emergency"}')).toEqual([7])
  expect(await valueOf('hybrid_routing_operation_latency_seconds_bucket{operation="emergency",le="+Inf"}')).toEqual([7])
  const [p95] = await valueOf('histogram_quantile(0.95, hybrid_routing_operation_latency_seconds_bucket{operation="emergency"})')
  expect(p95).toBeGreaterThan(0)
  expect(p95).toBeLessThan(5)
  expect(await valueOf('hybrid_routing_breaker_open{route="direct",target="frankfurt"}')).toEqual([0])
  expect(await valueOf('hybrid_routing_system_health')).toHaveLength(1)

  // It knows what each family is, from the text.
  const types = (await prometheus.api('/api/v1/metadata')) as Readonly<Record<string, readonly { readonly type: string; readonly help: string }[]>>
  expect(types['hybrid_routing_operations_total']?.[0]?.type).toBe('counter')
  expect(types['hybrid_routing_operation_latency_seconds']?.[0]?.type).toBe('histogram')
  expect(types['hybrid_routing_system_health']?.[0]?.type).toBe('gauge')

  // Nothing of what it scrapes is refused.
  const { activeTargets } = (await prometheus.api('/api/v1/targets')) as { readonly activeTargets: readonly { readonly health: string; readonly lastError: string }[] }
  expect(activeTargets.map(({ health, lastError }) => ({ health, lastError }))).toEqual([{ health: 'up', lastError: '' }])
}, 40_000)

it('has nothing to find fault with in the text', async () => {
  const answer = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${viewer}` } })
  const text = await answer.text()
  expect(answer.status).toBe(200)
  expect(text).toContain('hybrid_routing_operations_total')
  const judged = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  expect({ status: judged.status, found: judged.stdout + judged.stderr }).toEqual({ status: 0, found: '' })
})

it('is refused without a key: figures are not for everybody', async () => {
  expect((await fetch(`${service.url}/metrics`)).status).toBe(401)
})
