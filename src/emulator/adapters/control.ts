/**
 * The control endpoint under `/_emulator/`: faults at run time, counters, the last requests. For this machine alone: a
 * request from elsewhere, or from a web page that a browser here has open, is refused.
 */
import { FaultConfigurationError } from '../fault-rule.ts'
import type { Exchange } from './exchange.ts'
import type { EmulatorCounters, RecordedRequest } from './recorder.ts'

export interface Controlled {
  readonly faults: { set(rules: unknown): void; clear(): void; list(): readonly unknown[] }
  counters(): EmulatorCounters
  requests(): readonly RecordedRequest[]
  reset(): void
}

export function answerControl(exchange: Exchange, path: string, body: Buffer, controlled: Controlled): void {
  const reply = (status: number, value: unknown): void => exchange.respond(status, { 'content-type': 'application/json' }, `${JSON.stringify(value)}\n`)
  if (!isLocal(exchange)) {
    reply(403, { error: 'the control endpoint answers this machine alone' })
    return
  }
  switch (`${exchange.method} ${path}`) {
    case 'GET faults':
      reply(200, { faults: controlled.faults.list() })
      return
    case 'PUT faults':
      setFaults(body, controlled, reply)
      return
    case 'DELETE faults':
      controlled.faults.clear()
      reply(200, { faults: [] })
      return
    case 'GET requests':
      reply(200, { requests: controlled.requests() })
      return
    case 'GET counters':
      reply(200, controlled.counters())
      return
    case 'POST reset':
      controlled.reset()
      reply(200, controlled.counters())
      return
    default:
      reply(404, { error: 'known are: GET, PUT, DELETE faults; GET requests; GET counters; POST reset' })
  }
}

function setFaults(body: Buffer, controlled: Controlled, reply: (status: number, value: unknown) => void): void {
  try {
    controlled.faults.set(JSON.parse(body.toString()) as unknown)
  } catch (error) {
    if (error instanceof FaultConfigurationError) reply(400, { error: 'the fault rules are not valid', problems: error.problems })
    else if (error instanceof SyntaxError) reply(400, { error: 'the body is no JSON' })
    else throw error
    return
  }
  reply(200, { faults: controlled.faults.list() })
}

function isLocal(exchange: Exchange): boolean {
  const { remoteAddress, headers } = exchange
  const host = (headers[':authority'] ?? headers.host ?? '').replace(/:\d+$/, '')
  return /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress) && ['127.0.0.1', 'localhost', '[::1]'].includes(host) && headers['origin'] === undefined
}
