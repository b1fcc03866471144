/**
 * The command line from outside: what a newcomer and an operator type, what they read, and the exit codes.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { operationTypes } from '../../src/operation/matrix.ts'
import { freePort } from '../../src/runtime/testing/free-port.ts'
import { emptyFolder, run, start } from './program.ts'

const keys = { AWS_ACCESS_KEY_ID: 'emulator', AWS_SECRET_ACCESS_KEY: 'emulator' }

async function emulator(): Promise<string> {
  const program = start(['emulator', '--port', '0'])
  return (await program.untilOut(/listens on (http:\/\/\S+)/))[1] ?? ''
}

function configurationFor(endpoint: string, folder: string): void {
  writeFileSync(
    join(folder, 'hybrid-routing.yaml'),
    `server: { port: 0 }
direct:
  targets:
    - { id: frankfurt, region: eu-central-1, modelId: eu.anthropic.claude-sonnet-4-5-20250929-v1:0, endpoint: "${endpoint}" }
store: { engine: memory }
`,
  )
}

describe('demo', () => {
  it('answers one operation of each type in time, prints a curl line that works, serves on, and ends with 0 when told to', async () => {
    const demo = start(['demo', '--port', '0'])
    const [, url] = await demo.untilOut(/The service {5}(http:\/\/\S+)/)
    await demo.untilOut(/until Ctrl-C/)
    for (const type of operationTypes) expect(demo.out()).toMatch(new RegExp(`${type} +(direct|mcp) \\S+ +\\d+ ms of \\d+ ms +in time`))
    for (const type of ['kiro_communication', 'standard_analysis', 'background_task']) expect(demo.out()).toMatch(new RegExp(`${type} +mcp `))

    const curl = /curl -N (\S+) -H '([^']+): ([^']+)' -d '([^']+)'/.exec(demo.out())
    const response = await fetch(curl?.[1] ?? '', { method: 'POST', headers: { [curl?.[2] ?? '']: curl?.[3] ?? '' }, body: curl?.[4] ?? '' })
    const events = await response.text()
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    expect(events.match(/^event: delta$/gm)?.length).toBeGreaterThan(5)
    expect(events).toMatch(/^event: result$/m)

    const operation = await run(['operation', 'emergency', 'What do I look at first?', '--url', url ?? ''])
    expect(operation.code).toBe(0)
    expect(operation.out).toContain('synthetic answer')
    expect(operation.err).toMatch(/^op_\w+: direct frankfurt, \d+ ms, first token after \d+ ms; requirement 5000 ms met$/m)

    const accepted = await run(['operation', 'background_task', 'Draft it', '--async', '--url', url ?? ''])
    expect(accepted.out).toMatch(/^op_\w+\n$/)

    const whole = await run(['operation', 'standard_analysis', 'Compare', '--json', '--url', url ?? ''])
    expect(JSON.parse(whole.out)).toMatchObject({ operation: 'standard_analysis', status: 'succeeded', slaMet: true })

    demo.child.kill('SIGTERM')
    expect((await demo.ended()).code).toBe(0)
  })
})

describe('serve', () => {
  it('runs from hybrid-routing.yaml in the working directory; until an MCP server is configured, MCP operations go direct and the decision says so', async () => {
    const folder = emptyFolder()
    configurationFor(await emulator(), folder)
    const service = start(['serve'], { folder, environment: keys })
    const url = (await service.untilOut(/listens on (\S+)/))[1] ?? ''
    const response = await fetch(`${url}/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ operation: 'standard_analysis', prompt: 'Compare the error budgets.' }),
    })
    expect(await response.json()).toMatchObject({ status: 'succeeded', route: 'direct', fallbackUsed: true, decision: { route: 'direct', reason: 'primary_not_configured' } })
    service.child.kill('SIGTERM')
    expect((await service.ended()).code).toBe(0)
  })

  it('says every fault of a configuration at once and starts nothing', async () => {
    const folder = emptyFolder()
    writeFileSync(join(folder, 'bad.yaml'), 'server: { port: 99999 }\nrouting: { matrix: { emergency: { latencyMs: 0 } } }\nfoo: 1\n')
    const { code, err } = await run(['serve', '--config', 'bad.yaml'], { folder })
    expect(code).toBe(1)
    expect(err).toContain('server.port: 99999 is not in [0, 65535]')
    expect(err).toContain('routing.matrix.emergency.latencyMs: 0 is not in [1, 60000]')
    expect(err).toContain('foo: is not known here')
  })

  it('says what to do when the port is taken', async () => {
    const folder = emptyFolder()
    configurationFor('http://127.0.0.1:9', folder)
    const first = start(['serve'], { folder, environment: keys })
    const port = (await first.untilOut(/listens on http:\/\/127\.0\.0\.1:(\d+)/))[1] ?? ''
    const second = await run(['serve', '--port', port], { folder, environment: keys })
    expect(second.code).toBe(1)
    expect(second.err).toContain(`port ${port} is taken`)
  })

  it('refuses a host that is not loopback without auth', async () => {
    const folder = emptyFolder()
    configurationFor('http://127.0.0.1:9', folder)
    const { code, err } = await run(['serve', '--host', '0.0.0.0'], { folder, environment: keys })
    expect(code).toBe(1)
    expect(err).toContain('auth')
  })
})

describe('doctor', () => {
  it('finds nothing to mend where everything answers, and says what is missing where it does not', async () => {
    const folder = emptyFolder()
    configurationFor(await emulator(), folder)
    const good = await run(['doctor'], { folder, environment: keys })
    expect(good.out).toMatch(/^ok {4}target frankfurt .* eu-central-1 answers/m)
    expect(good.out).toMatch(/^warn {2}mcp /m)
    expect(good.code).toBe(0)

    const wrongKey = await run(['doctor'], { folder, environment: { ...keys, AWS_SECRET_ACCESS_KEY: 'wrong-secret' } })
    expect(wrongKey.out).toMatch(/^MEND {2}target frankfurt .*signature/m)
    expect(wrongKey.out + wrongKey.err).not.toContain('wrong-secret')
    expect(wrongKey.code).toBe(1)
  })

  it('says where an MCP server was looked for and what to check', async () => {
    const folder = emptyFolder()
    const gone = `http://127.0.0.1:${String(await freePort())}/mcp`
    const servers = { ops: { url: gone }, local: { command: '/no/such/server' }, wrong: { command: process.execPath, args: ['--eval', ''] } }
    writeFileSync(join(folder, 'hybrid-routing.yaml'), JSON.stringify({ mcp: { servers, routes: { default: { servers: Object.keys(servers), tool: 'execute_operation' } } } }))
    const { out, code } = await run(['doctor'], { folder })
    expect(out).toMatch(/^MEND {2}server ops .*Connection refused.* start the server there, or correct mcp\.servers\.ops\.url/m)
    expect(out).toContain(`Its address is ${gone}:`)
    expect(out).toMatch(/^MEND {2}server local .*could not be started.*\/no\/such\/server: install it/m)
    expect(out).toMatch(/^MEND {2}server wrong .*ended before it was ready.*by hand/m)
    expect(code).toBe(1)
  })
})

describe('usage', () => {
  it.each([
    [[], 'which command'],
    [['nonsense'], 'unknown command'],
    [['operation', 'emergncy', 'x'], 'one of emergency'],
    [['operation', 'emergency'], 'missing required argument'],
    [['serve', '--port', '70000'], 'A port is a whole number'],
    [['operation', 'emergency', 'x', '--url', 'nowhere'], 'address'],
  ])('%j is wrong usage: exit code 2', async (words, message) => {
    const { code, err, out } = await run(words)
    expect(err).toContain(message)
    expect(out).toBe('')
    expect(code).toBe(2)
  })

  it.each(['serve', 'demo', 'emulator', 'operation', 'doctor'])('%s --help explains itself', async (command) => {
    const { code, out } = await run([command, '--help'])
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^Usage: hybrid-routing ${command} `))
  })

  it('a service that is not there is a failure with a remedy, on one line', async () => {
    const { code, err } = await run(['operation', 'emergency', 'x', '--url', 'http://127.0.0.1:9'])
    expect(code).toBe(1)
    expect(err).toMatch(/^hybrid-routing: no service answers at http:\/\/127\.0\.0\.1:9: .*demo.*\n$/)
  })
})
