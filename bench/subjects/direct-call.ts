/**
 * The mock upstream called without any service between: what remains of a latency when this is taken away is what the
 * service added.
 */
import { writePlan, type StreamPlan } from '../stream-plan.ts'
import { maxTokens, post, prompt } from './subject.ts'

const body = (text: string): object => ({ messages: [{ role: 'user', content: [{ text }] }], inferenceConfig: { maxTokens } })

export function directAnswerRequest(port: number): string {
  return post(port, '/model/anthropic.bench-model/converse', {}, body(prompt))
}

export function directStreamRequest(port: number, plan: StreamPlan): string {
  return post(port, '/model/anthropic.bench-model/converse-stream', {}, body(`${prompt} ${writePlan(plan)}`))
}
