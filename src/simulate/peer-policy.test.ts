import { describe, expect, it } from 'vitest'
import type { Fault } from '../operation/fault.ts'
import { runbookMatrix, type OperationType } from '../operation/matrix.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { answers, createScriptedPath, delta, fails, hangs, type Script, type ScriptStep } from '../router/testing/scripted-path.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createPeerRunner, type PeerEnd } from './peer-policy.ts'

const throttled: Fault = { kind: 'throttled', retryable: true, message: 'Too much.' }
const expired: Fault = { kind: 'auth', retryable: false, message: 'Expired.' }

function meet(scripts: { readonly direct: Script; readonly mcp?: Script }, arrivals: readonly { readonly atMs: number; readonly type?: OperationType; readonly mode?: 'stream' }[] = [{ atMs: 0 }]) {
  const clock = createVirtualClock()
  const direct = createScriptedPath('direct', clock, scripts.direct)
  const mcp = createScriptedPath('mcp', clock, scripts.mcp ?? (() => answers('from the server', 100)))
  const runner = createPeerRunner({ paths: { direct, mcp }, targets: { direct: ['frankfurt', 'ireland'], mcp: ['operations'] }, matrix: runbookMatrix, clock, random: { next: () => 0.5 }, scale: 1 })
  const ends: PeerEnd[] = []
  for (const { atMs, type = 'infrastructure', mode = 'sync' } of arrivals) {
    clock.schedule(atMs, () => {
      const operation = operationOf(type, { id: `op_${atMs}`, priority: 'critical', mode, arrivedAtMs: clock.monotonicMs(), createdAtMs: clock.nowMs() })
      runner.run(operation, (end) => ends.push(end))
    })
  }
  while (clock.next());
  return { ends, asked: direct.requests.map(({ target }) => target), served: mcp.requests.length, cancelled: direct.cancelled }
}

describe('the peers’ policy', () => {
  it('retries twice on another target, and then falls back', () => {
    const { ends, asked } = meet({ direct: () => fails(throttled, 10) })
    expect(asked).toEqual(['frankfurt', 'ireland', 'frankfurt'])
    // Three failures of 10 ms, backoffs of half of 500 and 1000 ms, and the server's 100 ms.
    expect(ends).toEqual([{ answered: true, latencyMs: 30 + 250 + 500 + 100, attempts: 4, servedMs: 100, text: 'from the server' }])
  })

  it('does not retry what will not pass, and has no fallback for an emergency', () => {
    const { ends, asked, served } = meet({ direct: () => fails(expired, 10) }, [{ atMs: 0, type: 'emergency' }])
    expect(asked).toEqual(['frankfurt'])
    expect(served).toBe(0)
    expect(ends).toMatchObject([{ answered: false, attempts: 1 }])
  })

  it('gives a hanging attempt the whole hard timeout', () => {
    const { ends, served, cancelled } = meet({ direct: () => hangs() })
    expect(ends).toMatchObject([{ answered: false, latencyMs: 15_000, attempts: 1 }])
    expect(served).toBe(0)
    expect(cancelled).toEqual(['op_0/1'])
  })

  it('lets a target rest for five seconds after three failures', () => {
    const script: Script = ({ target }) => (target === 'frankfurt' ? fails(expired, 10) : answers('well', 10))
    const { asked } = meet({ direct: script }, [0, 100, 200, 300, 4_000, 5_500].map((atMs) => ({ atMs })))
    expect(asked).toEqual(['frankfurt', 'frankfurt', 'frankfurt', 'ireland', 'ireland', 'frankfurt'])
  })

  it('asks a resting target when all rest', () => {
    const { asked } = meet({ direct: () => fails(expired, 10) }, [0, 100, 200, 300, 400, 500, 600].map((atMs) => ({ atMs })))
    expect(asked).toHaveLength(7)
  })

  it('cannot take back what a broken stream has said', () => {
    const broken: readonly ScriptStep[] = [{ atMs: 0, do: 'send' }, { atMs: 50, do: 'event', event: delta('half ') }, { atMs: 80, do: 'fail', fault: throttled }]
    const { ends, served } = meet({ direct: () => broken }, [{ atMs: 0, mode: 'stream' }])
    expect(ends).toMatchObject([{ answered: false, attempts: 1 }])
    expect(served).toBe(0)
  })
})
