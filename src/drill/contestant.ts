/**
 * Whoever is drilled: the service, or the peers' policy. It gets operations one by one and tells what became of each. The
 * composition root of the command makes it for the addresses at which the places of the drill listen.
 */
import type { OperationType } from '../operation/matrix.ts'
import type { WorkItem } from '../simulate/workload.ts'

/** By the place's id. */
export interface DrillAddresses {
  readonly direct: Readonly<Record<string, string>>
  readonly mcp: Readonly<Record<string, string>>
}

export interface DrillAnswer {
  readonly answered: boolean
  /** From sending to first content (streams) or the whole answer, as the caller measures it. */
  readonly latencyMs: number
  readonly attempts: number
  readonly hedges: number
  /** How long the attempt that answered took; 0 without one. */
  readonly servedMs: number
  /** Refused for want of room. */
  readonly refused: boolean
  /** It said that it succeeded, and the text is not what was asked for. */
  readonly wrong: boolean
}

export interface Contestant {
  readonly name: string
  submit(item: DrillItem): Promise<DrillAnswer>
  /** Breakers that tripped; null for whoever has none. */
  trips(): number | null
  close(): Promise<void>
}

/** What is sent; `label` names it in prompts, so that the MCP place knows whom it answers. */
export interface DrillItem extends WorkItem {
  readonly label: string
  readonly type: OperationType
}

export function labelOf(item: WorkItem): string {
  return `item-${item.index}`
}

export function promptOf(label: string): string {
  return `Drill ${label}: say what you see.`
}

export function labelIn(prompt: string): string | undefined {
  return /Drill ([a-z]+-\d+):/.exec(prompt)?.[1]
}
