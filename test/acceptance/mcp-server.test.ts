import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { emptyFolder, run, start } from './program.ts'

let emulator: Emulator

beforeAll(async () => {
  emulator = createEmulator({ clock: createSystemClock(), seed: 1 })
  await emulator.listen()
})
afterAll(() => emulator.close())

const environment = { KEY: 'emulator', SECRET: 'emulator' }

function configured(): string {
  const folder = emptyFolder()
  const target = { id: 'own', region: 'eu-central-1', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0', endpoint: emulator.url }
  writeFileSync(join(folder, 'hybrid-routing.yaml'), JSON.stringify({ direct: { targets: [target], credentials: { accessKeyId: '${KEY}', secretAccessKey: '${SECRET}' } } }))
  return folder
}

describe('mcp-server', () => {
  it('over HTTP carries out an operation on the targets of its configuration', async () => {
    const program = start(['mcp-server', '--port', '0'], { folder: configured(), environment })
    const [, url = ''] = await program.untilOut(/(http:\/\/\S+)/)
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(url)))
    const result = await client.callTool({ name: 'execute_operation', arguments: { operationId: 'op_1', operation: 'standard_analysis', prompt: 'hello', deadlineMs: 10_000 } })
    expect(result.isError ?? false).toBe(false)
    expect(JSON.stringify(result.content)).toContain('synthetic answer')
    await client.close()
    program.child.kill('SIGTERM')
    expect((await program.ended()).code).toBe(0)
  }, 60_000)

  it('over standard input and output speaks the protocol alone, and ends with its input', async () => {
    const program = start(['mcp-server'], { folder: configured(), environment })
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } } }
    program.child.stdin.write(`${JSON.stringify(initialize)}\n`)
    await program.untilOut(/\n/)
    for (const line of program.out().trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' })
    expect(program.out()).toContain('hybrid-routing-operations')
    program.child.stdin.end()
    expect((await program.ended()).code).toBe(0)
  }, 60_000)

  it('without a target says what is missing', async () => {
    const folder = emptyFolder()
    writeFileSync(join(folder, 'hybrid-routing.yaml'), JSON.stringify({ mcp: { servers: { ops: { url: 'http://127.0.0.1:1/mcp' } } } }))
    const { code, err } = await run(['mcp-server'], { folder })
    expect(code).toBe(1)
    expect(err).toContain('direct.targets')
  }, 60_000)
})
