/**
 * The peers' policy in a drill, on paths that are handed in: the service's own Direct Bedrock Client and MCP Router, so that
 * the policies differ and nothing else. It is called in the process, without HTTP before it, which is to its advantage.
 */
import type { Matrix } from '../../operation/matrix.ts'
import type { Operation } from '../../operation/operation.ts'
import { plainOperation } from '../../operation/plain-operation.ts'
import type { Path } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createSeededRandom } from '../../runtime/random.ts'
import { createPeerRunner } from '../../simulate/peer-policy.ts'
import { placesOf, type Scenario } from '../../simulate/scenario.ts'
import { promptOf, type Contestant, type DrillItem } from '../contestant.ts'

export interface PeerContestantParts {
  readonly name: string
  readonly scenario: Scenario
  readonly seed: number
  readonly matrix: Matrix
  readonly paths: { readonly direct: Path; readonly mcp: Path }
  readonly clock: Clock
  close(): Promise<void>
}

/** ms at the scale of the matrix, as the service's default. */
const streamMaxMs = 600_000

export function createPeerContestant(parts: PeerContestantParts): Contestant {
  const { scenario, clock, matrix } = parts
  const targetsOf = (route: 'direct' | 'mcp'): readonly string[] => placesOf(scenario, route).map(({ id }) => id)
  const runner = createPeerRunner({
    paths: parts.paths,
    targets: { direct: targetsOf('direct'), mcp: targetsOf('mcp') },
    matrix,
    clock,
    random: createSeededRandom(parts.seed),
    scale: scenario.scale,
  })
  return {
    name: parts.name,
    submit: (item) =>
      new Promise((resolve) => {
        runner.run(operationOf(item, matrix, clock, scenario.scale), ({ answered, latencyMs, attempts, servedMs, text }) => {
          resolve({ answered, latencyMs, attempts, hedges: 0, servedMs, refused: false, wrong: answered && text === '' })
        })
      }),
    trips: () => null,
    close: () => parts.close(),
  }
}

function operationOf(item: DrillItem, matrix: Matrix, clock: Clock, scale: number): Operation {
  return plainOperation(item.type, matrix[item.type], {
    id: `op_${item.label}`,
    mode: item.mode,
    converse: { messages: [{ role: 'user', content: [{ text: promptOf(item.label) }] }], inferenceConfig: { maxTokens: item.outputTokens } },
    arrivedAtMs: clock.monotonicMs(),
    createdAtMs: clock.nowMs(),
    streamMaxMs: streamMaxMs / scale,
    correlationId: item.label,
  })
}
