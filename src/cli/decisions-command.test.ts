import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { decisionsCommand } from './decisions-command.ts'
import type { Terminal } from './terminal.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A service that knows one answer, on a port of its own. */
function serviceWith(body: unknown): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
  servers.push(server)
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }))
  })
}

function read(): { readonly terminal: Terminal; text(): string } {
  let written = ''
  const terminal: Terminal = {
    environment: {},
    workingDirectory: '.',
    out: (text) => {
      written += text
    },
    err: () => {},
    readInput: () => Promise.resolve(''),
    onSignal: () => () => {},
  }
  return { terminal, text: () => written }
}

const met = {
  decidedAt: '2026-01-01T08:00:00.000Z',
  operation: 'infrastructure',
  decision: { route: 'direct', target: 'frankfurt', reason: 'matrix' },
  status: 'succeeded',
  route: 'direct',
  target: 'frankfurt',
  latencyMs: 812.4,
  latencyRequirementMs: 10_000,
  slaMet: true,
  attempts: [{}],
  hindsight: { optimal: true, regretMs: 0, basis: 'met the requirement' },
}

describe('hybrid-routing decisions', () => {
  it('shows what was decided, what became of it, and how many decisions were right', async () => {
    const wrong = { ...met, status: 'failed', route: null, target: null, slaMet: false, latencyMs: 15_000, attempts: [{}, {}], hindsight: { optimal: false, regretMs: 9_000, basis: '95 % of 40 attempts on mcp' } }
    const unknown = { ...met, slaMet: false, hindsight: { optimal: null, regretMs: null, basis: 'too little evidence' } }
    const { url, asked } = await serviceWith({ decisions: [met, wrong, unknown] })
    const written = read()
    expect(await decisionsCommand({ limit: 20, json: false, url }, written.terminal)).toBe(0)
    expect(asked).toEqual(['/v1/routing/decisions?limit=20'])
    const lines = written.text().trimEnd().split('\n')
    expect(lines).toHaveLength(5)
    expect(lines[1]).toMatch(/infrastructure +direct\/frankfurt +matrix +direct\/frankfurt +1 +812 ms +10000 ms +met +right$/)
    expect(lines[2]).toMatch(/failed +2 +15000 ms .* missed +wrong by 9000 ms: 95 % of 40 attempts on mcp$/)
    expect(lines[3]).toMatch(/not judged: too little evidence$/)
    expect(lines[4]).toBe('3 decisions, 2 judged, 1 right (50.0 %)')
  })

  it('says so when nothing was decided yet, and prints the whole answer as JSON where asked', async () => {
    const { url } = await serviceWith({ decisions: [] })
    const empty = read()
    await decisionsCommand({ limit: 20, json: false, url }, empty.terminal)
    expect(empty.text()).toBe('no decision yet\n')
    const json = read()
    await decisionsCommand({ limit: 20, json: true, url }, json.terminal)
    expect(JSON.parse(json.text())).toEqual({ decisions: [] })
  })

  it('does not take another answer for one of ours', async () => {
    const { url } = await serviceWith({})
    await expect(decisionsCommand({ limit: 20, json: false, url }, read().terminal)).rejects.toThrow('is the URL right?')
  })
})
