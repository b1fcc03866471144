/**
 * This service as a subject: started as an operator starts it, through the launcher and a configuration file with one
 * target, and asked through POST /v1/operations. Nothing is switched off for the benchmark.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/runtime/testing/free-port.ts'
import { cores, untilReady } from '../children.ts'
import { writePlan } from '../stream-plan.ts'
import { maxTokens, post, prompt, readyWithinMs, type Subject } from './subject.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const configuration = (port: number, upstreamPort: number): string => `server: { host: 127.0.0.1, port: ${port} }
direct:
  targets:
    - { id: mock, region: us-east-1, modelId: anthropic.bench-model, endpoint: "http://127.0.0.1:${upstreamPort}" }
store: { engine: memory }
`

export const hybrid: Subject = {
  name: 'hybrid',
  title: 'Hybrid Routing',
  async start(children, upstreamPort) {
    const port = await freePort()
    const file = join(children.folder, `hybrid-routing-${port}.yaml`)
    writeFileSync(file, configuration(port, upstreamPort))
    const startedAtMs = performance.now()
    const child = children.start({
      name: 'hybrid',
      core: cores.service,
      command: [join(root, 'hybrid-routing'), 'serve', '--config', file],
      env: { AWS_ACCESS_KEY_ID: 'emulator', AWS_SECRET_ACCESS_KEY: 'emulator' },
      cwd: children.folder,
    })
    await untilReady(child, port, '/health/ready', readyWithinMs)
    const operation = { operation: 'infrastructure', maxTokens }
    return {
      name: 'hybrid',
      child,
      port,
      readyMs: performance.now() - startedAtMs,
      answerRequest: post(port, '/v1/operations', {}, { ...operation, prompt }),
      streamRequest: (plan) =>
        post(port, '/v1/operations', { accept: 'text/event-stream' }, { ...operation, prompt: `${prompt} ${writePlan(plan)}`, mode: 'stream' }),
    }
  },
}
