/**
 * Starts the ground of a drill as a process of its own, so that what is drilled does not share an event loop with what it
 * talks to, and tells it when its faults begin.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Scenario } from '../../simulate/scenario.ts'
import type { DrillAddresses } from '../contestant.ts'

export type GroundOrder = { readonly type: 'open'; readonly scenario: Scenario; readonly seed: number } | { readonly type: 'begin' } | { readonly type: 'close' }
export type GroundReply = { readonly type: 'opened'; readonly addresses: DrillAddresses } | { readonly type: 'begun' } | { readonly type: 'failed'; readonly message: string }

export interface GroundProcess {
  readonly addresses: DrillAddresses
  /** Resolves when the faults count. */
  begin(): Promise<void>
  close(): Promise<void>
}

/** From a checkout the source runs; the package has emitted JavaScript. */
const entry = fileURLToPath(new URL(`./ground-process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))

export async function startGroundProcess(scenario: Scenario, seed: number): Promise<GroundProcess> {
  const child = fork(entry, [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  try {
    const opened = await ask(child, { type: 'open', scenario, seed })
    if (opened.type !== 'opened') throw new Error(`The ground of the drill answered ${opened.type}`)
    return {
      addresses: opened.addresses,
      async begin() {
        await ask(child, { type: 'begin' })
      },
      async close() {
        if (child.connected) child.send({ type: 'close' } satisfies GroundOrder)
        await exited
      },
    }
  } catch (error) {
    child.kill()
    throw error
  }
}

function ask(child: ChildProcess, order: GroundOrder): Promise<GroundReply> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`The ground of the drill ended with ${code ?? 'a signal'}`))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      const reply = message as GroundReply
      if (reply.type === 'failed') reject(new Error(`The ground of the drill failed: ${reply.message}`))
      else resolve(reply)
    })
    child.send(order)
  })
}
