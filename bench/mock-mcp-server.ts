/**
 * The MCP server of the benchmarks: the operations MCP server over HTTP, whose executions answer at once, or wait while the
 * gate is shut, so that a backlog can be gathered first. Counts what it carried out.
 */
import { createOperationsServer } from '../src/operations-server/operations-server.ts'
import { createSystemClock } from '../src/runtime/clock.ts'

export type GateOrder = { readonly gate: 'shut' | 'open' } | { readonly ask: 'executed' }

const answer = {
  kind: 'answer',
  answer: { message: { role: 'assistant', content: [{ text: 'No step is needed. '.repeat(10) }] }, stopReason: 'end_turn', usage: { inputTokens: 64, outputTokens: 40, totalTokens: 104 } },
} as const

let executed = 0
let open: Promise<void> = Promise.resolve()
let openGate = (): void => undefined

const server = createOperationsServer({
  clock: createSystemClock(),
  async execute() {
    await open
    executed += 1
    return answer
  },
})
const { url } = await server.listen(0)
process.on('message', (order: GateOrder) => {
  if ('ask' in order) {
    process.send?.({ executed })
  } else if (order.gate === 'open') {
    openGate()
  } else {
    open = new Promise((resolve) => {
      openGate = resolve
    })
  }
})
process.on('disconnect', () => {
  process.exit(0)
})
process.send?.({ url })
