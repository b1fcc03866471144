/**
 * Bearer tokens from the environment or from a file, read when they are needed, so that a rotated token is used without a
 * restart. The token goes into the request's header and nowhere else.
 */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../runtime/clock.ts'
import { mcpLimits } from '../limits.ts'
import type { TokenSource } from '../settings.ts'
import { TokenMissing } from './sdk-errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export function createTokenReader(source: TokenSource, environment: Environment, clock: Clock): () => Promise<string> {
  let cached: { readonly token: string; readonly untilMs: number } | null = null
  return async () => {
    if ('environment' in source) return usable(environment[source.environment])
    if (cached !== null && clock.monotonicMs() < cached.untilMs) return cached.token
    let text: string | undefined
    try {
      text = await readFile(source.file, 'utf8')
    } catch {
      // Missing and unreadable are the same to the caller: there is no token. The classifier says so without the path.
      text = undefined
    }
    const token = usable(text)
    cached = { token, untilMs: clock.monotonicMs() + mcpLimits.tokenExpiryMs }
    return token
  }
}

function usable(text: string | undefined): string {
  const token = text?.trim() ?? ''
  if (token === '' || /\s/.test(token)) throw new TokenMissing('no bearer token')
  return token
}
