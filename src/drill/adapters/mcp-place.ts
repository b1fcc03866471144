/**
 * One MCP server of a drill: the operations MCP server on a socket, whose executions take as long and fail as the scenario
 * says. While it is down it does not listen, and what ran there is cut; it comes back on the same port.
 */
import type { Answer } from '../../operation/converse.ts'
import { textOf } from '../../operation/converse.ts'
import type { Execute, ExecutionEnd, ExecutionOptions, ExecutionRequest } from '../../operations-server/execution.ts'
import { createOperationsServer, type OperationsServer } from '../../operations-server/operations-server.ts'
import { sleep, type CancelSchedule, type Clock } from '../../runtime/clock.ts'
import { faultOf, type Fates } from '../../simulate/fate.ts'
import type { Place, Scenario } from '../../simulate/scenario.ts'
import type { WorkItem } from '../../simulate/workload.ts'
import { labelIn } from '../contestant.ts'

export interface McpPlaceParts {
  readonly scenario: Scenario
  readonly place: Place
  readonly fates: Fates
  readonly clock: Clock
  /** Undefined for an operation that is not part of the drill. */
  itemOf(label: string): WorkItem | undefined
}

export interface McpPlace {
  readonly url: string
  /** Faults count from here. */
  begin(): void
  close(): Promise<void>
}

/** ms between two attempts to listen again. */
const relistenMs = 20

export async function startMcpPlace(parts: McpPlaceParts): Promise<McpPlace> {
  const { clock, scenario, place } = parts
  const executor = new Executor(parts)
  let server = serverOf(executor.execute, clock)
  const { port, url } = await server.listen(0)
  const cancels: CancelSchedule[] = []
  let closed = false
  let changing: Promise<void> = Promise.resolve()

  const goDown = async (): Promise<void> => server.close()
  const comeBack = async (): Promise<void> => {
    if (closed) return
    server = serverOf(executor.execute, clock)
    try {
      await server.listen(port)
    } catch {
      // Another process may hold the port for a moment.
      await sleep(clock, relistenMs)
      await comeBack()
    }
  }
  const then = (change: () => Promise<void>) => (): void => {
    changing = changing.then(change)
  }
  return {
    url,
    begin() {
      const beganAtMs = clock.monotonicMs()
      executor.begin(beganAtMs)
      for (const fault of scenario.faults) {
        if (fault.kind !== 'down' || !fault.places.includes(place.id)) continue
        cancels.push(clock.schedule(beganAtMs + fault.fromMs, then(goDown)), clock.schedule(beganAtMs + fault.untilMs, then(comeBack)))
      }
    },
    async close() {
      closed = true
      for (const cancel of cancels) cancel()
      await changing
      await server.close()
    },
  }
}

function serverOf(execute: Execute, clock: Clock): OperationsServer {
  return createOperationsServer({ execute, clock })
}

/** Plays the fates of the executions. */
class Executor {
  readonly #parts: McpPlaceParts
  readonly #turns = new Map<string, number>()
  readonly #line: (() => void)[] = []
  #busy = 0
  #beganAtMs = Number.POSITIVE_INFINITY

  constructor(parts: McpPlaceParts) {
    this.#parts = parts
  }

  begin(nowMs: number): void {
    this.#beganAtMs = nowMs
  }

  readonly execute: Execute = async (request, options) => {
    const { slots, above } = this.#parts.place
    if (slots !== null && this.#busy >= slots) {
      if (above === 'throttle') return { kind: 'fault', fault: faultOf.throttle }
      await new Promise<void>((resolve) => {
        this.#line.push(resolve)
        options.signal.addEventListener('abort', () => resolve(), { once: true })
      })
      if (options.signal.aborted) return { kind: 'cancelled' }
    }
    this.#busy += 1
    try {
      return await this.#play(request, options)
    } catch (error) {
      if (options.signal.aborted) return { kind: 'cancelled' }
      throw error
    } finally {
      this.#busy -= 1
      this.#line.shift()?.()
    }
  }

  async #play(request: ExecutionRequest, options: ExecutionOptions): Promise<ExecutionEnd> {
    const { clock, fates, place } = this.#parts
    const label = labelIn(promptIn(request)) ?? ''
    const item = this.#parts.itemOf(label)
    const turn = this.#turns.get(label) ?? 0
    this.#turns.set(label, turn + 1)
    if (item === undefined) return { kind: 'answer', answer: answerOf(label, 1) }
    // Before the drill begins it is before every window.
    const fate = fates.of(item, place, turn, clock.monotonicMs() - this.#beganAtMs)
    if (fate.kind === 'hangs') {
      await sleep(clock, hangMs, options.signal)
      return { kind: 'cancelled' }
    }
    const endsAfterMs = fate.kind === 'answers' ? fate.totalMs : fate.afterMs
    if (fate.firstContentMs !== null && options.onText !== undefined) {
      await sleep(clock, fate.firstContentMs, options.signal)
      options.onText(textFor(label), 0)
      await sleep(clock, Math.max(0, endsAfterMs - fate.firstContentMs), options.signal)
    } else {
      await sleep(clock, endsAfterMs, options.signal)
    }
    if (fate.kind === 'fails') return { kind: 'fault', fault: fate.fault }
    return { kind: 'answer', answer: answerOf(label, item.outputTokens) }
  }
}

/** Longer than any drill. */
const hangMs = 3_600_000

function promptIn(request: ExecutionRequest): string {
  const [message] = request.converse.messages
  return message === undefined ? '' : textOf(message)
}

function textFor(label: string): string {
  return `Drill ${label}: all is well.`
}

function answerOf(label: string, outputTokens: number): Answer {
  const usage = { inputTokens: 10, outputTokens, totalTokens: 10 + outputTokens }
  return { message: { role: 'assistant', content: [{ text: textFor(label) }] }, stopReason: 'end_turn', usage }
}
