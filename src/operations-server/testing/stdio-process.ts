/**
 * The operations MCP server over stdio as a process of its own, with an execution that needs no model: it says the prompt
 * backwards, word by word.
 */
import { textOf } from '../../operation/converse.ts'
import { createSystemClock, sleep } from '../../runtime/clock.ts'
import { createOperationsServer } from '../operations-server.ts'
import { answered } from './answers.ts'

const clock = createSystemClock()
const server = createOperationsServer({
  clock,
  async execute(request, options) {
    const [message] = request.converse.messages
    const text = message === undefined ? '' : textOf(message).split(' ').toReversed().join(' ')
    for (const [index, word] of text.split(' ').entries()) {
      options.onText?.(index === 0 ? word : ` ${word}`, 0)
      await sleep(clock, 2)
    }
    return answered(text)
  },
})
await server.serveStdio()
await server.close()
