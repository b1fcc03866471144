import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTestService, type TestService } from '../http/testing/test-service.ts'
import { leverNames } from '../levers/lever-table.ts'
import { runCommandLine } from './command-line.ts'

let service: TestService
let out: string
let err: string
beforeEach(async () => {
  service = await startTestService(() => [])
  out = ''
  err = ''
})
afterEach(() => service.stop())

async function run(...words: string[]): Promise<number> {
  out = ''
  err = ''
  return runCommandLine([...words, ...(words.includes('--help') ? [] : ['--url', `http://127.0.0.1:${service.port}`])], {
    environment: {},
    workingDirectory: '/',
    out: (text) => (out += text),
    err: (text) => (err += text),
    readInput: () => Promise.resolve(''),
    onSignal: () => () => undefined,
  })
}

describe('admin', () => {
  it('pulls a lever, says what it did, and the service knows who and why', async () => {
    expect(await run('admin', 'force-mcp', '--reason', 'Bedrock unavailable', '--duration', '3600')).toBe(0)
    expect(out).toContain('force: none -> mcp')
    expect(out).toContain('does not apply to: emergency')
    expect(service.admin.levers.overridesInForce()).toMatchObject([{ what: 'force', value: 'mcp', reason: 'Bedrock unavailable' }])
  })

  it('says once what was wrong', async () => {
    expect(await run('admin', 'bedrock-percentage', '150')).toBe(1)
    expect(err.split('percentage: 150 is not in [0, 100]')).toHaveLength(2)
  })

  it.each([
    [['bedrock-percentage', '10'], { percentage: 10 }],
    [['config-update', '--direct-bedrock-timeout', '15000', '--mcp-timeout', '45000'], { 'config:directBedrockTimeout': 15_000, 'config:mcpTimeout': 45_000 }],
    [['fallback', '--aggressive-fallback', 'yes'], { 'config:fallbackAggressiveness': 1 }],
    [['isolate-component', 'direct-bedrock', '--confirm'], { 'isolation:direct': true }],
    [['disable-flag', 'ENABLE_INTELLIGENT_ROUTING'], { 'flag:ENABLE_INTELLIGENT_ROUTING': false }],
  ])('%j sets %j', async (words, expected) => {
    expect(await run('admin', ...words)).toBe(0)
    expect(Object.fromEntries(service.admin.levers.overridesInForce().map(({ what, value }) => [what, value]))).toEqual(expected)
  })

  it('shows what it would do, as JSON, and changes nothing', async () => {
    expect(await run('admin', 'enable-maintenance', '--dry-run', '--json')).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ status: 'dry_run', notApplied: ['emergency'] })
    expect(service.admin.levers.overridesInForce()).toEqual([])
  })

  it('lists are given with commas', async () => {
    expect(await run('admin', 'suppress-alerts', '--severity', 'low,medium', '--duration', '60')).toBe(0)
    expect(service.admin.asked[0]).toContain('"severity":["low","medium"]')
  })

  it('status, audit and verify read it back', async () => {
    await run('admin', 'enable-emergency', '--reason', 'outage')
    await run('admin', 'status')
    expect(out).toContain('emergency-mode')
    await run('admin', 'audit', '--what', 'enable-emergency')
    expect(out).toContain('outage')
    expect(await run('admin', 'audit-verify')).toBe(0)
    expect(out).toContain('The trail is whole: 1 records')
  })

  it.each([
    [['admin', 'force-mcpp'], 2, 'force-mcp'],
    [['admin', 'force-mcp', '--duration', 'long'], 2, 'seconds'],
    [['admin', 'bedrock-percentage'], 2, 'percentage'],
    [['admin', 'isolate-component', 'direct-bedrock-client'], 1, 'confirm'],
    [['admin', 'acknowledge', 'alrt_9'], 1, 'no alert with this id'],
  ])('%j ends with %i and says why', async (words, code, message) => {
    expect(await run(...words)).toBe(code)
    expect(err).toContain(message)
    expect(service.admin.levers.overridesInForce()).toEqual([])
  })

  it('help lists every lever', async () => {
    expect(await run('admin', '--help')).toBe(0)
    for (const name of leverNames) expect(out).toContain(`  ${name} `)
  })
})

describe('morning-check', () => {
  it('has a verdict for each of the five steps, and writes them down when asked', async () => {
    expect(await run('morning-check', '--record')).toBe(0)
    expect(out.match(/^\d\. (OK|LOOK|ACT) /gm)).toHaveLength(5)
    const { entries } = await service.admin.operationsLog.list(5)
    expect(entries[0]?.title).toContain('Morning check')
    expect(entries[0]?.findings.join('\n')).toContain('Alerts: ')
  })

  it('a lever that somebody left in force is worth a look; a system that is critical must be acted on', async () => {
    service.health = 'critical'
    expect(await run('morning-check', '--json')).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ verdict: 'act', steps: [{ step: 1, verdict: 'act' }, {}, {}, {}, { step: 5 }] })
  })
})
