/**
 * `hybrid-routing operation TYPE PROMPT`: one operation, its answer as it streams, and a closing line on standard error that
 * says how it was answered. Only the answer goes to standard output, so that it can be piped.
 */
import type { OperationResult } from '../operation/result.ts'
import type { Problem } from '../operation/problem.ts'
import { createServiceClient, describeProblem } from './service-client.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'

export interface OperationCommandOptions {
  readonly operation: string
  readonly prompt: string
  readonly async: boolean
  readonly json: boolean
  readonly url: string
}

export async function operationCommand(options: OperationCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const client = createServiceClient(options.url, terminal)
  const prompt = options.prompt === '-' ? await terminal.readInput() : options.prompt
  const body = { operation: options.operation, prompt }

  if (options.async) {
    const accepted = (await client.postJson('/v1/operations', { ...body, mode: 'async' })) as OperationResult
    terminal.out(options.json ? `${JSON.stringify(accepted, null, 2)}\n` : `${accepted.id}\n`)
    return exitCode.done
  }
  if (options.json) {
    const result = (await client.postJson('/v1/operations', body)) as OperationResult
    terminal.out(`${JSON.stringify(result, null, 2)}\n`)
    return result.status === 'succeeded' ? exitCode.done : exitCode.failed
  }

  const interrupted = new AbortController()
  const stopListening = terminal.onSignal(['SIGINT', 'SIGTERM'], () => interrupted.abort())
  try {
    for await (const { event, data } of client.postForEvents('/v1/operations', { ...body, mode: 'stream' }, interrupted.signal)) {
      switch (event) {
        case 'delta':
          terminal.out(textOfDelta(data))
          break
        case 'attempt':
          terminal.err(describeAttempt(data))
          break
        case 'result':
          terminal.out('\n')
          terminal.err(`${describeResult(data as OperationResult)}\n`)
          return exitCode.done
        case 'error':
          throw new CommandFailure(describeProblem(data as Partial<Problem>) ?? 'the operation failed')
        default:
          // `decision`, and events that a later version may add: nothing to show here.
          break
      }
    }
  } finally {
    stopListening()
  }
  if (interrupted.signal.aborted) throw new CommandFailure('interrupted; the service was told to cancel the operation')
  throw new CommandFailure('the stream ended without a result: the service may have stopped; submit it again')
}

function textOfDelta(data: unknown): string {
  return typeof data === 'object' && data !== null && 'text' in data && typeof data.text === 'string' ? data.text : ''
}

function describeAttempt(data: unknown): string {
  const attempt = data as { readonly number: number; readonly route: string; readonly target: string; readonly reason: string; readonly restart: boolean }
  return `\n[attempt ${attempt.number}: ${attempt.reason} on ${attempt.route} ${attempt.target}${attempt.restart ? '; the answer begins anew' : ''}]\n`
}

export function describeResult(result: OperationResult): string {
  const { latency } = result
  const firstToken = latency.timeToFirstTokenMs === null ? '' : `, first token after ${Math.round(latency.timeToFirstTokenMs)} ms`
  const fallback = result.fallbackUsed ? ' as fallback' : ''
  const promise = result.slaMet ? 'met' : 'missed'
  return `${result.id}: ${result.route ?? 'no route'} ${result.target ?? ''}${fallback}, ${Math.round(latency.totalMs)} ms${firstToken}; requirement ${Math.round(result.latencyRequirementMs)} ms ${promise}`
}
