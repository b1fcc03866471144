/**
 * A stdio server of the older wire that misbehaves on demand, as a real child process: the tool's name is the misbehaviour.
 * Written against the wire and not with an SDK, because an SDK would not let it.
 *
 *   node wayward-stdio-server.ts [--ignore-sigterm] [--exit-on-probe] [--mute-probe] [--no-tools] [--chatty] [--helper] [--restless]
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const flags = new Set(process.argv.slice(2))
const tools = ['echo', 'die', 'hang', 'slow', 'is_error', 'rpc_error', 'garbage', 'huge', 'not_a_result', 'cancelled_calls', 'environment', 'listings']
const cancelled: unknown[] = []
let listings = 0

const send = (message: unknown): void => void process.stdout.write(`${JSON.stringify(message)}\n`)
const answer = (id: unknown, result: unknown): void => send({ jsonrpc: '2.0', id, result })
const text = (value: string): unknown => ({ content: [{ type: 'text', text: value }] })

if (flags.has('--ignore-sigterm')) {
  process.on('SIGTERM', () => undefined)
  // And stays when its input ends.
  setInterval(() => undefined, 1_000)
}
if (flags.has('--restless')) setInterval(() => send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }), 5)
if (flags.has('--helper')) {
  const helper = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
  process.stderr.write(`helper ${String(helper.pid)}\n`)
}
if (flags.has('--chatty')) {
  process.stdout.write('a line that is no message\n')
  process.stderr.write(`${'noise '.repeat(4_000)}API_KEY=${process.env['API_KEY'] ?? ''}\n`)
}

interface Call {
  readonly id: unknown
  readonly method: string
  readonly params?: { readonly name?: string; readonly arguments?: Record<string, unknown>; readonly requestId?: unknown; readonly _meta?: { progressToken?: unknown } }
}

function call({ id, params }: Call): void {
  const token = params?._meta?.progressToken
  switch (params?.name) {
    case 'echo':
      return answer(id, text(JSON.stringify({ arguments: params.arguments, meta: params._meta })))
    case 'environment':
      return answer(id, text(Object.keys(process.env).toSorted().join(' ')))
    case 'die':
      process.exit(3)
      break
    case 'hang':
      return undefined
    case 'slow': {
      let step = 0
      const timer = setInterval(() => {
        step += 1
        send({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: token, progress: step, message: 'working' } })
        if (step < 6) return
        clearInterval(timer)
        answer(id, text('done slowly'))
      }, 60)
      return undefined
    }
    case 'is_error':
      return answer(id, { isError: true, content: [{ type: 'text', text: 'secret-of-the-server' }] })
    case 'rpc_error':
      return send({ jsonrpc: '2.0', id, error: { code: -32603, message: 'secret-of-the-server' } })
    case 'garbage':
      process.stdout.write('{"jsonrpc":"2.0","id":\n')
      return undefined
    case 'not_a_result':
      return answer(id, { content: 'not a list' })
    case 'huge':
      return answer(id, text('x'.repeat(10 * 1_048_576)))
    case 'listings':
      return answer(id, text(String(listings)))
    case 'cancelled_calls':
      return answer(id, text(JSON.stringify(cancelled.length)))
    default:
      return send({ jsonrpc: '2.0', id, error: { code: -32602, message: 'unknown tool' } })
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line) as Call
  switch (message.method) {
    case 'server/discover':
      if (flags.has('--exit-on-probe')) process.exit(1)
      if (flags.has('--mute-probe')) return
      return send({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'unknown method' } })
    case 'initialize':
      return answer(message.id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'wayward', version: '1' } })
    case 'ping':
      return answer(message.id, {})
    case 'tools/list':
      listings += 1
      return answer(message.id, { tools: flags.has('--no-tools') ? [] : tools.map((name) => ({ name, inputSchema: { type: 'object' } })) })
    case 'notifications/cancelled':
      cancelled.push(message.params?.requestId)
      return undefined
    case 'tools/call':
      return call(message)
    default:
      return undefined
  }
})
