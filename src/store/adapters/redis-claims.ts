/**
 * Which class the next claim takes from, on Redis. Asking BullMQ for the next job runs a long script, so only classes that
 * hold something are asked. Claims that come in one turn of the event loop share one look at all classes and divide among them
 * what it saw, so that they do not all run to the same message.
 */
import type { Classes } from './redis-classes.ts'

export interface ClaimTurn {
  /** The class to ask now; undefined when nothing is left of what was seen. */
  next(): number | undefined
  /** The class held less than was seen: others were quicker. */
  isEmpty(rank: number): void
}

export interface ClaimTurns {
  /** @param reserved one claim for the longest-waiting message of the lower classes, if there is one */
  begin(reserved: boolean): Promise<ClaimTurn>
}

interface Sight {
  readonly ready: number[]
  readonly heads: readonly (number | null)[]
}

export function createClaimTurns(classes: Classes): ClaimTurns {
  let gathering: Promise<Sight> | undefined

  const look = async (): Promise<Sight> => {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    // From here on a claim may come after a message that this look does not see.
    gathering = undefined
    const seen = await classes.look(classes.queues)
    return { ready: seen.map(({ ready }) => ready), heads: seen.map(({ headAddedAtMs }) => headAddedAtMs) }
  }

  return {
    async begin(reserved) {
      gathering ??= look()
      const { ready, heads } = await gathering
      let first = reserved ? longestWaitingBelowTop(heads) : undefined
      return {
        next() {
          const rank = first !== undefined && (ready[first] ?? 0) > 0 ? first : ready.findIndex((count) => count > 0)
          first = undefined
          if (rank < 0) return undefined
          ready[rank] = (ready[rank] ?? 0) - 1
          return rank
        },
        isEmpty(rank) {
          ready[rank] = 0
        },
      }
    },
  }
}

/** The class below the first that has work whose first message has waited longest. */
function longestWaitingBelowTop(heads: readonly (number | null)[]): number | undefined {
  const top = heads.findIndex((head) => head !== null)
  let chosen: number | undefined
  heads.forEach((head, rank) => {
    if (rank > top && head !== null && (chosen === undefined || head < (heads[chosen] ?? 0))) chosen = rank
  })
  return chosen
}
