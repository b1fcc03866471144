import { describe, expect, it } from 'vitest'
import { keyMetricBounds, keyMetrics, levelOf, type KeyMetricName } from './key-metrics.ts'
import { parseWindow } from './metric-window.ts'
import { Tally } from './tally.ts'

const nothing = { cacheHitRate: null, budgetUsed: null }

describe('a key metric', () => {
  /** The runbook's table, "Key metrics". */
  it.each([
    ['routingEfficiency', 0.8, 'good'],
    ['routingEfficiency', 0.79, 'warning'],
    ['routingEfficiency', 0.69, 'critical'],
    ['directLatencyEmergency', 5_000, 'good'],
    ['directLatencyEmergency', 5_001, 'warning'],
    ['directLatencyEmergency', 10_001, 'critical'],
    ['directLatencyCritical', 15_001, 'critical'],
    ['mcpLatency', 30_001, 'warning'],
    ['mcpLatency', 60_001, 'critical'],
    ['healthCheckSuccessRate', 0.985, 'warning'],
    ['healthCheckSuccessRate', 0.94, 'critical'],
    ['alertResponseTime', 301_000, 'warning'],
    ['alertResponseTime', 901_000, 'critical'],
    ['errorRate', 0.011, 'warning'],
    ['errorRate', 0.051, 'critical'],
    ['cacheHitRate', 0.75, 'warning'],
    ['fallbackRate', 0.11, 'warning'],
    ['fallbackRate', 0.21, 'critical'],
    ['directSuccessRate', 0.94, 'warning'],
    ['mcpSuccessRate', 0.89, 'critical'],
    ['budgetUsed', 0.6, 'good'],
    ['budgetUsed', 0.81, 'warning'],
    ['budgetUsed', 0.96, 'critical'],
    ['errorRate', null, 'unknown'],
  ] satisfies readonly (readonly [KeyMetricName, number | null, string])[])('%s at %d is %s', (name, value, level) => {
    expect(levelOf(keyMetricBounds[name], value)).toBe(level)
  })

  it('without traffic is unknown, and none is good', () => {
    expect(new Set(keyMetrics(new Tally(), nothing).map((metric) => metric.level))).toEqual(new Set(['unknown']))
  })
})

describe('a window', () => {
  it.each([
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['24h', 86_400_000],
    ['1d', 86_400_000],
    ['10s', 10_000],
    ['9s', null],
    ['25h', null],
    ['0m', null],
    ['5', null],
    ['5m ', null],
    ['-5m', null],
    ['5.5m', null],
    ['1e3s', null],
    ['', null],
    ['9999999s', null],
  ])('%j is %j ms', (text, windowMs) => {
    expect(parseWindow(text)).toBe(windowMs)
  })
})
