import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runCommandLine } from './command-line.ts'

const alert = {
  id: 'alrt_1',
  rule: 'system-down',
  component: 'hybrid-router',
  priority: 'P0',
  severity: 'critical',
  message: 'System health is critical.',
  status: 'firing',
  startedAt: '2026-01-01T08:00:00.000Z',
  acknowledgedBy: null,
  suppressedUntil: null,
  escalation: { level: 0, to: 'on-call engineer', next: null },
  runbook: 'runbook/complete-system-outage.md',
}

async function run(alerts: readonly object[], words: readonly string[] = []): Promise<{ readonly code: number; readonly out: string }> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ status: 'critical', data: { activeAlerts: alerts.length, alerts } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  let out = ''
  const code = await runCommandLine(['alerts', '--url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...words], {
    environment: {},
    workingDirectory: '/',
    out: (text) => {
      out += text
    },
    err: () => undefined,
    readInput: () => Promise.resolve(''),
    onSignal: () => () => undefined,
  })
  return { code, out }
}

describe('alerts', () => {
  it('says that nothing is firing, and exits with 0', async () => {
    expect(await run([])).toEqual({ code: 0, out: 'nothing is firing\n' })
  })

  it('shows the most urgent first, with who has it, and exits with 1 while one is not acknowledged', async () => {
    const { code, out } = await run([{ ...alert, id: 'alrt_2', priority: 'P2', component: 'message-queue' }, alert])
    expect(code).toBe(1)
    expect(out.split('\n').slice(1, 3).map((line) => line.split(/\s{2,}/).slice(0, 3))).toEqual([
      ['P0', 'firing', 'hybrid-router'],
      ['P2', 'firing', 'message-queue'],
    ])
    expect(out).toContain('on-call engineer')
  })

  it('exits with 0 when somebody has each of them', async () => {
    expect((await run([{ ...alert, status: 'acknowledged', acknowledgedBy: 'ops' }])).code).toBe(0)
  })
})
