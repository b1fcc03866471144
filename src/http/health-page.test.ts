import { expect, it } from 'vitest'
import type { JsonObject } from '../operation/converse.ts'
import { healthPage, healthPageHeaders } from './health-page.ts'
import { fixedMonitoring } from './testing/fixed-monitoring.ts'

const frame = { status: 'critical', timestamp: '2026-01-01T03:10:00.000Z', uptime: 90, version: '1.2.3' } as const
const alert = { id: 'alrt_1', rule: 'direct-bedrock-unavailable', component: 'direct-bedrock-client', priority: 'P0', severity: 'critical', message: 'It is <critical>.', action: 'Test Bedrock.', status: 'firing', startedAt: '2026-01-01T03:05:00.000Z', acknowledgedBy: null }
const override = { what: 'emergency-mode', value: true, lever: 'enable-emergency', component: 'hybrid-router', by: 'anna', automatic: false, reason: '<b>all</b> is lost', since: '2026-01-01T03:06:00.000Z', until: '2026-01-01T04:06:00.000Z', auditId: 'aud_1' }

const page = (alerts: readonly JsonObject[], overrides: readonly JsonObject[]): string => healthPage(frame, fixedMonitoring({ alerts: () => alerts, overrides: () => overrides }))

it('an alert shows its severity, what it says, what to do, and for how long', () => {
  const text = page([alert], [])
  expect(text).toContain('<span class="tag critical">critical</span></td><td>P0 direct-bedrock-unavailable<br><small>direct-bedrock-client</small>')
  expect(text).toContain('It is &lt;critical&gt;.<br><small>Test Bedrock.</small></td><td>firing</td><td class="n">5 min 0 s</td>')
  expect(page([{ ...alert, status: 'acknowledged', acknowledgedBy: 'anna' }], [])).toContain('<td>acknowledged by anna</td>')
})

it('a severity that is none of ours is not written into the page as markup', () => {
  expect(page([{ ...alert, severity: '"><script>' }], [])).not.toContain('<script')
})

it('a lever shows who pulled it, why, and when it ends', () => {
  const text = page([], [override])
  expect(text).toContain('<td>enable-emergency<br><small>emergency-mode: true</small></td><td>&lt;b&gt;all&lt;/b&gt; is lost</td><td>anna</td><td class="n">4 min 0 s</td><td class="n">in 56 min 0 s</td>')
  expect(page([], [{ ...override, until: null }])).toContain('when it is lifted')
})

it('is one document whose only style is the one that its policy names', () => {
  const text = page([alert], [override])
  expect(text.match(/<style>/g)).toHaveLength(1)
  expect(text).not.toMatch(/style="|<script|https?:/)
  expect(healthPageHeaders['content-security-policy']).toMatch(/style-src 'sha256-[A-Za-z0-9+/]+='/)
})
