/**
 * The answers that a repeat of an operation gets, so that delivery at least once becomes execution once: kept for a while,
 * in bounded number and size, the oldest forgotten first. Only answers are kept: a fault or a cancellation is tried anew.
 */
import type { Answer } from '../operation/converse.ts'
import { operationsServerLimits as limits } from './limits.ts'

export interface RememberedAnswers {
  get(operationId: string, nowMs: number): { readonly answer: Answer; readonly fingerprint: string } | null
  keep(operationId: string, fingerprint: string, answer: Answer, nowMs: number): void
  size(): number
}

export function createRememberedAnswers(): RememberedAnswers {
  const kept = new Map<string, { readonly answer: Answer; readonly fingerprint: string; readonly untilMs: number; readonly characters: number }>()
  let characters = 0

  const forget = (operationId: string): void => {
    characters -= kept.get(operationId)?.characters ?? 0
    kept.delete(operationId)
  }
  /** A map keeps the order of insertion, and all are kept equally long: the first is the oldest. */
  const forgetOld = (nowMs: number): void => {
    for (const [operationId, entry] of kept) {
      const tooMany = kept.size > limits.remembered || characters > limits.rememberedCharacters
      if (entry.untilMs > nowMs && !tooMany) return
      forget(operationId)
    }
  }

  return {
    get(operationId, nowMs) {
      const entry = kept.get(operationId)
      if (entry === undefined) return null
      if (entry.untilMs > nowMs) return entry
      forget(operationId)
      return null
    },
    keep(operationId, fingerprint, answer, nowMs) {
      forget(operationId)
      const size = JSON.stringify(answer).length
      kept.set(operationId, { answer, fingerprint, untilMs: nowMs + limits.rememberMs, characters: size })
      characters += size
      forgetOld(nowMs)
    },
    size: () => kept.size,
  }
}
