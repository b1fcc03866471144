/** The bare signing proxy as a subject: see `peers/bare-signing-proxy.ts`. */
import { fileURLToPath } from 'node:url'
import { cores } from '../children.ts'
import { writePlan } from '../stream-plan.ts'
import { maxTokens, post, prompt, readyWithinMs, type Subject } from './subject.ts'

const program = fileURLToPath(new URL('../peers/bare-signing-proxy.ts', import.meta.url))

export const bare: Subject = {
  name: 'bare',
  title: 'bare `node:http` + undici + SigV4',
  async start(children, upstreamPort) {
    const startedAtMs = performance.now()
    const child = children.start({
      name: 'bare',
      core: cores.service,
      command: [process.execPath, program, `http://127.0.0.1:${upstreamPort}`],
      channel: true,
    })
    const { port } = (await child.message(readyWithinMs)) as { port: number }
    return {
      name: 'bare',
      child,
      port,
      readyMs: performance.now() - startedAtMs,
      answerRequest: post(port, '/', {}, { prompt, maxTokens }),
      streamRequest: (plan) => post(port, '/', {}, { prompt: `${prompt} ${writePlan(plan)}`, maxTokens, mode: 'stream' }),
    }
  },
}
